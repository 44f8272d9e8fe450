//! Scripts that are followed, left, or broken off.

use super::*;
use crate::axes::Security;
use crate::protocol::session::INJECTED;
use crate::protocol::trace::{play, play_with_deviations};
use crate::protocol::{Action, Session};

/// A script in a line's notation for tests: `C: octets`, `S: word word|word`, `S: [closed]`; `;` between alternatives.
fn script(protocol: Protocol, text: &str) -> Session {
    let steps = text.lines().map(|line| match line.trim_start().split_once(": ") {
        Some(("C", octets)) => DialogueStep::Send(Outgoing::plain(format!("{octets}\r\n"))),
        Some(("S", "[starttls]")) => DialogueStep::StartTls { or_fails: false },
        Some(("S", "[starttls] or fails")) => DialogueStep::StartTls { or_fails: true },
        Some(("S", "...")) => DialogueStep::PassOver { without: Vec::new() },
        Some(("S", passed)) if passed.starts_with("... !") => {
            DialogueStep::PassOver { without: passed.split(" !").skip(1).map(Word::new).collect() }
        }
        Some(("S", expected)) => DialogueStep::Expect(expected.split(" ; ").map(expect).collect()),
        _ => panic!("neither C: nor S:"),
    });
    Session::dialogue(protocol, Security::Plaintext, steps.collect())
}

fn expect(text: &str) -> Expected {
    if text == "[closed]" {
        return Expected::Closed;
    }
    Expected::Line { words: text.split(' ').map(|word| WordPattern::words(word.split('|'))).collect() }
}

fn imap(text: &str) -> Session {
    script(Protocol::Imap, text)
}

const LOGIN: &str = "S: * OK\nC: a LOGIN \"x\\y\" \"p\"\nS: a NO|BAD";

fn diverged_from(step: usize, got: &[u8], index: usize) -> Outcome {
    Outcome::Diverged { step, got: got.to_vec(), index }
}

#[test]
fn followed() {
    let trace = "S: * ok ready\nC: a LOGIN \"x\\y\" \"p\"\nS: a Bad syntax";
    assert_eq!(play(imap(LOGIN), trace), Outcome::Followed);
    assert_eq!(play(imap(""), ""), Outcome::Followed);
}

#[test]
fn untagged_lines_are_skipped_while_a_tagged_one_is_due() {
    let trace =
        "S: * OK\nC: a LOGIN \"x\\y\" \"p\"\nS: * CAPABILITY X\nS: * BYE\nS: * 1 FETCH (X {3}\nS: a\nS: )\nS: a NO";
    assert_eq!(play(imap(LOGIN), trace), Outcome::Followed);
    assert_eq!(play(imap("S: * PREAUTH"), "S: * OK"), diverged_from(0, b"* OK", 0));
}

#[test]
fn diverged() {
    let begun = "S: * OK\nC: a LOGIN \"x\\y\" \"p\"\n";
    for got in ["a OK welcome", "b NO", "+ go on", "a"] {
        let outcome = play(imap(LOGIN), &format!("{begun}S: {got}"));
        assert_eq!(outcome, diverged_from(2, got.as_bytes(), 6));
    }
}

#[test]
fn closed_and_silent() {
    let begun = "S: * OK\nC: a LOGIN \"x\\y\" \"p\"\n";
    let closed = |farewell| Outcome::Closed { stage: Stage::Dialogue, farewell };
    assert_eq!(play(imap(LOGIN), &format!("{begun}S: [closed]")), closed(None));
    assert_eq!(play(imap(LOGIN), &format!("{begun}S: [silent]")), Outcome::NoAnswer(Stage::Dialogue));
    let farewell = Some(Reply::from_text(b"[ALERT] out"));
    assert_eq!(play(imap(LOGIN), &format!("{begun}S: * BYE [ALERT] out\nS: [closed]")), closed(farewell));
    let followed = format!("{begun}S: * BYE out\nS: * OK not yet\nS: [closed]");
    assert_eq!(play(imap(LOGIN), &followed), closed(None), "a BYE is a farewell where nothing follows it");
}

#[test]
fn a_close_may_be_expected() {
    let either = "S: * OK\nC: x\nS: x BAD ; [closed]";
    assert_eq!(play(imap(either), "S: * OK\nC: x\nS: * BYE\nS: [closed]"), Outcome::Followed);
    assert_eq!(play(imap(either), "S: * OK\nC: x\nS: x BAD"), Outcome::Followed);
    assert_eq!(play(imap("S: [closed]"), "S: * BYE\nS: [closed]"), Outcome::Followed);
    assert_eq!(play(imap("S: [closed]"), "S: a OK"), diverged_from(0, b"a OK", 0));
}

#[test]
fn pop3_skips_nothing() {
    let text = "S: +OK\nC: USER x\nS: -ERR";
    assert_eq!(play(script(Protocol::Pop3, text), "S: +OK hi\nC: USER x\nS: -err no"), Outcome::Followed);
    let outcome = play(script(Protocol::Pop3, text), "S: +OK hi\nC: USER x\nS: * OK");
    assert_eq!(outcome, diverged_from(2, b"* OK", 8));
}

#[test]
fn lines_are_passed_over_until_the_next_one_fits() {
    let capa = |passed: &str| script(Protocol::Pop3, &format!("S: +OK\nC: CAPA\nS: +OK\nS: {passed}\nS: .\nC: QUIT"));
    let begun = "S: +OK\nC: CAPA\nS: +OK\n";
    assert_eq!(play(capa("..."), &format!("{begun}S: TOP\nS: STLS\nS: .\nC: QUIT")), Outcome::Followed);
    assert_eq!(play(capa("..."), &format!("{begun}S: .\nC: QUIT")), Outcome::Followed);
    assert_eq!(play(capa("... !STLS"), &format!("{begun}S: TOP\nS: .\nC: QUIT")), Outcome::Followed);
    let outcome = play(capa("... !SASL !STLS"), &format!("{begun}S: TOP\nS: stls"));
    assert_eq!(outcome, Outcome::Diverged { step: 3, got: b"stls".to_vec(), index: 15 });
    // In IMAP, too, where other untagged lines are passed over anyway.
    let text = "S: * OK\nC: a X\nS: ... !STARTTLS\nS: a OK";
    let trace = |line: &str| format!("S: * OK\nC: a X\nS: * CAPABILITY {line}\nS: a OK");
    assert_eq!(play(imap(text), &trace("ID")), Outcome::Followed);
    let got = b"* CAPABILITY STARTTLS".to_vec();
    assert_eq!(
        play(imap(text), "S: * OK\nC: a X\nS: * CAPABILITY STARTTLS"),
        Outcome::Diverged { step: 2, got, index: 6 }
    );
    assert_eq!(play(imap("S: ...\nS: [closed]"), "S: a OK\nS: [closed]"), Outcome::Followed);
}

#[test]
fn steps_that_send_follow_each_other() {
    let mut session = script(Protocol::Pop3, "C: USER x\nC: PASS y\nS: +OK");
    assert_eq!(session.poll(), Action::Send(Outgoing::plain("USER x\r\n")));
    assert_eq!(session.poll(), Action::Send(Outgoing::plain("PASS y\r\n")));
    assert_eq!(session.poll(), Action::Receive);
}

const STARTTLS: &str = "S: * OK\nC: a STARTTLS\nS: a OK\nS: [starttls]\nC: b NOOP\nS: b OK";
const BEGUN: &str = "S: * OK\nC: a STARTTLS\nS: a OK";

#[test]
fn tls_in_the_middle() {
    assert_eq!(play(imap(STARTTLS), &format!("{BEGUN}\nS: [tls]\nC: b NOOP\nS: b OK")), Outcome::Followed);
    let failed = format!("{BEGUN}\nS: [no tls]");
    assert_eq!(play(imap(STARTTLS), &failed), Outcome::TlsFailed("no tls".to_owned()));
    let or_fails = STARTTLS.replace("[starttls]", "[starttls] or fails");
    assert_eq!(play(imap(&or_fails), &failed), Outcome::Followed);
    let diverged = format!("{BEGUN}\nS: [tls]\nC: b NOOP\nS: b NO");
    assert_eq!(play(imap(&or_fails), &diverged), Outcome::Diverged { step: 5, got: b"b NO".to_vec(), index: 12 });
}

#[test]
fn what_came_in_plaintext_is_dropped_when_tls_begins() {
    let trace = format!("{BEGUN}\nS: b NO injected\nS: [tls]\nC: b NOOP\nS: b OK");
    assert_eq!(play_with_deviations(imap(STARTTLS), &trace), (Outcome::Followed, vec![INJECTED]));
    let mut session = imap(STARTTLS);
    session.receive(b"* OK\r\n");
    assert!(matches!(session.poll(), Action::Send(_)));
    session.receive(b"a OK\r\n");
    assert_eq!(session.poll(), Action::StartTls);
    assert_eq!((session.stage(), session.dialogue_step()), (Stage::Tls, Some(3)));
}

#[test]
fn a_tag_has_its_case() {
    let text = "S: * OK\nC: Tag NOOP\nS: Tag OK";
    assert_eq!(play(imap(text), "S: * ok\nC: Tag NOOP\nS: Tag ok"), Outcome::Followed);
    let lowered = play(imap(text), "S: * OK\nC: Tag NOOP\nS: tag OK");
    assert_eq!(lowered, Outcome::Diverged { step: 2, got: b"tag OK".to_vec(), index: 6 });
}
