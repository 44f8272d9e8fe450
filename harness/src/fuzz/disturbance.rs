//! Changes what is said where nobody expects it: octets, lines, and which of them there are.

use fastrand::Rng;

use super::conversation::{Command, Said, octets, plain_lines};
use crate::axes::Protocol;
use crate::scenario::{Piece, Template};

/// What octets are put where others stood.
const ODD: &[&[u8]] = &[
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\"",
    b"\\",
    b"\\\\",
    b"\\\"",
    b" ",
    b"  ",
    b"\t",
    b"{",
    b"}",
    b"{0}",
    b"{5}",
    b"{5+}",
    b"{4294967296}",
    b"(",
    b")",
    b"*",
    b"%",
    b"%n",
    b"=",
    b"!",
    b"\x80",
    b"\xff",
    b"\xc3\xa9",
    b"+",
    b"]",
    b"~",
    b"@",
    b"/",
];

/// The longest run of one octet that is put in.
const LONG: usize = 2000;

/// Changes octets of one command.
pub(super) fn disturb(rng: &mut Rng, protocol: Protocol, commands: &mut Vec<Command>) {
    let Some(at) = (!commands.is_empty()).then(|| rng.usize(..commands.len())) else { return };
    // What an attempt says is its mechanism's affair; as lines it can be anything.
    if let Some(Command { said: Said::Login(_), .. }) = commands.get(at) {
        let command = commands.remove(at);
        let lines = plain_lines(command, protocol);
        commands.splice(at..at, lines);
    }
    if let Some(Command { said: Said::Lines(lines), .. }) = commands.get_mut(at)
        && let Some(line) = rng.choice(lines)
    {
        *line = disturbed(rng, line);
    }
}

fn disturbed(rng: &mut Rng, text: &Template) -> Template {
    let mut pieces = text.pieces().to_vec();
    let at = if pieces.is_empty() { 0 } else { rng.usize(..pieces.len()) };
    match pieces.get_mut(at) {
        Some(Piece::Octets(octets)) => disturb_octets(rng, octets),
        Some(Piece::Base64(inner)) if rng.bool() => *inner = disturbed(rng, inner),
        // A length that does not fit.
        Some(piece @ Piece::Length(_)) => *piece = Piece::Octets(rng.usize(..40).to_string().into_bytes()),
        _ => {
            let odd = rng.choice(ODD).copied().unwrap_or(b"x");
            pieces.insert(at + usize::from(rng.bool() && at < pieces.len()), Piece::Octets(odd.to_vec()));
        }
    }
    let mut all = octets(b"");
    for piece in pieces {
        all.append(Template::of_pieces(vec![piece]));
    }
    all
}

fn disturb_octets(rng: &mut Rng, octets: &mut Vec<u8>) {
    let at = if octets.is_empty() { 0 } else { rng.usize(..octets.len()) };
    let odd = rng.choice(ODD).copied().unwrap_or(b"x");
    match rng.u8(..9) {
        0 => {
            if let Some(octet) = octets.get_mut(at) {
                *octet ^= 1 << rng.u8(..8);
            }
        }
        1 => {
            if let Some(octet) = octets.get_mut(at) {
                *octet = rng.u8(..);
            }
        }
        2 if !octets.is_empty() => {
            octets.remove(at);
        }
        3 => {
            octets.truncate(at);
        }
        4 => {
            let end = rng.usize(at..=octets.len());
            let again = octets.get(at..end).unwrap_or_default().to_vec();
            octets.splice(at..at, again);
        }
        5 => {
            let run = vec![odd.first().copied().unwrap_or(b'a'); rng.usize(1..LONG)];
            octets.splice(at..at, run);
        }
        6 => octets.make_ascii_lowercase(),
        _ => {
            octets.splice(at..at, odd.iter().copied());
        }
    }
}
