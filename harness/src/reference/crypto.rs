//! Hashes, keyed hashes and comparisons, for the mechanisms in which the password itself does not travel.

use hmac::{EagerHash, Hmac, KeyInit as _, Mac as _};
use md4::Md4;
use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

/// The hash of a SCRAM mechanism (RFC 5802 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    /// `H(str)` (RFC 5802 §2.2).
    pub(super) fn digest(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(octets).to_vec(),
            Self::Sha256 => Sha256::digest(octets).to_vec(),
        }
    }

    /// `HMAC(key, str)`.
    pub(super) fn hmac(self, key: &[u8], octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => hmac::<Sha1>(key, &[octets]),
            Self::Sha256 => hmac::<Sha256>(key, &[octets]),
        }
    }

    /// `Hi(str, salt, i)`: PBKDF2 with this hash's HMAC.
    pub(super) fn hi(self, octets: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut salted = vec![0; self.digest(b"").len()];
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(octets, salt, iterations, &mut salted),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(octets, salt, iterations, &mut salted),
        }
        salted
    }
}

/// MD4, for NTLM's keys alone.
pub(super) fn md4(octets: &[u8]) -> Vec<u8> {
    Md4::digest(octets).to_vec()
}

/// MD5 of the pieces, one after the other.
pub(super) fn md5(pieces: &[&[u8]]) -> Vec<u8> {
    let mut hash = Md5::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().to_vec()
}

/// HMAC-MD5 of the pieces, one after the other.
pub(super) fn hmac_md5(key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    hmac::<Md5>(key, pieces)
}

/// HMAC-SHA-256 of the pieces, one after the other.
pub(super) fn hmac_sha256(key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    hmac::<Sha256>(key, pieces)
}

fn hmac<D: EagerHash>(key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of any length, so nothing is ever lost here (RFC 2104 §3).
    let Ok(mut mac) = Hmac::<D>::new_from_slice(key) else { return Vec::new() };
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(octets: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    octets.iter().flat_map(|octet| [octet >> 4, octet & 15]).map(|nibble| DIGITS[usize::from(nibble)]).collect()
}

/// Whether this is a digest of MD5 as the mechanisms write it: 32 lower-case hexadecimal digits.
pub(super) fn is_md5_hex(octets: &[u8]) -> bool {
    octets.len() == 32 && octets.iter().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
}

/// Compares without stopping at the first difference.
pub(super) fn same_octets(expected: &[u8], given: &[u8]) -> bool {
    let padding = expected.iter().chain(std::iter::repeat(&0));
    let different = given.iter().zip(padding).fold(0, |different, (a, b)| different | (a ^ b));
    different == 0 && expected.len() == given.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_compared_whole() {
        assert!(same_octets(b"", b"") && same_octets(b"ab", b"ab"));
        assert!(!same_octets(b"ab", b"a") && !same_octets(b"a", b"ab") && !same_octets(b"a", b"a\0"));
    }

    /// RFC 2202 §2, RFC 4231 §4.3, RFC 1320 §A.5, RFC 6070.
    #[test]
    fn the_vectors_of_the_hashes() {
        assert_eq!(
            hex(&hmac_md5(b"Jefe", &[b"what do ya want ", b"for nothing?"])),
            b"750c783e6ab0b503eaa86e310a5db738"
        );
        let of_sha256 = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&hmac_sha256(b"Jefe", &[b"what do ya want for nothing?"])), of_sha256);
        assert_eq!(hex(&md4(b"abc")), b"a448017aaf21d8525fc10ae87aa6729d");
        assert_eq!(hex(&md5(&[b"a", b"bc"])), b"900150983cd24fb0d6963f7d28e17f72");
        let salted = Hash::Sha1.hi(b"password", b"salt", 4096);
        assert_eq!(hex(&salted), b"4b007901b765489abead49d926f721d065a429c1");
    }

    #[test]
    fn digests_have_32_lower_case_digits() {
        assert!(is_md5_hex(b"750c783e6ab0b503eaa86e310a5db738"));
        assert!(!is_md5_hex(b"750C783e6ab0b503eaa86e310a5db738") && !is_md5_hex(b"750c783e6ab0b503eaa86e310a5db73"));
    }
}
