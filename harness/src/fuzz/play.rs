//! Plays one client's part on a fresh connection and writes down what the server did.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::conversation::{Command, Cut, Said};
use super::heard::{Answer, Answered, Heard, Opened};
use super::speaker::{Circumstances, Next, Speaker};
use super::wire::{Ended, Kept, Wire};
use crate::axes::{Protocol, Security};
use crate::protocol::imap::response::{Condition, Response, parse};
use crate::protocol::{Fresh, Outgoing, Reply, Secured, pop3};
use crate::target::Target;
use crate::transport::{Deadlines, TlsClient};

/// What a client brings along besides what it says.
pub(super) struct Equipment {
    pub target: Arc<Target>,
    pub protocol: Protocol,
    pub security: Security,
    pub tls: Option<TlsClient>,
    pub offers_plus: bool,
    pub fresh: Fresh,
    pub deadlines: Deadlines,
    pub cut: Cut,
}

/// How long a server gets to answer within TLS what was said before it.
const TO_ANSWER_PLAINTEXT: Duration = Duration::from_millis(30);

const TAG: &str = "a tagged response bears the tag of the command that it ends (RFC 9051 §2.2.1, §7)";
const GREETING: &str = "the greeting is an untagged OK, PREAUTH or BYE (RFC 9051 §7.1), or +OK (RFC 1939 §4)";

/// Plays a part on a stream that stands; `unclear` says of each command whether it may go unanswered.
pub(super) async fn play<S>(stream: S, equipment: &Equipment, commands: &[Command], unclear: &[bool]) -> Heard
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stage = Stage {
        wire: Wire::new(stream, equipment.protocol, equipment.deadlines, equipment.cut),
        equipment,
        secured: None,
        greeting: Vec::new(),
        farewell: None,
        strays: Vec::new(),
        tag: 0,
    };
    let (mut greeting, is_preauth) = stage.greet().await;
    if equipment.security == Security::Starttls && !greeting.is_end() {
        greeting = stage.begin_tls().await;
    }
    let mut answers: Vec<Answered> = commands.iter().map(|_| unsaid()).collect();
    let mut is_over = greeting.is_end() || stage.is_laid_open();
    let mut at = 0;
    while !is_over && at < commands.len() {
        let rest = commands.get(at..).unwrap_or_default();
        // Once it is not clear where a command ends, it stays so.
        stage.wire.is_hasty = unclear.iter().take(at + 1).any(|&is_unclear| is_unclear);
        let found = stage.say(rest).await;
        let said = found.len().max(1);
        for (place, answered) in answers.iter_mut().skip(at).zip(found) {
            is_over |= answered.answer.is_end();
            *place = answered;
        }
        at += said;
    }
    let may_be_in = is_preauth || answers.iter().any(|answered| matches!(answered.answer, Answer::Ok(_)));
    let opened = if is_over && !is_preauth || !may_be_in { Opened::Unasked } else { stage.look().await };
    let strays = stage.strays;
    let (transcript, frames, before_login) = stage.wire.part().await;
    Heard { greeting, is_preauth, answers, opened, strays, frames, before_login, transcript }
}

pub(super) const fn unsaid() -> Answered {
    let took = Duration::ZERO;
    Answered { answer: Answer::Unsaid, challenges: Vec::new(), is_secured: false, lines: Vec::new(), took }
}

/// Where a part is played.
pub(super) struct Stage<'e, S> {
    pub wire: Wire<S>,
    pub equipment: &'e Equipment,
    secured: Option<Secured>,
    greeting: Vec<u8>,
    farewell: Option<Reply>,
    strays: Vec<Vec<u8>>,
    tag: usize,
}

/// A command that has been said and not yet been answered in full.
struct Open {
    tag: Vec<u8>,
    speaker: Speaker,
    answered: Answered,
    is_answered: bool,
    has_lines: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stage<'_, S> {
    async fn greet(&mut self) -> (Answer, bool) {
        if self.equipment.security == Security::Tls {
            match self.wire.secure(self.equipment.tls.as_ref()).await {
                Ok(secured) => self.secured = Some(secured),
                Err(reason) => return (Answer::NoTls(reason), false),
            }
        }
        let kept = match self.wire.frame().await {
            Ok(kept) => kept,
            Err(ended) => return (ended.into(), false),
        };
        match self.equipment.protocol {
            Protocol::Imap => match parse(&kept.frame()) {
                Ok(Response::Status(Condition::Ok, text)) => (Answer::Ok(Reply::from_text(text)), false),
                Ok(Response::Status(Condition::Preauth, text)) => (Answer::Ok(Reply::from_text(text)), true),
                Ok(Response::Status(Condition::Bye, text)) => (Answer::Closed(Some(Reply::from_text(text))), false),
                _ => (Answer::Broken(GREETING), false),
            },
            Protocol::Pop3 => match pop3::response::parse(&kept.frame(), &mut self.wire.deviations) {
                Ok(pop3::response::Response::Ok(text)) => {
                    self.greeting = text.to_vec();
                    (Answer::Ok(Reply::from_text(text)), false)
                }
                Ok(pop3::response::Response::Err(reply)) => (Answer::Closed(Some(reply)), false),
                _ => (Answer::Broken(GREETING), false),
            },
        }
    }

    /// Begins TLS before anything else is said: the target wants it so.
    async fn begin_tls(&mut self) -> Answer {
        let answers = self.say(&[Command::new(Said::StartTls)]).await;
        answers.into_iter().next().map_or(Answer::Unsaid, |answered| answered.answer)
    }

    /// Whether what is said now would not be protected as the target wants it.
    const fn is_laid_open(&self) -> bool {
        !matches!(self.equipment.security, Security::Plaintext) && self.secured.is_none()
    }

    fn open(&mut self, command: &Command) -> Option<Open> {
        let equipment = self.equipment;
        self.tag += 1;
        // In capital letters: tags come back as they were sent (RFC 9051 §2.2.1).
        let tag = (equipment.protocol == Protocol::Imap).then(|| format!("A{}", self.tag));
        let circumstances = Circumstances {
            target: &equipment.target,
            protocol: equipment.protocol,
            secured: self.secured.as_ref(),
            greeting: &self.greeting,
            offers_plus: equipment.offers_plus,
            fresh: equipment.fresh,
        };
        let speaker = Speaker::new(&command.said, tag.as_deref(), &circumstances)?;
        Some(Open {
            tag: tag.unwrap_or_default().into_bytes(),
            speaker,
            answered: Answered { is_secured: self.secured.is_some(), ..unsaid() },
            is_answered: false,
            has_lines: false,
        })
    }

    /// Says the first of these commands, and with it those that go in the same segment; gives back their answers.
    pub async fn say(&mut self, commands: &[Command]) -> Vec<Answered> {
        let mut group: Vec<Open> = Vec::new();
        let mut message = Outgoing::default();
        let mut begins_tls = false;
        for command in commands {
            // Where TLS begins must be plain to both.
            if !group.is_empty() && command.said == Said::StartTls {
                break;
            }
            let Some(mut open) = self.open(command) else { break };
            let goes_on = command.pipelined && open.speaker.is_said_at_once();
            if !group.is_empty() && !open.speaker.is_said_at_once() {
                // Its tag was not used.
                self.tag -= 1;
                break;
            }
            begins_tls |= group.is_empty() && command.said == Said::StartTls;
            let first = open.speaker.first();
            open.has_lines = self.equipment.protocol == Protocol::Pop3 && has_lines(&first.octets);
            let offset = message.octets.len();
            message.push(&first.octets);
            message.secrets.extend(first.secrets.iter().map(|range| range.start + offset..range.end + offset));
            message.meaning = message.meaning.take().or(first.meaning);
            group.push(open);
            if !goes_on {
                break;
            }
        }
        if group.is_empty() {
            return vec![unsaid()];
        }
        let began = Instant::now();
        self.wire.send(&message).await;
        // What came in the same segment as STARTTLS counts as not said (RFC 9051 §6.2.1, RFC 2595 §4).
        let awaited = if begins_tls { 1 } else { group.len() };
        self.hear(&mut group, awaited, began).await;
        if begins_tls
            && let Some(first) = group.first_mut()
            && matches!(first.answered.answer, Answer::Ok(_))
        {
            match self.wire.secure(self.equipment.tls.as_ref()).await {
                Ok(secured) => self.secured = Some(secured),
                Err(reason) => first.answered.answer = Answer::NoTls(reason),
            }
            // A server that speaks now answers what was said in plaintext.
            if group.len() > 1
                && self.secured.is_some()
                && let Ok(kept) = self.wire.frame_within(TO_ANSWER_PLAINTEXT).await
            {
                self.strays.push(kept.octets);
            }
        } else if begins_tls && group.len() > 1 && group.first().is_some_and(|first| !first.answered.answer.is_end()) {
            // The server has not agreed, so the rest was said, and is answered.
            let all = group.len();
            self.hear(&mut group, all, began).await;
        }
        group.into_iter().map(|open| open.answered).collect()
    }

    /// Takes in what the server says until the first `awaited` commands are answered.
    async fn hear(&mut self, group: &mut [Open], awaited: usize, began: Instant) {
        while let Some(next) = group.iter().take(awaited).position(|open| !open.is_answered) {
            let kept = match self.wire.frame().await {
                Ok(kept) => kept,
                Err(ended) => {
                    let farewell = self.farewell.take();
                    for open in group.iter_mut().filter(|open| !open.is_answered) {
                        open.answered.answer = match ended {
                            Ended::Closed => Answer::Closed(farewell.clone()),
                            other => other.into(),
                        };
                        open.answered.took = began.elapsed();
                        open.is_answered = true;
                    }
                    return;
                }
            };
            match self.equipment.protocol {
                Protocol::Imap => self.hear_imap(&kept, group, next, began).await,
                Protocol::Pop3 => self.hear_pop3(&kept, group, next, began).await,
            }
        }
    }

    async fn hear_imap(&mut self, kept: &Kept, group: &mut [Open], next: usize, began: Instant) {
        let end = match parse(&kept.frame()) {
            Ok(Response::Tagged { tag, condition, text }) => {
                let reply = Reply::from_text(text);
                let answer = match condition {
                    Condition::Ok => Answer::Ok(reply),
                    Condition::No => Answer::No(reply),
                    _ => Answer::Bad(reply),
                };
                let Some(at) = group.iter().position(|open| !open.is_answered && open.tag == tag) else {
                    self.strays.push(kept.octets.clone());
                    // Where only one answer is due, this is meant to be it.
                    let due = group.iter().filter(|open| !open.is_answered).count();
                    if due == 1 {
                        finish(group.get_mut(next), Answer::Broken(TAG), began);
                    }
                    return;
                };
                (at, answer)
            }
            Ok(Response::Continuation(challenge)) => {
                self.ask(group, next, challenge, began).await;
                return;
            }
            Ok(Response::Status(Condition::Bye, text)) => {
                self.farewell = Some(Reply::from_text(text));
                return;
            }
            Ok(_) => {
                if let Some(open) = group.get_mut(next) {
                    open.answered.lines.push(kept.octets.clone());
                }
                return;
            }
            Err(deviation) => (next, Answer::Broken(deviation.rule)),
        };
        let (at, mut answer) = end;
        if let (Answer::Ok(_), Some(rule)) = (&answer, group.get(at).and_then(|open| open.speaker.unproven())) {
            answer = Answer::Broken(rule);
        }
        finish(group.get_mut(at), answer, began);
    }

    async fn hear_pop3(&mut self, kept: &Kept, group: &mut [Open], next: usize, began: Instant) {
        let answer = match pop3::response::parse(&kept.frame(), &mut self.wire.deviations) {
            Ok(pop3::response::Response::Ok(text)) => {
                let Some(open) = group.get_mut(next) else { return };
                if let Some(more) = open.speaker.after_ok() {
                    self.wire.send(&more).await;
                    return;
                }
                if open.has_lines {
                    loop {
                        match self.wire.frame().await {
                            Ok(line) if line.octets == b"." => break,
                            Ok(line) => open.answered.lines.push(line.octets),
                            Err(ended) => {
                                finish(Some(open), ended.into(), began);
                                return;
                            }
                        }
                    }
                }
                match open.speaker.unproven() {
                    Some(rule) => Answer::Broken(rule),
                    None => Answer::Ok(Reply::from_text(text)),
                }
            }
            Ok(pop3::response::Response::Err(reply)) => Answer::No(reply),
            Ok(pop3::response::Response::Continuation(challenge)) => {
                self.ask(group, next, challenge, began).await;
                return;
            }
            Err(deviation) => Answer::Broken(deviation.rule),
        };
        finish(group.get_mut(next), answer, began);
    }

    /// The server asks for more.
    async fn ask(&mut self, group: &mut [Open], next: usize, challenge: &[u8], began: Instant) {
        let Some(open) = group.get_mut(next) else { return };
        open.answered.challenges.push(challenge.to_vec());
        match open.speaker.next(challenge) {
            Next::Say(message) => self.wire.send(&message).await,
            Next::Nothing => finish(Some(open), Answer::Insists, began),
            Next::Broken(rule, cancel) => {
                self.wire.send(&cancel).await;
                finish(Some(open), Answer::Broken(rule), began);
            }
        }
    }
}

fn finish(open: Option<&mut Open>, answer: Answer, began: Instant) {
    if let Some(open) = open {
        open.answered.answer = answer;
        open.answered.took = began.elapsed();
        open.is_answered = true;
    }
}

/// Whether POP3 answers this with lines (RFC 1939 §3, RFC 2449 §5, RFC 5034 §4).
fn has_lines(message: &[u8]) -> bool {
    let mut words = message.trim_ascii().split(|octet| *octet == b' ').map(<[u8]>::to_ascii_uppercase);
    let verb = words.next().unwrap_or_default();
    let is_alone = words.next().is_none();
    match verb.as_slice() {
        b"CAPA" | b"TOP" | b"RETR" => true,
        b"AUTH" | b"LIST" | b"UIDL" => is_alone,
        _ => false,
    }
}

#[cfg(test)]
#[path = "play_tests.rs"]
mod tests;
