//! Every fault that fits a mechanism shows in what the client sends, and nothing else changes.

use super::*;
use crate::axes::Protocol;
use crate::secret::Password;

static SECURED: Secured = Secured { exporter: Some([7; 32]), description: String::new() };

/// What a server says to each of the client's responses; an empty challenge begins where the client does.
fn challenges(mechanism: Mechanism) -> Vec<Vec<u8>> {
    let ntlm = [&b"NTLMSSP\0\x02\0\0\0"[..], &[0; 8], &[1, 2, 0, 0], b"12345678"].concat();
    let texts: &[&[u8]] = match mechanism {
        Mechanism::SaslLogin => &[b"User Name", b"Password"],
        Mechanism::CramMd5 => &[b"<1@x>"],
        Mechanism::DigestMd5 => &[br#"realm="r",nonce="abc",algorithm=md5-sess"#],
        Mechanism::Ntlm => &[b"", &ntlm],
        _ if mechanism.is_scram() => &[b"", b"r=00000000000000000000000000000000xyz,s=QUJD,i=1"],
        _ => &[b""],
    };
    texts.iter().map(|text| text.to_vec()).collect()
}

/// Everything that the client sends up to its last response.
fn sent(mechanism: Mechanism, fault: Option<Fault>) -> Vec<Vec<u8>> {
    let login = Login { fault, ..Login::new(Protocol::Imap, mechanism, "User1", Password::new("Secret-User1")) };
    let mut sasl = Sasl::new(&login, Some(&SECURED), true).unwrap().unwrap();
    let sent = challenges(mechanism).into_iter().map(|challenge| {
        let mut outgoing = Outgoing::default();
        sasl.next(&challenge).unwrap().response.push_to(&mut outgoing);
        outgoing.octets
    });
    let sent = sent.collect();
    assert!(sasl.is_complete(), "{mechanism}");
    assert!(fault.is_none() || sasl.unproven().is_none(), "{mechanism} {fault:?}");
    sent
}

#[test]
fn every_fault_shows() {
    for &mechanism in Mechanism::ALL.iter().filter(|mechanism| mechanism.is_sasl()) {
        let right = sent(mechanism, None);
        for &fault in Fault::ALL.iter().filter(|fault| fault.fits(mechanism)) {
            let wrong = sent(mechanism, Some(fault));
            let differing: Vec<usize> = (0..right.len()).filter(|at| wrong.get(*at) != right.get(*at)).collect();
            let last = right.len() - 1;
            let expected = match fault {
                // What was wrong at first is in the proof too.
                Fault::BadEscape | Fault::MandatoryExtension | Fault::ChannelBindingDowngrade => vec![0, 1],
                _ => vec![last],
            };
            assert_eq!(differing, expected, "{mechanism} {fault}");
        }
    }
}

#[test]
fn the_faults_of_any_mechanism_spoil_the_last_response_alone() {
    for &mechanism in Mechanism::ALL.iter().filter(|mechanism| mechanism.is_sasl()) {
        let last = |fault| sent(mechanism, fault).pop().unwrap();
        let right = last(None);
        let decoded = decode_challenge(&right).unwrap();
        assert_eq!(last(Some(Fault::Cancelled)), b"*", "{mechanism}");
        assert_eq!(last(Some(Fault::EmptyResponse)), b"", "{mechanism}");
        assert_eq!(last(Some(Fault::TruncatedBase64)), right[..right.len() - 1], "{mechanism}");
        let half = decode_challenge(&last(Some(Fault::Truncated))).unwrap();
        assert_eq!(half, decoded[..decoded.len() / 2], "{mechanism}");
        let oversize = decode_challenge(&last(Some(Fault::Oversize))).unwrap();
        assert_eq!(oversize, [decoded.as_slice(), &[b'A'; 65536]].concat(), "{mechanism}");
        let bad = last(Some(Fault::BadBase64));
        assert_eq!(bad.iter().filter(|octet| **octet == b'!').count(), 1, "{mechanism}");
        assert_eq!(bad.len(), right.len() + 1, "{mechanism}");
        assert!(decode_challenge(&bad).is_none(), "{mechanism}");
    }
}

#[test]
fn the_nul_faults_of_plain() {
    let decoded = |fault| decode_challenge(&sent(Mechanism::Plain, Some(fault)).concat()).unwrap();
    assert_eq!(decoded(Fault::MissingNul), b"User1\0Secret-User1");
    assert_eq!(decoded(Fault::ExtraNul), b"\0User1\0Secret-User1\0x");
}
