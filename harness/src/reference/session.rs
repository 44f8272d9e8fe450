//! One connection of either protocol.

use std::sync::Arc;

use super::authority::Authority;
use super::connection::TlsFacts;
use super::flow::Flow;
use super::imap::ImapSession;
use super::pop3::Pop3Session;
use crate::axes::Protocol;

/// One connection, octets in and octets out.
pub enum Session {
    /// Of IMAP.
    Imap(ImapSession),
    /// Of POP3.
    Pop3(Pop3Session),
}

impl Session {
    /// Begins a session.
    pub fn new(protocol: Protocol, authority: Arc<Authority>) -> Self {
        match protocol {
            Protocol::Imap => Self::Imap(ImapSession::new(authority)),
            Protocol::Pop3 => Self::Pop3(Pop3Session::new(authority)),
        }
    }

    /// TLS stands: what was said before it is forgotten (RFC 9051 §6.2.1, RFC 2595 §4).
    pub fn secured(&mut self, facts: TlsFacts) {
        match self {
            Self::Imap(session) => session.secured(facts),
            Self::Pop3(session) => session.secured(facts),
        }
    }

    /// Appends what the server says first.
    pub fn greeting(&self, out: &mut Vec<u8>) {
        match self {
            Self::Imap(session) => session.greeting(out),
            Self::Pop3(session) => session.greeting(out),
        }
    }

    /// Takes what the client sent and appends the replies. How the octets are cut makes no difference.
    pub fn receive(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Flow {
        match self {
            Self::Imap(session) => session.receive(octets, out),
            Self::Pop3(session) => session.receive(octets, out),
        }
    }

    /// Whether the replies to come are to come late; asked once for each piece of input.
    pub const fn takes_time(&mut self) -> bool {
        match self {
            Self::Imap(session) => session.takes_time(),
            Self::Pop3(session) => session.takes_time(),
        }
    }

    /// Whether a login has been accepted.
    pub const fn is_logged_in(&self) -> bool {
        match self {
            Self::Imap(session) => session.is_logged_in(),
            Self::Pop3(session) => session.is_logged_in(),
        }
    }
}
