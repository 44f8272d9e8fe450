//! Judges what a server did in one conversation: every command's answer by what was due, and all of it together.

use std::sync::Arc;

use super::conversation::{Command, Conversation, Said};
use super::course::{Course, Step};
use super::due::Due;
use super::ground::Ground;
use super::heard::{Answer, Heard, Opened};
use super::independent;
use super::oracle::{ILLEGAL_OK, Oracle, Violation};
use crate::axes::Protocol;
use crate::identity::escape;
use crate::protocol::Redactor;

/// Everything that one conversation shows.
pub(super) fn judge(conversation: &Conversation, ground: &Ground, heard: &Heard) -> Vec<Violation> {
    let mut judge = Judge { conversation, redactor: ground.redactor(conversation), found: Vec::new() };
    judge.greeting(heard);
    let mut course = Course::new(conversation, ground);
    for (index, (command, answered)) in conversation.commands.iter().zip(&heard.answers).enumerate() {
        if answered.answer == Answer::Unsaid {
            continue;
        }
        let step = course.step(command, answered);
        // Who says goodbye may close, and some do so after a refusal (RFC 9051 §7.1.5).
        let says_goodbye = matches!(answered.answer, Answer::Closed(Some(_))) && course.has_failed();
        if !step.is_unclear && !says_goodbye {
            judge.answer(index, command, &answered.answer, &step);
            judge.capabilities(index, command, answered);
        }
        course.note(index, &answered.answer, &step);
    }
    judge.entrance(&course, ground, heard);
    if !course.is_blurred {
        judge.strays(heard);
        judge.form(heard);
        // Where it is not clear what was said as what, the password may have been said as a tag.
        judge.repeated(heard);
    }
    judge.found
}

struct Judge<'c> {
    conversation: &'c Conversation,
    /// What finds passwords in what the server says.
    redactor: Option<Arc<Redactor>>,
    found: Vec<Violation>,
}

impl Judge<'_> {
    fn find(&mut self, oracle: Oracle, command: Option<usize>, kind: &str, what: String) {
        let verb = command.and_then(|index| self.conversation.commands.get(index));
        let verb = verb.map_or_else(String::new, |command| format!(" {}", command.verb(self.conversation.protocol)));
        let shape = format!("{}{verb}: {kind}", self.conversation.protocol);
        self.found.push(Violation { oracle, command, what, shape });
    }

    /// What the server says may hold what it was told.
    fn shown(&self, octets: &[u8]) -> String {
        self.redactor.as_ref().map_or_else(|| escape(octets), |redactor| escape(&redactor.redact(octets)))
    }

    fn greeting(&mut self, heard: &Heard) {
        if heard.is_preauth {
            let what = "the greeting lets in whoever connects (PREAUTH)".to_string();
            self.find(Oracle::TakenWithoutRight, None, "PREAUTH", what);
        }
        match &heard.greeting {
            Answer::Broken(rule) => {
                self.find(Oracle::MalformedReply, None, "greeting", format!("the greeting breaks a rule: {rule}"));
            }
            Answer::Silence => {
                self.find(Oracle::NoReply, None, "greeting", "there is no greeting in time".to_string());
            }
            _ => {}
        }
    }

    /// The answer to one command, by what was due.
    fn answer(&mut self, index: usize, command: &Command, answer: &Answer, step: &Step) {
        let verb = command.verb(self.conversation.protocol);
        let at = Some(index);
        let may_close = step.may_close || step.due.as_ref().is_some_and(|due| due.refusals.closed);
        match answer {
            Answer::Silence => self.find(Oracle::NoReply, at, "silence", format!("{verb} is never answered")),
            Answer::Closed(_) if !may_close => {
                let what = format!("{verb} is not answered: the server closes the connection");
                self.find(Oracle::NoReply, at, "closed", what);
            }
            Answer::Broken(rule) => {
                let what = format!("the answer to {verb} breaks a rule: {rule}");
                self.find(Oracle::MalformedReply, at, rule, what);
            }
            Answer::Insists if step.is_whole => {
                let what = format!("{verb} is whole, and the server asks for more");
                self.find(Oracle::GrammarMisread, at, "asks for more", what);
            }
            // What was said behind it may be taken for the begin of the handshake.
            Answer::NoTls(reason) if !command.pipelined => {
                let what = format!("the server agrees to {verb}, and then: {reason}");
                self.find(Oracle::NoReply, at, "no TLS", what);
            }
            Answer::Ok(_) if step.is_illegal => {
                let what = format!("{verb} is against the grammar, and the server says OK");
                let oracle = if step.due.is_some() { Oracle::TakenWithoutRight } else { Oracle::GrammarMisread };
                self.find(oracle, at, ILLEGAL_OK, what);
            }
            Answer::Bad(_) if step.is_legal => {
                let what = format!("{verb} is within the grammar, and the server calls it wrong in form (BAD)");
                self.find(Oracle::GrammarMisread, at, "legal BAD", what);
            }
            Answer::No(_) if step.must_succeed => {
                self.find(Oracle::GrammarMisread, at, "refused", format!("{verb} is refused, which it never is"));
            }
            _ => self.outcome(index, &verb, answer, step.due.as_ref()),
        }
    }

    /// The answer to a login.
    fn outcome(&mut self, index: usize, verb: &str, answer: &Answer, due: Option<&Due>) {
        let Some(due) = due else { return };
        let at = Some(index);
        match answer {
            Answer::No(_) | Answer::Bad(_) | Answer::Closed(_) if due.must_open => {
                let opens = due.opens.first().map(|name| escape(name)).unwrap_or_default();
                let what = format!("{verb} is right and opens {opens} by the server's own rules, and it is refused");
                self.find(Oracle::RightRefused, at, answer.word(), what);
            }
            Answer::Bad(_) if !due.refusals.bad => {
                let what = format!("{verb} is within the grammar, and the server calls it wrong in form (BAD)");
                self.find(Oracle::GrammarMisread, at, "legal BAD", what);
            }
            _ => {}
        }
    }

    /// Within TLS there is no more TLS to be had.
    fn capabilities(&mut self, index: usize, command: &Command, answered: &super::heard::Answered) {
        let word: &[u8] = if self.conversation.protocol == Protocol::Imap { b"STARTTLS" } else { b"STLS" };
        let says_so = answered.is_secured
            && matches!(command.said, Said::Lines(_))
            && answered.lines.iter().any(|line| line.split(|octet| *octet == b' ').any(|found| found == word));
        if says_so {
            let what = format!("{} is advertised within TLS", String::from_utf8_lossy(word));
            self.find(Oracle::FalseCapability, Some(index), "within TLS", what);
        }
    }

    /// Who is in at the end, and whether that is right.
    fn entrance(&mut self, course: &Course<'_>, ground: &Ground, heard: &Heard) {
        let Some((index, due)) = &course.entered else {
            let Opened::Mailbox(mailbox) = &heard.opened else { return };
            // What was said is not clear, but whose password was said is.
            let is_due = course.is_blurred && ground.safe_due(self.conversation).may_open(mailbox, &ground.target);
            if !heard.is_preauth && !is_due {
                let what = format!("nobody has logged in, and the mailbox {} is open", self.shown(mailbox));
                match self.injected() {
                    Some(at) => self.find(Oracle::PlaintextInTls, Some(at), "executed", what),
                    None => self.find(Oracle::TakenWithoutRight, None, "nobody", what),
                }
            }
            return;
        };
        if course.is_over() {
            return;
        }
        let at = Some(*index);
        let verb = self.conversation.commands.get(*index).map(|command| command.verb(self.conversation.protocol));
        let verb = verb.unwrap_or_default();
        match &heard.opened {
            Opened::Mailbox(mailbox) if due.may_open(mailbox, &ground.target) => {}
            Opened::Mailbox(mailbox) if due.opens.is_empty() => {
                let what = format!("{verb} gives nobody the right to log in, and it opens {}", self.shown(mailbox));
                self.find(Oracle::TakenWithoutRight, at, "opens", what);
            }
            Opened::Mailbox(mailbox) => {
                let meant = due.opens.first().map(|name| escape(name)).unwrap_or_default();
                let what = format!("{verb} means the mailbox {meant}, and it opens {}", self.shown(mailbox));
                self.find(Oracle::OthersMailbox, at, "opens another", what);
            }
            Opened::Unnamed if due.is_for_nobody() => {
                let what = format!("{verb} gives nobody the right to log in, and it opens a mailbox");
                self.find(Oracle::TakenWithoutRight, at, "opens", what);
            }
            Opened::Unbound | Opened::Nobody if due.must_open && !course.is_blurred => {
                let what = format!("{verb} is let in, and then no mailbox opens");
                self.find(Oracle::RightRefused, at, "unbound", what);
            }
            Opened::Unbound if due.is_for_nobody() && !due.refusals.unbound => {
                let what = format!("{verb} is to be refused, and the server says OK before it finds no mailbox");
                self.find(Oracle::TakenWithoutRight, at, "unbound", what);
            }
            // OK to a login that nobody may make, and then nobody is in: the word of the server against its deed.
            Opened::Nobody if due.is_for_nobody() && !due.refusals.unbound => {
                let what = format!("{verb} is to be refused, and the server says OK");
                self.find(Oracle::TakenWithoutRight, at, "unbound", what);
            }
            _ => {}
        }
    }

    /// Where something was said in one segment with STARTTLS, so that whoever sits in the middle could have said it.
    fn injected(&self) -> Option<usize> {
        let commands = &self.conversation.commands;
        let at = commands.iter().position(|command| command.said == Said::StartTls)?;
        commands.get(at).filter(|command| command.pipelined).map(|_| at)
    }

    fn strays(&mut self, heard: &Heard) {
        let is_told = self.found.iter().any(|found| found.oracle == Oracle::MalformedReply);
        if let Some(stray) = heard.strays.first().filter(|_| !is_told) {
            let what = format!("the server answers what nobody has asked: {}", self.shown(stray));
            match self.injected() {
                Some(at) => self.find(Oracle::PlaintextInTls, Some(at), "executed", what),
                None => self.find(Oracle::GrammarMisread, None, "answers what nobody asked", what),
            }
        }
    }

    /// What independent readers make of the replies.
    fn form(&mut self, heard: &Heard) {
        if self.found.iter().any(|found| found.oracle == Oracle::MalformedReply) {
            return;
        }
        let shown = |octets: &[u8]| self.shown(octets);
        if let Some(what) = independent::malformed(self.conversation.protocol, &heard.frames, &shown) {
            self.find(Oracle::MalformedReply, None, what.kind, what.words);
        }
    }

    fn repeated(&mut self, heard: &Heard) {
        let Some(redactor) = &self.redactor else { return };
        if redactor.find(&heard.before_login).is_empty() {
            return;
        }
        let holds = |octets: &[u8]| !redactor.find(octets).is_empty();
        let at = heard.answers.iter().position(|answered| {
            answered.answer.reply().is_some_and(|reply| holds(&reply.text))
                || answered.lines.iter().any(|line| holds(line))
        });
        self.find(Oracle::PasswordRepeated, at, "repeated", "the server repeats the password".to_string());
    }
}
