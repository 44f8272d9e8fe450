//! One response of an exchange as it goes over the wire: in BASE64, masked where it holds a secret, with its meaning,
//! and spoilt where the client is to be wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::axes::Fault;
use crate::protocol::MarkedOctets;
use crate::protocol::outgoing::Outgoing;

/// How many octets of `A` follow an oversized message.
const OVERSIZE: usize = 64 * 1024;

/// What the client has to say.
pub struct SaslResponse {
    /// What goes over the wire: BASE64, nothing, or `*`.
    encoded: MarkedOctets,
    meaning: Option<String>,
}

impl SaslResponse {
    /// The message in BASE64, with one of the faults that any mechanism can have; the mechanism's own faults are in
    /// the message already.
    pub(super) fn new(mut message: Outgoing, fault: Option<Fault>) -> Self {
        match fault {
            Some(Fault::EmptyResponse) => return Self::empty(),
            Some(Fault::Cancelled) => return Self { encoded: "*".into(), ..Self::empty() },
            Some(Fault::Truncated) => truncate(&mut message),
            _ => {}
        }
        let mut meaning = (!message.octets.is_empty()).then(|| meaning(&message));
        if fault == Some(Fault::Oversize) {
            message.octets.resize(message.octets.len() + OVERSIZE, b'A');
            meaning = Some(format!("{} and {OVERSIZE} times A", meaning.unwrap_or_default()));
        }
        let mut letters = STANDARD.encode(&message.octets).into_bytes();
        if fault == Some(Fault::TruncatedBase64) {
            letters.pop();
        }
        let encoded = message.into_marked().made_into(letters);
        let encoded = if fault == Some(Fault::BadBase64) { with_stranger(&encoded) } else { encoded };
        Self { encoded, meaning }
    }

    /// A response without octets.
    pub(super) fn empty() -> Self {
        Self { encoded: MarkedOctets::default(), meaning: None }
    }

    /// Adds this response to `outgoing`.
    pub fn push_to(&self, outgoing: &mut Outgoing) {
        outgoing.push_marked(&self.encoded);
        outgoing.meaning.clone_from(&self.meaning);
    }

    /// Adds this response as an initial one: `=` where it is empty (RFC 4959 §3, RFC 5034 §4).
    pub fn push_initial_to(&self, outgoing: &mut Outgoing) {
        if self.encoded.is_empty() {
            outgoing.push(b"=");
        } else {
            self.push_to(outgoing);
        }
    }
}

/// The letters with one among them that is none of BASE64's, and no secret.
fn with_stranger(letters: &MarkedOctets) -> MarkedOctets {
    let half = letters.len() / 2;
    let mut spoilt = Outgoing::from(&letters.slice(0..half));
    spoilt.push(b"!");
    spoilt.push_marked(&letters.slice(half..letters.len()));
    spoilt.into_marked()
}

/// Keeps the first half, and of the secrets what is left of them.
fn truncate(message: &mut Outgoing) {
    let half = message.octets.len() / 2;
    message.octets.truncate(half);
    // What the message says of itself is true of the whole alone.
    if let Some(meaning) = &mut message.meaning {
        meaning.insert_str(0, "the first half of ");
    }
    message.secrets.retain(|secret| secret.start < half);
    if let Some(last) = message.secrets.last_mut() {
        last.end = last.end.min(half);
    }
}

/// The message for readers: what it says of itself, or its octets with the secrets masked.
fn meaning(message: &Outgoing) -> String {
    if let Some(meaning) = &message.meaning {
        return meaning.clone();
    }
    message.clone().into_marked().masked(readable)
}

/// Printable ASCII as it is, NUL as `{nul}`, everything else as `{xHH}`.
pub(super) fn readable(octets: &[u8]) -> String {
    let mut shown = String::new();
    for &octet in octets {
        match octet {
            0 => shown.push_str("{nul}"),
            b' '..=b'~' => shown.push(char::from(octet)),
            _ => shown.push_str(&format!("{{x{octet:02X}}}")),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(message: &[u8], secret: &[u8], fault: Option<Fault>) -> Outgoing {
        let mut whole = Outgoing::plain(message);
        whole.push_secret(secret);
        let mut outgoing = Outgoing::default();
        SaslResponse::new(whole, fault).push_to(&mut outgoing);
        outgoing
    }

    fn text(message: &[u8], secret: &[u8], fault: Fault) -> String {
        String::from_utf8_lossy(&wire(message, secret, Some(fault)).octets).into_owned()
    }

    #[test]
    fn the_meaning_masks_the_secret() {
        let outgoing = wire(b"\0tim\x01\xE4 ", b"tanstaaf", None);
        assert_eq!(outgoing.meaning.as_deref(), Some("{nul}tim{x01}{xE4} <password>"));
        assert_eq!(outgoing.secrets.first(), Some(&(0..outgoing.octets.len())));
        assert_eq!(wire(b"", b"", None).meaning.as_deref(), None);
    }

    #[test]
    fn each_fault_changes_what_it_says() {
        assert_eq!(text(b"abc", b"def", Fault::BadBase64), "YWJj!ZGVm");
        assert_eq!(text(b"abc", b"d", Fault::TruncatedBase64), "YWJjZA=");
        assert_eq!(text(b"abc", b"def", Fault::TruncatedBase64), "YWJjZGV");
        assert_eq!(text(b"abcd", b"efgh", Fault::Truncated), "YWJjZA==");
        assert_eq!(text(b"abcd", b"efgh", Fault::EmptyResponse), "");
        assert_eq!(text(b"abcd", b"efgh", Fault::Cancelled), "*");
        let oversize = text(b"abc", b"def", Fault::Oversize);
        let decoded = STANDARD.decode(&oversize);
        assert_eq!(decoded, Ok([&b"abcdef"[..], &[b'A'; OVERSIZE]].concat()));
        let meaning = wire(b"abc", b"def", Some(Fault::Oversize)).meaning;
        assert_eq!(meaning.as_deref(), Some("abc<password> and 65536 times A"));
    }

    #[test]
    fn what_makes_it_wrong_is_shown() {
        let outgoing = wire(b"abc", b"def", Some(Fault::BadBase64));
        assert_eq!(outgoing.into_marked().shown(), "<password>!<password>");
    }

    #[test]
    fn half_a_message_does_not_pass_for_the_whole() {
        let whole = Outgoing { meaning: Some("type 3".to_owned()), ..Outgoing::plain("abcd") };
        let response = SaslResponse::new(whole, Some(Fault::Truncated));
        assert_eq!(response.meaning.as_deref(), Some("the first half of type 3"));
    }

    #[test]
    fn half_a_secret_is_a_secret() {
        let outgoing = wire(b"ab", b"cdef", Some(Fault::Truncated));
        assert_eq!(outgoing.octets, b"YWJj");
        assert_eq!(outgoing.secrets.first(), Some(&(0..4)));
        assert_eq!(outgoing.meaning.as_deref(), Some("ab<password>"));
    }
}
