//! POP3's commands as a server reads them (RFC 1939, RFC 2449, RFC 5034).

use super::super::flaw::{Flaw, Flaws};

/// A command with its argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'b> {
    Capa,
    /// The rest of the line is the name: RFC 1939 §3 has no arguments with spaces, and servers that have such names
    /// all take them so.
    User(&'b [u8]),
    /// The rest of the line is the password (RFC 1939 §7).
    Pass(&'b [u8]),
    /// The last word is the digest; what precedes it is the name, spaces and all.
    Apop {
        name: &'b [u8],
        digest: &'b [u8],
    },
    /// `AUTH` alone asks which mechanisms there are.
    AuthList,
    Auth {
        mechanism: &'b [u8],
        initial: Option<&'b [u8]>,
    },
    Stat,
    List(Option<&'b [u8]>),
    Uidl(Option<&'b [u8]>),
    Retr(&'b [u8]),
    Top {
        message: &'b [u8],
        lines: &'b [u8],
    },
    Stls,
    Noop,
    Rset,
    Dele,
    Quit,
}

/// Reads a command from its line, which ends in LF; or says which rule it breaks.
pub(super) fn read(line: &[u8], flaws: Flaws) -> Result<Command<'_>, &'static str> {
    let line = if flaws.has(Flaw::TruncatesAtNul) { up_to_line_end(line)? } else { without_line_end(line)? };
    let (verb, argument) = match line.iter().position(|&octet| octet == b' ') {
        Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..)),
        None => (line, None),
    };
    let mut upper = [0; 4];
    let Some(upper) = upper.get_mut(..verb.len()) else {
        return Err("a keyword has three or four letters (RFC 1939 section 3)");
    };
    upper.copy_from_slice(verb);
    upper.make_ascii_uppercase();
    Ok(match (&*upper, argument) {
        (b"USER", Some(name)) if !name.is_empty() => Command::User(name),
        (b"USER", _) => return Err("USER takes a name (RFC 1939 section 7)"),
        (b"PASS", Some(password)) => Command::Pass(password),
        (b"PASS", None) => return Err("PASS takes a password (RFC 1939 section 7)"),
        (b"APOP", argument) => apop(argument.unwrap_or_default())?,
        (b"AUTH", None) => Command::AuthList,
        (b"AUTH", Some(argument)) => auth(argument)?,
        (b"LIST", argument) => Command::List(argument),
        (b"UIDL", argument) => Command::Uidl(argument),
        (b"RETR", Some(message)) => Command::Retr(message),
        (b"TOP", Some(argument)) => top(argument)?,
        (b"DELE", Some(_)) => Command::Dele,
        (b"RETR" | b"TOP" | b"DELE", None) => return Err("a message number is expected (RFC 1939 section 5)"),
        (b"CAPA", None) => Command::Capa,
        (b"STLS", None) => Command::Stls,
        (b"STAT", None) => Command::Stat,
        (b"NOOP", None) => Command::Noop,
        (b"RSET", None) => Command::Rset,
        (b"QUIT", None) => Command::Quit,
        (b"CAPA" | b"STLS" | b"STAT" | b"NOOP" | b"RSET" | b"QUIT", Some(_)) => {
            return Err("this command takes no argument (RFC 1939 section 5)");
        }
        _ => return Err("unknown command (RFC 1939 section 3)"),
    })
}

fn up_to_line_end(line: &[u8]) -> Result<&[u8], &'static str> {
    line.strip_suffix(b"\r\n").ok_or("a line ends in CR LF (RFC 1939 section 3)")
}

/// The line without CR LF; neither CR nor NUL stands elsewhere.
pub(super) fn without_line_end(line: &[u8]) -> Result<&[u8], &'static str> {
    let Some(line) = line.strip_suffix(b"\r\n") else {
        return Err("a line ends in CR LF (RFC 1939 section 3)");
    };
    if line.iter().any(|octet| matches!(octet, b'\r' | 0)) {
        return Err("a line holds no CR and no NUL (RFC 1939 section 3)");
    }
    Ok(line)
}

fn apop(argument: &[u8]) -> Result<Command<'_>, &'static str> {
    let at = argument.iter().rposition(|&octet| octet == b' ');
    match at.and_then(|at| Some((argument.get(..at)?, argument.get(at + 1..)?))) {
        Some((name, digest)) if !name.is_empty() => Ok(Command::Apop { name, digest }),
        _ => Err("APOP takes a name and a digest (RFC 1939 section 7)"),
    }
}

fn auth(argument: &[u8]) -> Result<Command<'_>, &'static str> {
    let mut words = argument.split(|&octet| octet == b' ');
    let mechanism = words.next().unwrap_or_default();
    let initial = words.next();
    if mechanism.is_empty() || initial.is_some_and(<[u8]>::is_empty) || words.next().is_some() {
        return Err("AUTH takes a mechanism and at most an initial response (RFC 5034 section 4)");
    }
    Ok(Command::Auth { mechanism, initial })
}

fn top(argument: &[u8]) -> Result<Command<'_>, &'static str> {
    let mut words = argument.split(|&octet| octet == b' ');
    match (words.next(), words.next(), words.next()) {
        (Some(message), Some(lines), None) => Ok(Command::Top { message, lines }),
        _ => Err("TOP takes a message number and a number of lines (RFC 1939 section 7)"),
    }
}

/// A number of at most nine digits.
pub(super) fn number(word: &[u8]) -> Option<usize> {
    if word.is_empty() || word.len() > 9 || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(word.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_keep_their_spaces() {
        assert_eq!(read(b"user First Last\r\n", Flaws::NONE), Ok(Command::User(b"First Last")));
        assert_eq!(read(b"USER  a \r\n", Flaws::NONE), Ok(Command::User(b" a ")));
        assert_eq!(read(b"PASS a b \r\n", Flaws::NONE), Ok(Command::Pass(b"a b ")));
        assert_eq!(read(b"PASS \r\n", Flaws::NONE), Ok(Command::Pass(b"")));
        assert_eq!(read(b"APOP a b c\r\n", Flaws::NONE), Ok(Command::Apop { name: b"a b", digest: b"c" }));
        assert_eq!(read(b"USER \xff\r\n", Flaws::NONE), Ok(Command::User(b"\xff")));
        assert_eq!(
            read(b"AUTH PLAIN =\r\n", Flaws::NONE),
            Ok(Command::Auth { mechanism: b"PLAIN", initial: Some(b"=") })
        );
    }

    #[test]
    fn every_rule_refuses_with_its_reason() {
        for (line, reason) in [
            (&b"NOOP\n"[..], "CR LF"),
            (b"USER a\rb\r\n", "no CR"),
            (b"USER a\0b\r\n", "no NUL"),
            (b"USER\r\n", "takes a name"),
            (b"USER \r\n", "takes a name"),
            (b"PASS\r\n", "takes a password"),
            (b"APOP\r\n", "APOP takes"),
            (b"APOP a\r\n", "APOP takes"),
            (b"AUTH \r\n", "AUTH takes"),
            (b"AUTH PLAIN a b\r\n", "AUTH takes"),
            (b"STAT 1\r\n", "no argument"),
            (b"RETR\r\n", "a message number"),
            (b"TOP 1\r\n", "TOP takes"),
            (b"LOGIN a b\r\n", "three or four letters"),
            (b"XTND\r\n", "unknown command"),
            (b"\r\n", "unknown command"),
        ] {
            let rule = read(line, Flaws::NONE).expect_err("refused");
            assert!(rule.contains(reason), "{line:?}: {rule}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(b"12"), Some(12));
        assert_eq!(number(b"1234567890"), None);
        assert_eq!(number(b"+1"), None);
        assert_eq!(number(b""), None);
    }
}
