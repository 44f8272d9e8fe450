//! What is found out about a server before the cases.

mod refused_login;

pub use refused_login::RefusedLogin;
pub(super) use refused_login::is_about_credentials;
