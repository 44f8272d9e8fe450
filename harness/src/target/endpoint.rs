//! Where a server listens, and which of its addresses a case is put to.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Target;
use crate::axes::{Mechanism, Protocol, Security};
use crate::scenario::{Case, SkipReason};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What it speaks.
    pub protocol: Protocol,
    /// Host and port, as in `mail.example.org:143` or `[::1]:143`.
    pub address: String,
    /// What protects the connection.
    pub security: Security,
}

impl Endpoint {
    /// The host, without brackets.
    pub fn host(&self) -> &str {
        host(&self.address)
    }

    /// Whether what is sent there stays on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }
}

/// The host of an address, without port and brackets.
pub(super) fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether a host is this very machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The address with the port that is usual for the protocol (RFC 8314 §3), where it names none. An IPv6 address
/// stands in brackets. Gives back what is wrong with an address that is none.
pub fn with_usual_port(address: &str, protocol: Protocol, implicit_tls: bool) -> Result<String, String> {
    let usual = match (protocol, implicit_tls) {
        (Protocol::Imap, false) => 143,
        (Protocol::Imap, true) => 993,
        (Protocol::Pop3, false) => 110,
        (Protocol::Pop3, true) => 995,
    };
    let wrong = || format!("`{address}` is not a host and a port, such as mail.example.org:{usual} or [::1]:{usual}");
    let in_brackets = address.starts_with('[');
    let (host, port) = if in_brackets {
        let (host, rest) = address.split_once(']').ok_or_else(wrong)?;
        let host = host.trim_start_matches('[');
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(wrong());
        }
        let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(wrong)?) };
        (format!("[{host}]"), port)
    } else {
        match address.split_once(':') {
            Some((host, port)) => (host.to_string(), Some(port)),
            None => (address.to_string(), None),
        }
    };
    let is_host = |host: &str| !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/' || c == '@');
    let port = port.map_or(Some(usual), |port| port.parse::<u16>().ok().filter(|&port| port > 0));
    match port {
        Some(port) if is_host(&host) => Ok(format!("{host}:{port}")),
        _ => Err(wrong()),
    }
}

/// The protocols whose plaintext endpoint takes no password before STARTTLS, as the survey before a run found out.
///
/// Logins that ask for no security use STARTTLS there.
#[derive(Debug, Default)]
pub(crate) struct StarttlsUpgrades(AtomicU32);

impl StarttlsUpgrades {
    fn holds(&self, protocol: Protocol) -> bool {
        self.0.load(Ordering::Relaxed) & protocol.bit() != 0
    }
}

impl Target {
    /// Where a case over this protocol is put that asks for this security, and what protects the connection there;
    /// else the reason for which it cannot be asked. Where no security is asked for, the target's own counts.
    pub fn endpoint(
        &self,
        protocol: Protocol,
        security: Option<Security>,
    ) -> Result<(&Endpoint, Security), SkipReason> {
        let found = self.endpoint_without_secrets(protocol, security)?;
        // An endpoint that is meant to be secured is not laid open by a case that someone else wrote.
        let lays_open = found.1 == Security::Plaintext && found.0.security != Security::Plaintext;
        if lays_open && !self.allow_plaintext {
            return Err(SkipReason::WouldSendPlaintext);
        }
        Ok(found)
    }

    /// The same for a conversation that sends no secret: it may be in plaintext at any endpoint.
    pub(crate) fn endpoint_without_secrets(
        &self,
        protocol: Protocol,
        security: Option<Security>,
    ) -> Result<(&Endpoint, Security), SkipReason> {
        let mut endpoints = self.endpoints.iter().filter(|endpoint| endpoint.protocol == protocol);
        let missing = |security| SkipReason::NoEndpoint { target: self.name.clone(), protocol, security };
        let Some(first) = endpoints.clone().next() else { return Err(missing(None)) };
        let Some(wanted) = security.or(self.default_security) else {
            return Ok((first, self.upgraded(protocol, first.security)));
        };
        let wanted = if security.is_none() { self.upgraded(protocol, wanted) } else { wanted };
        if wanted == Security::Tls {
            let found = endpoints.find(|endpoint| endpoint.security == Security::Tls);
            let endpoint = found.ok_or_else(|| missing(Some(wanted)))?;
            return Ok((endpoint, wanted));
        }
        let exact = endpoints.clone().find(|endpoint| endpoint.security == wanted);
        let endpoint = exact.or_else(|| endpoints.find(|endpoint| endpoint.security != Security::Tls));
        let endpoint = endpoint.ok_or_else(|| missing(Some(wanted)))?;
        Ok((endpoint, wanted))
    }

    /// Makes logins over this protocol that ask for no security use STARTTLS in the place of plaintext.
    pub(crate) fn upgrade_to_starttls(&self, protocol: Protocol) {
        self.upgrades.0.fetch_or(protocol.bit(), Ordering::Relaxed);
    }

    /// Whether that has been done.
    pub(crate) fn is_upgraded_to_starttls(&self, protocol: Protocol) -> bool {
        self.upgrades.holds(protocol)
    }

    fn upgraded(&self, protocol: Protocol, security: Security) -> Security {
        match security {
            Security::Plaintext if self.upgrades.holds(protocol) => Security::Starttls,
            other => other,
        }
    }

    /// Where a case is put. A dialogue that sends no secret before TLS may begin in plaintext at any endpoint.
    pub fn endpoint_of(&self, case: &Case) -> Result<(&Endpoint, Security), SkipReason> {
        if case.is_harmless_in_plaintext() {
            return self.endpoint_without_secrets(case.protocol, case.security);
        }
        self.endpoint_for(case.protocol, case.mechanism, case.security)
    }

    /// The same for a login with this mechanism: one that rests on TLS gets TLS where the target has it.
    pub fn endpoint_for(
        &self,
        protocol: Protocol,
        mechanism: Option<Mechanism>,
        security: Option<Security>,
    ) -> Result<(&Endpoint, Security), SkipReason> {
        let (endpoint, found) = self.endpoint(protocol, security)?;
        let Some(mechanism) = mechanism.filter(|mechanism| !mechanism.fits_security(found)) else {
            return Ok((endpoint, found));
        };
        if security.or(self.default_security).is_some() {
            return Err(SkipReason::NeedsTls { mechanism, security: found });
        }
        let others = self.endpoints.iter().filter(|endpoint| endpoint.protocol == protocol);
        let secured = others.clone().find(|endpoint| endpoint.security == Security::Tls);
        let secured = secured.or_else(|| others.clone().find(|endpoint| endpoint.security == Security::Starttls));
        secured.map(|endpoint| (endpoint, endpoint.security)).ok_or_else(|| SkipReason::NoTlsEndpoint {
            mechanism,
            target: self.name.clone(),
            protocol,
        })
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
