//! How a login name reaches a server, and where a rule applies.

use crate::axes::{Mechanism, Protocol};

/// How a name reaches the server; some rules differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Access {
    /// The protocol.
    pub protocol: Protocol,
    /// The mechanism.
    pub mechanism: Mechanism,
}

/// The protocols and mechanisms to which a rule applies, as flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applies {
    protocols: u32,
    mechanisms: u32,
}

impl Applies {
    /// Limits a rule to what is named; nothing named is no limit.
    pub fn only(protocols: Option<&[Protocol]>, mechanisms: Option<&[Mechanism]>) -> Self {
        Self {
            protocols: protocols.map_or(u32::MAX, |list| list.iter().fold(0, |flags, value| flags | value.bit())),
            mechanisms: mechanisms.map_or(u32::MAX, |list| list.iter().fold(0, |flags, value| flags | value.bit())),
        }
    }

    /// Whether the rule is for this protocol alone.
    pub const fn is_only_for(self, protocol: Protocol) -> bool {
        self.protocols == protocol.bit()
    }

    /// Whether the rule applies to this access.
    pub const fn to(self, access: Access) -> bool {
        self.protocols & access.protocol.bit() != 0 && self.mechanisms & access.mechanism.bit() != 0
    }
}
