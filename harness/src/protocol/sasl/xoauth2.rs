//! XOAUTH2 (Google's and Microsoft's): the mailbox in `user=`, the account in the token.

use crate::axes::Fault;
use crate::protocol::Login;
use crate::protocol::outgoing::Outgoing;

/// The rule that a success after the error challenge breaks.
pub(super) const REFUSED: &str = "after the challenge with the error the login is refused (Google's XOAUTH2 protocol)";

/// `user=`, the name, ^A, `auth=Bearer`, the token, ^A ^A.
pub(super) fn message(login: &Login) -> Outgoing {
    let mut message = Outgoing::plain("user=");
    message.push_marked(&login.name);
    message.push(b"\x01auth=Bearer ");
    message.push_secret(login.password.expose());
    message.push(if login.fault == Some(Fault::MissingSeparator) { b"\x01" } else { b"\x01\x01" });
    message
}

/// The answer to the challenge that says what is wrong: an empty response.
pub(super) fn answer_to_error() -> Outgoing {
    Outgoing::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::{Mechanism, Protocol};
    use crate::secret::Password;

    #[test]
    fn as_google_documents_it() {
        let token = Password::new("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        let login = Login::new(Protocol::Imap, Mechanism::Xoauth2, "someuser@example.com", token);
        let whole = message(&login).octets;
        let expected = "user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01";
        assert_eq!(whole, expected.as_bytes());
        let login = Login { fault: Some(Fault::MissingSeparator), ..login };
        assert_eq!(Some(message(&login).octets.as_slice()), whole.strip_suffix(b"\x01"));
    }
}
