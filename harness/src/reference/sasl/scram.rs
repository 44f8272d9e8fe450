//! SCRAM (RFC 5802, RFC 7677) with SHA-1 and SHA-256, and `-PLUS` with `tls-exporter` (RFC 9266).

use std::cell::RefCell;

use super::super::authority::Evidence;
use super::super::crypto::{Hash, same_octets};
use super::super::flaw::Flaw;
use super::super::secrets::{ITERATIONS, ScramKeys};
use super::base64::{decode, encode};
use super::gs2::{self, Binding};
use super::{Context, Exchange, Stage, Step};
use crate::axes::Mechanism;
use crate::identity::Account;

/// The one binding there is (RFC 9266 §2).
const BINDING: &[u8] = b"tls-exporter";

/// What is known after the client's first message.
pub(super) struct Begun {
    hash: Hash,
    name: Vec<u8>,
    authorization: Vec<u8>,
    /// What the client's `c=` has to say: the GS2 header and the channel's octets.
    binding: Vec<u8>,
    /// The client's nonce and ours.
    nonce: Vec<u8>,
    /// `client-first-message-bare` and `server-first-message`, each with a comma after it.
    messages: Vec<u8>,
}

/// The client's last message.
#[derive(Debug, PartialEq, Eq)]
struct Last<'m> {
    binding: Vec<u8>,
    nonce: &'m [u8],
    proof: Vec<u8>,
    without_proof: &'m [u8],
}

/// Takes the client's first message and answers with the server's.
pub(super) fn begin(
    mechanism: Mechanism,
    hash: Hash,
    message: &[u8],
    context: Context<'_>,
) -> Result<Step, &'static str> {
    let flaws = context.authority.flaws();
    let gs2 = gs2::read(message)?;
    let bound = bound_octets(mechanism, gs2.binding, context)?;
    let (name, client_nonce) = first_fields(gs2.rest)?;
    let name = if flaws.has(Flaw::ScramKeepsEscapes) { name.to_vec() } else { gs2::read_name(name)? };
    let mut nonce = client_nonce.to_vec();
    if !flaws.has(Flaw::ScramNonceNotExtended) {
        nonce.extend(encode(&context.authority.secrets().nonce()));
    }
    let salt = encode(&context.authority.scram_salt(&name, context.access(mechanism)));
    let challenge = [b"r=", nonce.as_slice(), b",s=", &salt, b",i=", ITERATIONS.to_string().as_bytes()].concat();
    let begun = Begun {
        hash,
        name,
        authorization: gs2.authorization,
        binding: [gs2.header, bound].concat(),
        nonce,
        messages: [gs2.rest, b",", &challenge, b","].concat(),
    };
    Ok(Exchange::ask(mechanism, challenge, Stage::ScramProof(Box::new(begun))))
}

/// Takes the client's last message and answers with the server's signature.
pub(super) fn finish(
    mechanism: Mechanism,
    begun: &Begun,
    message: &[u8],
    context: Context<'_>,
) -> Result<Step, &'static str> {
    let flaws = context.authority.flaws();
    let last = last_fields(message)?;
    if !same_octets(&begun.nonce, last.nonce) {
        return Err("the nonce is another (RFC 5802 section 5.1)");
    }
    if last.binding != begun.binding && !flaws.has(Flaw::ScramIgnoresChannelBinding) {
        return Err("the channel binding is another (RFC 5802 section 6)");
    }
    let auth_message = [begun.messages.as_slice(), last.without_proof].concat();
    let signature = RefCell::new(Vec::new());
    let proof = |account: &Account| {
        let keys = context.authority.scram_keys(account, begun.hash);
        let signed = begun.hash.hmac(&keys.server, &auth_message);
        signature.replace(signed);
        proves(begun.hash, &keys, &auth_message, &last.proof) || flaws.has(Flaw::ScramSkipsClientProof)
    };
    let decision = context.decide(mechanism, &begun.name, &begun.authorization, Evidence::Proof(&proof));
    let mut signature = signature.into_inner();
    if flaws.has(Flaw::ScramWrongServerSignature)
        && let Some(first) = signature.first_mut()
    {
        *first ^= 1;
    }
    Ok(Exchange::prove(mechanism, [&b"v="[..], &encode(&signature)].concat(), decision))
}

/// The octets to which the client binds the exchange, where what it says fits the mechanism (RFC 5802 §6).
fn bound_octets<'s>(
    mechanism: Mechanism,
    binding: Binding<'_>,
    context: Context<'s>,
) -> Result<&'s [u8], &'static str> {
    let plus = match mechanism {
        Mechanism::ScramSha1 => Mechanism::ScramSha1Plus,
        Mechanism::ScramSha256 => Mechanism::ScramSha256Plus,
        _ => {
            return match binding {
                Binding::To(BINDING) => context.connection.exporter().ok_or("there is no channel to bind to"),
                Binding::To(_) => Err("the channel binding is tls-exporter (RFC 9266)"),
                _ => Err("a -PLUS mechanism begins with p= (RFC 5802 section 6)"),
            };
        }
    };
    match binding {
        Binding::None => Ok(b""),
        Binding::To(_) => Err("p= belongs to a -PLUS mechanism (RFC 5802 section 6)"),
        Binding::NotOffered if context.offers(plus) && !context.authority.flaws().has(Flaw::ScramAllowsDowngrade) => {
            Err("y, but a -PLUS mechanism is offered: somebody has changed the list (RFC 5802 section 6)")
        }
        Binding::NotOffered => Ok(b""),
    }
}

/// `n=` and `r=`; extensions may follow (RFC 5802 §7).
fn first_fields(bare: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    if bare.starts_with(b"m=") {
        return Err("a mandatory extension is not known here (RFC 5802 section 5.1)");
    }
    let mut attributes = bare.split(|&octet| octet == b',');
    let name = attributes.next().and_then(|attribute| attribute.strip_prefix(b"n="));
    let nonce = attributes.next().and_then(|attribute| attribute.strip_prefix(b"r="));
    let (Some(name), Some(nonce)) = (name, nonce) else {
        return Err("the first message holds n= and r= (RFC 5802 section 7)");
    };
    if name.is_empty() || nonce.is_empty() || !nonce.iter().all(|octet| matches!(octet, 0x21..=0x7e)) {
        return Err("a name has a character at least, and a nonce is printable (RFC 5802 section 7)");
    }
    if !attributes.all(is_extension) {
        return Err("an extension is a letter, =, and a value (RFC 5802 section 7)");
    }
    Ok((name, nonce))
}

/// `c=`, `r=`, extensions, and `p=` at the end.
fn last_fields(message: &[u8]) -> Result<Last<'_>, &'static str> {
    const BROKEN: &str = "the last message holds c=, r= and, at the end, p= (RFC 5802 section 7)";
    let at = message.iter().rposition(|&octet| octet == b',').ok_or(BROKEN)?;
    let (without_proof, proof) = (message.get(..at).ok_or(BROKEN)?, message.get(at + 1..).ok_or(BROKEN)?);
    let mut attributes = without_proof.split(|&octet| octet == b',');
    let binding = attributes.next().and_then(|attribute| attribute.strip_prefix(b"c="));
    let nonce = attributes.next().and_then(|attribute| attribute.strip_prefix(b"r="));
    let proof = proof.strip_prefix(b"p=").and_then(decode).ok_or(BROKEN)?;
    let (Some(binding), Some(nonce), true) = (binding.and_then(decode), nonce, attributes.all(is_extension)) else {
        return Err(BROKEN);
    };
    Ok(Last { binding, nonce, proof, without_proof })
}

fn is_extension(attribute: &[u8]) -> bool {
    matches!(attribute, [letter, b'=', _, ..] if letter.is_ascii_alphabetic())
        && !attribute.contains(&0)
        && std::str::from_utf8(attribute).is_ok()
}

/// Whether the proof shows that the client has the key of which we have the hash (RFC 5802 §3).
fn proves(hash: Hash, keys: &ScramKeys, auth_message: &[u8], proof: &[u8]) -> bool {
    let signature = hash.hmac(&keys.stored, auth_message);
    if proof.len() != signature.len() {
        return false;
    }
    let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    same_octets(&keys.stored, &hash.digest(&client_key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5802 §5 and RFC 7677 §3: the user is `user`, the password `pencil`.
    #[test]
    fn the_examples_of_the_rfcs() {
        for (hash, salt, first, server, last, signature) in [
            (
                Hash::Sha1,
                "QSXCR+Q6sek8bf92",
                "n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                Hash::Sha256,
                "W22ZaJ0SNY7soEsUEjb6gQ==",
                "n=user,r=rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ] {
            let keys = ScramKeys::derive(hash, b"pencil", &decode(salt.as_bytes()).expect("salt"), 4096);
            let last = last_fields(last.as_bytes()).expect("last message");
            assert_eq!(last.binding, b"n,,");
            let auth_message = [first.as_bytes(), b",", server.as_bytes(), b",", last.without_proof].concat();
            assert!(proves(hash, &keys, &auth_message, &last.proof));
            assert!(!proves(hash, &keys, &auth_message[1..], &last.proof));
            assert!(!proves(hash, &keys, &auth_message, &last.proof[1..]));
            assert_eq!(encode(&hash.hmac(&keys.server, &auth_message)), signature.as_bytes());
        }
    }

    #[test]
    fn first_messages() {
        assert_eq!(first_fields(b"n=user,r=abc"), Ok((&b"user"[..], &b"abc"[..])));
        assert_eq!(first_fields(b"n=user,r=abc,x=y"), Ok((&b"user"[..], &b"abc"[..])));
        for wrong in [
            &b""[..],
            b"n=user",
            b"r=abc,n=user",
            b"n=,r=abc",
            b"n=user,r=",
            b"n=user,r=a b",
            b"m=x,n=user,r=abc",
            b"n=user,r=abc,",
            b"n=user,r=abc,x=",
        ] {
            assert!(first_fields(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn last_messages() {
        assert!(last_fields(b"c=biws,r=abc,p=AAAA").is_ok());
        assert!(last_fields(b"c=biws,r=abc,x=y,p=AAAA").is_ok());
        for wrong in [
            &b""[..],
            b"p=AAAA",
            b"c=biws,r=abc",
            b"c=biws,p=AAAA",
            b"c=biw,r=abc,p=AAAA",
            b"c=biws,r=abc,p=AAA",
            b"r=abc,c=biws,p=AAAA",
            b"c=biws,r=abc,p=AAAA,x=y",
        ] {
            assert!(last_fields(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }
}
