//! Conversations that ask for TLS before anything else.

use crate::axes::{Mechanism, Protocol, Security};
use crate::protocol::dialogue::{DialogueStep, Expected, WordPattern};
use crate::protocol::outcome::{Outcome, Proof, Reply, Stage};
use crate::protocol::session::INJECTED;
use crate::protocol::trace::{play, play_with_deviations};
use crate::protocol::{Action, Login, Missing, Outgoing, Secured, Session};
use crate::secret::Password;

fn login(protocol: Protocol, mechanism: Mechanism) -> Session {
    let login = Login::new(protocol, mechanism, "User1", Password::new("Secret-User1"));
    Session::login(Login { security: Security::Starttls, ..login })
}

fn imap() -> Session {
    login(Protocol::Imap, Mechanism::Login)
}

fn pop3() -> Session {
    login(Protocol::Pop3, Mechanism::Login)
}

const NO_PROOF: Outcome = Outcome::Opened { mailbox: None, proof: Proof::None };

const AFTER_TLS: &str = "C: a1 CAPABILITY
     S: * CAPABILITY IMAP4rev1
     S: a1 OK
     C: a2 LOGIN \"User1\" \"Secret-User1\"
     S: a2 OK
     C: a3 EXAMINE INBOX
     S: a3 OK
     C: a4 LOGOUT
     S: a4 OK";

#[test]
fn imap_forgets_what_was_offered_before_tls() {
    let start = "S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready
         C: t1 STARTTLS
         S: * OK still here
         S: t1 OK begin
         S: [tls]\n";
    assert_eq!(play(imap(), &format!("{start}{AFTER_TLS}")), NO_PROOF);
    let other_code = start.replace("[CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED]", "[ALERT]");
    assert_eq!(play(imap(), &format!("{other_code}{AFTER_TLS}")), NO_PROOF);
}

#[test]
fn pop3_logs_in_within_tls() {
    let trace = "S: +OK ready
         C: STLS
         S: +OK begin
         S: [tls]
         C: USER User1
         S: +OK
         C: PASS Secret-User1
         S: -ERR no
         C: QUIT
         S: +OK";
    assert_eq!(play(pop3(), trace), Outcome::Rejected(Reply::from_text(b"no")));
}

#[test]
fn a_refusal_is_not_offered() {
    let offered = |command: &str| Outcome::NotOffered(command.into());
    for answer in ["NO not now", "BAD what?"] {
        let trace = format!("S: * OK\nC: t1 STARTTLS\nS: t1 {answer}\nC: t2 LOGOUT\nS: * BYE\nS: t2 OK");
        assert_eq!(play(imap(), &trace), offered("STARTTLS"));
    }
    assert_eq!(play(pop3(), "S: +OK\nC: STLS\nS: -ERR\nC: QUIT\nS: +OK"), offered("STLS"));
    let preauth = "S: * PREAUTH [CAPABILITY IMAP4rev1] hello\nC: t2 LOGOUT\nS: t2 OK";
    assert_eq!(play(imap(), preauth), offered("STARTTLS (PREAUTH greeting)"));
}

#[test]
fn closed_silent_or_garbled() {
    let closed = |stage, text: Option<&str>| Outcome::Closed {
        stage,
        farewell: text.map(|text| Reply::from_text(text.as_bytes())),
    };
    assert_eq!(play(imap(), "S: * BYE full"), closed(Stage::Greeting, Some("full")));
    assert_eq!(play(pop3(), "S: -ERR full"), closed(Stage::Greeting, Some("full")));
    assert_eq!(play(imap(), "S: [closed]"), closed(Stage::Greeting, None));
    assert_eq!(play(imap(), "S: * OK\nC: t1 STARTTLS\nS: * BYE out\nS: [closed]"), closed(Stage::Tls, Some("out")));
    assert_eq!(play(imap(), "S: * OK\nC: t1 STARTTLS\nS: [silent]"), Outcome::NoAnswer(Stage::Tls));
    assert_eq!(play(imap(), "S: [silent]"), Outcome::NoAnswer(Stage::Greeting));
    for garbled in ["S: a1 OK", "S: * OK\nC: t1 STARTTLS\nS: a1 OK", "S: * OK\nC: t1 STARTTLS\nS: + go"] {
        assert!(matches!(play(imap(), garbled), Outcome::Garbled { .. }), "{garbled}");
    }
    for garbled in ["S: + hello", "S: +OK\nC: STLS\nS: + go"] {
        assert!(matches!(play(pop3(), garbled), Outcome::Garbled { .. }), "{garbled}");
    }
}

#[test]
fn a_handshake_that_fails_ends_it() {
    let trace = "S: * OK\nC: t1 STARTTLS\nS: t1 OK\nS: [no tls]";
    assert_eq!(play(imap(), trace), Outcome::TlsFailed("no tls".to_owned()));
}

#[test]
fn what_is_injected_is_noted_and_never_heard() {
    let trace =
        format!("S: * OK\nC: t1 STARTTLS\nS: t1 OK\nS: * CAPABILITY LOGINDISABLED\nS: a1 OK\nS: [tls]\n{AFTER_TLS}");
    assert_eq!(play_with_deviations(imap(), &trace), (NO_PROOF, vec![INJECTED]));
    // The same where it comes in one piece with the answer.
    let mut session = imap();
    session.receive(b"* OK\r\n");
    assert!(matches!(session.poll(), Action::Send(_)));
    session.receive(b"t1 OK\r\n* BYE\r\na1");
    assert_eq!(session.poll(), Action::StartTls);
    assert_eq!(session.stage(), Stage::Tls);
    assert_eq!(session.poll(), Action::StartTls, "until the handshake is over there is nothing else to do");
    session.secured(Secured::default());
    let [noted] = session.deviations() else { panic!("{:?}", session.deviations()) };
    assert_eq!((noted.rule, noted.octet, noted.index), (INJECTED, Some(b'*'), 13));
    assert_eq!(session.poll(), Action::Send(Outgoing::plain("a1 CAPABILITY\r\n")));
    assert_eq!(session.stage(), Stage::Capabilities);
    session.receive(b"* CAPABILITY LOGINDISABLED\r\na1 OK\r\n");
    assert!(matches!(session.poll(), Action::Send(_)));
    assert_eq!(session.outcome(), Outcome::NotOffered(Missing::LoginDisabled));
}

#[test]
fn a_dialogue_hears_the_greeting_within_tls() {
    let line = |words: &[&str]| {
        let words = words.iter().map(|word| WordPattern::words([*word])).collect();
        DialogueStep::Expect(vec![Expected::Line { words }])
    };
    let script =
        || vec![line(&["*", "OK", "ready"]), DialogueStep::Send(Outgoing::plain("a x\r\n")), line(&["a", "NO"])];
    let start = "S: * OK [CAPABILITY X] ready\nC: t1 STARTTLS\nS: t1 OK\n";
    let dialogue = || Session::dialogue(Protocol::Imap, Security::Starttls, script());
    assert_eq!(play(dialogue(), &format!("{start}S: [tls]\nC: a x\nS: a NO")), Outcome::Followed);
    assert_eq!(play(dialogue(), &format!("{start}S: [no tls]")), Outcome::TlsFailed("no tls".to_owned()));
    let refused = start.replace("t1 OK", "t1 BAD") + "C: t2 LOGOUT\nS: t2 OK";
    assert_eq!(play(dialogue(), &refused), Outcome::NotOffered("STARTTLS".into()));
}

#[test]
fn with_implicit_tls_there_is_no_prelude() {
    let login = Login::new(Protocol::Pop3, Mechanism::Login, "User1", Password::new("Secret-User1"));
    let session = || Session::login(Login { security: Security::Tls, ..login.clone() });
    let mut secured = session();
    secured.secured(Secured::default());
    assert_eq!(play(secured, "S: +OK\nC: USER User1\nS: -ERR\nC: QUIT\nS: +OK"), Outcome::Rejected(Reply::default()));
    let mut failed = session();
    failed.tls_failed("expired".to_owned());
    assert_eq!(play(failed, ""), Outcome::TlsFailed("expired".to_owned()));
}
