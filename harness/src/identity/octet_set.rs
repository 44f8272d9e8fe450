//! Sets of octets: separators, alphabets.

use crate::notation::{NotationError, Token, tokens};

/// A set of octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OctetSet([u64; 4]);

impl OctetSet {
    /// Whether the octet is in the set.
    pub const fn holds(&self, octet: u8) -> bool {
        self.0[(octet >> 6) as usize] & (1 << (octet & 63)) != 0
    }

    /// The octets that these are made of.
    pub fn of(octets: &[u8]) -> Self {
        let mut set = Self::default();
        octets.iter().for_each(|&octet| set.insert(octet));
        set
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// Whether the two have an octet in common.
    pub const fn meets(&self, other: &Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        a & e | b & f | c & g | d & h != 0
    }

    /// Whether every octet of this set is in the other.
    pub const fn lies_within(&self, other: &Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        a & !e | b & !f | c & !g | d & !h == 0
    }

    /// The octets of the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.into_iter().zip([0, 64, 128, 192]).flat_map(|(mut left, first)| {
            std::iter::from_fn(move || {
                let next = u8::try_from(left.trailing_zeros()).ok().filter(|_| left != 0)?;
                left &= left - 1;
                Some(first + next)
            })
        })
    }

    /// Adds one octet.
    pub const fn insert(&mut self, octet: u8) {
        self.0[(octet >> 6) as usize] |= 1 << (octet & 63);
    }

    /// The set of the octets that the text stands for, in the notation for octets.
    pub fn from_text(text: &str) -> Result<Self, NotationError> {
        let mut set = Self::default();
        for octet in octets(text)? {
            set.insert(octet);
        }
        Ok(set)
    }

    /// Adds one entry of an alphabet: a range where it stands for `x-y`, otherwise each of its octets.
    pub fn insert_entry(&mut self, entry: &str) -> Result<(), NotationError> {
        let octets = octets(entry)?;
        match octets.as_slice() {
            &[first, b'-', last] if first <= last => (first..=last).for_each(|octet| self.insert(octet)),
            [first, b'-', last] => {
                let reason = format!("the range runs backwards, from 0x{first:02x} to 0x{last:02x}");
                return Err(NotationError { reason, span: 0..entry.len() });
            }
            octets => octets.iter().for_each(|&octet| self.insert(octet)),
        }
        Ok(())
    }
}

fn octets(text: &str) -> Result<Vec<u8>, NotationError> {
    let mut octets = Vec::new();
    for (token, span) in tokens(text)? {
        match token {
            Token::Octets(more) => octets.extend(more),
            Token::Name(name) => {
                return Err(NotationError { reason: format!("`{{{name}}}` stands for no octets"), span });
            }
        }
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_compared() {
        let set = OctetSet::of;
        assert_eq!(set(b"\xffb\x00\x3f\x40ab").iter().collect::<Vec<_>>(), b"\x00\x3f\x40ab\xff");
        for (one, other, meet, within) in [
            (&b""[..], &b""[..], false, true),
            (b"", b"a", false, true),
            (b"a", b"", false, false),
            (b"a\xff", b"\xff", true, false),
            (b"\x00", b"\x00\x41\x81\xc1", true, true),
            (b"\x01\x41\x81\xc1", b"\x00\x40\x80\xc0", false, false),
        ] {
            assert_eq!(
                (set(one).meets(&set(other)), set(one).lies_within(&set(other))),
                (meet, within),
                "{one:?} {other:?}"
            );
        }
    }

    #[test]
    fn entries_are_ranges_or_lists() {
        let mut set = OctetSet::default();
        for entry in ["a-c", "{x00}-{x02}", ".-_@", "{xff}"] {
            set.insert_entry(entry).expect(entry);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), b"\x00\x01\x02-.@_abc\xff");
        assert!(set.insert_entry("z-a").is_err());
        assert!(set.insert_entry("{user}").is_err());
    }
}
