//! NTLM (MS-NLMP, and MS-OXIMAP4 §3.1.5 for the exchange): NTLMv2 alone; domain and user arrive apart.

use super::super::authority::Evidence;
use super::super::crypto::{hmac_md5, md4, same_octets};
use super::super::flaw::Flaw;
use super::ntlm_message::{
    Authenticate, COMPUTER, DNS_COMPUTER, DNS_DOMAIN, DOMAIN, FLAGS, KEY_EXCHANGE, Pair, TIMESTAMP, UNICODE, challenge,
    challenge_and_pairs, from_utf16, part_from_mic, read_authenticate, read_negotiate, read_pairs, to_utf16,
};
use super::{Context, Exchange, Stage, Step};
use crate::axes::Mechanism;
use crate::identity::Account;

/// How long a response of NTLMv1 is (MS-NLMP §2.2.2.6).
const NTLM_V1: usize = 24;
/// The client says that its message has an integrity code (MS-NLMP §2.2.2.1).
const HAS_MIC: u8 = 2;

/// Takes the Negotiate message and answers with a challenge.
pub(super) fn negotiate(message: &[u8], context: Context<'_>) -> Result<Step, &'static str> {
    let client_flags = read_negotiate(message)?;
    let authority = context.authority;
    let home = authority.directory().domains.first();
    let name = home.map_or(&b""[..], |domain| &domain.name);
    let dns = home.and_then(|domain| domain.dns.as_deref()).unwrap_or(name);
    let (domain, dns_domain) = (to_utf16(name), to_utf16(dns));
    let (computer, dns_computer) = (to_utf16(b"LOGINSPEC"), to_utf16(&[&b"loginspec."[..], dns].concat()));
    let time = authority.time().to_le_bytes();
    let pairs: [Pair<'_>; 5] = [
        (DOMAIN, &domain),
        (COMPUTER, &computer),
        (DNS_DOMAIN, &dns_domain),
        (DNS_COMPUTER, &dns_computer),
        (TIMESTAMP, &time),
    ];
    let nonce = authority.secrets().nonce();
    let server_challenge = nonce.get(..8).unwrap_or_default();
    let challenge = challenge(client_flags, name, server_challenge, &pairs);
    Ok(Exchange::ask(Mechanism::Ntlm, challenge, Stage::NtlmAuthenticate(message.to_vec())))
}

/// Takes the Authenticate message.
pub(super) fn authenticate(
    negotiate: &[u8],
    challenge: &[u8],
    message: &[u8],
    context: Context<'_>,
) -> Result<Step, &'static str> {
    let given = read_authenticate(message)?;
    let (server_challenge, offered) = challenge_and_pairs(challenge).ok_or("there is no challenge")?;
    let (user, domain) = match (read_text(given.user, given.flags), read_text(given.domain, given.flags)) {
        (Some(user), Some(domain)) if !user.is_empty() => (user, domain),
        _ => return Err("the user is no text, or nobody (MS-NLMP section 2.2.1.3)"),
    };
    let response = Response::read(&given, &offered)?;
    let signed = match (response.has_mic, given.flags & KEY_EXCHANGE) {
        (false, _) => None,
        (true, 0) => Some(part_from_mic(message).ok_or("the integrity code is missing (MS-NLMP section 3.1.5.1.2)")?),
        (true, _) => return Err("a key exchange has not been offered (MS-NLMP section 2.2.2.5)"),
    };
    let proof = |account: &Account| {
        let key = response_key(account.password.expose(), &user, &domain);
        let expected = hmac_md5(&key, &[server_challenge, response.blob]);
        let mic_is_right = signed.as_ref().is_none_or(|(mic, without)| {
            // Without a key exchange the exported session key is the session base key (MS-NLMP §3.1.5.1.2, §3.4.5.1).
            let session_key = hmac_md5(&key, &[&expected]);
            same_octets(&hmac_md5(&session_key, &[negotiate, challenge, without]), mic)
        });
        same_octets(&expected, response.proof) && mic_is_right
    };
    let drops_domain = context.authority.flaws().has(Flaw::NtlmDropsDomain);
    let name = if domain.is_empty() || drops_domain { user.clone() } else { format!("{domain}\\{user}") };
    Ok(Step::Decided(context.decide(Mechanism::Ntlm, name.as_bytes(), b"", Evidence::Proof(&proof))))
}

/// An NTLMv2 response (MS-NLMP §2.2.2.8).
struct Response<'m> {
    proof: &'m [u8],
    /// What the proof is about besides the server's challenge (MS-NLMP §2.2.2.7).
    blob: &'m [u8],
    has_mic: bool,
}

impl<'m> Response<'m> {
    /// Everything that was offered comes back, the time twice (MS-NLMP §3.1.5.1.2).
    fn read(given: &Authenticate<'m>, offered: &[Pair<'_>]) -> Result<Self, &'static str> {
        const BROKEN: &str = "this is no NTLMv2 response (MS-NLMP section 2.2.2.8)";
        if given.nt_response.len() == NTLM_V1 {
            return Err("NTLMv1 is not taken here (MS-NLMP section 3.2.5.1.2)");
        }
        let (proof, blob) = given.nt_response.split_at_checked(16).ok_or(BROKEN)?;
        let pairs = blob.get(28..).and_then(read_pairs).ok_or(BROKEN)?;
        if !blob.starts_with(&[1, 1]) {
            return Err(BROKEN);
        }
        if !offered.iter().all(|pair| pairs.contains(pair)) {
            return Err("the target information is not the server's (MS-NLMP section 3.1.5.1.2)");
        }
        let time = offered.iter().find(|(kind, _)| *kind == TIMESTAMP).map(|(_, time)| *time);
        if time.is_some() && blob.get(8..16) != time {
            return Err("the time is not the server's (MS-NLMP section 3.1.5.1.2)");
        }
        let flags = pairs.iter().find(|(kind, _)| *kind == FLAGS).and_then(|(_, value)| value.first());
        Ok(Self { proof, blob, has_mic: flags.is_some_and(|flags| flags & HAS_MIC != 0) })
    }
}

/// `NTOWFv2` (MS-NLMP §3.3.2): the user in capitals, the domain as it is.
fn response_key(password: &[u8], user: &str, domain: &str) -> Vec<u8> {
    let capitals: String = user.chars().map(capital).collect();
    let identity = to_utf16([capitals.as_str(), domain].concat().as_bytes());
    hmac_md5(&md4(&to_utf16(password)), &[&identity])
}

/// The capital of a letter where it is one character, as Windows has it.
fn capital(letter: char) -> char {
    let mut capitals = letter.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) => capital,
        _ => letter,
    }
}

fn read_text(octets: &[u8], flags: u32) -> Option<String> {
    let text = if flags & UNICODE != 0 { from_utf16(octets)? } else { String::from_utf8(octets.to_vec()).ok()? };
    (!text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::super::crypto::hex;
    use super::*;

    /// MS-NLMP §4.2.4: `User`, `Domain`, `Password`, server challenge 0123456789abcdef.
    #[test]
    fn the_example_of_ms_nlmp() {
        let key = response_key(b"Password", "User", "Domain");
        assert_eq!(hex(&key), b"0c868a403bfd7a93a3001ef22ef02e3f");
        let blob = [
            &[1, 1, 0, 0, 0, 0, 0, 0][..],
            &[0; 8],
            &[0xaa; 8],
            &[0; 4],
            &[2, 0, 12, 0],
            &to_utf16(b"Domain"),
            &[1, 0, 12, 0],
            &to_utf16(b"Server"),
            &[0; 8],
        ]
        .concat();
        let challenge = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let proof = hmac_md5(&key, &[&challenge, &blob]);
        assert_eq!(hex(&proof), b"68cd0ab851e51c96aabc927bebef6a1c");
        let nt_response = [proof.as_slice(), &blob].concat();
        let given = Authenticate { nt_response: &nt_response, domain: b"", user: b"", flags: UNICODE };
        let (domain, zero) = (to_utf16(b"Domain"), [0; 8]);
        let offered = [(DOMAIN, domain.as_slice()), (TIMESTAMP, zero.as_slice())];
        let response = Response::read(&given, &offered[..1]).expect("response");
        assert!(response.proof == proof && response.blob == blob && !response.has_mic);
        assert!(Response::read(&given, &offered).is_err(), "the time was offered and did not come back");
        let v1 = Authenticate { nt_response: &[0; NTLM_V1], ..given };
        assert!(Response::read(&v1, &[]).is_err_and(|rule| rule.contains("NTLMv1")));
    }

    #[test]
    fn capitals_are_single_characters() {
        assert_eq!("jürgenß".chars().map(capital).collect::<String>(), "JÜRGENß");
    }
}
