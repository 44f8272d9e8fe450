//! A server in a container as a target.

use std::path::Path;
use std::sync::Arc;

use loginspec_containers::{Running, Service, State};

use super::choice::{ChoiceError, find_dialect};
use super::file::{TargetFile, TargetFileError, read_target};
use super::password::Passwords;
use super::vitals::{Process, Vitals};
use super::{Endpoint, Keeper, StarttlsUpgrades, Target, TlsClients, of_a_real_server};
use crate::axes::{Protocol, Security};
use crate::identity::Dialect;
use crate::source::SourceText;
use crate::transport::Roots;

/// Why a container is no target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// It could not be started.
    #[error("failed to {0}")]
    Start(#[from] loginspec_containers::StartError),
    /// It has no target file: a fault of ours.
    #[error("the container `{0}` has no target file")]
    NoTargetFile(String),
    /// Its target file is unsound: a fault of ours.
    #[error("{0}")]
    File(#[from] TargetFileError),
    /// Its dialect is unsound: a fault of ours.
    #[error("{0}")]
    Dialect(#[from] ChoiceError),
}

/// What is known of a container's server before it runs; nothing where no container has the name.
pub fn container_file(name: &str) -> Option<Result<TargetFile, TargetFileError>> {
    let text = loginspec_containers::target_file(name)?;
    let source = SourceText::new(format!("harness/containers/{name}/target.toml"), text);
    Some(read_target(&source, Path::new(""), Passwords::Fetch, false))
}

/// How a container's server reads login names.
pub fn container_dialect(file: &TargetFile) -> Result<Dialect, ChoiceError> {
    find_dialect(&file.dialect).map(of_a_real_server)
}

/// How a container is doing; nothing where the daemon does not tell.
pub(super) async fn vitals(running: &Running) -> Option<Vitals> {
    if let State::Ended(why) = running.state().await.ok()? {
        return Some(Vitals { ended: Some(why), ..Vitals::default() });
    }
    let process = |process: loginspec_containers::Process| Process {
        pid: process.pid,
        name: process.name,
        used: process.used,
        started: process.started,
    };
    let (Ok(found), Ok(core_dumps)) = (running.processes().await, running.core_dumps().await) else {
        // It may have ended while it was looked into.
        let State::Ended(why) = running.state().await.ok()? else { return None };
        return Some(Vitals { ended: Some(why), ..Vitals::default() });
    };
    Some(Vitals {
        memory: found.iter().map(|process| process.resident).sum(),
        processes: found.into_iter().map(process).collect(),
        core_dumps,
        ended: None,
    })
}

/// Starts a server in a container and waits until it greets.
pub async fn start_container(name: &str) -> Result<Target, ContainerError> {
    let running = loginspec_containers::start(name).await?;
    let mut file = container_file(name).ok_or_else(|| ContainerError::NoTargetFile(name.to_string()))??;
    let dialect = container_dialect(&file)?;
    if let Some(authority) = running.authority() {
        file.tls.roots = Roots::Own(authority.to_vec());
    }
    // The file says what it speaks, the running container where.
    let endpoints = file.endpoints.into_iter().filter_map(|described| {
        let service = match (described.protocol, described.security) {
            (Protocol::Imap, Security::Tls) => Service::Imaps,
            (Protocol::Imap, _) => Service::Imap,
            (Protocol::Pop3, Security::Tls) => Service::Pop3s,
            (Protocol::Pop3, _) => Service::Pop3,
        };
        Some(Endpoint { address: running.address(service)?.to_string(), ..described })
    });
    let endpoints = endpoints.collect();
    Ok(Target {
        name: format!("container:{name}"),
        version: Some(running.version().to_string()),
        dialect: Arc::new(dialect),
        directory: Arc::new(file.directory),
        endpoints,
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
        keeper: Keeper::Container(Box::new(running)),
    })
}
