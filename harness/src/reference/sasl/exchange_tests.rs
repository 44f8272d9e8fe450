//! Whole exchanges in both protocols: who gets in, who is refused in which way, and what strangers may send.

use proptest::prelude::*;

use super::super::authority::Authority;
use super::super::crypto::Hash;
use super::super::flaw::{Flaw, Flaws};
use super::client::{
    EXPORTER, Scram, Talk, apop, cram, decoded, digest, ntlm_authenticate, ntlm_negotiate, opaque, scram_first,
    scram_last, tls, word,
};
use crate::axes::{Mechanism, Protocol};

fn talk(protocol: Protocol) -> Talk {
    Talk::new(protocol, &opaque(Flaws::NONE), None)
}

fn secure(protocol: Protocol, user: &str) -> Talk {
    Talk::new(protocol, &opaque(Flaws::NONE), Some(tls(user)))
}

/// Whatever the reply: the end of the exchange, acknowledged where there is something to acknowledge.
fn end(talk: &mut Talk, reply: String) -> String {
    if decoded(&reply).is_some() { talk.line(b"") } else { reply }
}

fn by_cram(talk: &mut Talk, name: &str, password: &str) -> String {
    let challenge = talk.challenge("CRAM-MD5");
    talk.answer(&cram(&challenge, name, password))
}

fn by_digest(talk: &mut Talk, protocol: Protocol, name: &str, password: &str) -> String {
    let uri = if protocol == Protocol::Imap { "imap/localhost" } else { "pop/localhost" };
    let challenge = talk.challenge("DIGEST-MD5");
    let (message, rspauth) = digest(&challenge, uri, None, name, password);
    let reply = talk.answer(&message);
    if let Some(shown) = decoded(&reply) {
        assert_eq!(shown, rspauth);
    }
    end(talk, reply)
}

fn by_scram(talk: &mut Talk, mechanism: &str, scram: &Scram<'_>) -> String {
    let reply = talk.say(mechanism, &scram_first(scram));
    let Some(first) = decoded(&reply) else { return reply };
    let (last, signature) = scram_last(scram, &first);
    let reply = talk.answer(last.as_bytes());
    if let Some(shown) = decoded(&reply) {
        assert_eq!(shown, [&b"v="[..], &super::encode(&signature)].concat());
    }
    end(talk, reply)
}

const fn scram<'c>(header: &'c str, bound: Vec<u8>, name: &'c str, password: &'c str) -> Scram<'c> {
    Scram { header, bound, name, password, hash: Hash::Sha1 }
}

fn by_ntlm(talk: &mut Talk, who: [&str; 3], with_mic: bool) -> String {
    let challenge = decoded(&talk.say("NTLM", &ntlm_negotiate())).expect("challenge");
    talk.answer(&ntlm_authenticate(&challenge, who, with_mic))
}

/// Every mechanism in which a password is proved, by the name and a password.
fn proved(protocol: Protocol, mechanism: Mechanism, name: &str, password: &str) -> (Talk, String) {
    let mut talk = secure(protocol, name);
    let plus = [b"p=tls-exporter,,".as_slice(), &EXPORTER].concat();
    let escaped = name.replace('=', "=3D").replace(',', "=2C");
    let plain_scram = |hash| Scram { hash, ..scram("n,,", b"n,,".to_vec(), &escaped, password) };
    let plus_scram = |hash| Scram { hash, ..scram("p=tls-exporter,,", plus.clone(), &escaped, password) };
    let reply = match mechanism {
        Mechanism::Apop => {
            let digest = apop(&talk.greeting, password);
            talk.line(format!("APOP {name} {digest}").as_bytes())
        }
        Mechanism::CramMd5 => by_cram(&mut talk, name, password),
        Mechanism::DigestMd5 => by_digest(&mut talk, protocol, name, password),
        Mechanism::ScramSha1 => by_scram(&mut talk, "SCRAM-SHA-1", &plain_scram(Hash::Sha1)),
        Mechanism::ScramSha256 => by_scram(&mut talk, "SCRAM-SHA-256", &plain_scram(Hash::Sha256)),
        Mechanism::ScramSha1Plus => by_scram(&mut talk, "SCRAM-SHA-1-PLUS", &plus_scram(Hash::Sha1)),
        Mechanism::ScramSha256Plus => by_scram(&mut talk, "SCRAM-SHA-256-PLUS", &plus_scram(Hash::Sha256)),
        Mechanism::Ntlm => by_ntlm(&mut talk, ["", name, password], true),
        other => panic!("{other} proves no password"),
    };
    (talk, reply)
}

#[test]
fn whoever_knows_the_password_gets_in_and_nobody_else() {
    for &protocol in Protocol::ALL {
        let proving = Mechanism::ALL.iter().filter(|mechanism| mechanism.proves_password());
        for &mechanism in proving.filter(|mechanism| mechanism.fits(protocol)) {
            for (name, mailbox) in [("Alice", "Bob"), ("First Last", "First Last"), ("Comma,Equals=", "Comma,Equals=")]
            {
                let (mut talk, reply) = proved(protocol, mechanism, name, &format!("Secret-{name}"));
                assert_eq!(word(&reply), "OK", "{protocol} {mechanism} {name}: {reply}");
                assert_eq!(talk.canary().as_deref(), Some(mailbox), "{protocol} {mechanism}");
            }
            // A wrong password, an unknown user and a mailbox without an account look the same.
            let refusals = [("Same", "wrong"), ("Nobody", "wrong"), ("Orphan", ""), ("", "")];
            let refusals = refusals.map(|(name, password)| (name, proved(protocol, mechanism, name, password).1));
            for (name, reply) in &refusals {
                assert_eq!(word(reply), "NO", "{protocol} {mechanism} {name}: {reply}");
            }
            assert_eq!(refusals[0].1, refusals[1].1, "{protocol} {mechanism}");
            assert_eq!(refusals[0].1, refusals[2].1, "{protocol} {mechanism}");
        }
    }
}

#[test]
fn a_client_that_could_bind_its_channel_gets_in_where_the_server_cannot() {
    let scram = scram("y,,", b"y,,".to_vec(), "Same", "Secret-Same");
    assert_eq!(word(&by_scram(&mut talk(Protocol::Imap), "SCRAM-SHA-1", &scram)), "OK");
    assert_eq!(word(&by_scram(&mut secure(Protocol::Imap, "Same"), "SCRAM-SHA-1", &scram)), "NO");
}

#[test]
fn names_outside_of_ascii_get_in_too() {
    for mechanism in [Mechanism::CramMd5, Mechanism::ScramSha256, Mechanism::Ntlm] {
        let (mut talk, reply) = proved(Protocol::Imap, mechanism, "Jürgen", "Secret-Jürgen");
        assert_eq!(word(&reply), "OK", "{mechanism}: {reply}");
        assert_eq!(talk.canary().as_deref(), Some("Jürgen"));
    }
}

#[test]
fn tokens_certificates_and_nobody_in_particular() {
    for &protocol in Protocol::ALL {
        for (mechanism, message, mailbox) in [
            ("XOAUTH2", &b"user=Alice\x01auth=Bearer Token-Domain1-Alice\x01\x01"[..], "Bob"),
            ("XOAUTH2", b"user=Principal\x01auth=bearer Token-Domain1-Delegate\x01\x01", "Principal"),
            ("OAUTHBEARER", b"n,a=Alice,\x01host=h\x01port=143\x01auth=Bearer Token-Domain1-Alice\x01\x01", "Bob"),
            ("OAUTHBEARER", b"n,,\x01auth=Bearer Token-Domain1-Alice\x01\x01", "Bob"),
            (
                "OAUTHBEARER",
                b"y,a=Comma=2CEquals=3D,\x01auth=Bearer Token-Domain1-Comma,Equals=\x01\x01",
                "Comma,Equals=",
            ),
            ("EXTERNAL", b"", "Bob"),
            ("EXTERNAL", b"Alice", "Bob"),
            ("ANONYMOUS", b"sirhc", "Anonymous"),
            ("ANONYMOUS", b"", "Anonymous"),
        ] {
            let mut talk = secure(protocol, "Alice");
            let reply = talk.say(mechanism, message);
            assert_eq!(word(&reply), "OK", "{protocol} {mechanism}: {reply}");
            assert_eq!(talk.canary().as_deref(), Some(mailbox), "{protocol} {mechanism}");
        }
    }
}

/// RFC 7628 §3.2.3: the details, a ^A, and only then the failure. XOAUTH2 has an empty line instead.
#[test]
fn a_refused_token_is_explained_before_it_is_refused() {
    for (mechanism, message, taken) in [
        ("XOAUTH2", &b"user=Same\x01auth=Bearer none\x01\x01"[..], &b""[..]),
        ("OAUTHBEARER", b"n,a=Same,\x01auth=Bearer none\x01\x01", b"\x01"),
        ("OAUTHBEARER", b"n,a=Same,\x01auth=\x01\x01", b"\x01"),
    ] {
        let mut talk = talk(Protocol::Imap);
        let details = decoded(&talk.say(mechanism, message)).expect("details");
        assert!(details.starts_with(b"{\"status\":") && details.ends_with(b"}"));
        assert!(talk.answer(taken).starts_with("a NO [AUTHENTICATIONFAILED] "), "{mechanism}");
    }
    let mut talk = talk(Protocol::Imap);
    talk.say("XOAUTH2", b"user=Principal\x01auth=Bearer Token-Domain1-Same\x01\x01");
    assert!(talk.line(b"").starts_with("a NO [AUTHORIZATIONFAILED] "));
}

#[test]
fn an_authorization_identity_is_the_same_or_none() {
    for (header, expected) in [("n,a=Same,", "a OK"), ("n,a=Alice,", "a NO [AUTHORIZATIONFAILED]")] {
        let scram = scram(header, header.as_bytes().to_vec(), "Same", "Secret-Same");
        let reply = by_scram(&mut talk(Protocol::Imap), "SCRAM-SHA-1", &scram);
        assert!(reply.starts_with(expected), "{reply}");
    }
    let reply = secure(Protocol::Imap, "Same").say("EXTERNAL", b"Alice");
    assert!(reply.starts_with("a NO [AUTHORIZATIONFAILED]"), "{reply}");
}

#[test]
fn what_is_malformed_is_refused_and_costs_a_failure() {
    let no_mic = "NTLMSSP\0";
    for (mechanism, message) in [
        ("CRAM-MD5", &b""[..]),
        ("CRAM-MD5", b"Same"),
        ("CRAM-MD5", b"Same 0123"),
        ("DIGEST-MD5", b"username=\"Same\""),
        ("DIGEST-MD5", &[b'A'; 8000]),
        ("SCRAM-SHA-1", b""),
        ("SCRAM-SHA-1", b"n,,m=x,n=Same,r=cn"),
        ("SCRAM-SHA-1", b"n,,n=Sa=me,r=cn"),
        ("SCRAM-SHA-1", b"y,,n=Same,r=cn"),
        ("SCRAM-SHA-1", b"p=tls-exporter,,n=Same,r=cn"),
        ("SCRAM-SHA-1-PLUS", b"n,,n=Same,r=cn"),
        ("SCRAM-SHA-1-PLUS", b"p=tls-unique,,n=Same,r=cn"),
        ("NTLM", b""),
        ("NTLM", no_mic.as_bytes()),
        ("XOAUTH2", b"user=Same\x01auth=Bearer Token-Domain1-Same\x01"),
        ("OAUTHBEARER", b"user=Same"),
        ("OAUTHBEARER", b"p=x,,\x01auth=Bearer Token-Domain1-Same\x01\x01"),
        ("EXTERNAL", b"\xff"),
        ("ANONYMOUS", &[b'a'; 256]),
    ] {
        for &protocol in Protocol::ALL {
            let mut talk = secure(protocol, "Same");
            talk.challenge(mechanism);
            let reply = talk.answer(message);
            let code = if protocol == Protocol::Imap { "a NO [AUTHENTICATIONFAILED] " } else { "-ERR [AUTH] " };
            assert!(reply.starts_with(code), "{mechanism}: {reply}");
            // The session goes on.
            assert!(talk.auth("PLAIN AFNhbWUAU2VjcmV0LVNhbWU=").contains("OK"));
        }
    }
}

#[test]
fn proofs_of_something_else_are_refused() {
    let mut replay = talk(Protocol::Imap);
    let challenge = replay.challenge("CRAM-MD5");
    let answer = cram(&challenge, "Same", "Secret-Same");
    assert_eq!(word(&replay.line(b"*")), "BAD");
    replay.challenge("CRAM-MD5");
    assert_eq!(word(&replay.answer(&answer)), "NO", "a challenge is good once");
    replay.challenge("CRAM-MD5");
    assert_eq!(word(&replay.answer(&answer.to_ascii_uppercase())), "NO");

    let sound = scram("n,,", b"n,,".to_vec(), "Same", "Secret-Same");
    for (from, to) in [("c=biws", "c=eSws"), ("r=cn", "r=cm"), (",p=", ",x=y,p=")] {
        let mut talk = talk(Protocol::Imap);
        let first = decoded(&talk.say("SCRAM-SHA-1", &scram_first(&sound))).expect("challenge");
        let (last, _) = scram_last(&sound, &first);
        assert_eq!(word(&talk.answer(last.replacen(from, to, 1).as_bytes())), "NO", "{from}");
    }
    let mut talk = talk(Protocol::Imap);
    let first = decoded(&talk.say("SCRAM-SHA-1", &scram_first(&sound))).expect("challenge");
    assert!(decoded(&talk.answer(scram_last(&sound, &first).0.as_bytes())).is_some());
    assert_eq!(word(&talk.answer(b"x")), "NO", "what follows the server's proof is empty");
}

#[test]
fn ntlm_is_signed_version_2_alone() {
    let who = ["", "Same", "Secret-Same"];
    for with_mic in [false, true] {
        assert_eq!(word(&by_ntlm(&mut talk(Protocol::Imap), who, with_mic)), "OK");
    }
    for (at, what) in [(72, "the integrity code"), (88 + 24, "the proof"), (88 + 24 + 24, "the time"), (8, "the kind")]
    {
        let mut talk = talk(Protocol::Imap);
        let challenge = decoded(&talk.say("NTLM", &ntlm_negotiate())).expect("challenge");
        let mut message = ntlm_authenticate(&challenge, who, true);
        message[at] ^= 1;
        assert_eq!(word(&talk.answer(&message)), "NO", "{what}");
    }
    let mut talk = talk(Protocol::Imap);
    let challenge = decoded(&talk.say("NTLM", &ntlm_negotiate())).expect("challenge");
    let mut message = ntlm_authenticate(&challenge, who, false);
    message[20..22].copy_from_slice(&24_u16.to_le_bytes());
    assert!(talk.answer(&message).contains("NTLMv1"));
}

#[test]
fn domain_and_user_make_one_login_name() {
    let dialect = super::super::fixture::dialect(
        "title = \"t\"\nseparators = '\\'\ncase = \"insensitive\"\nprotocols = [\"imap\"]\nmechanisms = [\"ntlm\"]\n\
         [[rule]]\nform = '{domain}\\{user}'\ncites = [\"test\"]\n",
    );
    let directory = opaque(Flaws::NONE).directory().clone();
    let authority = std::sync::Arc::new(Authority::new(dialect, directory, Flaws::NONE));
    let mut talk = Talk::new(Protocol::Imap, &authority, None);
    assert_eq!(word(&by_ntlm(&mut talk, ["Domain2", "Twin", "Secret-Twin"], true)), "OK");
    assert_eq!(talk.canary().as_deref(), Some("Twin2"));
}

#[test]
fn lines_that_are_no_answers() {
    for &protocol in Protocol::ALL {
        let refused = if protocol == Protocol::Imap { "BAD" } else { "NO" };
        for &mechanism in Mechanism::ALL.iter().filter(|mechanism| mechanism.is_sasl()) {
            let name = mechanism.sasl_name().expect("SASL");
            for line in [&b"*"[..], b"!!!!", b"QUI", b"="] {
                let mut talk = secure(protocol, "Same");
                talk.challenge(name);
                assert_eq!(word(&talk.line(line)), refused, "{name} {}", line.escape_ascii());
            }
            let mut talk = secure(protocol, "Same");
            let expected = if super::server_speaks_first(mechanism) { refused } else { "any" };
            for initial in ["=", "QUJD"] {
                let reply = word(&talk.auth(&format!("{name} {initial}")));
                assert!(expected == "any" || reply == expected, "{name} {initial}: {reply}");
                talk.line(b"*");
            }
        }
    }
}

#[test]
fn what_the_connection_does_not_allow_is_not_offered() {
    let (plain, secure) = (talk(Protocol::Imap).greeting, secure(Protocol::Imap, "Same").greeting);
    for needs_tls in [" AUTH=SCRAM-SHA-1-PLUS", " AUTH=SCRAM-SHA-256-PLUS", " AUTH=EXTERNAL"] {
        assert!(!plain.contains(needs_tls) && secure.contains(needs_tls), "{needs_tls}");
    }
    let all = " AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5 AUTH=DIGEST-MD5 AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256 AUTH=NTLM \
               AUTH=XOAUTH2 AUTH=OAUTHBEARER AUTH=ANONYMOUS]";
    assert!(plain.contains(all), "{plain}");
    for name in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "EXTERNAL"] {
        assert!(talk(Protocol::Imap).auth(name).starts_with("a NO [CANNOT]"), "{name}");
        assert!(talk(Protocol::Pop3).auth(name).starts_with("-ERR"), "{name}");
    }
    let listed = talk(Protocol::Pop3).line(b"CAPA");
    let sasl =
        "\r\nSASL PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256 NTLM XOAUTH2 OAUTHBEARER ANONYMOUS\r\n";
    assert!(listed.contains(sasl), "{listed}");

    let authority = opaque(Flaws::NONE);
    let mut directory = authority.directory().clone();
    directory.accounts.retain(|account| account.role != "anonymous");
    let without = std::sync::Arc::new(Authority::new(authority.dialect().clone(), directory, Flaws::NONE));
    assert!(!Talk::new(Protocol::Imap, &without, None).greeting.contains("ANONYMOUS"));
}

/// A first message for each mechanism, sound as far as it goes, so that what follows reaches the second stage.
fn first_message() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    proptest::sample::select(vec![
        ("PLAIN", vec![]),
        ("LOGIN", b"Same".to_vec()),
        ("CRAM-MD5", b"Same 00000000000000000000000000000000".to_vec()),
        ("DIGEST-MD5", b"username=\"Same\",realm=\"Domain1\",nonce=\"x\",nc=00000001,cnonce=\"y\"".to_vec()),
        ("SCRAM-SHA-1", b"n,,n=Same,r=cn".to_vec()),
        ("SCRAM-SHA-256-PLUS", b"p=tls-exporter,,n=Same,r=cn".to_vec()),
        ("NTLM", ntlm_negotiate()),
        ("XOAUTH2", b"user=Same\x01auth=Bearer x\x01\x01".to_vec()),
        ("OAUTHBEARER", b"n,a=Same,\x01auth=Bearer x\x01\x01".to_vec()),
        ("EXTERNAL", b"Same".to_vec()),
        ("ANONYMOUS", b"sirhc".to_vec()),
    ])
}

/// Octets that look like messages often enough.
fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        proptest::collection::vec(proptest::sample::select(b"nypacrm=,\"\\\x01\0 0a".to_vec()), 0..60),
        proptest::collection::vec(any::<u8>(), 0..120)
            .prop_map(|octets| [b"NTLMSSP\0\x03\0\0\0".as_slice(), &octets].concat()),
        "c=biws,r=cn[a-zA-Z0-9+/]{0,24},p=[a-zA-Z0-9+/]{0,8}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_messages_are_survived(
        protocol in proptest::sample::select(Protocol::ALL),
        flaws in prop_oneof![Just(Flaws::NONE), proptest::sample::select(Flaw::ALL).prop_map(Flaws::from)],
        (mechanism, first) in first_message(),
        (alters, at, to) in any::<(bool, proptest::sample::Index, u8)>(),
        messages in proptest::collection::vec(message(), 1..4),
    ) {
        let mut talk = Talk::new(protocol, &opaque(flaws), Some(tls("Same")));
        let mut first = first;
        if alters && !first.is_empty() {
            let at = at.index(first.len());
            first[at] = to;
        }
        let mut said = talk.auth(mechanism).len();
        for octets in std::iter::once(first).chain(messages) {
            said += talk.answer(&octets).len();
        }
        prop_assert!(said < 20_000);
    }
}

#[test]
fn an_answer_longer_than_any_ends_the_connection() {
    for &protocol in Protocol::ALL {
        for &mechanism in Mechanism::ALL.iter().filter(|mechanism| mechanism.is_sasl()) {
            let mut talk = secure(protocol, "Same");
            talk.challenge(mechanism.sasl_name().expect("SASL"));
            let reply = talk.line(&[b'A'; 64 * 1024]);
            assert!(reply.contains("the line is too long") && reply.len() < 200, "{mechanism}: {reply}");
        }
    }
}
