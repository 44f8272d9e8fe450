//! CRAM-MD5 (RFC 2195): a timestamp, answered with the name and the timestamp's HMAC under the password.

use super::super::authority::Evidence;
use super::super::crypto::{hex, hmac_md5, is_md5_hex, same_octets};
use super::super::flaw::Flaw;
use super::{Context, Step};
use crate::axes::Mechanism;
use crate::identity::Account;

/// A timestamp that there has not been before (RFC 2195 §2).
pub(super) fn challenge(context: Context<'_>) -> Vec<u8> {
    let secrets = context.authority.secrets();
    if context.authority.flaws().has(Flaw::CramSameChallenge) { secrets.same_timestamp() } else { secrets.timestamp() }
}

/// Name, space, digest. Names hold spaces, digests do not: the last space ends the name.
pub(super) fn answer(challenge: &[u8], answer: &[u8], context: Context<'_>) -> Result<Step, &'static str> {
    let is_space = |&octet: &u8| octet == b' ';
    let at = if context.authority.flaws().has(Flaw::CramSplitsAtFirstSpace) {
        answer.iter().position(is_space)
    } else {
        answer.iter().rposition(is_space)
    };
    let halves = at.and_then(|at| Some((answer.get(..at)?, answer.get(at + 1..)?)));
    let Some((name, digest)) = halves.filter(|(_, digest)| is_md5_hex(digest)) else {
        return Err("CRAM-MD5 takes a name, a space and 32 lower-case hexadecimal digits (RFC 2195 section 2)");
    };
    let proof = |account: &Account| same_octets(&hex(&hmac_md5(account.password.expose(), &[challenge])), digest);
    Ok(Step::Decided(context.decide(Mechanism::CramMd5, name, b"", Evidence::Proof(&proof))))
}
