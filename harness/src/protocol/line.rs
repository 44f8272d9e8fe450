//! Cuts the server's octets into lines, and for IMAP into whole responses with their literals.
//!
//! How the octets were cut into reads makes no difference. Sizes are bounded, and a bound that is passed is a
//! deviation of the server.

use std::ops::Range;

use super::code::split_word;
use super::outcome::{Deviation, Deviations};
use crate::axes::Protocol;

/// The longest line, its ending included. RFC 2683 §3.2.1.5 asks for 8000 octets, RFC 1939 §3 for 512.
pub const LINE_LIMIT: usize = 64 * 1024;
/// The longest literal. What is asked for is one header field.
pub const LITERAL_LIMIT: usize = 1024 * 1024;
/// The most that a server may send in one session.
pub const TOTAL_LIMIT: usize = 4 * 1024 * 1024;

const LINE_TOO_LONG: &str = "a line has at most 65536 octets (our bound; RFC 2683 §3.2.1.5, RFC 1939 §3)";
const LITERAL_TOO_LONG: &str = "a literal has at most 1048576 octets (our bound; RFC 9051 §4.3)";
const TOO_MUCH: &str = "a login takes at most 4194304 octets of answers (our bound)";
const NUL_IN_LINE: &str = "a line holds no NUL (RFC 9051 §9, RFC 1939 §3)";
const BARE_LF: &str = "a line ends in CR LF (RFC 9051 §2.2, RFC 1939 §3)";

/// One line, or one whole IMAP response.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The octets without the final line ending. Literals stand in it as they came: `{n}`, line ending, octets.
    pub octets: &'a [u8],
    /// Where the literals' octets are.
    pub literals: Vec<Range<usize>>,
    /// The index of the first octet in everything that the server sent.
    pub index: usize,
}

impl Frame<'_> {
    /// The deviation that the octet at `at` in this frame is.
    pub fn deviation(&self, rule: &'static str, at: usize) -> Deviation {
        Deviation { rule, octet: self.octets.get(at).copied(), index: self.index + at }
    }
}

/// Collects octets and gives out frames.
#[derive(Clone)]
pub struct Framer {
    protocol: Protocol,
    buffer: Vec<u8>,
    /// The index of `buffer`'s first octet in everything that the server sent.
    base: usize,
    /// Where in `buffer` the frame begins that comes next.
    start: usize,
    /// Where in `buffer` that frame's last known line begins: after the last literal announced, if any.
    line: usize,
    /// Up to where in `buffer` that line was searched for its end.
    searched: usize,
    literals: Vec<Range<usize>>,
    received: usize,
    overflown: bool,
}

impl Framer {
    /// A framer that has seen nothing yet.
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            buffer: Vec::new(),
            base: 0,
            start: 0,
            line: 0,
            searched: 0,
            literals: Vec::new(),
            received: 0,
            overflown: false,
        }
    }

    /// Takes octets in. What goes beyond [`TOTAL_LIMIT`] is dropped, and told when it would be needed.
    pub fn push(&mut self, octets: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.base += self.start;
            self.line -= self.start;
            self.searched -= self.start;
            self.start = 0;
        }
        let room = TOTAL_LIMIT - self.received;
        self.overflown |= octets.len() > room;
        let taken = octets.get(..room).unwrap_or(octets);
        self.buffer.extend_from_slice(taken);
        self.received += taken.len();
    }

    /// Drops what has come and was not given out yet; tells where it began and with which octet.
    pub fn discard(&mut self) -> Option<(usize, u8)> {
        let at = self.base + self.start;
        let first = self.buffer.get(self.start).copied();
        self.base += self.buffer.len();
        self.buffer.clear();
        self.literals.clear();
        (self.start, self.line, self.searched) = (0, 0, 0);
        first.map(|octet| (at, octet))
    }

    /// The next whole frame, or nothing until more octets come.
    pub fn next(&mut self, deviations: &mut Deviations) -> Result<Option<Frame<'_>>, Deviation> {
        loop {
            let Some(line_feed) = self.find_line_end()? else {
                return if self.overflown {
                    Err(Deviation { rule: TOO_MUCH, octet: None, index: TOTAL_LIMIT })
                } else {
                    Ok(None)
                };
            };
            let text_end = if line_feed > self.line && self.buffer.get(line_feed - 1) == Some(&b'\r') {
                line_feed - 1
            } else {
                deviations.note(Deviation { rule: BARE_LF, octet: Some(b'\n'), index: self.base + line_feed });
                line_feed
            };
            let after = line_feed + 1;
            let text = self.buffer.get(self.line..text_end).unwrap_or_default();
            if let Some(announced) = self.announced_literal(text) {
                if announced.size > LITERAL_LIMIT {
                    let index = self.base + self.line + announced.brace;
                    return Err(Deviation { rule: LITERAL_TOO_LONG, octet: Some(b'{'), index });
                }
                self.literals.push(after - self.start..after - self.start + announced.size);
                self.line = after + announced.size;
                self.searched = self.line;
                continue;
            }
            let frame = self.start..text_end;
            let index = self.base + self.start;
            (self.start, self.line, self.searched) = (after, after, after);
            let literals = std::mem::take(&mut self.literals);
            return Ok(Some(Frame { octets: self.buffer.get(frame).unwrap_or_default(), literals, index }));
        }
    }

    /// Where the current line's LF is, as far as it has come.
    fn find_line_end(&mut self) -> Result<Option<usize>, Deviation> {
        let limit = self.line + LINE_LIMIT;
        let until = self.buffer.len().min(limit);
        // While a literal is on its way the line begins beyond what has come, and there is nothing to search.
        let Some(fresh) = self.buffer.get(self.searched..until) else {
            return Ok(None);
        };
        match fresh.iter().position(|octet| matches!(octet, b'\n' | 0)) {
            Some(offset) if fresh.get(offset) == Some(&0) => {
                let index = self.base + self.searched + offset;
                Err(Deviation { rule: NUL_IN_LINE, octet: Some(0), index })
            }
            Some(offset) => Ok(Some(self.searched + offset)),
            None if until == limit => Err(Deviation { rule: LINE_TOO_LONG, octet: None, index: self.base + limit }),
            None => {
                self.searched = until;
                Ok(None)
            }
        }
    }

    /// The literal that the current line announces at its end.
    ///
    /// Only untagged data has literals. The text of a status response, a tagged one or a continuation is free
    /// (RFC 9051 §9, `resp-text`) and may well end in `{3}`: servers quote names and passwords in it.
    fn announced_literal(&self, text: &[u8]) -> Option<Announced> {
        if self.protocol != Protocol::Imap || text.last() != Some(&b'}') {
            return None;
        }
        if self.literals.is_empty() {
            let (condition, _) = split_word(text.strip_prefix(b"* ")?);
            if [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"].iter().any(|c| condition.eq_ignore_ascii_case(c)) {
                return None;
            }
        }
        let brace = text.iter().rposition(|octet| *octet == b'{')?;
        let digits = text.get(brace + 1..text.len() - 1)?;
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        // A number too large for the type is too large for us in any case.
        let size = std::str::from_utf8(digits).ok()?.parse().unwrap_or(usize::MAX);
        Some(Announced { brace, size })
    }
}

/// `{n}` at the end of a line.
struct Announced {
    /// Where in the line the brace is.
    brace: usize,
    size: usize,
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
