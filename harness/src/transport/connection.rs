//! A connection that may become a TLS connection in the middle.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ProtocolVersion;

use super::tls_client::TlsClient;
use super::tls_failure::{reason, rustls_error};
use crate::protocol::Secured;

/// How much of what the server sends first is kept, for the words about what is not TLS.
const KEPT_OCTETS: usize = 16;
/// How long a server may take to let us say goodbye.
const TO_PART: Duration = Duration::from_millis(250);

/// Where a connection is.
pub(crate) enum Connection<S> {
    /// In plaintext.
    Plain(S),
    /// Within TLS.
    Tls(Box<TlsStream<Witness<S>>>),
    /// A handshake has failed: there is nothing left to talk over.
    Broken,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) async fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(octets).await,
            Self::Tls(stream) => {
                stream.write_all(octets).await?;
                stream.flush().await
            }
            Self::Broken => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(crate) async fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(octets).await,
            Self::Tls(stream) => stream.read(octets).await,
            Self::Broken => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Shakes hands; or says why that failed.
    pub(crate) async fn secure(&mut self, client: &TlsClient, due: Instant) -> Result<Secured, String> {
        let Self::Plain(stream) = std::mem::replace(self, Self::Broken) else {
            return Err("TLS is spoken already".to_owned());
        };
        let patience = due.saturating_duration_since(Instant::now());
        let witness = Witness { stream, first: Vec::new() };
        match timeout_at(due, client.connect(witness).into_fallible()).await {
            Ok(Ok(stream)) => {
                let secured = secured(&stream);
                *self = Self::Tls(Box::new(stream));
                Ok(secured)
            }
            Ok(Err((error, witness))) => Err(reason(&error, &witness.first)),
            Err(_) => Err(format!("no handshake within {:.1} s", patience.as_secs_f64())),
        }
    }

    /// Says goodbye in TLS (`close_notify`, RFC 8446 §6.1), and closes.
    pub(crate) async fn part(self) {
        if let Self::Tls(mut stream) = self {
            // The conversation is over: whether the server hears it makes no difference.
            let _ = timeout(TO_PART, stream.shutdown()).await;
        }
    }
}

/// What TLS has to say about a read that failed within it; nothing where the connection just ended.
pub(crate) fn alert(error: &io::Error) -> Option<String> {
    rustls_error(error).map(|_| reason(error, b"\x15"))
}

fn secured<S>(stream: &TlsStream<Witness<S>>) -> Secured {
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        Some(other) => format!("{other:?}"),
        None => "TLS".to_owned(),
    };
    let suite = connection.negotiated_cipher_suite().map(|suite| format!(", {:?}", suite.suite())).unwrap_or_default();
    let exporter = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok();
    Secured { exporter, description: version + &suite }
}

/// A stream that remembers what came first.
pub(crate) struct Witness<S> {
    stream: S,
    first: Vec<u8>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Witness<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let room = KEPT_OCTETS - self.first.len();
        if room > 0 {
            let fresh = into.filled().get(before..).unwrap_or_default();
            self.first.extend_from_slice(fresh.get(..room).unwrap_or(fresh));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Witness<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
