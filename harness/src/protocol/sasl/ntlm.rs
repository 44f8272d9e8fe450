//! NTLM as a SASL mechanism: NEGOTIATE, CHALLENGE and AUTHENTICATE with an NTLMv2 response (MS-NLMP).
//!
//! Domain and user travel in fields of their own, split at the first backslash of the login name, and there is none
//! for the mailbox. Nothing is signed or sealed afterwards, so that no session key is exchanged.

use md4::{Digest as _, Md4};

use super::hash::{flip_last_bit, hmac_md5};
use super::ntlm_message::{self, Authenticate, Challenge};
use super::response::readable;
use crate::axes::Fault;
use crate::protocol::outgoing::{Outgoing, PLACEHOLDER};
use crate::protocol::{Login, MarkedOctets};

/// What of this login NTLM cannot carry: its fields are UTF-16, and their lengths have 16 bits.
pub(super) fn unfit(login: &Login) -> Option<String> {
    let is_text = |octets: &[u8]| std::str::from_utf8(octets).is_ok();
    if !is_text(login.name.expose()) || !is_text(login.password.expose()) {
        return Some("a name or password that is not UTF-8 with ntlm".to_owned());
    }
    (login.name.len() > usize::from(u16::MAX / 2)).then(|| "so long a name with ntlm".to_owned())
}

/// `NEGOTIATE_MESSAGE`.
pub(super) fn negotiate() -> Outgoing {
    let mut message = Outgoing::plain(ntlm_message::negotiate());
    message.meaning = Some("NTLM type 1".to_owned());
    message
}

/// `AUTHENTICATE_MESSAGE` in answer to the server's challenge.
pub(super) fn authenticate(login: &Login, challenge: &[u8]) -> Result<Outgoing, &'static str> {
    let challenge = Challenge::parse(challenge)?;
    let (domain, user) = split(&login.name);
    let key = response_key(user.expose(), login.password.expose(), domain.expose());
    let [a, b, c, d, e, f, g, h, ..] = login.fresh.nonce;
    let client_challenge = [a, b, c, d, e, f, g, h];
    // Where the server tells its time, the client uses that and sends no LM response (MS-NLMP §3.1.5.1.2).
    let timestamp = challenge.timestamp();
    let time = timestamp.unwrap_or(login.fresh.filetime);
    let mut nt_response = nt_response(&key, &challenge, time, client_challenge);
    let mut lm_response = match timestamp {
        Some(_) => vec![0; 24],
        None => lm_response(&key, challenge.server_challenge, client_challenge),
    };
    if login.fault == Some(Fault::WrongProof) {
        // Both begin with the proof; what follows it is not secret and has to fit it.
        flip_last_bit(nt_response.get_mut(..16).unwrap_or_default());
        flip_last_bit(lm_response.get_mut(..16).unwrap_or_default());
    }
    let field = |text: &MarkedOctets| match challenge.is_unicode() {
        true => text.made_into(utf_16(text.expose())),
        false => text.clone(),
    };
    let mut message = Authenticate {
        domain: field(&domain),
        user: field(&user),
        workstation: Vec::new(),
        lm_response,
        nt_response,
        flags: challenge.answered_flags(),
        misplaced: login.fault == Some(Fault::WrongOffset),
    }
    .render();
    if login.fault == Some(Fault::WrongSignature)
        && let Some(letter) = message.octets.get_mut(6)
    {
        *letter = b'X';
    }
    message.meaning = Some(meaning(&domain, &user));
    Ok(message)
}

/// Domain and user: what stands before and after the first backslash. Without one there is no domain, also where the
/// name is a UPN.
fn split(name: &MarkedOctets) -> (MarkedOctets, MarkedOctets) {
    match name.expose().iter().position(|octet| *octet == b'\\') {
        Some(at) => (name.slice(0..at), name.slice(at + 1..name.len())),
        None => (MarkedOctets::default(), name.clone()),
    }
}

fn meaning(domain: &MarkedOctets, user: &MarkedOctets) -> String {
    let (domain, user) = (domain.masked(readable), user.masked(readable));
    format!("NTLM type 3, domain \"{domain}\", user \"{user}\", responses {PLACEHOLDER}")
}

/// `NTOWFv2` (MS-NLMP §3.3.2): the user in upper case, the domain as it is.
fn response_key(user: &[u8], password: &[u8], domain: &[u8]) -> Vec<u8> {
    let upper = String::from_utf8_lossy(user).to_uppercase();
    hmac_md5(&Md4::digest(utf_16(password)), &[&utf_16(upper.as_bytes()), &utf_16(domain)])
}

/// `NtChallengeResponse`: the proof, and what it is a proof over (MS-NLMP §3.3.2, `temp`).
fn nt_response(key: &[u8], challenge: &Challenge<'_>, time: u64, client_challenge: [u8; 8]) -> Vec<u8> {
    let mut temp = vec![1, 1, 0, 0, 0, 0, 0, 0];
    temp.extend_from_slice(&time.to_le_bytes());
    temp.extend_from_slice(&client_challenge);
    temp.extend_from_slice(&[0; 4]);
    temp.extend_from_slice(challenge.target_info);
    temp.extend_from_slice(&[0; 4]);
    let mut response = hmac_md5(key, &[&challenge.server_challenge, &temp]);
    response.append(&mut temp);
    response
}

/// `LmChallengeResponse` of NTLMv2 (MS-NLMP §3.3.2).
fn lm_response(key: &[u8], server_challenge: [u8; 8], client_challenge: [u8; 8]) -> Vec<u8> {
    let mut response = hmac_md5(key, &[&server_challenge, &client_challenge]);
    response.extend_from_slice(&client_challenge);
    response
}

/// UTF-16LE without a byte order mark.
fn utf_16(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
#[path = "ntlm_tests.rs"]
mod tests;
