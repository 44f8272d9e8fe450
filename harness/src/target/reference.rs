//! The reference server as a target.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Endpoint, Keeper, Target};
use crate::axes::{Protocol, Security};
use crate::identity::{Dialect, Directory};
use crate::reference::{Config, Flaws, Server};
use crate::transport::TlsSettings;

/// Starts the reference server, on the runtime from which this is called, on ports of the system's choosing.
pub fn start_reference(dialect: Arc<Dialect>, directory: Arc<Directory>, flaws: Flaws) -> std::io::Result<Target> {
    let config = Config {
        dialect: Dialect::clone(&dialect),
        directory: Directory::clone(&directory),
        flaws,
        imap: None,
        pop3: None,
        canaries: true,
    };
    let server = Server::start(config)?;
    let endpoint = |protocol, address: Option<std::net::SocketAddr>| {
        Some(Endpoint { protocol, address: address?.to_string(), security: Security::Plaintext })
    };
    Ok(Target {
        name: format!("reference:{}", dialect.name),
        endpoints: endpoint(Protocol::Imap, server.imap())
            .into_iter()
            .chain(endpoint(Protocol::Pop3, server.pop3()))
            .collect(),
        tls: TlsSettings::default(),
        certificates: HashMap::new(),
        dialect,
        directory,
        default_security: None,
        allow_plaintext: false,
        known: Vec::new(),
        keeper: Keeper::Reference(server),
    })
}
