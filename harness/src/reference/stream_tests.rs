//! Properties of both sessions: cuts make no difference, nothing panics, nothing grows without bounds.

use proptest::prelude::*;

use super::fixture::{replies, session};
use super::flaw::{Flaw, Flaws};
use super::flow::Flow;
use crate::axes::Protocol;

/// Lines that reach into every state, and lines that do not belong anywhere.
const IMAP: &[&str] = &[
    "a LOGIN \"Domain1\\\\User1\\\\Mailbox1\" Secret-User1\r\n",
    "a LOGIN {4}\r\nSame {11+}\r\nSecret-Same\r\n",
    "a LOGIN Same wrong\r\n",
    "a LOGIN D\\u {5+}\r\nhello {3+}\r\nabc\r\n",
    "a LOGIN \"D\\u\" pw\r\n",
    "a AUTHENTICATE PLAIN\r\nAFNhbWUAU2VjcmV0LVNhbWU=\r\n",
    "a AUTHENTICATE LOGIN\r\nU2FtZQ==\r\n*\r\n",
    "a EXAMINE INBOX\r\n",
    "a FETCH 1 (UID BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX {1}\r\na)])\r\n",
    "a STATUS INBOX (MESSAGES)\r\n",
    "a NOOP\n",
    "\r\n",
    "a LOGIN {5000}\r\n",
    "a LOGIN {99999999+}\r\n",
    "a LOGOUT\r\n",
];

const POP3: &[&str] = &[
    "USER Same\r\n",
    "PASS Secret-Same\r\n",
    "PASS wrong\r\n",
    "AUTH PLAIN AFNhbWUAU2VjcmV0LVNhbWU=\r\n",
    "AUTH LOGIN\r\nU2FtZQ==\r\n*\r\n",
    "STAT\r\n",
    "TOP 1 0\r\n",
    "RETR 1\r\n",
    "USER\n",
    "\r\n",
    "QUIT\r\n",
];

fn conversation(protocol: Protocol) -> impl Strategy<Value = Vec<u8>> {
    let lines = match protocol {
        Protocol::Imap => IMAP,
        Protocol::Pop3 => POP3,
    };
    let line = prop_oneof![
        8 => proptest::sample::select(lines).prop_map(|line| line.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (7000usize..14000).prop_map(|length| vec![b'x'; length]),
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

/// No flaw as often as any.
fn any_flaws() -> impl Strategy<Value = Flaws> {
    // One flaw is about nothing but how the octets are cut.
    let flaws: Vec<Flaw> = Flaw::ALL.iter().copied().filter(|flaw| *flaw != Flaw::DropsPipelined).collect();
    prop_oneof![Just(Flaws::NONE), proptest::sample::select(flaws).prop_map(Flaws::from),]
}

fn whole_and_cut(protocol: Protocol, flaws: Flaws, octets: &[u8], cuts: &[usize]) -> [(Vec<u8>, Flow); 2] {
    let whole = replies(protocol, flaws, octets);
    let mut session = session(protocol, flaws);
    let mut out = Vec::new();
    let mut flow = Flow::Continue;
    let mut rest = octets;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() && flow == Flow::Continue {
        let length = rest.len().min(cuts.next().copied().unwrap_or(1));
        let (piece, later) = rest.split_at(length);
        flow = session.receive(piece, &mut out);
        rest = later;
    }
    [whole, (out, flow)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_make_no_difference_to_imap(
        flaws in any_flaws(),
        octets in conversation(Protocol::Imap),
        cuts in proptest::collection::vec(1usize..200, 1..8),
    ) {
        let [whole, cut] = whole_and_cut(Protocol::Imap, flaws, &octets, &cuts);
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn cuts_make_no_difference_to_pop3(
        flaws in any_flaws(),
        octets in conversation(Protocol::Pop3),
        cuts in proptest::collection::vec(1usize..200, 1..8),
    ) {
        let [whole, cut] = whole_and_cut(Protocol::Pop3, flaws, &octets, &cuts);
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn any_octets_are_survived(flaws in any_flaws(), octets in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for &protocol in Protocol::ALL {
            let (out, _) = replies(protocol, flaws, &octets);
            prop_assert!(out.len() <= 100 * (octets.len() + 1));
        }
    }
}

#[test]
fn endless_input_ends_the_connection() {
    for &protocol in Protocol::ALL {
        for pattern in [&b"x"[..], b"\r\n", b"a NOOP\r\n", b"USER a\r\n", b"a LOGIN {9+}\r\n", b"{4096+}\r\n"] {
            let octets = pattern.repeat(200_000 / pattern.len());
            let (out, flow) = replies(protocol, Flaws::NONE, &octets);
            assert_eq!(flow, Flow::Close, "{protocol} {pattern:?}");
            assert!(out.len() < 4_000_000);
        }
    }
}

#[test]
fn lines_may_be_as_long_as_the_limit_and_no_longer() {
    for (protocol, line, last) in [
        (Protocol::Imap, "a LOGIN x ", "a BAD the line is too long: octet 8192\r\n* BYE the line is too long\r\n"),
        (Protocol::Pop3, "USER ", "-ERR the line is too long\r\n"),
    ] {
        let longest = format!("{line}{}\r\n", "y".repeat(8192 - line.len() - 2));
        assert_eq!(replies(protocol, Flaws::NONE, longest.as_bytes()).1, Flow::Continue);
        let longer = format!("{line}{}\r\n", "y".repeat(8192 - line.len() - 1));
        let (out, flow) = replies(protocol, Flaws::NONE, longer.as_bytes());
        assert_eq!((String::from_utf8_lossy(&out).as_ref(), flow), (last, Flow::Close));
    }
}

#[test]
fn the_octets_of_a_refused_literal_are_no_commands() {
    let (out, _) = replies(Protocol::Imap, Flaws::NONE, b"a LOGIN D\\u {10+}\r\nb LOGOUT\r\n\r\nc NOOP\r\n");
    let out = String::from_utf8_lossy(&out).into_owned();
    assert!(out.starts_with("a BAD ") && out.ends_with("\r\nc OK NOOP completed\r\n") && !out.contains("BYE"), "{out}");
}
