//! Writing replies: texts that cannot break out of their line, numbers, response codes.

use std::io::Write as _;

/// Appends a text; a control character in it (the text may be a user's own dialect file's) becomes a space.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().map(|octet| if octet.is_ascii_control() { b' ' } else { octet }));
}

/// Appends IMAP's `resp-text`: there is a space before it, also where there is neither code nor text (RFC 9051 §9).
pub(super) fn push_resp_text(out: &mut Vec<u8>, code: Option<&str>, text: &str) {
    if code.is_none() && text.is_empty() {
        out.push(b' ');
    }
    push_code_and_text(out, code, text);
}

/// Appends ` [CODE]` and ` text`, whichever there is. Nothing at all is a reply too (KB Q182618).
pub(super) fn push_code_and_text(out: &mut Vec<u8>, code: Option<&str>, text: &str) {
    if let Some(code) = code {
        out.extend_from_slice(b" [");
        out.extend(code.bytes().filter(|octet| !octet.is_ascii_control() && *octet != b']'));
        out.push(b']');
    }
    if !text.is_empty() {
        out.push(b' ');
        push_text(out, text);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a number.
pub(super) fn push_number(out: &mut Vec<u8>, number: usize) {
    // Writing into memory cannot fail.
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_in_its_line() {
        let mut out = Vec::new();
        push_code_and_text(&mut out, Some("A]\r\nB"), "x\r\n* OK y");
        assert_eq!(out, b" [AB] x  * OK y\r\n");
        out.clear();
        push_code_and_text(&mut out, None, "");
        assert_eq!(out, b"\r\n");
    }
}
