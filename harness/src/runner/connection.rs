//! Connections to a target, secured as a case wants them.

use tokio::net::TcpStream;

use crate::axes::Security;
use crate::protocol::Session;
use crate::target::{Endpoint, Target};
use crate::transport::{ClientCertificate, Conversation, Deadlines, connect, converse};

/// A connection that stands.
pub(super) struct Connection {
    stream: TcpStream,
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

/// Connects to an endpoint of a target. This is the one place at which TLS comes in: its client is made of
/// `target.tls` and the certificate, once per target, and goes with the connection.
pub(super) async fn open(
    _target: &Target,
    endpoint: &Endpoint,
    security: Security,
    _certificate: Option<&ClientCertificate>,
    deadlines: Deadlines,
) -> Result<Connection, OpenError> {
    if security != Security::Plaintext {
        return Err(OpenError::Tls(format!("this client cannot secure a connection with {security}")));
    }
    let stream = connect(&endpoint.address, deadlines.connect).await;
    let stream = stream.map_err(|error| {
        OpenError::NotThere(format!("failed to connect to {} ({}): {error}", endpoint.address, endpoint.protocol))
    })?;
    Ok(Connection { stream })
}

impl Connection {
    /// Has the conversation for which it was opened.
    pub async fn converse(self, session: Session, deadlines: Deadlines) -> Conversation {
        converse(self.stream, session, deadlines).await
    }
}
