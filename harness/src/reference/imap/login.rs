//! `LOGIN` and `AUTHENTICATE` (RFC 9051 §6.2.2, §6.2.3), and how their failures are shown.

use super::super::authority::{Credentials, Decision, Evidence};
use super::super::flaw::Flaw;
use super::super::flow::Flow;
use super::super::reply::push_resp_text;
use super::super::sasl::{self, Exchange, Step};
use super::{Binding, ImapSession, LAST_FAILURE, State, access, push_line};
use crate::axes::Mechanism;
use crate::identity::{Cause, Manner};

/// What Exchange says when it accepts a login and cannot open the mailbox.
const NOT_CONNECTED: &str = "User is authenticated but not connected.";

/// The answer to every password in plaintext where TLS is required (RFC 5530 §3).
const PRIVACY_REQUIRED: &[u8] = b" NO [PRIVACYREQUIRED] no password is taken before TLS";

impl ImapSession {
    pub(super) fn login(&mut self, tag: &[u8], name: &[u8], password: &[u8], out: &mut Vec<u8>) {
        if self.is_logged_in() {
            return push_line(out, &[tag, b" BAD LOGIN comes before a login, not after"]);
        }
        if self.must_wait(Mechanism::Login) && self.authority.offers(access(Mechanism::Login)) {
            return self.login_before_tls(tag, name, password, out);
        }
        if !self.offers(Mechanism::Login) {
            // Whether the password is right must not show (RFC 9051 §11.7), so nobody looks at it.
            return push_line(out, &[tag, b" NO LOGIN is disabled"]);
        }
        if !name.is_ascii() && self.authority.flaws().has(Flaw::ClosesOnHighOctets) {
            self.flow = Flow::Close;
            return;
        }
        let decision = self.authority.decide(&Credentials {
            name,
            evidence: Evidence::Password(password),
            authorization: b"",
            access: access(Mechanism::Login),
        });
        self.conclude(tag, decision, "LOGIN", out);
    }

    /// Whether the password is right must not show (RFC 9051 §11.7), so nobody looks at it but a flawed server.
    fn login_before_tls(&mut self, tag: &[u8], name: &[u8], password: &[u8], out: &mut Vec<u8>) {
        let flaws = self.authority.flaws();
        if flaws.has(Flaw::LoginWithoutTls) || flaws.has(Flaw::RevealsPasswordBeforeTls) {
            let access = access(Mechanism::Login);
            let evidence = Evidence::Password(password);
            let decision = self.authority.decide(&Credentials { name, evidence, authorization: b"", access });
            if flaws.has(Flaw::LoginWithoutTls) || !matches!(decision, Decision::Open { .. }) {
                return self.conclude(tag, decision, "LOGIN", out);
            }
        }
        push_line(out, &[tag, PRIVACY_REQUIRED]);
    }

    pub(super) fn authenticate(&mut self, tag: &[u8], mechanism: &[u8], initial: Option<&[u8]>, out: &mut Vec<u8>) {
        if self.is_logged_in() {
            return push_line(out, &[tag, b" BAD AUTHENTICATE comes before a login, not after"]);
        }
        let known = sasl::mechanism(mechanism);
        if known.is_some_and(|known| self.must_wait(known) && self.authority.offers(access(known))) {
            return push_line(out, &[tag, PRIVACY_REQUIRED]);
        }
        let refused =
            |mechanism| mechanism == Mechanism::Plain && self.authority.flaws().has(Flaw::RefusesAdvertisedPlain);
        let Some(mechanism) = known.filter(|&known| self.offers(known) && !refused(known)) else {
            return push_line(out, &[tag, b" NO [CANNOT] this mechanism is not offered"]);
        };
        let flaws = self.authority.flaws();
        let initial = initial.filter(|_| !flaws.has(Flaw::IgnoresInitialResponse));
        if initial.is_some() && sasl::server_speaks_first(mechanism) {
            return push_line(out, &[tag, b" BAD this mechanism has no initial response (RFC 4959 section 3)"]);
        }
        let exchange = Exchange::begin(mechanism, self.sasl_context());
        match initial {
            Some(word) => self.answer(tag, exchange, sasl::read_initial(word, flaws), out),
            None => self.ask(tag, exchange, out),
        }
    }

    /// Takes the next line of an exchange.
    pub(super) fn continue_exchange(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let State::Exchanging { tag, exchange } = std::mem::replace(&mut self.state, State::NotAuthenticated) else {
            return;
        };
        match line.strip_suffix(b"\r\n") {
            Some(line) => self.answer(&tag, exchange, sasl::read_line(line, self.authority.flaws()), out),
            None => push_line(out, &[&tag, b" BAD a line ends in CR LF (RFC 9051 section 2.2)"]),
        }
    }

    fn ask(&mut self, tag: &[u8], exchange: Exchange, out: &mut Vec<u8>) {
        push_line(out, &[b"+ ", &exchange.challenge()]);
        self.state = State::Exchanging { tag: tag.to_vec(), exchange };
    }

    fn answer(&mut self, tag: &[u8], exchange: Exchange, line: sasl::Line, out: &mut Vec<u8>) {
        let answer = match line {
            sasl::Line::Answer(answer) => answer,
            sasl::Line::Absent => return self.ask(tag, exchange, out),
            sasl::Line::Cancelled if self.authority.flaws().has(Flaw::SaslCancelIgnored) => {
                return self.ask(tag, exchange, out);
            }
            // RFC 9051 §6.2.2 wants BAD for both.
            sasl::Line::Cancelled => return push_line(out, &[tag, b" BAD AUTHENTICATE cancelled"]),
            sasl::Line::NotBase64 => {
                return push_line(out, &[tag, b" BAD that is not base64 (RFC 9051 section 6.2.2)"]);
            }
        };
        match exchange.answer(&answer, self.sasl_context()) {
            Step::Ask(next) => self.ask(tag, next, out),
            Step::Decided(decision) => self.conclude(tag, decision, "AUTHENTICATE", out),
            Step::Malformed(rule) => {
                self.push_failure(tag, "NO", Some("AUTHENTICATIONFAILED"), rule, out);
                self.count_failure(out);
            }
        }
    }

    fn conclude(&mut self, tag: &[u8], decision: Decision, verb: &str, out: &mut Vec<u8>) {
        self.took_time |= self.authority.takes_time(&decision);
        let (cause, manner, code, text) = match self.flawed(decision) {
            Decision::Open { mailbox } => return self.accept(tag, Binding::Mailbox(mailbox), verb, out),
            Decision::Fail { cause, manner, code, text } => (cause, manner, code, text),
        };
        if cause == Cause::WrongPassword && self.authority.flaws().has(Flaw::ClosesOnWrongPassword) {
            self.flow = Flow::Close;
            return;
        }
        match manner {
            Manner::Unbound => {
                let text = if text.is_empty() { NOT_CONNECTED.to_string() } else { text };
                return self.accept(tag, Binding::Unbound { code, text }, verb, out);
            }
            Manner::Closes => {
                self.flow = Flow::Close;
                return;
            }
            Manner::Bad => self.push_failure(tag, "BAD", code.as_deref(), &text, out),
            Manner::Rejects => self.push_failure(tag, "NO", code.as_deref(), &text, out),
            Manner::SaysBye => {
                self.push_failure(tag, "NO", code.as_deref(), &text, out);
                self.say_bye(out, "logging out");
            }
        }
        self.count_failure(out);
    }

    /// What becomes of a decision on this connection.
    fn flawed(&self, decision: Decision) -> Decision {
        let refuses = self.failures > 0 && self.authority.flaws().has(Flaw::RefusesAfterFailure);
        if refuses { self.authority.refusal(access(Mechanism::Login)) } else { decision }
    }

    fn accept(&mut self, tag: &[u8], binding: Binding, verb: &str, out: &mut Vec<u8>) {
        self.state = State::Authenticated(binding);
        push_line_start(out, tag, "OK");
        out.extend_from_slice(b" [CAPABILITY");
        self.push_capabilities(out);
        push_line(out, &[b"] ", verb.as_bytes(), b" completed"]);
    }

    fn push_failure(&self, tag: &[u8], condition: &str, code: Option<&str>, text: &str, out: &mut Vec<u8>) {
        let flaws = self.authority.flaws();
        if flaws.has(Flaw::SilentFailure) {
            return;
        }
        if flaws.has(Flaw::UntaggedFailure) {
            push_line_start(out, b"*", condition);
        } else if flaws.has(Flaw::WrongTag) {
            // Still a legal tag, and none that the client has used.
            push_line_start(out, &[b"not-", tag].concat(), condition);
        } else {
            push_line_start(out, tag, condition);
        }
        push_resp_text(out, code, text);
    }

    fn count_failure(&mut self, out: &mut Vec<u8>) {
        self.failures += 1;
        if self.failures >= LAST_FAILURE && self.flow == Flow::Continue {
            self.say_bye(out, "too many logins have failed");
        }
    }
}

fn push_line_start(out: &mut Vec<u8>, tag: &[u8], condition: &str) {
    out.extend_from_slice(tag);
    out.push(b' ');
    out.extend_from_slice(condition.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::follow_imap;
    use super::super::super::flaw::{Flaw, Flaws};

    #[test]
    fn the_exchanges_of_rfc_9051_and_rfc_4959() {
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR UNSELECT AUTH=PLAIN AUTH=LOGIN] …
            C: a001 LOGIN Same Secret-Same
            S: a001 OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR UNSELECT] LOGIN completed
            C: a002 LOGIN Same Secret-Same
            S: a002 BAD …
            "#,
        );
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK …
            C: a001 LOGIN {4}
            S: +
            C: Same {11}
            S: +
            C: Secret-Same
            S: a001 OK …
            "#,
        );
        // NUL Same NUL Secret-Same
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK …
            C: A01 AUTHENTICATE PLAIN AFNhbWUAU2VjcmV0LVNhbWU=
            S: A01 OK …
            "#,
        );
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK …
            C: A01 AUTHENTICATE plain
            S: +
            C: AFNhbWUAU2VjcmV0LVNhbWU=
            S: A01 OK …
            "#,
        );
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK …
            C: A01 AUTHENTICATE LOGIN
            S: + VXNlciBOYW1lAA==
            C: U2FtZQ==
            S: + UGFzc3dvcmQA
            C: U2VjcmV0LVNhbWU=
            S: A01 OK …
            "#,
        );
    }

    #[test]
    fn refusals_of_exchanges() {
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK …
            C: a AUTHENTICATE GSSAPI
            S: a NO [CANNOT] …
            C: b AUTHENTICATE PLAIN
            S: +
            C: *
            S: b BAD …
            C: c AUTHENTICATE PLAIN
            S: +
            C: AFNhbWUAU2VjcmV0LVNhbWU
            S: c BAD …
            C: d AUTHENTICATE PLAIN =
            S: d NO [AUTHENTICATIONFAILED] …
            C: e AUTHENTICATE PLAIN QWxpY2UAU2FtZQBTZWNyZXQtU2FtZQ==
            S: e NO [AUTHORIZATIONFAILED] …
            C: f LOGIN Same wrong
            S: f NO [AUTHENTICATIONFAILED] Authentication failed.
            C: g LOGIN Nobody wrong
            S: g NO [AUTHENTICATIONFAILED] Authentication failed.
            C: h LOGIN Same Secret-Same
            S: h OK …
            "#,
        );
    }

    #[test]
    fn every_manner_of_failing() {
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK …
            C: a LOGIN Domain1/Moved Secret-Moved
            S: a OK …
            C: b EXAMINE INBOX
            S: b BAD User is authenticated but not connected.
            "#,
        );
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK …
            C: a LOGIN Domain1/Ambiguous Secret-Ambiguous
            S: a NO Ambiguous Alias
            C: a LOGIN Domain1/Disabled Secret-Disabled
            S: a NO
            C: a LOGIN bad/form/bad Secret-Disabled
            S: a BAD No such form
            C: a LOGIN bye/form/bye Secret-Disabled
            S: a NO …
            S: * BYE …
            S: closed
            "#,
        );
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK …
            C: a LOGIN Domain1/Nobox Secret-Nobox
            S: closed
            "#,
        );
    }

    #[test]
    fn the_tenth_failure_ends_the_connection() {
        let mut trace = "S: * OK …\n".to_string();
        for _ in 0..9 {
            trace.push_str("C: a LOGIN Same wrong\nS: a NO …\n");
        }
        trace.push_str("C: a LOGIN Same wrong\nS: a NO …\nS: * BYE …\nS: closed\n");
        follow_imap(Flaws::NONE, &trace);
    }

    #[test]
    fn flawed_failures() {
        let trace = |answer: &str| format!("S: * OK …\nC: a LOGIN Same wrong\n{answer}");
        follow_imap(Flaw::WrongTag.into(), &trace("S: not-a NO …"));
        follow_imap(Flaw::UntaggedFailure.into(), &trace("S: * NO …"));
        follow_imap(Flaw::SilentFailure.into(), &trace("C: b NOOP\nS: b OK …"));
        follow_imap(Flaw::ClosesOnWrongPassword.into(), &trace("S: closed"));
    }
}
