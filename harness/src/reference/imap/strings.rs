//! IMAP's strings as a server reads them: quoted strings and literals (RFC 9051 §4.3, RFC 7888).
//!
//! Most of what servers do differently with one and the same login name, they do here.

use std::borrow::Cow;

use super::super::flaw::Flaw;
use super::grammar::{Cursor, Read, Stop, is_atom_octet};

/// The longest literal that a client may announce: one name, one password.
pub(super) const LONGEST_LITERAL: usize = 4096;

impl<'b> Cursor<'b> {
    /// An atom with `]`, a quoted string or a literal.
    pub(super) fn astring(&mut self) -> Read<Cow<'b, [u8]>> {
        match self.next_octet() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => {
                let backslash = self.flaws.has(Flaw::AcceptsBackslashAtom);
                let stops_early = self.flaws.has(Flaw::RefusesLegalAtoms);
                let atom = self.while_octets(|octet| match octet {
                    b'~' | b'}' | b'[' if stops_early => false,
                    b'\\' => backslash,
                    octet => is_atom_octet(octet) || octet == b']',
                });
                // An octet that no atom may hold is named, rather than said to be the wrong end of the argument.
                match self.next_octet() {
                    Some(b' ' | b'\r' | b'\n') if !atom.is_empty() => Ok(Cow::Borrowed(atom)),
                    Some(b')') if !atom.is_empty() => Ok(Cow::Borrowed(atom)),
                    Some(b' ' | b'\r' | b'\n') | None => self.bad("an argument is expected (RFC 9051 section 9)"),
                    Some(_) => {
                        self.bad("no atom holds this octet: quote the string (RFC 9051 section 9, ASTRING-CHAR)")
                    }
                }
            }
        }
    }

    /// A quoted string: only `\` and `"` may follow a backslash (RFC 9051 §4.3, `QUOTED-CHAR`).
    fn quoted(&mut self) -> Read<Cow<'b, [u8]>> {
        self.strings += 1;
        self.at += 1;
        let start = self.at;
        let mut unescaped: Option<Vec<u8>> = None;
        loop {
            let plain = self.while_octets(|octet| !matches!(octet, b'"' | b'\\' | b'\r' | b'\n' | 0));
            if let Some(octets) = &mut unescaped {
                octets.extend_from_slice(plain);
            }
            match self.next_octet() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let before = self.octets.get(start..self.at).unwrap_or_default();
                    let octets = unescaped.get_or_insert_with(|| before.to_vec());
                    self.at += 1;
                    let escaped = self.next_octet();
                    self.escape(escaped, octets)?;
                }
                Some(0) => return self.bad("a quoted string holds no NUL (RFC 9051 section 9)"),
                _ => return self.bad("a quoted string ends with a quotation mark in its line (RFC 9051 section 4.3)"),
            }
        }
        let raw = self.octets.get(start..self.at).unwrap_or_default();
        if let Err(error) = std::str::from_utf8(raw) {
            self.at = start + error.valid_up_to();
            return self.bad("a quoted string is UTF-8: send other octets in a literal (RFC 9051 section 9)");
        }
        self.at += 1;
        Ok(unescaped.map_or(Cow::Borrowed(raw), Cow::Owned))
    }

    /// What follows a backslash. Where it may not follow one, this is where servers differ.
    fn escape(&mut self, escaped: Option<u8>, octets: &mut Vec<u8>) -> Read<()> {
        match escaped {
            Some(octet @ (b'\\' | b'"')) => {
                let is_password = self.strings > 1;
                if self.flaws.has(Flaw::KeepsQuotedEscapes) || (is_password && self.flaws.has(Flaw::UnescapesNameOnly))
                {
                    octets.push(b'\\');
                }
                octets.push(octet);
                self.at += 1;
                Ok(())
            }
            None | Some(b'\r' | b'\n' | 0) => Ok(()), // The loop refuses it.
            Some(_) if self.flaws.has(Flaw::HangsOnUnescapedBackslash) => Err(Stop::Hang),
            Some(_) if self.flaws.has(Flaw::DropsUnescapedBackslash) => Ok(()),
            Some(_) if self.flaws.has(Flaw::KeepsUnescapedBackslash) => {
                octets.push(b'\\');
                Ok(())
            }
            Some(_) => self.bad("in a quoted string only \\ and \" follow a backslash (RFC 9051 section 4.3)"),
        }
    }

    /// `{n}` or `{n+}`, CR LF, and n octets (RFC 9051 §4.3, RFC 7888).
    fn literal(&mut self) -> Read<&'b [u8]> {
        let index = self.at;
        if self.flaws.has(Flaw::RefusesLiterals) {
            return self.bad("this server takes no literals");
        }
        self.at += 1;
        let length = self.number()?;
        let waits = !self.takes(b'+');
        if !waits && self.flaws.has(Flaw::RunsLiteralOctets) {
            return self.bad("this server takes no such literals");
        }
        self.expect(b'}', "a literal is announced as {n} or {n+} (RFC 9051 section 9)")?;
        self.expect(b'\r', "CR LF follows the announcement of a literal (RFC 9051 section 9)")?;
        self.expect(b'\n', "CR LF follows the announcement of a literal (RFC 9051 section 9)")?;
        if length > LONGEST_LITERAL {
            return Err(Stop::TooLong { index });
        }
        let start = self.at;
        // The command goes on after the literal, if only with CR LF, so its octets are here only if more is.
        let (Some(octets), true) = (self.octets.get(start..start + length), self.octets.len() > start + length) else {
            return Err(Stop::Literal { start, length, waits });
        };
        if let Some(at) = octets.iter().position(|&octet| octet == 0 && !self.flaws.has(Flaw::TruncatesAtNul)) {
            self.at = start + at;
            return self.bad("a literal holds no NUL (RFC 9051 section 9, CHAR8)");
        }
        self.at = start + length;
        let kept = length.saturating_sub(usize::from(self.flaws.has(Flaw::TruncatesLiteral)));
        Ok(octets.get(..kept).unwrap_or_default())
    }
}

/// The length of the literal that a refused line announces without waiting (RFC 7888 §4). Its octets come in any
/// case, and taking them for commands would be as bad as a login bug can be.
pub(super) fn announced_without_waiting(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line).strip_suffix(b"+}")?;
    let open = line.iter().rposition(|&octet| octet == b'{')?;
    let digits = line.get(open + 1..)?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = |number: usize, digit: &u8| number.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
    Some(digits.iter().fold(0, value))
}

#[cfg(test)]
mod tests {
    use super::super::super::flaw::Flaws;
    use super::*;

    fn astring(octets: &[u8], flaws: Flaws) -> Read<Vec<u8>> {
        let mut cursor = Cursor::new(octets, flaws);
        let value = cursor.astring()?.into_owned();
        cursor.end()?;
        Ok(value)
    }

    fn index_of_bad(octets: &[u8]) -> Option<(usize, &'static str)> {
        match astring(octets, Flaws::NONE) {
            Err(Stop::Bad { rule, index }) => Some((index, rule)),
            _ => None,
        }
    }

    #[test]
    fn strings_in_every_spelling() {
        for (text, value) in [
            (&b"Domain1/User1]\r\n"[..], &b"Domain1/User1]"[..]),
            (b"a@b+c~}!#$&',.:;<=>?^_`|-\r\n", b"a@b+c~}!#$&',.:;<=>?^_`|-"),
            (b"\"\"\r\n", b""),
            (b"\"D\\\\u \\\"m\\\"\"\r\n", b"D\\u \"m\""),
            ("\"J\u{fc}rgen\"\r\n".as_bytes(), "J\u{fc}rgen".as_bytes()),
            (b"{0}\r\n\r\n", b""),
            (b"{4+}\r\na\r\n\xff\r\n", b"a\r\n\xff"),
        ] {
            assert_eq!(astring(text, Flaws::NONE).as_deref(), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn every_rule_refuses_with_its_reason_and_octet() {
        for (text, index, rule) in [
            (&b"D\\u\r\n"[..], 1, "no atom holds this octet"),
            (b"J\xc3\xbc\r\n", 1, "no atom holds this octet"),
            (b"a{3}\r\n", 1, "no atom holds this octet"),
            (b"a%b\r\n", 1, "no atom holds this octet"),
            (b"\r\n", 0, "an argument is expected"),
            (b"a\n", 1, "a line ends in CR LF"),
            (b"a\rb\r\n", 1, "CR stands only before LF"),
            (b"\"a\\b\"\r\n", 3, "only \\ and \""),
            (b"\"a\r\n", 2, "ends with a quotation mark"),
            (b"\"a\\\r\n", 3, "ends with a quotation mark"),
            (b"\"a\\\"\r\n", 4, "ends with a quotation mark"),
            (b"\"a\0\"\r\n", 2, "no NUL"),
            (b"\"a\xff\"\r\n", 2, "is UTF-8"),
            (b"\"a\"b\r\n", 3, "the command ends here"),
            (b"{x}\r\n", 1, "a number is expected"),
            (b"{1234567890}\r\n", 11, "a number is expected"),
            (b"{1]\r\n", 2, "announced as"),
            (b"{1}\n", 3, "CR LF follows"),
            (b"{1+}a\r\n", 4, "CR LF follows"),
            (b"{2}\r\na\0\r\n", 6, "no NUL"),
        ] {
            let (found, reason) = index_of_bad(text).unwrap_or_else(|| panic!("{text:?} is taken"));
            assert_eq!(found, index, "{text:?}");
            assert!(reason.contains(rule), "{text:?}: {reason}");
        }
    }

    #[test]
    fn literals_are_asked_for_and_bounded() {
        let read = |text: &[u8]| astring(text, Flaws::NONE);
        let announced = |start, length, waits| Err(Stop::Literal { start, length, waits });
        assert_eq!(read(b"{5}\r\n"), announced(5, 5, true));
        assert_eq!(read(b"{0}\r\n"), announced(5, 0, true));
        assert_eq!(read(b"{5+}\r\nabcde"), announced(6, 5, false));
        assert_eq!(read(b"{4097}\r\n"), Err(Stop::TooLong { index: 0 }));
    }

    #[test]
    fn flaws_read_otherwise() {
        let read = |text: &[u8], flaw: Flaw| astring(text, flaw.into());
        assert_eq!(read(b"\"D\\u\"\r\n", Flaw::DropsUnescapedBackslash).as_deref(), Ok(&b"Du"[..]));
        assert_eq!(read(b"\"D\\u\"\r\n", Flaw::KeepsUnescapedBackslash).as_deref(), Ok(&b"D\\u"[..]));
        assert_eq!(read(b"\"D\\u\"\r\n", Flaw::HangsOnUnescapedBackslash), Err(Stop::Hang));
        assert_eq!(read(b"\"D\\\\u\"\r\n", Flaw::KeepsQuotedEscapes).as_deref(), Ok(&b"D\\\\u"[..]));
        assert_eq!(read(b"D\\u\r\n", Flaw::AcceptsBackslashAtom).as_deref(), Ok(&b"D\\u"[..]));
        assert_eq!(read(b"{2}\r\nab\r\n", Flaw::TruncatesLiteral).as_deref(), Ok(&b"a"[..]));
        assert!(read(b"{2}\r\nab\r\n", Flaw::RefusesLiterals).is_err());
    }

    #[test]
    fn refused_lines_may_announce_octets() {
        assert_eq!(announced_without_waiting(b"a LOGIN \\ {5+}\r\n"), Some(5));
        assert_eq!(announced_without_waiting(b"{99999999999999999999999+}\n"), Some(usize::MAX));
        for none in [&b"a {5}\r\n"[..], b"a {+}\r\n", b"a {5+} \r\n", b"5+}\r\n"] {
            assert_eq!(announced_without_waiting(none), None);
        }
    }
}
