//! From an image to a server that greets, and its removal.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{HostConfig, PortBinding, ResourcesUlimits};
use testcontainers::bollard::query_parameters::{RestartContainerOptionsBuilder, StatsOptionsBuilder};
use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::docker::{shares_our_loopback, wait_elsewhere};
use crate::error::{StartError, last_lines};
use crate::image;
use crate::leftovers;
use crate::servers::{Server, Service, VERSION_FILE};
use crate::vitals::{self, Process, State};

const GREETS_WITHIN: Duration = Duration::from_secs(30);
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
const ONE_TRY: Duration = Duration::from_secs(2);
const APPEARS_WITHIN: Duration = Duration::from_secs(3);
/// More than any login needs, and little enough that a server that grows without end does not take the machine along.
const MEMORY: i64 = 2 << 30;
/// How often a start is tried again when somebody else has taken a port in between.
const TRIES: usize = 5;

/// A server that runs in a container and has greeted. Dropping it removes the container.
#[derive(Debug)]
pub struct Running {
    name: &'static str,
    docker: Docker,
    // Empty only while being dropped.
    container: Option<ContainerAsync<GenericImage>>,
    addresses: HashMap<Service, SocketAddr>,
    authority: Option<Vec<u8>>,
    version: String,
}

impl Running {
    pub(crate) async fn start(
        docker: &Docker,
        server: &'static Server,
        tag: &str,
        environment: &[(&str, &str)],
    ) -> Result<Self, StartError> {
        let mut tries = 1;
        let container = loop {
            match Self::create(docker, server, tag, environment).await {
                Err(error) if tries < TRIES && is_port_taken(&error) => tries += 1,
                result => break result?,
            }
        };
        // From here on, whatever ends this future removes the container.
        let mut running = Self {
            name: server.name,
            docker: docker.clone(),
            container: Some(container),
            addresses: HashMap::new(),
            authority: None,
            version: String::new(),
        };
        for service in server.services() {
            let address = running.address_of(service.port()).await?;
            running.addresses.insert(service, address);
        }
        if let Some(path) = server.authority() {
            running.authority = Some(running.read(path).await?);
        }
        running.version = String::from_utf8_lossy(&running.read(VERSION_FILE).await?).trim().to_owned();
        running.wait_for_greetings().await?;
        Ok(running)
    }

    async fn create(
        docker: &Docker,
        server: &'static Server,
        tag: &str,
        environment: &[(&str, &str)],
    ) -> Result<ContainerAsync<GenericImage>, StartError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let container_name = format!("{}-{}-{number}", image::repository(server), std::process::id());

        let failed = |error: &dyn std::fmt::Display| {
            StartError::daemon(format!("start a container of '{}'", server.name), error.to_string())
        };
        let ports = free_ports(server).map_err(|error| failed(&error))?;
        let image = GenericImage::new(image::repository(server), tag.to_owned());
        let request = image
            .with_container_name(&container_name)
            .with_labels(leftovers::labels(server.name))
            .with_host_config_modifier(move |host| host_config(host, &ports));
        let request = environment.iter().fold(request, |request, (name, value)| request.with_env_var(*name, *value));
        let half_started = HalfStarted { docker: docker.clone(), container: Some(container_name.clone()) };
        let started = request.start().await;
        half_started.finish();
        match started {
            Ok(container) => Ok(container),
            Err(error) => {
                // It may have been created all the same.
                leftovers::remove(docker, &container_name).await.ok();
                Err(failed(&error))
            }
        }
    }

    /// The name it was started by.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens for a service; nothing where it does not.
    pub fn address(&self, service: Service) -> Option<SocketAddr> {
        self.addresses.get(&service).copied()
    }

    /// The software and its version, in a line.
    pub fn version(&self) -> &str {
        &self.version
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

    /// Its processes.
    pub async fn processes(&self) -> Result<Vec<Process>, StartError> {
        vitals::processes(&self.docker, self.id()).await
    }

    /// The memory that all of its processes hold, in octets.
    pub async fn memory(&self) -> Result<u64, StartError> {
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let failed = |error: String| StartError::daemon("ask for the memory of a container", error);
        let stats = self.docker.stats(self.id(), Some(options)).next().await;
        let stats = stats.ok_or_else(|| failed("no answer".to_owned()))?.map_err(|error| failed(error.to_string()))?;
        let memory = stats.memory_stats.unwrap_or_default();
        // What the kernel caches of files is not held by anybody.
        let cached = memory.stats.unwrap_or_default().get("total_inactive_file").copied().unwrap_or_default();
        Ok(memory.usage.unwrap_or_default().saturating_sub(cached))
    }

    /// The core dumps that lie about in it.
    pub async fn core_dumps(&self) -> Result<Vec<String>, StartError> {
        vitals::core_dumps(&self.docker, self.id()).await
    }

    /// Whether its main process runs.
    pub async fn state(&self) -> Result<State, StartError> {
        vitals::state(&self.docker, self.id()).await
    }

    /// Ends some of its processes at once.
    pub async fn kill(&self, pids: &[u32]) -> Result<(), StartError> {
        vitals::kill(&self.docker, self.id(), pids).await
    }

    /// Ends the server and starts it anew, at the same addresses; waits until it greets.
    pub async fn restart(&self) -> Result<(), StartError> {
        let options = RestartContainerOptionsBuilder::new().t(0).build();
        let restarted = self.docker.restart_container(self.id(), Some(options)).await;
        restarted.map_err(|error| StartError::daemon(format!("restart '{}'", self.name), error))?;
        self.wait_for_greetings().await
    }

    /// Removes the container, without keeping the runtime's thread from other work as dropping would.
    pub async fn stop(self) {
        // If the runtime ends before this ran, the closure is dropped, and the container with it.
        tokio::task::spawn_blocking(move || drop(self)).await.ok();
    }

    fn id(&self) -> &str {
        self.container.as_ref().map_or("", |container| container.id())
    }

    async fn wait_for_greetings(&self) -> Result<(), StartError> {
        let deadline = Instant::now() + GREETS_WITHIN;
        // The ports of TLS greet nobody before the handshake; their server opens all its ports before it greets on any.
        for (service, address) in &self.addresses {
            if let Some(greeting) = service.greeting() {
                self.wait_for(*address, greeting, deadline).await?;
            }
        }
        Ok(())
    }

    async fn address_of(&self, port: u16) -> Result<SocketAddr, StartError> {
        let Some(container) = &self.container else {
            return Err(self.ended().await);
        };
        let failed = |reason: String| StartError::daemon(format!("learn where port {port} is published"), reason);
        let published = match container.get_host_port_ipv4(port.tcp()).await {
            Ok(published) => published,
            // A container that has ended has no ports either, and its log says more than that.
            Err(_) if !self.is_up().await => return Err(self.ended().await),
            Err(error) => return Err(failed(error.to_string())),
        };
        if shares_our_loopback() {
            return Ok((Ipv4Addr::LOCALHOST, published).into());
        }
        let host = container.get_host().await.map_err(|error| failed(error.to_string()))?;
        let addresses =
            tokio::net::lookup_host(format!("{host}:{published}")).await.map_err(|error| failed(error.to_string()))?;
        // The port is IPv4's; an IPv6 one, if published at all, may differ.
        match addresses.into_iter().find(SocketAddr::is_ipv4) {
            Some(address) => Ok(address),
            None => Err(failed(format!("{host} has no IPv4 address"))),
        }
    }

    /// A small file of the container's.
    async fn read(&self, path: &str) -> Result<Vec<u8>, StartError> {
        let Some(container) = &self.container else {
            return Err(self.ended().await);
        };
        match container.copy_file_from(path, Vec::new()).await {
            Ok(content) => Ok(content),
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

/// A port of this machine for each of the server's: chosen here and not by the daemon, which would choose anew at each
/// restart. They are below those that the system gives to connections, or one of ours might take it in between.
fn free_ports(server: &Server) -> std::io::Result<Vec<(u16, u16)>> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes side by side begin at different places.
    let chance = std::process::id().wrapping_mul(97);
    // All are held until each has been found, so that none is found twice.
    let mut held = Vec::new();
    let mut ports = Vec::new();
    for service in server.services() {
        let mut tries = 0;
        loop {
            let step = chance.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % u32::from(COUNT);
            let port = FIRST + u16::try_from(step).unwrap_or_default();
            match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
                Ok(listener) => {
                    held.push(listener);
                    ports.push((service.port(), port));
                    break;
                }
                Err(_) if tries < COUNT => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(ports)
}

/// Publishes the ports for this machine only if that will do: the accounts' passwords are no secret. Core dumps are
/// kept, for they are evidence.
fn host_config(host: &mut HostConfig, ports: &[(u16, u16)]) {
    let binding = |port: u16| PortBinding {
        host_ip: shares_our_loopback().then(|| Ipv4Addr::LOCALHOST.to_string()),
        host_port: Some(port.to_string()),
    };
    let bindings = ports.iter().map(|(inside, outside)| (format!("{inside}/tcp"), Some(vec![binding(*outside)])));
    host.port_bindings = Some(bindings.collect::<HashMap<_, _>>());
    host.publish_all_ports = Some(false);
    host.memory = Some(MEMORY);
    // Some servers look up who calls, and wait for seconds where nobody answers. This one is asked and says no at once.
    host.dns = Some(vec![Ipv4Addr::LOCALHOST.to_string()]);
    let unlimited = ResourcesUlimits { name: Some("core".to_owned()), soft: Some(-1), hard: Some(-1) };
    host.ulimits = Some(vec![unlimited]);
}

fn is_port_taken(error: &StartError) -> bool {
    let text = error.to_string();
    ["port is already allocated", "address already in use"].iter().any(|words| text.contains(words))
}

async fn first_octets(address: SocketAddr, count: usize) -> std::io::Result<Vec<u8>> {
    let mut octets = vec![0; count];
    TcpStream::connect(address).await?.read_exact(&mut octets).await?;
    Ok(octets)
}
