//! What a server refuses before it reads a name, or in one of its parts: lengths and alphabets.

use super::access::{Access, Applies};
use super::octet_set::OctetSet;
use super::part::Part;
use super::provenance::Source;

/// What a restriction looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restricted {
    /// The whole login name.
    Name,
    /// The login name without a master part.
    Account,
    /// Each part that a reading has found.
    Parts,
    /// One part that a reading has found.
    Part(Part),
}

impl Restricted {
    /// What a word in a dialect file stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "name" => Some(Self::Name),
            "account" => Some(Self::Account),
            "parts" => Some(Self::Parts),
            _ => Part::from_word(word).map(Self::Part),
        }
    }
}

/// One rule that refuses names by their length or their octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// The rule in words.
    pub about: String,
    /// Where it applies.
    pub applies: Applies,
    /// What it looks at.
    pub restricted: Restricted,
    /// The most octets.
    pub longest: Option<usize>,
    /// The only octets that are taken.
    pub allows: Option<OctetSet>,
    /// Octets that are not taken.
    pub forbids: OctetSet,
    /// Where the rule is from.
    pub source: Source,
}

impl Restriction {
    /// Whether the rule applies here and refuses so many octets, or one of these.
    pub fn refuses(&self, length: usize, octets: &OctetSet, access: Access) -> bool {
        self.applies.to(access)
            && (self.longest.is_some_and(|longest| length > longest)
                || self.forbids.meets(octets)
                || self.allows.is_some_and(|allowed| !octets.lies_within(&allowed)))
    }
}
