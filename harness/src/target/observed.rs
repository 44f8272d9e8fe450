//! What a run observed of a server besides the cases: its capabilities in each state, the versions of TLS that it
//! accepts, and whether it takes passwords without TLS.

use crate::axes::{Protocol, Security};
use crate::transport::TlsVersion;

/// Where in a session a server is asked what it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// Without TLS, before the login.
    BeforeTls,
    /// Within TLS, before the login.
    WithinTls,
    /// After the login.
    AfterLogin,
}

/// One fact about a server, or why it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation<T> {
    /// It was observed.
    Seen(T),
    /// There is no such fact: a port for implicit TLS has no state before TLS.
    NotApplicable,
    /// The server does not offer what leads there (`STARTTLS`).
    NotOffered(String),
    /// It could not be observed, for this reason.
    Failed(String),
}

/// What was observed of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedEndpoint {
    /// The protocol.
    pub protocol: Protocol,
    /// The security that the target declares for the endpoint.
    pub security: Security,
    /// The capabilities without TLS, in upper case.
    pub before_tls: Observation<Vec<String>>,
    /// The capabilities within TLS.
    pub within_tls: Observation<Vec<String>>,
    /// The capabilities after the login.
    pub after_login: Observation<Vec<String>>,
    /// The oldest version of TLS that the server accepts, of those that the client speaks: 1.2 and 1.3.
    pub oldest_tls: Observation<TlsVersion>,
    /// Whether the server takes a password without TLS.
    pub plaintext_passwords: Observation<bool>,
}

/// What was observed of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Its endpoints, in the target's order.
    pub endpoints: Vec<ObservedEndpoint>,
}

impl SessionState {
    /// Every state, in the order in which a session goes through them.
    pub const ALL: [Self; 3] = [Self::BeforeTls, Self::WithinTls, Self::AfterLogin];
    /// Their words.
    pub const WORDS: &'static [&'static str] = &["before-tls", "within-tls", "after-login"];

    /// The word in files and ids.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BeforeTls => "before-tls",
            Self::WithinTls => "within-tls",
            Self::AfterLogin => "after-login",
        }
    }

    /// The state in words that read after what a server does.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::BeforeTls => "before TLS",
            Self::WithinTls => "within TLS",
            Self::AfterLogin => "after the login",
        }
    }

    /// The state that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether an endpoint with this security has the state.
    pub const fn fits(self, security: Security) -> bool {
        match self {
            Self::BeforeTls => !matches!(security, Security::Tls),
            Self::WithinTls => !matches!(security, Security::Plaintext),
            Self::AfterLogin => true,
        }
    }

    /// The state in which logins are made at an endpoint with this security.
    pub const fn of_logins(security: Security) -> Self {
        match security {
            Security::Plaintext => Self::BeforeTls,
            Security::Starttls | Security::Tls => Self::WithinTls,
        }
    }
}

impl<T> Observation<T> {
    /// The fact, where it was observed.
    pub const fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(fact) => Some(fact),
            Self::NotApplicable | Self::NotOffered(_) | Self::Failed(_) => None,
        }
    }

    /// What the server does not offer, where that is why the fact is not known.
    pub fn not_offered(&self) -> Option<&str> {
        match self {
            Self::NotOffered(what) => Some(what),
            Self::Seen(_) | Self::NotApplicable | Self::Failed(_) => None,
        }
    }
}

impl ObservedEndpoint {
    /// The capabilities in a state.
    pub const fn capabilities(&self, state: SessionState) -> &Observation<Vec<String>> {
        match state {
            SessionState::BeforeTls => &self.before_tls,
            SessionState::WithinTls => &self.within_tls,
            SessionState::AfterLogin => &self.after_login,
        }
    }

    /// The capabilities with which logins are made.
    pub const fn login_capabilities(&self) -> &Observation<Vec<String>> {
        self.capabilities(SessionState::of_logins(self.security))
    }
}

impl Observed {
    /// What was observed of the endpoint with this protocol and security.
    pub fn endpoint(&self, protocol: Protocol, security: Security) -> Option<&ObservedEndpoint> {
        self.endpoints.iter().find(|endpoint| (endpoint.protocol, endpoint.security) == (protocol, security))
    }
}
