//! Whole IMAP logins, as conversations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::axes::Protocol;
use crate::protocol::code::ResponseCode;
use crate::protocol::outcome::Proof;
use crate::protocol::sasl::NO_CHALLENGE_DUE;
use crate::protocol::trace::{play, play_with_deviations};
use crate::protocol::{Action, Session};
use crate::secret::Password;

fn session(mechanism: Mechanism, encoding: Encoding) -> Session {
    session_of(r"Domain1\User1", mechanism, encoding)
}

fn session_of(name: &str, mechanism: Mechanism, encoding: Encoding) -> Session {
    Session::login(Login {
        encoding: Some(encoding),
        ..Login::new(Protocol::Imap, mechanism, name, Password::new("Secret-User1"))
    })
}

fn quoted() -> Session {
    session(Mechanism::Login, Encoding::Quoted)
}

/// Plays a conversation that begins with a greeting without capabilities and a `LOGIN` in quoted strings.
fn after_login(rest: &str) -> Outcome {
    let start = "S: * OK ready\nC: a1 CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: a1 OK done\n\
                 C: a2 LOGIN \"Domain1\\\\User1\" \"Secret-User1\"\n";
    play(quoted(), &format!("{start}{rest}"))
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

const FETCH: &str = "FETCH 1:1 (BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)])";

#[test]
fn known_capabilities_are_not_asked_for() {
    let login = |known: &str| Login {
        known_capabilities: Some(known.as_bytes().into()),
        ..Login::new(Protocol::Imap, Mechanism::Plain, "User1", Password::new("Secret-User1"))
    };
    let known = "IMAP4REV1 AUTH=PLAIN";
    let outcome = play(
        Session::login(login(known)),
        "S: * OK ready\nC: a1 AUTHENTICATE PLAIN\nS: a1 NO no\nC: a2 LOGOUT\nS: a2 OK\n",
    );
    assert_eq!(outcome, Outcome::Rejected(reply("no")));
    // What the greeting says counts, for it is newer.
    let greeting = "S: * OK [CAPABILITY IMAP4rev1] ready\nC: a1 LOGOUT\nS: a1 OK\n";
    assert_eq!(play(Session::login(login(known)), greeting), Outcome::NotOffered("AUTH=PLAIN".into()));
}

#[test]
fn the_canary_names_the_mailbox() {
    let outcome = after_login(&format!(
        "S: * CAPABILITY IMAP4rev1 IDLE
         S: a2 OK [CAPABILITY IMAP4rev1] LOGIN completed
         C: a3 EXAMINE INBOX
         S: * FLAGS (\\Answered \\Seen)
         S: * 1 EXISTS
         S: * OK [UIDVALIDITY 3857529045] UIDs valid
         S: a3 OK [READ-ONLY] EXAMINE completed
         C: a4 {FETCH}
         S: * 1 FETCH (BODY[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)] {{33}}
         S: X-Loginspec-Mailbox: Mailbox1
         S:
         S: )
         S: a4 OK FETCH completed
         C: a5 LOGOUT
         S: * BYE
         S: a5 OK
        "
    ));
    assert_eq!(outcome, Outcome::Opened { mailbox: Some(b"Mailbox1".to_vec()), proof: Proof::Canary });
}

#[test]
fn many_messages_are_searched_up_to_a_bound() {
    let outcome = after_login(
        "S: a2 OK
         C: a3 EXAMINE INBOX
         S: * 4000000000 EXISTS
         S: a3 OK
         C: a4 FETCH 1:8,3999999993:4000000000 (BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)])
         S: * 1 FETCH (BODY[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)] NIL)
         S: * 2 FETCH (BODY[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)] \"X-Loginspec-Mailbox: M2\")
         S: * 3 FETCH (BODY[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)] \"X-Loginspec-Mailbox: M3\")
         S: a4 OK
         C: a5 LOGOUT
         S: [silent]",
    );
    assert_eq!(outcome, Outcome::Opened { mailbox: Some(b"M2".to_vec()), proof: Proof::Canary });
}

#[test]
fn without_a_canary_there_is_no_proof() {
    let unproven = Outcome::Opened { mailbox: None, proof: Proof::None };
    let empty = "S: a2 OK\nC: a3 EXAMINE INBOX\nS: * 0 EXISTS\nS: a3 OK\nC: a4 LOGOUT\nS: [closed]";
    assert_eq!(after_login(empty), unproven);
    for answer in ["OK", "NO", "BAD"] {
        let rest = format!(
            "S: a2 OK\nC: a3 EXAMINE INBOX\nS: * 1 EXISTS\nS: a3 OK\nC: a4 {FETCH}\nS: a4 {answer}\nC: a5 LOGOUT\nS: a5 OK"
        );
        assert_eq!(after_login(&rest), unproven);
    }
}

#[test]
fn messages_told_before_the_login_do_not_count() {
    let outcome = after_login("S: * 5 EXISTS\nS: a2 OK\nC: a3 EXAMINE INBOX\nS: a3 OK\nC: a4 LOGOUT\nS: a4 OK");
    assert_eq!(outcome, Outcome::Opened { mailbox: None, proof: Proof::None });
}

#[test]
fn accepted_but_unbound() {
    let answer = |answer: &str| after_login(&format!("S: a2 OK\nC: a3 EXAMINE INBOX\n{answer}"));
    let connected = "User is authenticated but not connected.";
    let bad = answer(&format!("S: a3 BAD {connected}\nC: a4 LOGOUT\nS: a4 OK"));
    assert_eq!(bad, Outcome::Unbound(reply(connected)));
    assert_eq!(
        answer("S: a3 NO [NONEXISTENT] no\nC: a4 LOGOUT\nS: a4 OK"),
        Outcome::Unbound(reply("[NONEXISTENT] no"))
    );
    assert_eq!(answer("S: * BYE gone\nS: [closed]"), Outcome::Unbound(reply("gone")));
    assert_eq!(answer("S: [closed]"), closed(Stage::Open, None));
    assert_eq!(answer("S: [silent]"), Outcome::NoAnswer(Stage::Open));
}

#[test]
fn rejected_and_bad() {
    let rejected = after_login("S: a2 NO [AUTHENTICATIONFAILED] no\nC: a3 LOGOUT\nS: * BYE\nS: a3 OK");
    assert_eq!(
        rejected,
        Outcome::Rejected(Reply { code: Some(ResponseCode::AuthenticationFailed), text: b"no".to_vec() })
    );
    assert_eq!(after_login("S: a2 NO\nC: a3 LOGOUT\nS: [closed]"), Outcome::Rejected(Reply::default()));
    assert_eq!(after_login("S: a2 BAD syntax\nC: a3 LOGOUT\nS: [closed]"), Outcome::Bad(reply("syntax")));
    let farewell = after_login("S: * BYE too many\nS: a2 NO no\nC: a3 LOGOUT\nS: [closed]");
    assert_eq!(farewell, Outcome::Rejected(reply("no")), "the tagged NO wins over the BYE");
}

#[test]
fn closed_or_silent_in_every_stage() {
    assert_eq!(play(quoted(), "S: [closed]"), closed(Stage::Greeting, None));
    assert_eq!(play(quoted(), "S: [silent]"), Outcome::NoAnswer(Stage::Greeting));
    assert_eq!(play(quoted(), "S: * BYE [ALERT] full"), closed(Stage::Greeting, Some("[ALERT] full")));
    let greeted = |rest: &str| play(quoted(), &format!("S: * OK\nC: a1 CAPABILITY\n{rest}"));
    assert_eq!(greeted("S: [closed]"), closed(Stage::Capabilities, None));
    assert_eq!(greeted("S: [silent]"), Outcome::NoAnswer(Stage::Capabilities));
    assert_eq!(after_login("S: * BYE go away\nS: [closed]"), closed(Stage::Login, Some("go away")));
    assert_eq!(after_login("S: [closed]"), closed(Stage::Login, None));
    assert_eq!(after_login("S: [silent]"), Outcome::NoAnswer(Stage::Login));
    let fetching = format!("S: a2 OK\nC: a3 EXAMINE INBOX\nS: * 1 EXISTS\nS: a3 OK\nC: a4 {FETCH}\n");
    assert_eq!(after_login(&format!("{fetching}S: [closed]")), closed(Stage::Canary, None));
    assert_eq!(after_login(&format!("{fetching}S: [silent]")), Outcome::NoAnswer(Stage::Canary));
    let half = format!("{fetching}S: * 1 FETCH (BODY[] {{500}}\nS: never more\nS: [silent]");
    assert_eq!(after_login(&half), Outcome::NoAnswer(Stage::Canary));
}

#[test]
fn capabilities_in_the_greeting_are_enough() {
    let trace = "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] Dovecot ready.
                 C: a1 LOGIN \"Domain1\\\\User1\" \"Secret-User1\"
                 S: a1 NO\nC: a2 LOGOUT\nS: [closed]";
    assert_eq!(play(quoted(), trace), Outcome::Rejected(Reply::default()));
}

#[test]
fn a_server_without_capability_is_asked_to_log_in_all_the_same() {
    let trace = "S: * OK\nC: a1 CAPABILITY\nS: a1 BAD unknown
                 C: a2 LOGIN \"Domain1\\\\User1\" \"Secret-User1\"
                 S: a2 NO\nC: a3 LOGOUT\nS: [closed]";
    assert_eq!(play(quoted(), trace), Outcome::Rejected(Reply::default()));
}

#[test]
fn what_is_not_offered_is_not_asked_for() {
    let cases = [
        (Mechanism::Login, Encoding::Quoted, "LOGINDISABLED", Missing::LoginDisabled),
        (Mechanism::Login, Encoding::LiteralPlus, "IMAP4rev1", "LITERAL+".into()),
        (Mechanism::Plain, Encoding::Continuation, "AUTH=LOGIN", "AUTH=PLAIN".into()),
        (Mechanism::SaslLogin, Encoding::Continuation, "AUTH=PLAIN", "AUTH=LOGIN".into()),
        (Mechanism::Plain, Encoding::InitialResponse, "auth=plain", "SASL-IR".into()),
    ];
    for (mechanism, encoding, capabilities, missing) in cases {
        let trace = format!("S: * OK [CAPABILITY {capabilities}]\nC: a1 LOGOUT\nS: * BYE\nS: a1 OK");
        assert_eq!(play(session(mechanism, encoding), &trace), Outcome::NotOffered(missing));
    }
    let preauth = play(quoted(), "S: * PREAUTH logged in as Smith\nC: a1 LOGOUT\nS: a1 OK");
    assert_eq!(preauth, Outcome::NotOffered("a login: the greeting is PREAUTH".into()));
}

#[test]
fn literal_minus_is_for_short_literals() {
    let long = "x".repeat(LITERAL_MINUS_LIMIT + 1);
    let trace = "S: * OK [CAPABILITY LITERAL-]\nC: a1 LOGOUT\nS: [closed]";
    let outcome = play(session_of(&long, Mechanism::Login, Encoding::LiteralPlus), trace);
    assert_eq!(outcome, Outcome::NotOffered("LITERAL+".into()));
    let trace = "S: * OK [CAPABILITY LITERAL-]\nC: a1 LOGIN {2+}\nC: me {12+}\nC: Secret-User1
                 S: a1 NO\nC: a2 LOGOUT\nS: [closed]";
    let outcome = play(session_of("me", Mechanism::Login, Encoding::LiteralPlus), trace);
    assert_eq!(outcome, Outcome::Rejected(Reply::default()));
}

#[test]
fn literals_wait_for_the_server() {
    let begun = "S: * OK [CAPABILITY IMAP4rev1]\nC: a1 LOGIN {13}\n";
    let whole = format!(
        "{begun}S: + Ready for additional command text\nC: Domain1\\User1 {{12}}\nS: +\nC: Secret-User1
         S: a1 NO\nC: a2 LOGOUT\nS: a2 OK"
    );
    let literal = || session(Mechanism::Login, Encoding::Literal);
    assert_eq!(play(literal(), &whole), Outcome::Rejected(Reply::default()));
    let refused = format!("{begun}S: a1 BAD no literals\nC: a2 LOGOUT\nS: [closed]");
    assert_eq!(play(literal(), &refused), Outcome::Bad(reply("no literals")));
    let early = format!("{begun}S: a1 OK welcome");
    assert_eq!(broken_rule(&play(literal(), &early)), (TOO_EARLY, Stage::Login));
    let closed_early = format!("{begun}S: [closed]");
    assert_eq!(play(literal(), &closed_early), closed(Stage::Login, None));
}

#[test]
fn authenticate_plain() {
    let blob = "AERvbWFpbjFcVXNlcjEAU2VjcmV0LVVzZXIx";
    let trace = format!(
        "S: * OK [CAPABILITY AUTH=PLAIN]\nC: a1 AUTHENTICATE PLAIN\nS: + \nC: {blob}\nS: a1 NO\nC: a2 LOGOUT\nS: a2 OK"
    );
    assert_eq!(play(session(Mechanism::Plain, Encoding::Continuation), &trace), Outcome::Rejected(Reply::default()));
    let trace = format!(
        "S: * OK [CAPABILITY AUTH=PLAIN SASL-IR]\nC: a1 AUTHENTICATE PLAIN {blob}\nS: a1 NO\nC: a2 LOGOUT\nS: a2 OK"
    );
    assert_eq!(play(session(Mechanism::Plain, Encoding::InitialResponse), &trace), Outcome::Rejected(Reply::default()));
    let trace = "S: * OK [CAPABILITY AUTH=PLAIN]\nC: a1 AUTHENTICATE PLAIN\nS: a1 OK who are you?";
    let outcome = play(session(Mechanism::Plain, Encoding::Continuation), trace);
    assert_eq!(broken_rule(&outcome), (TOO_EARLY, Stage::Login));
}

#[test]
fn authenticate_login() {
    let trace = "S: * OK [CAPABILITY AUTH=LOGIN]\nC: a1 AUTHENTICATE LOGIN
                 S: + VXNlciBOYW1lAA==\nC: RG9tYWluMVxVc2VyMQ==
                 S: + UGFzc3dvcmQA\nC: U2VjcmV0LVVzZXIx
                 S: a1 NO\nC: a2 LOGOUT\nS: a2 OK";
    assert_eq!(play(session(Mechanism::SaslLogin, Encoding::Continuation), trace), Outcome::Rejected(Reply::default()));
    let once_more = trace.replace("S: a1 NO\nC: a2 LOGOUT\nS: a2 OK", "S: + T25jZSBtb3Jl");
    let outcome = play(session(Mechanism::SaslLogin, Encoding::Continuation), &once_more);
    assert_eq!(broken_rule(&outcome), (NO_CHALLENGE_DUE, Stage::Login));
}

#[test]
fn a_challenge_that_is_no_base64_is_tolerated_and_noted() {
    let trace = "S: * OK [CAPABILITY AUTH=LOGIN SASL-IR]\nC: a1 AUTHENTICATE LOGIN =
                 S: + Password:\nC: U2VjcmV0LVVzZXIx\nS: a1 NO\nC: a2 LOGOUT\nS: [closed]";
    let session = session_of("", Mechanism::SaslLogin, Encoding::InitialResponse);
    let (outcome, rules) = play_with_deviations(session, trace);
    assert_eq!(outcome, Outcome::Rejected(Reply::default()));
    assert_eq!(rules, [CHALLENGE]);
}

#[test]
fn what_nobody_asked_for_garbles() {
    assert_eq!(broken_rule(&after_login("S: a1 OK")), (TAG, Stage::Login));
    assert_eq!(broken_rule(&after_login("S: A2 OK")), (TAG, Stage::Login));
    assert_eq!(broken_rule(&after_login("S: + go on")), (NO_CONTINUATION_DUE, Stage::Login));
    for greeting in ["+ hello", "a0 OK", "* NO", "* BAD", "* CAPABILITY IMAP4rev1"] {
        let outcome = play(quoted(), &format!("S: {greeting}"));
        assert_eq!(broken_rule(&outcome), (GREETING, Stage::Greeting), "{greeting}");
    }
    for greeting in ["+OK POP3", "220 ESMTP", "", "SSH-2.0-OpenSSH_9.6"] {
        assert!(matches!(play(quoted(), &format!("S: {greeting}")), Outcome::Garbled { .. }), "{greeting}");
    }
}

#[test]
fn a_deviation_knows_its_place_in_the_stream() {
    let mut session = quoted();
    session.receive(b"* OK\r\na1 OK\r\na9 OK\r\n");
    while matches!(session.poll(), Action::Send(_)) {}
    let Outcome::Garbled { deviation, .. } = session.outcome() else { panic!("not garbled") };
    assert_eq!(deviation, Deviation { rule: TAG, octet: Some(b'a'), index: 13 });
}

#[test]
fn after_the_goodbye_nothing_changes_the_outcome() {
    for noise in ["S: a9 OK\nS: + x\nS: nonsense\nS: [closed]", "S: [silent]", "S: * BYE\nS: a3 BAD"] {
        let outcome = after_login(&format!("S: a2 NO no\nC: a3 LOGOUT\n{noise}"));
        assert_eq!(outcome, Outcome::Rejected(reply("no")));
    }
}

#[test]
fn what_we_cannot_spell_finishes_at_once() {
    for (mechanism, encoding) in [(Mechanism::Apop, Encoding::Continuation), (Mechanism::Plain, Encoding::Quoted)] {
        let mut session = session(mechanism, encoding);
        assert_eq!(session.poll(), Action::Finished);
        assert!(matches!(session.outcome(), Outcome::NotOffered(_)));
    }
}

fn faulty(mechanism: Mechanism, encoding: Encoding, fault: Fault) -> Session {
    Session::login(Login {
        encoding: Some(encoding),
        fault: Some(fault),
        ..Login::new(Protocol::Imap, mechanism, "User1", Password::new("Secret-User1"))
    })
}

#[test]
fn a_success_without_the_servers_proof_is_none() {
    let nonce = "0".repeat(32);
    let first = STANDARD.encode(format!("n,,n=User1,r={nonce}"));
    let server_first = STANDARD.encode(format!("r={nonce}x,s=QUJD,i=4096"));
    let begun = format!(
        "S: * OK [CAPABILITY AUTH=SCRAM-SHA-1]\nC: a1 AUTHENTICATE SCRAM-SHA-1\nS: + \nC: {first}\nS: + {server_first}\n"
    );
    let scram = || session_of("User1", Mechanism::ScramSha1, Encoding::Continuation);
    let last =
        "C: Yz1iaXdzLHI9MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDB4LHA9eFdQcFFCR1lYUDY0bDVmMEJ2UEhhcFhEYVVrPQ==";
    let outcome = play(scram(), &format!("{begun}{last}\nS: a1 OK welcome"));
    assert!(broken_rule(&outcome).0.contains("signature"), "{outcome:?}");
    // The server says why it refuses, and the client lets it (RFC 5802 §7).
    let refused = format!("{begun}{last}\nS: + ZT1pbnZhbGlkLXByb29m\nC: \nS: a1 ");
    assert_eq!(play(scram(), &format!("{refused}NO\nC: a2 LOGOUT\nS: [closed]")), Outcome::Rejected(Reply::default()));
    assert!(broken_rule(&play(scram(), &format!("{refused}OK"))).0.contains("e="));
    let forged = play(scram(), &format!("{begun}{last}\nS: + dj1RUT09"));
    assert!(broken_rule(&forged).0.contains("proves"), "{forged:?}");
}

#[test]
fn a_cancelled_exchange_is_bad() {
    let trace = "S: * OK [CAPABILITY AUTH=PLAIN]\nC: a1 AUTHENTICATE PLAIN\nS: + \nC: *\nS: a1 BAD cancelled
                 C: a2 LOGOUT\nS: [closed]";
    let outcome = play(faulty(Mechanism::Plain, Encoding::Continuation, Fault::Cancelled), trace);
    assert_eq!(outcome, Outcome::Bad(reply("cancelled")));
    let trace =
        "S: * OK [CAPABILITY AUTH=PLAIN SASL-IR]\nC: a1 AUTHENTICATE PLAIN =\nS: a1 NO\nC: a2 LOGOUT\nS: [closed]";
    let outcome = play(faulty(Mechanism::Plain, Encoding::InitialResponse, Fault::EmptyResponse), trace);
    assert_eq!(outcome, Outcome::Rejected(Reply::default()));
}

#[test]
fn a_fault_that_is_taken_is_a_login() {
    let nonce = "0".repeat(32);
    let mut session = faulty(Mechanism::ScramSha1, Encoding::Continuation, Fault::WrongNonce);
    let server_first = STANDARD.encode(format!("r={nonce}x,s=QUJD,i=4096"));
    let said = format!("* OK [CAPABILITY AUTH=SCRAM-SHA-1]\r\n+ \r\n+ {server_first}\r\na1 OK\r\na2 OK\r\n");
    session.receive(said.as_bytes());
    while matches!(session.poll(), Action::Send(_)) {}
    assert_eq!(session.outcome(), Outcome::Opened { mailbox: None, proof: Proof::None });
}

#[test]
fn channel_binding_needs_tls_and_a_downgrade_needs_an_offer() {
    let plus = "S: * OK [CAPABILITY AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-1]\n";
    let trace = format!("{plus}C: a1 LOGOUT\nS: [closed]");
    let outcome = play(session(Mechanism::ScramSha1Plus, Encoding::Continuation), &trace);
    assert_eq!(outcome, Outcome::NotOffered("channel binding (no TLS)".into()));
    let mut bound = session(Mechanism::ScramSha1Plus, Encoding::Continuation);
    bound.secured(Secured { exporter: Some([1; 32]), ..Secured::default() });
    bound.receive(b"* OK [CAPABILITY AUTH=SCRAM-SHA-1-PLUS]\r\n+ \r\n");
    assert!(matches!(bound.poll(), Action::Send(_)));
    let Action::Send(first) = bound.poll() else { panic!("no response") };
    assert!(first.meaning.is_some_and(|meaning| meaning.starts_with("p=tls-exporter,,n=")));
    let trace = "S: * OK [CAPABILITY AUTH=SCRAM-SHA-1]\nC: a1 LOGOUT\nS: [closed]";
    let denies = faulty(Mechanism::ScramSha1, Encoding::Continuation, Fault::ChannelBindingDowngrade);
    assert_eq!(play(denies, trace), Outcome::NotOffered("AUTH=SCRAM-SHA-1-PLUS".into()));
}

#[test]
fn few_iterations_and_no_quality_are_told() {
    let mut session = session_of("User1", Mechanism::ScramSha1, Encoding::Continuation);
    let server_first = STANDARD.encode(format!("r={}x,s=QUJD,i=5", "0".repeat(32)));
    let said = format!("* OK [CAPABILITY AUTH=SCRAM-SHA-1]\r\n+ \r\n+ {server_first}\r\n");
    session.receive(said.as_bytes());
    while matches!(session.poll(), Action::Send(_)) {}
    assert!(session.deviations().iter().any(|deviation| deviation.rule.contains("RFC 5802 §5.1")));
    let challenge = STANDARD.encode(r#"nonce="a",algorithm=md5-sess,qop="auth-conf""#);
    let trace = format!("S: * OK [CAPABILITY AUTH=DIGEST-MD5]\nC: a1 AUTHENTICATE DIGEST-MD5\nS: + {challenge}");
    let outcome = play(session_of("User1", Mechanism::DigestMd5, Encoding::Continuation), &trace);
    assert_eq!(outcome, Outcome::NotOffered("DIGEST-MD5 with qop=auth".into()));
}

#[test]
fn without_a_canary_the_uidvalidity_is_the_fingerprint() {
    let start = "S: * OK [UIDVALIDITY 7] too early\nS: a2 OK\nC: a3 EXAMINE INBOX\n";
    let of = |rest: &str| match after_login(&format!("{start}{rest}S: a3 OK\nC: a4 LOGOUT\nS: a4 OK")) {
        Outcome::Opened { mailbox: None, proof } => proof,
        other => panic!("{other:?}"),
    };
    assert_eq!(of("S: * OK [uidvalidity 385752904] fine\n"), Proof::Fingerprint(b"UIDVALIDITY 385752904".to_vec()));
    for none in ["", "S: * OK [UIDVALIDITY x]\n", "S: * OK [UIDVALIDITY ]\n", "S: * OK UIDVALIDITY 3\n"] {
        assert_eq!(of(none), Proof::None, "{none}");
    }
}
