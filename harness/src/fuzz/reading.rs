//! What a command means by the letter of the RFCs, read from the octets that were sent, whoever made them.
//!
//! This reader is strict and shares nothing with the one that spells commands, nor with the reference server's: it is
//! the judge of what a mutated command may come to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::axes::{Mechanism, Protocol};
use crate::protocol::imap::command::is_astring_char;

/// What a command means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The grammar has no such command, or not with these arguments.
    Illegal,
    /// There may be more than one command in it, or a server's bounds decide.
    Unclear,
    /// IMAP's `LOGIN`.
    Login { name: Vec<u8>, password: Vec<u8> },
    /// POP3's `USER`.
    User(Vec<u8>),
    /// POP3's `PASS`.
    Pass(Vec<u8>),
    /// SASL with a mechanism whose messages say it all.
    Sasl { mechanism: Mechanism, authzid: Vec<u8>, name: Vec<u8>, password: Vec<u8> },
    /// SASL with a mechanism whose messages answer a challenge, so that no fixed ones can be right.
    Proof,
    /// SASL with a mechanism about which nothing is known from the octets alone.
    OtherSasl,
    /// `CAPABILITY`, `CAPA`.
    Capabilities,
    /// `NOOP`.
    Noop,
    /// `LOGOUT`, `QUIT`.
    Logout,
    /// What only who is logged in may say.
    Mailbox,
    /// What a server may know or not: `ID`, `ENABLE`.
    Optional,
}

/// The longest line about whose fate nothing hangs on a server's bounds (RFC 2683 §3.2.1.5, RFC 2449 §4).
const fn longest(protocol: Protocol) -> usize {
    match protocol {
        Protocol::Imap => 8000,
        Protocol::Pop3 => 253,
    }
}

/// Reads a command from its messages, without tag and final line ends.
pub(super) fn read(protocol: Protocol, messages: &[Vec<u8>], has_literal_plus: bool) -> Meaning {
    let Some((first, more)) = messages.split_first() else { return Meaning::Illegal };
    if messages.iter().any(|message| message.len() > longest(protocol)) {
        return Meaning::Unclear;
    }
    let end = first.iter().position(|octet| *octet == b' ').unwrap_or(first.len());
    let verb = first.get(..end).unwrap_or_default().to_ascii_uppercase();
    let arguments = first.get(end + 1..);
    match protocol {
        Protocol::Imap => match read_imap(&verb, arguments, first, more, has_literal_plus) {
            // Where a server stops reading what is no command is its own affair.
            Meaning::Illegal if messages.iter().any(|message| has_line_break(message) || message.ends_with(b"}")) => {
                Meaning::Unclear
            }
            meaning => meaning,
        },
        Protocol::Pop3 => read_pop3(&verb, arguments, first, more),
    }
}

fn read_imap(verb: &[u8], arguments: Option<&[u8]>, first: &[u8], more: &[Vec<u8>], plus: bool) -> Meaning {
    let simple = |meaning| if arguments.is_none() && more.is_empty() { meaning } else { Meaning::Illegal };
    if verb == b"LOGIN" {
        let Some(arguments) = arguments else { return Meaning::Illegal };
        return read_login(arguments, more, plus);
    }
    if has_line_break(first) || more.iter().any(|message| has_line_break(message)) {
        return Meaning::Unclear;
    }
    match verb {
        b"AUTHENTICATE" => arguments.map_or(Meaning::Illegal, |arguments| read_sasl(arguments, more)),
        b"CAPABILITY" => simple(Meaning::Capabilities),
        b"NOOP" => simple(Meaning::Noop),
        b"LOGOUT" => simple(Meaning::Logout),
        // Whoever comes with TLS says STARTTLS by itself.
        b"STARTTLS" => Meaning::Optional,
        b"ID" | b"ENABLE" | b"COMPRESS" | b"LANGUAGE" => Meaning::Optional,
        b"EXAMINE" | b"SELECT" | b"LIST" | b"LSUB" | b"STATUS" | b"FETCH" | b"NAMESPACE" | b"IDLE" | b"UID" => {
            Meaning::Mailbox
        }
        _ => Meaning::Illegal,
    }
}

fn read_pop3(verb: &[u8], arguments: Option<&[u8]>, first: &[u8], more: &[Vec<u8>]) -> Meaning {
    if has_line_break(first) || more.iter().any(|message| has_line_break(message)) {
        return Meaning::Unclear;
    }
    let given = |meaning: fn(Vec<u8>) -> Meaning| match arguments {
        Some(argument) if more.is_empty() => meaning(argument.to_vec()),
        _ => Meaning::Illegal,
    };
    match verb {
        b"USER" => given(Meaning::User),
        b"PASS" => given(Meaning::Pass),
        b"APOP" => Meaning::Proof,
        b"AUTH" => arguments.map_or(Meaning::Optional, |arguments| read_sasl(arguments, more)),
        b"CAPA" if arguments.is_none() => Meaning::Capabilities,
        // Only who is logged in may say NOOP (RFC 1939 §5), and many servers take it from everybody.
        b"NOOP" | b"STLS" | b"UTF8" | b"LANG" => Meaning::Optional,
        b"QUIT" if arguments.is_none() => Meaning::Logout,
        b"STAT" | b"LIST" | b"RETR" | b"DELE" | b"RSET" | b"TOP" | b"UIDL" => Meaning::Mailbox,
        _ => Meaning::Illegal,
    }
}

/// The arguments of `LOGIN`: two of `astring` (RFC 9051 §9).
fn read_login(arguments: &[u8], more: &[Vec<u8>], has_literal_plus: bool) -> Meaning {
    let mut rest = arguments;
    let mut more = more.iter();
    let mut found: Vec<Vec<u8>> = Vec::new();
    for index in 0..2 {
        if index == 1 {
            match rest.split_first() {
                Some((b' ', behind)) => rest = behind,
                _ => return Meaning::Illegal,
            }
        }
        let (value, behind) = match rest.first() {
            Some(b'"') => match quoted(rest) {
                Some(read) => read,
                None if has_line_break(rest) => return Meaning::Unclear,
                None => return Meaning::Illegal,
            },
            Some(b'{') => {
                let Some((size, is_plus, behind)) = announced(rest) else {
                    return if has_line_break(rest) { Meaning::Unclear } else { Meaning::Illegal };
                };
                let behind = match (is_plus, behind) {
                    (true, [b'\r', b'\n', behind @ ..]) if has_literal_plus => behind,
                    (false, []) => match more.next() {
                        Some(message) => message.as_slice(),
                        // The literal never comes: the command does not end.
                        None => return Meaning::Unclear,
                    },
                    _ => return Meaning::Unclear,
                };
                match behind.split_at_checked(size) {
                    Some((value, behind)) => (value.to_vec(), behind),
                    // It takes the line end in, and what follows.
                    None => return Meaning::Unclear,
                }
            }
            _ => {
                let end = rest.iter().position(|octet| !is_astring_char(*octet)).unwrap_or(rest.len());
                let (value, behind) = rest.split_at_checked(end).unwrap_or_default();
                if has_line_break(behind) {
                    return Meaning::Unclear;
                }
                if value.is_empty() {
                    return Meaning::Illegal;
                }
                (value.to_vec(), behind)
            }
        };
        found.push(value);
        rest = behind;
    }
    if has_line_break(rest) {
        return Meaning::Unclear;
    }
    match (rest.is_empty() && more.next().is_none(), <[Vec<u8>; 2]>::try_from(found)) {
        (true, Ok([name, password])) => Meaning::Login { name, password },
        _ => Meaning::Illegal,
    }
}

/// A quoted string, and what follows (RFC 9051 §9).
fn quoted(octets: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut at = 1;
    loop {
        match *octets.get(at)? {
            // IMAP4rev2 has UTF-8 in quoted strings (RFC 9051 §9, QUOTED-CHAR).
            b'"' => return std::str::from_utf8(&value).is_ok().then_some((value, octets.get(at + 1..)?)),
            b'\\' => {
                let escaped = *octets.get(at + 1)?;
                if !matches!(escaped, b'"' | b'\\') {
                    return None;
                }
                value.push(escaped);
                at += 2;
            }
            0 | b'\r' | b'\n' => return None,
            octet => {
                value.push(octet);
                at += 1;
            }
        }
    }
}

/// `{n}` or `{n+}`: the number, which of both, and what follows.
fn announced(octets: &[u8]) -> Option<(usize, bool, &[u8])> {
    let close = octets.iter().position(|octet| *octet == b'}')?;
    let inner = octets.get(1..close)?;
    let (digits, is_plus) = match inner.strip_suffix(b"+") {
        Some(digits) => (digits, true),
        None => (inner, false),
    };
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, is_plus, octets.get(close + 1..)?))
}

/// What follows `AUTHENTICATE` or `AUTH`.
fn read_sasl(arguments: &[u8], more: &[Vec<u8>]) -> Meaning {
    let mut words = arguments.split(|octet| *octet == b' ');
    let name = words.next().unwrap_or_default();
    let initial = words.next();
    if words.next().is_some() || name.is_empty() {
        return Meaning::Illegal;
    }
    let is_called =
        |mechanism: &&Mechanism| mechanism.sasl_name().is_some_and(|known| known.as_bytes().eq_ignore_ascii_case(name));
    let Some(&mechanism) = Mechanism::ALL.iter().find(is_called) else { return Meaning::Illegal };
    let initial = initial.map(|response| if response == b"=" { b"" } else { response });
    let mut messages = Vec::new();
    for encoded in initial.into_iter().chain(more.iter().map(Vec::as_slice)) {
        match STANDARD.decode(encoded) {
            Ok(message) => messages.push(message),
            Err(_) => return Meaning::Illegal,
        }
    }
    match (mechanism, messages.as_slice()) {
        (Mechanism::Plain, [message]) => {
            let fields: Vec<&[u8]> = message.split(|octet| *octet == 0).collect();
            let [authzid, name, password] = fields[..] else { return Meaning::Illegal };
            let owned = <[u8]>::to_vec;
            Meaning::Sasl { mechanism, authzid: owned(authzid), name: owned(name), password: owned(password) }
        }
        (Mechanism::SaslLogin, [name, password]) => {
            Meaning::Sasl { mechanism, authzid: Vec::new(), name: name.clone(), password: password.clone() }
        }
        (Mechanism::Plain | Mechanism::SaslLogin, _) => Meaning::Illegal,
        _ if mechanism.proves_password() => Meaning::Proof,
        _ => Meaning::OtherSasl,
    }
}

fn has_line_break(octets: &[u8]) -> bool {
    octets.iter().any(|octet| matches!(octet, b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imap(messages: &[&str]) -> Meaning {
        let messages: Vec<Vec<u8>> = messages.iter().map(|message| message.as_bytes().to_vec()).collect();
        read(Protocol::Imap, &messages, true)
    }

    fn pop3(message: &str) -> Meaning {
        read(Protocol::Pop3, &[message.as_bytes().to_vec()], false)
    }

    fn login(name: &str, password: &str) -> Meaning {
        Meaning::Login { name: name.into(), password: password.into() }
    }

    #[test]
    fn a_login_in_every_spelling() {
        assert_eq!(imap(&["LOGIN user pw"]), login("user", "pw"));
        assert_eq!(imap(&["login user~}] p]w"]), login("user~}]", "p]w"));
        assert_eq!(imap(&[r#"LOGIN "D\\u" "p\"w""#]), login(r"D\u", r#"p"w"#));
        assert_eq!(imap(&["LOGIN {3}", "a\\b {2}", "pw"]), login("a\\b", "pw"));
        assert_eq!(imap(&["LOGIN {3+}\r\na\\b \"pw\""]), login("a\\b", "pw"));
        assert_eq!(imap(&["LOGIN \"\" {0}", ""]), login("", ""));
        assert_eq!(imap(&["LOGIN \"us\u{e9}r\" pw"]), login("us\u{e9}r", "pw"));
        assert_eq!(read(Protocol::Imap, &[b"LOGIN \"\xff\" pw".to_vec()], true), Meaning::Illegal);
    }

    #[test]
    fn what_the_grammar_has_not() {
        for command in [
            r#"LOGIN "D\u" pw"#,
            r"LOGIN D\u pw",
            "LOGIN user",
            "LOGIN user pw more",
            "LOGIN user  pw",
            "LOGIN us%er pw",
            "LOGIN us\u{e9}r pw",
            "LOGON user pw",
            "",
            "AUTHENTICATE PLAIN AHVzZXIAcHc",
            "AUTHENTICATE PLAIN !AHVzZXIAcHc=",
            "AUTHENTICATE PLAIN dXNlcgBwdw==",
            "NOOP x",
        ] {
            assert_eq!(imap(&[command]), Meaning::Illegal, "{command}");
        }
    }

    #[test]
    fn what_hangs_on_more_than_the_command() {
        for messages in [&["LOGIN {9}"][..], &["LOGIN {9}", "abc"], &["LOGIN a\r\nb c"], &["LOGIN {3}\r\nabc pw"]] {
            assert_eq!(imap(messages), Meaning::Unclear, "{messages:?}");
        }
        assert_eq!(read(Protocol::Imap, &[b"LOGIN {1+}\r\na b".to_vec()], false), Meaning::Unclear);
    }

    #[test]
    fn pop3_takes_the_rest_of_the_line() {
        assert_eq!(pop3("USER First Last"), Meaning::User(b"First Last".to_vec()));
        assert_eq!(pop3("pass  x "), Meaning::Pass(b" x ".to_vec()));
        assert_eq!(pop3("PASS"), Meaning::Illegal);
        assert_eq!(pop3("CAPA"), Meaning::Capabilities);
        assert_eq!(pop3("APOP a b"), Meaning::Proof);
    }
}
