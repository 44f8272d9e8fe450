//! Properties of sessions that hold whatever the server sends and however it is cut.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::hearing::hear;
use super::imap::command::quoted_escapes;
use super::*;
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security, ways};
use crate::secret::Password;

/// What an IMAP server has to offer so that every way is tried.
const IMAP_OFFER: &str = "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5 AUTH=DIGEST-MD5 \
    AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS AUTH=NTLM AUTH=XOAUTH2 \
    AUTH=OAUTHBEARER AUTH=EXTERNAL AUTH=ANONYMOUS]\r\n";
/// The same of a POP3 server.
const POP3_OFFER: &str = "+OK <1@x>\r\n+OK\r\nSASL PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-1-PLUS \
    SCRAM-SHA-256 SCRAM-SHA-256-PLUS NTLM XOAUTH2 OAUTHBEARER EXTERNAL ANONYMOUS\r\n.\r\n";

fn login(
    (protocol, mechanism, encoding): (Protocol, Mechanism, Option<Encoding>),
    security: Security,
    password: &str,
) -> Session {
    let login = Login::new(protocol, mechanism, r"Domain1\User1", Password::new(password));
    secured(Login { encoding, security, ..login })
}

/// A session over TLS, so that a channel can be bound; with STARTTLS it gets there by itself.
fn secured(login: Login) -> Session {
    let is_early = login.security != Security::Starttls;
    let mut session = Session::login(login);
    if is_early {
        session.secured(Secured { exporter: Some([7; 32]), ..Secured::default() });
    }
    session
}

fn dialogue(protocol: Protocol, security: Security) -> Session {
    let line =
        |words: &[&str]| Expected::Line { words: words.iter().map(|word| WordPattern::words([*word])).collect() };
    let greeting = if protocol == Protocol::Imap { line(&["*", "OK"]) } else { line(&["+OK"]) };
    let steps = vec![
        DialogueStep::Expect(vec![greeting]),
        DialogueStep::Send(Outgoing::plain("a1 x\r\n")),
        DialogueStep::Expect(vec![line(&["a1", "OK"]), line(&["+OK"]), Expected::Closed]),
        DialogueStep::StartTls { or_fails: protocol == Protocol::Imap },
        DialogueStep::Send(Outgoing::plain("a2 y\r\n")),
        DialogueStep::Expect(vec![line(&["a2"]), line(&["+"])]),
    ];
    Session::dialogue(protocol, security, steps)
}

/// `stream` cut at `cuts`.
fn cut<'a>(stream: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    at.sort_unstable();
    let mut pieces = Vec::new();
    let mut start = 0;
    for end in at.into_iter().chain([stream.len()]) {
        pieces.push(&stream[start..end]);
        start = end;
    }
    pieces
}

/// `r=00000000000000000000000000000000x,s=QUJD,i=1`: few iterations, because these tests are many.
const SCRAM_FIRST: &[u8] = b"+ cj0wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMHgscz1RVUpELGk9MQ==\r\n";
/// `nonce="a",algorithm=md5-sess`
const DIGEST: &[u8] = b"+ bm9uY2U9ImEiLGFsZ29yaXRobT1tZDUtc2Vzcw==\r\n";
/// A challenge of 32 octets, without target information.
const NTLM: &[u8] = b"+ TlRMTVNTUAACAAAAAAAAAAAAAAABAgAAMTIzNDU2Nzg=\r\n";

/// What a server may say: mostly lines that belong into a login, so that every stage is reached.
fn server_stream() -> impl Strategy<Value = Vec<u8>> {
    let useful = select(vec![
        &b"* OK\r\n"[..],
        b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN SASL-IR LITERAL+]\r\n",
        b"* PREAUTH\r\n",
        b"t1 OK begin TLS\r\n",
        b"t1 NO\r\n",
        b"t2 OK\r\n",
        b"* BYE gone\r\n",
        b"* CAPABILITY AUTH=PLAIN\r\n",
        b"* 1 EXISTS\n",
        b"* 1 FETCH (BODY[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)] {26}\r\nX-Loginspec-Mailbox: M1\r\n\r\n)\r\n",
        b"* X {3}\nabc {2}\r\nde\r\n",
        b"a1 OK\r\n",
        b"a2 OK\r\n",
        b"a3 OK\r\n",
        b"a4 OK\r\n",
        b"a2 NO\r\n",
        b"a1 BAD\r\n",
        b"+ \r\n",
        b"+\n",
        SCRAM_FIRST,
        b"+ dj1RUT09\r\n",
        b"+ ZT14\r\n",
        DIGEST,
        b"+ PDFAeD4=\r\n",
        NTLM,
        b"+ !\r\n",
        b"+OK\r\n",
        b"+ok 1 1\r\n",
        b"-ERR [AUTH] no\r\n",
        b"SASL PLAIN LOGIN\r\n",
        b"X-Loginspec-Mailbox: M1\n",
        b".\r\n",
        b"\0",
        b"\r",
        b"\n",
    ]);
    let piece = prop_oneof![
        20 => useful.prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    let noise = prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat());
    let starttls = b"* OK\r\nt1 OK\r\n".to_vec();
    let pop3 = b"+OK <1@x>\r\n+OK\r\n".to_vec();
    (select(vec![Vec::new(), IMAP_OFFER.into(), POP3_OFFER.into(), starttls, pop3]), noise)
        .prop_map(|(start, rest)| [start, rest].concat())
}

fn sessions(password: &'static str) -> Vec<Session> {
    let both = [Security::Plaintext, Security::Starttls];
    let logins =
        both.into_iter().flat_map(|security| ways().into_iter().map(move |way| login(way, security, password)));
    let dialogues =
        both.into_iter().flat_map(|security| Protocol::ALL.iter().map(move |protocol| dialogue(*protocol, security)));
    let surveys =
        both.into_iter().flat_map(|security| Protocol::ALL.iter().map(move |one| Session::survey(*one, security)));
    let deliveries = both.into_iter().map(|security| {
        let login = Login::new(Protocol::Imap, Mechanism::Login, "M1", Password::new(password));
        Session::delivery(Login { security, ..login }, b"X-Loginspec-Mailbox: M1\r\n\r\n".to_vec())
    });
    logins.chain(dialogues).chain(surveys).chain(deliveries).collect()
}

/// Challenges to which the client gives all of its responses.
fn challenges(mechanism: Mechanism, encoding: Option<Encoding>) -> Vec<u8> {
    let initial = encoding == Some(Encoding::InitialResponse);
    match mechanism {
        Mechanism::CramMd5 => b"+ PDFAeD4=\r\n".to_vec(),
        Mechanism::DigestMd5 => DIGEST.to_vec(),
        Mechanism::Ntlm if initial => NTLM.to_vec(),
        Mechanism::Ntlm => [b"+ \r\n", NTLM].concat(),
        _ if mechanism.is_scram() && initial => SCRAM_FIRST.to_vec(),
        _ if mechanism.is_scram() => [b"+ \r\n", SCRAM_FIRST].concat(),
        Mechanism::SaslLogin if !initial => b"+ \r\n+ \r\n".to_vec(),
        Mechanism::SaslLogin | Mechanism::Login => b"+ \r\n".to_vec(),
        _ if initial => Vec::new(),
        _ => b"+ \r\n".to_vec(),
    }
}

#[test]
fn every_way_of_sasl_is_walked_to_its_end() {
    for way in ways().into_iter().filter(|way| way.1.is_sasl()) {
        let offer = if way.0 == Protocol::Imap { IMAP_OFFER } else { POP3_OFFER };
        let stream = [offer.as_bytes(), &challenges(way.1, way.2)].concat();
        let (sent, _, outcome) = hear(login(way, Security::Plaintext, "Secret-User1"), &[&stream], false);
        assert_eq!(outcome, Outcome::NoAnswer(Stage::Login), "{way:?}");
        let responses = sent.iter().filter(|outgoing| outgoing.meaning.is_some()).count();
        let two = way.1.is_scram() || matches!(way.1, Mechanism::Ntlm | Mechanism::SaslLogin);
        assert_eq!(responses, if two { 2 } else { 1 }, "{way:?}");
    }
}

/// A password as it may stand in a transcript: the forms in which it must not.
fn forms(password: &str) -> Vec<String> {
    let hex: String = password.bytes().map(|octet| format!("{octet:02x}")).collect();
    vec![
        password.to_owned(),
        String::from_utf8(quoted_escapes(password.as_bytes())).unwrap_or_default(),
        STANDARD.encode(password),
        STANDARD.encode(format!("\0Domain1\\User1\0{password}")),
        STANDARD.encode(format!("x\0Domain1\\User1\0{password}")),
        STANDARD.encode(format!("xy\0Domain1\\User1\0{password}")),
        hex.to_ascii_uppercase(),
        hex,
    ]
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(
        stream in server_stream(),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
        closes: bool,
    ) {
        let pieces = cut(&stream, &cuts);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        let whole = sessions("Secret-User1").into_iter().map(|session| hear(session, &[&stream], closes));
        for (index, whole) in whole.enumerate() {
            let again = |pieces: &[&[u8]]| {
                sessions("Secret-User1").into_iter().nth(index).map(|session| hear(session, pieces, closes))
            };
            prop_assert_eq!(Some(whole.clone()), again(&pieces));
            prop_assert_eq!(Some(whole), again(&single));
        }
    }

    #[test]
    fn arbitrary_octets_end_well(stream in prop::collection::vec(any::<u8>(), 0..600), closes: bool) {
        for session in sessions("Secret-User1") {
            hear(session, &[&stream], closes);
        }
    }

    #[test]
    fn no_form_of_a_password_is_shown(
        password in "[ -~]{3,24}",
        filler in "[ -~]{0,6}",
        cuts in prop::collection::vec(any::<Index>(), 0..12),
        way in select(ways()),
        fault in prop::option::of(select(Fault::ALL)),
    ) {
        let fault = fault.filter(|fault| fault.fits(way.1));
        let echoed = forms(&password).join(&format!("{filler}\r\n"));
        let mut transcript = Transcript::new();
        let offer = if way.0 == Protocol::Imap { IMAP_OFFER } else { POP3_OFFER };
        let challenges = challenges(way.1, way.2);
        let start = [offer.as_bytes(), &challenges].concat();
        let mut session = secured(Login {
            fault,
            encoding: way.2,
            ..Login::new(way.0, way.1, format!("Domain1\\{filler}").as_str(), Password::new(password.as_str()))
        });
        session.receive(&start);
        let mut pieces = cut(echoed.as_bytes(), &cuts).into_iter();
        loop {
            match session.poll() {
                Action::Send(outgoing) => {
                    // The shortest passwords are part of words that are no secret.
                    let meaning = outgoing.meaning.as_deref().unwrap_or_default().replace("<password>", "\n");
                    let names = ["Domain1", &filler].into_iter().filter(|name| !name.is_empty());
                    let shown = names.fold(meaning, |shown, name| shown.replace(name, "\n"));
                    prop_assert!(password.len() < 6 || !shown.contains(&password), "{}", shown);
                    transcript.sent(Duration::ZERO, &outgoing);
                }
                Action::Receive => match pieces.next() {
                    Some(piece) => {
                        transcript.received(Duration::ZERO, piece);
                        session.receive(piece);
                    }
                    None => session.closed(),
                },
                Action::StartTls => session.tls_failed(String::new()),
                Action::Finished => break,
            }
        }
        for piece in pieces {
            transcript.received(Duration::ZERO, piece);
        }
        let redactor = Redactor::new(&[Password::new(password.as_str())]);
        // What the transcript adds of its own is no form of a password, even where it looks like one.
        let shown = transcript.render(&redactor).replace("<password>", "\n").replace("S: [closed]", "");
        let lines: Vec<&str> = shown.lines().map(|line| line.trim_start_matches("S: ").trim_start_matches("C: ")).collect();
        for form in forms(&password) {
            prop_assert!(!lines.iter().any(|line| line.contains(&form)), "{} is in {}", form, shown);
        }
    }
}
