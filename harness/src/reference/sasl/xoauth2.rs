//! XOAUTH2 (developers.google.com/gmail/imap/xoauth2-protocol): `user=NAME ^A auth=Bearer TOKEN ^A ^A`.

use super::super::authority::Evidence;
use super::{Context, Exchange, Step};
use crate::axes::Mechanism;

/// What is said of a failure before the failure; the client answers with an empty line.
const DETAILS: &[u8] = br#"{"status":"400","schemes":"Bearer","scope":"https://mail.example.org/"}"#;

pub(super) fn answer(message: &[u8], context: Context<'_>) -> Result<Step, &'static str> {
    let (name, token) = fields(message).ok_or("XOAUTH2 takes user=, ^A, auth=Bearer, a token and two ^A")?;
    let decision = context.decide(Mechanism::Xoauth2, name, b"", Evidence::Token(token));
    Ok(Exchange::explain_failure(Mechanism::Xoauth2, DETAILS, decision))
}

fn fields(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let fields = message.strip_suffix(b"\x01\x01")?;
    let at = fields.iter().position(|&octet| octet == 1)?;
    let (user, auth) = (fields.get(..at)?, fields.get(at + 1..)?);
    Some((user.strip_prefix(b"user=")?, bearer_token(auth.strip_prefix(b"auth=")?)?))
}

/// The token of `Bearer TOKEN`, after RFC 6750 §2.1. Schemes have no case.
pub(super) fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    // RFC 6750 allows fewer octets. Directories for tests make tokens of names, which hold spaces and more.
    let is_clean = !token.iter().any(u8::is_ascii_control);
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty() && is_clean).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_protocol() {
        let message = b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01";
        let token = &b"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"[..];
        assert_eq!(fields(message), Some((&b"someuser@example.com"[..], token)));
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            &b""[..],
            b"\x01\x01",
            b"user=a\x01auth=Bearer t\x01",
            b"user=a\x01auth=Bearer \x01\x01",
            b"user=a\x01auth=Basic t\x01\x01",
            b"a\x01auth=Bearer t\x01\x01",
            b"user=a\x01auth=Bearer t\x01x=y\x01\x01",
        ] {
            assert_eq!(fields(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
