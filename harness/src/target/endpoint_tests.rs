//! Which address a case is put to.

use std::path::Path;

use super::*;
use crate::scenario::{Vocabulary, read_scenario};
use crate::source::SourceText;
use crate::target::{Passwords, find_dialect, read_target, remote_target};

fn target(endpoints: &str) -> Target {
    let text = format!("name = 'staging'\ndialect = 'opaque'\n{endpoints}");
    let file = read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Fetch, true).unwrap();
    remote_target(file, find_dialect("opaque").unwrap())
}

fn put(target: &Target, security: Option<Security>) -> Result<(&str, Security), String> {
    let found = target.endpoint(Protocol::Imap, security);
    found.map(|(endpoint, security)| (endpoint.address.as_str(), security)).map_err(|reason| reason.to_string())
}

#[test]
fn each_security_finds_its_endpoint() {
    let both = target("[imap]\naddress = 'h:143'\nsecurity = 'starttls'\n[imaps]\naddress = 'h:993'\n");
    assert_eq!(put(&both, None), Ok(("h:143", Security::Starttls)));
    assert_eq!(put(&both, Some(Security::Starttls)), Ok(("h:143", Security::Starttls)));
    assert_eq!(put(&both, Some(Security::Tls)), Ok(("h:993", Security::Tls)));
    let only_tls = target("[imaps]\naddress = 'h:993'\n");
    assert_eq!(put(&only_tls, None), Ok(("h:993", Security::Tls)));
    assert_eq!(
        put(&only_tls, Some(Security::Starttls)).unwrap_err(),
        "staging has no port for imap without TLS; say where it is under [imap]"
    );
    let silent = target("[imap]\naddress = '127.0.0.1:143'\n");
    assert_eq!(put(&silent, None), Ok(("127.0.0.1:143", Security::Starttls)), "the default");
    let plain = target("[imap]\naddress = 'h:143'\nsecurity = 'plaintext'\n");
    assert_eq!(put(&plain, Some(Security::Starttls)), Ok(("h:143", Security::Starttls)));
    assert_eq!(
        put(&plain, Some(Security::Tls)).unwrap_err(),
        "staging has no implicit-TLS port for imap; say where it is under [imaps]"
    );
    assert_eq!(plain.endpoint(Protocol::Pop3, None).unwrap_err().to_string(), "staging does not speak pop3");
}

#[test]
fn what_is_meant_to_be_secured_is_not_laid_open() {
    for address in ["mail.example.org:143", "127.0.0.1:143", "[::1]:143", "localhost:143"] {
        let mut secured = target(&format!("[imap]\naddress = '{address}'\nsecurity = 'starttls'\n"));
        let refusal = put(&secured, Some(Security::Plaintext)).unwrap_err();
        assert!(refusal.contains("--allow-plaintext"), "{refusal}");
        secured.allow_plaintext = true;
        assert_eq!(put(&secured, Some(Security::Plaintext)), Ok((address, Security::Plaintext)));
    }
    let declared = target("[imap]\naddress = 'mail.example.org:143'\nsecurity = 'plaintext'\n");
    assert!(put(&declared, Some(Security::Plaintext)).is_ok());
}

fn dialogue(lines: &str) -> Case {
    let text = format!(
        "title = 'x'\ncites = ['y']\n[[case]]\nid = 'd'\nprotocol = ['imap']\nsecurity = ['plaintext']\n\
         dialogue = \"\"\"\n{lines}\"\"\"\n"
    );
    let vocabulary = Vocabulary { roles: vec!["same".to_string()], dialects: Vec::new() };
    read_scenario("x", &SourceText::new("x.toml", text), &vocabulary).unwrap().cases[0].clone()
}

#[test]
fn a_dialogue_without_secrets_may_begin_in_plaintext() {
    let secured = target("[imap]\naddress = 'h:143'\nsecurity = 'starttls'\n");
    let is_put = |lines: &str| secured.endpoint_of(&dialogue(lines)).is_ok();
    assert!(is_put("S: * OK\nC: a CAPABILITY\nS: a OK\n"));
    assert!(is_put("S: * OK\nC: a STARTTLS\nS: a OK\nTLS\nC: b LOGIN {login} {password}\nS: b OK\n"));
    assert!(!is_put("S: * OK\nC: a LOGIN {login} {password}\nS: a OK\n"));
    assert!(!is_put("S: * OK\nC: a AUTHENTICATE PLAIN {base64:{nul}{login}{nul}{password}}\nS: a OK\n"));
}

#[test]
fn starttls_takes_the_place_of_plaintext_for_what_asks_for_nothing() {
    let mut plain = target("[imap]\naddress = 'h:143'\nsecurity = 'plaintext'\n");
    plain.upgrade_to_starttls(Protocol::Imap);
    assert_eq!(put(&plain, None), Ok(("h:143", Security::Starttls)));
    assert_eq!(put(&plain, Some(Security::Plaintext)), Ok(("h:143", Security::Plaintext)));
    plain.default_security = Some(Security::Plaintext);
    assert_eq!(put(&plain, None), Ok(("h:143", Security::Starttls)));
}

#[test]
fn a_mechanism_that_needs_tls_gets_it() {
    let external = |target: &Target, security| {
        target
            .endpoint_for(Protocol::Imap, Some(Mechanism::External), security)
            .map(|(endpoint, security)| (endpoint.address.clone(), security))
            .map_err(|reason| reason.to_string())
    };
    let both = target("[imap]\naddress = 'h:143'\nsecurity = 'plaintext'\n[imaps]\naddress = 'h:993'\n");
    assert_eq!(external(&both, None), Ok(("h:993".to_string(), Security::Tls)));
    assert!(external(&both, Some(Security::Plaintext)).unwrap_err().contains("external needs TLS"));
    let starttls = target("[imap]\naddress = 'h:143'\nsecurity = 'starttls'\n");
    assert_eq!(external(&starttls, None), Ok(("h:143".to_string(), Security::Starttls)));
    let plain = target("[imap]\naddress = 'h:143'\nsecurity = 'plaintext'\n");
    assert!(external(&plain, None).unwrap_err().contains("under [imaps]"));
    assert!(external(&plain, Some(Security::Starttls)).is_ok());
}

#[test]
fn the_default_holds_for_what_asks_for_nothing() {
    let mut both = target("[imap]\naddress = 'h:143'\nsecurity = 'plaintext'\n[imaps]\naddress = 'h:993'\n");
    both.default_security = Some(Security::Tls);
    assert_eq!(put(&both, None), Ok(("h:993", Security::Tls)));
    assert_eq!(put(&both, Some(Security::Plaintext)), Ok(("h:143", Security::Plaintext)));
}

#[test]
fn usual_ports() {
    let imap = |address| with_usual_port(address, Protocol::Imap, false);
    assert_eq!(imap("mail.example.org").as_deref(), Ok("mail.example.org:143"));
    assert_eq!(imap("[::1]").as_deref(), Ok("[::1]:143"));
    assert_eq!(imap("[::1]:1143").as_deref(), Ok("[::1]:1143"));
    assert_eq!(with_usual_port("h", Protocol::Imap, true).as_deref(), Ok("h:993"));
    assert_eq!(with_usual_port("h", Protocol::Pop3, false).as_deref(), Ok("h:110"));
    assert_eq!(with_usual_port("h", Protocol::Pop3, true).as_deref(), Ok("h:995"));
    for wrong in ["", ":143", "h:", "h:0", "h:x", "h:70000", "::1", "[::1", "[h]:1", "[::1]1", "imap://h", "a b"] {
        assert!(imap(wrong).is_err(), "{wrong}");
    }
}
