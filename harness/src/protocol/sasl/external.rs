//! EXTERNAL (RFC 4422 appendix A): who it is says the TLS client certificate.

use crate::protocol::Login;
use crate::protocol::outgoing::Outgoing;

/// The identity to act as, which may be empty: then the server takes the certificate's. The login name stands for it
/// where no authorization identity is given.
pub(super) fn message(login: &Login) -> Outgoing {
    Outgoing::from(login.authzid.as_ref().unwrap_or(&login.name))
}
