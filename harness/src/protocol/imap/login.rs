//! One IMAP login: greeting, capabilities, `LOGIN` or `AUTHENTICATE`, then the proof which mailbox is open.

use super::capabilities::Capabilities;
use super::command::{self, LITERAL_MINUS_LIMIT};
use super::mailbox::{Mailbox, Next};
use super::response::{Condition, Response, parse};
use crate::axes::{Encoding, Fault, Mechanism};
use crate::protocol::capability_words::CapabilityWords;
use crate::protocol::line::Frame;
use crate::protocol::outcome::{Deviation, Deviations, Outcome, Proof, Reply, Stage};
use crate::protocol::outgoing::Outgoing;
use crate::protocol::sasl::{Sasl, Stop, decode_challenge};
use crate::protocol::step::Step;
use crate::protocol::{Login, Missing, Secured};

const GREETING: &str = "the greeting is an untagged OK, PREAUTH or BYE (RFC 9051 §7.1)";
const TAG: &str = "a tagged response bears the tag of the command that it ends (RFC 9051 §2.2.1, §7)";
const NO_CONTINUATION_DUE: &str = "a continuation request answers a literal or AUTHENTICATE (RFC 9051 §7.6)";
const TOO_EARLY: &str = "a login succeeds only after the whole command and every response (RFC 9051 §2.2.1, §6.2.2)";
const TOO_EARLY_APPEND: &str = "APPEND succeeds only after the whole message (RFC 9051 §4.3, §6.3.12)";
const CHALLENGE: &str = "a challenge is BASE64 (RFC 9051 §6.2.2)";

/// The machine of one login.
pub(crate) struct ImapLogin {
    login: Login,
    encoding: Encoding,
    awaiting: Awaiting,
    /// The number in the tag of the latest command: `a1`, `a2` …
    tag: u32,
    capabilities: Capabilities,
    /// The pieces of a `LOGIN` that wait for a continuation.
    pieces: std::vec::IntoIter<Outgoing>,
    sasl: Option<Sasl>,
    secured: Option<Secured>,
    farewell: Option<Reply>,
    mailbox: Mailbox,
    /// Where the server is asked what it can do once logged in, in the place of opening a mailbox: its words.
    capabilities_after_login: Option<CapabilityWords>,
}

/// Whose answer is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    Greeting,
    Capability,
    Login,
    CapabilityAfterLogin,
    /// Whatever the mailbox is asked.
    Mailbox,
}

impl ImapLogin {
    pub(crate) fn new(login: Login, encoding: Encoding) -> Self {
        Self {
            login,
            encoding,
            awaiting: Awaiting::Greeting,
            tag: 0,
            capabilities: Capabilities::default(),
            pieces: Vec::new().into_iter(),
            sasl: None,
            farewell: None,
            mailbox: Mailbox::default(),
            capabilities_after_login: None,
            secured: None,
        }
    }

    /// Once logged in, delivers this message where there is no canary.
    pub(crate) fn deliver(&mut self, message: Vec<u8>) {
        self.mailbox.deliver(message);
    }

    /// Once logged in, asks what the server can do, and opens no mailbox.
    pub(crate) fn ask_capabilities(&mut self) {
        self.capabilities_after_login = Some(CapabilityWords::default());
    }

    /// TLS stands under the connection.
    pub(crate) fn set_secured(&mut self, secured: Secured) {
        self.secured = Some(secured);
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.awaiting {
            Awaiting::Greeting => Stage::Greeting,
            Awaiting::Capability | Awaiting::CapabilityAfterLogin => Stage::Capabilities,
            Awaiting::Login => Stage::Login,
            Awaiting::Mailbox => self.mailbox.stage(),
        }
    }

    pub(crate) fn receive(&mut self, frame: &Frame<'_>, deviations: &mut Deviations) -> Result<Step, Deviation> {
        let response = parse(frame)?;
        if self.awaiting == Awaiting::Greeting {
            return self.greeting(frame, &response);
        }
        match response {
            Response::Tagged { tag, condition, text } => {
                if tag != self.tag().as_bytes() {
                    return Err(frame.deviation(TAG, 0));
                }
                self.tagged(frame, condition, text)
            }
            Response::Continuation(text) => self.continuation(frame, text, deviations),
            Response::Status(Condition::Bye, text) => {
                self.farewell = Some(Reply::from_text(text));
                Ok(Step::Wait)
            }
            Response::Capability(words) => {
                // Before the login, or where they are asked for: nothing else depends on them.
                if self.awaiting == Awaiting::Capability {
                    self.capabilities = Capabilities::from_words(words);
                }
                if let (Awaiting::CapabilityAfterLogin, Some(known)) =
                    (self.awaiting, &mut self.capabilities_after_login)
                {
                    known.take_anew(words);
                }
                Ok(Step::Wait)
            }
            untagged => {
                if self.awaiting == Awaiting::Mailbox {
                    self.mailbox.hear(frame, &untagged);
                }
                Ok(Step::Wait)
            }
        }
    }

    /// What it comes to where the server closes now.
    pub(crate) fn closed(&mut self) -> Outcome {
        match (self.awaiting, self.farewell.take()) {
            (Awaiting::Mailbox, Some(farewell)) if self.mailbox.is_opening() => Outcome::Unbound(farewell),
            (_, farewell) => Outcome::Closed { stage: self.stage(), farewell },
        }
    }

    /// Whether `frame` is the answer to `LOGOUT`.
    pub(crate) fn is_goodbye(&self, frame: &Frame<'_>) -> bool {
        matches!(parse(frame), Ok(Response::Tagged { tag, .. }) if tag == self.tag().as_bytes())
    }

    fn greeting(&mut self, frame: &Frame<'_>, response: &Response<'_>) -> Result<Step, Deviation> {
        match *response {
            Response::Status(Condition::Ok, text) => {
                if let Some(capabilities) = Capabilities::from_code(text) {
                    self.capabilities = capabilities;
                    return Ok(self.log_in());
                }
                if let Some(known) = &self.login.known_capabilities {
                    self.capabilities = Capabilities::from_words(known);
                    return Ok(self.log_in());
                }
                Ok(self.command("CAPABILITY", Awaiting::Capability))
            }
            Response::Status(Condition::Preauth, _) => {
                Ok(self.conclude(Outcome::NotOffered("a login: the greeting is PREAUTH".into())))
            }
            Response::Status(Condition::Bye, text) => {
                Ok(Step::Finish(Outcome::Closed { stage: Stage::Greeting, farewell: Some(Reply::from_text(text)) }))
            }
            _ => Err(frame.deviation(GREETING, 0)),
        }
    }

    fn tagged(&mut self, frame: &Frame<'_>, condition: Condition, text: &[u8]) -> Result<Step, Deviation> {
        let refused = |condition| match condition {
            Condition::Bad => Outcome::Bad(Reply::from_text(text)),
            _ => Outcome::Rejected(Reply::from_text(text)),
        };
        Ok(match (self.awaiting, condition) {
            (Awaiting::Greeting, _) => return Err(frame.deviation(GREETING, 0)),
            (Awaiting::Capability, _) => {
                // A server that refuses to list its capabilities may know LOGIN nonetheless.
                if let Some(capabilities) = Capabilities::from_code(text) {
                    self.capabilities = capabilities;
                }
                self.log_in()
            }
            (Awaiting::Login, Condition::Ok) => {
                if self.pieces.len() > 0 || self.sasl.as_ref().is_some_and(|sasl| !sasl.is_complete()) {
                    return Err(frame.deviation(TOO_EARLY, 0));
                }
                if let Some(unproven) = self.sasl.as_ref().and_then(Sasl::unproven) {
                    return Err(frame.deviation(unproven, 0));
                }
                if self.capabilities_after_login.is_some() {
                    return Ok(self.command("CAPABILITY", Awaiting::CapabilityAfterLogin));
                }
                if self.login.ends_after_login {
                    return Ok(self.conclude(Outcome::Opened { mailbox: None, proof: Proof::None }));
                }
                let open = self.mailbox.open();
                self.command(open, Awaiting::Mailbox)
            }
            (Awaiting::Login, refusal) => self.conclude(refused(refusal)),
            (Awaiting::CapabilityAfterLogin, _) => {
                let mut words = self.capabilities_after_login.take().unwrap_or_default();
                words.take_code(text);
                self.conclude(Outcome::Surveyed(words.into_words()))
            }
            (Awaiting::Mailbox, condition) => match self.mailbox.tagged(condition, text) {
                Next::Command(command) => self.command(&command, Awaiting::Mailbox),
                Next::Conclude(outcome) => self.conclude(outcome),
                Next::TooEarly => return Err(frame.deviation(TOO_EARLY_APPEND, 0)),
            },
        })
    }

    fn continuation(&mut self, frame: &Frame<'_>, text: &[u8], deviations: &mut Deviations) -> Result<Step, Deviation> {
        if self.awaiting == Awaiting::Mailbox
            && let Some(message) = self.mailbox.continuation()
        {
            return Ok(Step::Send(message));
        }
        if self.awaiting != Awaiting::Login {
            return Err(frame.deviation(NO_CONTINUATION_DUE, 0));
        }
        if let Some(piece) = self.pieces.next() {
            return Ok(Step::Send(piece));
        }
        let Some(sasl) = &mut self.sasl else {
            return Err(frame.deviation(NO_CONTINUATION_DUE, 0));
        };
        let challenge = decode_challenge(text).unwrap_or_else(|| {
            deviations.note(frame.deviation(CHALLENGE, 2));
            text.to_vec()
        });
        let turn = match sasl.next(&challenge) {
            Ok(turn) => turn,
            Err(Stop::Broken(rule)) => return Err(frame.deviation(rule, 0)),
            // In the middle of an exchange there is no command to take leave with.
            Err(Stop::NotOffered(missing)) => return Ok(Step::Finish(Outcome::NotOffered(missing.into()))),
        };
        if let Some(rule) = turn.noted {
            deviations.note(frame.deviation(rule, 2));
        }
        let mut outgoing = Outgoing::default();
        turn.response.push_to(&mut outgoing);
        outgoing.push(b"\r\n");
        Ok(Step::Send(outgoing))
    }

    /// Sends the login, or ends where the server does not offer what it needs.
    fn log_in(&mut self) -> Step {
        if let Some(missing) = self.missing() {
            return self.conclude(Outcome::NotOffered(missing));
        }
        let sasl = match Sasl::new(&self.login, self.secured.as_ref(), self.offers_plus()) {
            Ok(sasl) => sasl,
            Err(missing) => return self.conclude(Outcome::NotOffered(missing.into())),
        };
        self.awaiting = Awaiting::Login;
        self.tag += 1;
        let tag = self.tag();
        let Login { mechanism, name, password, .. } = &self.login;
        if let Some(mut sasl) = sasl {
            let initial_response = self.encoding == Encoding::InitialResponse;
            let outgoing = command::authenticate(&tag, *mechanism, &mut sasl, initial_response);
            self.sasl = Some(sasl);
            return Step::Send(outgoing);
        }
        self.pieces = command::login(&tag, name, password, self.encoding).into_iter();
        self.pieces.next().map_or(Step::Wait, Step::Send)
    }

    /// Whether the server offers the mechanism with channel binding too.
    fn offers_plus(&self) -> bool {
        let name = self.login.mechanism.sasl_name().unwrap_or_default();
        self.capabilities.holds(format!("AUTH={name}-PLUS").as_bytes())
    }

    /// What the login needs and the server does not offer.
    fn missing(&self) -> Option<Missing> {
        let offered = &self.capabilities;
        let Login { mechanism, name, password, .. } = &self.login;
        if let Some(sasl_name) = mechanism.sasl_name() {
            let capability = format!("AUTH={sasl_name}");
            if !offered.holds(capability.as_bytes()) {
                return Some(capability.into());
            }
            // Only what is offered can be denied.
            if self.login.fault == Some(Fault::ChannelBindingDowngrade) && !self.offers_plus() {
                return Some(format!("{capability}-PLUS").into());
            }
        } else if *mechanism == Mechanism::Login && offered.holds(b"LOGINDISABLED") {
            return Some(Missing::LoginDisabled);
        }
        match self.encoding {
            Encoding::InitialResponse if !offered.holds(b"SASL-IR") => Some("SASL-IR".into()),
            Encoding::LiteralPlus => {
                let longest = name.len().max(password.expose().len());
                let small = offered.holds(b"LITERAL-") && longest <= LITERAL_MINUS_LIMIT;
                (!small && !offered.holds(b"LITERAL+")).then(|| "LITERAL+".into())
            }
            _ => None,
        }
    }

    fn conclude(&mut self, outcome: Outcome) -> Step {
        self.tag += 1;
        Step::Conclude { outcome, goodbye: command::simple(&self.tag(), "LOGOUT") }
    }

    fn command(&mut self, command: &str, awaiting: Awaiting) -> Step {
        self.awaiting = awaiting;
        self.tag += 1;
        Step::Send(command::simple(&self.tag(), command))
    }

    fn tag(&self) -> String {
        format!("a{}", self.tag)
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
