//! What a login needs and the server does not offer, and refusals that are about the connection only.

use std::fmt;

use super::code::ResponseCode;
use super::outcome::{Outcome, Reply};
use crate::axes::Security;

/// What a case needs and the server, or this client, does not offer. Reads after "does not offer ".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// `LOGIN`: LOGINDISABLED is among the capabilities (RFC 9051 §6.2.3), so it was not sent.
    LoginDisabled,
    /// This login over an unprotected connection: the server refused it for that reason, whatever the password.
    LoginWithoutTls,
    /// Anything else, by its name: `AUTH=PLAIN`, `STARTTLS`, `LITERAL+`.
    Feature(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoginDisabled => f.write_str("LOGIN (LOGINDISABLED)"),
            Self::LoginWithoutTls => {
                f.write_str("this login without TLS (it said that the connection must be protected)")
            }
            Self::Feature(name) => f.write_str(name),
        }
    }
}

impl From<String> for Missing {
    fn from(name: String) -> Self {
        Self::Feature(name)
    }
}

impl From<&str> for Missing {
    fn from(name: &str) -> Self {
        Self::Feature(name.to_owned())
    }
}

/// How servers say that no password is taken in plaintext where there is no code for it, in lower case: Dovecot 2.3,
/// Dovecot 2.4, Cyrus.
const WORDS_FOR_PROTECTION: &[&[u8]] =
    &[b"plaintext authentication disallowed", b"cleartext authentication disallowed", b"only available under a layer"];

impl Reply {
    /// Whether a refusal is about the connection and not about the password: RFC 5530 §3, or a server's known words, for
    /// POP3 has no such code.
    pub fn wants_protection(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        let says = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
        self.code == Some(ResponseCode::PrivacyRequired) || WORDS_FOR_PROTECTION.iter().any(|words| says(words))
    }
}

impl Outcome {
    /// The same, but [`Missing::LoginWithoutTls`] where a login or a dialogue was refused because its connection was not
    /// protected. Within TLS such a refusal is the server's fault, and stays what it is.
    #[must_use]
    pub fn without_refusals_for_protection(self, security: Security) -> Self {
        let wants_protection = match &self {
            Self::Rejected(reply) | Self::Bad(reply) => reply.wants_protection(),
            Self::Diverged { got, .. } => refusal(got).is_some_and(|reply| reply.wants_protection()),
            _ => false,
        };
        if security == Security::Plaintext && wants_protection {
            return Self::NotOffered(Missing::LoginWithoutTls);
        }
        self
    }
}

/// The refusal that a line of a server is: `-ERR …`, `TAG NO …` or `TAG BAD …`.
fn refusal(line: &[u8]) -> Option<Reply> {
    let line = line.trim_ascii_end();
    if let Some(text) = line.strip_prefix(b"-ERR ") {
        return Some(Reply::from_text(text));
    }
    let mut words = line.splitn(3, |octet| *octet == b' ');
    let (_tag, condition, text) = (words.next()?, words.next()?, words.next()?);
    let is_refusal = condition.eq_ignore_ascii_case(b"NO") || condition.eq_ignore_ascii_case(b"BAD");
    is_refusal.then(|| Reply::from_text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(outcome: Outcome, security: Security) -> Outcome {
        outcome.without_refusals_for_protection(security)
    }

    #[test]
    fn a_refusal_of_an_unprotected_connection_is_nothing_of_the_password() {
        let missing = Outcome::NotOffered(Missing::LoginWithoutTls);
        for text in [
            "[PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
            "[PRIVACYREQUIRED]",
            "[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
            "[AUTH] Cleartext authentication disallowed on non-secure (SSL/TLS) connections.",
            "[AUTH] USER command only available under a layer",
        ] {
            let reply = || Reply::from_text(text.as_bytes());
            assert_eq!(judged(Outcome::Rejected(reply()), Security::Plaintext), missing, "{text}");
            assert_eq!(judged(Outcome::Bad(reply()), Security::Plaintext), missing, "{text}");
            for security in [Security::Starttls, Security::Tls] {
                assert_eq!(judged(Outcome::Rejected(reply()), security), Outcome::Rejected(reply()), "{text}");
            }
        }
        let wrong = || Outcome::Rejected(Reply::from_text(b"[AUTHENTICATIONFAILED] no"));
        assert_eq!(judged(wrong(), Security::Plaintext), wrong());
    }

    #[test]
    fn dialogues_meet_such_refusals_too() {
        let said = |got: &str| judged(Outcome::Diverged { step: 1, got: got.into(), index: 0 }, Security::Plaintext);
        for line in ["a NO [PRIVACYREQUIRED] no", "-ERR [AUTH] Plaintext authentication disallowed on\r\n"] {
            assert_eq!(said(line), Outcome::NotOffered(Missing::LoginWithoutTls), "{line}");
        }
        for line in ["a NO", "a NO no", "", "* OK [PRIVACYREQUIRED] x", "+OK"] {
            assert!(matches!(said(line), Outcome::Diverged { .. }), "{line}");
        }
    }
}
