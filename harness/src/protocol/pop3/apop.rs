//! APOP (RFC 1939 §7): a digest of the greeting's timestamp and the password.

use crate::axes::Fault;
use crate::protocol::Login;
use crate::protocol::outgoing::Outgoing;
use crate::protocol::sasl::{change_last_octet, flip_last_bit, hex, md5};

/// The timestamp in the greeting's text, angle brackets included.
pub fn timestamp(greeting: &[u8]) -> Option<&[u8]> {
    let start = greeting.iter().position(|octet| *octet == b'<')?;
    let text = greeting.get(start..)?;
    let end = text.iter().position(|octet| *octet == b'>')?;
    text.get(..=end)
}

/// `APOP`, the name, and the digest in lower-case hexadecimal.
pub fn command(login: &Login, timestamp: &[u8]) -> Outgoing {
    let mut timestamp = timestamp.to_vec();
    if login.fault == Some(Fault::WrongNonce) {
        change_last_octet(&mut timestamp);
    }
    let mut digest = md5(&[&timestamp, login.password.expose()]);
    if login.fault == Some(Fault::WrongProof) {
        flip_last_bit(&mut digest);
    }
    let mut digest = hex(&digest);
    if login.fault == Some(Fault::ShortDigest) {
        digest.pop();
    }
    let mut command = Outgoing::plain("APOP ");
    command.push_marked(&login.name);
    command.push(b" ");
    command.push_secret(digest.as_bytes());
    command.push(b"\r\n");
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::{Mechanism, Protocol};
    use crate::secret::Password;

    const STAMP: &str = "<1896.697170952@dbc.mtview.ca.us>";

    fn line(fault: Option<Fault>) -> String {
        let login = Login::new(Protocol::Pop3, Mechanism::Apop, "mrose", Password::new("tanstaaf"));
        let command = command(&Login { fault, ..login }, STAMP.as_bytes());
        assert_eq!(command.secrets.first(), Some(&(11..command.octets.len() - 2)));
        String::from_utf8(command.octets).unwrap_or_default()
    }

    #[test]
    fn as_in_rfc_1939() {
        assert_eq!(line(None), "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
    }

    #[test]
    fn each_fault_changes_what_it_says() {
        assert_eq!(line(Some(Fault::WrongProof)), "APOP mrose c4c9334bac560ecc979e58001b3e22fa\r\n");
        assert_eq!(line(Some(Fault::ShortDigest)), "APOP mrose c4c9334bac560ecc979e58001b3e22f\r\n");
        let digest = hex(&md5(&[b"<1896.697170952@dbc.mtview.ca.usA", b"tanstaaf"]));
        assert_eq!(line(Some(Fault::WrongNonce)), format!("APOP mrose {digest}\r\n"));
    }

    #[test]
    fn the_timestamp_is_found_with_its_brackets() {
        let greeting = format!("POP3 server ready {STAMP} hello");
        assert_eq!(timestamp(greeting.as_bytes()), Some(STAMP.as_bytes()));
        for none in ["ready", "a > b", "ready <1@x", ""] {
            assert_eq!(timestamp(none.as_bytes()), None, "{none}");
        }
    }
}
