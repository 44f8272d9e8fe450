//! OAUTHBEARER (RFC 7628): a GS2 header whose `a=` names the mailbox, and key-value pairs, one of them the token.

use super::super::authority::Evidence;
use super::gs2::{self, Binding};
use super::xoauth2::bearer_token;
use super::{Context, Exchange, Step};
use crate::axes::Mechanism;

/// What is said of a failure before the failure (RFC 7628 §3.2.2); the client answers with ^A (§3.2.3).
const DETAILS: &[u8] = br#"{"status":"invalid_token","scope":"mail"}"#;

pub(super) fn answer(message: &[u8], context: Context<'_>) -> Result<Step, &'static str> {
    let gs2 = gs2::read(message)?;
    if matches!(gs2.binding, Binding::To(_)) {
        return Err("OAUTHBEARER binds no channels (RFC 7628 section 3.1)");
    }
    // RFC 7628 §4.3: an empty value asks which scope is wanted, and gets the same answer as a token that is none.
    let token = match auth_value(gs2.rest)? {
        b"" => &b""[..],
        value => bearer_token(value).ok_or("auth holds Bearer and a token (RFC 6750 section 2.1)")?,
    };
    let decision = context.decide(Mechanism::Oauthbearer, &gs2.authorization, b"", Evidence::Token(token));
    Ok(Exchange::explain_failure(Mechanism::Oauthbearer, DETAILS, decision))
}

/// The value of `auth` in `^A key=value ^A … ^A ^A` (RFC 7628 §3.1).
fn auth_value(rest: &[u8]) -> Result<&[u8], &'static str> {
    const BROKEN: &str = "OAUTHBEARER takes key=value pairs between ^A (RFC 7628 section 3.1)";
    let pairs = rest.strip_prefix(b"\x01").and_then(|rest| rest.strip_suffix(b"\x01\x01")).ok_or(BROKEN)?;
    let mut auth = None;
    for pair in pairs.split(|&octet| octet == 1) {
        let at = pair.iter().position(|&octet| octet == b'=').ok_or(BROKEN)?;
        let (key, value) = (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default());
        if key.is_empty() || !key.iter().all(u8::is_ascii_alphabetic) {
            return Err(BROKEN);
        }
        if key == b"auth" && auth.replace(value).is_some() {
            return Err("auth stands there once (RFC 7628 section 3.1)");
        }
    }
    auth.ok_or("auth is missing (RFC 7628 section 3.1)")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7628 §4.1.
    #[test]
    fn the_example_of_the_rfc() {
        let message = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
            auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        let gs2 = gs2::read(message).expect("header");
        assert_eq!(gs2.authorization, b"user@example.com");
        let value = auth_value(gs2.rest).expect("auth");
        assert_eq!(bearer_token(value), Some(&b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="[..]));
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            &b""[..],
            b"\x01\x01",
            b"\x01auth=Bearer t\x01",
            b"auth=Bearer t\x01\x01",
            b"\x01host=h\x01\x01",
            b"\x01auth=Bearer t\x01auth=Bearer t\x01\x01",
            b"\x01=x\x01auth=Bearer t\x01\x01",
        ] {
            assert!(auth_value(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }
}
