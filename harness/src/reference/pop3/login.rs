//! `USER`, `PASS` (RFC 1939 §7) and `AUTH` (RFC 5034), and how their failures are shown.

use super::super::authority::{Credentials, Decision, Evidence};
use super::super::flaw::Flaw;
use super::super::flow::Flow;
use super::super::reply::push_code_and_text;
use super::super::sasl::{self, Exchange, Step};
use super::command::without_line_end;
use super::{LAST_FAILURE, Pop3Session, State, access, push_line};
use crate::axes::Mechanism;
use crate::identity::{Cause, Manner};

/// What is said where a login was accepted, nothing is open, and the dialect has no text.
const NOT_CONNECTED: &str = "The mailbox cannot be opened.";

/// The answer to every name and password in plaintext where TLS is required.
const PRIVACY_REQUIRED: &str = "no password is taken before TLS (RFC 2595 section 2.3)";

impl Pop3Session {
    /// Any name will do (RFC 1939 §13): to refuse one here would tell who exists.
    pub(super) fn user(&mut self, name: &[u8], out: &mut Vec<u8>) {
        let flaws = self.authority.flaws();
        let flawed = flaws.has(Flaw::LoginWithoutTls) || flaws.has(Flaw::RevealsPasswordBeforeTls);
        if self.must_wait(Mechanism::Login) && !flawed {
            return self.refuse(PRIVACY_REQUIRED, out);
        }
        if !self.authority.offers(access(Mechanism::Login)) {
            return self.refuse("USER is not offered", out);
        }
        let name = if flaws.has(Flaw::UserStopsAtSpace) { first_word(name) } else { name };
        if flaws.has(Flaw::RevealsUnknownUsers) && !self.authority.knows(name, access(Mechanism::Login)) {
            return self.refuse("There is no such user.", out);
        }
        if !(flaws.has(Flaw::FirstUserCounts) && matches!(self.state, State::Named(_))) {
            self.state = State::Named(name.to_vec());
        }
        push_line(out, &[b"+OK"]);
    }

    pub(super) fn pass(&mut self, password: &[u8], out: &mut Vec<u8>) {
        let flaws = self.authority.flaws();
        let flawed = flaws.has(Flaw::LoginWithoutTls) || flaws.has(Flaw::RevealsPasswordBeforeTls);
        if self.must_wait(Mechanism::Login) && !flawed {
            return self.refuse(PRIVACY_REQUIRED, out);
        }
        let State::Named(name) = std::mem::replace(&mut self.state, State::Authorization) else {
            return self.refuse("PASS follows a successful USER (RFC 1939 section 7)", out);
        };
        let password = if flaws.has(Flaw::PassStopsAtSpace) { first_word(password) } else { password };
        let decision = self.authority.decide(&Credentials {
            name: &name,
            evidence: Evidence::Password(password),
            authorization: b"",
            access: access(Mechanism::Login),
        });
        let is_open = matches!(decision, Decision::Open { .. });
        if self.must_wait(Mechanism::Login) && is_open && !flaws.has(Flaw::LoginWithoutTls) {
            return self.refuse(PRIVACY_REQUIRED, out);
        }
        self.conclude(decision, out);
        if self.authority.flaws().has(Flaw::KeepsUserAfterFailure) && !self.is_logged_in() {
            self.state = State::Named(name);
        }
    }

    pub(super) fn auth(&mut self, mechanism: &[u8], initial: Option<&[u8]>, out: &mut Vec<u8>) {
        let known = sasl::mechanism(mechanism);
        if known.is_some_and(|known| self.must_wait(known)) {
            return self.refuse(PRIVACY_REQUIRED, out);
        }
        let refused =
            |mechanism| mechanism == Mechanism::Plain && self.authority.flaws().has(Flaw::RefusesAdvertisedPlain);
        let Some(mechanism) = known.filter(|&known| self.offers(known) && !refused(known)) else {
            return self.refuse("this mechanism is not offered (RFC 5034 section 4)", out);
        };
        self.state = State::Authorization;
        let flaws = self.authority.flaws();
        let initial = initial.filter(|_| !flaws.has(Flaw::IgnoresInitialResponse));
        if initial.is_some() && sasl::server_speaks_first(mechanism) {
            return self.refuse("this mechanism has no initial response (RFC 5034 section 4)", out);
        }
        let exchange = Exchange::begin(mechanism, self.sasl_context());
        match initial {
            Some(word) => self.answer(exchange, sasl::read_initial(word, flaws), out),
            None => self.ask(exchange, out),
        }
    }

    /// Takes the next line of an exchange.
    pub(super) fn continue_exchange(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let State::Exchanging(exchange) = std::mem::replace(&mut self.state, State::Authorization) else {
            return;
        };
        match without_line_end(line) {
            Ok(line) => self.answer(exchange, sasl::read_line(line, self.authority.flaws()), out),
            Err(rule) => self.refuse(rule, out),
        }
    }

    fn ask(&mut self, exchange: Exchange, out: &mut Vec<u8>) {
        push_line(out, &[b"+ ", &exchange.challenge()]);
        self.state = State::Exchanging(exchange);
    }

    fn answer(&mut self, exchange: Exchange, line: sasl::Line, out: &mut Vec<u8>) {
        let answer = match line {
            sasl::Line::Answer(answer) => answer,
            sasl::Line::Absent => return self.ask(exchange, out),
            sasl::Line::Cancelled if self.authority.flaws().has(Flaw::SaslCancelIgnored) => {
                return self.ask(exchange, out);
            }
            sasl::Line::Cancelled => return self.refuse("AUTH cancelled", out),
            sasl::Line::NotBase64 => return self.refuse("that is not base64 (RFC 5034 section 4)", out),
        };
        match exchange.answer(&answer, self.sasl_context()) {
            Step::Ask(next) => self.ask(next, out),
            Step::Decided(decision) => self.conclude(decision, out),
            Step::Malformed(rule) => self.malformed(rule, out),
        }
    }

    /// What the client has sent is none of the mechanism.
    pub(super) fn malformed(&mut self, rule: &str, out: &mut Vec<u8>) {
        self.push_failure(Some("AUTH"), rule, out);
        self.count_failure();
    }

    pub(super) fn conclude(&mut self, decision: Decision, out: &mut Vec<u8>) {
        let refuses = self.failures > 0 && self.authority.flaws().has(Flaw::RefusesAfterFailure);
        let decision = if refuses { self.authority.refusal(access(Mechanism::Login)) } else { decision };
        self.took_time |= self.authority.takes_time(&decision);
        let (cause, manner, code, text) = match decision {
            Decision::Open { mailbox } => {
                self.state = State::Transaction { mailbox };
                return push_line(out, &[b"+OK the maildrop holds one message"]);
            }
            Decision::Fail { cause, manner, code, text } => (cause, manner, code, text),
        };
        if cause == Cause::WrongPassword && self.authority.flaws().has(Flaw::ClosesOnWrongPassword) {
            self.flow = Flow::Close;
            return;
        }
        match manner {
            Manner::Unbound => {
                let text = if text.is_empty() { NOT_CONNECTED.to_string() } else { text };
                self.state = State::Unbound { code, text };
                return push_line(out, &[b"+OK"]);
            }
            Manner::Closes => {
                self.flow = Flow::Close;
                return;
            }
            Manner::Rejects | Manner::Bad => self.push_failure(code.as_deref(), &text, out),
            Manner::SaysBye => {
                self.push_failure(code.as_deref(), &text, out);
                self.flow = Flow::Close;
            }
        }
        self.count_failure();
    }

    fn push_failure(&self, code: Option<&str>, text: &str, out: &mut Vec<u8>) {
        if !self.authority.flaws().has(Flaw::SilentFailure) {
            push_error(out, code, text);
        }
    }

    fn count_failure(&mut self) {
        self.failures += 1;
        if self.failures >= LAST_FAILURE && self.flow == Flow::Continue {
            // The last failure has its answer already, and POP3 has no farewell.
            self.flow = Flow::Close;
        }
    }
}

/// `-ERR`, with a code and a text, whichever there is.
pub(super) fn push_error(out: &mut Vec<u8>, code: Option<&str>, text: &str) {
    out.extend_from_slice(b"-ERR");
    push_code_and_text(out, code, text);
}

fn first_word(argument: &[u8]) -> &[u8] {
    argument.split(|&octet| octet == b' ').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::follow_pop3;
    use super::super::super::flaw::{Flaw, Flaws};

    /// A code that a dialect gives for POP3 is sent as it is; one that is given for both protocols may be IMAP's alone.
    #[test]
    fn a_dialects_code_is_sent() {
        let said = |applies: &str, code: &str| {
            let failure = format!(
                "[[failure]]\non = ['wrong-password']\ndoes = 'rejects'\n{applies}\ncode = '{code}'\ntext = 'no'\ncites = ['x']\n"
            );
            let authority = super::super::super::fixture::authority_with(&failure);
            let mut session = super::super::Pop3Session::new(std::sync::Arc::new(authority));
            let mut out = Vec::new();
            session.receive(b"USER Same\r\nPASS wrong\r\n", &mut out);
            String::from_utf8_lossy(&out).lines().last().unwrap_or_default().to_string()
        };
        assert_eq!(said("protocol = ['pop3']", "X-LOCKED"), "-ERR [X-LOCKED] no");
        assert_eq!(said("protocol = ['pop3']", "AUTHENTICATIONFAILED"), "-ERR [AUTHENTICATIONFAILED] no");
        assert_eq!(said("", "SYS/TEMP"), "-ERR [SYS/TEMP] no");
        assert_eq!(said("", "AUTHENTICATIONFAILED"), "-ERR no");
        assert_eq!(said("protocol = ['imap']", "X-LOCKED"), "-ERR [AUTH] Authentication failed.");
    }

    #[test]
    fn the_exchanges_of_rfc_1939_and_rfc_5034() {
        follow_pop3(
            Flaws::NONE,
            r#"
            S: +OK loginspec reference server ready
            C: USER First Last
            S: +OK
            C: PASS Secret-First Last
            S: +OK …
            C: USER again
            S: -ERR …
            "#,
        );
        follow_pop3(
            Flaws::NONE,
            r#"
            S: +OK …
            C: AUTH PLAIN AFNhbWUAU2VjcmV0LVNhbWU=
            S: +OK …
            "#,
        );
        follow_pop3(
            Flaws::NONE,
            r#"
            S: +OK …
            C: AUTH
            S: +OK
            S: PLAIN
            S: LOGIN
            S: .
            C: AUTH PLAIN
            S: +
            C: *
            S: -ERR AUTH cancelled
            C: AUTH PLAIN =
            S: -ERR [AUTH] …
            C: AUTH CRAM-MD5
            S: -ERR …
            C: auth login U2FtZQ==
            S: + UGFzc3dvcmQA
            C: U2VjcmV0LVNhbWU=
            S: +OK …
            "#,
        );
    }

    #[test]
    fn failures() {
        follow_pop3(
            Flaws::NONE,
            r#"
            S: +OK …
            C: PASS Secret-Same
            S: -ERR …
            C: USER Nobody
            S: +OK
            C: PASS wrong
            S: -ERR [AUTH] Authentication failed.
            C: PASS Secret-Same
            S: -ERR …
            C: USER Same
            S: +OK
            C: PASS wrong
            S: -ERR [AUTH] Authentication failed.
            C: USER Domain1/Disabled
            S: +OK
            C: PASS Secret-Disabled
            S: -ERR
            C: USER Domain1/Ambiguous
            S: +OK
            C: PASS Secret-Ambiguous
            S: -ERR Ambiguous Alias
            C: USER Domain1\Moved
            S: +OK
            C: PASS Secret-Moved
            S: +OK
            C: STAT
            S: -ERR …
            "#,
        );
        follow_pop3(Flaws::NONE, "S: +OK …\nC: USER Domain1/Nobox\nS: +OK\nC: PASS Secret-Nobox\nS: closed");
        let many = "C: USER Same\nS: +OK\nC: PASS wrong\nS: -ERR …\n".repeat(10);
        follow_pop3(Flaws::NONE, &format!("S: +OK …\n{many}S: closed"));
    }

    #[test]
    fn flawed_failures() {
        let wrong = "S: +OK …\nC: USER Same\nS: +OK\nC: PASS wrong\n";
        follow_pop3(Flaw::SilentFailure.into(), &format!("{wrong}C: NOOP\nS: -ERR …"));
        follow_pop3(Flaw::ClosesOnWrongPassword.into(), &format!("{wrong}S: closed"));
        follow_pop3(Flaw::RevealsUnknownUsers.into(), "S: +OK …\nC: USER Nobody\nS: -ERR …");
        follow_pop3(Flaw::IgnoresInitialResponse.into(), "S: +OK …\nC: AUTH PLAIN AFNhbWUAU2VjcmV0LVNhbWU=\nS: +");
    }
}
