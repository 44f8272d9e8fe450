//! DIGEST-MD5 (RFC 2831) with `qop=auth`; the realm is the home domain.

use std::cell::RefCell;

use super::super::authority::Evidence;
use super::super::crypto::{hex, is_md5_hex, md5, same_octets};
use super::super::flaw::Flaw;
use super::base64::encode;
use super::{Context, Exchange, Step};
use crate::axes::{Mechanism, Protocol};
use crate::identity::Account;

/// A digest-response has fewer octets than this (RFC 2831 §2.1.2).
const LONGEST: usize = 4096;

/// The directives that we look at; others are passed over (RFC 2831 §2.1.2).
const KNOWN: [&str; 10] =
    ["username", "realm", "nonce", "cnonce", "nc", "qop", "digest-uri", "response", "charset", "authzid"];

/// The values of the known directives.
#[derive(Debug, Default, PartialEq, Eq)]
struct Directives([Option<Vec<u8>>; KNOWN.len()]);

impl Directives {
    fn value(&self, name: &str) -> Option<&[u8]> {
        let at = KNOWN.iter().position(|known| *known == name)?;
        self.0.get(at)?.as_deref()
    }
}

/// The server's first message (RFC 2831 §2.1.1).
pub(super) fn challenge(context: Context<'_>) -> Vec<u8> {
    let nonce = encode(&context.authority.secrets().nonce());
    let realm = quoted(context.authority.directory().home());
    [b"realm=", realm.as_slice(), b",nonce=\"", &nonce, b"\",qop=\"auth\",algorithm=md5-sess,charset=utf-8"].concat()
}

/// Takes the client's message and answers with `rspauth` (RFC 2831 §2.1.3).
pub(super) fn answer(challenge: &[u8], message: &[u8], context: Context<'_>) -> Result<Step, &'static str> {
    let given = read(message)?;
    let authority = context.authority;
    let offered = read(challenge)?;
    let missing = "a directive is missing (RFC 2831 section 2.1.2)";
    let username = given.value("username").ok_or(missing)?;
    let response = given.value("response").ok_or(missing)?;
    let nonce = given.value("nonce").ok_or(missing)?;
    if offered.value("nonce") != Some(nonce) && !authority.flaws().has(Flaw::DigestIgnoresNonce) {
        return Err("the nonce is another (RFC 2831 section 2.1.2)");
    }
    if given.value("realm") != offered.value("realm") {
        return Err("the realm is another than the one that is offered (RFC 2831 section 2.1.2)");
    }
    if given.value("nc").ok_or(missing)? != b"00000001" {
        return Err("the nonce count of a first authentication is 00000001 (RFC 2831 section 2.1.2)");
    }
    if given.value("qop").is_some_and(|qop| qop != b"auth") {
        return Err("only qop=auth is offered (RFC 2831 section 2.1.2)");
    }
    let is_utf8 = match given.value("charset") {
        None => false,
        Some(charset) if charset.eq_ignore_ascii_case(b"utf-8") => true,
        Some(_) => return Err("the one charset is utf-8 (RFC 2831 section 2.1.2)"),
    };
    let uri = given.value("digest-uri").ok_or(missing)?;
    if !names_this_service(uri, context.protocol) && !authority.flaws().has(Flaw::DigestIgnoresUri) {
        return Err("digest-uri names another service (RFC 2831 section 2.1.2)");
    }
    if given.value("cnonce").ok_or(missing)?.is_empty() || !is_md5_hex(response) {
        return Err("cnonce is not empty, and response has 32 hexadecimal digits (RFC 2831 section 2.1.2)");
    }
    let proof_of_server = RefCell::new(Vec::new());
    let proof = |account: &Account| {
        let secret = secret(&given, account.password.expose(), is_utf8);
        proof_of_server.replace([&b"rspauth="[..], &digest(&given, &secret, b":")].concat());
        same_octets(&digest(&given, &secret, b"AUTHENTICATE:"), response)
    };
    let name = if is_utf8 { username.to_vec() } else { from_latin1(username) };
    let authorization = given.value("authzid").unwrap_or_default();
    let decision = context.decide(Mechanism::DigestMd5, &name, authorization, Evidence::Proof(&proof));
    Ok(Exchange::prove(Mechanism::DigestMd5, proof_of_server.into_inner(), decision))
}

/// `imap/host` or `pop/host`; which host is the client's business, as we have many names.
fn names_this_service(uri: &[u8], protocol: Protocol) -> bool {
    let service: &[u8] = match protocol {
        Protocol::Imap => b"imap/",
        Protocol::Pop3 => b"pop/",
    };
    uri.split_at_checked(service.len())
        .is_some_and(|(given, host)| given.eq_ignore_ascii_case(service) && !host.is_empty())
}

/// `H(username:realm:password)`, in ISO 8859-1 as far as that can write them (RFC 2831 §2.1.2.1).
fn secret(given: &Directives, password: &[u8], is_utf8: bool) -> Vec<u8> {
    let (username, realm) = (given.value("username").unwrap_or_default(), given.value("realm").unwrap_or_default());
    let (username, realm) =
        if is_utf8 { (to_latin1(username), to_latin1(realm)) } else { (username.to_vec(), realm.to_vec()) };
    md5(&[&username, b":", &realm, b":", &to_latin1(password)])
}

/// The response (RFC 2831 §2.1.2.1) or, without the word `AUTHENTICATE`, `rspauth` (§2.1.3).
fn digest(given: &Directives, secret: &[u8], method: &[u8]) -> Vec<u8> {
    let value = |name| given.value(name).unwrap_or_default();
    let mut a1 = [secret, b":", value("nonce"), b":", value("cnonce")].concat();
    if let Some(authzid) = given.value("authzid") {
        a1.push(b':');
        a1.extend_from_slice(authzid);
    }
    let a2 = md5(&[method, value("digest-uri")]);
    let middle: &[&[u8]] = &[b":", value("nonce"), b":", value("nc"), b":", value("cnonce"), b":auth:"];
    hex(&md5(&[&hex(&md5(&[&a1])), &middle.concat(), &hex(&a2)]))
}

/// UTF-8 to ISO 8859-1, or as it was where a character is not in it.
fn to_latin1(octets: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(octets).ok();
    let converted = text.and_then(|text| text.chars().map(|character| u8::try_from(character).ok()).collect());
    converted.unwrap_or_else(|| octets.to_vec())
}

fn from_latin1(octets: &[u8]) -> Vec<u8> {
    octets.iter().copied().map(char::from).collect::<String>().into_bytes()
}

fn quoted(octets: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for &octet in octets {
        if matches!(octet, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(octet);
    }
    text.push(b'"');
    text
}

/// Reads `name=value` pairs between commas; each known one stands there once (RFC 2831 §2.1.2, §7.1).
fn read(message: &[u8]) -> Result<Directives, &'static str> {
    const BROKEN: &str = "DIGEST-MD5 takes directives with commas between them (RFC 2831 section 7.1)";
    if message.len() >= LONGEST {
        return Err("a digest-response has fewer than 4096 octets (RFC 2831 section 2.1.2)");
    }
    let mut directives = Directives::default();
    let mut rest = message.trim_ascii();
    while !rest.is_empty() {
        if let [b',', after @ ..] = rest {
            rest = after.trim_ascii_start();
            continue;
        }
        let at = rest.iter().position(|&octet| octet == b'=').ok_or(BROKEN)?;
        let (name, after) = (rest.get(..at).ok_or(BROKEN)?.trim_ascii_end(), rest.get(at + 1..).ok_or(BROKEN)?);
        if name.is_empty() || !name.iter().all(|&octet| octet.is_ascii_alphanumeric() || octet == b'-') {
            return Err(BROKEN);
        }
        let (value, after) = read_value(after.trim_ascii_start()).ok_or(BROKEN)?;
        rest = after.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return Err(BROKEN);
        }
        let known = KNOWN.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name));
        if let Some(slot) = known.and_then(|at| directives.0.get_mut(at))
            && slot.replace(value).is_some()
        {
            return Err("a directive stands there twice (RFC 2831 section 2.1.2)");
        }
    }
    Ok(directives)
}

/// A quoted string or a token, and what follows it.
fn read_value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|octet| matches!(octet, b',' | b' ' | b'\t' | b'\r' | b'\n'));
        let (token, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
        return (!token.is_empty() && !token.contains(&b'"')).then(|| (token.to_vec(), rest));
    };
    let mut value = Vec::new();
    loop {
        match rest {
            [b'"', after @ ..] => return Some((value, after)),
            [b'\\', octet, after @ ..] | [octet, after @ ..] => {
                value.push(*octet);
                rest = after;
            }
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2831 §4: the user is `chris`, the password `secret`.
    const EXAMPLE: &[u8] = br#"charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",response=d388dad90d4bbd760a152321f2143af7,qop=auth"#;

    #[test]
    fn the_example_of_the_rfc() {
        let given = read(EXAMPLE).expect("directives");
        let secret = secret(&given, b"secret", true);
        assert_eq!(Some(digest(&given, &secret, b"AUTHENTICATE:").as_slice()), given.value("response"));
        assert_eq!(digest(&given, &secret, b":"), b"ea40f60335c427b5527b84dbabcdfffd");
        assert!(names_this_service(given.value("digest-uri").expect("uri"), Protocol::Imap));
        assert!(!names_this_service(b"imap/elwood.innosoft.com", Protocol::Pop3));
        assert!(!names_this_service(b"imap/", Protocol::Imap) && !names_this_service(b"smtp/x", Protocol::Imap));
    }

    #[test]
    fn directives_are_read_as_they_are_quoted() {
        let given = read(br#" username="a\\b\"c,d" , nc=00000001,,x=y"#).expect("directives");
        assert_eq!(given.value("username"), Some(&br#"a\b"c,d"#[..]));
        assert_eq!(read(&[b"username=".as_slice(), &quoted(br#"a\b"c"#)].concat()), {
            let mut expected = Directives::default();
            expected.0[0] = Some(br#"a\b"c"#.to_vec());
            Ok(expected)
        });
        for wrong in [
            &b"username"[..],
            b"=x",
            b"username=\"a",
            b"username=\"a\"b",
            b"username=a,username=b",
            b"user name=a",
            b"nc=",
            &[b','; LONGEST],
        ] {
            assert!(read(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn characters_of_iso_8859_1_are_hashed_as_such() {
        assert_eq!(to_latin1("Jürgen".as_bytes()), b"J\xfcrgen");
        assert_eq!(to_latin1("€".as_bytes()), "€".as_bytes());
        assert_eq!(to_latin1(b"\xff"), b"\xff");
        assert_eq!(from_latin1(b"J\xfcrgen"), "Jürgen".as_bytes());
    }
}
