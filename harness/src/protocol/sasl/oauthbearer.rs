//! OAUTHBEARER (RFC 7628): the mailbox in `a=`, the account in the token.

use super::scram_message::saslname;
use crate::axes::Fault;
use crate::protocol::Login;
use crate::protocol::outgoing::Outgoing;

/// The rule that a success after the error challenge breaks.
pub(super) const REFUSED: &str = "after the challenge with the error the login is refused (RFC 7628 §3.2.3)";

/// The GS2 header, then key and value pairs, each ended by ^A, and a last ^A (RFC 7628 §3.1). The `port` is left out:
/// like the `host` it is optional, and nobody here knows it.
pub(super) fn message(login: &Login) -> Outgoing {
    let mut message = Outgoing::plain("n,");
    let identity = login.authzid.as_ref().unwrap_or(&login.name);
    if !identity.is_empty() {
        message.push(b"a=");
        message.push_marked(&saslname(identity));
    }
    message.push(b",\x01");
    if let Some(host) = &login.host {
        message.push(format!("host={host}\x01").as_bytes());
    }
    message.push(b"auth=Bearer ");
    message.push_secret(login.password.expose());
    message.push(if login.fault == Some(Fault::MissingSeparator) { b"\x01" } else { b"\x01\x01" });
    message
}

/// The answer to the challenge that says what is wrong: a lone ^A (RFC 7628 §3.2.3).
pub(super) fn answer_to_error() -> Outgoing {
    Outgoing::plain("\x01")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::{Mechanism, Protocol};
    use crate::protocol::MarkedOctets;
    use crate::secret::Password;

    #[test]
    fn as_in_rfc_7628() {
        let token = Password::new("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        let login = Login {
            host: Some("server.example.com".to_owned()),
            ..Login::new(Protocol::Imap, Mechanism::Oauthbearer, "user@example.com", token)
        };
        // RFC 7628 §4.1, without the port.
        let expected = "n,a=user@example.com,\x01host=server.example.com\x01auth=Bearer \
                        vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(message(&login).octets, expected.as_bytes());
        let login = Login { fault: Some(Fault::MissingSeparator), ..login };
        assert_eq!(Some(message(&login).octets.as_slice()), expected.as_bytes().strip_suffix(b"\x01"));
        assert_eq!(answer_to_error().octets, b"\x01");
    }

    #[test]
    fn the_identity_is_escaped_and_may_be_another() {
        let login = Login::new(Protocol::Imap, Mechanism::Oauthbearer, "a,b=c", Password::new("t"));
        assert_eq!(message(&login).octets, b"n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01");
        let login = Login { authzid: Some("other".into()), ..login };
        assert_eq!(message(&login).octets, b"n,a=other,\x01auth=Bearer t\x01\x01");
        let login = Login { authzid: Some(MarkedOctets::default()), ..login };
        assert_eq!(message(&login).octets, b"n,,\x01auth=Bearer t\x01\x01");
    }
}
