//! One conversation with a server, from its greeting to its outcome.

use super::dialogue::{Dialogue, DialogueStep};
use super::imap::ImapLogin;
use super::line::{Frame, Framer};
use super::login::Login;
use super::outcome::{Deviation, Deviations, Outcome, Stage};
use super::outgoing::Outgoing;
use super::pop3::Pop3Login;
use super::prelude::{Greeting, Prelude};
use super::sasl;
use super::secured::Secured;
use super::step::Step;
use super::survey::SurveyMachine;
use crate::axes::{Encoding, Protocol, Security};

/// What whoever drives a session has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send these octets, whole, and poll again. Where the server no longer takes them, go on to receive: what it
    /// said before is what counts.
    Send(Outgoing),
    /// Wait for octets; then call [`Session::receive`], [`Session::closed`] or [`Session::timed_out`].
    Receive,
    /// Begin TLS on this connection; then call [`Session::secured`] or [`Session::tls_failed`].
    StartTls,
    /// There is nothing more to do but to close and to take [`Session::outcome`].
    Finished,
}

/// What a server must not do, since nobody knows who has sent it (CVE-2011-0411 and its kin).
pub(super) const INJECTED: &str =
    "nothing follows the OK to STARTTLS or STLS in plaintext (RFC 9051 §6.2.1, RFC 2595 §4); it was dropped";

/// A conversation: a login attempt or a dialogue.
pub struct Session {
    framer: Framer,
    /// What asks for TLS first, until TLS stands.
    prelude: Option<Prelude>,
    /// The greeting that the prelude has heard and the machine has not.
    greeting: Option<Greeting>,
    /// Whether TLS is being begun.
    is_handshaking: bool,
    machine: Machine,
    progress: Progress,
    deviations: Deviations,
    end: Option<End>,
}

enum Machine {
    Imap(ImapLogin),
    Pop3(Pop3Login),
    Dialogue(Dialogue),
    Survey(SurveyMachine),
}

enum Progress {
    Talking,
    /// The outcome is known and the goodbye has been said.
    Leaving(Outcome),
    Finished(Outcome),
}

/// Why nothing more will arrive.
#[derive(Clone, Copy)]
enum End {
    Closed,
    TimedOut,
}

impl Session {
    /// A session that logs in, proves which mailbox is open, and logs out.
    ///
    /// A login that this client cannot spell finishes at once as not offered.
    pub fn login(login: Login) -> Self {
        let Login { protocol, mechanism, security, .. } = login;
        let encoding = login.encoding.or(Encoding::default_for(protocol, mechanism));
        let unspoken = if !mechanism.fits(protocol) {
            Some(format!("{mechanism} over {protocol}"))
        } else if let Some(unfit) = sasl::unfit(&login) {
            Some(unfit)
        } else {
            let unfit = encoding.filter(|encoding| !encoding.fits(protocol, mechanism));
            unfit.map(|encoding| format!("the encoding {encoding} with {protocol} {mechanism}"))
        };
        let machine = match protocol {
            Protocol::Imap => Machine::Imap(ImapLogin::new(login, encoding.unwrap_or(Encoding::Quoted))),
            Protocol::Pop3 => Machine::Pop3(Pop3Login::new(login, encoding)),
        };
        let mut session = Self::new(protocol, security, machine);
        if let Some(unspoken) = unspoken {
            session.progress = Progress::Finished(Outcome::NotOffered(unspoken.into()));
        }
        session
    }

    /// A session that logs in over IMAP and delivers `message`, but for a mailbox with a canary in it, which is left
    /// alone. It comes to [`Outcome::Delivered`] or [`Outcome::Undelivered`], or to what a login comes to.
    pub fn delivery(login: Login, message: Vec<u8>) -> Self {
        let mut session = Self::login(login);
        match &mut session.machine {
            Machine::Imap(login) => login.deliver(message),
            _ => session.progress = Progress::Finished(Outcome::NotOffered("delivery without IMAP".into())),
        }
        session
    }

    /// A session that logs in, asks what the server can do then, and logs out; no mailbox is opened. It comes to
    /// [`Outcome::Surveyed`], or to what a login that fails comes to.
    pub fn survey_after_login(login: Login) -> Self {
        let mut session = Self::login(login);
        match &mut session.machine {
            Machine::Imap(login) => login.ask_capabilities(),
            Machine::Pop3(login) => login.ask_capabilities(),
            Machine::Dialogue(_) | Machine::Survey(_) => {}
        }
        session
    }

    /// A session that follows a script. With STARTTLS the script begins within TLS, with the greeting that came before.
    pub fn dialogue(protocol: Protocol, security: Security, steps: Vec<DialogueStep>) -> Self {
        Self::new(protocol, security, Machine::Dialogue(Dialogue::new(protocol, steps)))
    }

    /// A session that asks what the server can do and logs nobody in; it comes to [`Outcome::Surveyed`].
    ///
    /// With STARTTLS the answer that counts is the one within TLS.
    pub fn survey(protocol: Protocol, security: Security) -> Self {
        Self::new(protocol, security, Machine::Survey(SurveyMachine::new(protocol, security)))
    }

    /// With implicit TLS whoever drives the session shakes hands before the first poll.
    fn new(protocol: Protocol, security: Security, machine: Machine) -> Self {
        Self {
            framer: Framer::new(protocol),
            prelude: (security == Security::Starttls).then(|| Prelude::new(protocol)),
            greeting: None,
            is_handshaking: false,
            machine,
            progress: Progress::Talking,
            deviations: Deviations::default(),
            end: None,
        }
    }

    /// What to do next. Frames are looked at one by one and only when nothing is left to send, so that it makes no
    /// difference how many of them came at once.
    pub fn poll(&mut self) -> Action {
        loop {
            if matches!(self.progress, Progress::Finished(_)) {
                return Action::Finished;
            }
            if self.is_handshaking {
                return Action::StartTls;
            }
            let step = self.step();
            match step {
                None => return Action::Receive,
                Some(Step::Wait) => {}
                Some(Step::Send(outgoing)) => return Action::Send(outgoing),
                Some(Step::StartTls) => self.is_handshaking = true,
                Some(Step::Conclude { outcome, goodbye }) => {
                    self.progress = Progress::Leaving(outcome);
                    return Action::Send(goodbye);
                }
                Some(Step::Finish(outcome)) => self.finish(outcome),
            }
        }
    }

    /// Which step of a dialogue is next, or was when it ended; a login has no steps.
    pub const fn dialogue_step(&self) -> Option<usize> {
        match &self.machine {
            Machine::Dialogue(dialogue) => Some(dialogue.next_step()),
            Machine::Imap(_) | Machine::Pop3(_) | Machine::Survey(_) => None,
        }
    }

    /// Takes octets from the server in. After the end they are ignored.
    pub fn receive(&mut self, octets: &[u8]) {
        if self.end.is_none() && !matches!(self.progress, Progress::Finished(_)) {
            self.framer.push(octets);
        }
    }

    /// The server has closed the connection: nothing more will arrive.
    pub fn closed(&mut self) {
        self.end.get_or_insert(End::Closed);
    }

    /// The time for an answer is over: nothing more will be listened to.
    pub fn timed_out(&mut self) {
        self.end.get_or_insert(End::TimedOut);
    }

    /// TLS stands, and everything from here on travels within it.
    pub fn secured(&mut self, secured: Secured) {
        if matches!(self.progress, Progress::Finished(_)) {
            return;
        }
        self.end_plaintext();
        let is_step = std::mem::take(&mut self.is_handshaking) && self.prelude.is_none();
        self.greeting = self.prelude.take().and_then(Prelude::into_greeting);
        match &mut self.machine {
            Machine::Imap(login) => login.set_secured(secured),
            Machine::Pop3(login) => login.set_secured(secured),
            Machine::Dialogue(dialogue) if is_step => dialogue.secured(),
            Machine::Dialogue(_) | Machine::Survey(_) => {}
        }
    }

    /// TLS could not be begun, for this reason.
    pub fn tls_failed(&mut self, reason: String) {
        if matches!(self.progress, Progress::Finished(_)) {
            return;
        }
        self.end_plaintext();
        let outcome = match &mut self.machine {
            Machine::Dialogue(dialogue) if self.is_handshaking && self.prelude.is_none() => dialogue.tls_failed(reason),
            _ => Outcome::TlsFailed(reason),
        };
        self.finish(outcome);
    }

    /// Nothing of what came in plaintext counts from here on.
    fn end_plaintext(&mut self) {
        if let Some((index, octet)) = self.framer.discard() {
            self.deviations.note(Deviation { rule: INJECTED, octet: Some(octet), index });
        }
    }

    /// What the server is being asked.
    pub fn stage(&self) -> Stage {
        if let (Progress::Talking, true) = (&self.progress, self.is_handshaking) {
            return Stage::Tls;
        }
        if let (Progress::Talking, Some(prelude)) = (&self.progress, &self.prelude) {
            return prelude.stage();
        }
        match (&self.progress, &self.machine) {
            (Progress::Talking, Machine::Imap(login)) => login.stage(),
            (Progress::Talking, Machine::Pop3(login)) => login.stage(),
            (Progress::Talking, Machine::Survey(survey)) => survey.stage(),
            (_, Machine::Dialogue(_)) => Stage::Dialogue,
            (Progress::Leaving(_) | Progress::Finished(_), _) => Stage::Logout,
        }
    }

    /// What the server did against the rules without harm; the first few of these.
    pub fn deviations(&self) -> &[Deviation] {
        self.deviations.as_slice()
    }

    /// What it came to. A session that is given up before it has finished has had no answer.
    pub fn outcome(self) -> Outcome {
        let stage = self.stage();
        match self.progress {
            Progress::Leaving(outcome) | Progress::Finished(outcome) => outcome,
            Progress::Talking => Outcome::NoAnswer(stage),
        }
    }

    /// One step on; nothing where that takes more octets.
    fn step(&mut self) -> Option<Step> {
        if self.prelude.is_none()
            && let Machine::Dialogue(dialogue) = &mut self.machine
            && let Some(step) = dialogue.advance()
        {
            return Some(step);
        }
        if let Some(greeting) = self.greeting.take() {
            let heard = self.machine.receive(&greeting.frame(), &mut self.deviations);
            return Some(
                heard.unwrap_or_else(|deviation| Step::Finish(Outcome::Garbled { stage: self.stage(), deviation })),
            );
        }
        let garbled = match self.framer.next(&mut self.deviations) {
            Ok(Some(frame)) => match &mut self.progress {
                Progress::Talking => {
                    let heard = match &mut self.prelude {
                        Some(prelude) => prelude.receive(&frame, &mut self.deviations),
                        None => self.machine.receive(&frame, &mut self.deviations),
                    };
                    match heard {
                        Ok(step) => return Some(step),
                        Err(deviation) => deviation,
                    }
                }
                _ => {
                    let is_goodbye = match &self.prelude {
                        Some(prelude) => prelude.is_goodbye(&frame),
                        None => self.machine.is_goodbye(&frame),
                    };
                    return Some(if is_goodbye { self.leave() } else { Step::Wait });
                }
            },
            Ok(None) => return self.end.map(|end| self.ended(end)),
            Err(deviation) => deviation,
        };
        Some(match self.progress {
            Progress::Talking => Step::Finish(Outcome::Garbled { stage: self.stage(), deviation: garbled }),
            _ => self.leave(),
        })
    }

    fn ended(&mut self, end: End) -> Step {
        if !matches!(self.progress, Progress::Talking) {
            return self.leave();
        }
        if let (End::Closed, Some(prelude)) = (end, &mut self.prelude) {
            return Step::Finish(prelude.closed());
        }
        match (end, &mut self.machine) {
            (End::TimedOut, _) => Step::Finish(Outcome::NoAnswer(self.stage())),
            (End::Closed, Machine::Imap(login)) => Step::Finish(login.closed()),
            (End::Closed, Machine::Pop3(login)) => {
                Step::Finish(Outcome::Closed { stage: login.stage(), farewell: None })
            }
            (End::Closed, Machine::Survey(survey)) => Step::Finish(survey.closed()),
            (End::Closed, Machine::Dialogue(dialogue)) => dialogue.closed(),
        }
    }

    /// Finishes with what was known before the goodbye.
    fn leave(&mut self) -> Step {
        match std::mem::replace(&mut self.progress, Progress::Talking) {
            Progress::Leaving(outcome) | Progress::Finished(outcome) => Step::Finish(outcome),
            Progress::Talking => Step::Finish(Outcome::NoAnswer(self.stage())),
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        self.progress = Progress::Finished(outcome);
        // What the server said is no longer needed; a finished session may be kept for its outcome.
        self.framer = Framer::new(Protocol::Pop3);
    }
}

impl Machine {
    fn receive(&mut self, frame: &Frame<'_>, deviations: &mut Deviations) -> Result<Step, Deviation> {
        match self {
            Self::Imap(login) => login.receive(frame, deviations),
            Self::Pop3(login) => login.receive(frame, deviations),
            Self::Survey(survey) => survey.receive(frame, deviations),
            Self::Dialogue(dialogue) => Ok(dialogue.receive(frame)),
        }
    }

    fn is_goodbye(&self, frame: &Frame<'_>) -> bool {
        match self {
            Self::Imap(login) => login.is_goodbye(frame),
            Self::Survey(survey) => survey.is_goodbye(frame),
            // After QUIT the server has one line to say, whatever it is (RFC 1939 §6).
            Self::Pop3(_) | Self::Dialogue(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::Mechanism;
    use crate::protocol::line::{LINE_LIMIT, TOTAL_LIMIT};
    use crate::secret::Password;

    fn session(protocol: Protocol, mechanism: Mechanism) -> Session {
        Session::login(Login::new(protocol, mechanism, "User1", Password::new("Secret-User1")))
    }

    /// Feeds `octets` over and over after `start`, until the session needs no more; tells how much that took.
    fn flood(mut session: Session, start: &[u8], octets: &[u8]) -> (Stage, usize, usize) {
        session.receive(start);
        let mut fed = start.len();
        loop {
            match session.poll() {
                Action::Send(_) => {}
                Action::Receive => {
                    session.receive(octets);
                    fed += octets.len();
                    assert!(fed <= TOTAL_LIMIT + 2 * LINE_LIMIT, "the session listens without end");
                }
                Action::StartTls => panic!("nobody asked for TLS"),
                Action::Finished => break,
            }
        }
        match session.outcome() {
            Outcome::Garbled { stage, deviation } => (stage, deviation.index, fed),
            other => panic!("not garbled: {other:?}"),
        }
    }

    #[test]
    fn hostile_streams_garble_within_bounds() {
        for &protocol in Protocol::ALL {
            let greeted = || session(protocol, Mechanism::Login);
            let (stage, index, fed) = flood(greeted(), b"", &[b'x'; 1000]);
            assert_eq!((stage, index), (Stage::Greeting, LINE_LIMIT));
            assert!(fed <= LINE_LIMIT + 1000);
            assert_eq!(flood(greeted(), b"", b"\0"), (Stage::Greeting, 0, 1));
        }
        let imap = || session(Protocol::Imap, Mechanism::Login);
        let (stage, index, _) = flood(imap(), b"* OK\r\n", b"* 1 FETCH (X {1048577}\r\n");
        assert_eq!((stage, index), (Stage::Capabilities, 6 + 13));
        let (stage, index, _) = flood(imap(), b"* OK\r\n", &b"* OK still here\r\n".repeat(1000));
        assert_eq!((stage, index), (Stage::Capabilities, TOTAL_LIMIT));
        let pop3 = session(Protocol::Pop3, Mechanism::Plain);
        let (stage, index, _) = flood(pop3, b"+OK\r\n+OK\r\n", &b"SASL\r\n".repeat(1000));
        assert_eq!((stage, index), (Stage::Capabilities, TOTAL_LIMIT));
    }

    #[test]
    fn a_session_given_up_has_had_no_answer() {
        let mut session = session(Protocol::Imap, Mechanism::Login);
        assert_eq!(session.poll(), Action::Receive);
        session.receive(b"* OK\r\n");
        assert!(matches!(session.poll(), Action::Send(_)));
        assert_eq!(session.stage(), Stage::Capabilities);
        assert_eq!(session.outcome(), Outcome::NoAnswer(Stage::Capabilities));
    }

    #[test]
    fn after_the_end_nothing_is_taken_in() {
        let mut session = session(Protocol::Imap, Mechanism::Login);
        session.timed_out();
        session.closed();
        session.receive(b"* OK\r\n");
        assert_eq!(session.poll(), Action::Finished);
        assert_eq!(session.outcome(), Outcome::NoAnswer(Stage::Greeting));
    }
}
