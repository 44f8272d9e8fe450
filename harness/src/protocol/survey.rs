//! Asks a server what it can do, without logging in: IMAP's `CAPABILITY` (RFC 9051 §6.1.1), POP3's `CAPA`
//! (RFC 2449 §5).
//!
//! A survey believes what it is told: that a server lies is for the cases to find out. What cannot be a capability is
//! left out, and so is what goes beyond the first few hundred words.

use super::capability_words::CapabilityWords;
use super::imap::command;
use super::imap::response::{self as imap, Condition};
use super::line::Frame;
use super::outcome::{Deviation, Deviations, Outcome, Reply, Stage};
use super::outgoing::Outgoing;
use super::pop3::response::{self as pop3, multi_line};
use super::step::Step;
use crate::axes::{Protocol, Security};

const GREETING: &str = "the greeting is an untagged OK, PREAUTH or BYE (RFC 9051 §7.1), or +OK (RFC 1939 §4)";
const NO_CONTINUATION_DUE: &str = "nothing waits for a continuation (RFC 9051 §7.6, RFC 5034 §4)";
const TAG: &str = "a tagged response bears the tag of the command that it ends (RFC 9051 §2.2.1, §7)";

/// The tags of the two commands that IMAP takes.
const ASKING: &str = "a1";
const LEAVING: &str = "a2";

/// The machine of one survey.
pub(crate) struct SurveyMachine {
    protocol: Protocol,
    security: Security,
    awaiting: Awaiting,
    words: CapabilityWords,
    farewell: Option<Reply>,
}

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    Greeting,
    Answer,
    Lines,
}

impl SurveyMachine {
    pub(crate) fn new(protocol: Protocol, security: Security) -> Self {
        let words = CapabilityWords::default();
        Self { protocol, security, awaiting: Awaiting::Greeting, words, farewell: None }
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.awaiting {
            Awaiting::Greeting => Stage::Greeting,
            Awaiting::Answer | Awaiting::Lines => Stage::Capabilities,
        }
    }

    pub(crate) fn receive(&mut self, frame: &Frame<'_>, deviations: &mut Deviations) -> Result<Step, Deviation> {
        match self.protocol {
            Protocol::Imap => self.receive_imap(frame),
            Protocol::Pop3 if self.awaiting == Awaiting::Lines => Ok(self.line(frame)),
            Protocol::Pop3 => self.receive_pop3(frame, deviations),
        }
    }

    /// What it comes to where the server closes now.
    pub(crate) fn closed(&mut self) -> Outcome {
        Outcome::Closed { stage: self.stage(), farewell: self.farewell.take() }
    }

    /// Whether `frame` is the answer to `LOGOUT` or `QUIT`.
    pub(crate) fn is_goodbye(&self, frame: &Frame<'_>) -> bool {
        self.protocol == Protocol::Pop3
            || matches!(imap::parse(frame), Ok(imap::Response::Tagged { tag, .. }) if tag == LEAVING.as_bytes())
    }

    fn receive_imap(&mut self, frame: &Frame<'_>) -> Result<Step, Deviation> {
        let response = imap::parse(frame)?;
        if self.awaiting == Awaiting::Greeting {
            return match response {
                imap::Response::Status(Condition::Ok | Condition::Preauth, text) => {
                    // A server that does not answer CAPABILITY may have said it in its greeting. What a greeting said
                    // before STARTTLS anybody may have said (RFC 9051 §6.2.1).
                    if self.security != Security::Starttls {
                        self.words.take_code(text);
                    }
                    self.awaiting = Awaiting::Answer;
                    Ok(Step::Send(command::simple(ASKING, "CAPABILITY")))
                }
                imap::Response::Status(Condition::Bye, text) => {
                    Ok(Step::Finish(Outcome::Closed { stage: Stage::Greeting, farewell: Some(Reply::from_text(text)) }))
                }
                _ => Err(frame.deviation(GREETING, 0)),
            };
        }
        match response {
            imap::Response::Capability(words) => self.words.take_anew(words),
            imap::Response::Tagged { tag, text, .. } if tag == ASKING.as_bytes() => {
                self.words.take_code(text);
                return Ok(self.conclude());
            }
            imap::Response::Tagged { .. } => return Err(frame.deviation(TAG, 0)),
            imap::Response::Continuation(_) => return Err(frame.deviation(NO_CONTINUATION_DUE, 0)),
            imap::Response::Status(Condition::Bye, text) => self.farewell = Some(Reply::from_text(text)),
            _ => {}
        }
        Ok(Step::Wait)
    }

    fn receive_pop3(&mut self, frame: &Frame<'_>, deviations: &mut Deviations) -> Result<Step, Deviation> {
        match (self.awaiting, pop3::parse(frame, deviations)?) {
            (Awaiting::Greeting, pop3::Response::Ok(text)) => {
                if holds_timestamp(text) {
                    self.words.take(b"APOP");
                }
                self.awaiting = Awaiting::Answer;
                Ok(Step::Send(Outgoing::plain("CAPA\r\n")))
            }
            (Awaiting::Greeting, pop3::Response::Err(reply)) => {
                Ok(Step::Finish(Outcome::Closed { stage: Stage::Greeting, farewell: Some(reply) }))
            }
            (Awaiting::Greeting, pop3::Response::Continuation(_)) => Err(frame.deviation(GREETING, 0)),
            (_, pop3::Response::Continuation(_)) => Err(frame.deviation(NO_CONTINUATION_DUE, 0)),
            (_, pop3::Response::Ok(_)) => {
                self.awaiting = Awaiting::Lines;
                Ok(Step::Wait)
            }
            // A server older than RFC 2449, or one that does not want to say.
            (_, pop3::Response::Err(_)) => Ok(self.conclude()),
        }
    }

    /// One line of the answer to `CAPA`.
    fn line(&mut self, frame: &Frame<'_>) -> Step {
        let Some(line) = multi_line(frame) else { return self.conclude() };
        self.words.take_capa_line(line);
        Step::Wait
    }

    fn conclude(&mut self) -> Step {
        let goodbye = match self.protocol {
            Protocol::Imap => command::simple(LEAVING, "LOGOUT"),
            Protocol::Pop3 => Outgoing::plain("QUIT\r\n"),
        };
        Step::Conclude { outcome: Outcome::Surveyed(std::mem::take(&mut self.words).into_words()), goodbye }
    }
}

/// Whether a greeting holds a timestamp, which says that the server takes `APOP` (RFC 1939 §7): a `msg-id`.
fn holds_timestamp(text: &[u8]) -> bool {
    let Some(start) = text.iter().position(|octet| *octet == b'<') else { return false };
    let inner = text.get(start + 1..).unwrap_or_default();
    let end = inner.iter().position(|octet| *octet == b'>');
    end.and_then(|end| inner.get(..end)).is_some_and(|inner| inner.contains(&b'@') && !inner.contains(&b' '))
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
