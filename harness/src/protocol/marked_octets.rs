//! Octets that remember which of them are secret, wherever they travel.

use std::fmt;
use std::ops::Range;

use super::outgoing::PLACEHOLDER;
use crate::notation::escape;
use crate::secret::Password;

/// Octets, with the ranges marked that hold a secret. What shows them to people masks these ranges.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct MarkedOctets {
    octets: Vec<u8>,
    /// In order, and without overlap.
    secrets: Vec<Range<usize>>,
}

impl MarkedOctets {
    /// Octets of which these ranges are secret; the ranges are in order and do not overlap.
    pub const fn new(octets: Vec<u8>, secrets: Vec<Range<usize>>) -> Self {
        Self { octets, secrets }
    }

    /// The octets with their secrets, for the wire or for a comparison and for nothing else.
    pub fn expose(&self) -> &[u8] {
        &self.octets
    }

    /// Which octets are secret.
    pub fn secrets(&self) -> &[Range<usize>] {
        &self.secrets
    }

    /// Whether any octet is secret.
    pub const fn holds_secret(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// How many octets there are.
    pub const fn len(&self) -> usize {
        self.octets.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// The octets for people: in the notation of scenario files, with a placeholder for each secret.
    pub fn shown(&self) -> String {
        self.masked(escape)
    }

    /// The octets for people, each part that is no secret as `show` has it.
    pub(crate) fn masked(&self, show: impl Fn(&[u8]) -> String) -> String {
        let mut shown = String::new();
        let mut at = 0;
        for secret in &self.secrets {
            shown.push_str(&show(self.octets.get(at..secret.start).unwrap_or_default()));
            shown.push_str(PLACEHOLDER);
            at = secret.end;
        }
        shown.push_str(&show(self.octets.get(at..).unwrap_or_default()));
        shown
    }

    /// The octets in another spelling, given octet by octet: what is made of a secret is one too.
    pub(crate) fn spelt(&self, mut spell: impl FnMut(u8, &mut Vec<u8>)) -> Self {
        let mut spelt = Self::default();
        for (at, &octet) in self.octets.iter().enumerate() {
            let start = spelt.octets.len();
            spell(octet, &mut spelt.octets);
            let is_secret = self.secrets.iter().any(|secret| secret.contains(&at));
            let continues = self.secrets.iter().all(|secret| secret.start != at);
            match spelt.secrets.last_mut().filter(|last| last.end == start && continues) {
                Some(last) if is_secret => last.end = spelt.octets.len(),
                _ if is_secret => spelt.secrets.push(start..spelt.octets.len()),
                _ => {}
            }
        }
        spelt
    }

    /// Other octets that were made of these. Where any of these is secret, all of them are.
    pub(crate) fn made_into(&self, octets: Vec<u8>) -> Self {
        let whole = (self.holds_secret() && !octets.is_empty()).then_some(0..octets.len());
        Self { octets, secrets: whole.into_iter().collect() }
    }

    /// The octets in this range.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let within = |secret: &Range<usize>| {
            let (start, end) = (secret.start.max(range.start), secret.end.min(range.end));
            (start < end).then(|| start - range.start..end - range.start)
        };
        let octets = self.octets.get(range.clone()).unwrap_or_default().to_vec();
        Self { octets, secrets: self.secrets.iter().filter_map(within).collect() }
    }
}

impl From<Vec<u8>> for MarkedOctets {
    fn from(octets: Vec<u8>) -> Self {
        Self { octets, secrets: Vec::new() }
    }
}

impl From<&[u8]> for MarkedOctets {
    fn from(octets: &[u8]) -> Self {
        octets.to_vec().into()
    }
}

impl From<&str> for MarkedOctets {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<&Password> for MarkedOctets {
    fn from(password: &Password) -> Self {
        let octets = password.expose().to_vec();
        let whole = 0..octets.len();
        Self { octets, secrets: vec![whole] }
    }
}

impl fmt::Debug for MarkedOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MarkedOctets({})", self.masked(|octets| octets.escape_ascii().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(octets: &[u8], secret: Range<usize>) -> MarkedOctets {
        MarkedOctets::new(octets.to_vec(), std::iter::once(secret).collect())
    }

    fn marked() -> MarkedOctets {
        made(b"a\"Secret\"b", 2..8)
    }

    #[test]
    fn a_secret_is_masked_wherever_it_is_shown() {
        assert_eq!(marked().shown(), "a\"<password>\"b");
        assert_eq!(format!("{:?}", marked()), r#"MarkedOctets(a\"<password>\"b)"#);
        assert_eq!(MarkedOctets::from(&Password::new("ab")).shown(), "<password>");
    }

    #[test]
    fn marks_follow_the_octets_into_another_spelling() {
        let doubled = marked().spelt(|octet, spelt| spelt.extend([octet, octet]));
        assert_eq!(doubled.expose(), b"aa\"\"SSeeccrreett\"\"bb");
        assert_eq!(doubled.shown(), "aa\"\"<password>\"\"bb");
        let neighbours = MarkedOctets::new(b"abcd".to_vec(), vec![0..2, 2..4]);
        assert_eq!(neighbours.spelt(|octet, spelt| spelt.push(octet)), neighbours);
    }

    #[test]
    fn a_part_keeps_its_marks_and_what_is_made_of_it_is_marked() {
        assert_eq!(marked().slice(4..9).shown(), "<password>\"");
        assert_eq!(marked().slice(8..10).shown(), "\"b");
        assert_eq!(marked().made_into(b"digest".to_vec()).shown(), "<password>");
        assert_eq!(MarkedOctets::from("x").made_into(b"digest".to_vec()).shown(), "digest");
    }
}
