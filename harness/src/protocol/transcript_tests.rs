//! What a transcript shows and what it does not.

use super::*;
use crate::secret::Password;

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn redactor() -> Redactor {
    Redactor::new(&[Password::new("Secret")])
}

fn pass() -> Outgoing {
    let mut outgoing = Outgoing::plain("PASS ");
    outgoing.push_secret(b"Secret");
    outgoing.push(b"\r\n");
    outgoing
}

#[test]
fn lines_both_ways() {
    let mut transcript = Transcript::new();
    transcript.received(at(1), b"+OK re");
    transcript.received(at(2), b"ady\r");
    transcript.received(at(3), b"\n");
    transcript.sent(at(4), &pass());
    transcript.received(at(5), b"-ERR \xff\0 Secret\t\n-ERR\rx\r\n");
    transcript.no_answer(at(5005), at(5000));
    transcript.received(at(5006), b"half");
    transcript.closed(at(5007));
    let shown = "S: +OK ready\nC: PASS <password>\nS: -ERR \\xff\\x00 <password>\\x09\\n\nS: -ERR\\rx\n\
                 [no answer for 5.0 s]\nS: half\nS: [closed]\n";
    assert_eq!(transcript.render(&redactor()), shown);
    assert_eq!(transcript.duration(), at(5007));
    assert_eq!(transcript.left_out(), 0);
}

#[test]
fn a_remark_stands_on_a_line_of_its_own() {
    let mut transcript = Transcript::new();
    transcript.received(at(1), b"+OK");
    transcript.remark(at(2), "TLS failed: it began with `Secret`".to_owned());
    transcript.received(at(3), b" x\r\n");
    let shown = "S: +OK\n[TLS failed: it began with `<password>`]\nS:  x\n";
    assert_eq!(transcript.render(&redactor()), shown);
}

#[test]
fn a_sent_password_is_not_even_kept() {
    let mut transcript = Transcript::new();
    transcript.sent(at(0), &pass());
    assert!(!transcript.sent.octets.windows(6).any(|window| window == b"Secret"));
    assert_eq!(transcript.render(&Redactor::new(&[])), "C: PASS <password>\n");
}

#[test]
fn a_password_alone_in_a_piece_belongs_to_that_piece() {
    let mut transcript = Transcript::new();
    let mut alone = Outgoing::default();
    alone.push_secret(b"Secret");
    transcript.sent(at(0), &Outgoing::plain("a LOGIN x {6}\r\n"));
    transcript.received(at(1), b"+ \r\n");
    transcript.sent(at(2), &alone);
    transcript.sent(at(3), &Outgoing::plain("\r\n"));
    assert_eq!(transcript.render(&redactor()), "C: a LOGIN x {6}\nS: + \nC: <password>\n");
}

#[test]
fn a_password_split_over_reads_is_masked() {
    let mut transcript = Transcript::new();
    transcript.received(at(0), b"+OK Sec");
    transcript.sent(at(1), &Outgoing::plain("NOOP\r\n"));
    transcript.received(at(2), b"ret\r\n");
    assert_eq!(transcript.render(&redactor()), "S: +OK <password>\nC: NOOP\nS: \n");
}

#[test]
fn only_the_first_octets_are_kept() {
    let mut transcript = Transcript::new();
    transcript.received(at(0), &vec![b'x'; KEPT_OCTETS - 3]);
    transcript.received(at(1), b"Secret\r\n");
    for _ in 0..1000 {
        transcript.received(at(2), b"more");
    }
    assert_eq!(transcript.left_out(), 4005);
    assert_eq!(transcript.entries.len(), 2);
    let shown = transcript.render(&redactor());
    assert!(shown.ends_with("x<password>\nS: [4005 more octets left out]\n"), "{}", shown.trim_start_matches('x'));
}

#[test]
fn debug_shows_nothing() {
    let mut transcript = Transcript::new();
    transcript.sent(at(0), &pass());
    assert_eq!(format!("{transcript:?}"), "Transcript(1 entries)");
}
