//! Octets for the server, with the parts marked that hold a password.

use std::fmt;
use std::ops::Range;

use super::marked_octets::MarkedOctets;

/// What stands in a password's place.
pub const PLACEHOLDER: &str = "<password>";

/// One piece to send as it is. Where a command waits for a continuation it comes in several pieces.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Outgoing {
    /// What to send.
    pub octets: Vec<u8>,
    /// Which of these octets hold a password in any form, in order and without overlap.
    pub secrets: Vec<Range<usize>>,
    /// What octets in BASE64 mean, for readers of transcripts, with every secret masked already.
    pub meaning: Option<String>,
}

impl Outgoing {
    /// A piece without secrets.
    pub fn plain(octets: impl Into<Vec<u8>>) -> Self {
        Self { octets: octets.into(), ..Self::default() }
    }

    /// Adds octets that hold no secret.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// Adds octets that hold a password.
    pub fn push_secret(&mut self, octets: &[u8]) {
        let start = self.octets.len();
        self.octets.extend_from_slice(octets);
        self.secrets.push(start..self.octets.len());
    }

    /// Adds octets of which some may be secret.
    pub fn push_marked(&mut self, marked: &MarkedOctets) {
        let start = self.octets.len();
        self.octets.extend_from_slice(marked.expose());
        self.secrets.extend(marked.secrets().iter().map(|secret| start + secret.start..start + secret.end));
    }

    /// The octets with their marks, without what they mean.
    pub(crate) fn into_marked(self) -> MarkedOctets {
        MarkedOctets::new(self.octets, self.secrets)
    }
}

impl From<&MarkedOctets> for Outgoing {
    fn from(marked: &MarkedOctets) -> Self {
        Self { octets: marked.expose().to_vec(), secrets: marked.secrets().to_vec(), meaning: None }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::new();
        let mut at = 0;
        for secret in &self.secrets {
            let before = self.octets.get(at..secret.start).unwrap_or_default();
            shown.push_str(&before.escape_ascii().to_string());
            shown.push_str(PLACEHOLDER);
            at = at.max(secret.end);
        }
        shown.push_str(&self.octets.get(at..).unwrap_or_default().escape_ascii().to_string());
        write!(f, "Outgoing({shown})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut outgoing = Outgoing::plain("PASS ");
        outgoing.push_secret(b"Secret-User1");
        outgoing.push(b"\r\n");
        assert_eq!(format!("{outgoing:?}"), r"Outgoing(PASS <password>\r\n)");
    }
}
