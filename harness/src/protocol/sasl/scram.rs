//! SCRAM-SHA-1 and SCRAM-SHA-256, also bound to the TLS connection (RFC 5802, RFC 7677, RFC 9266).
//!
//! The name goes over the wire as the case has it, escaped and not prepared: what a server makes of it is what cases
//! are about. The password never travels, so it is prepared by SASLprep, without which no proof would fit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::hash::{ScramHash, change_last_octet, flip_last_bit, hex};
use super::scram_message::{ServerFirst, bad_saslname, saslname, verifier};
use crate::axes::{Fault, Mechanism};
use crate::protocol::outgoing::Outgoing;
use crate::protocol::secured::Secured;
use crate::protocol::{Login, MarkedOctets};

/// The rule that a success without the server's signature breaks.
pub(super) const UNPROVEN: &str = "the client takes no success before the server's signature (RFC 5802 §5)";
/// The rule that a success after the server's `e=` breaks.
pub(super) const REFUSED: &str = "after `e=` the authentication has failed (RFC 5802 §5.1)";
const NO_TLS: &str = "channel binding (no TLS)";
const SIGNATURE: &str = "the server's signature proves that it knows the password's keys (RFC 5802 §3)";

/// One exchange.
pub(super) struct Scram {
    hash: ScramHash,
    nonce: Vec<u8>,
    /// The GS2 header with which the client begins (RFC 5802 §7, `gs2-header`).
    header: MarkedOctets,
    /// The channel-binding data; empty without `-PLUS`.
    binding: Vec<u8>,
    /// The client's first message without the header.
    first_bare: MarkedOctets,
    /// What the server has to prove.
    server_signature: Vec<u8>,
}

/// Whether the server says that it refuses, and why (RFC 5802 §7, `server-error`).
pub(super) fn is_error(challenge: &[u8]) -> bool {
    challenge.starts_with(b"e=")
}

impl Scram {
    pub(super) fn new(login: &Login, secured: Option<&Secured>, offers_plus: bool) -> Result<Self, String> {
        let (hash, plus) = match login.mechanism {
            Mechanism::ScramSha1 => (ScramHash::Sha1, false),
            Mechanism::ScramSha1Plus => (ScramHash::Sha1, true),
            Mechanism::ScramSha256Plus => (ScramHash::Sha256, true),
            _ => (ScramHash::Sha256, false),
        };
        let exporter = secured.and_then(|secured| secured.exporter);
        let mut binding = Vec::new();
        let flag: &[u8] = if plus {
            let missing = || if secured.is_some() { "channel binding (no tls-exporter)" } else { NO_TLS };
            binding.extend_from_slice(&exporter.ok_or_else(|| missing().to_owned())?);
            b"p=tls-exporter"
        } else if login.fault == Some(Fault::ChannelBindingDowngrade) {
            if !offers_plus {
                return Err("channel binding that could be denied".to_owned());
            }
            b"y"
        } else if exporter.is_some() && !offers_plus {
            // The client could bind the channel and thinks that the server cannot (RFC 5802 §6).
            b"y"
        } else {
            b"n"
        };
        let mut header = Outgoing::plain(flag);
        header.push(b",");
        if let Some(authzid) = login.authzid.as_ref().filter(|authzid| !authzid.is_empty()) {
            header.push(b"a=");
            header.push_marked(&saslname(authzid));
        }
        header.push(b",");
        let nonce = hex(&login.fresh.nonce).into_bytes();
        let header = header.into_marked();
        Ok(Self { hash, nonce, header, binding, first_bare: MarkedOctets::default(), server_signature: Vec::new() })
    }

    /// `client-first-message` (RFC 5802 §7).
    pub(super) fn first(&mut self, login: &Login) -> Outgoing {
        let mut bare = Outgoing::default();
        if login.fault == Some(Fault::MandatoryExtension) {
            bare.push(b"m=x,");
        }
        bare.push(b"n=");
        let is_bad = login.fault == Some(Fault::BadEscape);
        bare.push_marked(&if is_bad { bad_saslname(&login.name) } else { saslname(&login.name) });
        bare.push(b",r=");
        bare.push(&self.nonce);
        self.first_bare = bare.into_marked();
        let mut message = Outgoing::from(&self.header);
        message.push_marked(&self.first_bare);
        message
    }

    /// `client-final-message` (RFC 5802 §7) in answer to the server's first, and a rule that this breaks without harm.
    pub(super) fn last(
        &mut self,
        login: &Login,
        challenge: &[u8],
    ) -> Result<(Outgoing, Option<&'static str>), &'static str> {
        let server_first = ServerFirst::parse(challenge, &self.nonce)?;
        let mut nonce = server_first.nonce.to_vec();
        if login.fault == Some(Fault::WrongNonce) {
            change_last_octet(&mut nonce);
        }
        let mut without_proof = Outgoing::plain("c=");
        let encoded = STANDARD.encode(self.channel_binding(login.fault)).into_bytes();
        without_proof.push_marked(&self.header.made_into(encoded));
        without_proof.push(b",r=");
        without_proof.push(&nonce);
        let auth_message = [self.first_bare.expose(), challenge, &without_proof.octets].join(&b',');

        let salted = self.hash.salted(&prepared(login.password.expose()), &server_first.salt, server_first.iterations);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let client_signature = self.hash.hmac(&self.hash.hash(&client_key), &auth_message);
        let mut proof: Vec<u8> = client_key.iter().zip(&client_signature).map(|(key, signed)| key ^ signed).collect();
        if login.fault == Some(Fault::WrongProof) {
            flip_last_bit(&mut proof);
        }
        self.server_signature = self.hash.hmac(&self.hash.hmac(&salted, b"Server Key"), &auth_message);

        let mut message = without_proof;
        message.push(b",p=");
        message.push_secret(STANDARD.encode(proof).as_bytes());
        Ok((message, server_first.weakness()))
    }

    /// Looks at `server-final-message` (RFC 5802 §7).
    pub(super) fn verify(&self, challenge: &[u8]) -> Result<(), &'static str> {
        if verifier(challenge)? == self.server_signature { Ok(()) } else { Err(SIGNATURE) }
    }

    /// What `c=` holds: the header that the exchange was begun with, and the channel's data.
    fn channel_binding(&self, fault: Option<Fault>) -> Vec<u8> {
        let (mut header, mut binding) = (self.header.expose().to_vec(), self.binding.clone());
        if fault == Some(Fault::WrongChannelBinding) {
            if binding.is_empty() {
                let begins_with_n = header.first() == Some(&b'n');
                if let Some(flag) = header.first_mut() {
                    *flag = if begins_with_n { b'y' } else { b'n' };
                }
            } else {
                flip_last_bit(&mut binding);
            }
        }
        header.append(&mut binding);
        header
    }
}

/// The password by SASLprep (RFC 4013); as it is where that does not take it.
fn prepared(password: &[u8]) -> Vec<u8> {
    let prepared = std::str::from_utf8(password).ok().and_then(|text| stringprep::saslprep(text).ok());
    prepared.map_or_else(|| password.to_vec(), |text| text.as_bytes().to_vec())
}

#[cfg(test)]
#[path = "scram_tests.rs"]
mod tests;
