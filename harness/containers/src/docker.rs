//! The Docker daemon: whether one answers, whether what it publishes is on this machine's loopback, and how to ask it
//! from a destructor.

use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::core::client::docker_client_instance;

use crate::error::StartError;

const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Whether a Docker daemon answers: asks it, for a `docker` command says nothing about a daemon.
pub async fn find_daemon() -> Result<(), StartError> {
    connect().await.map(drop)
}

pub(crate) async fn connect() -> Result<Docker, StartError> {
    let no_daemon = |reason: String| StartError::NoDaemon { reason };
    let docker = docker_client_instance().await.map_err(|error| no_daemon(error.to_string()))?;
    // A client is made without a word to the daemon when DOCKER_HOST is a TCP address.
    match tokio::time::timeout(ANSWERS_WITHIN, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) => Err(no_daemon(innermost(&error))),
        Err(_) => Err(no_daemon(format!("no answer in {} s", ANSWERS_WITHIN.as_secs()))),
    }
}

/// The cause of all causes: what surrounds it names only the HTTP client.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Whether a port published on 127.0.0.1 by the daemon can be reached from here. It cannot when the daemon is elsewhere,
/// or when we are ourselves in a container next to the new one.
pub(crate) fn shares_our_loopback() -> bool {
    let daemon_is_elsewhere = std::env::var("DOCKER_HOST").is_ok_and(|host| !host.starts_with("unix:"));
    !daemon_is_elsewhere && !Path::new("/.dockerenv").exists()
}

/// Waits for a future on a thread with a runtime of its own: a destructor cannot await, and may run where there is no
/// runtime, or one that is ending.
pub(crate) fn wait_elsewhere<F: Future<Output = ()> + Send + 'static>(future: F) {
    let run = move || {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            runtime.block_on(future);
        }
    };
    std::thread::spawn(run).join().ok();
}
