//! A conversation as the case of a scenario: a login where one says it all, else a dialogue.

use std::fmt::Write as _;

use super::case_text::{CaseText, Material, notation, quotable};
use super::conversation::{Attempt, Command, Conversation, Said, value};
use super::course::Course;
use super::dialogue_text::dialogue;
use super::due::Due;
use super::grammar::plain_attempt;
use super::oracle::{ILLEGAL_OK, Oracle};
use crate::axes::{Encoding, Protocol, Security};
use crate::identity::escape;
use crate::runner::NOBODYS_PASSWORD;
use crate::scenario::{Piece, Value};

/// The `[[case]]`; nothing where no scenario can say it.
pub(super) fn case(material: &Material<'_>) -> Option<CaseText> {
    let Material { conversation, violation, .. } = material;
    if !conversation.company.is_empty() {
        return None;
    }
    // What is against the grammar is no case of a login: where the name opens its mailbox by the dialect, it would be
    // excused. And a case of a login does not look for passwords in what the server says.
    let is_dialogue = violation.shape.ends_with(ILLEGAL_OK) || violation.oracle == Oracle::PasswordRepeated;
    let only = match conversation.commands.as_slice() {
        [Command { said: Said::Login(attempt), .. }] if !is_dialogue => Some(attempt.as_ref()),
        _ => None,
    };
    match (violation.oracle, only) {
        (Oracle::RefusalTells, Some(attempt)) => told_apart(material, attempt).map(CaseText::of_login),
        (Oracle::StaleChallenge, _) => {
            let attempts = conversation.commands.iter().filter_map(|command| match &command.said {
                Said::Login(attempt) => Some(attempt.as_ref()),
                _ => None,
            });
            // The greeting's timestamp needs somebody who uses it.
            let fallback = plain_attempt(material.ground, violation.shape.starts_with("APOP"))?;
            let attempt = attempts.into_iter().find(|attempt| violation.shape.contains(attempt.mechanism.word()));
            let attempt = attempt.unwrap_or(&fallback);
            Some(CaseText::of_login(login(material, attempt, "\"fresh-challenge\"", None)))
        }
        (Oracle::UnequalOutcome, Some(attempt)) => {
            // Where they differ in how they are cut there is nothing to vary.
            let (one, other) = (encoding_of(conversation)?, encoding_of(material.other?)?);
            let encodings = (one != other).then(|| format!("\"{one}\", \"{other}\""))?;
            Some(CaseText::of_login(login(material, attempt, "\"same\"", Some(encodings))))
        }
        (_, Some(attempt)) if material.is_offered(attempt) && may_say_at_once(material, attempt) => {
            let expectation = expectation(material)?;
            Some(CaseText::of_login(login(material, attempt, &expectation, None)))
        }
        _ => dialogue(material),
    }
}

fn encoding_of(conversation: &Conversation) -> Option<&'static str> {
    match &conversation.commands.first()?.said {
        Said::Login(attempt) => attempt.encoding.map(|encoding| encoding.word()),
        _ => None,
    }
}

/// Nor does it say in the command itself what may not stand there (RFC 4959 §3).
fn may_say_at_once(material: &Material<'_>, attempt: &Attempt) -> bool {
    let Conversation { protocol, security, .. } = *material.conversation;
    (protocol, attempt.encoding) != (Protocol::Imap, Some(Encoding::InitialResponse))
        || material.ground.has(protocol, security != Security::Plaintext, "SASL-IR")
}

fn told_apart(material: &Material<'_>, attempt: &Attempt) -> Option<String> {
    let other = match material.other?.commands.as_slice() {
        [Command { said: Said::Login(other), .. }] => other.as_ref(),
        _ => return None,
    };
    let mut text = login(material, attempt, "\"indistinguishable\"", None);
    let name = notation(&other.name, &attempt.role);
    let _ = writeln!(text, "against = {{ login = {name}, password = {} }}", password(other, &attempt.role));
    Some(text)
}

/// A login case.
fn login(material: &Material<'_>, attempt: &Attempt, expectation: &str, encodings: Option<String>) -> String {
    let Conversation { protocol, security, .. } = *material.conversation;
    let mut text =
        format!("[[case]]\nid = \"found\"\nprotocol = [\"{protocol}\"]\nmechanism = [\"{}\"]\n", attempt.mechanism);
    let encoding = encodings.or_else(|| attempt.encoding.map(|encoding| format!("\"{encoding}\"")));
    if let Some(encoding) = encoding {
        let _ = writeln!(text, "encoding = [{encoding}]");
    }
    if security != Security::Plaintext {
        let _ = writeln!(text, "security = [\"{security}\"]");
    }
    if let Some(fault) = attempt.fault {
        let _ = writeln!(text, "fault = [\"{fault}\"]");
    }
    let role = material.conversation.certified.as_deref().unwrap_or(&attempt.role);
    let _ = writeln!(text, "account = \"{role}\"\nlogin = {}", notation(&attempt.name, role));
    if let Some(authzid) = &attempt.authzid {
        let _ = writeln!(text, "authzid = {}", notation(authzid, role));
    }
    let _ = writeln!(text, "password = {}\nexpect = {expectation}", password(attempt, role));
    text
}

fn password(attempt: &Attempt, role: &str) -> String {
    let own = if attempt.mechanism.takes_token() { Value::Token } else { Value::Password };
    match attempt.password.pieces() {
        [] => "\"empty\"".to_string(),
        [Piece::Octets(octets)] if octets == NOBODYS_PASSWORD => "\"wrong\"".to_string(),
        _ if attempt.password == value(role, own) => "\"right\"".to_string(),
        _ => notation(&attempt.password, role),
    }
}

/// What is expected of a login, by what is due to it.
fn expectation(material: &Material<'_>) -> Option<String> {
    let (command, answered) = (material.conversation.commands.first()?, material.sound.answers.first()?);
    let due = Course::new(material.conversation, material.ground).step(command, answered).due?;
    let opens = due.opens.iter().map(|mailbox| format!("{{ opens = '{}' }}", quotable(escape(mailbox))));
    let mut words: Vec<String> = opens.collect();
    if !due.must_open {
        let Due { refusals, .. } = due;
        match (refusals.no, refusals.bad) {
            (true, true) => words.extend(["\"rejected\"".to_string(), "\"bad\"".to_string()]),
            (true, false) => words.push("\"rejected\"".to_string()),
            (false, true) => words.push("\"bad\"".to_string()),
            (false, false) => {}
        }
        if refusals.closed {
            words.push("\"closed\"".to_string());
        }
        if refusals.unbound {
            words.push("\"unbound\"".to_string());
        }
    }
    match words.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("{{ any = [{}] }}", many.join(", "))),
    }
}
