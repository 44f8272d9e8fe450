//! The reference server as a target.

use std::sync::Arc;

use super::{Endpoint, Keeper, Target};
use crate::axes::Security;
use crate::identity::{Dialect, Directory};
use crate::reference::{Config, Flaws, Server};

/// Starts the reference server, on the runtime from which this is called, on ports of the system's choosing.
pub fn start_reference(dialect: Arc<Dialect>, directory: Arc<Directory>, flaws: Flaws) -> std::io::Result<Target> {
    let config = Config {
        dialect: Dialect::clone(&dialect),
        directory: Directory::clone(&directory),
        flaws,
        imap: None,
        pop3: None,
    };
    let server = Server::start(config)?;
    let endpoint =
        |address: std::net::SocketAddr| Endpoint { address: address.to_string(), security: Security::Plaintext };
    Ok(Target {
        name: format!("reference:{}", dialect.name),
        imap: server.imap().map(endpoint),
        pop3: server.pop3().map(endpoint),
        dialect,
        directory,
        known: Vec::new(),
        keeper: Keeper::Reference(server),
    })
}
