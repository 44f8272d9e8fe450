//! What the oracles say of whole conversations with the reference server, sound or with a flaw.

use super::*;
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};
use crate::fuzz::conversation::{Attempt, Command, Cut, joined, octets, value};
use crate::fuzz::fixture::{PATIENT, ground};
use crate::reference::{Flaw, Flaws};
use crate::scenario::{Template, Value};

fn conversation(protocol: Protocol, security: Security, commands: Vec<Command>) -> Conversation {
    let (certified, company) = (None, Vec::new());
    Conversation { target: 0, protocol, security, certified, commands, cut: Cut::Whole, company }
}

async fn oracles(flaws: Flaws, conversation: &Conversation) -> Vec<Oracle> {
    let ground = ground(flaws).await;
    let scene = perform(&ground, conversation, Deadlines::from_reply(PATIENT), None, [7; 16]);
    scene.await.unwrap().violations.iter().map(|violation| violation.oracle).collect()
}

fn line(verb: &[u8], text: Template) -> Command {
    Command::new(Said::Lines(vec![joined(&[octets(verb), text])]))
}

fn attempt(role: &str, mechanism: Mechanism) -> Attempt {
    Attempt {
        role: role.to_string(),
        mechanism,
        encoding: None,
        name: value(role, Value::User),
        authzid: None,
        password: value(role, Value::Password),
        fault: None,
    }
}

fn login(attempt: Attempt) -> Command {
    Command::new(Said::Login(Box::new(attempt)))
}

fn user() -> Command {
    line(b"USER ", value("same", Value::User))
}

fn pass() -> Command {
    line(b"PASS ", value("same", Value::Password))
}

// RFC 1939 §3: the line with the NUL is none, so that the name before it may still stand.
#[tokio::test]
async fn a_line_that_is_none_may_leave_the_name_standing() {
    let password = joined(&[value("same", Value::Password), octets(b"\0")]);
    let broken = login(Attempt { password, ..attempt("same", Mechanism::Login) });
    let said = conversation(Protocol::Pop3, Security::Plaintext, vec![broken, pass()]);
    assert_eq!(oracles(Flaws::NONE, &said).await, []);
}

// The server offers EXTERNAL to those only who show a certificate, and nobody has when it was asked what it offers.
#[tokio::test]
async fn who_shows_a_certificate_may_log_in_by_it() {
    for authzid in [Some(octets(b"")), None, Some(value("principal", Value::User))] {
        let by_certificate = login(Attempt { authzid, ..attempt("principal", Mechanism::External) });
        let said = Conversation {
            certified: Some("principal".to_string()),
            ..conversation(Protocol::Imap, Security::Tls, vec![by_certificate])
        };
        assert_eq!(oracles(Flaws::NONE, &said).await, []);
    }
}

/// Whatever is said of a secret, and in whichever text, is found where the server says it back.
#[tokio::test]
async fn a_secret_is_masked_in_the_spelling_in_which_it_is_said() {
    let ground = ground(Flaws::NONE).await;
    let roles = ["same".to_string(), "renamed".to_string(), "crossed".to_string()];
    let text = |text: &str| Template::parse(text, &roles).unwrap();
    let named = Attempt {
        name: text("{renamed.password|lower}"),
        authzid: Some(text("{crossed.password}")),
        ..attempt("same", Mechanism::Plain)
    };
    let upper = line(b"PASS ", text("{same.password|upper}"));
    let said = conversation(Protocol::Imap, Security::Plaintext, vec![upper, login(named)]);
    let redactor = ground.redactor(&said).unwrap();
    let shown = redactor.redact_text("SECRET-SAME Secret-Same secret-user1 Secret-Alice Secret-Bob");
    assert_eq!(shown, "<password> <password> <password> <password> Secret-Bob");
}

/// A target file may not say which mailbox is anonymous users'.
#[tokio::test]
async fn who_is_anonymous_opens_no_mailbox_that_is_known() {
    let mut target = Arc::into_inner(crate::fuzz::fixture::target(Flaws::NONE)).unwrap();
    let mut directory = target.directory.as_ref().clone();
    let own = directory.role("anonymous").unwrap().mailbox.unwrap().to_vec();
    directory.accounts.retain(|account| account.role != "anonymous");
    directory.mailboxes.retain(|mailbox| mailbox.name != own);
    target.directory = Arc::new(directory);
    let explored = Ground::explore(Arc::new(target), Deadlines::from_reply(PATIENT)).await;
    let ground = Arc::new(explored.unwrap());
    let anonymous =
        login(Attempt { encoding: Some(Encoding::InitialResponse), ..attempt("same", Mechanism::Anonymous) });
    let said = conversation(Protocol::Imap, Security::Plaintext, vec![anonymous]);
    let scene = perform(&ground, &said, Deadlines::from_reply(PATIENT), None, [7; 16]).await.unwrap();
    assert!(matches!(&scene.heard.opened, crate::fuzz::heard::Opened::Mailbox(opened) if *opened == own));
    assert_eq!(scene.violations.iter().map(|violation| violation.oracle).collect::<Vec<_>>(), []);
}

#[tokio::test]
async fn who_was_sent_too_much_may_hang_up_later() {
    let oversize = Attempt { fault: Some(Fault::Oversize), ..attempt("same", Mechanism::Plain) };
    let noop = || Command::line("NOOP");
    let said = conversation(Protocol::Pop3, Security::Plaintext, vec![login(oversize), noop(), noop(), noop()]);
    assert_eq!(oracles(Flaws::NONE, &said).await, []);
}

#[tokio::test]
async fn what_campaigns_seldom_come_to_is_seen_where_it_is_said() {
    let wrong = line(b"PASS ", octets(b"wrong"));
    let pop3 = |commands| conversation(Protocol::Pop3, Security::Plaintext, commands);
    let starttls = Command::new(Said::StartTls);
    let quoted = Attempt { encoding: Some(Encoding::Quoted), ..attempt("printable", Mechanism::Login) };
    let downgraded = Attempt { fault: Some(Fault::ChannelBindingDowngrade), ..attempt("same", Mechanism::ScramSha256) };
    let others = Attempt { authzid: Some(value("same", Value::User)), ..attempt("principal", Mechanism::External) };
    let by_certificate = Conversation {
        certified: Some("principal".to_string()),
        ..conversation(Protocol::Imap, Security::Tls, vec![login(others)])
    };
    let cases = [
        (Flaw::KeepsUserAfterFailure, pop3(vec![user(), wrong, pass()]), Oracle::TakenWithoutRight),
        (Flaw::KeepsLoginNameAcrossTls, pop3(vec![user(), starttls, pass()]), Oracle::TakenWithoutRight),
        (
            Flaw::UnescapesNameOnly,
            conversation(Protocol::Imap, Security::Plaintext, vec![login(quoted)]),
            Oracle::RightRefused,
        ),
        (
            Flaw::ScramAllowsDowngrade,
            conversation(Protocol::Imap, Security::Tls, vec![login(downgraded)]),
            Oracle::TakenWithoutRight,
        ),
        (Flaw::ExternalTrustsAuthzid, by_certificate, Oracle::TakenWithoutRight),
    ];
    for (flaw, said, oracle) in cases {
        let seen = (oracles(Flaws::NONE, &said).await, oracles(flaw.into(), &said).await);
        assert_eq!(seen, (Vec::new(), vec![oracle]), "{}", flaw.name());
    }
}
