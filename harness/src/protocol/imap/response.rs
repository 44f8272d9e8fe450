//! Reads IMAP responses (RFC 9051 §7), as far as a login needs them. Whatever else is untagged counts as "other".

use std::borrow::Cow;

use crate::protocol::code::split_word;
use crate::protocol::line::Frame;
use crate::protocol::outcome::Deviation;

/// What a frame says. The octets that it was read from stay in the [`Frame`].
#[derive(Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// The end of a command.
    Tagged {
        /// The tag of the command that ends.
        tag: &'a [u8],
        /// `OK`, `NO` or `BAD`.
        condition: Condition,
        /// The text with its response code.
        text: &'a [u8],
    },
    /// `+`: the server waits for the rest of a command.
    Continuation(&'a [u8]),
    /// An untagged status: the greeting, a farewell, a remark.
    Status(Condition, &'a [u8]),
    /// `* CAPABILITY`, and the capabilities.
    Capability(&'a [u8]),
    /// `* n EXISTS`.
    Exists(u32),
    /// `* n FETCH`; [`header_fields`] reads it.
    Fetch,
    /// Any other untagged response.
    Other,
}

/// The conditions of a status response (RFC 9051 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Done, or a remark.
    Ok,
    /// Refused.
    No,
    /// Wrong in form.
    Bad,
    /// Logged in before anything was asked: a greeting only.
    Preauth,
    /// The server is about to close.
    Bye,
}

const EMPTY: &str = "a response begins with a tag, `*` or `+` (RFC 9051 §2.2.2)";
const TAGGED_CONDITION: &str = "a tagged response is OK, NO or BAD (RFC 9051 §7.1)";
const TAG_CHARACTERS: &str =
    "a tag is made of printable ASCII other than `+`, `*`, `%`, `(`, `)`, `{`, `\"` and `\\` (RFC 9051 §9)";

/// Reads one frame.
pub fn parse<'a>(frame: &Frame<'a>) -> Result<Response<'a>, Deviation> {
    let octets = frame.octets;
    if let Some(rest) = octets.strip_prefix(b"* ") {
        return Ok(untagged(rest));
    }
    let (tag, rest) = split_word(octets);
    match tag {
        b"" => Err(frame.deviation(EMPTY, 0)),
        b"*" => Ok(Response::Other),
        b"+" => Ok(Response::Continuation(rest)),
        _ => {
            if let Some(at) = tag.iter().position(|octet| !is_tag_character(*octet)) {
                return Err(frame.deviation(TAG_CHARACTERS, at));
            }
            let (word, text) = split_word(rest);
            match condition(word) {
                Some(condition @ (Condition::Ok | Condition::No | Condition::Bad)) => {
                    Ok(Response::Tagged { tag, condition, text })
                }
                _ => Err(frame.deviation(TAGGED_CONDITION, tag.len() + 1)),
            }
        }
    }
}

/// The value of the first `BODY[HEADER.FIELDS …]` in a `FETCH` response; nothing where it is `NIL` or missing.
pub fn header_fields<'a>(frame: &Frame<'a>) -> Option<Cow<'a, [u8]>> {
    const SECTION: &[u8] = b"BODY[HEADER.FIELDS";
    let octets = frame.octets;
    let mut literals = frame.literals.iter();
    let mut at = 0;
    let mut wanted = false;
    while let Some(&octet) = octets.get(at) {
        let rest = octets.get(at..)?;
        match octet {
            b'"' => {
                let (value, length) = quoted(rest)?;
                if wanted {
                    return Some(Cow::Owned(value));
                }
                at += length;
            }
            b'{' => {
                let literal = literals.next()?;
                if wanted {
                    return octets.get(literal.clone()).map(Cow::Borrowed);
                }
                at = literal.end.max(at + 1);
            }
            _ if starts_with_ignoring_case(rest, SECTION) => {
                // The list of fields ends in `)]`; its names cannot hold a bracket.
                at += rest.iter().position(|octet| *octet == b']')? + 1;
                wanted = true;
            }
            _ if wanted && starts_with_ignoring_case(rest, b"NIL") => return None,
            _ => at += 1,
        }
    }
    None
}

/// What follows `* `.
fn untagged(rest: &[u8]) -> Response<'_> {
    let (word, text) = split_word(rest);
    if let Some(condition) = condition(word) {
        return Response::Status(condition, text);
    }
    if word.eq_ignore_ascii_case(b"CAPABILITY") {
        return Response::Capability(text);
    }
    let Some(number) = number(word) else {
        return Response::Other;
    };
    let (kind, _) = split_word(text);
    if kind.eq_ignore_ascii_case(b"EXISTS") {
        Response::Exists(number)
    } else if kind.eq_ignore_ascii_case(b"FETCH") {
        Response::Fetch
    } else {
        Response::Other
    }
}

fn condition(word: &[u8]) -> Option<Condition> {
    let conditions = [
        (&b"OK"[..], Condition::Ok),
        (b"NO", Condition::No),
        (b"BAD", Condition::Bad),
        (b"PREAUTH", Condition::Preauth),
        (b"BYE", Condition::Bye),
    ];
    conditions.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, condition)| condition)
}

fn number(word: &[u8]) -> Option<u32> {
    if !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn is_tag_character(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"+*%(){\"\\".contains(&octet)
}

/// The value of the quoted string at the start of `octets`, and its length on the wire.
fn quoted(octets: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut value = Vec::new();
    let mut escaped = false;
    for (at, &octet) in octets.iter().enumerate().skip(1) {
        match octet {
            _ if escaped => {
                value.push(octet);
                escaped = false;
            }
            b'\\' => escaped = true,
            b'"' => return Some((value, at + 1)),
            _ => value.push(octet),
        }
    }
    None
}

fn starts_with_ignoring_case(octets: &[u8], start: &[u8]) -> bool {
    octets.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(octets: &[u8]) -> Frame<'_> {
        Frame { octets, literals: Vec::new(), index: 0 }
    }

    #[test]
    fn responses_of_rfc_9051() {
        let known: [(&[u8], Response<'_>); 14] = [
            (b"* OK IMAP4rev2 Service Ready", Response::Status(Condition::Ok, b"IMAP4rev2 Service Ready")),
            (
                b"* PREAUTH IMAP4rev2 server logged in as Smith",
                Response::Status(Condition::Preauth, b"IMAP4rev2 server logged in as Smith"),
            ),
            (b"* BYE", Response::Status(Condition::Bye, b"")),
            (b"* CAPABILITY IMAP4rev2 AUTH=GSSAPI", Response::Capability(b"IMAP4rev2 AUTH=GSSAPI")),
            (b"* 18 EXISTS", Response::Exists(18)),
            (b"* 12 FETCH (FLAGS (\\Seen))", Response::Fetch),
            (b"* 44 EXPUNGE", Response::Other),
            (b"* 99999999999999999999 EXISTS", Response::Other),
            (b"* FLAGS (\\Answered)", Response::Other),
            (b"*", Response::Other),
            (b"+ Ready for additional command text", Response::Continuation(b"Ready for additional command text")),
            (b"+", Response::Continuation(b"")),
            (
                b"a1 OK LOGIN completed",
                Response::Tagged { tag: b"a1", condition: Condition::Ok, text: b"LOGIN completed" },
            ),
            (b"a1 no", Response::Tagged { tag: b"a1", condition: Condition::No, text: b"" }),
        ];
        for (octets, response) in known {
            assert_eq!(parse(&frame(octets)), Ok(response), "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_response() {
        let broken: [(&[u8], &str, usize); 7] = [
            (b"", EMPTY, 0),
            (b" OK", EMPTY, 0),
            (b"a1", TAGGED_CONDITION, 3),
            (b"a1 BYE", TAGGED_CONDITION, 3),
            (b"HTTP/1.1 400 Bad Request", TAGGED_CONDITION, 9),
            (b"+OK POP3 ready", TAG_CHARACTERS, 0),
            (b"a\xff OK", TAG_CHARACTERS, 1),
        ];
        for (octets, rule, index) in broken {
            assert_eq!(parse(&frame(octets)), Err(frame(octets).deviation(rule, index)), "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn header_fields_in_every_spelling() {
        let literal = b"* 1 FETCH (UID 7 body[header.fields (X-LOGINSPEC-MAILBOX)] {7}\r\nX: \"a\r\n)";
        let with_literal = Frame { octets: literal, literals: std::iter::once(64..71).collect(), index: 0 };
        assert_eq!(header_fields(&with_literal).as_deref(), Some(&b"X: \"a\r\n"[..]));
        let other_first = b"* 1 FETCH (X {26}\r\nBODY[HEADER.FIELDS ()] \"a\" BODY[HEADER.FIELDS (X)] \"b\")";
        let with_other = Frame { octets: other_first, literals: std::iter::once(19..45).collect(), index: 0 };
        assert_eq!(header_fields(&with_other).as_deref(), Some(&b"b"[..]));
        let value = |octets: &[u8]| header_fields(&frame(octets)).map(Cow::into_owned);
        assert_eq!(
            value(b"* 1 FETCH (X \"BODY[HEADER.FIELDS (\" BODY[HEADER.FIELDS (\"X\")] \"a\\\"b\")"),
            Some(b"a\"b".to_vec())
        );
        assert_eq!(value(b"* 1 FETCH (BODY[HEADER.FIELDS (X)] NIL X \"a\")"), None);
        assert_eq!(value(b"* 1 FETCH (BODY[HEADER.FIELDS (X)] \"open"), None);
        assert_eq!(value(b"* 1 FETCH (BODY[HEADER.FIELDS (X)] {3}"), None);
        assert_eq!(value(b"* 1 FETCH (BODY[HEADER.FIELDS (X"), None);
        assert_eq!(value(b"* 1 FETCH (FLAGS (\\Seen))"), None);
    }
}
