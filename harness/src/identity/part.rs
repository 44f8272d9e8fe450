//! The parts of an identity.

/// A part that a login name may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The Windows NT domain, or whatever stands in its place.
    Domain,
    /// The account that logs in.
    User,
    /// The mailbox that is to open.
    Mailbox,
    /// The account whose password is given, where it is another than the user (`user*master`).
    Master,
    /// What else the name asks for: a folder, a search, options.
    Detail,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 5] = [Self::Domain, Self::User, Self::Mailbox, Self::Master, Self::Detail];

    /// The word for it in files and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::User => "user",
            Self::Mailbox => "mailbox",
            Self::Master => "master",
            Self::Detail => "detail",
        }
    }

    /// The part that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.word() == word)
    }
}

/// Who is meant, in octets; each part may be absent. The meaning alone: it knows no separators and no quoting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The Windows NT domain.
    pub domain: Option<Vec<u8>>,
    /// The account.
    pub user: Option<Vec<u8>>,
    /// The mailbox.
    pub mailbox: Option<Vec<u8>>,
}

impl Identity {
    /// One of the parts.
    pub fn part(&self, part: Part) -> Option<&[u8]> {
        match part {
            Part::Domain => self.domain.as_deref(),
            Part::User => self.user.as_deref(),
            Part::Mailbox => self.mailbox.as_deref(),
            Part::Master | Part::Detail => None,
        }
    }
}
