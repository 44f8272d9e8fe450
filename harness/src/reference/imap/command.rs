//! IMAP's commands as a server reads them (RFC 9051 §6 and §9).

use std::borrow::Cow;

use super::super::flaw::Flaws;
use super::fetch::{Item, fetch};
use super::grammar::{Cursor, Read, Stop, is_atom_octet, upper_case};

/// A command with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'b> {
    Capability,
    Noop,
    Logout,
    StartTls,
    Login {
        name: Cow<'b, [u8]>,
        password: Cow<'b, [u8]>,
    },
    Authenticate {
        mechanism: &'b [u8],
        initial: Option<&'b [u8]>,
    },
    /// `SELECT` or `EXAMINE`: every mailbox is read-only here.
    Open {
        verb: &'static str,
        mailbox: Cow<'b, [u8]>,
    },
    Status {
        mailbox: Cow<'b, [u8]>,
        items: Vec<&'static str>,
    },
    List {
        pattern: Cow<'b, [u8]>,
    },
    Namespace,
    Enable,
    Check,
    /// `CLOSE` or `UNSELECT`: nothing is ever deleted here.
    Leave {
        verb: &'static str,
    },
    Fetch {
        by_uid: bool,
        includes_first: bool,
        items: Vec<Item<'b>>,
    },
    Search {
        by_uid: bool,
        criteria: &'b [u8],
    },
}

/// A command that cannot be read, with its tag where it has one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal<'b> {
    pub(super) tag: Option<&'b [u8]>,
    pub(super) stop: Stop,
}

/// Reads a command from its text, which ends in LF.
pub(super) fn read(text: &[u8], flaws: Flaws) -> Result<(&[u8], Command<'_>), Refusal<'_>> {
    let mut cursor = Cursor::new(text, flaws);
    let tag = cursor.tag().map_err(|stop| Refusal { tag: None, stop })?;
    read_after_tag(&mut cursor).map(|command| (tag, command)).map_err(|stop| Refusal { tag: Some(tag), stop })
}

fn read_after_tag<'b>(cursor: &mut Cursor<'b>) -> Read<Command<'b>> {
    cursor.space()?;
    let verb = cursor.atom()?;
    let mut upper = [0; 12];
    let command = match upper_case(verb, &mut upper) {
        b"CAPABILITY" => Command::Capability,
        b"NOOP" => Command::Noop,
        b"LOGOUT" => Command::Logout,
        b"STARTTLS" => Command::StartTls,
        b"NAMESPACE" => Command::Namespace,
        b"CHECK" => Command::Check,
        b"CLOSE" => Command::Leave { verb: "CLOSE" },
        b"UNSELECT" => Command::Leave { verb: "UNSELECT" },
        b"LOGIN" => {
            cursor.space()?;
            let name = cursor.astring()?;
            cursor.space()?;
            let password = cursor.astring()?;
            Command::Login { name, password }
        }
        b"AUTHENTICATE" => authenticate(cursor)?,
        b"SELECT" => open(cursor, "SELECT")?,
        b"EXAMINE" => open(cursor, "EXAMINE")?,
        b"STATUS" => status(cursor)?,
        b"LIST" => list(cursor)?,
        b"ENABLE" => {
            cursor.space()?;
            cursor.rest();
            Command::Enable
        }
        b"FETCH" => fetch_command(cursor, false)?,
        b"SEARCH" => search(cursor, false)?,
        b"UID" => {
            cursor.space()?;
            let verb = cursor.atom()?;
            match upper_case(verb, &mut upper) {
                b"FETCH" => fetch_command(cursor, true)?,
                b"SEARCH" => search(cursor, true)?,
                _ => return cursor.bad("unknown command after UID (RFC 9051 section 6.4.9)"),
            }
        }
        _ => return cursor.bad("unknown command (RFC 9051 section 6)"),
    };
    cursor.end()?;
    Ok(command)
}

fn authenticate<'b>(cursor: &mut Cursor<'b>) -> Read<Command<'b>> {
    cursor.space()?;
    let mechanism = cursor.atom()?;
    let mut initial = None;
    if cursor.takes(b' ') {
        // RFC 4959 §3. What is no base64 is refused by the exchange, as it is on a line of its own.
        let word = cursor.while_octets(|octet| matches!(octet, 0x21..=0x7e));
        if word.is_empty() {
            return cursor.bad("an initial response is base64, or = for an empty one (RFC 4959 section 3)");
        }
        initial = Some(word);
    }
    Ok(Command::Authenticate { mechanism, initial })
}

fn open<'b>(cursor: &mut Cursor<'b>, verb: &'static str) -> Read<Command<'b>> {
    cursor.space()?;
    Ok(Command::Open { verb, mailbox: cursor.astring()? })
}

fn status<'b>(cursor: &mut Cursor<'b>) -> Read<Command<'b>> {
    const ITEMS: [&str; 6] = ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "RECENT", "SIZE"];
    cursor.space()?;
    let mailbox = cursor.astring()?;
    cursor.space()?;
    cursor.expect(b'(', "STATUS takes its items in parentheses (RFC 9051 section 9)")?;
    let mut items = Vec::new();
    loop {
        let word = cursor.atom()?;
        let known = ITEMS.into_iter().find(|item| item.as_bytes().eq_ignore_ascii_case(word));
        match known {
            Some(item) if !items.contains(&item) => items.push(item),
            Some(_) => {}
            None => return cursor.bad("unknown STATUS item (RFC 9051 section 6.3.11)"),
        }
        if cursor.takes(b')') {
            return Ok(Command::Status { mailbox, items });
        }
        cursor.space()?;
    }
}

fn list<'b>(cursor: &mut Cursor<'b>) -> Read<Command<'b>> {
    cursor.space()?;
    cursor.astring()?;
    cursor.space()?;
    let pattern = match cursor.next_octet() {
        Some(b'"' | b'{') => cursor.astring()?,
        _ => {
            let word = cursor.while_octets(|octet| is_atom_octet(octet) || matches!(octet, b'%' | b'*' | b']'));
            if word.is_empty() {
                return cursor.bad("LIST takes a pattern (RFC 9051 section 6.3.9)");
            }
            Cow::Borrowed(word)
        }
    };
    Ok(Command::List { pattern })
}

fn search<'b>(cursor: &mut Cursor<'b>, by_uid: bool) -> Read<Command<'b>> {
    cursor.space()?;
    let criteria = cursor.rest();
    Ok(Command::Search { by_uid, criteria })
}

fn fetch_command<'b>(cursor: &mut Cursor<'b>, by_uid: bool) -> Read<Command<'b>> {
    let (includes_first, items) = fetch(cursor, by_uid)?;
    Ok(Command::Fetch { by_uid, includes_first, items })
}

#[cfg(test)]
mod tests {
    use super::super::fetch::Section;
    use super::*;

    fn command(text: &[u8]) -> Command<'_> {
        match read(text, Flaws::NONE) {
            Ok((b"a", command)) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_have_no_case_and_their_own_arguments() {
        assert_eq!(command(b"a capability\r\n"), Command::Capability);
        assert_eq!(
            command(b"a Login \"D\\\\u\" {3}\r\np w\r\n"),
            Command::Login { name: Cow::Borrowed(b"D\\u"), password: Cow::Borrowed(b"p w") }
        );
        assert_eq!(
            command(b"a AUTHENTICATE PLAIN =\r\n"),
            Command::Authenticate { mechanism: b"PLAIN", initial: Some(b"=") }
        );
        assert_eq!(
            command(b"a UID FETCH 2:*,7 (FLAGS BODY.PEEK[HEADER.FIELDS (X-A \"b\")])\r\n"),
            Command::Fetch {
                by_uid: true,
                includes_first: true,
                items: vec![
                    Item::Uid,
                    Item::Flags,
                    Item::Section(Section::Fields(vec![Cow::Borrowed(b"X-A"), Cow::Borrowed(b"b")]))
                ]
            }
        );
    }

    #[test]
    fn every_rule_refuses_with_its_reason() {
        for (text, has_tag, reason) in [
            (&b"\r\n"[..], false, "begins with a tag"),
            (b"a\r\n", false, "begins with a tag"),
            (b"+ NOOP\r\n", false, "begins with a tag"),
            (b"a  NOOP\r\n", true, "an atom is expected"),
            (b"a NOOP \r\n", true, "the command ends here"),
            (b"a NOOP\n", true, "a line ends in CR LF"),
            (b"a FROBNICATEWILDLY\r\n", true, "unknown command"),
            (b"a LOGIN\r\n", true, "one space"),
            (b"a LOGIN b\r\n", true, "one space"),
            (b"a LOGIN b c d\r\n", true, "the command ends here"),
            (b"a LOGIN  b c\r\n", true, "an argument is expected"),
            (b"a AUTHENTICATE PLAIN \r\n", true, "an initial response"),
            (b"a FETCH 0 FLAGS\r\n", true, "begin with 1"),
            (b"a FETCH 1 FOO\r\n", true, "unknown FETCH item"),
            (b"a FETCH 1 BODY[1.MIME]\r\n", true, "unknown section"),
            (b"a FETCH 1 BODY[HEADER.FIELDS (\"a b\")]\r\n", true, "printable octets"),
            (b"a STATUS INBOX (FOO)\r\n", true, "unknown STATUS item"),
        ] {
            match read(text, Flaws::NONE) {
                Err(Refusal { tag, stop: Stop::Bad { rule, .. } }) => {
                    assert_eq!(tag.is_some(), has_tag, "{text:?}");
                    assert!(rule.contains(reason), "{text:?}: {rule}");
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }
}
