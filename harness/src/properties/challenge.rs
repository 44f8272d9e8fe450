//! SASL challenges from a hostile server, for every mechanism.

use arbitrary::Unstructured;

use super::world::{PASSWORD, rest, way};
use crate::axes::Mechanism;
use crate::protocol::sasl::{Sasl, decode_challenge};
use crate::protocol::{Login, Outgoing, Redactor, Secured};
use crate::secret::Password;

/// The most octets that any of our responses has: an oversized one on purpose has 16384 of filling, in BASE64.
const LONGEST: usize = 64 * 1024;

/// Whatever a server asks for, the client answers within bounds or says which rule the challenge breaks; a mechanism that
/// proves the password never sends it; and what is shown of a response does not tell it.
///
/// The input: the way of logging in, whether the channel is bound, and challenges with NUL NUL between them.
pub fn sasl_challenge(input: &[u8]) {
    let _ = exchange(&mut Unstructured::new(input));
}

fn exchange(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let (protocol, mechanism, encoding) = way(input)?;
    let secured = input.arbitrary::<bool>()?.then(|| Secured { exporter: Some([7; 32]), ..Secured::default() });
    let login = Login { encoding, ..Login::new(protocol, mechanism, br"Domain1\User1", Password::new(PASSWORD)) };
    let offers_plus = input.arbitrary()?;
    let Ok(Some(mut sasl)) = Sasl::new(&login, secured.as_ref(), offers_plus) else { return Ok(()) };
    if input.arbitrary()?
        && let Some(response) = sasl.initial_response()
    {
        let mut outgoing = Outgoing::default();
        response.push_initial_to(&mut outgoing);
        check(mechanism, &outgoing, b"");
    }
    let said = rest(input);
    for challenge in split(said).take(8) {
        // As it travels, and as it is meant.
        let _ = decode_challenge(challenge);
        let Ok(turn) = sasl.next(challenge) else { break };
        let mut outgoing = Outgoing::default();
        turn.response.push_to(&mut outgoing);
        check(mechanism, &outgoing, said);
        let _ = (sasl.is_complete(), sasl.unproven());
    }
    Ok(())
}

fn split(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(octets);
    std::iter::from_fn(move || {
        let octets = rest?;
        match octets.windows(2).position(|pair| pair == b"\0\0") {
            Some(at) => {
                rest = octets.get(at + 2..);
                octets.get(..at)
            }
            None => rest.take(),
        }
    })
}

fn check(mechanism: Mechanism, outgoing: &Outgoing, challenge: &[u8]) {
    assert!(outgoing.octets.len() <= LONGEST, "a response of {} octets with {mechanism}", outgoing.octets.len());
    let mut end = 0;
    for secret in &outgoing.secrets {
        assert!(secret.start >= end && secret.end <= outgoing.octets.len(), "secrets overlap: {:?}", outgoing.secrets);
        end = secret.end;
    }
    // As a transcript shows it: what a server repeats of the password is masked there.
    let redactor = Redactor::new(&[Password::new(PASSWORD)]);
    let meaning = redactor.redact_text(outgoing.meaning.as_deref().unwrap_or_default());
    assert!(!meaning.contains(PASSWORD), "the password is shown: {meaning}");
    let holds = |octets: &[u8]| octets.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
    let line = outgoing.octets.trim_ascii_end();
    let sent = decode_challenge(line).unwrap_or_default();
    assert!(
        !mechanism.proves_password() || holds(challenge) || !holds(&sent) && !holds(line),
        "the password travels with {mechanism}: {}",
        line.escape_ascii()
    );
}
