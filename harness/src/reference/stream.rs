//! A client's connection: plain at first or for ever, and TLS from the handshake on.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::certificates::ServerTls;
use super::connection::TlsFacts;
use super::starttls::MOST_INJECTED;

/// A connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) async fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(octets).await,
            Self::Tls(stream) => {
                stream.write_all(octets).await?;
                stream.flush().await
            }
        }
    }

    pub(super) async fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(octets).await,
            Self::Tls(stream) => stream.read(octets).await,
        }
    }

    /// Ends our side; within TLS with `close_notify`.
    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
        }
    }

    /// What has come and was not read, before the client can know that it may begin TLS: nobody's octets.
    pub(super) fn take_early(&self) -> Vec<u8> {
        let mut early = Vec::new();
        let mut octets = [0; 512];
        while let Self::Plain(stream) = self
            && early.len() < 16 * MOST_INJECTED
            && let Ok(read) = stream.try_read(&mut octets)
            && read > 0
        {
            early.extend_from_slice(octets.get(..read).unwrap_or_default());
        }
        early
    }

    /// Shakes hands.
    pub(super) async fn secure(self, tls: &ServerTls) -> io::Result<(Self, TlsFacts)> {
        let Self::Plain(stream) = self else {
            return Err(io::Error::other("TLS is spoken already"));
        };
        let stream = tls.acceptor().accept(stream).await?;
        let facts = tls.facts(&stream);
        Ok((Self::Tls(Box::new(stream)), facts))
    }
}
