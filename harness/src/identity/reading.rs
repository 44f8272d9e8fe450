//! How a dialect reads a login name: the parts, where they stand, and which of them the server filled in.

use std::ops::Range;

use super::form::{Captures, Form};
use super::part::{Identity, Part};
use super::provenance::Source;

/// How many readings one name can have at once. A fifth one would help nobody to choose.
pub(super) const MOST_READINGS: usize = 4;

/// Where the server took a part from that the name does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumption {
    /// The domain is the server's own.
    HomeDomain,
    /// The user is taken to be called like the mailbox (KB Q184463).
    UserIsMailbox,
    /// The mailbox is taken to be called like the user (KB Q184463).
    MailboxIsUser,
}

impl Assumption {
    /// The part that is filled in.
    pub const fn part(self) -> Part {
        match self {
            Self::HomeDomain => Part::Domain,
            Self::UserIsMailbox => Part::User,
            Self::MailboxIsUser => Part::Mailbox,
        }
    }
}

/// One way to read a login name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading<'n, 'd> {
    pub(super) name: &'n [u8],
    pub(super) captures: Captures,
    pub(super) assume: [Option<Assumption>; 3],
    pub(super) form: &'d Form,
    pub(super) source: &'d Source,
}

impl<'n, 'd> Reading<'n, 'd> {
    /// A part that the name holds.
    pub fn named(&self, part: Part) -> Option<&'n [u8]> {
        let span = self.span(part)?;
        self.name.get(span)
    }

    /// Where in the name a part stands.
    pub fn span(&self, part: Part) -> Option<Range<usize>> {
        self.captures[part as usize].as_ref().map(|span| span.start as usize..span.end as usize)
    }

    /// Why the server has a part that the name does not hold.
    pub fn assumption(&self, part: Part) -> Option<Assumption> {
        self.assumptions().find(|assumption| assumption.part() == part)
    }

    /// Everything that the server filled in, in the order domain, user, mailbox.
    pub fn assumptions(&self) -> impl Iterator<Item = Assumption> + '_ {
        self.assume.iter().flatten().copied()
    }

    /// A part as the server has it, named or assumed, for a server whose own domain is `home`.
    pub fn part<'h>(&self, part: Part, home: &'h [u8]) -> Option<&'h [u8]>
    where
        'n: 'h,
    {
        if let Some(named) = self.named(part) {
            return Some(named);
        }
        match self.assumption(part)? {
            Assumption::HomeDomain => Some(home),
            Assumption::UserIsMailbox => self.named(Part::Mailbox),
            Assumption::MailboxIsUser => self.named(Part::User),
        }
    }

    /// The identity that the server has, named or assumed.
    pub fn identity(&self, home: &[u8]) -> Identity {
        let part = |part| self.part(part, home).map(<[u8]>::to_vec);
        Identity { domain: part(Part::Domain), user: part(Part::User), mailbox: part(Part::Mailbox) }
    }

    /// The form of the rule that reads so.
    pub const fn form(&self) -> &'d Form {
        self.form
    }

    /// Where the rule is from.
    pub const fn source(&self) -> &'d Source {
        self.source
    }
}

/// What a dialect makes of a name as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'d> {
    /// The server takes the first reading.
    Read,
    /// The server refuses the name, whoever exists.
    Refused {
        /// Why.
        reason: &'d str,
        /// Where the rule is from.
        source: &'d Source,
    },
    /// Nobody has written down what the server does; the readings are candidates.
    Unspecified {
        /// What is not known.
        reason: &'d str,
        /// Where the rule is from; nothing where no rule covers the name.
        source: Option<&'d Source>,
    },
}

/// Every reading of a name, the server's own choice first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings<'n, 'd> {
    pub(super) list: [Option<Reading<'n, 'd>>; MOST_READINGS],
    /// What the dialect makes of the name as a whole.
    pub verdict: Verdict<'d>,
    /// Why there is more than one reading, where there is.
    pub ambiguous: Option<&'d str>,
}

impl<'n, 'd> Readings<'n, 'd> {
    /// The readings; none where the name is refused.
    pub fn iter(&self) -> impl Iterator<Item = &Reading<'n, 'd>> {
        self.list.iter().flatten()
    }

    /// The reading that the server takes; nothing where it refuses the name or nobody knows.
    pub fn chosen(&self) -> Option<&Reading<'n, 'd>> {
        match self.verdict {
            Verdict::Read => self.list.first()?.as_ref(),
            Verdict::Refused { .. } | Verdict::Unspecified { .. } => None,
        }
    }

    /// Adds a reading while there is room.
    pub(super) fn add(&mut self, reading: Reading<'n, 'd>) {
        if let Some(free) = self.list.iter_mut().find(|place| place.is_none()) {
            *free = Some(reading);
        }
    }
}
