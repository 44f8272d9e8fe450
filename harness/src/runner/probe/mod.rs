//! What is found out about a server by conversations that are no cases.

mod broken_tls;
mod discovery;
mod explorer;
mod plaintext_passwords;
mod refused_login;
mod security;
mod server_state;
mod tls_versions;

pub(super) use broken_tls::BrokenTls;
pub use discovery::{
    Candidate, DiscoveredEndpoint, Discovery, DiscoveryError, DiscoveryOptions, LoginResult, TriedLogin,
};
pub use explorer::discover;
pub use refused_login::RefusedLogin;
pub(super) use refused_login::is_about_credentials;
pub use security::{SecurityShortfall, UnmetSecurity};
pub(super) use security::{advertises_starttls, own_securities, refuses_plaintext, upgrade_notes};
pub(super) use server_state::{observe, redactor};
