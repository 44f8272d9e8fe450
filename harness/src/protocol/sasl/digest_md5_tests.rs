//! DIGEST-MD5 against the example of its RFC, and each of its faults.

use super::*;
use crate::axes::Mechanism;
use crate::secret::Password;

const CHALLENGE: &str =
    r#"realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8"#;

fn chris(fault: Option<Fault>) -> Login {
    Login {
        fault,
        host: Some("elwood.innosoft.com".to_owned()),
        ..Login::new(Protocol::Imap, Mechanism::DigestMd5, "chris", Password::new("secret"))
    }
}

fn answer(login: &Login, challenge: &str) -> Result<(String, DigestMd5), Stop> {
    let mut digest = DigestMd5 { cnonce: b"OA6MHXh6VqTrRk".to_vec(), ..DigestMd5::new(login) };
    let message = digest.respond(login, challenge.as_bytes())?;
    assert_eq!(message.secrets.len(), 1);
    Ok((String::from_utf8_lossy(&message.octets).into_owned(), digest))
}

fn text(login: &Login, challenge: &str) -> String {
    answer(login, challenge).unwrap().0
}

#[test]
fn as_in_rfc_2831() {
    let (message, digest) = answer(&chris(None), CHALLENGE).unwrap();
    let expected = "charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",\
                    nc=00000001,cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\",\
                    response=d388dad90d4bbd760a152321f2143af7,qop=auth";
    assert_eq!(message, expected);
    assert_eq!(digest.verify(b"rspauth=ea40f60335c427b5527b84dbabcdfffd"), Ok(()));
    assert_eq!(digest.verify(b"rspauth=ea40f60335c427b5527b84dbabcdfffe"), Err(RSPAUTH));
    assert_eq!(digest.verify(b""), Err(RSPAUTH_FORM));
}

#[test]
fn each_fault_changes_what_it_says() {
    let plain = text(&chris(None), CHALLENGE);
    let faulty = |fault| text(&chris(Some(fault)), CHALLENGE);
    assert_eq!(faulty(Fault::WrongProof), plain.replace("143af7", "143af6"));
    // What is wrong is in the digest too, so that only a server that looks at it refuses.
    let rehashed = |text: &str| text.split("response=").next().unwrap_or_default().to_owned();
    let cases = [
        (Fault::WrongNonce, "OA6MG9tEQGm2hh", "OA6MG9tEQGm2hA"),
        (Fault::WrongDigestUri, "imap/", "smtp/"),
        (Fault::WrongNonceCount, "00000001", "00000002"),
    ];
    for (fault, from, to) in cases {
        assert_eq!(rehashed(&faulty(fault)), rehashed(&plain).replace(from, to), "{fault}");
        assert!(!faulty(fault).contains("d388dad90d4bbd760a152321f2143af7"), "{fault}");
    }
}

#[test]
fn the_identity_to_act_as_is_named_and_hashed() {
    let login = Login { authzid: Some(r#"D\x"#.into()), ..chris(None) };
    let message = text(&login, CHALLENGE);
    assert!(message.ends_with(r#",qop=auth,authzid="D\\x""#), "{message}");
    assert!(!message.contains("d388dad90d4bbd760a152321f2143af7"));
}

#[test]
fn names_are_sent_whole_and_in_the_charset() {
    let login = |name: &[u8]| Login { name: name.into(), host: None, protocol: Protocol::Pop3, ..chris(None) };
    let none = r#"nonce="n",algorithm=md5-sess"#;
    let message = text(&login(br"Domain1\User1@x"), none);
    assert!(message.starts_with(r#"username="Domain1\\User1@x",realm="",nonce="n""#), "{message}");
    assert!(message.contains(r#"digest-uri="pop/localhost""#));
    let octets = |name: &[u8], challenge: &str| {
        DigestMd5::new(&login(name)).respond(&login(name), challenge.as_bytes()).unwrap().octets
    };
    assert!(octets("ä".as_bytes(), none).starts_with(b"username=\"\xE4\""));
    let utf_8 = format!("{none},charset=utf-8");
    assert!(octets("ä".as_bytes(), &utf_8).starts_with("charset=utf-8,username=\"ä\"".as_bytes()));
    assert_eq!(hashed("ä".as_bytes()), b"\xE4");
    assert_eq!(hashed("ä€".as_bytes()), "ä€".as_bytes());
    assert_eq!(hashed(b"\xFF"), b"\xFF");
}

#[test]
fn each_rule_of_the_challenge() {
    let stop = |challenge: &str| answer(&chris(None), challenge).err();
    let broken = |rule: &'static str| Some(Stop::Broken(rule));
    assert_eq!(stop("Go ahead"), broken(FORM));
    assert_eq!(stop(""), broken(NONCE));
    assert_eq!(stop(r#"nonce="a",nonce="b",algorithm=md5-sess"#), broken(NONCE));
    assert_eq!(stop(r#"nonce="a""#), broken(ALGORITHM));
    assert_eq!(stop(r#"nonce="a",algorithm=md5"#), broken(ALGORITHM));
    assert_eq!(stop(r#"nonce="a",algorithm=md5-sess,charset=latin1"#), broken(CHARSET));
    let other = Some(Stop::NotOffered("DIGEST-MD5 with qop=auth".to_owned()));
    assert_eq!(stop(r#"nonce="a",algorithm=md5-sess,qop="auth-int,auth-conf""#), other);
    assert_eq!(stop(r#"nonce="a",algorithm=md5-sess,qop="auth-int, auth""#), None);
    assert!(text(&chris(None), r#"realm="r1",realm="r2",nonce="a",algorithm=md5-sess"#).contains(r#"realm="r1""#));
}
