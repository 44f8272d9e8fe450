//! Streams in every cut, within and beyond the bounds.
#![allow(clippy::unwrap_used)]

use super::*;

/// Every frame of a stream that comes in pieces of `size` octets, the tolerated deviations, and what ended it.
fn frames(protocol: Protocol, stream: &[u8], size: usize) -> (Vec<Vec<u8>>, Deviations, Option<Deviation>) {
    let mut framer = Framer::new(protocol);
    let mut deviations = Deviations::default();
    let mut seen = Vec::new();
    for piece in stream.chunks(size) {
        framer.push(piece);
        loop {
            match framer.next(&mut deviations) {
                Ok(Some(frame)) => seen.push(frame.octets.to_vec()),
                Ok(None) => break,
                Err(deviation) => return (seen, deviations, Some(deviation)),
            }
        }
    }
    (seen, deviations, None)
}

#[test]
fn lines_and_literals_in_any_cut() {
    let stream = b"* OK {3}\r\n* 1 FETCH (A {5}\r\nab\r\nc B {0}\r\n)\r\na1 NO {9}\r\n+ {9}\r\n";
    let expected: Vec<&[u8]> = vec![b"* OK {3}", b"* 1 FETCH (A {5}\r\nab\r\nc B {0}\r\n)", b"a1 NO {9}", b"+ {9}"];
    for size in 1..=stream.len() {
        let (seen, deviations, end) = frames(Protocol::Imap, stream, size);
        assert_eq!(seen, expected, "in pieces of {size}");
        assert!(deviations.as_slice().is_empty());
        assert_eq!(end, None);
    }
}

#[test]
fn literals_are_located() {
    let mut framer = Framer::new(Protocol::Imap);
    framer.push(b"* OK\r\n* 1 FETCH (A {2}\r\nxy)\r\n");
    let mut deviations = Deviations::default();
    framer.next(&mut deviations).unwrap();
    let frame = framer.next(&mut deviations).unwrap().unwrap();
    assert_eq!(frame.index, 6);
    assert_eq!(frame.literals.len(), 1);
    assert_eq!(frame.octets.get(frame.literals.first().unwrap().clone()), Some(&b"xy"[..]));
}

#[test]
fn pop3_has_no_literals() {
    let (seen, _, _) = frames(Protocol::Pop3, b"* 1 {5}\r\nabc\r\n", 3);
    assert_eq!(seen, [&b"* 1 {5}"[..], b"abc"]);
}

#[test]
fn a_bare_lf_is_tolerated_and_told() {
    let (seen, deviations, end) = frames(Protocol::Pop3, b"+OK\nx\r\n\n", 1);
    assert_eq!(seen, [&b"+OK"[..], b"x", b""]);
    let told: Vec<_> = deviations.as_slice().iter().map(|d| (d.rule, d.octet, d.index)).collect();
    assert_eq!(told, [(BARE_LF, Some(b'\n'), 3), (BARE_LF, Some(b'\n'), 7)]);
    assert_eq!(end, None);
}

#[test]
fn bounds_hold_in_any_cut() {
    let mut longest = vec![b'x'; LINE_LIMIT - 2];
    longest.extend_from_slice(b"\r\n");
    let endless = vec![b'x'; LINE_LIMIT + 10];
    for size in [1, 1000, LINE_LIMIT, LINE_LIMIT + 10] {
        assert_eq!(frames(Protocol::Pop3, &longest, size).0.len(), 1);
        let end = frames(Protocol::Pop3, &endless, size).2.unwrap();
        assert_eq!((end.rule, end.octet, end.index), (LINE_TOO_LONG, None, LINE_LIMIT));
    }
}

#[test]
fn a_huge_literal_is_refused_when_it_is_announced() {
    for announced in ["1048577", "4294967296", "99999999999999999999999999"] {
        let stream = format!("* 1 FETCH (A {{{announced}}}\r\n");
        let end = frames(Protocol::Imap, stream.as_bytes(), 7).2.unwrap();
        assert_eq!((end.rule, end.octet, end.index), (LITERAL_TOO_LONG, Some(b'{'), 13));
    }
}

#[test]
fn a_flood_ends() {
    let stream = b"* OK still here\r\n".repeat(TOTAL_LIMIT / 17 + 2);
    for size in [4096, stream.len()] {
        let (seen, _, end) = frames(Protocol::Imap, &stream, size);
        assert_eq!(seen.len(), TOTAL_LIMIT / 17);
        assert_eq!(end.unwrap().rule, TOO_MUCH);
    }
}

#[test]
fn a_nul_garbles() {
    for size in 1..8 {
        let end = frames(Protocol::Pop3, b"+OK\r\n+O\0K", size).2.unwrap();
        assert_eq!((end.rule, end.octet, end.index), (NUL_IN_LINE, Some(0), 7));
    }
}
