//! What a login came to as one character, for tables.

use crate::runner::CaseReport;

/// What a login came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sign {
    /// The account's own mailbox opened, or one that it may open.
    Opens,
    /// Somebody else's did.
    OpensAnothers,
    /// The login was accepted, and nobody can tell which mailbox is open.
    Unproven,
    /// The login was accepted, and no mailbox opens.
    Unbound,
    /// `NO`, `-ERR`.
    Rejected,
    /// `BAD`.
    Bad,
    /// The connection was closed without an answer.
    Closed,
    /// No answer came in time.
    NoAnswer,
    /// The answer is none of the protocol.
    Garbled,
    /// It was not asked: the server does not offer it, or the account is missing.
    NotAsked,
}

impl Sign {
    /// Every sign, in the order of legends.
    pub const ALL: [Self; 10] = [
        Self::Opens,
        Self::OpensAnothers,
        Self::Unproven,
        Self::Unbound,
        Self::Rejected,
        Self::Bad,
        Self::Closed,
        Self::NoAnswer,
        Self::Garbled,
        Self::NotAsked,
    ];

    /// What a case came to.
    pub fn of(case: &CaseReport) -> Self {
        match (case.outcome, case.is_own) {
            (Some("opened"), Some(true)) => Self::Opens,
            (Some("opened"), Some(false)) => Self::OpensAnothers,
            (Some("opened"), None) => Self::Unproven,
            (Some("unbound"), _) => Self::Unbound,
            (Some("rejected"), _) => Self::Rejected,
            (Some("bad"), _) => Self::Bad,
            (Some("closed"), _) => Self::Closed,
            (Some("no-answer"), _) => Self::NoAnswer,
            (Some("garbled"), _) => Self::Garbled,
            _ => Self::NotAsked,
        }
    }

    /// The character for it.
    pub const fn character(self) -> char {
        match self {
            Self::Opens => '✓',
            Self::OpensAnothers => '✗',
            Self::Unproven => '?',
            Self::Unbound => 'u',
            Self::Rejected => '·',
            Self::Bad => 'b',
            Self::Closed => 'c',
            Self::NoAnswer => '∞',
            Self::Garbled => '!',
            Self::NotAsked => '–',
        }
    }

    /// What it stands for.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Opens => "opens the account's own mailbox",
            Self::OpensAnothers => "opens SOMEBODY ELSE'S mailbox",
            Self::Unproven => "accepted, and nothing proves which mailbox is open",
            Self::Unbound => "accepted, but the mailbox cannot be opened",
            Self::Rejected => "refused (NO, -ERR)",
            Self::Bad => "refused as wrong in form (IMAP's BAD; POP3 knows only -ERR)",
            Self::Closed => "the connection is closed without an answer",
            Self::NoAnswer => "no answer in time",
            Self::Garbled => "an answer that is none of the protocol",
            Self::NotAsked => "not asked: not offered, or no such account",
        }
    }
}
