//! When TLS may be begun, when it is advertised, and what has to wait for it (RFC 9051 §6.2.1, RFC 2595 §4).

use super::authority::Authority;
use super::connection::TlsFacts;
use super::flaw::Flaw;
use crate::axes::Mechanism;

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
