//! ANONYMOUS (RFC 4505).

use crate::protocol::Login;
use crate::protocol::outgoing::Outgoing;

/// The trace: the login name, which proves nothing and may be empty.
pub(super) fn message(login: &Login) -> Outgoing {
    Outgoing::from(&login.name)
}
