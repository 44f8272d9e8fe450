//! Changes conversations at each level: octets, fields, steps, their order, cuts, company.

use fastrand::Rng;

use super::conversation::{Attempt, Command, Conversation, Said, octets};
use super::grammar::{Grammar, cut, plain_lines};
use super::names::disturb_name;
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};
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

/// Changes a conversation a little, or two conversations into one.
pub(super) fn mutate(rng: &mut Rng, grammar: &Grammar<'_>, conversation: &mut Conversation) {
    for _ in 0..=rng.u8(..3) {
        step(rng, grammar, conversation);
    }
    if let Some(last) = conversation.commands.last_mut() {
        last.pipelined = false;
    }
    // Whatever comes of it, it is to come to an end.
    conversation.commands.truncate(12);
}

fn step(rng: &mut Rng, grammar: &Grammar<'_>, conversation: &mut Conversation) {
    let Conversation { protocol, security, .. } = *conversation;
    let place = grammar.ground.places.iter().find(|place| (place.protocol, place.security) == (protocol, security));
    let Some(place) = place else { return };
    let is_secured = security != Security::Plaintext;
    let count = conversation.commands.len();
    match rng.u8(..14) {
        0..=2 => disturb(rng, protocol, &mut conversation.commands),
        3..=5 => {
            if let Some(Said::Login(attempt)) = rng.choice(&mut conversation.commands).map(|command| &mut command.said)
            {
                change_field(rng, grammar, protocol, attempt);
            }
        }
        6 => {
            let command = grammar.person(rng).and_then(|person| grammar.command(rng, place, is_secured, person));
            if let Some(command) = command {
                conversation.commands.insert(rng.usize(..=count), command);
            }
        }
        7 if count > 1 => {
            conversation.commands.remove(rng.usize(..count));
        }
        8 if count > 0 => {
            let command = conversation.commands.get(rng.usize(..count)).cloned();
            conversation.commands.extend(command);
        }
        9 if count > 1 => conversation.commands.swap(rng.usize(..count), rng.usize(..count)),
        10 => conversation.cut = cut(rng),
        11 if protocol == Protocol::Imap || grammar.ground.has(protocol, is_secured, "PIPELINING") => {
            if let Some(command) = rng.choice(&mut conversation.commands) {
                command.pipelined = !command.pipelined;
            }
        }
        12 if conversation.company.is_empty() => {
            conversation.company.extend(grammar.attempt(rng, place, is_secured).map(|command| vec![command]));
        }
        _ => conversation.company.clear(),
    }
}

/// Changes one field of an attempt.
fn change_field(rng: &mut Rng, grammar: &Grammar<'_>, protocol: Protocol, attempt: &mut Attempt) {
    let person = grammar.people.iter().find(|person| person.role == attempt.role);
    match (rng.u8(..7), person) {
        (0, _) => disturb_name(rng, &mut attempt.name),
        (1, Some(person)) => {
            let name = grammar.name(rng, person, (protocol, attempt.mechanism));
            attempt.name = name.unwrap_or_else(|| attempt.name.clone());
        }
        (2, Some(person)) => {
            let password = grammar.password(rng, person, attempt.mechanism);
            attempt.password = password.unwrap_or_else(|| attempt.password.clone());
        }
        (3, _) => {
            let fits = Encoding::ALL.iter().copied().filter(|encoding| encoding.fits(protocol, attempt.mechanism));
            attempt.encoding = rng.choice(fits.collect::<Vec<Encoding>>());
        }
        (4, _) => {
            let fits = Fault::ALL.iter().copied().filter(|fault| fault.fits(attempt.mechanism));
            attempt.fault = rng.choice(fits.filter(|fault| *fault != Fault::Oversize).collect::<Vec<Fault>>());
        }
        (5, Some(person)) if attempt.mechanism.is_sasl() => {
            attempt.authzid = grammar.name(rng, person, (protocol, attempt.mechanism));
        }
        _ => {
            // Another mechanism, with the same claims.
            let fits = Mechanism::ALL.iter().copied().filter(|mechanism| mechanism.fits(protocol));
            if let Some(mechanism) = rng.choice(fits.collect::<Vec<Mechanism>>()) {
                attempt.mechanism = mechanism;
                attempt.encoding = Encoding::default_for(protocol, mechanism);
                attempt.fault = attempt.fault.filter(|fault| fault.fits(mechanism));
            }
        }
    }
}

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
