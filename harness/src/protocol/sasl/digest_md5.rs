//! DIGEST-MD5 (RFC 2831) as in a first authentication, without integrity or privacy layers (`qop=auth`).

use super::Stop;
use super::directive::{Directive, parse, quote};
use super::hash::{change_last_octet, flip_last_bit, hex, md5};
use crate::axes::{Fault, Protocol};
use crate::protocol::Login;
use crate::protocol::outgoing::Outgoing;

/// The rule that a success without `rspauth` breaks.
pub(super) const UNPROVEN: &str = "the client takes no success before rspauth (RFC 2831 §2.1.3)";
const FORM: &str = "a challenge is a list of directives (RFC 2831 §2.1.1)";
const NONCE: &str = "a challenge holds the nonce, once (RFC 2831 §2.1.1)";
const ALGORITHM: &str = "a challenge holds algorithm=md5-sess, once (RFC 2831 §2.1.1)";
const CHARSET: &str = "the only charset is utf-8 (RFC 2831 §2.1.1)";
const RSPAUTH_FORM: &str = "the last challenge holds rspauth (RFC 2831 §2.1.3)";
const RSPAUTH: &str = "rspauth proves that the server knows the password (RFC 2831 §2.1.3)";

/// The host in `digest-uri` where nobody has named one.
const NO_HOST: &str = "localhost";

/// One exchange.
pub(super) struct DigestMd5 {
    cnonce: Vec<u8>,
    /// What the server has to send.
    rspauth: String,
}

/// What the server's challenge says.
struct Challenge {
    realm: Vec<u8>,
    nonce: Vec<u8>,
    utf_8: bool,
}

impl DigestMd5 {
    pub(super) fn new(login: &Login) -> Self {
        Self { cnonce: hex(&login.fresh.nonce).into_bytes(), rspauth: String::new() }
    }

    /// `digest-response` (RFC 2831 §2.1.2).
    pub(super) fn respond(&mut self, login: &Login, challenge: &[u8]) -> Result<Outgoing, Stop> {
        let Challenge { realm, mut nonce, utf_8 } = Challenge::read(challenge)?;
        if login.fault == Some(Fault::WrongNonce) {
            change_last_octet(&mut nonce);
        }
        let count: &[u8] = if login.fault == Some(Fault::WrongNonceCount) { b"00000002" } else { b"00000001" };
        let uri = digest_uri(login);
        let authzid = login.authzid.as_ref().filter(|authzid| !authzid.is_empty());

        let user = md5(&[&hashed(login.name.expose()), b":", &hashed(&realm), b":", &hashed(login.password.expose())]);
        let mut a1 = [&user[..], b":", &nonce, b":", &self.cnonce].concat();
        if let Some(authzid) = authzid {
            a1.push(b':');
            a1.extend_from_slice(authzid.expose());
        }
        let secret = hex(&md5(&[&a1]));
        let digest = |a2: &[&[u8]]| {
            let a2 = hex(&md5(a2));
            let parts = [secret.as_bytes(), &nonce, count, &self.cnonce, b"auth", a2.as_bytes()];
            md5(&[&parts.join(&b':')])
        };
        let mut response = digest(&[b"AUTHENTICATE:", &uri]);
        let rspauth = hex(&digest(&[b":", &uri]));
        if login.fault == Some(Fault::WrongProof) {
            flip_last_bit(&mut response);
        }

        let mut message = Outgoing::default();
        if utf_8 {
            message.push(b"charset=utf-8,");
        }
        let spelt = |text: &[u8]| quote(&if utf_8 { text.to_vec() } else { hashed(text) });
        message.push(b"username=");
        message.push_marked(&login.name.made_into(spelt(login.name.expose())));
        message.push(b",realm=");
        message.push(&spelt(&realm));
        message.push(b",nonce=");
        message.push(&quote(&nonce));
        message.push(b",nc=");
        message.push(count);
        message.push(b",cnonce=");
        message.push(&quote(&self.cnonce));
        message.push(b",digest-uri=");
        message.push(&quote(&uri));
        message.push(b",response=");
        message.push_secret(hex(&response).as_bytes());
        message.push(b",qop=auth");
        if let Some(authzid) = authzid {
            message.push(b",authzid=");
            message.push_marked(&authzid.made_into(quote(authzid.expose())));
        }
        self.rspauth = rspauth;
        Ok(message)
    }

    /// Looks at the server's proof (RFC 2831 §2.1.3).
    pub(super) fn verify(&self, challenge: &[u8]) -> Result<(), &'static str> {
        let directives = parse(challenge).ok_or(RSPAUTH_FORM)?;
        let rspauth = only(&directives, b"rspauth").ok_or(RSPAUTH_FORM)?;
        if rspauth == self.rspauth.as_bytes() { Ok(()) } else { Err(RSPAUTH) }
    }
}

impl Challenge {
    fn read(challenge: &[u8]) -> Result<Self, Stop> {
        let directives = parse(challenge).ok_or(FORM)?;
        let nonce = only(&directives, b"nonce").ok_or(NONCE)?.to_vec();
        if !only(&directives, b"algorithm").is_some_and(|value| value.eq_ignore_ascii_case(b"md5-sess")) {
            return Err(ALGORITHM.into());
        }
        let charset = values(&directives, b"charset").next();
        if charset.is_some_and(|charset| !charset.eq_ignore_ascii_case(b"utf-8")) {
            return Err(CHARSET.into());
        }
        // Without a list of qualities there is only this one.
        let mut qualities = values(&directives, b"qop").flat_map(|list| list.split(|octet| *octet == b','));
        let is_auth = |quality: &[u8]| quality.trim_ascii().eq_ignore_ascii_case(b"auth");
        if values(&directives, b"qop").next().is_some() && !qualities.any(is_auth) {
            return Err(Stop::NotOffered("DIGEST-MD5 with qop=auth".to_owned()));
        }
        let realm = values(&directives, b"realm").next().unwrap_or_default().to_vec();
        Ok(Self { realm, nonce, utf_8: charset.is_some() })
    }
}

/// `service/host` (RFC 2831 §2.1.2).
fn digest_uri(login: &Login) -> Vec<u8> {
    let service = match login.protocol {
        _ if login.fault == Some(Fault::WrongDigestUri) => "smtp",
        Protocol::Imap => "imap",
        Protocol::Pop3 => "pop",
    };
    format!("{service}/{}", login.host.as_deref().unwrap_or(NO_HOST)).into_bytes()
}

/// The text as it is hashed: in ISO 8859-1 where it is UTF-8 that fits there, else as it is (RFC 2831 §2.1.2.1).
fn hashed(text: &[u8]) -> Vec<u8> {
    let latin_1 = |text: &str| text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect();
    std::str::from_utf8(text).ok().and_then(latin_1).unwrap_or_else(|| text.to_vec())
}

/// The values of a directive.
fn values<'a>(directives: &'a [Directive], name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    directives.iter().filter(move |directive| directive.name == name).map(|directive| directive.value.as_slice())
}

/// The value of a directive that stands there exactly once.
fn only<'a>(directives: &'a [Directive], name: &[u8]) -> Option<&'a [u8]> {
    let mut values = directives.iter().filter(|directive| directive.name == name);
    let value = values.next()?;
    values.next().is_none().then_some(value.value.as_slice())
}

#[cfg(test)]
#[path = "digest_md5_tests.rs"]
mod tests;
