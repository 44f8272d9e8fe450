//! What comes after an IMAP login: the mailbox is opened, the canary in it is looked for, and where that was asked for
//! one is delivered.
//!
//! Without a delivery it is read-only throughout: `EXAMINE` and `BODY.PEEK` change nothing on the server.

use super::response::{Condition, Response, header_fields};
use crate::protocol::canary::canary_mailbox;
use crate::protocol::code::{split_code, split_word};
use crate::protocol::line::Frame;
use crate::protocol::outcome::{Outcome, Proof, Reply, Stage};
use crate::protocol::outgoing::Outgoing;

/// How many messages are searched for the canary at each end of the mailbox: one that came with the mailbox is among
/// the first, one that was delivered later among the last.
const SEARCHED_AT_EACH_END: u32 = 8;

/// The machine of one open mailbox.
#[derive(Default)]
pub(super) struct Mailbox {
    awaiting: Awaiting,
    messages: u32,
    /// What the server says of the mailbox's `UIDVALIDITY`.
    fingerprint: Option<Vec<u8>>,
    canary: Option<Vec<u8>>,
    /// The message that is delivered where there is no canary.
    delivery: Option<Vec<u8>>,
}

/// Whose answer is due.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Awaiting {
    /// `EXAMINE` or `SELECT`.
    #[default]
    Open,
    Fetch,
    /// `APPEND`, as long as the message waits for a continuation.
    Append,
    /// `APPEND`, the message and all.
    Appended,
}

/// What comes after a command's end.
pub(super) enum Next {
    Command(String),
    Conclude(Outcome),
    /// The command has ended before its end.
    TooEarly,
}

impl Mailbox {
    /// Delivers this message, where there is no canary.
    pub(super) fn deliver(&mut self, message: Vec<u8>) {
        self.delivery = Some(message);
    }

    /// The command that opens the mailbox. What was said of messages before it is no word about this mailbox.
    pub(super) const fn open(&mut self) -> &'static str {
        self.messages = 0;
        if self.delivery.is_some() { "SELECT INBOX" } else { "EXAMINE INBOX" }
    }

    pub(super) const fn is_opening(&self) -> bool {
        matches!(self.awaiting, Awaiting::Open)
    }

    pub(super) const fn stage(&self) -> Stage {
        match self.awaiting {
            Awaiting::Open => Stage::Open,
            Awaiting::Fetch => Stage::Canary,
            Awaiting::Append | Awaiting::Appended => Stage::Delivery,
        }
    }

    /// Takes an untagged response in.
    pub(super) fn hear(&mut self, frame: &Frame<'_>, response: &Response<'_>) {
        match (self.awaiting, response) {
            (Awaiting::Open, Response::Exists(messages)) => self.messages = *messages,
            (Awaiting::Open, Response::Status(Condition::Ok, text)) => {
                self.fingerprint = uid_validity(text).or(self.fingerprint.take());
            }
            (Awaiting::Fetch, Response::Fetch) if self.canary.is_none() => {
                self.canary = header_fields(frame).and_then(|header| canary_mailbox(&header));
            }
            _ => {}
        }
    }

    /// Takes the end of a command in.
    pub(super) fn tagged(&mut self, condition: Condition, text: &[u8]) -> Next {
        match (self.awaiting, condition) {
            (Awaiting::Open, Condition::Ok) if self.messages > 0 => {
                self.awaiting = Awaiting::Fetch;
                let messages = searched(self.messages);
                Next::Command(format!("FETCH {messages} (BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)])"))
            }
            (Awaiting::Open, Condition::Ok) => self.opened(),
            (Awaiting::Open, _) => Next::Conclude(Outcome::Unbound(Reply::from_text(text))),
            // Where nobody can look whether there is a canary, none is delivered.
            (Awaiting::Fetch, refusal) if refusal != Condition::Ok && self.delivery.is_some() => {
                Next::Conclude(Outcome::Undelivered(Reply::from_text(text)))
            }
            (Awaiting::Fetch, _) => self.opened(),
            (Awaiting::Append, Condition::Ok) => Next::TooEarly,
            (Awaiting::Appended, Condition::Ok) => Next::Conclude(Outcome::Delivered),
            (Awaiting::Append | Awaiting::Appended, _) => Next::Conclude(Outcome::Undelivered(Reply::from_text(text))),
        }
    }

    /// The message, where that is what the server waits for.
    pub(super) fn continuation(&mut self) -> Option<Outgoing> {
        if self.awaiting != Awaiting::Append {
            return None;
        }
        let mut outgoing = Outgoing::plain(self.delivery.take()?);
        outgoing.push(b"\r\n");
        self.awaiting = Awaiting::Appended;
        Some(outgoing)
    }

    fn opened(&mut self) -> Next {
        if let (None, Some(message)) = (&self.canary, &self.delivery) {
            self.awaiting = Awaiting::Append;
            return Next::Command(format!("APPEND INBOX (\\Seen) {{{}}}", message.len()));
        }
        let mailbox = self.canary.take();
        let proof = match (&mailbox, self.fingerprint.take()) {
            (Some(_), _) => Proof::Canary,
            (None, Some(fingerprint)) => Proof::Fingerprint(fingerprint),
            (None, None) => Proof::None,
        };
        Next::Conclude(Outcome::Opened { mailbox, proof })
    }
}

/// The messages that are searched, as a sequence set: all of a few, else those at both ends.
fn searched(messages: u32) -> String {
    if messages <= 2 * SEARCHED_AT_EACH_END {
        return format!("1:{messages}");
    }
    format!("1:{SEARCHED_AT_EACH_END},{}:{messages}", messages - SEARCHED_AT_EACH_END + 1)
}

/// `UIDVALIDITY n`, where a status text begins with it in brackets (RFC 9051 §7.1): it stays while the mailbox does.
fn uid_validity(text: &[u8]) -> Option<Vec<u8>> {
    let (name, number) = split_word(split_code(text).0?);
    let is_number = !number.is_empty() && number.len() <= 10 && number.iter().all(u8::is_ascii_digit);
    (name.eq_ignore_ascii_case(b"UIDVALIDITY") && is_number).then(|| [b"UIDVALIDITY ", number].concat())
}

#[cfg(test)]
#[path = "mailbox_tests.rs"]
mod tests;
