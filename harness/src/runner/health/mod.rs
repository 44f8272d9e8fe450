//! Whether a server still lets this client in: a ban or a lock must not be mistaken for what the cases are about.

mod access;
mod silence;

pub(super) use access::AccessWatch;
pub use access::LockedOut;
pub(crate) use silence::SilenceWatch;
