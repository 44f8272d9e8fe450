//! PLAIN (RFC 4616).

use crate::axes::Fault;
use crate::protocol::Login;
use crate::protocol::outgoing::Outgoing;

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 §2).
pub(super) fn message(login: &Login) -> Outgoing {
    let mut message = login.authzid.as_ref().map(Outgoing::from).unwrap_or_default();
    if login.fault != Some(Fault::MissingNul) {
        message.push(b"\0");
    }
    message.push_marked(&login.name);
    message.push(b"\0");
    message.push_secret(login.password.expose());
    if login.fault == Some(Fault::ExtraNul) {
        message.push(b"\0x");
    }
    message
}
