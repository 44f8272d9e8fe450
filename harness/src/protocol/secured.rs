//! What a session knows of the TLS connection under it.

/// A TLS connection that stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secured {
    /// The channel binding `tls-exporter` (RFC 9266 §2): exported keying material with the label
    /// `EXPORTER-Channel-Binding`, an empty context and 32 octets.
    pub exporter: Option<[u8; 32]>,
    /// Version and cipher suite, in words.
    pub description: String,
}
