//! Whole POP3 logins, as conversations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::axes::Protocol;
use crate::protocol::code::ResponseCode;
use crate::protocol::outcome::Reply;
use crate::protocol::trace::{play, play_with_deviations};
use crate::protocol::{Action, Session};
use crate::secret::Password;

fn session_of(name: &str, mechanism: Mechanism, encoding: Option<Encoding>) -> Session {
    Session::login(Login { encoding, ..Login::new(Protocol::Pop3, mechanism, name, Password::new("Secret-User1")) })
}

fn user_pass() -> Session {
    session_of(r"Domain1\User1", Mechanism::Login, None)
}

/// Plays a conversation that begins with a greeting, `USER` and `PASS`.
fn after_pass(rest: &str) -> Outcome {
    let start = "S: +OK POP3 ready\nC: USER Domain1\\User1\nS: +OK\nC: PASS Secret-User1\n";
    play(user_pass(), &format!("{start}{rest}"))
}

fn reply(text: &str) -> Reply {
    Reply::from_text(text.as_bytes())
}

fn closed(stage: Stage, farewell: Option<&str>) -> Outcome {
    Outcome::Closed { stage, farewell: farewell.map(reply) }
}

fn broken_rule(outcome: &Outcome) -> (&'static str, Stage) {
    match outcome {
        Outcome::Garbled { stage, deviation } => (deviation.rule, *stage),
        other => panic!("not garbled: {other:?}"),
    }
}

fn unnamed(fingerprint: &str) -> Outcome {
    Outcome::Opened { mailbox: None, proof: Proof::Fingerprint(fingerprint.as_bytes().to_vec()) }
}

#[test]
fn known_capabilities_are_not_asked_for() {
    let session = |known: &str| {
        Session::login(Login {
            known_capabilities: Some(known.as_bytes().into()),
            ..Login::new(Protocol::Pop3, Mechanism::Plain, "User1", Password::new("Secret-User1"))
        })
    };
    let refused = play(session("UIDL AUTH=PLAIN"), "S: +OK ready\nC: AUTH PLAIN\nS: -ERR no\nC: QUIT\nS: +OK\n");
    assert_eq!(refused, Outcome::Rejected(reply("no")));
    let lacking = play(session("UIDL"), "S: +OK ready\nC: QUIT\nS: +OK\n");
    assert!(matches!(lacking, Outcome::NotOffered(_)), "{lacking:?}");
}

#[test]
fn the_canary_names_the_mailbox() {
    let outcome = after_pass(
        "S: +OK maildrop locked
         C: STAT
         S: +OK 1 120
         C: TOP 1 0
         S: +OK
         S: Subject: x
         S: X-Loginspec-Mailbox:
         S:  Mailbox1
         S:
         S: ..
         S: .
         C: QUIT
         S: +OK bye",
    );
    assert_eq!(outcome, Outcome::Opened { mailbox: Some(b"Mailbox1".to_vec()), proof: Proof::Canary });
}

#[test]
fn without_a_canary_there_is_a_fingerprint() {
    assert_eq!(after_pass("S: +OK\nC: STAT\nS: +OK 0 0\nC: QUIT\nS: [closed]"), unnamed("STAT 0 0"));
    let no_top = "S: +OK\nC: STAT\nS: +OK 2 320\nC: TOP 1 0\nS: -ERR no TOP\n";
    let no_canary = "S: +OK\nC: STAT\nS: +OK 2 320 octets\nC: TOP 1 0\nS: +OK\nS: Subject: x\nS: .\n\
                     C: TOP 2 0\nS: +OK\nS: Subject: y\nS: .\n";
    let quit = "C: QUIT\nS: +OK";
    for start in [no_top, no_canary] {
        let answered = after_pass(&format!("{start}C: UIDL 1\nS: +OK 1 whqtswO00WBw418f9t5JxYwZ\n{quit}"));
        assert_eq!(answered, unnamed("UIDL whqtswO00WBw418f9t5JxYwZ"));
    }
    let refused = after_pass(&format!("{no_top}C: UIDL 1\nS: -ERR what\n{quit}"));
    assert_eq!(refused, unnamed("STAT 2 320"));
    assert_eq!(after_pass(&format!("{no_canary}C: UIDL 1\nS: +OK\n{quit}")), unnamed("STAT 2 320 octets"));
    let endless = format!("{no_top}C: UIDL 1\nS: +OK 1 {}\n{quit}", "x".repeat(5000));
    assert_eq!(after_pass(&endless), unnamed(&format!("UIDL {}", "x".repeat(70))));
}

#[test]
fn the_first_message_and_the_last_ones_are_searched() {
    let other = |number: u32| format!("C: TOP {number} 0\nS: +OK\nS: Subject: x\nS: .\n");
    let start = format!("S: +OK\nC: STAT\nS: +OK 4000000000 1\n{}{}", other(1), other(4_000_000_000));
    let found = "C: TOP 3999999999 0\nS: +OK\nS: X-Loginspec-Mailbox: Mailbox1\nS: .\nC: QUIT\nS: +OK";
    let opened = Outcome::Opened { mailbox: Some(b"Mailbox1".to_vec()), proof: Proof::Canary };
    assert_eq!(after_pass(&format!("{start}{found}")), opened);
    let none = [3_999_999_999, 3_999_999_998, 3_999_999_997].map(other).concat();
    assert_eq!(after_pass(&format!("{start}{none}C: UIDL 1\nS: +OK 1 u\nC: QUIT\nS: +OK")), unnamed("UIDL u"));
    let gone = format!("{start}C: TOP 3999999999 0\nS: -ERR gone\nC: UIDL 1\nS: +OK 1 u\nC: QUIT\nS: +OK");
    assert_eq!(after_pass(&gone), unnamed("UIDL u"));
    assert_eq!(searched(0), [0; 0]);
    assert_eq!(searched(1), [1]);
    assert_eq!(searched(3), [1, 3, 2]);
    assert_eq!(searched(9), [1, 9, 8, 7, 6]);
}

#[test]
fn rejected_at_the_name_or_at_the_password() {
    let rejected = after_pass("S: -ERR [AUTH] invalid user name or password\nC: QUIT\nS: +OK");
    let text = b"invalid user name or password".to_vec();
    assert_eq!(rejected, Outcome::Rejected(Reply { code: Some(ResponseCode::Auth), text }));
    let trace = "S: +OK\nC: USER Domain1\\User1\nS: -ERR sorry, no mailbox for frated here\nC: QUIT\nS: [closed]";
    assert_eq!(play(user_pass(), trace), Outcome::Rejected(reply("sorry, no mailbox for frated here")));
}

#[test]
fn unbound() {
    let text = "The requested mailbox is not available on this server";
    let outcome = after_pass(&format!("S: +OK\nC: STAT\nS: -ERR {text}\nC: QUIT\nS: +OK"));
    assert_eq!(outcome, Outcome::Unbound(reply(text)));
}

#[test]
fn closed_or_silent_in_every_stage() {
    assert_eq!(play(user_pass(), "S: [closed]"), closed(Stage::Greeting, None));
    assert_eq!(play(user_pass(), "S: [silent]"), Outcome::NoAnswer(Stage::Greeting));
    assert_eq!(play(user_pass(), "S: -ERR [SYS/TEMP] busy"), closed(Stage::Greeting, Some("[SYS/TEMP] busy")));
    assert_eq!(play(user_pass(), "S: +OK\nC: USER Domain1\\User1\nS: [closed]"), closed(Stage::Login, None));
    assert_eq!(after_pass("S: [closed]"), closed(Stage::Login, None));
    assert_eq!(after_pass("S: [silent]"), Outcome::NoAnswer(Stage::Login));
    assert_eq!(after_pass("S: +OK\nC: STAT\nS: [closed]"), closed(Stage::Open, None));
    assert_eq!(after_pass("S: +OK\nC: STAT\nS: +OK 1 1\nC: TOP 1 0\nS: [closed]"), closed(Stage::Canary, None));
    let half = "S: +OK\nC: STAT\nS: +OK 1 1\nC: TOP 1 0\nS: +OK\nS: X-Loginspec-Mailbox: M\nS: [silent]";
    assert_eq!(after_pass(half), Outcome::NoAnswer(Stage::Canary));
}

#[test]
fn auth_plain_as_in_rfc_5034() {
    let tim = |encoding| {
        Session::login(Login {
            encoding: Some(encoding),
            ..Login::new(Protocol::Pop3, Mechanism::Plain, "test", Password::new("test"))
        })
    };
    let capa = "S: +OK POP3 ready\nC: CAPA\nS: +OK List of capabilities follows\nS: SASL DIGEST-MD5 GSSAPI PLAIN\nS: STLS\nS: .\n";
    let rest = "S: -ERR\nC: QUIT\nS: +OK";
    let initial = format!("{capa}C: AUTH PLAIN AHRlc3QAdGVzdA==\n{rest}");
    assert_eq!(play(tim(Encoding::InitialResponse), &initial), Outcome::Rejected(Reply::default()));
    let continued = format!("{capa}C: AUTH PLAIN\nS: + \nC: AHRlc3QAdGVzdA==\n{rest}");
    assert_eq!(play(tim(Encoding::Continuation), &continued), Outcome::Rejected(Reply::default()));
    let early = format!("{capa}C: AUTH PLAIN\nS: +OK");
    assert_eq!(broken_rule(&play(tim(Encoding::Continuation), &early)), (TOO_EARLY, Stage::Login));
    let twice = format!("{capa}C: AUTH PLAIN AHRlc3QAdGVzdA==\nS: + ");
    assert_eq!(broken_rule(&play(tim(Encoding::InitialResponse), &twice)), (NO_CHALLENGE_DUE, Stage::Login));
}

#[test]
fn auth_login() {
    let capa = "S: +OK\nC: CAPA\nS: +OK\nS: sasl login\nS: .\n";
    let session = |name, encoding| session_of(name, Mechanism::SaslLogin, Some(encoding));
    let trace = format!(
        "{capa}C: AUTH LOGIN\nS: + VXNlcm5hbWU6\nC: dGlt\nS: + UGFzc3dvcmQ6\nC: U2VjcmV0LVVzZXIx\nS: -ERR\nC: QUIT\nS: +OK"
    );
    assert_eq!(play(session("tim", Encoding::Continuation), &trace), Outcome::Rejected(Reply::default()));
    let trace = format!("{capa}C: AUTH LOGIN =\nS: + Go\nC: U2VjcmV0LVVzZXIx\nS: -ERR\nC: QUIT\nS: +OK");
    let (outcome, rules) = play_with_deviations(session("", Encoding::InitialResponse), &trace);
    assert_eq!(outcome, Outcome::Rejected(Reply::default()));
    assert_eq!(rules, [CHALLENGE]);
}

#[test]
fn a_long_initial_response_waits_for_the_continuation() {
    let capa = "S: +OK\nC: CAPA\nS: +OK\nS: SASL PLAIN\nS: .\n";
    // `AUTH PLAIN `, 240 letters of BASE64 and CR LF make 253 octets; three more octets of name make 257.
    let longest = "x".repeat(180 - 2 - "Secret-User1".len());
    let session = |name: &str| session_of(name, Mechanism::Plain, Some(Encoding::InitialResponse));
    let mut sasl = session(&longest);
    sasl.receive(b"+OK\r\n+OK\r\nSASL PLAIN\r\n.\r\n");
    assert!(matches!(sasl.poll(), Action::Send(_)));
    let Action::Send(auth) = sasl.poll() else { panic!("no AUTH") };
    assert_eq!(auth.octets.len(), 253);
    let trace = format!("{capa}C: AUTH PLAIN\nS: [silent]");
    assert_eq!(play(session(&format!("{longest}xxx")), &trace), Outcome::NoAnswer(Stage::Login));
}

#[test]
fn what_is_not_offered_is_not_asked_for() {
    let plain = || session_of("tim", Mechanism::Plain, None);
    let none = play(plain(), "S: +OK\nC: CAPA\nS: -ERR unknown\nC: QUIT\nS: +OK");
    assert_eq!(none, Outcome::NotOffered("AUTH PLAIN (no CAPA)".into()));
    let other = play(plain(), "S: +OK\nC: CAPA\nS: +OK\nS: USER\nS: SASL LOGIN PLAINER\nS: .\nC: QUIT\nS: +OK");
    assert_eq!(other, Outcome::NotOffered("AUTH PLAIN".into()));
}

#[test]
fn what_nobody_asked_for_garbles() {
    assert_eq!(broken_rule(&play(user_pass(), "S: + ")), (GREETING, Stage::Greeting));
    assert_eq!(broken_rule(&after_pass("S: + ")), (NO_CONTINUATION_DUE, Stage::Login));
    assert_eq!(broken_rule(&after_pass("S: +OK\nC: STAT\nS: +OK many")), (STAT, Stage::Open));
    assert!(matches!(play(user_pass(), "S: * OK IMAP4rev1"), Outcome::Garbled { .. }));
}

fn apop(fault: Option<Fault>) -> Session {
    Session::login(Login { fault, ..Login::new(Protocol::Pop3, Mechanism::Apop, "mrose", Password::new("tanstaaf")) })
}

#[test]
fn apop_as_in_rfc_1939() {
    let greeting = "S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\n";
    let trace = format!("{greeting}C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\n");
    let opened = play(apop(None), &format!("{trace}S: +OK\nC: STAT\nS: +OK 0 0\nC: QUIT\nS: +OK"));
    assert_eq!(opened, Outcome::Opened { mailbox: None, proof: Proof::Fingerprint(b"STAT 0 0".to_vec()) });
    assert_eq!(play(apop(None), &format!("{trace}S: -ERR no\nC: QUIT\nS: +OK")), Outcome::Rejected(reply("no")));
    let short = format!("{greeting}C: APOP mrose c4c9334bac560ecc979e58001b3e22f\nS: -ERR\nC: QUIT\nS: +OK");
    assert_eq!(play(apop(Some(Fault::ShortDigest)), &short), Outcome::Rejected(Reply::default()));
}

#[test]
fn apop_needs_a_timestamp() {
    let none = play(apop(None), "S: +OK POP3 server ready\nC: QUIT\nS: +OK");
    assert_eq!(none, Outcome::NotOffered("APOP (no timestamp in the greeting)".into()));
    let mut session = apop(None);
    session.receive(b"+OK <1>\r\n");
    assert!(matches!(session.poll(), Action::Send(command) if command.octets.starts_with(b"APOP mrose ")));
    assert_eq!(session.deviations().first().map(|deviation| deviation.rule), Some(TIMESTAMP));
    let acting =
        Login { authzid: Some("x".into()), ..Login::new(Protocol::Pop3, Mechanism::Apop, "m", Password::new("p")) };
    let outcome = Session::login(acting).outcome();
    assert_eq!(outcome, Outcome::NotOffered("an authorization identity with apop".into()));
}

#[test]
fn auth_cram_md5_as_in_rfc_2195() {
    let capa = "S: +OK\nC: CAPA\nS: +OK\nS: SASL CRAM-MD5\nS: .\n";
    let login = Login::new(Protocol::Pop3, Mechanism::CramMd5, "tim", Password::new("tanstaaftanstaaf"));
    let trace = format!(
        "{capa}C: AUTH CRAM-MD5\nS: + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
         C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\nS: -ERR\nC: QUIT\nS: +OK"
    );
    assert_eq!(play(Session::login(login), &trace), Outcome::Rejected(Reply::default()));
}

#[test]
fn a_success_without_rspauth_is_none() {
    let challenge = STANDARD.encode(r#"nonce="a",algorithm=md5-sess"#);
    let mut session = session_of("tim", Mechanism::DigestMd5, None);
    session.receive(format!("+OK\r\n+OK\r\nSASL DIGEST-MD5\r\n.\r\n+ {challenge}\r\n").as_bytes());
    let mut last = None;
    while let Action::Send(outgoing) = session.poll() {
        last = Some(outgoing);
    }
    let response = last.expect("a response");
    assert!(
        response.meaning.is_some_and(|meaning| meaning.contains("digest-uri=\"pop/localhost\",response=<password>"))
    );
    session.receive(b"+OK\r\n");
    assert_eq!(session.poll(), Action::Finished);
    assert!(broken_rule(&session.outcome()).0.contains("rspauth"));
}
