//! SCRAM against the examples of its RFCs, and each of its faults.

use super::*;
use crate::axes::Protocol;
use crate::secret::Password;

const SHA_1_NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";
const SHA_1_FIRST: &str = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";

fn login(mechanism: Mechanism, fault: Option<Fault>) -> Login {
    Login { fault, ..Login::new(Protocol::Imap, mechanism, "user", Password::new("pencil")) }
}

fn scram_of(login: &Login, nonce: &str, secured: Option<&Secured>, offers_plus: bool) -> Scram {
    let scram = Scram::new(login, secured, offers_plus).unwrap();
    Scram { nonce: nonce.as_bytes().to_vec(), ..scram }
}

/// The client's two messages in the example of RFC 5802 §5, with something wrong.
fn messages(fault: Option<Fault>, secured: Option<&Secured>, mechanism: Mechanism) -> (String, String, Scram) {
    let login = login(mechanism, fault);
    let mut scram = scram_of(&login, SHA_1_NONCE, secured, fault == Some(Fault::ChannelBindingDowngrade));
    let first = scram.first(&login);
    let (last, noted) = scram.last(&login, SHA_1_FIRST.as_bytes()).unwrap();
    assert_eq!((first.secrets.len(), last.secrets.len(), noted), (0, 1, None));
    (String::from_utf8(first.octets).unwrap(), String::from_utf8(last.octets).unwrap(), scram)
}

fn sha_1(fault: Option<Fault>) -> (String, String) {
    let (first, last, _) = messages(fault, None, Mechanism::ScramSha1);
    (first, last)
}

static SECURED: Secured = Secured { exporter: Some([7; 32]), description: String::new() };

#[test]
fn as_in_rfc_5802() {
    let (first, last, scram) = messages(None, None, Mechanism::ScramSha1);
    assert_eq!(first, "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    assert_eq!(last, "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    assert_eq!(scram.verify(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), Ok(()));
    assert_eq!(scram.verify(b"v=rmF9pqV8S7suAoZWja4dJRkFsKU="), Err(SIGNATURE));
    assert_eq!(scram.verify(b"v="), Err(SIGNATURE));
}

#[test]
fn as_in_rfc_7677() {
    let login = login(Mechanism::ScramSha256, None);
    let mut scram = scram_of(&login, "rOprNGfwEbeRWgbNEkqO", None, false);
    assert_eq!(scram.first(&login).octets, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let server_first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    let (last, _) = scram.last(&login, server_first).unwrap();
    let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    assert_eq!(String::from_utf8(last.octets).unwrap(), expected);
    assert_eq!(scram.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
}

#[test]
fn the_flag_says_what_is_known_of_the_channel() {
    let header = |mechanism, secured, offers_plus| {
        String::from_utf8(Scram::new(&login(mechanism, None), secured, offers_plus).unwrap().header.expose().to_vec())
            .unwrap()
    };
    assert_eq!(header(Mechanism::ScramSha1, None, true), "n,,");
    assert_eq!(header(Mechanism::ScramSha1, Some(&SECURED), true), "n,,");
    assert_eq!(header(Mechanism::ScramSha1, Some(&SECURED), false), "y,,");
    assert_eq!(header(Mechanism::ScramSha256Plus, Some(&SECURED), true), "p=tls-exporter,,");
    let plus = login(Mechanism::ScramSha256Plus, None);
    assert_eq!(Scram::new(&plus, None, true).err().as_deref(), Some("channel binding (no TLS)"));
    let no_exporter = Scram::new(&plus, Some(&Secured::default()), true).err();
    assert_eq!(no_exporter.as_deref(), Some("channel binding (no tls-exporter)"));
    let acting = Login { authzid: Some("a,b=c".into()), ..login(Mechanism::ScramSha1, None) };
    assert_eq!(Scram::new(&acting, None, false).unwrap().header.expose(), b"n,a=a=2Cb=3Dc,");
}

#[test]
fn the_channel_is_bound() {
    let (first, last, _) = messages(None, Some(&SECURED), Mechanism::ScramSha1Plus);
    assert!(first.starts_with("p=tls-exporter,,n=user,r="));
    let bound = STANDARD.encode([&b"p=tls-exporter,,"[..], &[7; 32]].concat());
    assert!(last.starts_with(&format!("c={bound},r=")), "{last}");
    let (_, last, _) = messages(Some(Fault::WrongChannelBinding), Some(&SECURED), Mechanism::ScramSha1Plus);
    let bound = STANDARD.encode([&b"p=tls-exporter,,"[..], &[7; 31], &[6]].concat());
    assert!(last.starts_with(&format!("c={bound},r=")), "{last}");
}

#[test]
fn each_fault_changes_what_it_says() {
    let (first, last) = sha_1(None);
    let (same, wrong) = sha_1(Some(Fault::WrongProof));
    assert_eq!((&same, wrong.as_str()), (&first, last.replace("4Ts=", "4To=").as_str()));
    let (same, wrong) = sha_1(Some(Fault::WrongNonce));
    assert_eq!(same, first);
    assert!(wrong.starts_with("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7A,p="), "{wrong}");
    let (same, wrong) = sha_1(Some(Fault::WrongChannelBinding));
    assert_eq!(same, first);
    assert!(wrong.starts_with("c=eSws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p="), "{wrong}");
    let (downgraded, wrong) = sha_1(Some(Fault::ChannelBindingDowngrade));
    assert_eq!(downgraded, first.replacen('n', "y", 1));
    assert!(wrong.starts_with("c=eSws,"), "{wrong}");
    assert_eq!(sha_1(Some(Fault::BadEscape)).0, first.replace("user", "=75ser"));
    assert_eq!(sha_1(Some(Fault::MandatoryExtension)).0, first.replace("n=user", "m=x,n=user"));
}

#[test]
fn a_downgrade_needs_something_to_deny() {
    let login = login(Mechanism::ScramSha1, Some(Fault::ChannelBindingDowngrade));
    assert!(Scram::new(&login, Some(&SECURED), false).is_err());
}

#[test]
fn the_password_is_prepared_and_few_iterations_are_noted() {
    // RFC 4013 §3: the soft hyphen is mapped to nothing and U+2168 to the letters IX.
    assert_eq!(prepared("I\u{AD}\u{2168}".as_bytes()), b"IIX");
    assert_eq!(prepared(b"a\x07b"), b"a\x07b");
    assert_eq!(prepared(b"\xff"), b"\xff");
    let login = login(Mechanism::ScramSha1, None);
    let mut scram = scram_of(&login, "abc", None, false);
    let (_, noted) = scram.last(&login, b"r=abcd,s=QQ==,i=1").unwrap();
    assert!(noted.is_some_and(|rule| rule.contains("4096")));
}
