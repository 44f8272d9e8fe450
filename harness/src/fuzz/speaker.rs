//! One command as it is said: its first message, and what is said each time the server asks for more.

use std::collections::VecDeque;

use super::conversation::{Attempt, Said};
use crate::axes::{Encoding, Mechanism, Protocol, Security};
use crate::protocol::imap::command;
use crate::protocol::pop3::apop;
use crate::protocol::sasl::{Sasl, Stop, decode_challenge};
use crate::protocol::{Fresh, Login, Outgoing, Secured};
use crate::scenario::Template;
use crate::secret::Password;
use crate::target::Target;

/// What a command's speaker knows of the connection.
pub(super) struct Circumstances<'c> {
    pub target: &'c Target,
    pub protocol: Protocol,
    pub secured: Option<&'c Secured>,
    /// POP3: what the greeting says after `+OK`.
    pub greeting: &'c [u8],
    /// Whether the server offers the same mechanism bound to the channel.
    pub offers_plus: bool,
    /// What makes this conversation differ from the next.
    pub fresh: Fresh,
}

/// Who says one command.
pub(super) enum Speaker {
    /// These messages, one after the other.
    Messages(VecDeque<Outgoing>),
    /// `USER`, and `PASS` where the server agrees.
    UserPass { user: Option<Outgoing>, pass: Option<Outgoing> },
    /// A SASL exchange.
    Sasl { sasl: Box<Sasl>, first: Option<Outgoing>, is_cancelled: bool },
}

/// What is said to a server that asks for more.
pub(super) enum Next {
    /// This.
    Say(Outgoing),
    /// There is nothing more to say.
    Nothing,
    /// The challenge breaks this rule; the exchange is cancelled.
    Broken(&'static str, Outgoing),
}

impl Speaker {
    /// Who says a command; nothing where it cannot be said at all.
    pub fn new(said: &Said, tag: Option<&str>, circumstances: &Circumstances<'_>) -> Option<Self> {
        let tagged = |text: &str| tag.map_or_else(|| format!("{text}\r\n"), |tag| format!("{tag} {text}\r\n"));
        match said {
            Said::StartTls => {
                let word = if circumstances.protocol == Protocol::Imap { "STARTTLS" } else { "STLS" };
                Some(Self::Messages(VecDeque::from([Outgoing::plain(tagged(word))])))
            }
            Said::Lines(lines) => Self::of_lines(lines, tag, circumstances),
            Said::Login(attempt) => Self::of_attempt(attempt, tag, circumstances),
        }
    }

    fn of_lines(lines: &[Template], tag: Option<&str>, circumstances: &Circumstances<'_>) -> Option<Self> {
        let cast = circumstances.target.players_of_dialogue(circumstances.protocol);
        let mut messages = VecDeque::new();
        for (index, line) in lines.iter().enumerate() {
            let filled = line.fill(&cast, "").ok()?;
            let mut message = Outgoing::default();
            if let (0, Some(tag)) = (index, tag) {
                message.push(format!("{tag} ").as_bytes());
            }
            message.push_marked(&filled.text);
            message.push(b"\r\n");
            messages.push_back(message);
        }
        Some(Self::Messages(messages))
    }

    fn of_attempt(attempt: &Attempt, tag: Option<&str>, circumstances: &Circumstances<'_>) -> Option<Self> {
        let login = login(attempt, circumstances)?;
        let Circumstances { protocol, .. } = *circumstances;
        match (attempt.mechanism, protocol) {
            (Mechanism::Login, Protocol::Imap) => {
                let encoding = attempt.encoding.unwrap_or(Encoding::Quoted);
                Some(Self::Messages(command::login(tag?, &login.name, &login.password, encoding).into()))
            }
            (Mechanism::Login, Protocol::Pop3) => {
                let mut user = Outgoing::plain("USER ");
                user.push_marked(&login.name);
                user.push(b"\r\n");
                let mut pass = Outgoing::plain("PASS ");
                pass.push_secret(login.password.expose());
                pass.push(b"\r\n");
                Some(Self::UserPass { user: Some(user), pass: Some(pass) })
            }
            (Mechanism::Apop, _) => {
                let stamp = apop::timestamp(circumstances.greeting)?;
                Some(Self::Messages(VecDeque::from([apop::command(&login, stamp)])))
            }
            (mechanism, _) => {
                let mut sasl = Sasl::new(&login, circumstances.secured, circumstances.offers_plus).ok()??;
                let with_response = attempt.encoding == Some(Encoding::InitialResponse);
                let first = match tag {
                    Some(tag) => command::authenticate(tag, mechanism, &mut sasl, with_response),
                    None => {
                        let mut first = Outgoing::plain(format!("AUTH {}", mechanism.sasl_name()?));
                        if let Some(response) = with_response.then(|| sasl.initial_response()).flatten() {
                            first.push(b" ");
                            response.push_initial_to(&mut first);
                        }
                        first.push(b"\r\n");
                        first
                    }
                };
                Some(Self::Sasl { sasl: Box::new(sasl), first: Some(first), is_cancelled: false })
            }
        }
    }

    /// The first message.
    pub fn first(&mut self) -> Outgoing {
        match self {
            Self::Messages(messages) => messages.pop_front().unwrap_or_default(),
            Self::UserPass { user, .. } => user.take().unwrap_or_default(),
            Self::Sasl { first, .. } => first.take().unwrap_or_default(),
        }
    }

    /// Whether all is said with the first message, whatever the server answers.
    pub fn is_said_at_once(&self) -> bool {
        match self {
            Self::Messages(messages) => messages.len() == 1,
            Self::UserPass { .. } | Self::Sasl { .. } => false,
        }
    }

    /// What is said where `+OK` is not the end of it: `PASS` after `USER`.
    pub fn after_ok(&mut self) -> Option<Outgoing> {
        match self {
            Self::UserPass { pass, .. } => pass.take(),
            _ => None,
        }
    }

    /// What is said to a challenge.
    pub fn next(&mut self, challenge: &[u8]) -> Next {
        match self {
            Self::Messages(messages) => messages.pop_front().map_or(Next::Nothing, Next::Say),
            Self::UserPass { .. } => Next::Nothing,
            Self::Sasl { is_cancelled: true, .. } => Next::Nothing,
            Self::Sasl { sasl, is_cancelled, .. } => {
                let mut broken = |rule| {
                    *is_cancelled = true;
                    Next::Broken(rule, Outgoing::plain("*\r\n"))
                };
                let Some(challenge) = decode_challenge(challenge) else {
                    return broken("a challenge is BASE64 (RFC 9051 §6.2.2, RFC 5034 §4)");
                };
                match sasl.next(&challenge) {
                    Ok(turn) => {
                        let mut message = Outgoing::default();
                        turn.response.push_to(&mut message);
                        message.push(b"\r\n");
                        Next::Say(message)
                    }
                    Err(Stop::Broken(rule)) => broken(rule),
                    Err(Stop::NotOffered(_)) => broken("the mechanism is offered as the client needs it"),
                }
            }
        }
    }

    /// The rule that a success breaks now.
    pub fn unproven(&self) -> Option<&'static str> {
        match self {
            Self::Sasl { sasl, .. } => sasl.unproven(),
            Self::Messages(_) | Self::UserPass { .. } => None,
        }
    }
}

/// The attempt with the values of the target's accounts in it; nothing where the target lacks one of them.
pub(super) fn login(attempt: &Attempt, circumstances: &Circumstances<'_>) -> Option<Login> {
    let access = crate::identity::Access { protocol: circumstances.protocol, mechanism: attempt.mechanism };
    let cast = circumstances.target.players(access);
    let fill = |text: &Template| Some(text.fill(&cast, &attempt.role).ok()?.text);
    let authzid = match &attempt.authzid {
        Some(authzid) => Some(fill(authzid)?),
        None => None,
    };
    let security = if circumstances.secured.is_some() { Security::Tls } else { Security::Plaintext };
    Some(Login {
        encoding: attempt.encoding,
        security,
        authzid,
        fault: attempt.fault,
        fresh: circumstances.fresh,
        ..Login::new(
            circumstances.protocol,
            attempt.mechanism,
            fill(&attempt.name)?,
            Password::new(fill(&attempt.password)?.expose()),
        )
    })
}
