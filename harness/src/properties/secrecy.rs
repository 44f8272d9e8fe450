//! No form of a password is ever shown.

use std::time::Duration;

use arbitrary::Unstructured;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::world::{cuts, pieces, rest};
use crate::protocol::{Redactor, Transcript};
use crate::secret::Password;

/// The shortest password that is looked for: shorter ones are parts of words that are no secret.
const SHORTEST: usize = 6;

/// Whatever a server repeats of a password, in whichever form and however it is cut, a transcript does not show it.
///
/// The input: up to four cuts, the password's length and octets, then what the server says, in which each octet above
/// 0x7f stands for a form of the password.
pub fn redaction(input: &[u8]) {
    let _ = echo(&mut Unstructured::new(input));
}

fn echo(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let cuts = cuts(input)?;
    let length = input.int_in_range(SHORTEST..=24)?;
    let password: String = input.bytes(length)?.iter().map(|octet| char::from(b'!' + octet % 94)).collect();
    let forms = forms(&password);
    let mut said = Vec::new();
    for &octet in rest(input) {
        match forms.get(usize::from(octet & 0x7f) % forms.len()) {
            Some(form) if octet > 0x7f => said.extend_from_slice(form.as_bytes()),
            _ => said.push(octet),
        }
    }
    let redactor = Redactor::new(&[Password::new(password.as_str())]);
    let mut transcript = Transcript::new();
    for piece in pieces(&said, cuts) {
        transcript.received(Duration::ZERO, piece);
    }
    let shown = transcript.render(&redactor);
    // What the transcript adds of its own is no form of a password, even where it looks like one.
    let shown = shown.replace("<password>", "\n").replace("S: [closed]", "");
    let lines: Vec<&str> = shown.lines().map(|line| line.trim_start_matches("S: ")).collect();
    for form in &forms {
        assert!(!lines.iter().any(|line| line.contains(form)), "{form} is in {shown}");
    }
    let text = String::from_utf8_lossy(&said);
    let redacted = redactor.redact_text(&text).replace("<password>", "\n");
    for form in &forms {
        assert!(!redacted.contains(form), "{form} is in {redacted}");
    }
    Ok(())
}

/// A password as it may stand on the wire.
fn forms(password: &str) -> Vec<String> {
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
