//! LOGIN (draft-murchison-sasl-login): the name, then the password, each when it is asked for.

use crate::protocol::Login;
use crate::protocol::outgoing::Outgoing;

/// The answer to the first prompt.
pub(super) fn name(login: &Login) -> Outgoing {
    Outgoing::from(&login.name)
}

/// Whether a prompt says that the name is wanted: `User Name` in the draft, `Username:` on most servers.
pub(super) fn asks_for_name(prompt: &[u8]) -> bool {
    prompt.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"user"))
}

/// The answer to the second prompt.
pub(super) fn password(login: &Login) -> Outgoing {
    let mut message = Outgoing::default();
    message.push_secret(login.password.expose());
    message
}
