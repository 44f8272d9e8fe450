//! Containers whose creator was killed before it could remove them. Labels say who created which.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};

use crate::docker;
use crate::error::StartError;

/// The label that every container carries; its value is the server's name.
pub const CONTAINER_LABEL: &str = "org.loginspec.container";
/// The label that says which process created the container: its id and when it started, for ids come back.
pub const PROCESS_LABEL: &str = "org.loginspec.process";
/// The label that says on which host, for a daemon may serve several.
pub const HOST_LABEL: &str = "org.loginspec.host";

/// Removes the containers that processes on this host have left behind, and returns how many. [`start`](crate::start)
/// does this first.
pub async fn sweep() -> Result<usize, StartError> {
    sweep_through(&docker::connect().await?).await
}

pub(crate) async fn sweep_through(docker: &Docker) -> Result<usize, StartError> {
    let ours = HashMap::from([("label", vec![CONTAINER_LABEL.to_owned(), format!("{HOST_LABEL}={}", this_host())])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let containers =
        docker.list_containers(Some(options)).await.map_err(|error| StartError::daemon("list containers", error))?;

    let mut removed = 0;
    for container in containers {
        let labels = container.labels.unwrap_or_default();
        let (Some(id), Some(creator)) = (container.id, labels.get(PROCESS_LABEL)) else {
            continue;
        };
        // A failure here is most likely another process that sweeps the same leftover.
        if is_gone(creator) && remove(docker, &id).await.is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

pub(crate) async fn remove(docker: &Docker, container: &str) -> Result<(), StartError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    docker
        .remove_container(container, Some(options))
        .await
        .map_err(|error| StartError::daemon(format!("remove the container {container}"), error))
}

/// The labels of a container that this process creates.
pub(crate) fn labels(server: &str) -> [(&'static str, String); 3] {
    let pid = std::process::id();
    let started = started_at(pid).unwrap_or_default();
    [(CONTAINER_LABEL, server.to_owned()), (PROCESS_LABEL, format!("{pid} {started}")), (HOST_LABEL, this_host())]
}

/// Whether the process of a [`PROCESS_LABEL`] runs no more. When in doubt it does: a container too many harms less than
/// one taken away from a running test.
fn is_gone(creator: &str) -> bool {
    let Some((pid, started)) = creator.split_once(' ') else {
        return false;
    };
    let Ok(pid) = pid.parse() else {
        return false;
    };
    // Without a start time of our own there is no way to ask for another's.
    started_at(std::process::id()).is_some() && started_at(pid).as_deref() != Some(started)
}

/// When a process started, in whatever form this system tells it; None if there is no such process.
fn started_at(pid: u32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the command's name in parentheses and may hold anything; the 22nd is the start time.
        let (_, after_name) = stat.rsplit_once(')')?;
        return after_name.split_whitespace().nth(19).map(str::to_owned);
    }
    let ps = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let started = String::from_utf8_lossy(&ps.stdout).trim().to_owned();
    (ps.status.success() && !started.is_empty()).then_some(started)
}

/// Tells hosts apart, and containers that share a daemon, whose process ids mean different processes.
fn this_host() -> String {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default();
    let processes = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", name.trim(), processes.display()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_not_gone() {
        let [_, (_, creator), _] = labels("x");
        assert!(!is_gone(&creator), "{creator}");
    }

    #[test]
    fn a_process_that_ended_is_gone() {
        let mut child = Command::new("true").spawn().unwrap();
        let creator = format!("{} {}", child.id(), started_at(child.id()).unwrap());
        child.wait().unwrap();
        assert!(is_gone(&creator), "{creator}");
    }

    #[test]
    fn our_id_with_another_start_time_is_gone() {
        assert!(is_gone(&format!("{} 1", std::process::id())));
    }

    #[test]
    fn who_cannot_be_told_is_not_gone() {
        assert!(!is_gone(""));
        assert!(!is_gone("x y"));
    }
}
