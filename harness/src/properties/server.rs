//! The reference server's own parsers, with a hostile client before them.

use std::sync::Arc;

use arbitrary::Unstructured;

use super::world::{cuts, pieces, rest, sound};
use crate::axes::Protocol;
use crate::reference::{Flow, Session, TlsFacts};

/// The most that a server answers to one octet that it was sent.
const MOST_PER_OCTET: usize = 1024;

/// An IMAP session is the same however the client's octets are cut, answers in whole lines and within bounds, and lets
/// nobody in who was not told a password. The input: the dialect, up to four cuts, then the octets.
pub fn reference_imap(input: &[u8]) {
    let _ = hostile_client(Protocol::Imap, &mut Unstructured::new(input));
}

/// The same of POP3.
pub fn reference_pop3(input: &[u8]) {
    let _ = hostile_client(Protocol::Pop3, &mut Unstructured::new(input));
}

fn hostile_client(protocol: Protocol, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let dialect = input.arbitrary()?;
    let cuts = cuts(input)?;
    let octets = rest(input);
    let whole = answers(protocol, dialect, &[octets]);
    let cut = answers(protocol, dialect, &pieces(octets, cuts));
    assert!(whole == cut, "cuts make a difference: {}", octets.escape_ascii());
    let (out, is_logged_in) = whole;
    assert!(out.len() <= 4096 + octets.len() * MOST_PER_OCTET, "{} octets of answers", out.len());
    assert!(out.is_empty() || out.ends_with(b"\r\n"), "half a line: {}", out.escape_ascii());
    // Every password begins so; the proofs of one cannot be guessed. ANONYMOUS needs none.
    let holds = |word: &[u8]| octets.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    let may_be_told = holds(b"Secret-") || holds(b"AUTH");
    assert!(!is_logged_in || may_be_told, "in without a password: {}", octets.escape_ascii());
    Ok(())
}

fn answers(protocol: Protocol, dialect: u8, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    // The same nonces each time.
    let authority = sound(dialect, true).as_ref().clone().with_seed([0; 32]);
    let mut session = Session::new(protocol, Arc::new(authority));
    let mut out = Vec::new();
    session.greeting(&mut out);
    for piece in pieces {
        match session.receive(piece, &mut out) {
            Flow::Continue => {}
            Flow::StartTls => {
                // What follows in the same piece is nobody's, and a cut there would make a difference.
                session.secured(TlsFacts::default());
                break;
            }
            Flow::Close | Flow::Hang => break,
        }
    }
    (out, session.is_logged_in())
}
