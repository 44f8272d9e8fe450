//! A server under test: where it is, how it reads login names, who exists on it, what it is known to do otherwise.

mod account;
mod cast;
mod choice;
mod clients;
#[cfg(feature = "containers")]
mod container;
mod date;
mod endpoint;
mod expect;
mod expectations;
mod file;
mod known;
mod limits;
mod observed;
mod password;
mod quick;
mod reference;
mod role_check;
mod tls;
#[cfg(feature = "cli")]
mod update;
mod vitals;

use std::collections::HashMap;
use std::sync::Arc;

pub use choice::{ChoiceError, TargetChoice, find_dialect};
pub(crate) use clients::TlsClients;
#[cfg(feature = "containers")]
pub use container::{ContainerError, container_dialect, container_file, start_container};
pub use date::Date;
pub(crate) use endpoint::StarttlsUpgrades;
pub use endpoint::{Endpoint, with_usual_port};
pub use expect::{Check, EXPECT_SCENARIO, ExpectedFact, TargetExpectations};
pub use expectations::{EndpointExpectations, Expectations, offers_mechanism};
pub use file::{TARGET_FIELDS, TargetFile, TargetFileError, read_target};
pub(crate) use known::apply as apply_known;
pub use known::{Known, Records};
pub use limits::Limits;
pub use observed::{Observation, Observed, ObservedEndpoint, SessionState};
pub use password::{Origin, Passwords};
pub use quick::{QuickError, QuickTarget, quick_target};
pub use reference::start_reference;
pub use role_check::{RoleCheck, accesses};
pub use tls::{TlsOverrides, tls_version, version_word};
#[cfg(feature = "cli")]
pub use update::{NewRecord, TargetUpdate, UpdateError};
pub use vitals::{Process, Vitals};

use crate::axes::{Mechanism, Security};
use crate::identity::{Dialect, Directory};
use crate::transport::{ClientCertificate, TlsSettings};

/// A server under test.
pub struct Target {
    /// What reports call it: `reference:exchange-5.5`, `container:dovecot-2.4`, a file's `name`.
    pub name: String,
    /// The software and its version, where we know.
    pub version: Option<String>,
    /// How it reads login names.
    pub dialect: Arc<Dialect>,
    /// Who exists on it, as far as we know.
    pub directory: Arc<Directory>,
    /// Where it listens. The first of a protocol is where cases go that ask for no security.
    pub endpoints: Vec<Endpoint>,
    /// How TLS is spoken to it.
    pub tls: TlsSettings,
    /// Where the passwords of roles come from, for messages.
    pub origins: HashMap<String, Origin>,
    /// The client certificates of roles, for SASL EXTERNAL.
    pub certificates: HashMap<String, ClientCertificate>,
    /// What cases get that ask for no security; nothing where the endpoint's own will do.
    pub default_security: Option<Security>,
    /// Whether a password may travel unprotected where the endpoint is meant to be secured: cases that ask for plaintext
    /// are asked then. A command line says so with `--security plaintext` or `--allow-plaintext`.
    pub allow_plaintext: bool,
    /// Capabilities that it is known not to have, in upper case.
    pub lacks: Vec<String>,
    /// What it puts up with.
    pub limits: Limits,
    /// What it is known to do otherwise.
    pub known: Records,
    /// Where STARTTLS takes the place of plaintext.
    pub(crate) upgrades: StarttlsUpgrades,
    /// What its target file expects of it besides the cases, and the skip baseline.
    pub expect: TargetExpectations,
    /// The TLS clients for it.
    pub(crate) clients: TlsClients,
    /// What must live as long as the target does.
    pub(crate) keeper: Keeper,
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
    /// Whether it is the reference server, which has no limits that a run could meet.
    pub const fn is_reference(&self) -> bool {
        matches!(self.keeper, Keeper::Reference(_))
    }

    /// Whether it is somebody else's server, so that it matters who answers.
    pub const fn is_abroad(&self) -> bool {
        matches!(self.keeper, Keeper::Nobody)
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

/// The mechanisms that hardly any dialect file lists, because a server's configuration decides and not how it reads
/// names. They are always worth asking of a server that is not ours: its survey says what it offers.
const WORTH_ASKING: &[Mechanism] = &[
    Mechanism::Apop,
    Mechanism::CramMd5,
    Mechanism::DigestMd5,
    Mechanism::ScramSha1,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha256,
    Mechanism::ScramSha256Plus,
    Mechanism::Oauthbearer,
    Mechanism::External,
    Mechanism::Anonymous,
];

/// The dialect of a server that is not ours: with the mechanisms that are worth asking of it.
fn of_a_real_server(mut dialect: Dialect) -> Dialect {
    for mechanism in WORTH_ASKING {
        if !dialect.mechanisms.contains(mechanism) {
            dialect.mechanisms.push(*mechanism);
        }
    }
    dialect
}

/// Somebody else's server as a target.
pub fn remote_target(file: TargetFile, dialect: Dialect) -> Target {
    let dialect = of_a_real_server(dialect);
    Target {
        name: file.name,
        version: None,
        dialect: Arc::new(dialect),
        directory: Arc::new(file.directory),
        endpoints: file.endpoints,
        tls: file.tls,
        origins: file.origins,
        certificates: file.certificates,
        default_security: None,
        allow_plaintext: false,
        lacks: file.lacks,
        limits: file.limits,
        known: file.known,
        upgrades: StarttlsUpgrades::default(),
        expect: file.expect,
        clients: TlsClients::default(),
        keeper: Keeper::Nobody,
    }
}
