//! Properties of sessions that hold whatever the server sends and however it is cut.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::imap::command::quoted_escapes;
use super::*;
use crate::axes::{Encoding, Mechanism, Protocol, Security};
use crate::secret::Password;

/// Every way in which our client logs in.
fn ways() -> Vec<(Protocol, Mechanism, Option<Encoding>)> {
    let mut ways = vec![(Protocol::Pop3, Mechanism::Login, None)];
    for &protocol in Protocol::ALL {
        for &mechanism in Mechanism::ALL.iter().filter(|mechanism| mechanism.fits(protocol)) {
            let encodings = Encoding::ALL.iter().filter(|encoding| encoding.fits(protocol, mechanism));
            ways.extend(encodings.map(|encoding| (protocol, mechanism, Some(*encoding))));
        }
    }
    ways
}

fn login((protocol, mechanism, encoding): (Protocol, Mechanism, Option<Encoding>), password: &str) -> Session {
    Session::login(Login { encoding, ..Login::new(protocol, mechanism, br"Domain1\User1", Password::new(password)) })
}

fn dialogue(protocol: Protocol) -> Session {
    let line = |words: &[&str]| Expected::Line {
        words: words.iter().map(|word| WordPattern(vec![word.as_bytes().to_vec()])).collect(),
    };
    let greeting = if protocol == Protocol::Imap { line(&["*", "OK"]) } else { line(&["+OK"]) };
    let steps = vec![
        DialogueStep::Expect(vec![greeting]),
        DialogueStep::Send(Outgoing::plain("a1 x\r\n")),
        DialogueStep::Expect(vec![line(&["a1", "OK"]), line(&["+OK"]), Expected::Closed]),
        DialogueStep::Send(Outgoing::plain("a2 y\r\n")),
        DialogueStep::Expect(vec![line(&["a2"]), line(&["+"])]),
    ];
    Session::dialogue(protocol, steps)
}

/// Everything that can be seen of a session.
type Seen = (Vec<Outgoing>, Vec<Deviation>, Outcome);

/// Feeds a stream in pieces and then ends it.
fn run(mut session: Session, pieces: &[&[u8]], closes: bool) -> Seen {
    let mut pieces = pieces.iter();
    let mut sent = Vec::new();
    loop {
        match session.poll() {
            Action::Send(outgoing) => sent.push(outgoing),
            Action::Receive => match pieces.next() {
                Some(piece) => session.receive(piece),
                None if closes => session.closed(),
                None => session.timed_out(),
            },
            Action::StartTls => session.tls_failed(String::new()),
            Action::Finished => break,
        }
        // A login has at most eight pieces to send, a dialogue no more than its steps.
        assert!(sent.len() <= 8);
    }
    assert_eq!(session.poll(), Action::Finished);
    let deviations = session.deviations().to_vec();
    (sent, deviations, session.outcome())
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

/// What a server may say: mostly lines that belong into a login, so that every stage is reached.
fn server_stream() -> impl Strategy<Value = Vec<u8>> {
    let useful = select(vec![
        &b"* OK\r\n"[..],
        b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN SASL-IR LITERAL+]\r\n",
        b"* PREAUTH\r\n",
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
    let imap = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN SASL-IR LITERAL+]\r\n".to_vec();
    let pop3 = b"+OK\r\n+OK\r\n".to_vec();
    (select(vec![Vec::new(), imap, pop3]), noise).prop_map(|(start, rest)| [start, rest].concat())
}

fn sessions(password: &'static str) -> Vec<Session> {
    let logins = ways().into_iter().map(|way| login(way, password));
    let surveys = Protocol::ALL.iter().map(|protocol| Session::survey(*protocol, Security::Plaintext));
    logins.chain(Protocol::ALL.iter().map(|protocol| dialogue(*protocol))).chain(surveys).collect()
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
        let whole = sessions("Secret-User1").into_iter().map(|session| run(session, &[&stream], closes));
        for (index, whole) in whole.enumerate() {
            let again = |pieces: &[&[u8]]| {
                sessions("Secret-User1").into_iter().nth(index).map(|session| run(session, pieces, closes))
            };
            prop_assert_eq!(Some(whole.clone()), again(&pieces));
            prop_assert_eq!(Some(whole), again(&single));
        }
    }

    #[test]
    fn arbitrary_octets_end_well(stream in prop::collection::vec(any::<u8>(), 0..600), closes: bool) {
        for session in sessions("Secret-User1") {
            let (_, deviations, _) = run(session, &[&stream], closes);
            prop_assert!(deviations.len() <= 32);
        }
    }

    #[test]
    fn no_form_of_a_password_is_shown(
        password in "[ -~]{3,24}",
        filler in "[ -~]{0,6}",
        cuts in prop::collection::vec(any::<Index>(), 0..12),
        way in select(ways()),
    ) {
        let echoed = forms(&password).join(&format!("{filler}\r\n"));
        let mut transcript = Transcript::new();
        let start = match way.0 {
            Protocol::Imap => "* OK [CAPABILITY AUTH=PLAIN AUTH=LOGIN SASL-IR LITERAL+]\r\n+ \r\n+ \r\n",
            Protocol::Pop3 => "+OK\r\n+OK\r\nSASL PLAIN LOGIN\r\n.\r\n+ \r\n+ \r\n",
        };
        let mut session = Session::login(Login {
            encoding: way.2,
            ..Login::new(way.0, way.1, format!("Domain1\\{filler}"), Password::new(password.as_str()))
        });
        session.receive(start.as_bytes());
        let mut pieces = cut(echoed.as_bytes(), &cuts).into_iter();
        loop {
            match session.poll() {
                Action::Send(outgoing) => {
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
