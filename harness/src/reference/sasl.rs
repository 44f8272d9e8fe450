//! The server's side of SASL PLAIN (RFC 4616) and SASL LOGIN (draft-murchison-sasl-login).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::flaw::{Flaw, Flaws};
use crate::axes::Mechanism;

/// The longest line of an exchange, in octets: PLAIN with three fields of more than 2 KiB each.
pub(super) const LONGEST_LINE: usize = 12 * 1024;

/// What the server is waiting for.
#[derive(Clone)]
pub(super) enum Exchange {
    /// PLAIN's only message.
    Plain,
    /// LOGIN's first answer, the name.
    LoginName,
    /// LOGIN's second answer, the password for this name.
    LoginPassword(Vec<u8>),
}

/// What a client's answer leads to.
pub(super) enum Step {
    /// One more question.
    Ask(Exchange),
    /// Everything has been said.
    Claimed(Claim),
    /// The answer is none of this mechanism, for this reason.
    Malformed(&'static str),
}

/// What the client claims.
pub(super) struct Claim {
    pub(super) mechanism: Mechanism,
    pub(super) authorization: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) password: Vec<u8>,
}

/// What a line of an exchange says.
pub(super) enum Line {
    /// An answer.
    Answer(Vec<u8>),
    /// The client gives up (RFC 9051 §6.2.2, RFC 5034 §4).
    Cancelled,
    /// It is not base64.
    NotBase64,
}

/// The mechanism of a name, where the server could speak it; names have no case (RFC 4422 §3.1).
pub(super) fn mechanism(name: &[u8]) -> Option<Mechanism> {
    [Mechanism::Plain, Mechanism::SaslLogin]
        .into_iter()
        .find(|mechanism| mechanism.sasl_name().is_some_and(|known| known.as_bytes().eq_ignore_ascii_case(name)))
}

/// Whether the server can speak the mechanism.
pub(super) const fn speaks(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Login | Mechanism::Plain | Mechanism::SaslLogin)
}

/// Reads a line without its line end.
pub(super) fn read_line(line: &[u8]) -> Line {
    if line == b"*" {
        return Line::Cancelled;
    }
    STANDARD.decode(line).map_or(Line::NotBase64, Line::Answer)
}

/// Reads an initial response, in which a single `=` stands for an empty one (RFC 4959 §3, RFC 5034 §4).
pub(super) fn read_initial(word: &[u8]) -> Line {
    match word {
        b"=" => Line::Answer(Vec::new()),
        // Nothing to cancel yet.
        b"*" => Line::NotBase64,
        _ => read_line(word),
    }
}

impl Exchange {
    /// Begins an exchange; PLAIN, unless LOGIN is asked for.
    pub(super) const fn begin(mechanism: Mechanism) -> Self {
        match mechanism {
            Mechanism::SaslLogin => Self::LoginName,
            _ => Self::Plain,
        }
    }

    /// The question, in base64.
    pub(super) const fn challenge(&self) -> &'static [u8] {
        match self {
            Self::Plain => b"",
            // `User Name` and `Password`, each with the NUL that draft-murchison-sasl-login ends them with.
            Self::LoginName => b"VXNlciBOYW1lAA==",
            Self::LoginPassword(_) => b"UGFzc3dvcmQA",
        }
    }

    /// Takes the answer.
    pub(super) fn answer(self, answer: Vec<u8>, flaws: Flaws) -> Step {
        match self {
            Self::Plain => plain(&answer, flaws),
            Self::LoginName => Step::Ask(Self::LoginPassword(answer)),
            Self::LoginPassword(name) => Step::Claimed(Claim {
                mechanism: Mechanism::SaslLogin,
                authorization: Vec::new(),
                name,
                password: answer,
            }),
        }
    }
}

/// `[authzid] NUL authcid NUL passwd`, with exactly two NULs (RFC 4616 §2).
fn plain(message: &[u8], flaws: Flaws) -> Step {
    let mut fields = message.split(|&octet| octet == 0).map(<[u8]>::to_vec);
    let (Some(authorization), Some(name), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Step::Malformed("PLAIN takes three fields with one NUL between them (RFC 4616 section 2)");
    };
    let (name, password) = if flaws.has(Flaw::PlainSwapsFields) { (password, name) } else { (name, password) };
    Step::Claimed(Claim { mechanism: Mechanism::Plain, authorization, name, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_to_the_letter() {
        assert!(matches!(read_line(b"AGEAYg=="), Line::Answer(octets) if octets == b"\0a\0b"));
        assert!(matches!(read_line(b""), Line::Answer(octets) if octets.is_empty()));
        assert!(matches!(read_line(b"*"), Line::Cancelled));
        for wrong in [&b"AGEAYg"[..], b"AGEAYg=", b"AGEA=Yg=", b"AGE AYg==", b"=", b"AGEAYh=="] {
            assert!(matches!(read_line(wrong), Line::NotBase64), "{wrong:?}");
        }
        assert!(matches!(read_initial(b"="), Line::Answer(octets) if octets.is_empty()));
        assert!(matches!(read_initial(b"*"), Line::NotBase64));
    }

    #[test]
    fn plain_has_three_fields() {
        let step = |message: &[u8]| Exchange::Plain.answer(message.to_vec(), Flaws::NONE);
        assert!(matches!(step(b"z\0a\0b"), Step::Claimed(claim)
            if claim.authorization == b"z" && claim.name == b"a" && claim.password == b"b"));
        for wrong in [&b""[..], b"a\0b", b"\0a\0b\0"] {
            assert!(matches!(step(wrong), Step::Malformed(_)), "{wrong:?}");
        }
    }

    #[test]
    fn the_prompts_are_what_they_should_be() {
        assert_eq!(STANDARD.encode(b"User Name\0").as_bytes(), Exchange::LoginName.challenge());
        assert_eq!(STANDARD.encode(b"Password\0").as_bytes(), Exchange::LoginPassword(Vec::new()).challenge());
    }
}
