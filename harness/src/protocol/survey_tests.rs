//! Surveys, as conversations.

use super::*;
use crate::axes::{Mechanism, Security};
use crate::protocol::trace::play;
use crate::protocol::{Login, Session};
use crate::secret::Password;

fn survey(protocol: Protocol, trace: &str) -> Outcome {
    play(Session::survey(protocol, Security::Plaintext), trace)
}

fn words(outcome: Outcome) -> Vec<String> {
    match outcome {
        Outcome::Surveyed(words) => words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect(),
        other => panic!("no survey: {other:?}"),
    }
}

#[test]
fn imap_says_what_it_can_do() {
    let told = survey(
        Protocol::Imap,
        "S: * OK [CAPABILITY IMAP4rev1 OLD] ready
         C: a1 CAPABILITY
         S: * OK still here
         S: * CAPABILITY IMAP4rev1 STARTTLS auth=Plain LOGINDISABLED STARTTLS
         S: a1 OK done
         C: a2 LOGOUT
         S: * BYE
         S: a2 OK",
    );
    assert_eq!(words(told), ["IMAP4REV1", "STARTTLS", "AUTH=PLAIN", "LOGINDISABLED"]);
}

#[test]
fn a_server_that_does_not_answer_capability_may_have_greeted_with_it() {
    let refused = |greeting: &str| {
        let rest = "C: a1 CAPABILITY\nS: a1 BAD what\nC: a2 LOGOUT\nS: [closed]";
        words(survey(Protocol::Imap, &format!("S: * OK {greeting}\n{rest}")))
    };
    assert_eq!(refused("[CAPABILITY IMAP4rev1 SASL-IR]"), ["IMAP4REV1", "SASL-IR"]);
    assert!(refused("ready").is_empty());
    let machine_after_starttls = Session::survey(Protocol::Imap, Security::Starttls);
    let said_before = "S: * OK [CAPABILITY AUTH=PLAIN]\nC: t1 STARTTLS\nS: t1 OK\nS: [tls]\nC: a1 CAPABILITY\nS: a1 BAD\n\
                       C: a2 LOGOUT\nS: [closed]";
    assert!(words(play(machine_after_starttls, said_before)).is_empty());
}

#[test]
fn pop3_says_what_it_can_do() {
    let told = survey(
        Protocol::Pop3,
        "S: +OK POP3 ready <1896.697170952@dbc.mtview.ca.us>
         C: CAPA
         S: +OK
         S: TOP
         S: SASL CRAM-MD5  plain
         S: STLS
         S: EXPIRE 60
         S: .
         C: QUIT
         S: +OK",
    );
    let told = words(told);
    assert_eq!(told, ["APOP", "TOP", "SASL", "AUTH=CRAM-MD5", "AUTH=PLAIN", "STLS", "EXPIRE"]);
}

#[test]
fn pop3_without_capa_offers_nothing_that_is_known() {
    let told = |greeting: &str| {
        words(survey(Protocol::Pop3, &format!("S: +OK {greeting}\nC: CAPA\nS: -ERR what\nC: QUIT\nS: [silent]")))
    };
    assert!(told("ready").is_empty());
    assert!(told("no <timestamp> here, nor <a b@c>").is_empty());
    assert_eq!(told("<1.2@h>"), ["APOP"]);
}

#[test]
fn what_is_no_survey_is_told_apart() {
    let imap = |trace: &str| survey(Protocol::Imap, trace);
    assert_eq!(imap("S: [silent]"), Outcome::NoAnswer(Stage::Greeting));
    assert!(matches!(imap("S: * BYE full"), Outcome::Closed { stage: Stage::Greeting, farewell: Some(_) }));
    let asked = |rest: &str| imap(&format!("S: * OK\nC: a1 CAPABILITY\n{rest}"));
    assert_eq!(asked("S: [silent]"), Outcome::NoAnswer(Stage::Capabilities));
    assert!(matches!(asked("S: * BYE x\nS: [closed]"), Outcome::Closed { farewell: Some(_), .. }));
    assert!(matches!(asked("S: x OK"), Outcome::Garbled { .. }));
    assert!(matches!(asked("S: + go on"), Outcome::Garbled { .. }));
    assert!(matches!(survey(Protocol::Pop3, "S: * OK imap"), Outcome::Garbled { .. }));
    assert!(matches!(survey(Protocol::Pop3, "S: -ERR busy"), Outcome::Closed { .. }));
}

#[test]
fn noise_is_left_out_and_the_rest_is_bounded() {
    let many: Vec<String> = (0..1000).map(|number| format!("X{number}")).collect();
    let line = format!("S: * CAPABILITY \u{1b}[2J {} AUTH=PLAIN {}", "x".repeat(65), many.join(" "));
    let told =
        words(survey(Protocol::Imap, &format!("S: * OK\nC: a1 CAPABILITY\n{line}\nS: a1 OK\nC: a2 LOGOUT\nS: a2 OK")));
    assert_eq!((told.len(), told[0].as_str()), (crate::protocol::capability_words::KEPT_WORDS, "AUTH=PLAIN"));
}

#[test]
fn what_a_server_can_do_after_the_login() {
    let login = |protocol| Login::new(protocol, Mechanism::Login, "User1", Password::new("Secret-User1"));
    let imap = play(
        Session::survey_after_login(login(Protocol::Imap)),
        "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready
         C: a1 LOGIN \"User1\" \"Secret-User1\"
         S: a1 OK [CAPABILITY IMAP4rev1 OLD] in
         C: a2 CAPABILITY
         S: * CAPABILITY IMAP4rev1 QUOTA
         S: a2 OK done
         C: a3 LOGOUT
         S: a3 OK",
    );
    assert_eq!(words(imap), ["IMAP4REV1", "QUOTA"]);
    let start = "S: +OK ready\nC: USER User1\nS: +OK\nC: PASS Secret-User1\nS: +OK\nC: CAPA\n";
    let pop3 = |rest: &str| play(Session::survey_after_login(login(Protocol::Pop3)), &format!("{start}{rest}"));
    assert_eq!(words(pop3("S: +OK\nS: UIDL\nS: SASL PLAIN\nS: .\nC: QUIT\nS: +OK")), ["UIDL", "SASL", "AUTH=PLAIN"]);
    assert!(words(pop3("S: -ERR what\nC: QUIT\nS: +OK")).is_empty());
    let refused = "S: * OK [CAPABILITY IMAP4rev1] ready\nC: a1 LOGIN \"User1\" \"Secret-User1\"\nS: a1 NO no\n\
                   C: a2 LOGOUT\nS: a2 OK";
    let outcome = play(Session::survey_after_login(login(Protocol::Imap)), refused);
    assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
}
