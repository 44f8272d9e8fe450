//! NTLM against the examples of MS-NLMP, and each of its faults.

use super::*;
use crate::axes::{Mechanism, Protocol};
use crate::protocol::Fresh;
use crate::protocol::sasl::hash::hex;
use crate::secret::Password;

/// MS-NLMP §4.2.4.3: challenge, target information of domain and server, no time.
fn challenge() -> Vec<u8> {
    let text = "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000\
                060070170000000f53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500\
                720000000000";
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn login(name: &str, fault: Option<Fault>) -> Login {
    let fresh = Fresh { nonce: [0xAA; 16], filetime: 0 };
    Login { fault, fresh, ..Login::new(Protocol::Imap, Mechanism::Ntlm, name, Password::new("Password")) }
}

fn message(name: &str, fault: Option<Fault>) -> Outgoing {
    authenticate(&login(name, fault), &challenge()).unwrap()
}

/// The octets of the field whose description is at `at`.
fn field(message: &[u8], at: usize) -> Vec<u8> {
    let length = usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
    let offset = u32::from_le_bytes(*message[at + 4..].first_chunk().unwrap()) as usize;
    message[offset..offset + length].to_vec()
}

#[test]
fn the_responses_are_those_of_ms_nlmp() {
    // §4.2.4.1.1, §4.2.4.2.1, §4.2.4.2.2
    assert_eq!(hex(&response_key(b"User", b"Password", b"Domain")), "0c868a403bfd7a93a3001ef22ef02e3f");
    let sent = message(r"Domain\User", None);
    assert_eq!(hex(&field(&sent.octets, 12)), "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa");
    let nt_response = field(&sent.octets, 20);
    assert_eq!(hex(&nt_response[..16]), "68cd0ab851e51c96aabc927bebef6a1c");
    assert_eq!(
        hex(&nt_response[16..]),
        "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c00530065007200\
         7600650072000000000000000000"
    );
    assert_eq!(sent.meaning.as_deref(), Some(r#"NTLM type 3, domain "Domain", user "User", responses <password>"#));
    assert_eq!(sent.secrets.first(), Some(&(sent.octets.len() - 24 - nt_response.len()..sent.octets.len())));
}

#[test]
fn the_first_backslash_splits() {
    let fields = |name: &str| {
        let message = message(name, None).octets;
        (field(&message, 28), field(&message, 36))
    };
    let pair = |domain: &str, user: &str| (utf_16(domain.as_bytes()), utf_16(user.as_bytes()));
    assert_eq!(fields(r"Domain1\User1\Mailbox1"), pair("Domain1", r"User1\Mailbox1"));
    assert_eq!(fields("Domain1/User1"), pair("", "Domain1/User1"));
    assert_eq!(fields("user@domain"), pair("", "user@domain"));
    assert_eq!(fields("Jürgen"), pair("", "Jürgen"));
    assert_eq!(fields(""), pair("", ""));
}

#[test]
fn a_server_without_unicode_gets_octets() {
    let mut challenge = challenge();
    challenge[20] &= !1;
    let message = authenticate(&login(r"Domain\User", None), &challenge).unwrap().octets;
    assert_eq!((field(&message, 28), field(&message, 36)), (b"Domain".to_vec(), b"User".to_vec()));
    assert_eq!(message[60] & 3, 2);
}

#[test]
fn the_servers_time_takes_the_place_of_ours() {
    let mut challenge = challenge();
    challenge.truncate(challenge.len() - 4);
    challenge.extend_from_slice(&[7, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]);
    challenge[40] += 12;
    let message = authenticate(&login("u", None), &challenge).unwrap().octets;
    assert_eq!(field(&message, 12), [0; 24]);
    assert_eq!(field(&message, 20)[24..32], [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn each_fault_changes_what_it_says() {
    let right = message(r"Domain\User", None).octets;
    let differing = |fault| {
        let wrong = message(r"Domain\User", Some(fault)).octets;
        assert_eq!(wrong.len(), right.len());
        (0..right.len()).filter(|at| wrong[*at] != right[*at]).collect::<Vec<_>>()
    };
    assert_eq!(differing(Fault::WrongSignature), [6]);
    assert_eq!(differing(Fault::WrongOffset), [24, 25, 26, 27]);
    let offset = |at: usize| u32::from_le_bytes(*right[at..].first_chunk().unwrap()) as usize;
    assert_eq!(differing(Fault::WrongProof), [offset(16) + 15, offset(24) + 15]);
}

#[test]
fn what_does_not_fit_is_told() {
    assert!(unfit(&login("User", None)).is_none());
    assert!(unfit(&login(&"x".repeat(40_000), None)).is_some());
    assert!(unfit(&Login { name: vec![0xFF].into(), ..login("", None) }).is_some());
}
