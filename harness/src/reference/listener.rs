//! The reference server behind sockets: one small task for each connection, deadlines, and an end on drop.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::authority::Authority;
use super::flaw::Flaws;
use super::flow::Flow;
use super::session::Session;
use crate::axes::Protocol;
use crate::identity::{Dialect, Directory};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4096;
/// How many connections each protocol serves at once; more wait in the backlog.
const MOST_CONNECTIONS: usize = 20_000;
/// How long a client may take to log in, all in all.
const TO_LOG_IN: Duration = Duration::from_secs(60);
/// How long a client may be silent after that (RFC 9051 §5.4 asks for 30 minutes at least).
const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long a client may take to notice that we have closed.
const TO_LEAVE: Duration = Duration::from_secs(2);
/// How long a client that has had its last answer may take to close first.
const CLIENT_FIRST: Duration = Duration::from_millis(20);
/// How long to wait after `accept` fails; what helps (fewer open files) needs a moment.
const TO_RECOVER: Duration = Duration::from_millis(20);
/// How much is read at once.
const READ: usize = 2048;

/// What a server is to be.
#[derive(Debug, Clone)]
pub struct Config {
    /// The rules by which it reads login names.
    pub dialect: Dialect,
    /// Who exists.
    pub directory: Directory,
    /// What it does wrong.
    pub flaws: Flaws,
    /// Where it speaks IMAP. Without an address: on a free port of 127.0.0.1, if the dialect speaks IMAP at all.
    pub imap: Option<SocketAddr>,
    /// Where it speaks POP3, likewise.
    pub pop3: Option<SocketAddr>,
    /// Whether each mailbox's message names the mailbox: without it a mailbox is as any on a stranger's server.
    pub canaries: bool,
}

/// A running server. It ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    imap: Option<SocketAddr>,
    pop3: Option<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts a server. It runs on the Tokio runtime (with I/O and time enabled) from which this is called.
    pub fn start(config: Config) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let imap = listen(&config.dialect, Protocol::Imap, config.imap)?;
        let pop3 = listen(&config.dialect, Protocol::Pop3, config.pop3)?;
        if imap.is_none() && pop3.is_none() {
            return Err(does_not_speak(&config.dialect, "IMAP or POP3"));
        }
        let authority =
            Arc::new(Authority::new(config.dialect, config.directory, config.flaws).with_canaries(config.canaries));
        let mut server = Self {
            imap: imap.as_ref().map(TcpListener::local_addr).transpose()?,
            pop3: pop3.as_ref().map(TcpListener::local_addr).transpose()?,
            tasks: Vec::new(),
        };
        for (listener, protocol) in [(imap, Protocol::Imap), (pop3, Protocol::Pop3)] {
            if let Some(listener) = listener {
                let serving = serve(listener, protocol, Arc::clone(&authority));
                server.tasks.push(runtime.spawn(serving));
            }
        }
        Ok(server)
    }

    /// Where it speaks IMAP.
    pub const fn imap(&self) -> Option<SocketAddr> {
        self.imap
    }

    /// Where it speaks POP3.
    pub const fn pop3(&self) -> Option<SocketAddr> {
        self.pop3
    }

    /// Ends the server and every connection, and waits until its ports are free.
    pub async fn stop(mut self) {
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks.drain(..) {
            // That it was aborted is no news.
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn listen(dialect: &Dialect, protocol: Protocol, address: Option<SocketAddr>) -> io::Result<Option<TcpListener>> {
    let speaks = dialect.protocols.contains(&protocol);
    let address = match address {
        Some(_) if !speaks => return Err(does_not_speak(dialect, protocol.word())),
        Some(address) => address,
        None if !speaks => return Ok(None),
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A port whose last connections are in TIME-WAIT is free enough.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG).map(Some)
}

fn does_not_speak(dialect: &Dialect, protocol: &str) -> io::Error {
    let reason = format!("the dialect {} does not speak {protocol}", dialect.name);
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// Accepts for ever. The connections belong to this task, so they end with it.
async fn serve(listener: TcpListener, protocol: Protocol, authority: Arc<Authority>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Session::new(protocol, Arc::clone(&authority))));
                }
                // EMFILE, ENFILE, ECONNABORTED: none of them is the end of the server.
                Err(_) => sleep(TO_RECOVER).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection. What goes wrong on it is the client's business and nobody else's.
async fn converse(mut stream: TcpStream, mut session: Session) {
    // Without it replies wait for acknowledgements; where it is refused they do just that.
    let _ = stream.set_nodelay(true);
    // One timer for all: to move a deadline further away costs next to nothing, to make a new one does not.
    let alarm = sleep(TO_LOG_IN);
    tokio::pin!(alarm);
    let mut out = Vec::new();
    session.greeting(&mut out);
    let mut octets = [0; READ];
    loop {
        let exchange = async {
            if !out.is_empty() {
                stream.write_all(&out).await?;
            }
            stream.read(&mut octets).await
        };
        let read = tokio::select! {
            biased;
            read = exchange => read,
            () = &mut alarm => return,
        };
        let Some(received) = read.ok().filter(|&read| read > 0).and_then(|read| octets.get(..read)) else {
            return;
        };
        out.clear();
        if session.receive(received, &mut out) == Flow::Close {
            // Whatever happens while we part, happens to a connection that is over.
            let _ = timeout(TO_LEAVE, part(stream, &out)).await;
            return;
        }
        if session.is_logged_in() {
            alarm.as_mut().reset(Instant::now() + IDLE);
        }
    }
}

/// Sends the last words, if any, and closes.
async fn part(mut stream: TcpStream, last_words: &[u8]) -> io::Result<()> {
    let mut octets = [0; 512];
    if !last_words.is_empty() {
        stream.write_all(last_words).await?;
        // The side that closes first keeps the pair of ports in TIME-WAIT for a minute. On our side that would make
        // connections fail once a test run has used up its ports, so a client that has its answer may go first.
        let client_leaves = async { while !matches!(stream.read(&mut octets).await, Ok(0) | Err(_)) {} };
        if timeout(CLIENT_FIRST, client_leaves).await.is_ok() {
            return Ok(());
        }
    }
    stream.shutdown().await?;
    // Closing with octets unread would make the system reset the connection and drop our last words.
    while stream.read(&mut octets).await? > 0 {}
    Ok(())
}
