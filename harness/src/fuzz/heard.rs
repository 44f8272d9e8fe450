//! What a server did in one conversation.

use std::time::Duration;

use super::wire::{Ended, Kept};
use crate::protocol::{Reply, Transcript};

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

    /// Whether there is nothing to be said after it.
    pub const fn is_end(&self) -> bool {
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
