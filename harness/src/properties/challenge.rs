//! SASL challenges from a hostile server, for every mechanism.

use arbitrary::Unstructured;

use super::world::{rest, way};
use crate::axes::{Mechanism, Way};
use crate::protocol::sasl::{Sasl, decode_challenge};
use crate::protocol::{Login, Outgoing, Redactor, Secured};
use crate::secret::Password;

/// Who logs in. The reference server knows the two by the dialect `opaque`, so that seeds can be made with it.
const NAME: &str = "Same";
const PASSWORD: &str = "Secret-Same";

/// The most octets that any of our responses has: an oversized one on purpose has 16384 of filling, in BASE64.
const LONGEST: usize = 64 * 1024;

/// Whatever a server asks for, the client answers within bounds or says which rule the challenge breaks; a mechanism that
/// proves the password never sends it; and what is shown of a response does not tell it.
///
/// The input: the way of logging in, whether the channel is bound, whether the mechanism is offered with channel binding,
/// whether there is an initial response; then challenges with [`BETWEEN`] between them.
pub fn sasl_challenge(input: &[u8]) {
    let _ = exchange(&mut Unstructured::new(input));
}

/// The login that meets the challenges.
pub(super) fn login((protocol, mechanism, encoding): Way) -> Login {
    Login { encoding, ..Login::new(protocol, mechanism, NAME, Password::new(PASSWORD)) }
}

/// How far an exchange came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reached {
    /// Whether all was said, and the server has proved what it has to.
    is_over: bool,
    /// How many challenges were answered.
    answered: usize,
}

/// How far an input comes.
pub(super) fn reached(input: &[u8]) -> Option<Reached> {
    exchange(&mut Unstructured::new(input)).ok().flatten().map(|(_, reached)| reached)
}

/// The mechanism of an exchange, and how far it came; nothing where the login is none of SASL's.
fn exchange(input: &mut Unstructured<'_>) -> arbitrary::Result<Option<(Mechanism, Reached)>> {
    let way = way(input)?;
    let mechanism = way.1;
    let secured = input.arbitrary::<bool>()?.then(|| Secured { exporter: Some([7; 32]), ..Secured::default() });
    let offers_plus = input.arbitrary()?;
    let Ok(Some(mut sasl)) = Sasl::new(&login(way), secured.as_ref(), offers_plus) else { return Ok(None) };
    if input.arbitrary()?
        && let Some(response) = sasl.initial_response()
    {
        let mut outgoing = Outgoing::default();
        response.push_initial_to(&mut outgoing);
        check(mechanism, &outgoing, b"");
    }
    let said = rest(input);
    let mut answered = 0;
    for challenge in split(said).take(8) {
        // As it travels, and as it is meant.
        let _ = decode_challenge(challenge);
        let Ok(turn) = sasl.next(challenge) else { break };
        let mut outgoing = Outgoing::default();
        turn.response.push_to(&mut outgoing);
        check(mechanism, &outgoing, said);
        answered += 1;
    }
    let is_over = sasl.is_complete() && sasl.unproven().is_none();
    Ok(Some((mechanism, Reached { is_over, answered })))
}

/// What stands between two challenges; no mechanism has these octets in one, as NTLM has NUL.
pub(super) const BETWEEN: &[u8] = b"\r\n+ ";

fn split(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(octets);
    std::iter::from_fn(move || {
        let octets = rest?;
        match octets.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
            Some(at) => {
                rest = octets.get(at + BETWEEN.len()..);
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
    // Who asks with the password in hand gets it back, as in a nonce: DIGEST-MD5's is spelt anew (RFC 2831 §7.2).
    let is_told = holds(challenge) || holds(&without_quoted_pairs(challenge));
    let line = outgoing.octets.trim_ascii_end();
    let sent = decode_challenge(line).unwrap_or_default();
    assert!(
        !mechanism.proves_password() || is_told || !holds(&sent) && !holds(line),
        "the password travels with {mechanism}: {}",
        line.escape_ascii()
    );
}

/// What is meant where each `\x` is `x`, as in a quoted string.
fn without_quoted_pairs(octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.iter().copied();
    std::iter::from_fn(|| octets.next().and_then(|octet| if octet == b'\\' { octets.next() } else { Some(octet) }))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_seeds_bring_every_mechanism_to_its_end() {
        let seeds = crate::properties::seeds();
        let reached = seeds["sasl_challenge"].iter().filter_map(|seed| exchange(&mut Unstructured::new(seed)).unwrap());
        let over: BTreeSet<&str> =
            reached.filter(|(_, reached)| reached.is_over).map(|(mechanism, _)| mechanism.word()).collect();
        let all: BTreeSet<&str> =
            Mechanism::ALL.iter().filter(|mechanism| mechanism.is_sasl()).map(|mechanism| mechanism.word()).collect();
        assert_eq!(over, all);
    }
}
