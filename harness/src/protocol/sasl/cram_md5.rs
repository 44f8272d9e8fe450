//! CRAM-MD5 (RFC 2195).

use super::hash::{change_last_octet, flip_last_bit, hex, hmac_md5};
use crate::axes::Fault;
use crate::protocol::Login;
use crate::protocol::outgoing::Outgoing;

/// The name, a space, and the keyed digest of the challenge in lower-case hexadecimal (RFC 2195 §2).
pub(super) fn message(login: &Login, challenge: &[u8]) -> Outgoing {
    let mut challenge = challenge.to_vec();
    if login.fault == Some(Fault::WrongNonce) {
        change_last_octet(&mut challenge);
    }
    let mut digest = hmac_md5(login.password.expose(), &[&challenge]);
    if login.fault == Some(Fault::WrongProof) {
        flip_last_bit(&mut digest);
    }
    let mut digest = hex(&digest);
    if login.fault == Some(Fault::ShortDigest) {
        digest.pop();
    }
    let mut message = Outgoing::from(&login.name);
    message.push(b" ");
    message.push_secret(digest.as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::{Mechanism, Protocol};
    use crate::secret::Password;

    fn answer(fault: Option<Fault>) -> String {
        let password = Password::new("tanstaaftanstaaf");
        let login = Login { fault, ..Login::new(Protocol::Imap, Mechanism::CramMd5, "tim", password) };
        let message = message(&login, b"<1896.697170952@postoffice.reston.mci.net>");
        assert_eq!(message.secrets.first(), Some(&(4..message.octets.len())));
        String::from_utf8(message.octets).unwrap_or_default()
    }

    #[test]
    fn as_in_rfc_2195() {
        assert_eq!(answer(None), "tim b913a602c7eda7a495b4e6e7334d3890");
    }

    #[test]
    fn each_fault_changes_what_it_says() {
        assert_eq!(answer(Some(Fault::WrongProof)), "tim b913a602c7eda7a495b4e6e7334d3891");
        assert_eq!(answer(Some(Fault::ShortDigest)), "tim b913a602c7eda7a495b4e6e7334d389");
        let digest = hex(&hmac_md5(b"tanstaaftanstaaf", &[b"<1896.697170952@postoffice.reston.mci.netA"]));
        assert_eq!(answer(Some(Fault::WrongNonce)), format!("tim {digest}"));
    }
}
