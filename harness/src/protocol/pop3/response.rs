//! Reads POP3 responses: status lines, continuations, and the lines of a multi-line response.

use crate::protocol::code::split_word;
use crate::protocol::line::Frame;
use crate::protocol::outcome::{Deviation, Deviations, Reply};

/// The first line of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// `+OK` and its text.
    Ok(&'a [u8]),
    /// `-ERR`, and its text with the response code taken out (RFC 2449 §8).
    Err(Reply),
    /// `+`: the server's challenge in an authentication (RFC 5034 §4).
    Continuation(&'a [u8]),
}

const STATUS: &str = "a response begins with +OK or -ERR (RFC 1939 §3)";
const UPPER_CASE: &str = "+OK and -ERR are in upper case (RFC 1939 §3)";

/// Reads a line that has to be a status or a continuation. A status in lower case is tolerated and noted.
pub fn parse<'a>(frame: &Frame<'a>, deviations: &mut Deviations) -> Result<Response<'a>, Deviation> {
    let (word, text) = split_word(frame.octets);
    let mut is = |status: &[u8]| {
        let same = word.eq_ignore_ascii_case(status);
        if same && let Some(at) = word.iter().position(u8::is_ascii_lowercase) {
            deviations.note(frame.deviation(UPPER_CASE, at));
        }
        same
    };
    if is(b"+OK") {
        Ok(Response::Ok(text))
    } else if is(b"-ERR") {
        Ok(Response::Err(Reply::from_text(text)))
    } else if word == b"+" {
        Ok(Response::Continuation(text))
    } else {
        Err(frame.deviation(STATUS, 0))
    }
}

/// A line of a multi-line response without its stuffed dot; nothing for the line that ends it (RFC 1939 §3).
pub fn multi_line<'a>(frame: &Frame<'a>) -> Option<&'a [u8]> {
    match frame.octets {
        b"." => None,
        octets => Some(octets.strip_prefix(b".").unwrap_or(octets)),
    }
}

/// The number of messages in the answer to `STAT`: a number, a space, a number (RFC 1939 §5).
pub fn message_count(text: &[u8]) -> Option<u32> {
    let (count, _) = split_word(text);
    if !count.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(count).ok()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::protocol::code::ResponseCode;

    fn frame(octets: &[u8]) -> Frame<'_> {
        Frame { octets, literals: Vec::new(), index: 0 }
    }

    fn parsed(octets: &[u8]) -> Result<Response<'_>, Deviation> {
        parse(&frame(octets), &mut Deviations::default())
    }

    #[test]
    fn status_lines() {
        assert_eq!(parsed(b"+OK"), Ok(Response::Ok(b"")));
        assert_eq!(parsed(b"+OK 2 320"), Ok(Response::Ok(b"2 320")));
        assert_eq!(parsed(b"+ "), Ok(Response::Continuation(b"")));
        assert_eq!(parsed(b"+"), Ok(Response::Continuation(b"")));
        let Ok(Response::Err(reply)) = parsed(b"-ERR [SYS/TEMP] try later") else { panic!("no -ERR") };
        assert_eq!(reply, Reply { code: Some(ResponseCode::SysTemp), text: b"try later".to_vec() });
        assert_eq!(parsed(b"-ERR"), Ok(Response::Err(Reply::default())));
    }

    #[test]
    fn what_is_no_status() {
        for octets in [&b""[..], b"+OKAY", b"* OK IMAP4rev1", b"220 smtp", b" +OK", b"\xff"] {
            assert_eq!(parsed(octets).unwrap_err().rule, STATUS, "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn lower_case_is_tolerated_and_noted() {
        let mut deviations = Deviations::default();
        assert_eq!(parse(&frame(b"+Ok hi"), &mut deviations), Ok(Response::Ok(b"hi")));
        let noted = deviations.as_slice().first().unwrap();
        assert_eq!((noted.rule, noted.octet, noted.index), (UPPER_CASE, Some(b'k'), 2));
    }

    #[test]
    fn stuffed_dots_are_taken_off() {
        assert_eq!(multi_line(&frame(b"..")), Some(&b"."[..]));
        assert_eq!(multi_line(&frame(b"a.")), Some(&b"a."[..]));
        assert_eq!(multi_line(&frame(b"")), Some(&b""[..]));
        assert_eq!(multi_line(&frame(b".")), None);
    }

    #[test]
    fn counts() {
        assert_eq!(message_count(b"2 320"), Some(2));
        assert_eq!(message_count(b"0"), Some(0));
        for text in [&b""[..], b" 2", b"+2 3", b"x", b"99999999999 1"] {
            assert_eq!(message_count(text), None);
        }
    }
}
