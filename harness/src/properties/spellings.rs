//! The spellings of a password on the wire, and what servers say with them in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A password of printable ASCII.
pub(super) fn printable(octets: &[u8]) -> String {
    octets.iter().map(|octet| char::from(b'!' + octet % 94)).collect()
}

/// What a server says, in which each octet above 0x7f stands for a form of the password, and the last one for what the
/// client has said.
pub(super) fn spell(octets: &[u8], forms: &[String], heard: &[u8]) -> Vec<u8> {
    let mut said = Vec::new();
    for &octet in octets {
        match forms.get(usize::from(octet & 0x7f) % forms.len()) {
            _ if octet == 0xff => said.extend_from_slice(heard),
            Some(form) if octet > 0x7f => said.extend_from_slice(form.as_bytes()),
            _ => said.push(octet),
        }
    }
    said
}

/// A password as it may stand on the wire.
pub(super) fn forms(password: &str) -> Vec<String> {
    let hex: String = password.bytes().map(|octet| format!("{octet:02x}")).collect();
    let quoted = password.replace('\\', "\\\\").replace('"', "\\\"");
    vec![
        password.to_owned(),
        quoted,
        STANDARD.encode(password),
        STANDARD.encode(format!("\0Domain1\\User1\0{password}")),
        STANDARD.encode(format!("xy\0Domain1\\User1\0{password}")),
        hex.to_ascii_uppercase(),
        hex,
    ]
}
