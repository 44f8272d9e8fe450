//! A transcript as text: octets made visible, passwords masked, carets under octets, BASE64 decoded.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::outgoing::PLACEHOLDER;
use super::redaction::{Redactor, merge};
use crate::elision::elide;

/// Something to point at in what the server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The index, from 0, in everything that the server sent.
    pub index: usize,
    /// What is said of the octet there.
    pub remark: String,
}

/// Up to how many characters a line is shown whole.
const WHOLE_LINE: usize = 2000;
/// Up to how many characters a transcript is shown whole, and how many are kept of the beginning and the end of a longer
/// one. Besides these every line with something to point at is kept.
const WHOLE_TEXT: usize = 16 * 1024;
const KEPT_HEAD: usize = 8 * 1024;
const KEPT_TAIL: usize = 6 * 1024;

/// How many octets of what a challenge means are shown.
pub(super) const SHOWN_CHALLENGE: usize = 512;
/// Up to which column a caret stands under its octet: beyond it nobody sees the one below the other.
const WIDEST: usize = 400;

/// One direction of a conversation.
pub(super) struct Side<'t> {
    /// What its lines begin with.
    pub direction: &'static str,
    /// Everything that went this way.
    pub octets: &'t [u8],
    /// Where passwords are, in order and without overlap.
    pub masks: Vec<Range<usize>>,
}

/// Text in the making.
pub(super) struct Text<'m> {
    text: String,
    /// The direction of the line that is not yet ended.
    open: Option<&'static str>,
    /// Where in the text that line begins.
    line: usize,
    /// The index of the first octet in that line.
    from: usize,
    /// Whether a CR came last and waits for its LF.
    carriage_return: bool,
    /// Where each octet of that line begins, as columns.
    starts: Vec<usize>,
    /// The lines in which something is pointed at: where they begin in the text, and where what is said of them ends.
    marked: Vec<Range<usize>>,
    /// The column of the mask that was shown last.
    mask: usize,
    /// What is still to be pointed at, in order.
    marks: &'m [Mark],
    /// What is to be pointed at in this line, with its column.
    pointed: Vec<(usize, &'m Mark)>,
}

impl<'m> Text<'m> {
    /// Nothing yet; `marks` are in order, and the server's.
    pub fn new(marks: &'m [Mark]) -> Self {
        Self {
            text: String::new(),
            open: None,
            line: 0,
            from: 0,
            carriage_return: false,
            starts: Vec::new(),
            marked: Vec::new(),
            mask: 0,
            marks,
            pointed: Vec::new(),
        }
    }

    /// Shows the client's part of a stream. A mask that spans entries is shown where it begins.
    pub fn sent(&mut self, side: &Side<'_>, range: &Range<usize>) {
        self.octets(side, range, |_, _| {});
    }

    /// Shows the server's part of a stream, with its marks and, where `challenges` says so, with what its challenges
    /// mean.
    pub fn received(&mut self, side: &Side<'_>, range: &Range<usize>, challenges: Option<&Redactor>) {
        self.octets(side, range, |text, line| {
            if let Some(meaning) = challenges.and_then(|redactor| challenge(side, line, redactor)) {
                text.push_meaning(&meaning);
            }
        });
    }

    /// Shows what the octets before mean.
    pub fn meaning(&mut self, meaning: &str) {
        self.end_line();
        self.push_meaning(meaning);
    }

    /// Shows something that is no octet.
    pub fn remark(&mut self, remark: &str) {
        self.end_line();
        self.text.push_str(remark);
        self.text.push('\n');
    }

    /// The whole text. What was to be pointed at and has not been shown is said all the same.
    pub fn finish(mut self) -> String {
        self.end_line();
        for mark in std::mem::take(&mut self.marks) {
            self.remark(&format!("[{}]", mark.remark));
        }
        shortened(self.text, &self.marked)
    }

    /// Shows octets; `ended` is told of each line that has come to its end.
    fn octets(&mut self, side: &Side<'_>, range: &Range<usize>, ended: impl Fn(&mut Self, Range<usize>)) {
        if self.open != Some(side.direction) {
            self.end_line();
        }
        let first = side.masks.partition_point(|mask| mask.end <= range.start);
        let mut masks = side.masks.get(first..).unwrap_or_default().iter().peekable();
        for (at, &octet) in side.octets.iter().enumerate().take(range.end).skip(range.start) {
            while masks.next_if(|mask| mask.end <= at).is_some() {}
            let mask = masks.peek().filter(|mask| mask.contains(&at));
            if mask.is_none_or(|mask| mask.start == at) {
                self.begin_line(side.direction, at);
                self.flush_carriage_return(octet == b'\n' && mask.is_none());
            }
            if mask.is_none_or(|mask| mask.start == at) {
                self.starts.push(self.column());
            }
            if mask.is_some_and(|mask| mask.start == at) {
                self.mask = self.column();
                self.text.push_str(PLACEHOLDER);
            }
            if side.direction == SERVER {
                self.point(at, if mask.is_some() { self.mask } else { self.column() });
            }
            if mask.is_none() && self.octet(octet) {
                let line = self.from..at + 1;
                self.end_line();
                ended(self, line);
            }
        }
    }

    /// Shows one octet; tells whether the line ends with it.
    fn octet(&mut self, octet: u8) -> bool {
        match octet {
            b'\r' => self.carriage_return = true,
            b'\n' if std::mem::take(&mut self.carriage_return) => {}
            b'\n' => self.text.push_str("\\n"),
            b' '..=b'~' => self.text.push(char::from(octet)),
            _ => self.text.push_str(&format!("\\x{octet:02x}")),
        }
        octet == b'\n'
    }

    /// Takes note of the marks at this octet.
    fn point(&mut self, at: usize, column: usize) {
        while let Some((mark, rest)) = self.marks.split_first().filter(|(mark, _)| mark.index <= at) {
            self.pointed.push((column, mark));
            self.marks = rest;
        }
    }

    fn column(&self) -> usize {
        self.text.len() - self.line
    }

    fn begin_line(&mut self, direction: &'static str, at: usize) {
        if self.open.is_none() {
            (self.line, self.from) = (self.text.len(), at);
            self.starts.clear();
            self.text.push_str(direction);
            self.open = Some(direction);
        }
    }

    fn end_line(&mut self) {
        self.flush_carriage_return(false);
        if self.open.take().is_some() {
            self.elide_line();
            self.text.push('\n');
        }
        let pointed = std::mem::take(&mut self.pointed);
        let is_marked = !pointed.is_empty();
        for (column, mark) in pointed {
            if column <= WIDEST {
                self.text.push_str(&format!("{:column$}^ {}\n", "", mark.remark));
            } else {
                self.text.push_str(&format!("   (column {column}) {}\n", mark.remark));
            }
        }
        if is_marked {
            self.marked.push(self.line..self.text.len());
        }
    }

    /// Leaves out the middle of a long line, but for what is pointed at.
    fn elide_line(&mut self) {
        let Some(line) = self.text.get(self.line..).filter(|line| line.len() > WHOLE_LINE) else { return };
        let columns: Vec<usize> = self.pointed.iter().map(|(column, _)| *column).collect();
        let elided = elide(line, &self.starts, "octets", &columns);
        for (column, _) in &mut self.pointed {
            *column = elided.column(*column).unwrap_or(*column);
        }
        self.text.truncate(self.line);
        self.text.push_str(&elided.text);
    }

    /// A CR that its LF does not follow is shown.
    fn flush_carriage_return(&mut self, line_feed_follows: bool) {
        if !line_feed_follows && std::mem::take(&mut self.carriage_return) {
            self.text.push_str("\\r");
        }
    }

    fn push_meaning(&mut self, meaning: &str) {
        self.text.push_str("   = ");
        self.text.push_str(meaning);
        self.text.push('\n');
    }
}

/// A text without its middle, where it is long; lines with something to point at are kept wherever they stand.
fn shortened(text: String, marked: &[Range<usize>]) -> String {
    if text.len() <= WHOLE_TEXT {
        return text;
    }
    let mut shown = String::new();
    let (mut at, mut left_out) = (0, (0, 0));
    for line in text.split_inclusive('\n') {
        let is_kept = at < KEPT_HEAD
            || at + line.len() > text.len() - KEPT_TAIL
            || shown.len() < WHOLE_TEXT && marked.iter().any(|marked| marked.contains(&at));
        if is_kept && left_out.0 > 0 {
            shown.push_str(&format!("[... {} lines, {} octets ...]\n", left_out.0, left_out.1));
            left_out = (0, 0);
        }
        match is_kept {
            true => shown.push_str(line),
            false => left_out = (left_out.0 + 1, left_out.1 + line.len()),
        }
        at += line.len();
    }
    shown
}

/// What the server's lines begin with.
pub(super) const SERVER: &str = "S: ";

/// A challenge without its BASE64; nothing where the line is none, or not whole.
fn decode(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.strip_suffix(b"\n")?;
    let encoded = line.strip_suffix(b"\r").unwrap_or(line).strip_prefix(b"+ ")?;
    STANDARD.decode(encoded).ok().filter(|decoded| !decoded.is_empty())
}

/// The letters in which challenges hold a password, in whichever form it is within the BASE64.
pub(super) fn passwords_in_challenges(octets: &[u8], redactor: &Redactor) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut begin = 0;
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        for mask in decode(line).map(|decoded| redactor.find(&decoded)).unwrap_or_default() {
            // Three octets are four letters, after the plus and the space.
            found.push(begin + 2 + mask.start * 4 / 3..begin + 2 + (mask.end * 4).div_ceil(3));
        }
        begin += line.len();
    }
    found
}

/// What a line means that is a challenge in BASE64 (RFC 9051 §6.2.2, RFC 5034 §4); nothing for any other line.
///
/// A password is masked in the decoded octets, and so is every octet of which a bit stands in a masked letter: where
/// the password itself looks like BASE64, decoding must not undo its mask.
fn challenge(side: &Side<'_>, line: Range<usize>, redactor: &Redactor) -> Option<String> {
    let decoded = decode(side.octets.get(line.clone())?)?;
    let begin = line.start + 2;
    let mut found = redactor.find(&decoded);
    for mask in side.masks.iter().filter(|mask| mask.start < line.end && mask.end > begin) {
        let letters = mask.start.max(begin) - begin..mask.end - begin;
        // Four letters are three octets.
        let touched = letters.start * 3 / 4..(letters.end * 3).div_ceil(4).min(decoded.len());
        found.extend((!touched.is_empty()).then_some(touched));
    }
    found.sort_by_key(|mask| mask.start);
    let mut masks = Vec::with_capacity(found.len());
    for mask in found {
        merge(&mut masks, mask);
    }
    let mut shown = String::new();
    let mut next = 0;
    for mask in masks {
        shown.push_str(&visible(decoded.get(next..mask.start).unwrap_or_default()));
        shown.push_str(PLACEHOLDER);
        next = mask.end;
    }
    shown.push_str(&visible(decoded.get(next..).unwrap_or_default()));
    if let Some((cut, _)) = shown.char_indices().nth(SHOWN_CHALLENGE) {
        shown.truncate(cut);
        shown.push('…');
    }
    Some(shown)
}

/// Octets as scenario files spell them: printable ASCII as it is, `{nul}`, `{xHH}`.
pub(super) fn visible(octets: &[u8]) -> String {
    let mut shown = String::with_capacity(octets.len());
    for &octet in octets {
        match octet {
            b' '..=b'~' => shown.push(char::from(octet)),
            0 => shown.push_str("{nul}"),
            _ => shown.push_str(&format!("{{x{octet:02x}}}")),
        }
    }
    shown
}
