//! What is found out about a server before the cases, without logging in.

mod broken_tls;
mod security;

pub(super) use broken_tls::BrokenTls;
pub use security::{SecurityShortfall, UnmetSecurity};
pub(super) use security::{advertises_starttls, own_securities, refuses_plaintext, upgrade_notes};
