//! What servers send, as the client's parsers see it: the same however it is cut, and never beyond its bounds.

use arbitrary::Unstructured;

use super::world::{cuts, pieces, rest};
use crate::axes::Protocol;
use crate::protocol::imap::response as imap;
use crate::protocol::line::Framer;
use crate::protocol::pop3::response as pop3;
use crate::protocol::{Deviations, Reply, ResponseCode};

/// IMAP responses are the same however they are cut, and their codes known again. The input: up to four cuts, then the octets.
pub fn imap_response(input: &[u8]) {
    let _ = response(Protocol::Imap, &mut Unstructured::new(input));
}

/// POP3 responses are the same however they are cut. The input: up to four cuts, then the octets.
pub fn pop3_response(input: &[u8]) {
    let _ = response(Protocol::Pop3, &mut Unstructured::new(input));
}

fn response(protocol: Protocol, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let cuts = cuts(input)?;
    let octets = rest(input);
    let whole = read(protocol, &[octets]);
    assert_eq!(whole, read(protocol, &pieces(octets, cuts)), "cuts make a difference: {}", octets.escape_ascii());
    octets.split(|octet| *octet == b'\n').for_each(check_code);
    Ok(())
}

/// A response code is known again by its own name.
fn check_code(text: &[u8]) {
    let Some(code) = Reply::from_text(text).code else { return };
    let name = code.to_string();
    let again = ResponseCode::from_wire(name.as_bytes());
    // An unknown name is shown with escapes, in which a backslash becomes two.
    assert!(name.contains('\\') || again.to_string() == name, "{name} became {again}");
}

/// Everything that can be seen of the octets, up to what ends the session.
fn read(protocol: Protocol, pieces: &[&[u8]]) -> (Vec<String>, Vec<String>) {
    let mut framer = Framer::new(protocol);
    let mut deviations = Deviations::default();
    let mut seen = Vec::new();
    let mut length = 0;
    'pieces: for piece in pieces {
        framer.push(piece);
        length += piece.len();
        loop {
            let mut noted = Deviations::default();
            match framer.next(&mut deviations) {
                Ok(Some(frame)) => {
                    assert!(frame.index + frame.octets.len() <= length, "a frame that has not come yet");
                    for literal in &frame.literals {
                        assert!(frame.octets.get(literal.clone()).is_some(), "a literal outside of its frame");
                    }
                    seen.push(match protocol {
                        Protocol::Imap => format!("{:?} {:?}", imap::parse(&frame), imap::header_fields(&frame)),
                        Protocol::Pop3 => {
                            format!("{:?} {:?}", pop3::parse(&frame, &mut noted), pop3::multi_line(&frame))
                        }
                    });
                    seen.extend(noted.as_slice().iter().map(|deviation| format!("{deviation:?}")));
                }
                Ok(None) => break,
                Err(deviation) => {
                    seen.push(format!("{deviation:?}"));
                    break 'pieces;
                }
            }
        }
    }
    (seen, deviations.as_slice().iter().map(|deviation| format!("{deviation:?}")).collect())
}
