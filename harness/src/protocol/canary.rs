//! The header field by which a message says in which mailbox it lies.

/// The field's name.
pub const CANARY_FIELD: &str = "X-Loginspec-Mailbox";

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
