//! A conversation that follows a script: octets to send, lines to expect.

use super::code::split_word;
use super::expected::any;
pub use super::expected::{Expected, Word, WordPattern};
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
    /// Pass over lines until one comes that the next step expects.
    PassOver {
        /// None of these lines holds any of these words.
        without: Vec<Word>,
    },
    /// Begin TLS here.
    StartTls {
        /// Whether a handshake that fails, or the end of the connection, will do as well.
        or_fails: bool,
    },
}

/// The machine of one dialogue.
pub(crate) struct Dialogue {
    protocol: Protocol,
    steps: Vec<DialogueStep>,
    at: usize,
    /// An untagged `BYE` that the script does not mention and that nothing has followed yet.
    farewell: Option<Reply>,
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
            Some(DialogueStep::Expect(_) | DialogueStep::PassOver { .. }) => None,
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
        let is_met = |expected: &Expected| {
            let bears_its_tag = self.protocol == Protocol::Pop3 || expected.bears_its_tag(frame.octets);
            bears_its_tag && expected.matches_line(frame.octets)
        };
        if expected.iter().any(is_met) {
            self.at += self.passed_over();
            return Step::Wait;
        }
        if let Some(DialogueStep::PassOver { without }) = self.steps.get(self.at)
            && !frame.octets.split(|octet| *octet == b' ').any(|word| any(without, word))
        {
            return Step::Wait;
        }
        // Untagged responses may come at any time (RFC 9051 §7), so while something else is due they do no harm.
        let is_untagged = self.protocol == Protocol::Imap && split_word(frame.octets).0 == b"*";
        let is_passing = matches!(self.steps.get(self.at), Some(DialogueStep::PassOver { .. }));
        if is_untagged && !is_passing && !expected.iter().all(Expected::is_untagged) {
            if let Ok(Response::Status(Condition::Bye, text)) = parse(frame) {
                self.farewell = Some(Reply::from_text(text));
            }
            return Step::Wait;
        }
        Step::Finish(Outcome::Diverged { step: self.at, got: frame.octets.to_vec(), index: frame.index })
    }

    pub(crate) fn closed(&mut self) -> Step {
        if self.expected().contains(&Expected::Closed) {
            self.at += self.passed_over();
            return Step::Wait;
        }
        Step::Finish(Outcome::Closed { stage: Stage::Dialogue, farewell: self.farewell.take() })
    }

    /// What would take the script on: what this step expects, or the next where this one passes over lines.
    fn expected(&self) -> &[Expected] {
        let step = match self.steps.get(self.at) {
            Some(DialogueStep::PassOver { .. }) => self.steps.get(self.at + 1),
            step => step,
        };
        match step {
            Some(DialogueStep::Expect(expected)) => expected,
            _ => &[],
        }
    }

    /// How many steps are done with what was expected.
    fn passed_over(&self) -> usize {
        if matches!(self.steps.get(self.at), Some(DialogueStep::PassOver { .. })) { 2 } else { 1 }
    }
}

#[cfg(test)]
#[path = "dialogue_tests.rs"]
mod tests;
