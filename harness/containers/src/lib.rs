//! Real mail servers in containers, for loginspec to log in to.
//!
//! [`start`] builds a server's image if this version of it has not been built before, starts a container, and waits
//! until the server greets. What it needs is a Docker daemon; the files of every server are part of this library.
//!
//! - `servers`: which servers there are, and their files
//! - `docker`: the daemon, whether it answers and where
//! - `image`: from a server's files to an image
//! - `running`: from an image to a server that greets
//! - `vitals`: how it is doing, seen from inside
//! - `leftovers`: containers whose creator was killed
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod docker;
mod error;
mod image;
mod leftovers;
mod running;
mod servers;
mod vitals;

pub use docker::find_daemon;
pub use error::StartError;
pub use leftovers::{CONTAINER_LABEL, HOST_LABEL, PROCESS_LABEL, sweep};
pub use running::Running;
pub use servers::{Service, names, target_file};
pub use vitals::{Process, State};

/// Starts a server by its name and waits until it greets. The first time this builds its image, which takes a minute.
///
/// Needs a tokio runtime with I/O and time. Dropping the future, or what it returns, removes the container.
pub async fn start(name: &str) -> Result<Running, StartError> {
    start_with(name, &[]).await
}

/// The same with environment variables, each a name and a value, for the servers that can be changed at the start.
pub async fn start_with(name: &str, environment: &[(&str, &str)]) -> Result<Running, StartError> {
    let server = servers::find(name)
        .ok_or_else(|| StartError::UnknownName { name: name.to_owned(), known: names().join(", ") })?;
    let docker = docker::connect().await?;
    leftovers::sweep_through(&docker).await?;
    let tag = image::build_if_absent(&docker, server).await?;
    Running::start(&docker, server, &tag, environment).await
}
