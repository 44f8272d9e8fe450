//! A conversation as a scenario file, with what a sound server answers as its expectation.

use std::fmt::Write as _;

use super::conversation::{Attempt, Command, Conversation, Said};
use super::course::Course;
use super::due::Due;
use super::ground::Ground;
use super::heard::{Answer, Answered, Heard};
use super::oracle::{ILLEGAL_OK, Oracle, Violation};
use crate::axes::{Encoding, Protocol, Security};
use crate::identity::escape;
use crate::scenario::{Piece, Template, Value};

/// What a scenario is made of.
pub(super) struct Material<'m> {
    pub conversation: &'m Conversation,
    /// The conversation with which it was compared, where one alone shows nothing.
    pub other: Option<&'m Conversation>,
    pub violation: &'m Violation,
    pub ground: &'m Ground,
    /// What the sound server did.
    pub sound: &'m Heard,
}

/// A `[[case]]` as a text.
pub(super) struct CaseText {
    pub text: String,
    /// How many messages the client says.
    pub steps: usize,
    /// Whether it says something only of servers that lack a capability.
    pub is_of_lacking: bool,
}

impl CaseText {
    const fn of_login(text: String) -> Self {
        Self { text, steps: 1, is_of_lacking: false }
    }
}

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
            let fallback = super::grammar::plain_attempt(material.ground, violation.shape.starts_with("APOP"))?;
            let attempt = attempts.into_iter().find(|attempt| violation.shape.contains(attempt.mechanism.word()));
            let attempt = attempt.unwrap_or(&fallback);
            Some(CaseText::of_login(login(material, attempt, "\"fresh-challenge\"", None)))
        }
        (Oracle::UnequalOutcome, Some(attempt)) => {
            let encodings = [Some(*conversation), material.other].into_iter().flatten().filter_map(encoding_of);
            let words: Vec<String> = encodings.map(|encoding| format!("\"{encoding}\"")).collect();
            Some(CaseText::of_login(login(material, attempt, "\"same\"", Some(words.join(", ")))))
        }
        (_, Some(attempt)) if is_offered(material, attempt) && may_say_at_once(material, attempt) => {
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

/// A client asks for no mechanism that is not offered, so that only a dialogue can.
fn is_offered(material: &Material<'_>, attempt: &Attempt) -> bool {
    let is_secured = material.conversation.security != Security::Plaintext;
    material.ground.offers_in(material.conversation, is_secured, attempt.mechanism) != Some(false)
}

/// Nor does it say in the command itself what may not stand there (RFC 4959 §3).
fn may_say_at_once(material: &Material<'_>, attempt: &Attempt) -> bool {
    let Conversation { protocol, security, .. } = *material.conversation;
    (protocol, attempt.encoding) != (Protocol::Imap, Some(Encoding::InitialResponse))
        || material.ground.has(protocol, security != Security::Plaintext, "SASL-IR")
}

/// The capabilities that the target must not have, for the case to say anything: it takes what it does not offer.
fn hidden(material: &Material<'_>) -> Vec<String> {
    let attempts = material.conversation.commands.iter().filter_map(|command| match &command.said {
        Said::Login(attempt) if !is_offered(material, attempt) => attempt.mechanism.sasl_name(),
        _ => None,
    });
    attempts.map(|name| format!("\"AUTH={name}\"")).collect()
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
        [Piece::Octets(octets)] if octets == b"not-the-password-of-anybody" => "\"wrong\"".to_string(),
        _ if attempt.password == super::conversation::value(role, own) => "\"right\"".to_string(),
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

/// A dialogue, with the sound server's part in it.
fn dialogue(material: &Material<'_>) -> Option<CaseText> {
    let Material { conversation, ground, sound, violation, .. } = *material;
    let Conversation { protocol, security, .. } = *conversation;
    let role = first_role(conversation).unwrap_or_default();
    let mut script = Script { protocol, role: &role, text: String::new(), steps: 0 };
    script.line(if protocol == Protocol::Imap { "S: * OK" } else { "S: +OK" });
    let mut course = Course::new(conversation, ground);
    let mut tag = 0;
    let mut waiting: Vec<(usize, &Command, &Answered)> = Vec::new();
    for (at, (command, answered)) in conversation.commands.iter().zip(&sound.answers).enumerate() {
        // POP3's USER and PASS are two commands of one attempt.
        let commands = match &command.said {
            Said::Login(attempt) => attempt.lines(protocol)?,
            _ => vec![command.clone()],
        };
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

struct Script<'s> {
    protocol: Protocol,
    role: &'s str,
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
                let repeated = if violation.oracle == Oracle::PasswordRepeated { " !{password}" } else { "" };
                self.line(&format!("S: A{tag} {words}{repeated}{closed}"));
            }
            Protocol::Pop3 => {
                let word = if words.first() == Some(&"OK") { "+OK" } else { "-ERR" };
                self.line(&format!("S: {word}{closed}"));
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
        let name = quotable(escape(mailbox)).replace(' ', "{sp}");
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

/// The text with the case's own role left unsaid.
fn short(text: &Template, own: &str) -> Template {
    let piece = |piece: &Piece| match piece {
        Piece::Value { role: Some(role), value, spelling } if role == own => {
            Piece::Value { role: None, value: *value, spelling: *spelling }
        }
        Piece::Base64(inner) => Piece::Base64(short(inner, own)),
        Piece::Length(inner) => Piece::Length(short(inner, own)),
        other => other.clone(),
    };
    Template::of_pieces(text.pieces().iter().map(piece).collect())
}

/// A text as a literal string of TOML.
fn notation(text: &Template, own: &str) -> String {
    format!("'{}'", quotable(short(text, own).notation()))
}

/// Nothing ends a literal string of TOML but its quotes.
fn quotable(text: String) -> String {
    text.replace('\'', "{x27}")
}
