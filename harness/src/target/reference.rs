//! The reference server as a target.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::{Endpoint, Keeper, Limits, Records, StarttlsUpgrades, Target, TargetExpectations, TlsClients};
use crate::axes::{Protocol, Security};
use crate::identity::{Dialect, Directory};
use crate::reference::{Certificates, Config, Flaws, Server, ServerTls};
use crate::transport::{ClientCertificate, Roots, TlsSettings};

/// Starts the reference server, on the runtime from which this is called, on ports of the system's choosing.
pub fn start_reference(dialect: Arc<Dialect>, directory: Arc<Directory>, flaws: Flaws) -> std::io::Result<Target> {
    let certificates = Certificates::shared()?;
    let config = Config {
        flaws,
        requires_tls: dialect.requires_tls,
        tls: Some(ServerTls::new(Arc::clone(&certificates))?),
        ..Config::new(Dialect::clone(&dialect), Directory::clone(&directory))
    };
    let server = Server::start(config)?;
    let endpoints = [
        (Protocol::Imap, server.imap(), Security::Plaintext),
        (Protocol::Pop3, server.pop3(), Security::Plaintext),
        (Protocol::Imap, server.imaps(), Security::Tls),
        (Protocol::Pop3, server.pop3s(), Security::Tls),
    ];
    let endpoint = |(protocol, address, security): (Protocol, Option<SocketAddr>, Security)| {
        Some(Endpoint { protocol, address: address?.to_string(), security })
    };
    let mut client_certificates = HashMap::new();
    for account in &directory.accounts {
        let issued = certificates.client_certificate(account)?;
        let certificate = ClientCertificate { chain: issued.chain, key: issued.key };
        client_certificates.insert(account.role.clone(), certificate);
    }
    Ok(Target {
        name: format!("reference:{}", dialect.name),
        version: None,
        endpoints: endpoints.into_iter().filter_map(endpoint).collect(),
        tls: TlsSettings {
            roots: Roots::Own(certificates.ca_pem()),
            server_name: Some("localhost".to_owned()),
            ..TlsSettings::default()
        },
        origins: HashMap::new(),
        certificates: client_certificates,
        dialect,
        directory,
        default_security: None,
        allow_plaintext: false,
        lacks: Vec::new(),
        limits: Limits::UNLIMITED,
        known: Records::default(),
        upgrades: StarttlsUpgrades::default(),
        expect: TargetExpectations::default(),
        clients: TlsClients::default(),
        keeper: Keeper::Reference(server),
    })
}
