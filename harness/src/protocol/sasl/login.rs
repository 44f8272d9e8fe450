//! LOGIN (draft-murchison-sasl-login): the name, then the password, each when it is asked for.

use crate::protocol::Login;
use crate::protocol::outgoing::Outgoing;

/// The answer to the first prompt.
pub(super) fn name(login: &Login) -> Outgoing {
    Outgoing::plain(login.name.clone())
}

/// The answer to the second prompt.
pub(super) fn password(login: &Login) -> Outgoing {
    let mut message = Outgoing::default();
    message.push_secret(login.password.expose());
    message
}
