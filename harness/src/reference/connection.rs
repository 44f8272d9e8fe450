//! What a session knows of the connection under it: whether TLS is to be had, is wanted, stands, and with whom.

use super::authority::Authority;
use super::flaw::Flaw;
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

/// How much of what came in plaintext behind `STARTTLS` a flawed server keeps.
pub(super) const MOST_INJECTED: usize = 4 * 1024;

/// Whether `STARTTLS` or `STLS` may be asked for now.
pub(super) fn may_start_tls(authority: &Authority, tls: Option<&TlsFacts>, is_logged_in: bool) -> bool {
    authority.offers_tls() && tls.is_none() && !is_logged_in
}

/// Whether it is among the capabilities.
pub(super) fn advertises_tls(authority: &Authority, tls: Option<&TlsFacts>, is_logged_in: bool) -> bool {
    let flawed = authority.offers_tls() && tls.is_some() && authority.flaws().has(Flaw::AdvertisesStarttlsInTls);
    may_start_tls(authority, tls, is_logged_in) || flawed
}

/// Whether the mechanism has to wait for TLS, since it would show the password, or what is as good, to everybody.
pub(super) const fn must_wait(authority: &Authority, tls: Option<&TlsFacts>, mechanism: Mechanism) -> bool {
    authority.requires_tls() && tls.is_none() && sends_secret(mechanism)
}

const fn sends_secret(mechanism: Mechanism) -> bool {
    matches!(
        mechanism,
        Mechanism::Login | Mechanism::Plain | Mechanism::SaslLogin | Mechanism::Xoauth2 | Mechanism::Oauthbearer
    )
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
