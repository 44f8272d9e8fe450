//! Exchanges as the login machines see them.

use proptest::prelude::*;

use super::*;
use crate::axes::Protocol;
use crate::protocol::MarkedOctets;
use crate::protocol::outgoing::PLACEHOLDER;
use crate::secret::Password;

fn login(mechanism: Mechanism, name: &str, password: &str) -> Login {
    Login::new(Protocol::Imap, mechanism, name, Password::new(password))
}

static SECURED: Secured = Secured { exporter: Some([7; 32]), description: String::new() };

fn sasl(login: &Login) -> Sasl {
    Sasl::new(login, Some(&SECURED), true).unwrap().unwrap()
}

fn wire(response: &SaslResponse) -> Outgoing {
    let mut outgoing = Outgoing::default();
    response.push_to(&mut outgoing);
    outgoing
}

/// What the client answers, out of BASE64.
fn answer(sasl: &mut Sasl, challenge: &[u8]) -> Result<Vec<u8>, Stop> {
    let turn = sasl.next(challenge)?;
    Ok(decode_challenge(&wire(&turn.response).octets).unwrap())
}

#[test]
fn plain_as_in_rfc_4616() {
    let mut sasl = sasl(&login(Mechanism::Plain, "tim", "tanstaaftanstaaf"));
    assert!(!sasl.is_complete());
    let outgoing = wire(&sasl.initial_response().unwrap());
    assert!(sasl.is_complete());
    assert_eq!(sasl.next(b"").err(), Some(Stop::Broken(NO_CHALLENGE_DUE)));
    assert_eq!(outgoing.octets, b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    assert_eq!(outgoing.secrets.first(), Some(&(0..28)));
    assert_eq!(outgoing.meaning.as_deref(), Some("{nul}tim{nul}<password>"));
}

#[test]
fn plain_acts_as_another() {
    let login = Login { authzid: Some("Ursel".into()), ..login(Mechanism::Plain, "Kurt", "xipj3plmq") };
    assert_eq!(answer(&mut sasl(&login), b""), Ok(b"Ursel\0Kurt\0xipj3plmq".to_vec()));
}

#[test]
fn login_gives_no_password_to_whoever_asks_for_the_name() {
    for prompt in [&b"Username:"[..], b"User Name\0"] {
        let mut sasl = sasl(&login(Mechanism::SaslLogin, "", "pw"));
        assert_eq!(wire(&sasl.initial_response().unwrap()).octets, b"");
        assert_eq!(answer(&mut sasl, prompt), Ok(Vec::new()));
        assert!(!sasl.is_complete());
        // Once: whoever goes on asking gets what is due.
        assert_eq!(answer(&mut sasl, prompt), Ok(b"pw".to_vec()));
        assert_eq!(answer(&mut sasl, prompt), Err(NO_CHALLENGE_DUE.into()));
    }
    // Where nothing travelled with the command, only the order of the prompts counts.
    let mut sasl = sasl(&login(Mechanism::SaslLogin, "tim", "pw"));
    assert_eq!(answer(&mut sasl, b"Username:"), Ok(b"tim".to_vec()));
    assert_eq!(answer(&mut sasl, b"User password:"), Ok(b"pw".to_vec()));
}

#[test]
fn login_gives_the_name_then_the_password() {
    let mut sasl = sasl(&login(Mechanism::SaslLogin, "tim", "pw"));
    let name = wire(&sasl.next(b"User Name\0").unwrap().response);
    assert_eq!((name.octets.as_slice(), name.secrets.len()), (&b"dGlt"[..], 0));
    assert!(!sasl.is_complete());
    let password = wire(&sasl.next(b"anything").unwrap().response);
    assert_eq!((password.octets.as_slice(), password.secrets.len()), (&b"cHc="[..], 1));
    assert!(sasl.is_complete());
    assert!(sasl.next(b"more").is_err());
}

#[test]
fn an_empty_initial_response_is_an_equals_sign() {
    for mechanism in [Mechanism::SaslLogin, Mechanism::External, Mechanism::Anonymous] {
        let empty = sasl(&login(mechanism, "", "pw")).initial_response().unwrap();
        assert_eq!(wire(&empty).octets, b"");
        let mut initial = Outgoing::default();
        empty.push_initial_to(&mut initial);
        assert_eq!(initial.octets, b"=", "{mechanism}");
    }
}

#[test]
fn external_and_anonymous_give_the_name() {
    assert_eq!(answer(&mut sasl(&login(Mechanism::Anonymous, "sirhc", "")), b""), Ok(b"sirhc".to_vec()));
    let external = login(Mechanism::External, "fred", "");
    assert_eq!(answer(&mut sasl(&external), b""), Ok(b"fred".to_vec()));
    let external = Login { authzid: Some("wilma".into()), ..external };
    assert_eq!(answer(&mut sasl(&external), b""), Ok(b"wilma".to_vec()));
    let external = Login { authzid: Some(MarkedOctets::default()), ..external };
    assert_eq!(answer(&mut sasl(&external), b""), Ok(Vec::new()));
}

#[test]
fn where_the_server_speaks_first_there_is_no_initial_response() {
    for &mechanism in Mechanism::ALL.iter().filter(|mechanism| mechanism.is_sasl()) {
        let server_first = matches!(mechanism, Mechanism::CramMd5 | Mechanism::DigestMd5);
        let response = sasl(&login(mechanism, "tim", "pw")).initial_response();
        assert_eq!(response.is_none(), server_first, "{mechanism}");
    }
}

#[test]
fn the_error_of_a_token_is_answered_and_then_refused() {
    for (mechanism, answered) in [(Mechanism::Xoauth2, &b""[..]), (Mechanism::Oauthbearer, b"\x01")] {
        let mut sasl = sasl(&login(mechanism, "tim", "token"));
        assert!(answer(&mut sasl, b"").is_ok());
        assert_eq!((sasl.is_complete(), sasl.unproven()), (true, None));
        let error = br#"{"status":"invalid_token"}"#;
        assert_eq!(answer(&mut sasl, error), Ok(answered.to_vec()), "{mechanism}");
        assert!(sasl.unproven().is_some());
        assert!(answer(&mut sasl, error).is_err());
    }
}

#[test]
fn a_success_needs_the_servers_proof() {
    let mut scram = sasl(&login(Mechanism::ScramSha256, "tim", "pw"));
    let first = String::from_utf8(answer(&mut scram, b"").unwrap()).unwrap();
    let nonce = first.split("r=").nth(1).unwrap();
    assert!(!scram.is_complete());
    let turn = scram.next(format!("r={nonce}x,s=QQ==,i=1").as_bytes()).unwrap();
    assert!(turn.noted.is_some());
    assert_eq!((scram.is_complete(), scram.unproven()), (true, Some(scram::UNPROVEN)));
    assert!(scram.next(b"v=QQ==").is_err());
    assert_eq!(answer(&mut scram, b"e=other-error"), Ok(Vec::new()));
    assert_eq!(scram.unproven(), Some(scram::REFUSED));
    assert!(scram.next(b"").is_err());

    let mut digest = sasl(&login(Mechanism::DigestMd5, "tim", "pw"));
    assert!(answer(&mut digest, br#"nonce="a",algorithm=md5-sess"#).is_ok());
    assert_eq!((digest.is_complete(), digest.unproven()), (true, Some(digest_md5::UNPROVEN)));
}

#[test]
fn what_cannot_be_carried_is_told() {
    for &mechanism in Mechanism::ALL.iter().filter(|mechanism| mechanism.is_sasl()) {
        let login = Login { authzid: Some("x".into()), ..login(mechanism, "tim", "pw") };
        let carried = [
            Mechanism::Plain,
            Mechanism::DigestMd5,
            Mechanism::Oauthbearer,
            Mechanism::External,
            Mechanism::ScramSha1,
            Mechanism::ScramSha1Plus,
            Mechanism::ScramSha256,
            Mechanism::ScramSha256Plus,
        ];
        let expected = format!("an authorization identity with {mechanism}");
        assert_eq!(unfit(&login), (!carried.contains(&mechanism)).then_some(expected));
    }
    let empty = Login { fault: Some(Fault::EmptyResponse), ..login(Mechanism::Anonymous, "", "") };
    assert!(unfit(&empty).is_some());
    let missing = Login { fault: Some(Fault::MissingNul), ..login(Mechanism::SaslLogin, "tim", "pw") };
    assert_eq!(unfit(&missing).as_deref(), Some("the fault missing-nul with sasl-login"));
}

#[test]
fn challenges_are_decoded() {
    assert_eq!(decode_challenge(b"VXNlciBOYW1lAA=="), Some(b"User Name\0".to_vec()));
    assert_eq!(decode_challenge(b""), Some(Vec::new()));
    assert_eq!(decode_challenge(b"Ready!"), None);
}

#[test]
fn what_is_not_sasl_is_not_begun() {
    for mechanism in [Mechanism::Login, Mechanism::Apop] {
        assert!(matches!(Sasl::new(&login(mechanism, "", ""), None, false), Ok(None)));
    }
}

/// Challenges that are nearly right, and noise. Few iterations: the bound is for real servers.
fn challenges() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "(r=[0-9a-f]{30,34}[!-~]{0,3},)?s=[A-Za-z0-9+/=]{0,8},i=[0-9]{0,2}".prop_map(String::into_bytes),
        "r=0{32}[!-+./-~]{0,3},s=QUJD,i=[0-9]{1,2}".prop_map(String::into_bytes),
        "[ve]=[A-Za-z+/=]{0,8}".prop_map(String::into_bytes),
        r#"((nonce|realm|qop|algorithm|charset|rspauth)="?(a|auth|md5-sess|utf-8|\\)?"?,?){0,6}"#
            .prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(|tail| [&b"NTLMSSP\0\x02\0\0\0"[..], &tail].concat()),
        prop::collection::vec(prop_oneof![Just(0u8), Just(4), Just(48), any::<u8>()], 36..80).prop_map(|tail| [
            &b"NTLMSSP\0\x02\0\0\0"[..],
            &tail
        ]
        .concat()),
    ]
}

proptest! {
    #[test]
    fn no_challenge_brings_the_client_down(
        challenges in prop::collection::vec(challenges(), 1..5),
        name in prop::collection::vec(any::<u8>(), 0..12),
        fault in prop::option::of(prop::sample::select(Fault::ALL)),
        authzid in prop::option::of("[a-z,=]{0,3}"),
    ) {
        for &mechanism in Mechanism::ALL {
            let login = Login {
                fault: fault.filter(|fault| fault.fits(mechanism)),
                authzid: authzid.clone().filter(|_| carries_authzid(mechanism)).map(|authzid| authzid.as_str().into()),
                name: name.clone().into(),
                ..login(mechanism, "", "Secret-User1")
            };
            let Ok(Some(mut sasl)) = Sasl::new(&login, Some(&SECURED), true) else { continue };
            let mut given = 0;
            for challenge in &challenges {
                let Ok(turn) = sasl.next(challenge) else { break };
                let outgoing = wire(&turn.response);
                let masks = outgoing.meaning.is_some_and(|text| text.contains(PLACEHOLDER));
                prop_assert!(outgoing.secrets.is_empty() || masks);
                given += 1;
            }
            prop_assert!(given <= 3);
        }
    }
}
