//! TLS from the sessions' point of view: what is offered, refused, forgotten and discarded. No handshake takes place.

use std::sync::Arc;

use proptest::prelude::*;

use super::connection::TlsFacts;
use super::fixture::authority;
use super::flaw::{Flaw, Flaws};
use super::flow::Flow;
use super::session::Session;
use crate::axes::Protocol;

/// The flaws that show only where TLS is to be had; each has its own test here.
pub(super) const FLAWS: [Flaw; 6] = [
    Flaw::ExecutesInjectedCommands,
    Flaw::AdvertisesStarttlsInTls,
    Flaw::LoginWithoutTls,
    Flaw::RevealsPasswordBeforeTls,
    Flaw::PreauthBeforeTls,
    Flaw::KeepsLoginNameAcrossTls,
];

/// A server with TLS that perhaps requires it.
fn server(protocol: Protocol, flaws: Flaws, requires_tls: bool) -> Session {
    Session::new(protocol, Arc::new(authority(flaws).with_tls(true, requires_tls)))
}

fn say(session: &mut Session, octets: &str) -> (String, Flow) {
    let mut out = Vec::new();
    let flow = session.receive(octets.as_bytes(), &mut out);
    (String::from_utf8(out).expect("UTF-8"), flow)
}

fn greeting(session: &Session) -> String {
    let mut out = Vec::new();
    session.greeting(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

/// What is said in plaintext up to the request for TLS, what is injected behind it, and then what is answered in TLS.
fn through_tls(protocol: Protocol, flaws: Flaws, before: &str, injected: &str, after: &str) -> String {
    let mut session = server(protocol, flaws, false);
    say(&mut session, before);
    let (request, answer) = match protocol {
        Protocol::Imap => ("t STARTTLS\r\n", "t OK begin TLS now\r\n"),
        Protocol::Pop3 => ("STLS\r\n", "+OK begin TLS now\r\n"),
    };
    let (out, flow) = say(&mut session, &format!("{request}{injected}"));
    assert_eq!((out.as_str(), flow), (answer, Flow::StartTls));
    assert_eq!(say(&mut session, injected), (String::new(), Flow::StartTls), "a later segment is discarded as well");
    session.secured(TlsFacts::default());
    say(&mut session, after).0
}

const CAPABILITY: &str = "c CAPABILITY\r\n";

#[test]
fn what_is_offered_changes_with_tls() {
    let imap = |rest: &str| {
        format!("* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR UNSELECT{rest}\r\nc OK CAPABILITY completed\r\n")
    };
    let mut plain = server(Protocol::Imap, Flaws::NONE, false);
    assert!(greeting(&plain).contains(" UNSELECT STARTTLS AUTH=PLAIN "), "{}", greeting(&plain));
    assert_eq!(say(&mut plain, CAPABILITY).0, imap(" STARTTLS AUTH=PLAIN AUTH=LOGIN"));
    assert_eq!(through_tls(Protocol::Imap, Flaws::NONE, "", "", CAPABILITY), imap(" AUTH=PLAIN AUTH=LOGIN"));
    let capa = |rest: &str| {
        format!(
            "+OK\r\n{rest}RESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nTOP\r\nUIDL\r\nIMPLEMENTATION loginspec\r\n.\r\n"
        )
    };
    let mut plain = server(Protocol::Pop3, Flaws::NONE, false);
    assert_eq!(say(&mut plain, "CAPA\r\n").0, capa("STLS\r\nUSER\r\nSASL PLAIN LOGIN\r\n"));
    assert_eq!(through_tls(Protocol::Pop3, Flaws::NONE, "", "", "CAPA\r\n"), capa("USER\r\nSASL PLAIN LOGIN\r\n"));
    let mut requiring = server(Protocol::Pop3, Flaws::NONE, true);
    assert_eq!(say(&mut requiring, "CAPA\r\n").0, capa("STLS\r\n"));
    let mut requiring = server(Protocol::Imap, Flaws::NONE, true);
    // The server that requires TLS is the one with LITERAL-.
    let strict = |rest: &str| imap(rest).replace("LITERAL+", "LITERAL-");
    assert_eq!(say(&mut requiring, CAPABILITY).0, strict(" STARTTLS LOGINDISABLED"));
    requiring.secured(TlsFacts::default());
    assert_eq!(say(&mut requiring, CAPABILITY).0, strict(" AUTH=PLAIN AUTH=LOGIN"));
}

#[test]
fn tls_is_refused_within_tls_after_a_login_and_where_there_is_none() {
    let refused = "t BAD STARTTLS is not offered here\r\n";
    assert_eq!(through_tls(Protocol::Imap, Flaws::NONE, "", "", "t STARTTLS\r\n"), refused);
    let mut session = server(Protocol::Imap, Flaws::NONE, false);
    assert!(say(&mut session, "a LOGIN Same Secret-Same\r\nt STARTTLS\r\n").0.ends_with(refused));
    let mut session = Session::new(Protocol::Imap, Arc::new(authority(Flaws::NONE)));
    assert_eq!(say(&mut session, "t STARTTLS\r\n"), (refused.to_owned(), Flow::Continue));
    let refused = "-ERR STLS is not offered here (RFC 2595 section 4)\r\n";
    assert_eq!(through_tls(Protocol::Pop3, Flaws::NONE, "", "", "STLS\r\n"), refused);
    let mut session = server(Protocol::Pop3, Flaws::NONE, false);
    assert!(say(&mut session, "USER Same\r\nPASS Secret-Same\r\nSTLS\r\n").0.ends_with(refused));
    let mut session = Session::new(Protocol::Pop3, Arc::new(authority(Flaws::NONE)));
    assert_eq!(say(&mut session, "STLS\r\n"), (refused.to_owned(), Flow::Continue));
}

#[test]
fn logins_work_within_tls() {
    assert!(through_tls(Protocol::Imap, Flaws::NONE, "", "", "a LOGIN Same Secret-Same\r\n").starts_with("a OK "));
    let pop3 = through_tls(Protocol::Pop3, Flaws::NONE, "", "", "USER Same\r\nPASS Secret-Same\r\n");
    assert!(pop3.starts_with("+OK\r\n+OK the maildrop"), "{pop3}");
}

#[test]
fn injected_commands_are_executed_by_a_flawed_server_only() {
    let flawed = Flaws::from(Flaw::ExecutesInjectedCommands);
    let imap = |flaws| through_tls(Protocol::Imap, flaws, "", "b NOOP\r\n", "c NOOP\r\n");
    assert_eq!(imap(Flaws::NONE), "c OK NOOP completed\r\n");
    assert_eq!(imap(flawed), "b OK NOOP completed\r\nb OK NOOP completed\r\nc OK NOOP completed\r\n");
    // Half a command in plaintext must not become the beginning of another one either.
    assert_eq!(through_tls(Protocol::Imap, Flaws::NONE, "", "b LOGIN ", "c NOOP\r\n"), "c OK NOOP completed\r\n");
    let pop3 = |flaws| through_tls(Protocol::Pop3, flaws, "", "USER Same\r\n", "PASS Secret-Same\r\n");
    assert!(pop3(Flaws::NONE).starts_with("-ERR PASS follows"));
    assert!(pop3(flawed).starts_with("+OK\r\n+OK\r\n+OK the maildrop"), "{}", pop3(flawed));
    let flood = through_tls(Protocol::Imap, flawed, "", &"b NOOP\r\n".repeat(100_000), "c NOOP\r\n");
    assert!(flood.len() < 20_000, "what is kept is bounded");
}

#[test]
fn a_name_from_before_tls_is_forgotten() {
    let answer = |flaws| through_tls(Protocol::Pop3, flaws, "USER Same\r\n", "", "PASS Secret-Same\r\n");
    assert!(answer(Flaws::NONE).starts_with("-ERR PASS follows"));
    assert!(answer(Flaw::KeepsLoginNameAcrossTls.into()).starts_with("+OK the maildrop"));
}

#[test]
fn a_flawed_server_offers_tls_within_tls() {
    let flawed = Flaws::from(Flaw::AdvertisesStarttlsInTls);
    assert!(through_tls(Protocol::Imap, flawed, "", "", CAPABILITY).contains(" STARTTLS "));
    assert!(through_tls(Protocol::Pop3, flawed, "", "", "CAPA\r\n").contains("\r\nSTLS\r\n"));
    assert!(through_tls(Protocol::Imap, flawed, "", "", "t STARTTLS\r\n").starts_with("t BAD"));
}

#[test]
fn a_password_before_tls_is_refused_whether_it_is_right_or_not() {
    let imap = |flaws, password: &str| {
        say(&mut server(Protocol::Imap, flaws, true), &format!("a LOGIN Same {password}\r\n")).0
    };
    let pop3 = |flaws, password: &str| {
        say(&mut server(Protocol::Pop3, flaws, true), &format!("USER Same\r\nPASS {password}\r\n")).0
    };
    let refused = "a NO [PRIVACYREQUIRED] no password is taken before TLS\r\n";
    assert_eq!((imap(Flaws::NONE, "Secret-Same").as_str(), imap(Flaws::NONE, "wrong").as_str()), (refused, refused));
    assert!(!pop3(Flaws::NONE, "Secret-Same").contains("+OK"));
    assert_eq!(pop3(Flaws::NONE, "Secret-Same"), pop3(Flaws::NONE, "wrong"));
    for line in
        ["a AUTHENTICATE PLAIN\r\n", "a AUTHENTICATE PLAIN AFNhbWUAU2VjcmV0LVNhbWU=\r\n", "a AUTHENTICATE LOGIN\r\n"]
    {
        assert_eq!(say(&mut server(Protocol::Imap, Flaws::NONE, true), line).0, refused, "{line}");
    }
    let auth = say(&mut server(Protocol::Pop3, Flaws::NONE, true), "AUTH PLAIN AFNhbWUAU2VjcmV0LVNhbWU=\r\n").0;
    assert_eq!(auth, "-ERR no password is taken before TLS (RFC 2595 section 2.3)\r\n");
    let reveals = Flaws::from(Flaw::RevealsPasswordBeforeTls);
    assert_eq!(imap(reveals, "Secret-Same"), refused);
    assert!(imap(reveals, "wrong").starts_with("a NO [AUTHENTICATIONFAILED]"));
    assert_eq!(pop3(reveals, "Secret-Same"), format!("+OK\r\n{auth}"));
    assert!(pop3(reveals, "wrong").starts_with("+OK\r\n-ERR [AUTH]"));
    let takes = Flaws::from(Flaw::LoginWithoutTls);
    assert!(greeting(&server(Protocol::Imap, takes, true)).contains("LOGINDISABLED"));
    assert!(imap(takes, "Secret-Same").starts_with("a OK ") && imap(takes, "wrong").starts_with("a NO "));
    assert!(pop3(takes, "Secret-Same").starts_with("+OK\r\n+OK the maildrop"));
}

#[test]
fn preauth_in_plaintext_is_a_flaw() {
    let flawed = Flaws::from(Flaw::PreauthBeforeTls);
    let mut session = server(Protocol::Imap, flawed, false);
    assert!(greeting(&session).starts_with("* PREAUTH ") && !greeting(&session).contains("STARTTLS"));
    assert!(say(&mut session, "t STARTTLS\r\n").0.starts_with("t BAD "));
    let mut within_tls = server(Protocol::Imap, flawed, false);
    within_tls.secured(TlsFacts::default());
    assert!(greeting(&within_tls).starts_with("* OK "));
    assert!(greeting(&server(Protocol::Imap, Flaws::NONE, false)).starts_with("* OK "));
}

proptest! {
    #[test]
    fn cuts_make_no_difference_to_what_is_injected(
        flawed: bool,
        injected in proptest::collection::vec(any::<u8>(), 0..200),
        cuts in proptest::collection::vec(1usize..40, 1..6),
    ) {
        let flaws = if flawed { Flaw::ExecutesInjectedCommands.into() } else { Flaws::NONE };
        for (protocol, request, after) in
            [(Protocol::Imap, "t STARTTLS\r\n", "c NOOP\r\n"), (Protocol::Pop3, "STLS\r\n", "CAPA\r\n")]
        {
            let stream = [request.as_bytes(), &injected].concat();
            let answers = |cuts: &[usize]| {
                let mut session = server(protocol, flaws, false);
                let mut out = Vec::new();
                let mut rest = &stream[..];
                for cut in cuts.iter().cycle() {
                    if rest.is_empty() {
                        break;
                    }
                    let (piece, later) = rest.split_at((*cut).min(rest.len()));
                    session.receive(piece, &mut out);
                    rest = later;
                }
                session.secured(TlsFacts::default());
                let flow = session.receive(after.as_bytes(), &mut out);
                (out, flow)
            };
            prop_assert_eq!(answers(&[usize::MAX]), answers(&cuts));
        }
    }
}
