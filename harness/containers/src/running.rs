//! From an image to a server that greets, and its removal.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::docker::{shares_our_loopback, wait_elsewhere};
use crate::error::{StartError, last_lines};
use crate::image;
use crate::leftovers;
use crate::servers::Server;

const GREETS_WITHIN: Duration = Duration::from_secs(30);
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
const ONE_TRY: Duration = Duration::from_secs(2);
const APPEARS_WITHIN: Duration = Duration::from_secs(3);

/// A server that runs in a container and has greeted. Dropping it removes the container.
#[derive(Debug)]
pub struct Running {
    name: &'static str,
    // Empty only while being dropped.
    container: Option<ContainerAsync<GenericImage>>,
    imap: Option<SocketAddr>,
    pop3: Option<SocketAddr>,
    imaps: Option<SocketAddr>,
    pop3s: Option<SocketAddr>,
    authority: Option<Vec<u8>>,
}

impl Running {
    pub(crate) async fn start(docker: &Docker, server: &'static Server, tag: &str) -> Result<Self, StartError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let container_name = format!("{}-{}-{number}", image::repository(server), std::process::id());

        let ports: Vec<u16> = server.ports().collect();
        let image = GenericImage::new(image::repository(server), tag.to_owned());
        let request = image
            .with_container_name(&container_name)
            .with_labels(leftovers::labels(server.name))
            .with_host_config_modifier(move |host| publish(host, &ports));
        let half_started = HalfStarted { docker: docker.clone(), container: Some(container_name.clone()) };
        let started = request.start().await;
        half_started.finish();
        let container = match started {
            Ok(container) => container,
            Err(error) => {
                // It may have been created all the same.
                leftovers::remove(docker, &container_name).await.ok();
                return Err(StartError::daemon(format!("start a container of '{}'", server.name), error));
            }
        };

        // From here on, whatever ends this future removes the container.
        let mut running = Self {
            name: server.name,
            container: Some(container),
            imap: None,
            pop3: None,
            imaps: None,
            pop3s: None,
            authority: None,
        };
        running.imap = running.address_of(server.imap_port).await?;
        running.pop3 = running.address_of(server.pop3_port).await?;
        running.imaps = running.address_of(server.imaps_port).await?;
        running.pop3s = running.address_of(server.pop3s_port).await?;
        running.authority = running.read(server.authority).await?;
        let deadline = Instant::now() + GREETS_WITHIN;
        // The ports of TLS greet nobody before the handshake; their server opens all its ports before it greets on any.
        for (address, greeting) in [(running.imap, "* OK"), (running.pop3, "+OK")] {
            if let Some(address) = address {
                running.wait_for(address, greeting, deadline).await?;
            }
        }
        Ok(running)
    }

    /// The name it was started by.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens for IMAP.
    pub fn imap(&self) -> Option<SocketAddr> {
        self.imap
    }

    /// Where it listens for POP3.
    pub fn pop3(&self) -> Option<SocketAddr> {
        self.pop3
    }

    /// Where it listens for IMAP over TLS from the first octet.
    pub fn imaps(&self) -> Option<SocketAddr> {
        self.imaps
    }

    /// Where it listens for POP3 over TLS from the first octet.
    pub fn pop3s(&self) -> Option<SocketAddr> {
        self.pop3s
    }

    /// The authority that signed its certificate for `localhost`, in PEM; nothing where it has no TLS.
    pub fn authority(&self) -> Option<&[u8]> {
        self.authority.as_deref()
    }

    /// What the server has logged so far; empty if the daemon does not tell.
    pub async fn logs(&self) -> String {
        let Some(container) = &self.container else {
            return String::new();
        };
        let mut log = container.stdout_to_vec().await.unwrap_or_default();
        log.extend(container.stderr_to_vec().await.unwrap_or_default());
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Removes the container, without keeping the runtime's thread from other work as dropping would.
    pub async fn stop(self) {
        // If the runtime ends before this ran, the closure is dropped, and the container with it.
        tokio::task::spawn_blocking(move || drop(self)).await.ok();
    }

    async fn address_of(&self, port: Option<u16>) -> Result<Option<SocketAddr>, StartError> {
        let (Some(port), Some(container)) = (port, &self.container) else {
            return Ok(None);
        };
        let failed = |reason: String| StartError::daemon(format!("learn where port {port} is published"), reason);
        let published = match container.get_host_port_ipv4(port.tcp()).await {
            Ok(published) => published,
            // A container that has ended has no ports either, and its log says more than that.
            Err(_) if !self.is_up().await => return Err(self.ended().await),
            Err(error) => return Err(failed(error.to_string())),
        };
        if shares_our_loopback() {
            return Ok(Some((Ipv4Addr::LOCALHOST, published).into()));
        }
        let host = container.get_host().await.map_err(|error| failed(error.to_string()))?;
        let addresses =
            tokio::net::lookup_host(format!("{host}:{published}")).await.map_err(|error| failed(error.to_string()))?;
        // The port is IPv4's; an IPv6 one, if published at all, may differ.
        match addresses.into_iter().find(SocketAddr::is_ipv4) {
            Some(address) => Ok(Some(address)),
            None => Err(failed(format!("{host} has no IPv4 address"))),
        }
    }

    /// A small file of the container's.
    async fn read(&self, path: Option<&str>) -> Result<Option<Vec<u8>>, StartError> {
        let (Some(path), Some(container)) = (path, &self.container) else {
            return Ok(None);
        };
        match container.copy_file_from(path, Vec::new()).await {
            Ok(content) => Ok(Some(content)),
            Err(error) => Err(StartError::daemon(format!("read {path} in the container of '{}'", self.name), error)),
        }
    }

    /// Polls until the greeting arrives: an open port says little, for Docker's proxy opens it before the server does.
    async fn wait_for(&self, address: SocketAddr, greeting: &str, deadline: Instant) -> Result<(), StartError> {
        loop {
            let last_try = match tokio::time::timeout(ONE_TRY, first_octets(address, greeting.len())).await {
                Ok(Ok(octets)) if octets == greeting.as_bytes() => return Ok(()),
                Ok(Ok(octets)) => format!("'{}' instead of '{greeting}'", octets.escape_ascii()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "connected, but no greeting".to_owned(),
            };
            if !self.is_up().await {
                return Err(self.ended().await);
            }
            if Instant::now() >= deadline {
                return Err(StartError::TimedOut {
                    name: self.name.to_owned(),
                    waited: GREETS_WITHIN,
                    last_try,
                    log: last_lines(&self.logs().await),
                });
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    async fn ended(&self) -> StartError {
        StartError::Ended { name: self.name.to_owned(), log: last_lines(&self.logs().await) }
    }

    async fn is_up(&self) -> bool {
        match &self.container {
            Some(container) => container.is_running().await.unwrap_or(true),
            None => false,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            // testcontainers removes it, unless TESTCONTAINERS_COMMAND=keep; it panics outside a runtime.
            wait_elsewhere(async move { drop(container) });
        }
    }
}

/// A container that the daemon has been asked for and that has no owner yet. Dropped as such, because the start was
/// interrupted, it is removed.
struct HalfStarted {
    docker: Docker,
    container: Option<String>,
}

impl HalfStarted {
    fn finish(mut self) {
        self.container = None;
    }
}

impl Drop for HalfStarted {
    fn drop(&mut self) {
        let Some(container) = self.container.take() else {
            return;
        };
        let docker = self.docker.clone();
        wait_elsewhere(async move {
            // The daemon goes on with what it was asked, so the container may appear only now.
            let deadline = Instant::now() + APPEARS_WITHIN;
            while leftovers::remove(&docker, &container).await.is_err() && Instant::now() < deadline {
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
        });
    }
}

/// Publishes the ports on free ports, for this machine only if that will do: the accounts' passwords are no secret.
fn publish(host: &mut HostConfig, ports: &[u16]) {
    let binding =
        PortBinding { host_ip: shares_our_loopback().then(|| Ipv4Addr::LOCALHOST.to_string()), host_port: None };
    let bindings = ports.iter().map(|port| (format!("{port}/tcp"), Some(vec![binding.clone()])));
    host.port_bindings = Some(bindings.collect::<HashMap<_, _>>());
    host.publish_all_ports = Some(false);
}

async fn first_octets(address: SocketAddr, count: usize) -> std::io::Result<Vec<u8>> {
    let mut octets = vec![0; count];
    TcpStream::connect(address).await?.read_exact(&mut octets).await?;
    Ok(octets)
}
