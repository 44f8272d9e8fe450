//! Independent readers of replies, so that our own reader and a server cannot agree on the same mistake.

use imap_codec::decode::{Decoder, ResponseDecodeError};
use imap_codec::{GreetingCodec, ResponseCodec};

use super::wire::Kept;
use crate::axes::Protocol;

/// Makes octets of a server's visible, and what they hold of a password not.
pub(super) type Shown<'s> = &'s dyn Fn(&[u8]) -> String;

/// What is wrong with a reply.
pub(super) struct Malformed {
    /// Which kind of reply.
    pub kind: &'static str,
    /// In words.
    pub words: String,
}

/// The first reply that is not well formed: for IMAP in the eyes of imap-codec, for POP3 by the letter of RFC 1939 §3.
pub(super) fn malformed(protocol: Protocol, frames: &[Kept], shown: Shown<'_>) -> Option<Malformed> {
    frames.iter().enumerate().find_map(|(index, kept)| match protocol {
        Protocol::Imap => malformed_imap(kept, index == 0, shown),
        Protocol::Pop3 => malformed_pop3(kept),
    })
}

fn malformed_imap(kept: &Kept, is_greeting: bool, shown: Shown<'_>) -> Option<Malformed> {
    let mut octets = kept.octets.clone();
    // A text may be missing in what servers say (KB Q182618 has one that says nothing but NO); that is judged elsewhere.
    if ends_without_text(&octets) {
        return None;
    }
    octets.extend_from_slice(b"\r\n");
    let rest = if is_greeting {
        GreetingCodec::default().decode(&octets).map(|(rest, _)| rest.len()).map_err(|_| ())
    } else {
        match ResponseCodec::default().decode(&octets) {
            Ok((rest, _)) => Ok(rest.len()),
            // Its own bound, not the server's fault.
            Err(ResponseDecodeError::Incomplete | ResponseDecodeError::LiteralFound { .. }) if has_literal(kept) => {
                return None;
            }
            Err(_) => Err(()),
        }
    };
    if rest == Ok(0) || is_known_to_neither(&kept.octets) {
        return None;
    }
    let shown = shown(&kept.octets);
    let kind = if is_greeting { "greeting" } else { "reply" };
    Some(Malformed { kind, words: format!("imap-codec cannot read this {kind}: {shown}") })
}

fn has_literal(kept: &Kept) -> bool {
    !kept.literals.is_empty()
}

/// `a1 NO`, `* BYE`, `+`: a status without a text.
fn ends_without_text(octets: &[u8]) -> bool {
    let mut words = octets.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let (first, second, third) = (words.next(), words.next(), words.next());
    let is_status =
        |word: &[u8]| [&b"OK"[..], b"NO", b"BAD", b"BYE"].iter().any(|known| word.eq_ignore_ascii_case(known));
    let is_code = |word: &[u8]| word.starts_with(b"[") && octets.ends_with(b"]");
    match (first, second, third) {
        (Some(b"+"), None, None) => true,
        (Some(_), Some(status), None) => is_status(status),
        (Some(_), Some(status), Some(code)) => is_status(status) && is_code(code),
        _ => false,
    }
}

/// Untagged data of extensions that imap-codec does not have is nothing that it could judge.
fn is_known_to_neither(octets: &[u8]) -> bool {
    let Some(rest) = octets.strip_prefix(b"* ") else { return false };
    let word = rest.split(|octet| *octet == b' ').next().unwrap_or_default();
    let is_known = [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH", b"CAPABILITY", b"LIST", b"FLAGS", b"SEARCH"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known));
    !is_known && !word.first().is_some_and(u8::is_ascii_digit)
}

fn malformed_pop3(kept: &Kept) -> Option<Malformed> {
    let wrong = |words: String| Some(Malformed { kind: "reply", words });
    // A response has at most 512 octets, its line end included (RFC 1939 §3); lines of messages are another matter.
    let is_status = kept.octets.starts_with(b"+OK") || kept.octets.starts_with(b"-ERR");
    if is_status && kept.octets.len() > 510 {
        return wrong(format!("a status line has {} octets (RFC 1939 §3 has 512)", kept.octets.len() + 2));
    }
    if kept.octets.contains(&b'\r') {
        return wrong("a line holds a CR in its middle (RFC 1939 §3)".to_string());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_malformed(protocol: Protocol, text: &str, at: usize) -> bool {
        let kept = |text: &str| Kept { octets: text.into(), literals: Vec::new(), index: 0 };
        let mut frames = vec![kept("* OK hello"); at];
        frames.push(kept(text));
        malformed(protocol, &frames, &crate::identity::escape).is_some()
    }

    #[test]
    fn imap_codec_reads_what_is_sound_and_nothing_else() {
        for sound in [
            "A1 OK done",
            "A1 NO [AUTHENTICATIONFAILED] no",
            "+ ",
            "+ PDE+",
            "* CAPABILITY IMAP4rev1 AUTH=PLAIN",
            "* BYE later",
            "* 1 EXISTS",
            "A1 NO",
            "* XYZZY something",
        ] {
            assert!(!is_malformed(Protocol::Imap, sound, 1), "{sound}");
        }
        for broken in ["A1 MAYBE", "* OK [", "* CAPABILITY", "* 1 EXISTS x", "A\" OK done"] {
            assert!(is_malformed(Protocol::Imap, broken, 1), "{broken}");
        }
        assert!(is_malformed(Protocol::Imap, "* NO hello", 0));
    }

    #[test]
    fn pop3_has_its_bounds() {
        assert!(!is_malformed(Protocol::Pop3, "+OK", 1));
        assert!(is_malformed(Protocol::Pop3, &format!("-ERR {}", "x".repeat(506)), 1));
        assert!(is_malformed(Protocol::Pop3, "+OK a\rb", 1));
    }
}
