//! What a client wants of TLS: whom it trusts, which versions it speaks, and who it is itself.

use crate::secret::Password;

/// How TLS is spoken to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Whose certificates are trusted.
    pub roots: Roots,
    /// The name that the certificate must be for; nothing where the address says it.
    pub server_name: Option<String>,
    /// The oldest version.
    pub oldest: TlsVersion,
    /// The newest version.
    pub newest: TlsVersion,
    /// Whether the certificate is verified at all. Every report says so where it is not.
    pub verified: bool,
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those that the operating system trusts.
    System,
    /// Those in this PEM text, what they have signed, and no others. A server may show one of these very
    /// certificates, whatever name it is for, unless `server_name` asks for one.
    Own(Vec<u8>),
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// A client's certificate, for SASL EXTERNAL.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate and what leads up from it, in PEM.
    pub chain: Vec<u8>,
    /// Its private key, in PEM.
    pub key: Password,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            roots: Roots::System,
            server_name: None,
            oldest: TlsVersion::Tls12,
            newest: TlsVersion::Tls13,
            verified: true,
        }
    }
}
