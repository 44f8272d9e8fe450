//! A conversation that follows a script: octets to send, lines to expect.

use super::code::split_word;
use super::imap::response::{Condition, Response, parse};
use super::line::Frame;
use super::outcome::{Outcome, Reply, Stage};
use super::outgoing::Outgoing;
use super::step::Step;
use crate::axes::Protocol;

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogueStep {
    /// Send this.
    Send(Outgoing),
    /// Wait until the server does one of these.
    Expect(Vec<Expected>),
    /// Begin TLS.
    StartTls {
        /// Whether the handshake may fail; the dialogue is followed then, and over.
        or_fails: bool,
    },
}

/// What a server may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Send a line that begins with words such as these. Further words are allowed.
    Line {
        /// A pattern for each of the line's first words.
        words: Vec<WordPattern>,
    },
    /// Close the connection.
    Closed,
}

/// One word of a line: any of these octet strings, compared without regard to the case of ASCII letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordPattern(pub Vec<Vec<u8>>);

/// The machine of one dialogue.
pub(crate) struct Dialogue {
    protocol: Protocol,
    steps: Vec<DialogueStep>,
    at: usize,
    /// An untagged `BYE` that the script does not mention and that nothing has followed yet.
    farewell: Option<Reply>,
}

impl Expected {
    /// Whether `line`, without its ending, is what is expected.
    pub fn matches_line(&self, line: &[u8]) -> bool {
        let Self::Line { words } = self else { return false };
        let mut found = line.split(|octet| *octet == b' ');
        words.iter().all(|pattern| found.next().is_some_and(|word| pattern.matches(word)))
    }

    /// Whether only an untagged IMAP response can be meant.
    fn is_untagged(&self) -> bool {
        let Self::Line { words } = self else { return false };
        words.first().is_some_and(|pattern| pattern.0.iter().all(|word| word == b"*"))
    }
}

impl WordPattern {
    /// Whether `word` is one of the alternatives.
    pub fn matches(&self, word: &[u8]) -> bool {
        self.0.iter().any(|alternative| alternative.eq_ignore_ascii_case(word))
    }
}

impl Dialogue {
    pub(crate) fn new(protocol: Protocol, steps: Vec<DialogueStep>) -> Self {
        Self { protocol, steps, at: 0, farewell: None }
    }

    /// The step that is next, as an index.
    pub(crate) const fn next_step(&self) -> usize {
        self.at
    }

    /// What is to be done before the server has to say something.
    pub(crate) fn advance(&mut self) -> Option<Step> {
        match self.steps.get_mut(self.at) {
            None => Some(Step::Finish(Outcome::Followed)),
            Some(DialogueStep::Expect(_)) => None,
            Some(DialogueStep::StartTls { .. }) => Some(Step::StartTls),
            Some(DialogueStep::Send(outgoing)) => {
                self.at += 1;
                Some(Step::Send(std::mem::take(outgoing)))
            }
        }
    }

    /// TLS stands: the step that began it is done.
    pub(crate) fn secured(&mut self) {
        self.at += 1;
        self.farewell = None;
    }

    /// What it comes to where the handshake of this step fails.
    pub(crate) fn tls_failed(&mut self, reason: String) -> Outcome {
        match self.steps.get(self.at) {
            Some(DialogueStep::StartTls { or_fails: true }) => {
                self.at = self.steps.len();
                Outcome::Followed
            }
            _ => Outcome::TlsFailed(reason),
        }
    }

    pub(crate) fn receive(&mut self, frame: &Frame<'_>) -> Step {
        self.farewell = None;
        let expected = self.expected();
        if expected.iter().any(|expected| expected.matches_line(frame.octets)) {
            self.at += 1;
            return Step::Wait;
        }
        // Untagged responses may come at any time (RFC 9051 §7), so while something else is due they do no harm.
        let is_untagged = self.protocol == Protocol::Imap && split_word(frame.octets).0 == b"*";
        if is_untagged && !expected.iter().all(Expected::is_untagged) {
            if let Ok(Response::Status(Condition::Bye, text)) = parse(frame) {
                self.farewell = Some(Reply::from_text(text));
            }
            return Step::Wait;
        }
        Step::Finish(Outcome::Diverged { step: self.at, got: frame.octets.to_vec(), index: frame.index })
    }

    pub(crate) fn closed(&mut self) -> Step {
        if self.expected().contains(&Expected::Closed) {
            self.at += 1;
            return Step::Wait;
        }
        Step::Finish(Outcome::Closed { stage: Stage::Dialogue, farewell: self.farewell.take() })
    }

    fn expected(&self) -> &[Expected] {
        match self.steps.get(self.at) {
            Some(DialogueStep::Expect(expected)) => expected,
            _ => &[],
        }
    }
}

#[cfg(test)]
#[path = "dialogue_tests.rs"]
mod tests;
