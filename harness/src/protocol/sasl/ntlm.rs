//! NTLM as a SASL mechanism: NEGOTIATE, CHALLENGE and AUTHENTICATE with an NTLMv2 response (MS-NLMP).
//!
//! Domain and user travel in fields of their own, split at the first backslash of the login name, and there is none
//! for the mailbox. Nothing is signed or sealed afterwards, so that no session key is exchanged.

use md4::{Digest as _, Md4};

use super::hash::{flip_last_bit, hmac_md5};
use super::ntlm_message::{self, Authenticate, Challenge};
use super::response::push_readable;
use crate::axes::Fault;
use crate::protocol::Login;
use crate::protocol::outgoing::{Outgoing, PLACEHOLDER};

/// What of this login NTLM cannot carry: its fields are UTF-16, and their lengths have 16 bits.
pub(super) fn unfit(login: &Login) -> Option<String> {
    let is_text = |octets: &[u8]| std::str::from_utf8(octets).is_ok();
    if !is_text(&login.name) || !is_text(login.password.expose()) {
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
    let key = response_key(user, login.password.expose(), domain);
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
    let field = |text: &[u8]| if challenge.is_unicode() { utf_16(text) } else { text.to_vec() };
    let mut message = Authenticate {
        domain: field(domain),
        user: field(user),
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
    message.meaning = Some(meaning(domain, user));
    Ok(message)
}

/// Domain and user: what stands before and after the first backslash. Without one there is no domain, also where the
/// name is a UPN.
fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().position(|octet| *octet == b'\\') {
        Some(at) => (name.get(..at).unwrap_or_default(), name.get(at + 1..).unwrap_or_default()),
        None => (b"", name),
    }
}

fn meaning(domain: &[u8], user: &[u8]) -> String {
    let mut meaning = "NTLM type 3, domain \"".to_owned();
    push_readable(&mut meaning, domain);
    meaning.push_str("\", user \"");
    push_readable(&mut meaning, user);
    meaning.push_str("\", responses ");
    meaning.push_str(PLACEHOLDER);
    meaning
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
