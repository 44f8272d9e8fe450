//! Looks for a canary, and deliveries of one, as conversations.

use super::*;
use crate::axes::{Mechanism, Protocol};
use crate::protocol::trace::play;
use crate::protocol::{Login, Session, canary_message};
use crate::secret::Password;

const FIELD: &str = "(BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)])";

/// Plays a delivery from the answer to the login on.
fn deliver(rest: &str) -> Outcome {
    let login = Login::new(Protocol::Imap, Mechanism::Login, "test1", Password::new("Secret-Test1"));
    let message = b"X-Loginspec-Mailbox: test1\r\n\r\n".to_vec();
    let start =
        "S: * OK [CAPABILITY IMAP4rev1] ready\nC: a1 LOGIN \"test1\" \"Secret-Test1\"\nS: a1 OK\nC: a2 SELECT INBOX\n";
    play(Session::delivery(login, message), &format!("{start}{rest}"))
}

fn undelivered(text: &str) -> Outcome {
    Outcome::Undelivered(Reply::from_text(text.as_bytes()))
}

const APPEND: &str = "S: * 0 EXISTS\nS: a2 OK\nC: a3 APPEND INBOX (\\Seen) {30}\n";
const MESSAGE: &str = "S: + go on\nC: X-Loginspec-Mailbox: test1\nC:\nC:\n";
const LOGOUT: &str = "C: a4 LOGOUT\nS: * BYE\nS: a4 OK";

#[test]
fn an_empty_mailbox_gets_a_canary() {
    let delivered = deliver(&format!("{APPEND}{MESSAGE}S: * 1 EXISTS\nS: a3 OK [APPENDUID 1 1] done\n{LOGOUT}"));
    assert_eq!(delivered, Outcome::Delivered);
}

#[test]
fn a_mailbox_with_other_messages_gets_one_too() {
    let looked =
        format!("S: * 40 EXISTS\nS: a2 OK\nC: a3 FETCH 1:8,33:40 {FIELD}\nS: * 1 FETCH (BODY[] NIL)\nS: a3 OK\n");
    let append = format!("C: a4 APPEND INBOX (\\Seen) {{30}}\n{MESSAGE}S: a4 OK\nC: a5 LOGOUT\nS: a5 OK");
    assert_eq!(deliver(&format!("{looked}{append}")), Outcome::Delivered);
}

#[test]
fn a_mailbox_with_a_canary_is_left_alone() {
    for name in ["test1", "another"] {
        let field = format!("BODY[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)] \"X-Loginspec-Mailbox: {name}\"");
        let rest =
            format!("S: * 1 EXISTS\nS: a2 OK\nC: a3 FETCH 1:1 {FIELD}\nS: * 1 FETCH ({field})\nS: a3 OK\n{LOGOUT}");
        let found = Outcome::Opened { mailbox: Some(name.as_bytes().to_vec()), proof: Proof::Canary };
        assert_eq!(deliver(&rest), found);
    }
}

#[test]
fn refusals_are_told_apart() {
    let denied = deliver(&format!("{APPEND}S: a3 NO [OVERQUOTA] full\n{LOGOUT}"));
    assert_eq!(denied, undelivered("[OVERQUOTA] full"));
    assert_eq!(deliver(&format!("{APPEND}{MESSAGE}S: a3 NO\n{LOGOUT}")), undelivered(""));
    let blind = format!("S: * 1 EXISTS\nS: a2 OK\nC: a3 FETCH 1:1 {FIELD}\nS: a3 NO not now\n{LOGOUT}");
    assert_eq!(deliver(&blind), undelivered("not now"), "nothing is delivered unseen");
    let unbound = deliver("S: a2 NO no such mailbox\nC: a3 LOGOUT\nS: a3 OK");
    assert_eq!(unbound, Outcome::Unbound(Reply::from_text(b"no such mailbox")));
}

#[test]
fn an_append_that_goes_wrong() {
    assert!(matches!(deliver(&format!("{APPEND}S: a3 OK")), Outcome::Garbled { stage: Stage::Delivery, .. }));
    let twice = deliver(&format!("{APPEND}{MESSAGE}S: + more"));
    assert!(matches!(twice, Outcome::Garbled { stage: Stage::Delivery, .. }));
    assert_eq!(deliver(&format!("{APPEND}S: [silent]")), Outcome::NoAnswer(Stage::Delivery));
    let closed = deliver(&format!("{APPEND}{MESSAGE}S: [closed]"));
    assert_eq!(closed, Outcome::Closed { stage: Stage::Delivery, farewell: None });
}

#[test]
fn a_refused_login_delivers_nothing_and_pop3_cannot() {
    let login = |protocol| Login::new(protocol, Mechanism::Login, "test1", Password::new("Secret-Test1"));
    let message = || canary_message(b"test1", "1 Jan 2026 00:00:00 +0000", "1").expect("a message");
    let trace = "S: * OK [CAPABILITY IMAP4rev1] ready\nC: a1 LOGIN \"test1\" \"Secret-Test1\"\nS: a1 NO\n\
                 C: a2 LOGOUT\nS: a2 OK";
    let refused = play(Session::delivery(login(Protocol::Imap), message()), trace);
    assert_eq!(refused, Outcome::Rejected(Reply::default()));
    let pop3 = Session::delivery(login(Protocol::Pop3), message()).outcome();
    assert_eq!(pop3, Outcome::NotOffered("delivery without IMAP".into()));
}

#[test]
fn both_ends_of_a_mailbox_are_searched() {
    assert_eq!(searched(1), "1:1");
    assert_eq!(searched(16), "1:16");
    assert_eq!(searched(17), "1:8,10:17");
    assert_eq!(searched(u32::MAX), "1:8,4294967288:4294967295");
}
