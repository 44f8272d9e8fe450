//! A server under test: where it is, how it reads login names, who exists on it, what it is known to do otherwise.

mod cast;
mod choice;
#[cfg(feature = "containers")]
mod container;
mod file;
mod known;
mod password;
mod reference;

use std::collections::HashMap;
use std::sync::Arc;

pub use choice::{ChoiceError, TargetChoice, find_dialect};
#[cfg(feature = "containers")]
pub use container::{ContainerError, container_file, start_container};
pub use file::{TARGET_FIELDS, TargetFile, TargetFileError, read_target};
pub use known::Known;
pub(crate) use known::apply as apply_known;
pub use password::Passwords;
pub use reference::start_reference;

use crate::axes::{Protocol, Security};
use crate::identity::{Dialect, Directory};
use crate::transport::{ClientCertificate, TlsSettings};

/// A server under test.
pub struct Target {
    /// What reports call it: `reference:exchange-5.5`, `container:dovecot-2.4`, a file's `name`.
    pub name: String,
    /// How it reads login names.
    pub dialect: Arc<Dialect>,
    /// Who exists on it, as far as we know.
    pub directory: Arc<Directory>,
    /// Where it listens. The first of a protocol is where cases go that ask for no security.
    pub endpoints: Vec<Endpoint>,
    /// How TLS is spoken to it.
    pub tls: TlsSettings,
    /// The client certificates of roles, for SASL EXTERNAL.
    pub certificates: HashMap<String, ClientCertificate>,
    /// What it is known to do otherwise.
    pub known: Vec<Known>,
    /// What must live as long as the target does.
    pub(crate) keeper: Keeper,
}

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

/// What keeps a target alive: the server in this process, a container.
#[derive(Default)]
pub(crate) enum Keeper {
    /// Somebody else's server.
    #[default]
    Nobody,
    /// The reference server.
    Reference(#[allow(dead_code)] crate::reference::Server),
    /// A container.
    #[cfg(feature = "containers")]
    Container(Box<loginspec_containers::Running>),
}

impl Target {
    /// Where the target speaks a protocol.
    pub fn endpoint(&self, protocol: Protocol) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.protocol == protocol)
    }

    /// Ends what was started for this target, and waits for it.
    pub async fn stop(self) {
        match self.keeper {
            Keeper::Nobody => {}
            Keeper::Reference(server) => server.stop().await,
            #[cfg(feature = "containers")]
            Keeper::Container(running) => running.stop().await,
        }
    }
}

/// Somebody else's server as a target.
pub fn remote_target(file: TargetFile, dialect: Dialect) -> Target {
    Target {
        name: file.name,
        dialect: Arc::new(dialect),
        directory: Arc::new(file.directory),
        endpoints: file.imap.into_iter().chain(file.pop3).collect(),
        tls: TlsSettings::default(),
        certificates: HashMap::new(),
        known: file.known,
        keeper: Keeper::Nobody,
    }
}
