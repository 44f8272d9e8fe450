//! What only the server knows: a seed, and the nonces, salts and keys that come from it.
//!
//! There is no source of randomness here. Whoever makes an authority hands in a seed that nobody can guess; tests
//! keep the one that is built in, and get the same nonces every time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::crypto::{Hash, hex, hmac_sha256};
use crate::secret::Password;

/// How often SCRAM's hash is applied (RFC 5802 §5.1 and RFC 7677 §4 ask for 4096 at least).
pub(super) const ITERATIONS: u32 = 4096;

/// What a server keeps of a password for SCRAM (RFC 5802 §3).
pub(super) struct ScramKeys {
    pub(super) stored: Vec<u8>,
    pub(super) server: Vec<u8>,
}

impl ScramKeys {
    /// The keys of a password.
    pub(super) fn derive(hash: Hash, password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let prepared = std::str::from_utf8(password).ok().and_then(|text| stringprep::saslprep(text).ok());
        // What SASLprep cannot prepare (RFC 4013) is taken as it is: a directory may hold any octets.
        let prepared = prepared.as_ref().map_or(password, |text| text.as_bytes());
        let salted = hash.hi(prepared, salt, iterations);
        let client = hash.hmac(&salted, b"Client Key");
        Self { stored: hash.digest(&client), server: hash.hmac(&salted, b"Server Key") }
    }
}

/// An account, folded, and a hash.
type Whose = (Vec<u8>, Vec<u8>, Hash);

/// What only the server knows.
pub(super) struct Secrets {
    seed: [u8; 32],
    /// How many nonces there have been.
    nonces: AtomicU64,
    /// As many as there are accounts and hashes, at most.
    keys: Mutex<HashMap<Whose, Arc<ScramKeys>>>,
}

impl Secrets {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, nonces: AtomicU64::new(0), keys: Mutex::default() }
    }

    /// Octets that have not been given out before and cannot be foreseen.
    pub(super) fn nonce(&self) -> [u8; 18] {
        self.numbered_nonce(self.next())
    }

    /// A timestamp as APOP and CRAM-MD5 have it (RFC 1939 §7, RFC 2195 §2): `<counter.random@host>`.
    pub(super) fn timestamp(&self) -> Vec<u8> {
        self.numbered_timestamp(self.next())
    }

    /// The same timestamp each time, which is what a flawed server gives out.
    pub(super) fn same_timestamp(&self) -> Vec<u8> {
        self.numbered_timestamp(0)
    }

    fn next(&self) -> u64 {
        self.nonces.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn numbered_nonce(&self, number: u64) -> [u8; 18] {
        first_octets(&hmac_sha256(&self.seed, &[b"nonce", &number.to_be_bytes()]))
    }

    fn numbered_timestamp(&self, number: u64) -> Vec<u8> {
        let random = self.numbered_nonce(number);
        [b"<", number.to_string().as_bytes(), b".", &hex(&random), b"@loginspec.invalid>"].concat()
    }

    /// The salt of an account, or of one that does not exist: it looks the same, and is the same each time.
    pub(super) fn salt(&self, domain: &[u8], user: &[u8]) -> [u8; 16] {
        let length = (domain.len() as u64).to_be_bytes();
        first_octets(&hmac_sha256(&self.seed, &[b"salt", &length, domain, user]))
    }

    /// The keys of an account's password, worked out when they are first asked for.
    pub(super) fn keys(&self, domain: &[u8], user: &[u8], password: &Password, hash: Hash) -> Arc<ScramKeys> {
        let whose = (domain.to_vec(), user.to_vec(), hash);
        let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(&whose).map(Arc::clone);
        known.unwrap_or_else(|| {
            // Not under the lock: this takes a while, and others wait.
            let salt = self.salt(domain, user);
            let keys = Arc::new(ScramKeys::derive(hash, password.expose(), &salt, ITERATIONS));
            self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(whose, Arc::clone(&keys));
            keys
        })
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets([redacted])")
    }
}

fn first_octets<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut first = [0; N];
    for (to, from) in first.iter_mut().zip(octets) {
        *to = *from;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_never_repeat_and_salts_always_do() {
        let secrets = Secrets::new([7; 32]);
        assert_ne!(secrets.nonce(), secrets.nonce());
        assert_ne!(secrets.timestamp(), secrets.timestamp());
        assert_eq!(secrets.same_timestamp(), secrets.same_timestamp());
        assert_eq!(secrets.salt(b"d", b"u"), secrets.salt(b"d", b"u"));
        assert_ne!(secrets.salt(b"d", b"u"), secrets.salt(b"du", b""));
        assert_ne!(secrets.salt(b"d", b"u"), Secrets::new([8; 32]).salt(b"d", b"u"));
    }

    #[test]
    fn keys_are_kept_and_never_printed() {
        let secrets = Secrets::new([7; 32]);
        let keys = || secrets.keys(b"d", b"u", &Password::new("pencil"), Hash::Sha256);
        assert!(Arc::ptr_eq(&keys(), &keys()));
        assert_eq!(format!("{secrets:?}"), "Secrets([redacted])");
    }
}
