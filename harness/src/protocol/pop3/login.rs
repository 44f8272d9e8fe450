//! One POP3 login: greeting, `USER` and `PASS`, `APOP` or `AUTH`, then the proof which mailbox is open.
//!
//! Read-only throughout: nothing is retrieved whole and nothing is deleted.

use super::apop;
use super::response::{Response, message_count, multi_line, parse};
use crate::axes::{Encoding, Fault, Mechanism};
use crate::protocol::canary::canary_mailbox;
use crate::protocol::capability_words::CapabilityWords;
use crate::protocol::code::split_word;
use crate::protocol::line::Frame;
use crate::protocol::outcome::{Deviation, Deviations, Outcome, Proof, Stage};
use crate::protocol::outgoing::Outgoing;
use crate::protocol::sasl::{NO_CHALLENGE_DUE, Sasl, Stop, decode_challenge};
use crate::protocol::step::Step;
use crate::protocol::{Login, Secured};

const GREETING: &str = "the greeting is +OK (RFC 1939 §4)";
const NO_CONTINUATION_DUE: &str = "only AUTH is answered by `+` and a challenge (RFC 5034 §4)";
const TOO_EARLY: &str = "AUTH succeeds only after every response (RFC 5034 §4)";
const CHALLENGE: &str = "a challenge is BASE64 (RFC 5034 §4)";
const TIMESTAMP: &str = "the timestamp in the greeting is a msg-id (RFC 1939 §7)";
const STAT: &str = "STAT is answered by +OK, the number of messages and their size (RFC 1939 §5)";

/// The longest `AUTH` line with an initial response; a longer response waits for the continuation (RFC 5034 §4).
const AUTH_LINE_LIMIT: usize = 255;

/// How many of the last messages are searched for the canary, besides the first: one that was delivered after the
/// mailbox was made is among these.
const SEARCHED_AT_THE_END: u32 = 4;

/// How much of a message's header is kept.
const HEADER_LIMIT: usize = 64 * 1024;

/// The machine of one login.
pub(crate) struct Pop3Login {
    login: Login,
    encoding: Option<Encoding>,
    awaiting: Awaiting,
    sasl: Option<Sasl>,
    secured: Option<Secured>,
    offers_mechanism: bool,
    /// Whether the mechanism is offered with channel binding too.
    offers_plus: bool,
    /// The messages in which the canary is still looked for.
    searched: std::vec::IntoIter<u32>,
    /// The header of the one at hand.
    header: Vec<u8>,
    /// The answer to `STAT`.
    stat: Vec<u8>,
    /// Where the server is asked what it can do once logged in, in the place of opening a mailbox: its words.
    capabilities_after_login: Option<CapabilityWords>,
}

/// Whose answer is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    Greeting,
    Capa,
    CapaLines,
    User,
    Pass,
    Apop,
    Auth,
    CapaAfterLogin,
    CapaLinesAfterLogin,
    Stat,
    Top,
    TopLines,
    Uidl,
}

impl Pop3Login {
    pub(crate) fn new(login: Login, encoding: Option<Encoding>) -> Self {
        Self {
            login,
            encoding,
            awaiting: Awaiting::Greeting,
            sasl: None,
            secured: None,
            offers_mechanism: false,
            offers_plus: false,
            searched: Vec::new().into_iter(),
            header: Vec::new(),
            stat: Vec::new(),
            capabilities_after_login: None,
        }
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
            Awaiting::Capa | Awaiting::CapaLines | Awaiting::CapaAfterLogin | Awaiting::CapaLinesAfterLogin => {
                Stage::Capabilities
            }
            Awaiting::User | Awaiting::Pass | Awaiting::Apop | Awaiting::Auth => Stage::Login,
            Awaiting::Stat => Stage::Open,
            Awaiting::Top | Awaiting::TopLines | Awaiting::Uidl => Stage::Canary,
        }
    }

    pub(crate) fn receive(&mut self, frame: &Frame<'_>, deviations: &mut Deviations) -> Result<Step, Deviation> {
        match self.awaiting {
            Awaiting::CapaLines => return Ok(self.capability(frame)),
            Awaiting::TopLines => return Ok(self.header_line(frame)),
            Awaiting::CapaLinesAfterLogin => return Ok(self.capability_after_login(frame)),
            _ => {}
        }
        Ok(match (self.awaiting, parse(frame, deviations)?) {
            (Awaiting::Greeting, Response::Ok(text)) => match self.login.mechanism {
                Mechanism::Login => self.user(),
                Mechanism::Apop => self.apop(frame, text, deviations),
                _ => match self.learn_known_capabilities() {
                    true => self.begin(),
                    false => self.command("CAPA", Awaiting::Capa),
                },
            },
            (Awaiting::Greeting, Response::Err(reply)) => {
                Step::Finish(Outcome::Closed { stage: Stage::Greeting, farewell: Some(reply) })
            }
            (Awaiting::Greeting, Response::Continuation(_)) => return Err(frame.deviation(GREETING, 0)),
            (Awaiting::Auth, Response::Continuation(text)) => return self.challenge(frame, text, deviations),
            (_, Response::Continuation(_)) => return Err(frame.deviation(NO_CONTINUATION_DUE, 0)),
            (Awaiting::Capa, Response::Ok(_)) => {
                self.awaiting = Awaiting::CapaLines;
                Step::Wait
            }
            (Awaiting::Capa, Response::Err(_)) => self.not_offered(" (no CAPA)"),
            (Awaiting::User, Response::Ok(_)) => self.pass(),
            (Awaiting::Pass | Awaiting::Apop | Awaiting::Auth, Response::Ok(_)) => match self.premature() {
                Some(rule) => return Err(frame.deviation(rule, 0)),
                None if self.capabilities_after_login.is_some() => self.command("CAPA", Awaiting::CapaAfterLogin),
                None if self.login.ends_after_login => conclude(Outcome::Opened { mailbox: None, proof: Proof::None }),
                None => self.command("STAT", Awaiting::Stat),
            },
            (Awaiting::User | Awaiting::Pass | Awaiting::Apop | Awaiting::Auth, Response::Err(reply)) => {
                conclude(Outcome::Rejected(reply))
            }
            (Awaiting::Stat, Response::Ok(text)) => match message_count(text) {
                None => return Err(frame.deviation(STAT, 4)),
                Some(count) => {
                    self.stat = fingerprint(b"STAT", text);
                    self.searched = searched(count).into_iter();
                    if count == 0 { self.opened() } else { self.look_on() }
                }
            },
            (Awaiting::Stat, Response::Err(reply)) => conclude(Outcome::Unbound(reply)),
            (Awaiting::Top, Response::Ok(_)) => {
                self.awaiting = Awaiting::TopLines;
                Step::Wait
            }
            (Awaiting::Top, Response::Err(_)) => self.command("UIDL 1", Awaiting::Uidl),
            (Awaiting::Uidl, Response::Ok(text)) => {
                // `1`, then what tells the message from others (RFC 1939 §7).
                let unique_id = split_word(text).1;
                conclude_unnamed(if unique_id.is_empty() { self.stat.clone() } else { fingerprint(b"UIDL", unique_id) })
            }
            (Awaiting::Uidl, Response::Err(_)) => self.opened(),
            (Awaiting::CapaAfterLogin, Response::Ok(_)) => {
                self.awaiting = Awaiting::CapaLinesAfterLogin;
                Step::Wait
            }
            (Awaiting::CapaAfterLogin, Response::Err(_)) => self.surveyed(),
            (Awaiting::CapaLines | Awaiting::TopLines | Awaiting::CapaLinesAfterLogin, _) => Step::Wait,
        })
    }

    /// One line of the answer to `CAPA`: `SASL`, then the mechanisms (RFC 5034 §3).
    fn capability(&mut self, frame: &Frame<'_>) -> Step {
        let Some(line) = multi_line(frame) else { return self.begin() };
        let mut words = line.split(|octet| *octet == b' ');
        if words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"SASL")) {
            let name = self.login.mechanism.sasl_name().unwrap_or_default();
            let plus = format!("{name}-PLUS");
            for word in words {
                self.offers_mechanism |= word.eq_ignore_ascii_case(name.as_bytes());
                self.offers_plus |= word.eq_ignore_ascii_case(plus.as_bytes());
            }
        }
        Step::Wait
    }

    /// One line of the answer to `CAPA` after the login.
    fn capability_after_login(&mut self, frame: &Frame<'_>) -> Step {
        let Some(line) = multi_line(frame) else { return self.surveyed() };
        if let Some(words) = &mut self.capabilities_after_login {
            words.take_capa_line(line);
        }
        Step::Wait
    }

    /// What the server said that it can do.
    fn surveyed(&mut self) -> Step {
        let words = self.capabilities_after_login.take().unwrap_or_default();
        conclude(Outcome::Surveyed(words.into_words()))
    }

    /// Takes over what the server is known to offer; `false` if nothing is known.
    fn learn_known_capabilities(&mut self) -> bool {
        let Some(known) = &self.login.known_capabilities else { return false };
        let name = format!("AUTH={}", self.login.mechanism.sasl_name().unwrap_or_default());
        let plus = format!("{name}-PLUS");
        let holds =
            |wanted: &str| known.split(|octet| *octet == b' ').any(|word| word.eq_ignore_ascii_case(wanted.as_bytes()));
        (self.offers_mechanism, self.offers_plus) = (holds(&name), holds(&plus));
        true
    }

    /// Begins the exchange if the mechanism is offered.
    fn begin(&mut self) -> Step {
        // Only what is offered can be denied.
        let denies = self.login.fault == Some(Fault::ChannelBindingDowngrade);
        match (self.offers_mechanism, self.offers_plus) {
            (false, _) => self.not_offered(""),
            (true, false) if denies => self.not_offered("-PLUS"),
            (true, _) => self.auth(),
        }
    }

    /// Looks at the next message; where there is none, the first one's unique-id has to do.
    fn look_on(&mut self) -> Step {
        self.header.clear();
        match self.searched.next() {
            Some(message) => self.command(&format!("TOP {message} 0"), Awaiting::Top),
            None => self.command("UIDL 1", Awaiting::Uidl),
        }
    }

    /// One line of a message's header.
    fn header_line(&mut self, frame: &Frame<'_>) -> Step {
        let Some(line) = multi_line(frame) else {
            return match canary_mailbox(&self.header) {
                Some(_) => self.opened(),
                None => self.look_on(),
            };
        };
        if self.header.len() + line.len() < HEADER_LIMIT {
            self.header.extend_from_slice(line);
            self.header.extend_from_slice(b"\r\n");
        }
        Step::Wait
    }

    fn user(&mut self) -> Step {
        self.awaiting = Awaiting::User;
        let mut outgoing = Outgoing::plain("USER ");
        outgoing.push_marked(&self.login.name);
        outgoing.push(b"\r\n");
        Step::Send(outgoing)
    }

    fn pass(&mut self) -> Step {
        self.awaiting = Awaiting::Pass;
        let mut outgoing = Outgoing::plain("PASS ");
        outgoing.push_secret(self.login.password.expose());
        outgoing.push(b"\r\n");
        Step::Send(outgoing)
    }

    fn apop(&mut self, frame: &Frame<'_>, greeting: &[u8], deviations: &mut Deviations) -> Step {
        let Some(timestamp) = apop::timestamp(greeting) else {
            return conclude(Outcome::NotOffered("APOP (no timestamp in the greeting)".into()));
        };
        // Without this a forged challenge can be one half of a collision (CVE-2007-1558).
        if !timestamp.contains(&b'@') {
            deviations.note(frame.deviation(TIMESTAMP, 0));
        }
        self.awaiting = Awaiting::Apop;
        Step::Send(apop::command(&self.login, timestamp))
    }

    fn auth(&mut self) -> Step {
        let begin = || Sasl::new(&self.login, self.secured.as_ref(), self.offers_plus);
        let mut sasl = match begin() {
            Ok(sasl) => sasl,
            Err(missing) => return conclude(Outcome::NotOffered(missing.into())),
        };
        let command = format!("AUTH {}", self.login.mechanism.sasl_name().unwrap_or_default());
        let mut outgoing = Outgoing::plain(command.clone());
        if self.encoding == Some(Encoding::InitialResponse)
            && let Some(response) = sasl.as_mut().and_then(Sasl::initial_response)
        {
            outgoing.push(b" ");
            response.push_initial_to(&mut outgoing);
            if outgoing.octets.len() + 2 > AUTH_LINE_LIMIT {
                outgoing = Outgoing::plain(command);
                sasl = begin().ok().flatten();
            }
        }
        self.sasl = sasl;
        self.awaiting = Awaiting::Auth;
        outgoing.push(b"\r\n");
        Step::Send(outgoing)
    }

    fn challenge(&mut self, frame: &Frame<'_>, text: &[u8], deviations: &mut Deviations) -> Result<Step, Deviation> {
        let challenge = decode_challenge(text).unwrap_or_else(|| {
            deviations.note(frame.deviation(CHALLENGE, 2));
            text.to_vec()
        });
        let turn = match self.sasl.as_mut().map(|sasl| sasl.next(&challenge)) {
            Some(Ok(turn)) => turn,
            Some(Err(Stop::Broken(rule))) => return Err(frame.deviation(rule, 0)),
            // In the middle of an exchange there is no command to take leave with.
            Some(Err(Stop::NotOffered(missing))) => return Ok(Step::Finish(Outcome::NotOffered(missing.into()))),
            None => return Err(frame.deviation(NO_CHALLENGE_DUE, 0)),
        };
        if let Some(rule) = turn.noted {
            deviations.note(frame.deviation(rule, 2));
        }
        let mut outgoing = Outgoing::default();
        turn.response.push_to(&mut outgoing);
        outgoing.push(b"\r\n");
        Ok(Step::Send(outgoing))
    }

    /// The rule that a success breaks now.
    fn premature(&self) -> Option<&'static str> {
        let sasl = self.sasl.as_ref()?;
        if sasl.is_complete() { sasl.unproven() } else { Some(TOO_EARLY) }
    }

    fn opened(&mut self) -> Step {
        match canary_mailbox(&self.header) {
            Some(mailbox) => conclude(Outcome::Opened { mailbox: Some(mailbox), proof: Proof::Canary }),
            None => conclude_unnamed(std::mem::take(&mut self.stat)),
        }
    }

    fn not_offered(&self, why: &str) -> Step {
        let name = self.login.mechanism.sasl_name().unwrap_or_default();
        conclude(Outcome::NotOffered(format!("AUTH {name}{why}").into()))
    }

    fn command(&mut self, command: &str, awaiting: Awaiting) -> Step {
        self.awaiting = awaiting;
        Step::Send(Outgoing::plain(format!("{command}\r\n")))
    }
}

/// The messages in which the canary is looked for: the first, then the last ones, from the end.
fn searched(count: u32) -> Vec<u32> {
    let last = (2..=count).rev().take(SEARCHED_AT_THE_END as usize);
    (1..=count.min(1)).chain(last).collect()
}

/// What tells the mailbox from others, as far as it is worth keeping: a unique-id has up to 70 octets (RFC 1939 §7).
fn fingerprint(command: &[u8], answer: &[u8]) -> Vec<u8> {
    let answer = answer.get(..answer.len().min(70)).unwrap_or_default().trim_ascii();
    [command, b" ", answer].concat()
}

/// A mailbox that no canary names.
fn conclude_unnamed(fingerprint: Vec<u8>) -> Step {
    conclude(Outcome::Opened { mailbox: None, proof: Proof::Fingerprint(fingerprint) })
}

fn conclude(outcome: Outcome) -> Step {
    Step::Conclude { outcome, goodbye: Outgoing::plain("QUIT\r\n") }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
