//! A server that misbehaves in each state of a conversation, in each way, and one that lies about what it can do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/asked.rs"]
mod asked;
#[path = "support/peer.rs"]
mod peer;
mod support;

use std::time::Duration;

use asked::Asked;
use loginspec::axes::Protocol;
use loginspec::runner::{CaseReport, Summary};
use loginspec::scenario::Verdict;
use peer::Misdeed::{self, Babbles, Closes, Drips, Floods, Hangs, Says, SaysAndCloses};
use peer::Peer;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Each state that a login goes through, by the command that leads there, and what reports call it.
const IMAP: &[(&str, &str)] = &[
    ("CAPABILITY", "capabilities"),
    ("LOGIN", "login"),
    ("EXAMINE", "opening the mailbox"),
    ("FETCH", "reading the canary"),
];
const POP3: &[(&str, &str)] =
    &[("USER", "login"), ("PASS", "login"), ("STAT", "opening the mailbox"), ("TOP", "reading the canary")];

fn states(protocol: Protocol) -> &'static [(&'static str, &'static str)] {
    if protocol == Protocol::Imap { IMAP } else { POP3 }
}

async fn put(peer: Peer, asked: Asked) -> (Summary, CaseReport) {
    let (summary, mut cases) = asked.put(peer.listen().await).await;
    assert_eq!(cases.len(), 1);
    (summary, cases.remove(0))
}

/// What a misdeed comes to in every state: the outcome's word, and what the reason begins with.
async fn in_each_state(misdeed: Misdeed, reply: Duration, outcome: &'static str, reason: &'static str) {
    in_these_states(|_| true, misdeed, reply, outcome, reason).await;
}

async fn in_these_states(
    is_meant: fn(&str) -> bool,
    misdeed: Misdeed,
    reply: Duration,
    outcome: &'static str,
    reason: &'static str,
) {
    let mut runs = JoinSet::new();
    for &protocol in Protocol::ALL {
        for &(at, stage) in states(protocol).iter().filter(|(at, _)| is_meant(at)) {
            runs.spawn_blocking(move || {
                Handle::current().block_on(async move {
                    let asked = Asked { reply, ..Asked::of(protocol) };
                    let (summary, case) = put(Peer::new(protocol).at(at, misdeed), asked).await;
                    assert!(summary.unreachable.is_empty(), "{protocol} {at}: {:?}", summary.unreachable);
                    assert_eq!(
                        (case.verdict, case.outcome),
                        (Verdict::Fail, Some(outcome)),
                        "{protocol} {at}: {case:?}"
                    );
                    assert!(case.reason.starts_with(&format!("{reason} {stage}")), "{protocol} {at}: {}", case.reason);
                    // What the login that must work comes to is told as well, before the cases and after them.
                    assert_eq!(summary.troubles().count(), 2, "{protocol} {at}: {summary:?}");
                })
            });
        }
    }
    while let Some(done) = runs.join_next().await {
        done.unwrap();
    }
}

const QUICK: Duration = Duration::from_millis(250);
const PATIENT: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_server_passes() {
    for &protocol in Protocol::ALL {
        for case in [Asked::of(protocol).case, PLAIN] {
            let (summary, case) = put(Peer::new(protocol), Asked { case, ..Asked::of(protocol) }).await;
            assert_eq!((case.verdict, case.proof), (Verdict::Pass, Some("canary")), "{case:?}");
            assert!(summary.is_success(), "{summary:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_closes_in_each_state() {
    in_each_state(Closes, PATIENT, "closed", "connection closed at:").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_hangs_in_each_state() {
    in_each_state(Hangs, QUICK, "no-answer", "no answer in time at:").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_drips_in_each_state() {
    in_each_state(Drips, QUICK, "no-answer", "no answer in time at:").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_sends_ten_megabytes_on_a_line_in_each_state() {
    in_each_state(Floods, PATIENT, "garbled", "garbled answer at:").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_babbles() {
    // Where any number of lines may come before the answer, or in it.
    in_these_states(|at| matches!(at, "LOGIN" | "TOP"), Babbles, PATIENT, "garbled", "garbled answer at:").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_with_what_is_no_answer_in_each_state() {
    in_each_state(Says("zzz OK welcome\r\n"), PATIENT, "garbled", "garbled answer at:").await;
    in_each_state(SaysAndCloses("\0\r\n"), PATIENT, "garbled", "garbled answer at:").await;
}

/// Without a greeting nobody is there; whatever happens once the mailbox is known is none of the case's business.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_and_after() {
    let mut runs = JoinSet::new();
    for &protocol in Protocol::ALL {
        let goodbye = if protocol == Protocol::Imap { "LOGOUT" } else { "QUIT" };
        for misdeed in [Closes, Hangs, Drips, Floods, Says("HTTP/1.1 400 Bad Request\r\n"), Says("\0\r\n")] {
            runs.spawn_blocking(move || {
                Handle::current().block_on(async move {
                    let reply = if matches!(misdeed, Hangs | Drips) { QUICK } else { PATIENT };
                    let asked = Asked { reply, ..Asked::of(protocol) };
                    let (summary, case) = put(Peer::new(protocol).at("", misdeed), asked).await;
                    assert_eq!(case.verdict, Verdict::Error, "{protocol} {misdeed:?}: {case:?}");
                    assert!(summary.unreachable[0].contains("does not greet"), "{:?}", summary.unreachable);
                    let (summary, case) = put(Peer::new(protocol).at(goodbye, misdeed), asked).await;
                    assert_eq!(case.verdict, Verdict::Pass, "{protocol} {misdeed:?}: {case:?}");
                    assert!(summary.is_success(), "{summary:?}");
                })
            });
        }
    }
    while let Some(done) = runs.join_next().await {
        done.unwrap();
    }
}

const PLAIN: &str = "mechanism = ['plain']\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }";
const PLAIN_AT_ONCE: &str = "mechanism = ['plain']\nencoding = ['initial-response']\nlogin = '{user}'\n\
                             expect = { opens = '{mailbox}' }";

/// A server that does not say that it can do anything is asked what needs no promise, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_offers_nothing() {
    let nothing = |protocol, misdeed| {
        let at = if protocol == Protocol::Imap { "CAPABILITY" } else { "CAPA" };
        let peer = Peer { offers: "", ..Peer::new(protocol) };
        if let Some(misdeed) = misdeed { peer.at(at, misdeed) } else { peer }
    };
    for (protocol, misdeed) in [
        (Protocol::Imap, None),
        (Protocol::Imap, Some(Says("* CAPABILITY\r\nTAG OK\r\n"))),
        (Protocol::Imap, Some(Says("* CAPABILITY   \r\nTAG OK\r\n"))),
        (Protocol::Imap, Some(Says("TAG OK\r\n"))),
        (Protocol::Imap, Some(Says("TAG NO [CAPABILITY] none\r\n"))),
        (Protocol::Pop3, None),
        (Protocol::Pop3, Some(Says("-ERR what\r\n"))),
        (Protocol::Pop3, Some(Says("+OK\r\nSASL\r\n.\r\n"))),
    ] {
        let (summary, case) = put(nothing(protocol, misdeed), Asked::of(protocol)).await;
        assert_eq!(case.verdict, Verdict::Pass, "{protocol} {misdeed:?}: {case:?}");
        assert!(summary.is_success(), "{summary:?}");
        let (summary, case) = put(nothing(protocol, misdeed), Asked { case: PLAIN, ..Asked::of(protocol) }).await;
        assert_eq!(case.verdict, Verdict::Skip, "{protocol} {misdeed:?}: {case:?}");
        assert!(case.reason.contains("does not offer AUTH"), "{}", case.reason);
        assert!(summary.is_success(), "{summary:?}");
    }
}

/// What is promised and not kept is a finding, whichever way it is broken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_lies_about_its_capabilities() {
    let imap = |at, misdeed| Peer { offers: "AUTH=PLAIN SASL-IR", ..Peer::new(Protocol::Imap) }.at(at, misdeed);
    let pop3 = |at, misdeed| Peer::new(Protocol::Pop3).at(at, misdeed);
    let begin = "AUTHENTICATE";
    for (peer, case, quick, outcome) in [
        (imap(begin, Says("TAG NO no such mechanism\r\n")), PLAIN, false, "rejected"),
        (imap(begin, Says("TAG BAD unknown command\r\n")), PLAIN_AT_ONCE, false, "bad"),
        (imap(begin, Hangs), PLAIN, true, "no-answer"),
        (imap(begin, Drips), PLAIN_AT_ONCE, true, "no-answer"),
        (imap(begin, SaysAndCloses("* BYE go away\r\n")), PLAIN, false, "closed"),
        (imap(begin, Says("TAG OK welcome\r\n")), PLAIN, false, "garbled"),
        (imap(begin, Floods), PLAIN, false, "garbled"),
        (imap("SUCCESS", Says("+ \r\n")), PLAIN, false, "garbled"),
        (imap("SUCCESS", Hangs), PLAIN, true, "no-answer"),
        (pop3("AUTH", Says("-ERR no such mechanism\r\n")), PLAIN, false, "rejected"),
        (pop3("AUTH", Hangs), PLAIN, true, "no-answer"),
        (pop3("AUTH", Closes), PLAIN, false, "closed"),
        (pop3("AUTH", Says("+OK welcome\r\n")), PLAIN, false, "garbled"),
        (pop3("SUCCESS", Says("+ \r\n")), PLAIN, false, "garbled"),
    ] {
        let told = format!("{} {} {:?}", peer.protocol, peer.at, peer.misdeed);
        let asked = Asked { case, reply: if quick { QUICK } else { PATIENT }, ..Asked::of(peer.protocol) };
        let (_, case) = put(peer, asked).await;
        assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some(outcome)), "{told}: {case:?}");
    }
}

/// `LOGINDISABLED`, and everybody gets in: a client must not even try, so it takes a script to find that out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_login_that_is_not() {
    let peer = Peer { offers: "LOGINDISABLED", ..Peer::new(Protocol::Imap) };
    let (summary, case) = put(peer.clone(), Asked::of(Protocol::Imap)).await;
    assert_eq!(case.verdict, Verdict::Skip, "{case:?}");
    assert_eq!(case.reason, "the target does not offer LOGIN (LOGINDISABLED)");
    assert!(summary.troubles().all(|sanity| sanity.trouble.as_ref().unwrap().contains("LOGINDISABLED")));
    let script =
        "needs = ['LOGINDISABLED']\ndialogue = '''\nS: * OK\nC: a LOGIN \"{user}\" \"{password}\"\nS: a NO|BAD\n'''";
    let (_, case) = put(peer, Asked { case: script, ..Asked::of(Protocol::Imap) }).await;
    assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some("diverged")), "{case:?}");
}

fn mechanism(name: &'static str) -> &'static str {
    match name {
        "SCRAM-SHA-256" => "mechanism = ['scram-sha-256']\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }",
        "DIGEST-MD5" => "mechanism = ['digest-md5']\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }",
        "CRAM-MD5" => "mechanism = ['cram-md5']\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }",
        "NTLM" => "mechanism = ['ntlm']\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }",
        _ => panic!("{name}"),
    }
}

/// Challenges that are made to hurt: each comes to a verdict that names the rule, at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_challenges() {
    let scram = |first: &str| ("SCRAM-SHA-256", vec![String::new(), first.to_string()]);
    let digest = |first: &str| ("DIGEST-MD5", vec![first.to_string()]);
    let long = "x".repeat(100 * 1024);
    let not_long = "x".repeat(30 * 1024);
    let mut runs = JoinSet::new();
    for ((name, challenges), rule) in [
        (scram("r=NONCEx,s=QQ==,i=4294967295"), "the iteration count"),
        (scram("r=NONCEx,s=QQ==,i=4294967296"), "the iteration count"),
        (scram("r=NONCEx,s=QQ==,i=0"), "the iteration count"),
        (scram("r=NONCEx,s=QQ==,i=1000001"), "the iteration count"),
        (scram("r=NONCEx,s=?,i=4096"), "the salt is"),
        (scram("r=NONCE,s=QQ==,i=4096"), "the server's nonce"),
        (scram("r=x,s=QQ==,i=4096"), "the server's nonce"),
        (scram("r=NONCE\u{1}x,s=QQ==,i=4096"), "the server's nonce"),
        (scram(&format!("r=NONCEx,s={long},i=4096")), "a line has at most"),
        (scram(&format!("m={not_long}")), "the server asks for an extension"),
        (scram(&not_long), "the server's first message"),
        (scram(""), "the server's first message"),
        (scram("\u{fffd}\0"), "the server's first message"),
        (digest(""), "a challenge holds the nonce"),
        (digest("nonce=\"a\",nonce=\"b\",algorithm=md5-sess"), "a challenge holds the nonce"),
        (digest("nonce=\"a,algorithm=md5-sess"), "a challenge is a list"),
        (digest(&"nonce=\"".repeat(4096)), "a challenge is a list"),
        (digest(&",".repeat(30 * 1024)), "a challenge holds the nonce"),
        (digest(&"a=b,".repeat(8 * 1024)), "a challenge holds the nonce"),
        (digest(&format!("nonce=\"{long}\",algorithm=md5-sess")), "a line has at most"),
        (("NTLM", vec![String::new(), "NTLMSSP\0\u{2}\0\0\0".to_string()]), "a challenge is NTLMSSP"),
        (scram("r=NONCEx,s=,i=4096"), "the client takes no success"),
        (("NTLM", vec![String::new(), long.clone()]), "a line has at most"),
        (("CRAM-MD5", vec![long.clone()]), "a line has at most"),
        (("CRAM-MD5", vec!["<a@b>".to_string(), "<a@b>".to_string()]), "no further challenge"),
    ] {
        for &protocol in Protocol::ALL {
            let challenges = challenges.clone();
            runs.spawn_blocking(move || {
                Handle::current().block_on(async move {
                    let offers = match protocol {
                        Protocol::Imap => "AUTH=SCRAM-SHA-256 AUTH=DIGEST-MD5 AUTH=NTLM AUTH=CRAM-MD5",
                        Protocol::Pop3 => "USER\r\nSASL SCRAM-SHA-256 DIGEST-MD5 NTLM CRAM-MD5\r\n",
                    };
                    let told = format!("{protocol} {name} {:.60?}", challenges);
                    let peer = Peer { offers, challenges, ..Peer::new(protocol) };
                    let (summary, case) = put(peer, Asked { case: mechanism(name), ..Asked::of(protocol) }).await;
                    assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some("garbled")), "{told}: {case:?}");
                    assert!(case.reason.contains(rule), "{told}: {}", case.reason);
                    assert!(summary.troubles().next().is_none(), "{told}");
                })
            });
        }
    }
    while let Some(done) = runs.join_next().await {
        done.unwrap();
    }
}
