//! What comes before a login or a dialogue that wants TLS by `STARTTLS` or `STLS` (RFC 9051 §6.2.1, RFC 2595 §4): the
//! greeting, the command, and the answer to it.

use super::code::split_code;
use super::imap;
use super::imap::response::Condition;
use super::line::Frame;
use super::outcome::{Deviation, Deviations, Outcome, Reply, Stage};
use super::outgoing::Outgoing;
use super::pop3;
use super::step::Step;
use crate::axes::Protocol;

const IMAP_GREETING: &str = "the greeting is an untagged OK, PREAUTH or BYE (RFC 9051 §7.1)";
const POP3_GREETING: &str = "the greeting is +OK (RFC 1939 §4)";
const TAG: &str = "a tagged response bears the tag of the command that it ends (RFC 9051 §2.2.1, §7)";
const NO_CONTINUATION_DUE: &str = "STARTTLS and STLS are not answered by a continuation (RFC 9051 §6.2.1, RFC 2595 §4)";

/// The tags are none that a login uses: those begin with `a`.
const STARTTLS_TAG: &str = "t1";
const LOGOUT_TAG: &str = "t2";

/// The machine that asks for TLS.
pub(crate) struct Prelude {
    protocol: Protocol,
    greeting: Option<Greeting>,
    farewell: Option<Reply>,
}

/// A greeting that was kept for whoever goes on within TLS.
pub(crate) struct Greeting {
    octets: Vec<u8>,
    index: usize,
}

impl Greeting {
    /// The greeting as it came, but for what must be forgotten.
    pub(crate) fn frame(&self) -> Frame<'_> {
        Frame { octets: &self.octets, literals: Vec::new(), index: self.index }
    }
}

impl Prelude {
    pub(crate) const fn new(protocol: Protocol) -> Self {
        Self { protocol, greeting: None, farewell: None }
    }

    pub(crate) const fn stage(&self) -> Stage {
        if self.greeting.is_none() { Stage::Greeting } else { Stage::Tls }
    }

    pub(crate) fn receive(&mut self, frame: &Frame<'_>, deviations: &mut Deviations) -> Result<Step, Deviation> {
        match self.protocol {
            Protocol::Imap => self.receive_imap(frame),
            Protocol::Pop3 => self.receive_pop3(frame, deviations),
        }
    }

    /// What it comes to where the server closes now.
    pub(crate) fn closed(&mut self) -> Outcome {
        Outcome::Closed { stage: self.stage(), farewell: self.farewell.take() }
    }

    /// Whether `frame` is the answer to the goodbye.
    pub(crate) fn is_goodbye(&self, frame: &Frame<'_>) -> bool {
        use imap::response::{Response, parse};
        match self.protocol {
            Protocol::Imap => {
                matches!(parse(frame), Ok(Response::Tagged { tag, .. }) if tag == LOGOUT_TAG.as_bytes())
            }
            Protocol::Pop3 => true,
        }
    }

    /// The greeting, for whoever goes on within TLS.
    pub(crate) fn into_greeting(self) -> Option<Greeting> {
        self.greeting
    }

    fn receive_imap(&mut self, frame: &Frame<'_>) -> Result<Step, Deviation> {
        use imap::response::{Response, parse};
        let response = parse(frame)?;
        if self.greeting.is_none() {
            return match response {
                Response::Status(Condition::Ok, text) => Ok(self.ask(forgetting_capabilities(frame, text))),
                // Whoever sits in the middle may have sent it to keep the connection in plaintext (RFC 9051 §7.1.4).
                Response::Status(Condition::Preauth, _) => Ok(self.not_offered(" (PREAUTH greeting)")),
                Response::Status(Condition::Bye, text) => {
                    Ok(Step::Finish(Outcome::Closed { stage: Stage::Greeting, farewell: Some(Reply::from_text(text)) }))
                }
                _ => Err(frame.deviation(IMAP_GREETING, 0)),
            };
        }
        match response {
            Response::Tagged { tag, .. } if tag != STARTTLS_TAG.as_bytes() => Err(frame.deviation(TAG, 0)),
            Response::Tagged { condition: Condition::Ok, .. } => Ok(Step::StartTls),
            Response::Tagged { .. } => Ok(self.not_offered("")),
            Response::Continuation(_) => Err(frame.deviation(NO_CONTINUATION_DUE, 0)),
            Response::Status(Condition::Bye, text) => {
                self.farewell = Some(Reply::from_text(text));
                Ok(Step::Wait)
            }
            _ => Ok(Step::Wait),
        }
    }

    fn receive_pop3(&mut self, frame: &Frame<'_>, deviations: &mut Deviations) -> Result<Step, Deviation> {
        use pop3::response::{Response, parse};
        Ok(match (parse(frame, deviations)?, self.greeting.is_none()) {
            // The greeting is kept whole: in it is APOP's timestamp (RFC 1939 §7).
            (Response::Ok(_), true) => self.ask(Greeting { octets: frame.octets.to_vec(), index: frame.index }),
            (Response::Err(reply), true) => {
                Step::Finish(Outcome::Closed { stage: Stage::Greeting, farewell: Some(reply) })
            }
            (Response::Continuation(_), true) => return Err(frame.deviation(POP3_GREETING, 0)),
            (Response::Ok(_), false) => Step::StartTls,
            (Response::Err(_), false) => self.not_offered(""),
            (Response::Continuation(_), false) => return Err(frame.deviation(NO_CONTINUATION_DUE, 0)),
        })
    }

    fn ask(&mut self, greeting: Greeting) -> Step {
        self.greeting = Some(greeting);
        Step::Send(match self.protocol {
            Protocol::Imap => imap::command::simple(STARTTLS_TAG, "STARTTLS"),
            Protocol::Pop3 => Outgoing::plain("STLS\r\n"),
        })
    }

    fn not_offered(&self, why: &str) -> Step {
        let (command, goodbye) = match self.protocol {
            Protocol::Imap => ("STARTTLS", imap::command::simple(LOGOUT_TAG, "LOGOUT")),
            Protocol::Pop3 => ("STLS", Outgoing::plain("QUIT\r\n")),
        };
        Step::Conclude { outcome: Outcome::NotOffered(format!("{command}{why}").into()), goodbye }
    }
}

/// The greeting without its `[CAPABILITY …]`: what was said before TLS may have been anybody's word, and the client
/// must not go by it (RFC 9051 §6.2.1).
fn forgetting_capabilities(frame: &Frame<'_>, text: &[u8]) -> Greeting {
    let mut octets = frame.octets.to_vec();
    let (code, words) = split_code(text);
    let is_capability = |code: &[u8]| code.split(|octet| *octet == b' ').next().map(<[u8]>::to_ascii_uppercase);
    if code.and_then(is_capability).as_deref() == Some(b"CAPABILITY") {
        octets.truncate(octets.len().saturating_sub(text.len()));
        octets.extend_from_slice(words);
    }
    Greeting { octets, index: frame.index }
}

#[cfg(test)]
#[path = "prelude_tests.rs"]
mod tests;
