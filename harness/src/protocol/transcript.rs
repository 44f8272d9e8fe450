//! Every octet both ways, with times, and with passwords masked.
//!
//! Passwords that we send never get in: what [`Outgoing`] marks is left out when it is recorded. What the server
//! echoes is masked when the transcript is shown, on the whole of what it sent, since a read may cut a password in
//! two.

use std::ops::Range;
use std::time::Duration;

use super::outgoing::Outgoing;
use super::redaction::{Redactor, merge};
use super::transcript_text::{Mark, SERVER, Side, Text, passwords_in_challenges};

/// How many octets are kept in each direction.
pub const KEPT_OCTETS: usize = 64 * 1024;
/// How many characters of what octets mean are kept and shown.
const KEPT_MEANING: usize = 512;
/// How many marks are shown.
const MOST_MARKS: usize = 16;

/// A record of one conversation. Times are offsets from its beginning, given by whoever records.
#[derive(Clone, Default)]
pub struct Transcript {
    entries: Vec<Entry>,
    sent: Stream,
    received: Stream,
}

#[derive(Clone)]
struct Entry {
    at: Duration,
    event: Event,
}

#[derive(Clone)]
enum Event {
    /// These octets of the stream were sent, and this is what they mean.
    Sent(Range<usize>, Option<String>),
    /// These octets of the stream were received.
    Received(Range<usize>),
    Closed,
    NoAnswer(Duration),
    Remark(String),
}

/// What was sent, and what came back before something else was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn<'t> {
    /// The octets that were sent; one octet stands in the place of each password.
    pub sent: &'t [u8],
    /// When they were sent; before the greeting nothing was.
    pub sent_at: Option<Duration>,
    /// The octets that came back.
    pub received: &'t [u8],
    /// When the first of them came.
    pub answered_at: Option<Duration>,
    /// Whether the server closed the connection.
    pub is_closed: bool,
}

/// The octets of one direction.
#[derive(Clone, Default)]
struct Stream {
    octets: Vec<u8>,
    /// The octets that stand in the places of passwords.
    withheld: Vec<Range<usize>>,
    left_out: usize,
}

impl Transcript {
    /// A transcript without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records what was sent. The passwords in it are not kept.
    pub fn sent(&mut self, at: Duration, outgoing: &Outgoing) {
        let start = self.sent.octets.len();
        let mut next = 0;
        for secret in &outgoing.secrets {
            self.sent.push(outgoing.octets.get(next..secret.start).unwrap_or_default());
            self.sent.withhold(secret.len());
            next = secret.end;
        }
        self.sent.push(outgoing.octets.get(next..).unwrap_or_default());
        let kept = start..self.sent.octets.len();
        if !kept.is_empty() {
            let meaning = outgoing.meaning.as_ref().map(|meaning| meaning.chars().take(KEPT_MEANING).collect());
            self.entries.push(Entry { at, event: Event::Sent(kept, meaning) });
        }
    }

    /// Records what was received.
    pub fn received(&mut self, at: Duration, octets: &[u8]) {
        let start = self.received.octets.len();
        self.received.push(octets);
        let kept = start..self.received.octets.len();
        // A flood of reads beyond what is kept must not fill the memory with entries either.
        if !kept.is_empty() {
            self.entries.push(Entry { at, event: Event::Received(kept) });
        }
    }

    /// Records that the server closed the connection.
    pub fn closed(&mut self, at: Duration) {
        self.entries.push(Entry { at, event: Event::Closed });
    }

    /// Records that there was no answer for as long as `waited`.
    pub fn no_answer(&mut self, at: Duration, waited: Duration) {
        self.entries.push(Entry { at, event: Event::NoAnswer(waited) });
    }

    /// Records in words what is no octet of the conversation: a handshake, and what it came to.
    pub fn remark(&mut self, at: Duration, remark: String) {
        self.entries.push(Entry { at, event: Event::Remark(remark) });
    }

    /// When the last thing happened.
    pub fn duration(&self) -> Duration {
        self.entries.last().map_or(Duration::ZERO, |entry| entry.at)
    }

    /// How many octets were sent and received but not kept.
    pub fn left_out(&self) -> usize {
        self.sent.left_out + self.received.left_out
    }

    /// How many octets it takes in memory, about.
    pub fn size(&self) -> usize {
        self.sent.octets.len() + self.received.octets.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Keeps the first octets of each direction only, so many, and as many entries; the rest counts as left out.
    pub fn shorten(&mut self, kept: usize) {
        self.sent.shorten(kept);
        self.received.shorten(kept);
        let (sent, received) = (self.sent.octets.len(), self.received.octets.len());
        self.entries.retain_mut(|entry| match &mut entry.event {
            Event::Sent(range, _) => cut(range, sent),
            Event::Received(range) => cut(range, received),
            Event::Closed | Event::NoAnswer(_) | Event::Remark(_) => true,
        });
        self.entries.truncate(kept);
        self.entries.shrink_to_fit();
    }

    /// Whether nothing was sent and nothing came.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the octet at this index of what the server sent is part of a password.
    pub fn is_secret(&self, index: usize, redactor: &Redactor) -> bool {
        self.received.masks(redactor).iter().any(|mask| mask.contains(&index))
    }

    /// What was sent and what came back, turn by turn, as far as it was kept. The first turn is the greeting.
    pub fn turns(&self) -> Vec<Turn<'_>> {
        let mut turns = vec![Turn::default()];
        let mut last = (0..0, 0..0);
        for entry in &self.entries {
            if matches!(entry.event, Event::Sent(..)) && turns.last().is_some_and(Turn::is_over) {
                turns.push(Turn::default());
                last = (last.0.end..last.0.end, last.1.end..last.1.end);
            }
            let Some(turn) = turns.last_mut() else { continue };
            match &entry.event {
                Event::Sent(range, _) => {
                    last.0.end = range.end;
                    turn.sent = self.sent.octets.get(last.0.clone()).unwrap_or_default();
                    turn.sent_at = Some(entry.at);
                }
                Event::Received(range) => {
                    last.1.end = range.end;
                    turn.received = self.received.octets.get(last.1.clone()).unwrap_or_default();
                    turn.answered_at.get_or_insert(entry.at);
                }
                Event::Closed => turn.is_closed = true,
                Event::NoAnswer(_) | Event::Remark(_) => {}
            }
        }
        turns
    }

    /// The longest that an answer took, from the last octet sent to the first that came.
    pub fn slowest_answer(&self) -> Option<Duration> {
        self.turns().iter().filter_map(|turn| turn.answered_at?.checked_sub(turn.sent_at?)).max()
    }

    /// The transcript as text: `C:` and `S:` lines, octets other than printable ASCII made visible, passwords masked.
    pub fn render(&self, redactor: &Redactor) -> String {
        self.render_marked(redactor, &[])
    }

    /// The same, with a caret under each of these octets of the server's, and with what is in BASE64 decoded.
    pub fn render_marked(&self, redactor: &Redactor, marks: &[Mark]) -> String {
        let sent = Side { direction: "C: ", octets: &self.sent.octets, masks: self.sent.masks(redactor) };
        let received = Side { direction: SERVER, octets: &self.received.octets, masks: self.received.masks(redactor) };
        let mut marks: Vec<Mark> = marks.iter().take(MOST_MARKS).cloned().collect();
        marks.sort_by_key(|mark| mark.index);
        let mut text = Text::new(&marks);
        // Where a literal was announced the continuation is words (RFC 9051 §4.3), and no challenge.
        let mut literal_announced = false;
        for entry in &self.entries {
            match &entry.event {
                Event::Sent(range, meaning) => {
                    text.sent(&sent, range);
                    literal_announced =
                        self.sent.octets.get(range.clone()).is_some_and(|sent| sent.ends_with(b"}\r\n"));
                    if let Some(meaning) = meaning {
                        text.meaning(&redactor.redact_text(meaning).replace(char::is_control, "?"));
                    }
                }
                Event::Received(range) => text.received(&received, range, (!literal_announced).then_some(redactor)),
                Event::Remark(remark) => {
                    text.remark(&format!("[{}]", redactor.redact_text(remark)));
                }
                Event::Closed => text.remark("S: [closed]"),
                Event::NoAnswer(waited) => text.remark(&format!("[no answer for {:.1} s]", waited.as_secs_f64())),
            }
        }
        for (stream, direction) in [(&self.sent, "C: "), (&self.received, SERVER)] {
            if stream.left_out > 0 {
                text.remark(&format!("{direction}[{} more octets left out]", stream.left_out));
            }
        }
        text.finish()
    }
}

/// Cuts a range off at an index; tells whether anything is left of it.
fn cut(range: &mut Range<usize>, end: usize) -> bool {
    range.end = range.end.min(end);
    range.start < range.end
}

impl Turn<'_> {
    const fn is_over(&self) -> bool {
        self.answered_at.is_some() || self.is_closed || self.sent_at.is_none()
    }
}

impl std::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transcript({} entries)", self.entries.len())
    }
}

impl Stream {
    fn push(&mut self, octets: &[u8]) {
        let room = KEPT_OCTETS - self.octets.len();
        let kept = octets.get(..room).unwrap_or(octets);
        self.octets.extend_from_slice(kept);
        self.left_out += octets.len() - kept.len();
    }

    fn shorten(&mut self, kept: usize) {
        if self.octets.len() > kept {
            self.left_out += self.octets.len() - kept;
            self.octets.truncate(kept);
            self.octets.shrink_to_fit();
            self.withheld.retain(|withheld| withheld.end <= kept);
        }
    }

    /// Leaves a password out. One octet takes its place, so that it has one in the order of things.
    fn withhold(&mut self, length: usize) {
        let at = self.octets.len();
        if at < KEPT_OCTETS {
            self.octets.push(0);
            self.withheld.push(at..at + 1);
        } else {
            self.left_out += length;
        }
    }

    /// Everything to mask, in order and without overlap.
    fn masks(&self, redactor: &Redactor) -> Vec<Range<usize>> {
        let mut found = redactor.find(&self.octets);
        found.extend(passwords_in_challenges(&self.octets, redactor));
        if self.left_out > 0
            && let Some(start) = redactor.find_cut_off(&self.octets)
        {
            found.push(start..self.octets.len());
        }
        found.extend(self.withheld.iter().cloned());
        found.sort_by_key(|mask| mask.start);
        let mut masks = Vec::with_capacity(found.len());
        for mask in found {
            merge(&mut masks, mask);
        }
        masks
    }
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
