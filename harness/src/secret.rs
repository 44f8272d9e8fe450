//! A password that cannot be printed.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretSlice};

/// A password: octets, shared without copies, wiped when the last owner lets go, never printed.
#[derive(Clone)]
pub struct Password(Arc<SecretSlice<u8>>);

impl Password {
    /// Takes the octets in.
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(SecretSlice::from(octets.into())))
    }

    /// The octets, for the wire or for a comparison and for nothing else.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password([redacted])")
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Password {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Password::new("Secret-User1")), "Password([redacted])");
    }
}
