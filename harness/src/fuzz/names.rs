//! Makes login names and passwords up: every form, everybody's, right and disturbed.

use fastrand::Rng;

use super::conversation::{joined, octets, value};
use super::people::Person;
use crate::axes::{Mechanism, Protocol};
use crate::runner::NOBODYS_PASSWORD;
use crate::scenario::{Piece, Spelling, Template, Value};

/// The forms of login names that are tried: `D` domain, `N` its DNS name, `U` user, `M` mailbox; `V` and `W` are
/// another's user and mailbox.
const FORMS: &[&str] = &[
    "U", "D\\U", "D/U", "D\\U\\M", "D/U/M", "U@N", "U@N/M", "U@D", "U/M", "U%N", "M", "\\U", "N\\U", "D\\U\\W",
    "D/U/W", "U@N/W", "W", "U\\M", "U\\W", "U/W", "M@N", "U*V", "V*U", "D\\M", "D\\U\\", "D\\\\U", "U+x", "D\\U/M",
    "D/U\\M",
];

/// What may stand where nobody expects it in a name.
const ODD: &[&[u8]] = &[
    b" ",
    b"%",
    b"\0",
    b"\0x",
    b"\\",
    b"*",
    b"+",
    b"@",
    b"/",
    b"\"",
    b"{",
    b"}",
    b"(",
    b"]",
    b"~",
    b"\t",
    b"\x7f",
    b"=",
    b",",
    b"\xff",
    "\u{ff3c}".as_bytes(),
    "\u{fc}".as_bytes(),
    "\u{aa}".as_bytes(),
    b"x",
    b"%s",
    b"{5}",
    b"&AOk-",
];

/// A login name.
pub(super) fn name(rng: &mut Rng, people: &[Person], person: &Person, way: (Protocol, Mechanism)) -> Option<Template> {
    let known = person.logins.iter().find(|(protocol, mechanism, _)| (*protocol, *mechanism) == way);
    let mut name = match (rng.u8(..20), known) {
        (0..=6, Some((_, _, login))) => login.clone(),
        (7..=8, _) => octets(b"nobody"),
        (19, _) => octets(&(0..rng.usize(..12)).map(|_| rng.u8(..)).collect::<Vec<u8>>()),
        _ => form(rng, people, person)?,
    };
    if rng.u8(..3) == 0 {
        disturb_name(rng, &mut name);
    }
    Some(name)
}

fn form(rng: &mut Rng, people: &[Person], person: &Person) -> Option<Template> {
    let other = rng.choice(people)?;
    let form = rng.choice(FORMS)?;
    let part = |letter: char| {
        let (person, wanted) = match letter {
            'D' => (person, Value::Domain),
            'N' if person.has_dns => (person, Value::Dns),
            'N' => (person, Value::Domain),
            'U' => (person, Value::User),
            'V' => (other, Value::User),
            'M' => (person, Value::Mailbox),
            'W' => (other, Value::Mailbox),
            letter => return octets(letter.to_string().as_bytes()),
        };
        match wanted {
            Value::User if !person.has_account => value(&person.role, Value::Mailbox),
            Value::Mailbox if !person.has_mailbox => value(&person.role, Value::User),
            wanted => value(&person.role, wanted),
        }
    };
    Some(joined(&form.chars().map(part).collect::<Vec<Template>>()))
}

/// A password, right more often than not.
pub(super) fn password(rng: &mut Rng, people: &[Person], person: &Person, mechanism: Mechanism) -> Option<Template> {
    let secret = |person: &Person| match (mechanism.takes_token(), person.has_token, person.has_account) {
        (true, true, _) => value(&person.role, Value::Token),
        (_, _, true) => value(&person.role, Value::Password),
        _ => octets(NOBODYS_PASSWORD),
    };
    let right = secret(person);
    let spelt = |spelling: Spelling| {
        let piece = |piece: &Piece| match piece {
            Piece::Value { role, value, .. } => Piece::Value { role: role.clone(), value: *value, spelling },
            other => other.clone(),
        };
        Template::of_pieces(right.pieces().iter().map(piece).collect())
    };
    Some(match rng.u8(..100) {
        0..=64 => right,
        65..=75 => octets(NOBODYS_PASSWORD),
        76..=80 => secret(rng.choice(people)?),
        81..=83 => joined(&[right, octets(b"x")]),
        84..=87 => joined(&[spelt(Spelling::First(8)), octets(b"x")]),
        88..=89 => spelt(Spelling::First(rng.u8(1..12))),
        90..=91 => spelt(Spelling::Swapped),
        92..=95 => octets(b""),
        96 => joined(&[octets(b" "), right]),
        97 => joined(&[right, octets(b" ")]),
        98 => joined(&[right, octets(b"\0x")]),
        _ => joined(&[octets(rng.choice(ODD)?), right]),
    })
}

/// Something that nobody expects in a name.
pub(super) fn disturb_name(rng: &mut Rng, name: &mut Template) {
    let mut pieces = name.pieces().to_vec();
    match rng.u8(..6) {
        0 | 1 => {
            let values: Vec<usize> =
                (0..pieces.len()).filter(|&at| matches!(pieces.get(at), Some(Piece::Value { .. }))).collect();
            if let Some(Piece::Value { spelling, .. }) = rng.choice(values).and_then(|at| pieces.get_mut(at)) {
                *spelling = *rng.choice(&[Spelling::Lower, Spelling::Upper, Spelling::Swapped]).unwrap_or(spelling);
            }
        }
        // A separator in another script (RFC 4013 §2 makes it the same).
        2 => {
            for piece in &mut pieces {
                if let Piece::Octets(octets) = piece
                    && octets.as_slice() == b"\\"
                {
                    *octets = "\u{ff3c}".as_bytes().to_vec();
                }
            }
        }
        _ => {
            let odd = rng.choice(ODD).copied().unwrap_or(b"x");
            let at = if rng.bool() { rng.usize(..=pieces.len()) } else { pieces.len() * rng.usize(..2) };
            pieces.insert(at, Piece::Octets(odd.to_vec()));
        }
    }
    *name = joined(&pieces.into_iter().map(|piece| Template::of_pieces(vec![piece])).collect::<Vec<_>>());
}

/// An argument of `LOGIN`, bare or within quotes.
pub(super) fn argument(rng: &mut Rng, text: Template) -> Template {
    if rng.bool() { text } else { joined(&[octets(b"\""), text, octets(b"\"")]) }
}
