//! Changes conversations at each level: octets, fields, steps, their order, cuts, company.

use fastrand::Rng;

use super::conversation::{Attempt, Conversation, Said};
use super::disturbance::disturb;
use super::grammar::{Grammar, cut};
use super::names::{disturb_name, name, password};
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};

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
    let Some(place) = grammar.ground.place(protocol, security) else { return };
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
            let name = name(rng, grammar.people, person, (protocol, attempt.mechanism));
            attempt.name = name.unwrap_or_else(|| attempt.name.clone());
        }
        (2, Some(person)) => {
            let password = password(rng, grammar.people, person, attempt.mechanism);
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
            attempt.authzid = name(rng, grammar.people, person, (protocol, attempt.mechanism));
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
