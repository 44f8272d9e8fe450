//! The reference server: POP3 and IMAP, any dialect, any directory, and login bugs by name.
//!
//! It answers logins as a server of the given [`Dialect`](crate::identity::Dialect) would, for the accounts of the
//! given [`Directory`](crate::identity::Directory), and keeps to the letter of the RFCs otherwise. Each [`Flaw`]
//! makes it wrong in one respect; whoever writes scenarios finds out with them whether the scenarios would notice.
//! Its parsers are its own, so that the client that is tested against it does not share its mistakes.
//!
//! - [`Flaw`], [`Flaws`]: the login bugs that it can be told to have
//! - [`Authority`]: dialect, directory and flaws together decide about credentials
//! - [`TlsFacts`], [`CertificateIdentity`]: what a session is told of the TLS below it
//! - [`ImapSession`], [`Pop3Session`], [`Session`]: one connection each, octets in and octets out, no clock, no socket
//! - `Server` (feature `net`): the sessions behind sockets, with TLS where it has certificates
//!
//! Every mailbox holds one message, the canary, whose header `X-Loginspec-Mailbox` names the mailbox.

mod authority;
mod canary;
#[cfg(feature = "net")]
mod certificates;
mod connection;
mod crypto;
mod flaw;
mod flawed_data;
mod flawed_names;
mod flow;
mod imap;
#[cfg(feature = "net")]
mod listener;
mod passwordless;
mod pop3;
mod reply;
mod sasl;
mod secrets;
mod session;
mod starttls;
#[cfg(feature = "net")]
mod stream;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod flaw_tests;
#[cfg(all(test, feature = "net"))]
mod listener_tests;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tls_tests;

pub use authority::{Authority, Credentials, Decision, Evidence};
#[cfg(feature = "net")]
pub use certificates::{Certificates, IssuedCertificate, ServerTls};
pub use connection::{CertificateIdentity, TlsFacts};
pub use flaw::{Flaw, Flaws};
pub use flow::Flow;
pub use imap::ImapSession;
#[cfg(feature = "net")]
pub use listener::{Config, Server};
pub use pop3::Pop3Session;
pub use session::Session;
