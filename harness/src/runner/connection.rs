//! Connections to a target, secured as a case wants them.

use std::net::Ipv4Addr;

use tokio::net::TcpStream;

use super::advice;
use crate::axes::Security;
use crate::protocol::Session;
use crate::target::{Endpoint, Target};
use crate::transport::{Conversation, Deadlines, TlsClient, connect, converse, converse_holding};

/// A connection that stands.
pub(super) struct Connection {
    stream: TcpStream,
    security: Security,
    /// Also where the connection begins in plaintext: a dialogue may begin TLS later.
    tls: Option<TlsClient>,
}

/// Who calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct From<'f> {
    /// The address from which the connection comes; nothing where the system chooses.
    pub source: Option<Ipv4Addr>,
    /// The role whose client certificate is shown where it is asked for.
    pub certified: Option<&'f str>,
}

/// Why there is no connection.
pub(super) enum OpenError {
    /// The server is not there.
    NotThere(String),
    /// It is there, and TLS cannot be had.
    Tls(String),
}

impl OpenError {
    /// The reason in words.
    pub fn reason(self) -> String {
        match self {
            Self::NotThere(reason) | Self::Tls(reason) => reason,
        }
    }
}

/// Connects to an endpoint of a target.
pub(super) async fn open(
    target: &Target,
    endpoint: &Endpoint,
    security: Security,
    from: From<'_>,
    deadlines: Deadlines,
) -> Result<Connection, OpenError> {
    let tls = match target.tls_client(endpoint, from.certified) {
        Ok(client) => Some(client),
        Err(reason) if security != Security::Plaintext => return Err(OpenError::Tls(reason)),
        Err(_) => None,
    };
    let stream = connect(&endpoint.address, from.source, deadlines.connect).await;
    let stream = stream.map_err(|error| {
        OpenError::NotThere(format!(
            "failed to connect to {} ({}): {error}\n  {}",
            endpoint.address,
            endpoint.protocol,
            advice::on_connecting(&error)
        ))
    })?;
    Ok(Connection { stream, security, tls })
}

impl Connection {
    /// Has the conversation for which it was opened.
    pub async fn converse(self, session: Session, deadlines: Deadlines) -> Conversation {
        converse(self.stream, session, deadlines, self.tls.as_ref(), self.security).await
    }

    /// The same; `meanwhile` happens before the goodbye.
    pub async fn converse_holding(
        self,
        session: Session,
        deadlines: Deadlines,
        meanwhile: impl Future<Output = ()>,
    ) -> Conversation {
        converse_holding(self.stream, session, deadlines, self.tls.as_ref(), self.security, meanwhile).await
    }
}
