//! The reference server behind sockets: one small task for each connection, deadlines, and an end on drop.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::authority::Authority;
use super::certificates::ServerTls;
use super::flaw::Flaws;
use super::flow::Flow;
use super::session::Session;
use super::stream::Stream;
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
/// How long it takes a flawed server to verify a password.
const TO_VERIFY: Duration = Duration::from_millis(3);
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
    /// Where it speaks IMAP within TLS from the first octet, likewise, if it speaks TLS at all.
    pub imaps: Option<SocketAddr>,
    /// Where it speaks POP3 within TLS from the first octet, likewise.
    pub pop3s: Option<SocketAddr>,
    /// How it speaks TLS; without, it does not.
    pub tls: Option<ServerTls>,
    /// Whether it takes passwords within TLS only.
    pub requires_tls: bool,
    /// Whether each mailbox's message names the mailbox: without it a mailbox is as any on a stranger's server.
    pub canaries: bool,
}

impl Config {
    /// A sound server without TLS on free ports.
    pub const fn new(dialect: Dialect, directory: Directory) -> Self {
        Self {
            dialect,
            directory,
            flaws: Flaws::NONE,
            imap: None,
            pop3: None,
            imaps: None,
            pop3s: None,
            tls: None,
            requires_tls: false,
            canaries: true,
        }
    }
}

/// A running server. It ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    imap: Option<SocketAddr>,
    pop3: Option<SocketAddr>,
    imaps: Option<SocketAddr>,
    pop3s: Option<SocketAddr>,
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
        let (imaps, pop3s) = if config.tls.is_some() {
            (
                listen(&config.dialect, Protocol::Imap, config.imaps)?,
                listen(&config.dialect, Protocol::Pop3, config.pop3s)?,
            )
        } else if config.imaps.is_some() || config.pop3s.is_some() || config.requires_tls {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "there are no certificates for TLS"));
        } else {
            (None, None)
        };
        let address = |listener: &Option<TcpListener>| listener.as_ref().map(TcpListener::local_addr).transpose();
        let mut server = Self {
            imap: address(&imap)?,
            pop3: address(&pop3)?,
            imaps: address(&imaps)?,
            pop3s: address(&pop3s)?,
            tasks: Vec::new(),
        };
        let authority = Authority::new(config.dialect, config.directory, config.flaws);
        let authority = authority.with_seed(random_seed()?).with_time(windows_time()).with_canaries(config.canaries);
        let authority = Arc::new(authority.with_tls(config.tls.is_some(), config.requires_tls));
        for (listener, protocol, is_implicit) in [
            (imap, Protocol::Imap, false),
            (pop3, Protocol::Pop3, false),
            (imaps, Protocol::Imap, true),
            (pop3s, Protocol::Pop3, true),
        ] {
            if let Some(listener) = listener {
                let service =
                    Service { protocol, authority: Arc::clone(&authority), tls: config.tls.clone(), is_implicit };
                server.tasks.push(runtime.spawn(serve(listener, service)));
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

    /// Where it speaks IMAP within TLS from the first octet.
    pub const fn imaps(&self) -> Option<SocketAddr> {
        self.imaps
    }

    /// Where it speaks POP3 within TLS from the first octet.
    pub const fn pop3s(&self) -> Option<SocketAddr> {
        self.pop3s
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

/// Octets that nobody can guess.
fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}

/// The time as NTLM tells it: in tenths of microseconds since 1601 (MS-DTYP §2.3.3).
fn windows_time() -> u64 {
    const FROM_1601_TO_1970: u64 = 11_644_473_600;
    // A clock before 1970 is wrong anyway, and nothing hangs on the time.
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since_1970.as_secs() + FROM_1601_TO_1970) * 10_000_000 + u64::from(since_1970.subsec_nanos() / 100)
}

fn listen(dialect: &Dialect, protocol: Protocol, address: Option<SocketAddr>) -> io::Result<Option<TcpListener>> {
    let speaks = dialect.protocols.contains(&protocol);
    let address = match address {
        Some(_) if !speaks => return Err(does_not_speak(dialect, protocol.word())),
        Some(address) => address,
        None if !speaks => return Ok(None),
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    };
    listen_on(address).map(Some).map_err(|error| {
        io::Error::new(error.kind(), format!("{} cannot listen on {address}: {error}", protocol.word()))
    })
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A port whose last connections are in TIME-WAIT is free enough.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn does_not_speak(dialect: &Dialect, protocol: &str) -> io::Error {
    let reason = format!("the dialect {} does not speak {protocol}", dialect.name);
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// What one listener serves.
#[derive(Clone)]
struct Service {
    protocol: Protocol,
    authority: Arc<Authority>,
    tls: Option<ServerTls>,
    /// Whether TLS begins with the first octet.
    is_implicit: bool,
}

/// Accepts for ever. The connections belong to this task, so they end with it.
async fn serve(listener: TcpListener, service: Service) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, service.clone()));
                }
                // EMFILE, ENFILE, ECONNABORTED: none of them is the end of the server.
                Err(_) => sleep(TO_RECOVER).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection. What goes wrong on it is the client's business and nobody else's.
async fn converse(stream: TcpStream, service: Service) {
    // Without it replies wait for acknowledgements; where it is refused they do just that.
    let _ = stream.set_nodelay(true);
    // One timer for all: to move a deadline further away costs next to nothing, to make a new one does not.
    let alarm = sleep(TO_LOG_IN);
    tokio::pin!(alarm);
    let mut session = Session::new(service.protocol, service.authority);
    let mut stream = Stream::Plain(stream);
    if service.is_implicit {
        let secured = tokio::select! {
            secured = secure(stream, service.tls.as_ref(), &mut session) => secured,
            () = &mut alarm => return,
        };
        let Ok(secured) = secured else { return };
        stream = secured;
    }
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
        let flow = session.receive(received, &mut out);
        if session.takes_time() {
            sleep(TO_VERIFY).await;
        }
        match flow {
            Flow::Close => {
                // Whatever happens while we part, happens to a connection that is over.
                let _ = timeout(TO_LEAVE, part(stream, &out)).await;
                return;
            }
            Flow::StartTls => {
                session.receive(&stream.take_early(), &mut out);
                let handshake = async {
                    stream.write_all(&out).await?;
                    secure(stream, service.tls.as_ref(), &mut session).await
                };
                let secured = tokio::select! {
                    secured = handshake => secured,
                    () = &mut alarm => return,
                };
                let Ok(secured) = secured else { return };
                stream = secured;
                out.clear();
            }
            Flow::Continue | Flow::Hang => {}
        }
        if session.is_logged_in() {
            alarm.as_mut().reset(Instant::now() + IDLE);
        }
    }
}

/// Begins TLS, and tells the session.
async fn secure(stream: Stream, tls: Option<&ServerTls>, session: &mut Session) -> io::Result<Stream> {
    let tls = tls.ok_or_else(|| io::Error::other("there are no certificates for TLS"))?;
    let (stream, facts) = stream.secure(tls).await?;
    session.secured(facts);
    Ok(stream)
}

/// Sends the last words, if any, and closes.
async fn part(mut stream: Stream, last_words: &[u8]) -> io::Result<()> {
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
