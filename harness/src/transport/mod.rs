//! Drives a protocol session over a real stream: connects, sends, receives, keeps the time, writes the transcript.

mod connection;
mod own_certificates;
mod tls;
mod tls_client;
mod tls_failure;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

pub use tls::{ClientCertificate, Roots, TlsSettings, TlsVersion};
pub use tls_client::{TlsClient, TlsSettingsError};

pub(crate) use self::connection::{Connection, alert};
use crate::axes::Security;
use crate::protocol::{Action, Deviation, Outcome, Session, Stage, Transcript};

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For the connection to stand.
    pub connect: Duration,
    /// For each reply.
    pub reply: Duration,
    /// For the whole conversation, however busily the server drips.
    pub whole: Duration,
}

impl Deadlines {
    /// Deadlines that follow from the time for one reply.
    pub const fn from_reply(reply: Duration) -> Self {
        Self { connect: reply, reply, whole: reply.saturating_mul(4) }
    }
}

/// Why there was no conversation. Reads after "failed to connect to ADDRESS: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The system refused, or the name does not resolve.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Nobody answered in time.
    #[error("no connection within {0:?}")]
    TimedOut(Duration),
}

/// A conversation that is over.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// What it came to. What the server said is in there as it came; see `Redactor::redact_outcome`.
    pub outcome: Outcome,
    /// The step at which a dialogue ended.
    pub dialogue_step: Option<usize>,
    /// Every octet of it.
    pub transcript: Transcript,
    /// The rules that the server broke without consequence.
    pub deviations: Vec<Deviation>,
    /// The time from the open TCP connection to the end of the goodbye, TLS handshakes included.
    pub took: Duration,
}

/// Connects; from `source`, where one is given and the other end is on this machine.
pub async fn connect(address: &str, source: Option<Ipv4Addr>, within: Duration) -> Result<TcpStream, ConnectError> {
    let connecting = async {
        match source {
            Some(source) => connect_from(source, address).await,
            None => TcpStream::connect(address).await,
        }
    };
    match timeout(within, connecting).await {
        Ok(Ok(stream)) => {
            // A login is a chain of short messages: none of them should wait for company.
            stream.set_nodelay(true)?;
            Ok(stream)
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(ConnectError::TimedOut(within)),
    }
}

/// Connects from one of this machine's loopback addresses.
async fn connect_from(source: Ipv4Addr, address: &str) -> io::Result<TcpStream> {
    let found = lookup_host(address).await?.find(|found| found.is_ipv4() && found.ip().is_loopback());
    let Some(there) = found else { return TcpStream::connect(address).await };
    let socket = TcpSocket::new_v4()?;
    match socket.bind(SocketAddr::from((source, 0))) {
        Ok(()) => socket.connect(there).await,
        // Not every system has all of 127.0.0.0/8.
        Err(_) => TcpStream::connect(there).await,
    }
}

/// Has a conversation over a stream that stands.
///
/// With [`Security::Tls`] the handshake comes first; with anything else the session says when, if at all. Where `tls`
/// is nothing every handshake fails.
pub async fn converse<S>(
    stream: S,
    session: Session,
    deadlines: Deadlines,
    tls: Option<&TlsClient>,
    security: Security,
) -> Conversation
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    converse_holding(stream, session, deadlines, tls, security, std::future::ready(())).await
}

/// The same, and all that can be waited for is waited for before the goodbye: what it does happens while the mailbox is
/// open, if the login opens one.
pub async fn converse_holding<S>(
    stream: S,
    mut session: Session,
    deadlines: Deadlines,
    tls: Option<&TlsClient>,
    security: Security,
    meanwhile: impl Future<Output = ()>,
) -> Conversation
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut meanwhile = Some(pin!(meanwhile));
    let mut stream = Connection::Plain(stream);
    let start = Instant::now();
    let mut end = start + deadlines.whole;
    let mut is_leaving = false;
    let mut transcript = Transcript::new();
    let mut buffer = [0; 4096];
    if security == Security::Tls {
        shake_hands(&mut stream, &mut session, tls, end.min(start + deadlines.reply), start, &mut transcript).await;
    }
    loop {
        match session.poll() {
            Action::Finished => break,
            Action::StartTls => {
                let due = end.min(Instant::now() + deadlines.reply);
                shake_hands(&mut stream, &mut session, tls, due, start, &mut transcript).await;
            }
            Action::Send(outgoing) => {
                if session.stage() == Stage::Logout
                    && let Some(meanwhile) = meanwhile.take()
                {
                    meanwhile.await;
                }
                transcript.sent(start.elapsed(), &outgoing);
                let due = end.min(Instant::now() + deadlines.reply);
                // Where the server no longer listens, what it said before is still to be read. A server that takes
                // nothing in gets no second chance: the next wait will find out.
                let _ = timeout_at(due, stream.write_all(&outgoing.octets)).await;
            }
            Action::Receive => {
                let waiting_since = Instant::now();
                // Only the goodbye is left: nothing is lost by not waiting long for it, nor for the next octet of it.
                if session.stage() == Stage::Logout && !std::mem::replace(&mut is_leaving, true) {
                    end = end.min(waiting_since + deadlines.reply / 4);
                }
                match timeout_at(end.min(waiting_since + deadlines.reply), stream.read(&mut buffer)).await {
                    Ok(ended @ (Ok(0) | Err(_))) => {
                        if let Some(alert) = ended.err().as_ref().and_then(alert) {
                            transcript.remark(start.elapsed(), format!("TLS: {alert}"));
                        }
                        transcript.closed(start.elapsed());
                        session.closed();
                    }
                    Ok(Ok(count)) => {
                        let octets = buffer.get(..count).unwrap_or_default();
                        transcript.received(start.elapsed(), octets);
                        session.receive(octets);
                    }
                    Err(_) => {
                        transcript.no_answer(start.elapsed(), waiting_since.elapsed());
                        session.timed_out();
                    }
                }
            }
        }
    }
    let took = start.elapsed();
    stream.part().await;
    let deviations = session.deviations().to_vec();
    let dialogue_step = session.dialogue_step();
    Conversation { outcome: session.outcome(), dialogue_step, transcript, deviations, took }
}

async fn shake_hands<S>(
    stream: &mut Connection<S>,
    session: &mut Session,
    tls: Option<&TlsClient>,
    due: Instant,
    start: Instant,
    transcript: &mut Transcript,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let secured = match tls {
        Some(client) => stream.secure(client, due).await,
        None => Err("this client has no settings for TLS".to_owned()),
    };
    match secured {
        Ok(secured) => {
            transcript.remark(start.elapsed(), secured.description.clone());
            session.secured(secured);
        }
        Err(reason) => {
            transcript.remark(start.elapsed(), format!("TLS failed: {reason}"));
            session.tls_failed(reason);
        }
    }
}
