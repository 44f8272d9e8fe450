//! The hash functions of the mechanisms, over octets.

use std::cell::RefCell;
use std::collections::HashMap;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

/// The hash function of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ScramHash {
    Sha1,
    Sha256,
}

/// How many salted passwords a thread keeps.
const MOST_KEPT: usize = 256;

/// Salted passwords, by the hash function and a hash of what they are made from.
type Kept = HashMap<(ScramHash, [u8; 32]), Vec<u8>>;

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
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

    /// `Hi(str, salt, i)` (RFC 5802 §2.2). It is slow on purpose, and a client may keep it (§5.1): this one keeps the last
    /// few of each thread, under a hash of what they are made from.
    pub(super) fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut made_from = Sha256::new();
        for part in [password, salt] {
            made_from.update((part.len() as u64).to_be_bytes());
            made_from.update(part);
        }
        made_from.update(iterations.to_be_bytes());
        let made_from = (self, made_from.finalize().into());
        if let Some(salted) = KEPT.with_borrow(|kept| kept.get(&made_from).cloned()) {
            return salted;
        }
        let salted = self.salted_anew(password, salt, iterations);
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
            kept.insert(made_from, salted.clone());
        });
        salted
    }

    fn salted_anew(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
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
    fn what_is_kept_is_what_would_be_made_anew() {
        // Each of these differs from the others in one thing, or in where the password ends.
        let asked: [(&[u8], &[u8], u32); 5] =
            [(b"pw", b"salt", 2), (b"pws", b"alt", 2), (b"pw", b"salt", 3), (b"pw", b"tlas", 2), (b"wp", b"salt", 2)];
        for _ in 0..2 {
            for hash in [ScramHash::Sha1, ScramHash::Sha256] {
                for (password, salt, iterations) in asked {
                    let anew = hash.salted_anew(password, salt, iterations);
                    assert_eq!(hash.salted(password, salt, iterations), anew, "{hash:?} {iterations}");
                }
            }
        }
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
