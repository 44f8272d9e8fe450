//! One login attempt: who logs in, and how the credentials travel.

use std::sync::Arc;

use super::fresh::Fresh;
use super::imap::command::is_astring_char;
use super::marked_octets::MarkedOctets;
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};
use crate::secret::Password;

/// One login attempt: who, and how it travels.
#[derive(Debug, Clone)]
pub struct Login {
    /// The protocol.
    pub protocol: Protocol,
    /// How the credentials travel.
    pub mechanism: Mechanism,
    /// How they are encoded; `None` is [`Encoding::default_for`].
    pub encoding: Option<Encoding>,
    /// What protects the connection before the login; with STARTTLS the session asks for it first.
    pub security: Security,
    /// The login name.
    pub name: MarkedOctets,
    /// SASL's authorization identity (RFC 4422 §3.4.1): whom to act as; `None` if the server is to derive it.
    pub authzid: Option<MarkedOctets>,
    /// The password, or the token where the mechanism takes one.
    pub password: Password,
    /// How the client is wrong on purpose.
    pub fault: Option<Fault>,
    /// What makes this login differ from the next.
    pub fresh: Fresh,
    /// What the server is known to offer on such a connection, as its capabilities with spaces between them: the session
    /// does not ask then. Each mechanism of POP3 stands there as IMAP says it, `AUTH=PLAIN`.
    pub known_capabilities: Option<Arc<[u8]>>,
    /// Whether the session ends as soon as the login is accepted, and opens no mailbox; it then proves none.
    pub ends_after_login: bool,
    /// The name by which the server is reached, for mechanisms that name it (DIGEST-MD5's `digest-uri`).
    pub host: Option<String>,
}

impl Login {
    /// A plain login: in plaintext, without authorization identity, and nothing wrong on purpose.
    pub fn new(protocol: Protocol, mechanism: Mechanism, name: impl Into<MarkedOctets>, password: Password) -> Self {
        Self {
            protocol,
            mechanism,
            encoding: None,
            security: Security::Plaintext,
            name: name.into(),
            authzid: None,
            password,
            fault: None,
            fresh: Fresh::default(),
            known_capabilities: None,
            ends_after_login: false,
            host: None,
        }
    }

    /// Whether the grammar allows this name and this password in their encoding.
    ///
    /// Only an atom is limited in what it holds (RFC 9051 §9, `ASTRING-CHAR`); it is sent as it is all the same.
    pub fn is_within_grammar(&self) -> bool {
        let is_atom = |octets: &[u8]| !octets.is_empty() && octets.iter().all(|&octet| is_astring_char(octet));
        self.encoding != Some(Encoding::Atom) || is_atom(self.name.expose()) && is_atom(self.password.expose())
    }
}
