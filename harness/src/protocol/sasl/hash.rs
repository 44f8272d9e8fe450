//! The hash functions of the mechanisms, over octets.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

/// The hash function of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScramHash {
    Sha1,
    Sha256,
}

impl ScramHash {
    /// `H(str)` (RFC 5802 §2.2).
    pub(super) fn hash(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(octets).to_vec(),
            Self::Sha256 => Sha256::digest(octets).to_vec(),
        }
    }

    /// `HMAC(key, str)` (RFC 5802 §2.2).
    pub(super) fn hmac(self, key: &[u8], octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac(Hmac::<Sha1>::new_from_slice(key).ok(), &[octets]),
            Self::Sha256 => mac(Hmac::<Sha256>::new_from_slice(key).ok(), &[octets]),
        }
    }

    /// `Hi(str, salt, i)` (RFC 5802 §2.2).
    pub(super) fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                let mut salted = [0; 20];
                pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut salted);
                salted.to_vec()
            }
            Self::Sha256 => {
                let mut salted = [0; 32];
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted);
                salted.to_vec()
            }
        }
    }
}

/// MD5 of the parts, one after the other (RFC 1321).
pub fn md5(parts: &[&[u8]]) -> Vec<u8> {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part);
    }
    md5.finalize().to_vec()
}

/// HMAC-MD5 of the parts, one after the other (RFC 2104).
pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    mac(Hmac::<Md5>::new_from_slice(key).ok(), parts)
}

/// Octets in lower-case hexadecimal.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Makes one bit wrong.
pub fn flip_last_bit(octets: &mut [u8]) {
    if let Some(last) = octets.last_mut() {
        *last ^= 1;
    }
}

/// Makes a nonce or a challenge another one of the same length: what stays printable stays so.
pub fn change_last_octet(octets: &mut Vec<u8>) {
    match octets.last_mut() {
        Some(last) => *last = if *last == b'A' { b'B' } else { b'A' },
        None => octets.push(b'A'),
    }
}

/// HMAC takes keys of every length, so that there is always one.
fn mac<M: Mac>(keyed: Option<M>, parts: &[&[u8]]) -> Vec<u8> {
    let Some(mut keyed) = keyed else { return Vec::new() };
    for part in parts {
        keyed.update(part);
    }
    keyed.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_md5_as_in_rfc_2104() {
        let digest = hmac_md5(b"Jefe", &[b"what do ya ", b"want for nothing?"]);
        assert_eq!(hex(&digest), "750c783e6ab0b503eaa86e310a5db738");
    }

    #[test]
    fn the_changed_differs_and_keeps_its_length() {
        for nonce in ["A", "<1@x>", "fyko"] {
            let mut changed = nonce.as_bytes().to_vec();
            change_last_octet(&mut changed);
            assert_ne!(changed, nonce.as_bytes());
            assert_eq!(changed.len(), nonce.len());
        }
        let mut digest = vec![0xF0, 0x0F];
        flip_last_bit(&mut digest);
        assert_eq!(digest, [0xF0, 0x0E]);
    }
}
