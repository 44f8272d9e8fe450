//! What a session knows of the connection under it: whether TLS is to be had, is wanted, stands, and with whom.

use super::authority::Authority;
use super::flaw::Flaw;
use crate::axes::Mechanism;

/// A TLS connection that stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// The channel binding `tls-exporter` (RFC 9266 §2).
    pub exporter: Option<[u8; 32]>,
    /// Whose certificate the client has, where it has one of ours.
    pub certificate: Option<CertificateIdentity>,
}

/// Whom a client certificate was issued to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// The domain: the subject's organization.
    pub domain: Vec<u8>,
    /// The user: the subject's common name.
    pub user: Vec<u8>,
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
