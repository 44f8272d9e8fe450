//! What is found out about an unknown server with one account: where it listens, what it offers, which logins work.

use std::time::Duration;

use super::refused_login::RefusedLogin;
use crate::axes::{Mechanism, Protocol, Security};
use crate::target::Endpoint;
use crate::transport::Deadlines;

/// An address at which a server may listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The protocol that may be spoken there. Of several candidates with one address the first that answers is taken.
    pub protocol: Protocol,
    /// Host and port.
    pub address: String,
    /// Whether the connection begins with a TLS handshake.
    pub implicit_tls: bool,
}

/// How a server is explored.
#[derive(Debug, Clone, Copy)]
pub struct DiscoveryOptions {
    /// How long to wait for replies.
    pub deadlines: Deadlines,
    /// What protects logins. `None`: STARTTLS on ports without implicit TLS. Passwords are sent in plaintext only with
    /// [`Security::Plaintext`].
    pub security: Option<Security>,
}

/// What was found out about a server. Nothing in it holds a password.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// Where it can be logged in to, the first of each protocol being where it was done.
    pub endpoints: Vec<DiscoveredEndpoint>,
    /// Addresses at which it answers and that are not used, with the reason.
    pub left_out: Vec<String>,
    /// The logins that were tried, in order.
    pub logins: Vec<TriedLogin>,
    /// The mailbox that a canary names.
    pub canary: Option<Vec<u8>>,
    /// Everything that the server said before a login: greetings and capabilities.
    pub server_text: Vec<u8>,
    /// How long the refusal of a name that no account has took.
    pub refusal: Option<Duration>,
    /// Whether a second POP3 session of the mailbox is refused; `None` if that is not known.
    pub one_session_per_mailbox: Option<bool>,
}

/// Where a server can be logged in to.
#[derive(Debug, Clone)]
pub struct DiscoveredEndpoint {
    /// Protocol, address, and what protects logins.
    pub endpoint: Endpoint,
    /// The capabilities before TLS, in upper case; `None` for implicit TLS.
    pub before_tls: Option<Vec<String>>,
    /// The capabilities where logins take place, in upper case.
    pub offers: Vec<String>,
}

/// A login with the right password.
#[derive(Debug, Clone)]
pub struct TriedLogin {
    /// The protocol.
    pub protocol: Protocol,
    /// The mechanism.
    pub mechanism: Mechanism,
    /// What came of it.
    pub result: LoginResult,
}

/// What came of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginResult {
    /// It was accepted, and a mailbox opened that is told from others by `canary`, `UIDVALIDITY`, `UIDL`, …
    Opened(String),
    /// It was accepted, but the mailbox cannot be read; the server's answer.
    Unbound(String),
    /// It was refused; the server's answer.
    Refused(String),
    /// Neither; in words.
    Other(String),
}

/// Why a server could not be explored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// Nothing answers at any address.
    #[error("{}", .0.join("\n"))]
    Unreachable(Vec<String>),
    /// TLS fails: nothing was sent, since it may be another server.
    #[error("{0}")]
    Tls(String),
    /// Passwords could be sent in plaintext only.
    #[error("{}", .0.join("\n"))]
    Unprotected(Vec<String>),
    /// The plainest login was refused.
    #[error("{0}")]
    Refused(Box<RefusedLogin>),
    /// No offered mechanism logs in.
    #[error("no login was accepted: {0}")]
    NoLogin(String),
    /// The system gives no random octets.
    #[error("{0}")]
    System(String),
}

impl LoginResult {
    /// Whether the server accepted the login.
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Opened(_) | Self::Unbound(_))
    }
}

impl std::fmt::Display for LoginResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opened(proof) => write!(f, "opened the mailbox ({proof})"),
            Self::Unbound(answer) => write!(f, "accepted, but the mailbox cannot be read: {answer}"),
            Self::Refused(answer) => write!(f, "refused: {answer}"),
            Self::Other(words) => f.write_str(words),
        }
    }
}
