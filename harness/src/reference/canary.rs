//! The canary: the one message in every mailbox, whose header names the mailbox.

/// The name of the header.
pub(super) const HEADER: &[u8] = b"X-Loginspec-Mailbox";

/// The name of the header where there are no canaries: of the same length, and nobody looks for it.
const OTHER_HEADER: &[u8] = b"X-Loginspec-Nothing";

const OTHER_HEADERS: &[u8] = b"From: loginspec <loginspec@localhost>\r\n\
To: loginspec <loginspec@localhost>\r\n\
Subject: canary\r\n\
Date: Mon, 01 Jan 2001 00:00:00 +0000\r\n\
Message-ID: <canary@loginspec.invalid>\r\n";

/// The message's body.
pub(super) const BODY: &[u8] = b"This message shows which mailbox a login has opened.\r\n";

/// When the message came, as IMAP's `INTERNALDATE` writes it.
pub(super) const INTERNAL_DATE: &str = "01-Jan-2001 00:00:00 +0000";

/// Appends the header fields, the canary's own first, and the empty line.
pub(super) fn push_headers(out: &mut Vec<u8>, mailbox: &[u8], canaries: bool) {
    push_own_header(out, mailbox, canaries);
    out.extend_from_slice(OTHER_HEADERS);
    out.extend_from_slice(b"\r\n");
}

/// Appends the header fields of the given names, and the empty line (RFC 9051 §6.4.5, `HEADER.FIELDS`).
pub(super) fn push_named_headers<'n>(
    out: &mut Vec<u8>,
    mailbox: &[u8],
    canaries: bool,
    names: impl Iterator<Item = &'n [u8]> + Clone,
) {
    let wanted = |field: &[u8]| names.clone().any(|name| name.eq_ignore_ascii_case(field));
    if wanted(own_header(canaries)) {
        push_own_header(out, mailbox, canaries);
    }
    for line in OTHER_HEADERS.split_inclusive(|&octet| octet == b'\n') {
        let name = line.split(|&octet| octet == b':').next().unwrap_or_default();
        if wanted(name) {
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the whole message.
pub(super) fn push_message(out: &mut Vec<u8>, mailbox: &[u8], canaries: bool) {
    push_headers(out, mailbox, canaries);
    out.extend_from_slice(BODY);
}

/// How many octets the whole message has.
pub(super) const fn size(mailbox: &[u8]) -> usize {
    HEADER.len() + 2 + mailbox.len() + 2 + OTHER_HEADERS.len() + 2 + BODY.len()
}

/// What tells a mailbox from others where there are no canaries: a number that follows from its name (FNV-1a). With
/// canaries it is always 1.
pub(super) fn uid_validity(mailbox: &[u8], canaries: bool) -> usize {
    if canaries {
        return 1;
    }
    let step = |hash: u32, octet: &u8| (hash ^ u32::from(*octet)).wrapping_mul(16_777_619);
    // Not zero, which is no UIDVALIDITY (RFC 9051 §9, `nz-number`).
    mailbox.iter().fold(2_166_136_261, step).max(1) as usize
}

const fn own_header(canaries: bool) -> &'static [u8] {
    if canaries { HEADER } else { OTHER_HEADER }
}

/// The name's octets as they are, but for those that no header can hold (RFC 5322 §2.2) and no literal (RFC 9051 §9).
fn push_own_header(out: &mut Vec<u8>, mailbox: &[u8], canaries: bool) {
    out.extend_from_slice(own_header(canaries));
    out.extend_from_slice(b": ");
    out.extend(mailbox.iter().map(|&octet| match octet {
        b'\r' | b'\n' | 0 => b'?',
        other => other,
    }));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_as_long_as_it_says() {
        for mailbox in [&b"Mailbox1"[..], b"", b"Sales\\West", "J\u{fc}rgen".as_bytes(), b"a\r\nb\0"] {
            let mut out = Vec::new();
            push_message(&mut out, mailbox, true);
            assert_eq!(out.len(), size(mailbox));
            assert!(!out.contains(&0));
        }
    }

    #[test]
    fn named_headers_only() {
        let mut out = Vec::new();
        push_named_headers(&mut out, b"M", true, [&b"x-loginspec-mailbox"[..], b"SUBJECT"].into_iter());
        assert_eq!(out, b"X-Loginspec-Mailbox: M\r\nSubject: canary\r\n\r\n");
    }
}
