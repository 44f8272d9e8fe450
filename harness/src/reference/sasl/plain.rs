//! PLAIN (RFC 4616): `[authzid] NUL authcid NUL passwd`.

use super::super::authority::Evidence;
use super::super::flaw::{Flaw, Flaws};
use super::{Context, Step};
use crate::axes::Mechanism;

/// Authorization identity, name, password.
type Fields<'m> = (&'m [u8], &'m [u8], &'m [u8]);

pub(super) fn answer(message: &[u8], context: Context<'_>) -> Result<Step, &'static str> {
    let flaws = context.authority.flaws();
    let (authorization, name, password) = fields(message, flaws)?;
    let (name, password) = if flaws.has(Flaw::PlainSwapsFields) { (password, name) } else { (name, password) };
    Ok(Step::Decided(context.decide(Mechanism::Plain, name, authorization, Evidence::Password(password))))
}

/// Exactly two NULs (RFC 4616 §2).
fn fields(message: &[u8], flaws: Flaws) -> Result<Fields<'_>, &'static str> {
    let mut fields = message.split(|&octet| octet == 0);
    match (fields.next(), fields.next(), fields.next(), fields.next()) {
        (Some(authorization), Some(name), Some(password), None) => Ok((authorization, name, password)),
        (Some(name), Some(password), None, None) if flaws.has(Flaw::AcceptsMissingNul) => Ok((b"", name, password)),
        (Some(authorization), Some(name), Some(password), Some(_)) if flaws.has(Flaw::AcceptsExtraNul) => {
            Ok((authorization, name, password))
        }
        _ => Err("PLAIN takes three fields with one NUL between them (RFC 4616 section 2)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_has_three_fields() {
        assert_eq!(fields(b"z\0a\0b", Flaws::NONE), Ok((&b"z"[..], &b"a"[..], &b"b"[..])));
        for wrong in [&b""[..], b"a\0b", b"\0a\0b\0"] {
            assert!(fields(wrong, Flaws::NONE).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn flawed_servers_miscount() {
        let expected = Ok((&b""[..], &b"a"[..], &b"b"[..]));
        assert_eq!(fields(b"a\0b", Flaw::AcceptsMissingNul.into()), expected);
        assert_eq!(fields(b"\0a\0b\0c\0d", Flaw::AcceptsExtraNul.into()), expected);
    }
}
