//! The header field by which a message says in which mailbox it lies, and a message that has it.

/// The field's name.
pub const CANARY_FIELD: &str = "X-Loginspec-Mailbox";

/// The longest name that is put into the field: a line of a header has at most 998 octets (RFC 5322 §2.1.1).
const LONGEST_NAME: usize = 900;

/// A canary message for a mailbox; nothing where no header can hold the mailbox's name as it is.
///
/// `date` is as RFC 5322 §3.3 has it, and `id` is what tells the message from others, in letters and digits.
pub fn canary_message(mailbox: &[u8], date: &str, id: &str) -> Option<Vec<u8>> {
    let fits = mailbox.len() <= LONGEST_NAME && !mailbox.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0));
    let mut message = Vec::new();
    message.extend_from_slice(CANARY_FIELD.as_bytes());
    message.extend_from_slice(b": ");
    message.extend_from_slice(mailbox);
    let rest = format!(
        "\r\nFrom: loginspec <loginspec@loginspec.invalid>\r\nTo: loginspec <loginspec@loginspec.invalid>\r\n\
         Subject: loginspec canary\r\nDate: {date}\r\nMessage-ID: <canary-{id}@loginspec.invalid>\r\n\r\n\
         This message shows which mailbox a login has opened. `loginspec seed` has delivered it.\r\n"
    );
    message.extend_from_slice(rest.as_bytes());
    // Spaces at either end would be lost.
    (fits && canary_mailbox(&message).as_deref() == Some(mailbox)).then_some(message)
}

/// The mailbox that the canary field in `header` names: unfolded (RFC 5322 §2.2.3) and trimmed.
///
/// Nothing where the field is missing or empty.
pub fn canary_mailbox(header: &[u8]) -> Option<Vec<u8>> {
    let mut lines = header.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut value = loop {
        let line = lines.next()?;
        if line.is_empty() {
            // The header ends here; what follows is the sender's text.
            return None;
        }
        if let Some(value) = canary_value(line) {
            break value.to_vec();
        }
    };
    for line in lines.take_while(|line| matches!(line.first(), Some(b' ' | b'\t'))) {
        value.extend_from_slice(line);
    }
    let trimmed = value.trim_ascii();
    (!trimmed.is_empty()).then(|| trimmed.to_vec())
}

/// What follows the colon, where `line` begins the canary field.
fn canary_value(line: &[u8]) -> Option<&[u8]> {
    let name = line.get(..CANARY_FIELD.len())?;
    if !name.eq_ignore_ascii_case(CANARY_FIELD.as_bytes()) {
        return None;
    }
    line.get(CANARY_FIELD.len()..)?.trim_ascii_start().strip_prefix(b":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_found_unfolded_and_trimmed() {
        let found = |header: &[u8]| canary_mailbox(header);
        assert_eq!(found(b"X-Loginspec-Mailbox: Mailbox1\r\n\r\n"), Some(b"Mailbox1".to_vec()));
        assert_eq!(
            found(b"Subject: x\r\nx-loginspec-mailbox :\r\n Two\r\n\tWords \r\n\r\n"),
            Some(b"Two\tWords".to_vec())
        );
        assert_eq!(found(b"X-LOGINSPEC-MAILBOX:M\n"), Some(b"M".to_vec()));
        assert_eq!(found(b"X-Loginspec-Mailbox: \xff\\x"), Some(b"\xff\\x".to_vec()));
    }

    #[test]
    fn a_message_names_its_mailbox_or_there_is_none() {
        for mailbox in [&b"Mailbox1"[..], b"a b\\c", "J\u{fc}rgen".as_bytes(), b":", &[b'x'; LONGEST_NAME]] {
            let message = canary_message(mailbox, "1 Jan 2026 00:00:00 +0000", "1f").expect("a message");
            assert_eq!(canary_mailbox(&message).as_deref(), Some(mailbox));
            assert!(message.ends_with(b"\r\n"));
        }
        for mailbox in [&b""[..], b" x", b"x\t", b"a\r\n b", b"a\nSubject: x", b"\0", &[b'x'; LONGEST_NAME + 1]] {
            assert_eq!(canary_message(mailbox, "", ""), None, "{}", mailbox.escape_ascii());
        }
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        for header in [
            &b""[..],
            b"\r\n",
            b"X-Loginspec-Mailbox:\r\n\r\n",
            b"X-Loginspec-Mailbox-Not: M\r\n",
            b"X-Loginspec-Mailbox",
            b"Subject: x\r\n\r\nX-Loginspec-Mailbox: in the body\r\n",
            b"Subject: x\r\n X-Loginspec-Mailbox: folded into another field\r\n",
        ] {
            assert_eq!(canary_mailbox(header), None, "{}", header.escape_ascii());
        }
    }
}
