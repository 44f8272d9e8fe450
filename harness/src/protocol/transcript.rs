//! Every octet both ways, with times, and with passwords masked.
//!
//! Passwords that we send never get in: what [`Outgoing`] marks is left out when it is recorded. What the server
//! echoes is masked when the transcript is shown, on the whole of what it sent, since a read may cut a password in
//! two.

use std::ops::Range;
use std::time::Duration;

use super::outgoing::{Outgoing, PLACEHOLDER};
use super::redaction::{Redactor, merge};

/// How many octets are kept in each direction.
pub const KEPT_OCTETS: usize = 64 * 1024;

/// A record of one conversation. Times are offsets from its beginning, given by whoever records.
#[derive(Default)]
pub struct Transcript {
    entries: Vec<Entry>,
    sent: Stream,
    received: Stream,
}

struct Entry {
    at: Duration,
    event: Event,
}

enum Event {
    /// These octets of the stream were sent.
    Sent(Range<usize>),
    /// These octets of the stream were received.
    Received(Range<usize>),
    Closed,
    NoAnswer(Duration),
    Remark(String),
}

/// The octets of one direction.
#[derive(Default)]
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
            self.entries.push(Entry { at, event: Event::Sent(kept) });
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

    /// The transcript as text: `C:` and `S:` lines, octets other than printable ASCII made visible, passwords masked.
    pub fn render(&self, redactor: &Redactor) -> String {
        let sent = self.sent.masks(redactor);
        let received = self.received.masks(redactor);
        let mut text = Text::default();
        for entry in &self.entries {
            match &entry.event {
                Event::Sent(range) => text.octets("C: ", &self.sent.octets, range, &sent),
                Event::Received(range) => text.octets("S: ", &self.received.octets, range, &received),
                Event::Remark(remark) => {
                    text.remark(&format!("[{}]", redactor.redact_text(remark)));
                }
                Event::Closed => text.remark("S: [closed]"),
                Event::NoAnswer(waited) => text.remark(&format!("[no answer for {:.1} s]", waited.as_secs_f64())),
            }
        }
        for (stream, direction) in [(&self.sent, "C: "), (&self.received, "S: ")] {
            if stream.left_out > 0 {
                text.remark(&format!("{direction}[{} more octets left out]", stream.left_out));
            }
        }
        text.finish()
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

/// Text in the making.
#[derive(Default)]
struct Text {
    text: String,
    /// The direction of the line that is not yet ended.
    open: Option<&'static str>,
    /// Whether a CR came last and waits for its LF.
    carriage_return: bool,
}

impl Text {
    /// Shows one entry's part of a stream. A mask that spans entries is shown where it begins.
    fn octets(&mut self, direction: &'static str, octets: &[u8], range: &Range<usize>, masks: &[Range<usize>]) {
        if self.open != Some(direction) {
            self.end_line();
        }
        let first = masks.partition_point(|mask| mask.end <= range.start);
        let mut masks = masks.get(first..).unwrap_or_default().iter().peekable();
        for (at, &octet) in octets.iter().enumerate().take(range.end).skip(range.start) {
            while masks.next_if(|mask| mask.end <= at).is_some() {}
            match masks.peek() {
                Some(mask) if mask.start == at => self.placeholder(direction),
                Some(mask) if mask.contains(&at) => {}
                _ => self.octet(direction, octet),
            }
        }
    }

    fn placeholder(&mut self, direction: &'static str) {
        self.begin_line(direction);
        self.flush_carriage_return();
        self.text.push_str(PLACEHOLDER);
    }

    fn octet(&mut self, direction: &'static str, octet: u8) {
        self.begin_line(direction);
        if octet == b'\n' && self.carriage_return {
            self.carriage_return = false;
            self.end_line();
            return;
        }
        self.flush_carriage_return();
        match octet {
            b'\r' => self.carriage_return = true,
            b'\n' => {
                self.text.push_str("\\n");
                self.end_line();
            }
            b' '..=b'~' => self.text.push(char::from(octet)),
            _ => self.text.push_str(&format!("\\x{octet:02x}")),
        }
    }

    fn begin_line(&mut self, direction: &'static str) {
        if self.open.is_none() {
            self.text.push_str(direction);
            self.open = Some(direction);
        }
    }

    fn end_line(&mut self) {
        self.flush_carriage_return();
        if self.open.take().is_some() {
            self.text.push('\n');
        }
    }

    fn flush_carriage_return(&mut self) {
        if std::mem::take(&mut self.carriage_return) {
            self.text.push_str("\\r");
        }
    }

    fn remark(&mut self, remark: &str) {
        self.end_line();
        self.text.push_str(remark);
        self.text.push('\n');
    }

    fn finish(mut self) -> String {
        self.end_line();
        self.text
    }
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
