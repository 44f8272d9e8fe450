//! What a session knows of the connection under it: whether TLS stands, and with whom.

use crate::axes::Mechanism;

/// What TLS says once it is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFacts {
    /// The octets of the channel binding `tls-exporter` (RFC 9266 §2), where they are to be had.
    pub exporter: Option<[u8; 32]>,
    /// Whom the client's certificate names, where it has shown one that is trusted.
    pub certificate: Option<CertificateIdentity>,
}

/// Whom a client certificate names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// The account's domain.
    pub domain: Vec<u8>,
    /// The account's name.
    pub user: Vec<u8>,
}

/// A connection as its session sees it.
#[derive(Debug, Default)]
pub(super) struct Connection {
    secured: Option<TlsFacts>,
}

impl Connection {
    /// A connection in plaintext.
    pub(super) const PLAINTEXT: Self = Self { secured: None };

    /// TLS is there.
    pub(super) fn secure(&mut self, facts: TlsFacts) {
        self.secured = Some(facts);
    }

    /// What TLS says, where it is there.
    pub(super) const fn tls(&self) -> Option<&TlsFacts> {
        self.secured.as_ref()
    }

    /// The octets to which a `-PLUS` mechanism is bound.
    pub(super) fn exporter(&self) -> Option<&[u8]> {
        self.secured.as_ref()?.exporter.as_ref().map(<[u8; 32]>::as_slice)
    }

    /// Whom the client's certificate names.
    pub(super) fn certificate(&self) -> Option<&CertificateIdentity> {
        self.secured.as_ref()?.certificate.as_ref()
    }

    /// Whether a mechanism can be used on this connection.
    pub(super) fn allows(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus => self.exporter().is_some(),
            Mechanism::External => self.certificate().is_some(),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_tls_waits_for_it() {
        let mut connection = Connection::PLAINTEXT;
        assert!(connection.allows(Mechanism::ScramSha1) && !connection.allows(Mechanism::ScramSha1Plus));
        assert!(!connection.allows(Mechanism::External));
        connection.secure(TlsFacts { exporter: Some([1; 32]), certificate: None });
        assert!(connection.allows(Mechanism::ScramSha256Plus) && !connection.allows(Mechanism::External));
        let certificate = Some(CertificateIdentity { domain: b"Domain1".to_vec(), user: b"Same".to_vec() });
        connection.secure(TlsFacts { exporter: None, certificate });
        assert!(connection.allows(Mechanism::External) && !connection.allows(Mechanism::ScramSha256Plus));
    }
}
