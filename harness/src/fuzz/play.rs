//! Plays one client's part on a fresh connection and writes down what the server did.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::conversation::{Command, Cut, Said};
use super::speaker::{Circumstances, Next, Speaker};
use super::wire::{Ended, Kept, Wire};
use crate::axes::{Protocol, Security};
use crate::protocol::imap::response::{Condition, Response, header_fields, parse};
use crate::protocol::{Fresh, Outgoing, Reply, Secured, Transcript, canary_mailbox, pop3};
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

/// What the server did in one conversation.
#[derive(Debug)]
pub(super) struct Heard {
    /// The greeting.
    pub greeting: Answer,
    /// Whether it let somebody in at once.
    pub is_preauth: bool,
    /// What each command was answered, in the order in which they stand in the conversation.
    pub answers: Vec<Answered>,
    /// What the canary says about who got in.
    pub opened: Opened,
    /// Replies that belong to no command.
    pub strays: Vec<Vec<u8>>,
    /// Every frame, as far as they were kept.
    pub frames: Vec<Kept>,
    /// What the client's own reader found wrong and passed over.
    pub deviations: Vec<&'static str>,
    /// Everything that was said before anybody was let in.
    pub before_login: Vec<u8>,
    /// Every octet of it.
    pub transcript: Transcript,
}

/// What one command was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answered {
    pub answer: Answer,
    /// What the server asked before, each time that it asked for more.
    pub challenges: Vec<Vec<u8>>,
    /// Whether TLS stood when it was said.
    pub is_secured: bool,
    /// The lines that came with it: capabilities, untagged data.
    pub lines: Vec<Vec<u8>>,
    /// How long it took.
    pub took: Duration,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// `OK`, `+OK`.
    Ok(Reply),
    /// `NO`, `-ERR`.
    No(Reply),
    /// `BAD`.
    Bad(Reply),
    /// The server closed the connection, perhaps with a word of farewell.
    Closed(Option<Reply>),
    /// Nothing came in time.
    Silence,
    /// What came breaks this rule.
    Broken(&'static str),
    /// It asked for more than there was to say.
    Insists,
    /// TLS could not be begun after the server had agreed.
    NoTls(String),
    /// It was not said, since the conversation had ended or it cannot be said here.
    Unsaid,
}

/// What is known of the mailbox that is open at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opened {
    /// Nobody asked, for nothing was agreed to.
    Unasked,
    /// Nobody is logged in.
    Nobody,
    /// Somebody is logged in, but no mailbox opens.
    Unbound,
    /// A mailbox is open, and its canary names it.
    Mailbox(Vec<u8>),
    /// A mailbox is open that holds no canary.
    Unnamed,
}

/// How long a server gets to answer within TLS what was said before it.
const TO_ANSWER_PLAINTEXT: Duration = Duration::from_millis(30);

const TAG: &str = "a tagged response bears the tag of the command that it ends (RFC 9051 §2.2.1, §7)";
const GREETING: &str = "the greeting is an untagged OK, PREAUTH or BYE (RFC 9051 §7.1), or +OK (RFC 1939 §4)";

impl Answer {
    /// The word for its kind.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ok(_) => "OK",
            Self::No(_) => "NO",
            Self::Bad(_) => "BAD",
            Self::Closed(_) => "closed",
            Self::Silence => "silence",
            Self::Broken(_) => "garbled",
            Self::Insists => "asks for more",
            Self::NoTls(_) => "no TLS",
            Self::Unsaid => "unsaid",
        }
    }

    /// The server's own words, where there are any.
    pub const fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Ok(reply) | Self::No(reply) | Self::Bad(reply) | Self::Closed(Some(reply)) => Some(reply),
            _ => None,
        }
    }

    const fn is_end(&self) -> bool {
        !matches!(self, Self::Ok(_) | Self::No(_) | Self::Bad(_) | Self::Unsaid)
    }
}

impl From<Ended> for Answer {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Closed => Self::Closed(None),
            Ended::Silence => Self::Silence,
            Ended::Broken(rule) => Self::Broken(rule),
        }
    }
}

/// Plays a part on a stream that stands.
pub(super) async fn play<S>(stream: S, equipment: &Equipment, commands: &[Command]) -> Heard
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
    let (greeting, is_preauth) = stage.greet().await;
    let mut answers: Vec<Answered> = commands.iter().map(|_| unsaid()).collect();
    let mut is_over = greeting.is_end();
    let mut at = 0;
    while !is_over && at < commands.len() {
        let rest = commands.get(at..).unwrap_or_default();
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
    let (transcript, frames, deviations, before_login) = stage.wire.part().await;
    let deviations = deviations.as_slice().iter().map(|deviation| deviation.rule).collect();
    Heard { greeting, is_preauth, answers, opened, strays, frames, deviations, before_login, transcript }
}

const fn unsaid() -> Answered {
    let took = Duration::ZERO;
    Answered { answer: Answer::Unsaid, challenges: Vec::new(), is_secured: false, lines: Vec::new(), took }
}

struct Stage<'e, S> {
    wire: Wire<S>,
    equipment: &'e Equipment,
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
    async fn say(&mut self, commands: &[Command]) -> Vec<Answered> {
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
            self.hear_rest(&mut group, began).await;
        }
        group.into_iter().map(|open| open.answered).collect()
    }

    async fn hear_rest(&mut self, group: &mut [Open], began: Instant) {
        let all = group.len();
        self.hear(group, all, began).await;
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

    /// Looks who is logged in, and which mailbox opens. Nothing is changed on the server.
    async fn look(&mut self) -> Opened {
        match self.equipment.protocol {
            Protocol::Imap => self.look_by_imap().await,
            Protocol::Pop3 => self.look_by_pop3().await,
        }
    }

    async fn look_by_imap(&mut self) -> Opened {
        let open = self.ask_simply("EXAMINE INBOX").await;
        match open.answer {
            Answer::Ok(_) => {}
            // To whoever is not logged in EXAMINE is no command (RFC 9051 §6.3); to whoever is, the mailbox is missing.
            Answer::Bad(_) => return Opened::Nobody,
            Answer::No(_) | Answer::Closed(_) => {
                let answer = self.ask_simply("LIST \"\" INBOX").await.answer;
                return if matches!(answer, Answer::Ok(_)) { Opened::Unbound } else { Opened::Nobody };
            }
            _ => return Opened::Nobody,
        }
        let fetched = self.ask_simply("FETCH 1 (BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)])").await;
        let from = self.wire.frames.len().saturating_sub(fetched.lines.len() + 1);
        let frames = self.wire.frames.get(from..).unwrap_or_default();
        let mailbox = frames.iter().find_map(|kept| {
            let frame = kept.frame();
            canary_mailbox(&header_fields(&frame)?)
        });
        mailbox.map_or(Opened::Unnamed, Opened::Mailbox)
    }

    async fn look_by_pop3(&mut self) -> Opened {
        if !matches!(self.ask_simply("STAT").await.answer, Answer::Ok(_)) {
            return Opened::Nobody;
        }
        let mut group = self.open(&Command::line("TOP 1 0")).into_iter().collect::<Vec<Open>>();
        if let Some(open) = group.first_mut() {
            open.has_lines = true;
            let first = open.speaker.first();
            self.wire.send(&first).await;
        }
        self.hear(&mut group, 1, Instant::now()).await;
        let Some(open) = group.pop().filter(|open| matches!(open.answered.answer, Answer::Ok(_))) else {
            return Opened::Unnamed;
        };
        let header = open.answered.lines.join(&b"\r\n"[..]);
        canary_mailbox(&header).map_or(Opened::Unnamed, Opened::Mailbox)
    }

    async fn ask_simply(&mut self, line: &str) -> Answered {
        self.wire.is_logged_in = true;
        let answers = self.say(&[Command::line(line)]).await;
        answers.into_iter().next().unwrap_or(unsaid())
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
