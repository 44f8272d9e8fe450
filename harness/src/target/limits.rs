//! What a server puts up with: the `[limits]` table of a target file.

use crate::source::{Field, Kind, Mistake, Table};

/// How many wrong passwords in a row one account is given where nobody says otherwise.
const WRONG_PASSWORDS: u64 = 3;

/// What the table may hold.
pub(super) const LIMIT_FIELDS: &[Field] = &[
    Field::new("connections", Kind::Number, "How many connections it takes at once."),
    Field::new(
        "wrong-passwords",
        Kind::Number,
        "How many wrong passwords in a row one account is given before a good login must come between; 3 by default.",
    ),
    Field::new("no-lockout", Kind::Flag, "Whether it never locks an account, so that no budget needs to be kept."),
    Field::new("lockout", Kind::Number, "How many wrong passwords in a row lock an account: never so many are sent."),
    Field::new(
        "one-session-per-mailbox",
        Kind::Flag,
        "Whether it keeps a mailbox to one POP3 session at a time (RFC 1939 §4).",
    ),
];

/// What a server puts up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections it takes at once, where somebody says so.
    pub connections: Option<usize>,
    /// How many wrong passwords in a row one account is given before a good login comes between; nothing where no
    /// account is ever locked.
    pub wrong_passwords: Option<u64>,
    /// How many wrong passwords in a row lock an account, where somebody says so.
    pub lockout: Option<u64>,
    /// Whether it keeps a mailbox to one POP3 session at a time.
    pub one_session_per_mailbox: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: None,
            wrong_passwords: Some(WRONG_PASSWORDS),
            lockout: None,
            one_session_per_mailbox: false,
        }
    }
}

impl Limits {
    /// Those of a server that takes whatever comes.
    pub const UNLIMITED: Self =
        Self { connections: None, wrong_passwords: None, lockout: None, one_session_per_mailbox: false };
}

/// Reads the `[limits]` table.
pub(super) fn limits(table: &Table<'_>) -> Limits {
    let at_least = |name: &str, least: u64, why: &str| {
        let number = table.number(name)?;
        if number < least {
            table.mistake(Mistake::new(table.span_of(name), format!("`{name}` must be at least {least}"), why));
            return None;
        }
        Some(number)
    };
    let connections = at_least("connections", 1, "nothing can be asked without a connection");
    let lockout = at_least("lockout", 2, "a server that locks at the first wrong password cannot be tested");
    let wrong_passwords = at_least("wrong-passwords", 1, "some case must be able to be wrong");
    let no_lockout = table.flag("no-lockout").unwrap_or(false);
    if no_lockout && (lockout.is_some() || wrong_passwords.is_some()) {
        table.mistake(Mistake::new(
            table.span_of("no-lockout"),
            "`no-lockout` does not go with `lockout` and `wrong-passwords`",
            "either there is a limit or there is none",
        ));
    }
    // One less than what locks, whatever else is said.
    let budget = wrong_passwords.unwrap_or(WRONG_PASSWORDS).min(lockout.map_or(u64::MAX, |lockout| lockout - 1));
    Limits {
        connections: connections.and_then(|number| usize::try_from(number).ok()),
        wrong_passwords: (!no_lockout).then_some(budget),
        lockout,
        one_session_per_mailbox: table.flag("one-session-per-mailbox").unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{SourceText, parse};

    fn read(text: &str) -> Result<Limits, Vec<String>> {
        parse(&SourceText::new("t.toml", text), LIMIT_FIELDS, |table| Some(limits(table)))
            .map_err(|mistakes| mistakes.into_iter().map(|mistake| mistake.reason).collect())
    }

    #[test]
    fn three_wrong_passwords_in_a_row_unless_somebody_says_otherwise() {
        assert_eq!(read("").unwrap(), Limits::default());
        assert_eq!(read("").unwrap().wrong_passwords, Some(3));
        assert_eq!(read("wrong-passwords = 7").unwrap().wrong_passwords, Some(7));
        assert_eq!(read("no-lockout = true").unwrap().wrong_passwords, None);
    }

    #[test]
    fn a_lockout_is_never_reached() {
        assert_eq!(read("lockout = 3").unwrap().wrong_passwords, Some(2));
        assert_eq!(read("lockout = 10").unwrap().wrong_passwords, Some(3));
        assert_eq!(read("lockout = 5\nwrong-passwords = 9").unwrap().wrong_passwords, Some(4));
    }

    #[test]
    fn limits_that_make_no_sense_are_mistakes() {
        for (text, word) in [
            ("connections = 0", "connections"),
            ("lockout = 1", "lockout"),
            ("wrong-passwords = 0", "wrong-passwords"),
            ("no-lockout = true\nlockout = 5", "no-lockout"),
        ] {
            let reasons = read(text).unwrap_err();
            assert!(reasons.iter().any(|reason| reason.contains(word)), "{text}: {reasons:?}");
        }
    }
}
