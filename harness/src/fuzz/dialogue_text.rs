//! A conversation as a dialogue, with what a sound server answers as its expectation.

use std::fmt::Write as _;

use super::case_text::{CaseText, Material, quotable, short};
use super::conversation::{Command, Conversation, Said};
use super::course::Course;
use super::due::Due;
use super::heard::{Answer, Answered};
use super::oracle::{Oracle, Violation};
use crate::axes::{Protocol, Security};
use crate::identity::escape;
use crate::scenario::{Piece, Template, Value};

/// A dialogue, with the sound server's part in it.
pub(super) fn dialogue(material: &Material<'_>) -> Option<CaseText> {
    let Material { conversation, ground, sound, violation, .. } = *material;
    let Conversation { protocol, security, .. } = *conversation;
    let role = first_role(conversation).unwrap_or_default();
    let forbidden = match violation.oracle {
        Oracle::PasswordRepeated => secrets_as_said(conversation, &role),
        _ => String::new(),
    };
    let mut script = Script { protocol, role: &role, forbidden, text: String::new(), steps: 0 };
    script.line(if protocol == Protocol::Imap { "S: * OK" } else { "S: +OK" });
    let mut course = Course::new(conversation, ground);
    let mut tag = 0;
    let mut waiting: Vec<(usize, &Command, &Answered)> = Vec::new();
    for (at, (command, answered)) in conversation.commands.iter().zip(&sound.answers).enumerate() {
        // POP3's USER and PASS are two commands of one attempt.
        let commands = spelt_out(command, protocol)?;
        let step = course.step(command, answered);
        tag += 1;
        waiting.push((tag, command, answered));
        let count = commands.len();
        for (index, part) in commands.iter().enumerate() {
            let messages = messages(part, protocol, tag)?;
            let last = messages.len() - 1;
            for (number, message) in messages.iter().enumerate() {
                let is_pipelined = command.pipelined && number == last && index + 1 == count;
                script.says(message, is_pipelined);
                if number < last {
                    // The sound server may have had enough before the end.
                    if answered.challenges.len() <= number {
                        break;
                    }
                    script.line("S: +");
                }
            }
            if index + 1 < count {
                script.line("S: +OK");
            }
        }
        if command.pipelined {
            course.note(at, &answered.answer, &step);
            continue;
        }
        let is_tls = waiting.first().is_some_and(|(_, first, _)| first.said == Said::StartTls);
        for (number, (tag, command, answered)) in waiting.drain(..).enumerate() {
            if is_tls && number > 0 && matches!(sound.answers.get(at), Some(Answered { answer: Answer::Unsaid, .. })) {
                continue;
            }
            script.answer(tag, command, answered, violation, course.step(command, answered).due.as_ref());
        }
        if is_tls {
            script.line("TLS");
        }
        course.note(at, &answered.answer, &step);
    }
    if violation.oracle == Oracle::PlaintextInTls {
        script.end();
    }
    if violation.oracle == Oracle::OthersMailbox {
        script.canary(course.entered.as_ref().and_then(|(_, due)| due.opens.first())?);
    }
    let mut text = format!("[[case]]\nid = \"found\"\nprotocol = [\"{protocol}\"]\n");
    if security != Security::Plaintext {
        let _ = writeln!(text, "security = [\"{security}\"]");
    }
    if !role.is_empty() {
        let _ = writeln!(text, "account = \"{role}\"");
    }
    let hidden = hidden(material);
    if !hidden.is_empty() {
        let _ = writeln!(text, "lacks = [{}]", hidden.join(", "));
    }
    let _ = writeln!(text, "dialogue = '''\n{}'''", script.text);
    Some(CaseText { text, steps: script.steps, is_of_lacking: !hidden.is_empty() })
}

/// The capabilities that the target must not have, for the case to say anything: it takes what it does not offer.
fn hidden(material: &Material<'_>) -> Vec<String> {
    let attempts = material.conversation.commands.iter().filter_map(|command| match &command.said {
        Said::Login(attempt) if !material.is_offered(attempt) => attempt.mechanism.sasl_name(),
        _ => None,
    });
    attempts.map(|name| format!("\"AUTH={name}\"")).collect()
}

struct Script<'s> {
    protocol: Protocol,
    role: &'s str,
    /// What stands nowhere in an answer.
    forbidden: String,
    text: String,
    /// How many lines the client says.
    steps: usize,
}

impl Script<'_> {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    fn says(&mut self, message: &Template, is_pipelined: bool) {
        self.steps += 1;
        let text = quotable(short(message, self.role).notation());
        // A line that begins or ends in spaces would be read without them.
        let text = if text.ends_with(' ') { format!("{}{{sp}}", text.trim_end_matches(' ')) } else { text };
        let _ = writeln!(self.text, "{} {text}", if is_pipelined { "C>" } else { "C:" });
    }

    /// What the server may answer.
    fn answer(&mut self, tag: usize, command: &Command, answered: &Answered, violation: &Violation, due: Option<&Due>) {
        let verb = command.verb(self.protocol);
        let is_capabilities = matches!(verb.as_str(), "CAPABILITY" | "CAPA");
        let hides = violation.oracle == Oracle::FalseCapability && answered.is_secured && is_capabilities;
        let mut words: Vec<&str> = match answered.answer {
            Answer::Ok(_) => vec!["OK"],
            Answer::No(_) => vec!["NO"],
            Answer::Bad(_) => vec!["BAD"],
            _ => Vec::new(),
        };
        if let Some(due) = due.filter(|due| !due.must_open && due.opens.is_empty()) {
            words = vec!["NO"];
            if due.refusals.bad || matches!(answered.answer, Answer::Bad(_)) {
                words.push("BAD");
            }
        }
        let may_close = matches!(answered.answer, Answer::Closed(_)) || due.is_some_and(|due| due.refusals.closed);
        let closed = if may_close { " || [closed]" } else { "" };
        match self.protocol {
            Protocol::Imap => {
                if hides {
                    self.line("S: * CAPABILITY !STARTTLS");
                }
                let words = if words.is_empty() { "OK|NO|BAD".to_string() } else { words.join("|") };
                self.line(&format!("S: A{tag} {words}{}{closed}", self.forbidden));
            }
            Protocol::Pop3 => {
                let word = if words.first() == Some(&"OK") { "+OK" } else { "-ERR" };
                self.line(&format!("S: {word}{}{closed}", self.forbidden));
                if is_capabilities && word == "+OK" {
                    self.line(if hides { "S: ... !STLS" } else { "S: ..." });
                    self.line("S: .");
                }
            }
        }
    }

    /// Nothing comes that was not asked for.
    fn end(&mut self) {
        self.steps += 1;
        match self.protocol {
            Protocol::Imap => self.line("C: Z1 NOOP\nS: Z1 OK"),
            Protocol::Pop3 => self.line("C: QUIT\nS: +OK\nS: [closed]"),
        }
    }

    /// The canary names this mailbox.
    fn canary(&mut self, mailbox: &[u8]) {
        self.steps += 1;
        let name = word(escape(mailbox));
        match self.protocol {
            Protocol::Imap => {
                self.line("C: Z1 EXAMINE INBOX\nS: Z1 OK");
                self.line("C: Z2 FETCH 1 (BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)])");
                self.line(&format!("S: * 1 FETCH ... {name}*\nS: Z2 OK"));
            }
            Protocol::Pop3 => {
                self.line("C: TOP 1 0\nS: +OK\nS: ...");
                self.line(&format!("S: X-Loginspec-Mailbox: {name}*"));
            }
        }
    }
}

/// A text as a word of a dialogue, which holds no space.
fn word(text: String) -> String {
    quotable(text).replace(' ', "{sp}")
}

/// A command as one or more that do not hang on the server; nothing where they do.
fn spelt_out(command: &Command, protocol: Protocol) -> Option<Vec<Command>> {
    match &command.said {
        Said::Login(attempt) => attempt.lines(protocol),
        Said::Lines(_) | Said::StartTls => Some(vec![command.clone()]),
    }
}

/// The messages of a command that does not hang on the server, with the tag before the first.
fn messages(command: &Command, protocol: Protocol, tag: usize) -> Option<Vec<Template>> {
    let mut lines = match &command.said {
        Said::Lines(lines) => lines.clone(),
        Said::StartTls => {
            let word: &[u8] = if protocol == Protocol::Imap { b"STARTTLS" } else { b"STLS" };
            vec![Template::of_octets(word.to_vec())]
        }
        Said::Login(_) => return None,
    };
    if let (Protocol::Imap, Some(first)) = (protocol, lines.first_mut()) {
        let mut tagged = Template::of_octets(format!("A{tag} ").into_bytes());
        tagged.append(first.clone());
        *first = tagged;
    }
    Some(lines)
}

/// The first role whose values are said.
fn first_role(conversation: &Conversation) -> Option<String> {
    fn of_text(text: &Template) -> Option<String> {
        text.pieces().iter().find_map(|piece| match piece {
            Piece::Value { role, .. } => role.clone(),
            Piece::Base64(inner) | Piece::Length(inner) => of_text(inner),
            Piece::Octets(_) | Piece::Each => None,
        })
    }
    conversation.commands.iter().find_map(|command| match &command.said {
        Said::Login(attempt) => Some(attempt.role.clone()),
        Said::Lines(lines) => lines.iter().find_map(of_text),
        Said::StartTls => None,
    })
}

/// The words that no answer may have: each password and token, bare and as it was said, with what stood before it in its
/// word or with all of its BASE64.
fn secrets_as_said(conversation: &Conversation, role: &str) -> String {
    let commands = conversation.commands.iter().filter_map(|command| spelt_out(command, conversation.protocol));
    let mut found: Vec<Template> = Vec::new();
    for command in commands.flatten() {
        if let Said::Lines(lines) = &command.said {
            lines.iter().for_each(|line| note_secrets(line, &mut found));
        }
    }
    let mut words: Vec<String> = Vec::new();
    for text in found {
        let word = format!(" !{}*", word(short(&text, role).notation()));
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.concat()
}

fn note_secrets(text: &Template, found: &mut Vec<Template>) {
    // What stands before it in its word; NUL parts fields as a space parts words.
    let mut before: &[u8] = b"";
    for piece in text.pieces() {
        let known = found.len();
        match piece {
            Piece::Value { value: Value::Password | Value::Token, .. } => {
                found.push(Template::of_pieces(vec![piece.clone()]));
            }
            Piece::Base64(inner) => note_secrets(inner, found),
            _ => {}
        }
        let is_whole = matches!(piece, Piece::Base64(_)) || !before.is_empty();
        if found.len() > known && is_whole {
            found.push(Template::of_pieces(vec![Piece::Octets(before.to_vec()), piece.clone()]));
        }
        before = match piece {
            Piece::Octets(octets) => octets.rsplit(|octet| *octet <= b' ').next().unwrap_or_default(),
            _ => b"",
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::{Encoding, Mechanism};
    use crate::fuzz::conversation::{Attempt, Cut, value};

    fn forbidden(protocol: Protocol, mechanism: Mechanism, encoding: Option<Encoding>) -> String {
        let role = "same".to_string();
        let (name, password) = (value(&role, Value::User), value(&role, Value::Password));
        let attempt = Attempt { role, mechanism, encoding, name, authzid: None, password, fault: None };
        let conversation = Conversation {
            target: 0,
            protocol,
            security: Security::Plaintext,
            certified: None,
            commands: vec![Command::new(Said::Login(Box::new(attempt)))],
            cut: Cut::Whole,
            company: Vec::new(),
        };
        secrets_as_said(&conversation, "same")
    }

    #[test]
    fn a_password_is_forbidden_as_it_was_said() {
        let (imap, pop3) = (Protocol::Imap, Protocol::Pop3);
        assert_eq!(forbidden(pop3, Mechanism::Login, None), " !{password}*");
        assert_eq!(forbidden(imap, Mechanism::Login, Some(Encoding::Atom)), " !{password}*");
        assert_eq!(forbidden(imap, Mechanism::Login, Some(Encoding::Literal)), " !{password}*");
        // Who repeats the line repeats the quotes.
        let quoted = forbidden(imap, Mechanism::Login, Some(Encoding::Quoted));
        assert_eq!(quoted, " !{password|escaped}* !\"{password|escaped}*");
        let plain = forbidden(imap, Mechanism::Plain, Some(Encoding::InitialResponse));
        assert_eq!(plain, " !{password}* !{base64:{nul}{user}{nul}{password}}*");
    }
}
