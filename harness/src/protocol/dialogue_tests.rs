//! Scripts that are followed, left, or broken off.

use super::*;
use crate::protocol::trace::play;
use crate::protocol::{Action, Session};

/// A script in a line's notation for tests: `C: octets`, `S: word word|word`, `S: [closed]`; `;` between alternatives.
fn script(protocol: Protocol, text: &str) -> Session {
    let steps = text.lines().map(|line| match line.trim_start().split_once(": ") {
        Some(("C", octets)) => DialogueStep::Send(Outgoing::plain(format!("{octets}\r\n"))),
        Some(("S", "...")) => DialogueStep::PassOver { without: Vec::new() },
        Some(("S", passed)) if passed.starts_with("... !") => {
            DialogueStep::PassOver { without: passed.split(" !").skip(1).map(Word::new).collect() }
        }
        Some(("S", expected)) => DialogueStep::Expect(expected.split(" ; ").map(expect).collect()),
        _ => panic!("neither C: nor S:"),
    });
    Session::dialogue(protocol, steps.collect())
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
    assert_eq!(play(imap("S: * PREAUTH"), "S: * OK"), Outcome::Diverged { step: 0, got: b"* OK".to_vec() });
}

#[test]
fn diverged() {
    let begun = "S: * OK\nC: a LOGIN \"x\\y\" \"p\"\n";
    for got in ["a OK welcome", "b NO", "+ go on", "a"] {
        let outcome = play(imap(LOGIN), &format!("{begun}S: {got}"));
        assert_eq!(outcome, Outcome::Diverged { step: 2, got: got.into() });
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
    assert_eq!(play(imap("S: [closed]"), "S: a OK"), Outcome::Diverged { step: 0, got: b"a OK".to_vec() });
}

#[test]
fn pop3_skips_nothing() {
    let text = "S: +OK\nC: USER x\nS: -ERR";
    assert_eq!(play(script(Protocol::Pop3, text), "S: +OK hi\nC: USER x\nS: -err no"), Outcome::Followed);
    let outcome = play(script(Protocol::Pop3, text), "S: +OK hi\nC: USER x\nS: * OK");
    assert_eq!(outcome, Outcome::Diverged { step: 2, got: b"* OK".to_vec() });
}

#[test]
fn lines_are_passed_over_until_the_next_one_fits() {
    let capa = |passed: &str| script(Protocol::Pop3, &format!("S: +OK\nC: CAPA\nS: +OK\nS: {passed}\nS: .\nC: QUIT"));
    let begun = "S: +OK\nC: CAPA\nS: +OK\n";
    assert_eq!(play(capa("..."), &format!("{begun}S: TOP\nS: STLS\nS: .\nC: QUIT")), Outcome::Followed);
    assert_eq!(play(capa("..."), &format!("{begun}S: .\nC: QUIT")), Outcome::Followed);
    assert_eq!(play(capa("... !STLS"), &format!("{begun}S: TOP\nS: .\nC: QUIT")), Outcome::Followed);
    let outcome = play(capa("... !SASL !STLS"), &format!("{begun}S: TOP\nS: stls"));
    assert_eq!(outcome, Outcome::Diverged { step: 3, got: b"stls".to_vec() });
    // In IMAP, too, where other untagged lines are passed over anyway.
    let text = "S: * OK\nC: a X\nS: ... !STARTTLS\nS: a OK";
    let trace = |line: &str| format!("S: * OK\nC: a X\nS: * CAPABILITY {line}\nS: a OK");
    assert_eq!(play(imap(text), &trace("ID")), Outcome::Followed);
    let got = b"* CAPABILITY STARTTLS".to_vec();
    assert_eq!(play(imap(text), "S: * OK\nC: a X\nS: * CAPABILITY STARTTLS"), Outcome::Diverged { step: 2, got });
    assert_eq!(play(imap("S: ...\nS: [closed]"), "S: a OK\nS: [closed]"), Outcome::Followed);
}

#[test]
fn steps_that_send_follow_each_other() {
    let mut session = script(Protocol::Pop3, "C: USER x\nC: PASS y\nS: +OK");
    assert_eq!(session.poll(), Action::Send(Outgoing::plain("USER x\r\n")));
    assert_eq!(session.poll(), Action::Send(Outgoing::plain("PASS y\r\n")));
    assert_eq!(session.poll(), Action::Receive);
}
