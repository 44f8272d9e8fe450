//! POP3 from the client's side (RFC 1939, RFC 2449, RFC 5034).

pub(crate) mod apop;
mod login;
pub mod response;

pub(super) use login::Pop3Login;
