//! What a transcript shows and what it does not.

use super::super::transcript_text::SHOWN_CHALLENGE;
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

fn mark(index: usize, remark: &str) -> Mark {
    Mark { index, remark: remark.to_string() }
}

#[test]
fn a_caret_stands_under_the_octet() {
    let mut transcript = Transcript::new();
    transcript.received(at(1), b"+OK \xff hi\r");
    transcript.received(at(2), b"\n-ERR\rx\n");
    transcript.sent(at(3), &Outgoing::plain("QUIT\r\n"));
    transcript.received(at(4), b"+OK");
    let marks =
        [mark(16, "a bare LF"), mark(4, "eight bits"), mark(6, "an h"), mark(14, "a bare CR"), mark(99, "beyond")];
    let shown = "S: +OK \\xff hi\n       ^ eight bits\n            ^ an h\nS: -ERR\\rx\\n\n       ^ a bare CR\n          ^ \
                 a bare LF\nC: QUIT\nS: +OK\n[beyond]\n";
    assert_eq!(transcript.render_marked(&redactor(), &marks), shown);
}

#[test]
fn a_mask_shifts_the_caret_and_is_pointed_at_whole() {
    let mut transcript = Transcript::new();
    transcript.received(at(1), b"-ERR Secret!\r\n");
    let shown = "S: -ERR <password>!\n        ^ within\n                  ^ after\n";
    assert_eq!(transcript.render_marked(&redactor(), &[mark(8, "within"), mark(11, "after")]), shown);
    assert!(transcript.is_secret(8, &redactor()) && !transcript.is_secret(11, &redactor()));
}

#[test]
fn marks_are_bounded() {
    let mut transcript = Transcript::new();
    transcript.received(at(1), &[b'x'; 1000]);
    let marks: Vec<Mark> = (0..1000).map(|index| mark(index, "here")).collect();
    assert_eq!(transcript.render_marked(&redactor(), &marks).matches("here").count(), MOST_MARKS);
    let far = transcript.render_marked(&redactor(), &[mark(900, "far")]);
    assert!(far.ends_with("\n   (column 903) far\n"), "{far}");
}

fn shown_challenge(line: &str) -> String {
    let mut transcript = Transcript::new();
    transcript.received(at(1), line.as_bytes());
    transcript.render(&redactor()).lines().skip(1).collect::<Vec<_>>().join("\n")
}

#[test]
fn challenges_are_shown_decoded() {
    assert_eq!(shown_challenge("+ VXNlciBOYW1lAA==\r\n"), "   = User Name{nul}");
    assert_eq!(shown_challenge("+ /w0=\r\n"), "   = {xff}{x0d}");
    for none in ["+ \r\n", "+\r\n", "+ go on\r\n", "+OK VXNlcg==\r\n", "* VXNlcg==\r\n", "+ VXNlcg=\r\n", "+ VXNlcg=="]
    {
        assert_eq!(shown_challenge(none), "", "{none}");
    }
    let long = shown_challenge(&format!("+ {}\r\n", "QUFB".repeat(1000)));
    assert_eq!(long.chars().count(), 5 + SHOWN_CHALLENGE + 1);
    let mut literal = Transcript::new();
    literal.sent(at(0), &Outgoing::plain("a LOGIN {4}\r\n"));
    literal.received(at(1), b"+ go+on+now+\r\n");
    assert_eq!(literal.render(&redactor()), "C: a LOGIN {4}\nS: + go+on+now+\n");
}

#[test]
fn a_password_in_a_challenge_is_masked_decoded_as_well() {
    let encode = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    for before in 0..4 {
        let text = format!("{}Secret, you said", "x".repeat(before));
        let shown = shown_challenge(&format!("+ {}\r\n", encode(&text)));
        assert!(shown.contains("<password>") && shown.contains(" you said"), "{shown}");
        assert!(!shown.contains("Secret"), "{shown}");
    }
    // In another form within the BASE64 it is masked in the line as well.
    let encoded = encode(&format!("{}, you said", encode("Secret")));
    let mut transcript = Transcript::new();
    transcript.received(at(1), format!("+ {encoded}\r\n").as_bytes());
    let shown = transcript.render(&redactor());
    assert!(shown.starts_with("S: + <password>") && !shown.contains(&encode(&encode("Secret"))[..8]), "{shown}");
    // A password that is BASE64 itself is not undone by decoding it.
    let mut transcript = Transcript::new();
    transcript.received(at(1), b"+ QUFBQkJCQ0ND\r\n");
    let shown = transcript.render(&Redactor::new(&[Password::new("QUFBQkJC")]));
    assert_eq!(shown, "S: + <password>Q0ND\n   = <password>CCC\n");
}

#[test]
fn what_is_sent_is_shown_with_its_meaning() {
    let mut transcript = Transcript::new();
    let mut outgoing = Outgoing::plain("AHRpbQ==\r\n");
    outgoing.meaning = Some("{nul}tim, Secret\n".to_string());
    transcript.sent(at(0), &outgoing);
    transcript.received(at(1), b"+OK\r\n");
    assert_eq!(transcript.render(&redactor()), "C: AHRpbQ==\n   = {nul}tim, <password>?\nS: +OK\n");
}

#[test]
fn turns_tell_what_answers_what_and_when() {
    let mut transcript = Transcript::new();
    transcript.received(at(1), b"+OK\r\n");
    transcript.sent(at(2), &Outgoing::plain("USER x\r\n"));
    transcript.sent(at(3), &pass());
    transcript.received(at(7), b"-ERR");
    transcript.received(at(8), b" no\r\n");
    transcript.sent(at(9), &Outgoing::plain("QUIT\r\n"));
    transcript.closed(at(10));
    let turns = transcript.turns();
    assert_eq!(turns.len(), 3);
    assert_eq!((turns[0].sent_at, turns[0].received), (None, &b"+OK\r\n"[..]));
    assert_eq!(turns[1].sent, b"USER x\r\nPASS \0\r\n");
    assert_eq!((turns[1].sent_at, turns[1].answered_at), (Some(at(3)), Some(at(7))));
    assert_eq!(turns[1].received, b"-ERR no\r\n");
    assert_eq!((turns[2].received, turns[2].is_closed), (&b""[..], true));
}

#[test]
fn a_long_line_is_shown_by_its_ends_and_by_what_is_pointed_at() {
    let mut transcript = Transcript::new();
    let flood = [&vec![0; 30_000][..], b"!", &vec![b'b'; 20_000]].concat();
    transcript.received(Duration::ZERO, &flood);
    let marks = [Mark { index: 30_000, remark: "here".to_string() }];
    let shown = transcript.render_marked(&redactor(), &marks);
    assert!(shown.len() < 1000, "{} octets", shown.len());
    let (line, pointer) = shown.trim_end().split_once('\n').unwrap();
    assert_eq!(line.get(pointer.find('^').unwrap()..).map(|rest| &rest[..2]), Some("!b"), "{shown}");
    assert!(line.contains("\\x00[... 29960 octets ...]\\x00"), "{line}");
}

#[test]
fn many_lines_are_shown_by_their_ends_and_by_those_pointed_at() {
    let mut transcript = Transcript::new();
    for number in 0..5000 {
        transcript.received(Duration::ZERO, format!("* {number:04}\r\n").as_bytes());
    }
    let marks = [Mark { index: 2500 * 8, remark: "here".to_string() }];
    let shown = transcript.render_marked(&redactor(), &marks);
    assert!(shown.len() < 20_000, "{} octets", shown.len());
    assert!(shown.starts_with("S: * 0000\n") && shown.ends_with("S: * 4999\n"), "{shown}");
    assert!(shown.contains("S: * 2500\n   ^ here\n"), "{shown}");
    assert_eq!(shown.matches(" lines, ").count(), 2, "{shown}");
}

#[test]
fn a_transcript_can_be_shortened() {
    let mut transcript = Transcript::new();
    transcript.received(Duration::ZERO, &vec![b'x'; 50_000]);
    let mut sent = Outgoing::plain("PASS ");
    sent.push_secret(b"Secret-User1");
    transcript.sent(Duration::ZERO, &sent);
    transcript.received(Duration::ZERO, b"+OK\r\n");
    transcript.closed(Duration::ZERO);
    assert!(transcript.size() > 50_000);
    transcript.shorten(1024);
    assert!(transcript.size() < 2048, "{}", transcript.size());
    let shown = transcript.render(&redactor());
    assert!(shown.contains("C: PASS <password>\n") && shown.contains("S: [closed]"), "{shown}");
    assert!(shown.contains("S: [48981 more octets left out]"), "{shown}");
}
