//! The words of IMAP's grammar as a server reads them: tags, atoms, numbers (RFC 9051 §9, RFC 3501 §9).
//!
//! A [`Cursor`] walks over the text of one command, which ends in a line feed. Every refusal names the rule and the
//! octet's index from the start of the command.

use super::super::flaw::Flaws;

/// Where a command is being read.
pub(super) struct Cursor<'b> {
    pub(super) octets: &'b [u8],
    pub(super) at: usize,
    pub(super) flaws: Flaws,
    /// How many quoted strings have been begun; only a flaw asks.
    pub(super) strings: usize,
}

/// Why reading stops before the command ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It breaks this rule, at this octet.
    Bad {
        /// The rule in words, with its source.
        rule: &'static str,
        /// The octet's index in the command.
        index: usize,
    },
    /// A literal has been announced whose octets are not here yet.
    Literal {
        /// Where it starts in the command.
        start: usize,
        /// How many octets it has.
        length: usize,
        /// Whether the client waits for leave to send it (RFC 9051 §4.3; RFC 7888 says when not).
        waits: bool,
    },
    /// A literal longer than the server takes.
    TooLong {
        /// The index of the announcement.
        index: usize,
    },
    /// Only a flaw does so: the server never answers again.
    Hang,
}

/// What was read, or why nothing was.
pub(super) type Read<T> = Result<T, Stop>;

/// Whether an octet may stand in an atom (`ATOM-CHAR`).
pub(super) const fn is_atom_octet(octet: u8) -> bool {
    matches!(octet, 0x21..=0x7e) && !matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

impl<'b> Cursor<'b> {
    /// Starts at the first octet of a command.
    pub(super) const fn new(octets: &'b [u8], flaws: Flaws) -> Self {
        Self { octets, at: 0, flaws, strings: 0 }
    }

    /// The refusal for the octet that comes next.
    pub(super) const fn bad<T>(&self, rule: &'static str) -> Read<T> {
        Err(Stop::Bad { rule, index: self.at })
    }

    /// The octet that comes next, if any.
    pub(super) fn next_octet(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    /// Takes one octet if it comes next.
    pub(super) fn takes(&mut self, octet: u8) -> bool {
        let is_next = self.next_octet() == Some(octet);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes one octet, or refuses by the rule.
    pub(super) fn expect(&mut self, octet: u8, rule: &'static str) -> Read<()> {
        if self.takes(octet) { Ok(()) } else { self.bad(rule) }
    }

    /// Takes the one space between two words.
    pub(super) fn space(&mut self) -> Read<()> {
        self.expect(b' ', "one space stands between two arguments (RFC 9051 section 9)")
    }

    /// Takes the end of the command.
    pub(super) fn end(&mut self) -> Read<()> {
        if self.octets.get(self.at..) == Some(b"\r\n") {
            return Ok(());
        }
        match self.next_octet() {
            Some(b'\n') => self.bad("a line ends in CR LF (RFC 9051 section 2.2)"),
            Some(b'\r') => self.bad("CR stands only before LF (RFC 9051 section 2.2)"),
            _ => self.bad("the command ends here (RFC 9051 section 9)"),
        }
    }

    /// Takes everything up to the end of the line.
    pub(super) fn rest(&mut self) -> &'b [u8] {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let rest = rest.strip_suffix(b"\r\n").unwrap_or(rest);
        self.at += rest.len();
        rest
    }

    /// Takes all octets that are of a kind.
    pub(super) fn while_octets(&mut self, is_of_kind: impl Fn(u8) -> bool) -> &'b [u8] {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&octet| !is_of_kind(octet)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// A tag.
    pub(super) fn tag(&mut self) -> Read<&'b [u8]> {
        let tag = self.while_octets(|octet| (is_atom_octet(octet) || octet == b']') && octet != b'+');
        if tag.is_empty() || self.next_octet() != Some(b' ') {
            return self.bad("a command begins with a tag and a space (RFC 9051 section 9)");
        }
        Ok(tag)
    }

    /// An atom.
    pub(super) fn atom(&mut self) -> Read<&'b [u8]> {
        let atom = self.while_octets(is_atom_octet);
        if atom.is_empty() {
            return self.bad("an atom is expected (RFC 9051 section 9)");
        }
        Ok(atom)
    }

    /// A number of at most nine digits; what the server counts is far smaller.
    pub(super) fn number(&mut self) -> Read<usize> {
        let digits = self.while_octets(|octet| octet.is_ascii_digit());
        if digits.is_empty() || digits.len() > 9 {
            return self.bad("a number is expected (RFC 9051 section 9)");
        }
        let value = |number: usize, digit: &u8| number * 10 + usize::from(digit - b'0');
        Ok(digits.iter().fold(0, value))
    }
}

/// Commands and names of items have no case. Longer words than any of ours come back empty.
pub(super) fn upper_case<'u>(word: &[u8], upper: &'u mut [u8; 12]) -> &'u [u8] {
    let Some(upper) = upper.get_mut(..word.len()) else {
        return &[];
    };
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    upper
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_hold_no_plus_and_end_in_a_space() {
        let tag = |text: &'static [u8]| Cursor::new(text, Flaws::NONE).tag();
        assert_eq!(tag(b"a]1 NOOP\r\n"), Ok(&b"a]1"[..]));
        for wrong in [&b" NOOP\r\n"[..], b"a+ NOOP\r\n", b"a\r\n", b"a\\ NOOP\r\n", b"\"a\" NOOP\r\n", b"\xff N\r\n"] {
            assert!(matches!(tag(wrong), Err(Stop::Bad { .. })), "{wrong:?}");
        }
    }

    #[test]
    fn numbers_are_short() {
        let number = |text: &'static [u8]| Cursor::new(text, Flaws::NONE).number().ok();
        assert_eq!(number(b"123)"), Some(123));
        assert_eq!(number(b"1234567890"), None);
        assert_eq!(number(b"x"), None);
    }
}
