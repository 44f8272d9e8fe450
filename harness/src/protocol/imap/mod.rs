//! IMAP from the client's side (RFC 9051, RFC 3501).

mod capabilities;
pub mod command;
mod login;
mod mailbox;
pub mod response;

pub(super) use login::ImapLogin;
