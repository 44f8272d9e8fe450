//! What is found out about a server before the cases.

mod discovery;
mod explorer;
mod refused_login;

pub use discovery::{
    Candidate, DiscoveredEndpoint, Discovery, DiscoveryError, DiscoveryOptions, LoginResult, TriedLogin,
};
pub use explorer::discover;
pub use refused_login::RefusedLogin;
pub(super) use refused_login::is_about_credentials;
