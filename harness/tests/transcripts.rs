//! The KB's logins, octet by octet: client and reference server against each other in memory, without sockets or clocks.
//!
//! The transcripts are snapshots under `snapshots/transcripts/`: what a person reads to see how each failure looks on
//! the wire. The same pair, cut into pieces of any size, must come to the same.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use loginspec::axes::{Encoding, Mechanism, Protocol};
use loginspec::identity::bundled_directory;
use loginspec::protocol::{Action, Login, Outcome, Redactor, Session, Transcript};
use loginspec::reference::{Authority, Flaws, Flow, Session as ServerSession};
use loginspec::secret::Password;
use loginspec::target::find_dialect;
use proptest::prelude::*;

/// Who logs in where, and how.
#[derive(Clone, Copy)]
struct Attempt {
    dialect: &'static str,
    protocol: Protocol,
    mechanism: Mechanism,
    encoding: Option<Encoding>,
    name: &'static str,
    password: &'static str,
}

const fn attempt(dialect: &'static str, protocol: Protocol, name: &'static str, password: &'static str) -> Attempt {
    Attempt { dialect, protocol, mechanism: Mechanism::Login, encoding: None, name, password }
}

/// The name of each snapshot, and the login that it shows.
const ATTEMPTS: &[(&str, Attempt)] = &[
    ("all-three-imap", attempt("exchange-5.5", Protocol::Imap, r"Domain1\User1\Mailbox1", "Secret-User1")),
    ("all-three-pop3", attempt("exchange-5.0", Protocol::Pop3, r"Domain1\User1\Mailbox1", "Secret-User1")),
    ("mailbox-alone", attempt("exchange-5.5", Protocol::Imap, "Mailbox1", "Secret-User1")),
    ("assumed-mailbox-says-nothing", attempt("exchange-5.5", Protocol::Imap, r"Domain1\User1", "Secret-User1")),
    ("assumed-mailbox-is-anothers", attempt("exchange-2000", Protocol::Pop3, r"Domain1\Alice", "Secret-Alice")),
    ("no-mailbox-hangs-up", attempt("exchange-5.0", Protocol::Pop3, r"Domain1\Nobox", "Secret-Nobox")),
    ("ambiguous-alias", attempt("exchange-5.5", Protocol::Pop3, r"Domain1\Ambiguous\Ambiguous", "Secret-Ambiguous")),
    ("mailbox-elsewhere", attempt("exchange-5.5", Protocol::Pop3, r"Domain1\Moved\Moved", "Secret-Moved")),
    ("address-is-a-protocol-error", attempt("exchange-2000", Protocol::Imap, "Same@domain1.example", "Secret-Same")),
    ("authenticated-but-not-connected", attempt("exchange-2007", Protocol::Imap, r"Domain1\User1", "Secret-User1")),
    ("wrong-password", attempt("exchange-5.5", Protocol::Imap, r"Domain1\Same\Same", "wrong-as-can-be")),
    (
        "plain-refuses-three-parts",
        Attempt {
            mechanism: Mechanism::Plain,
            ..attempt("exchange-2007", Protocol::Imap, r"Domain1\User1\Mailbox1", "Secret-User1")
        },
    ),
    (
        "literal",
        Attempt {
            encoding: Some(Encoding::Literal),
            ..attempt("exchange-5.5", Protocol::Imap, r"Domain1\User1\Mailbox1", "Secret-User1")
        },
    ),
    (
        "unescaped-backslashes",
        Attempt {
            encoding: Some(Encoding::QuotedUnescaped),
            ..attempt("exchange-5.5", Protocol::Imap, r"Domain1\User1\Mailbox1", "Secret-User1")
        },
    ),
    ("master-user", attempt("dovecot-master", Protocol::Imap, "User1*Master", "Secret-Master")),
];

fn authority(dialect: &str) -> Arc<Authority> {
    Arc::new(Authority::new(find_dialect(dialect).unwrap(), bundled_directory().unwrap(), Flaws::NONE))
}

/// Lets the two talk until the client is done; what passes between them is cut as `cuts` says, over and over.
fn talk(attempt: Attempt, authority: Arc<Authority>, cuts: &[usize]) -> (Outcome, Transcript) {
    let mut client = Session::login(Login {
        encoding: attempt.encoding,
        ..Login::new(attempt.protocol, attempt.mechanism, attempt.name, Password::new(attempt.password))
    });
    let mut server = ServerSession::new(attempt.protocol, authority);
    let mut transcript = Transcript::new();
    let mut answers = Vec::new();
    server.greeting(&mut answers);
    let mut is_closed = false;
    for _ in 0..200 {
        match client.poll() {
            Action::Finished => break,
            Action::StartTls => client.tls_failed(String::new()),
            Action::Send(outgoing) => {
                transcript.sent(Duration::ZERO, &outgoing);
                for piece in pieces(&outgoing.octets, cuts) {
                    is_closed = is_closed || server.receive(piece, &mut answers) == Flow::Close;
                }
            }
            Action::Receive if answers.is_empty() => {
                assert!(is_closed, "both wait: {}", transcript.render(&Redactor::new(&[])));
                transcript.closed(Duration::ZERO);
                client.closed();
            }
            Action::Receive => {
                let octets = std::mem::take(&mut answers);
                transcript.received(Duration::ZERO, &octets);
                for piece in pieces(&octets, cuts) {
                    client.receive(piece);
                }
            }
        }
    }
    (client.outcome(), transcript)
}

fn pieces<'o>(mut octets: &'o [u8], cuts: &[usize]) -> Vec<&'o [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts.iter().cycle() {
        if octets.is_empty() {
            break;
        }
        let (piece, rest) = octets.split_at((*cut).clamp(1, octets.len()));
        pieces.push(piece);
        octets = rest;
    }
    pieces
}

#[test]
fn the_logins_of_the_kb_on_the_wire() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/transcripts"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, attempt) in ATTEMPTS {
            let (outcome, transcript) = talk(*attempt, authority(attempt.dialect), &[usize::MAX]);
            let shown = transcript.render(&Redactor::new(&[Password::new(attempt.password)]));
            assert!(!shown.contains(attempt.password));
            let text = format!("{} {}: {}\n\n{shown}", attempt.dialect, attempt.name, outcome.word());
            insta::assert_snapshot!(*name, text);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn cuts_make_no_difference(which in 0..ATTEMPTS.len(), cuts in proptest::collection::vec(1usize..40, 1..6)) {
        let attempt = ATTEMPTS[which].1;
        let authority = authority(attempt.dialect);
        let (whole, _) = talk(attempt, Arc::clone(&authority), &[usize::MAX]);
        let (cut, _) = talk(attempt, authority, &cuts);
        prop_assert_eq!(whole, cut);
    }
}
