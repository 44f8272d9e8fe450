//! What is found out about a server by conversations that are no cases.

mod plaintext_passwords;
mod server_state;
mod tls_versions;

pub(super) use server_state::observe;
