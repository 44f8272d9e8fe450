//! The watch over a server's willingness to talk: it notices when the server bans this address or locks an account.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many connections in a row a server must refuse before a ban is suspected.
const SUSPICIOUS: usize = 5;

/// Why nothing more is asked of a server. None of it is a finding about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockedOut {
    /// The server accepted connections before, and now refuses each of them.
    Banned {
        /// The address that refuses.
        address: String,
        /// How many connections it accepted before.
        accepted: usize,
        /// What became of the last connection, in words.
        last: String,
    },
    /// The login that worked before is refused.
    AccountLocked {
        /// The account's role.
        role: String,
        /// How many wrong passwords it got.
        wrong_passwords: u64,
        /// What the refusal said.
        refusal: String,
    },
}

/// What is known of one server.
#[derive(Default)]
pub(crate) struct AccessWatch {
    accepted: AtomicUsize,
    refused_in_a_row: AtomicUsize,
    locked_out: OnceLock<LockedOut>,
    /// Held by whoever confirms a suspicion, so that one does.
    pub confirming: tokio::sync::Mutex<()>,
}

impl AccessWatch {
    /// Notes a connection that the server greeted.
    pub fn note_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.refused_in_a_row.store(0, Ordering::Relaxed);
    }

    /// Notes a connection that failed, or that the server closed before the greeting. Whether a ban is to be suspected.
    pub fn note_refused(&self) -> bool {
        self.refused_in_a_row.fetch_add(1, Ordering::Relaxed);
        self.is_suspicious()
    }

    /// Whether the server refused several connections in a row after it had accepted some.
    pub fn is_suspicious(&self) -> bool {
        self.accepted() > 0 && self.refused_in_a_row.load(Ordering::Relaxed) >= SUSPICIOUS
    }

    /// How many connections the server greeted.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Stops asking the server. The first reason stays.
    pub fn stop(&self, why: LockedOut) {
        let _ = self.locked_out.set(why);
    }

    /// Why nothing more is asked; none as long as the server lets this client in.
    pub fn locked_out(&self) -> Option<&LockedOut> {
        self.locked_out.get()
    }
}

impl LockedOut {
    /// The reason in a few words.
    pub const fn short(&self) -> &'static str {
        match self {
            Self::Banned { .. } => "this address appears to be banned",
            Self::AccountLocked { .. } => "the account appears to be locked",
        }
    }
}

impl fmt::Display for LockedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Banned { address, accepted, last } => write!(
                f,
                "this address appears to be banned: {address} accepted {accepted} connections and now refuses each of \
                 them ({last}); lift the ban, and exempt this address from it (docs/test-servers.md)"
            ),
            Self::AccountLocked { role, wrong_passwords, refusal } => write!(
                f,
                "the account of role {role} appears to be locked: its login worked before, and after {wrong_passwords} \
                 wrong passwords it is refused ({refusal}); unlock it, and declare `lockout` under [limits]"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_is_suspected_only_of_a_server_that_accepted_connections() {
        let watch = AccessWatch::default();
        assert!((0..20).all(|_| !watch.note_refused()));
        watch.note_accepted();
        let suspicions: Vec<bool> = (0..5).map(|_| watch.note_refused()).collect();
        assert_eq!(suspicions, [false, false, false, false, true]);
        watch.note_accepted();
        assert!(!watch.note_refused());
    }
}
