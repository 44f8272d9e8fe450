//! What protects a login: what is declared must be there, and a password travels in plaintext only where that was asked for.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/peer.rs"]
mod peer;
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use loginspec::axes::Protocol;
use loginspec::runner::{
    CaseReport, Plan, RunOptions, SecurityShortfall, SeedError, SeedOptions, SeedResult, Summary, run, seed,
};
use loginspec::scenario::{Selection, Verdict, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{Passwords, Target, find_dialect, read_target, remote_target};
use loginspec::transport::Deadlines;
use peer::Misdeed::Says;
use peer::{Peer, base64};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use support::{Collected, vocabulary};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const PASSWORD: &str = "Secret-Same";

/// One login without a word about security.
const OPENS: &str =
    "[[case]]\nid = 'opens'\nmechanism = ['login']\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }\n";
/// One that asks for plaintext.
const IN_PLAINTEXT: &str = "[[case]]\nid = 'plain'\nmechanism = ['login']\nsecurity = ['plaintext']\nlogin = '{user}'\n\
                            expect = { opens = '{mailbox}' }\n";

fn acceptor() -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A server that begins TLS by STARTTLS.
fn starttls(protocol: Protocol) -> Peer {
    Peer { tls: Some((acceptor(), false)), ..Peer::new(protocol) }
}

/// How often the password came in plaintext, and how often within TLS, raw or in BASE64.
fn passwords(peer: &Peer) -> (usize, usize) {
    let encoded = base64(format!("\0Same\0{PASSWORD}").as_bytes());
    let heard = peer.heard.lock().unwrap();
    let with = |is_tls: bool| {
        let lines =
            heard.iter().filter(|(tls, line)| *tls == is_tls && (line.contains(PASSWORD) || line.contains(&encoded)));
        lines.count()
    };
    (with(false), with(true))
}

/// A target whose file has these lines for its endpoint.
async fn target(peer: &Peer, endpoint: &str) -> Target {
    let address = peer.clone().listen().await;
    let protocol = peer.protocol;
    let text = format!(
        "name = 't'\ndialect = 'opaque'\n{endpoint}[[account]]\nrole = 'same'\nuser = 'Same'\nmailbox = 'Same'\n\
         password = {{ text = '{PASSWORD}' }}\n"
    );
    let text = text.replace("HERE", &format!("[{protocol}]\naddress = '{address}'\n"));
    let file = read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Fetch, true).unwrap();
    let mut target = remote_target(file, find_dialect("opaque").unwrap());
    target.tls.verified = false;
    target
}

/// Puts cases to a server whose target file has these lines for its endpoint.
async fn put(peer: &Peer, endpoint: &str, cases: &str, allow_plaintext: bool) -> (Summary, Vec<CaseReport>) {
    let mut target = target(peer, endpoint).await;
    target.allow_plaintext = allow_plaintext;
    let target = Arc::new(target);
    let protocol = peer.protocol;
    let text = format!("title = 'x'\ncites = ['y']\n[matrix]\nprotocol = ['{protocol}']\n{cases}");
    let scenario = Arc::new(read_scenario("s", &SourceText::new("s.toml", text), &vocabulary()).unwrap());
    let plan = Plan::new(&[scenario], &[Arc::clone(&target.dialect)], &Selection::default());
    let (_sender, interrupt) = tokio::sync::watch::channel(false);
    let deadlines = Deadlines::from_reply(Duration::from_secs(5));
    let options = RunOptions { jobs: 4, may_grow: false, ..RunOptions::new(deadlines, interrupt) };
    let mut collected = Collected::default();
    let summary = run(plan, &[target], options, &mut collected).await.unwrap();
    (summary, collected.0)
}

fn verdicts(cases: &[CaseReport]) -> Vec<Verdict> {
    cases.iter().map(|case| case.verdict).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_login_of_the_program_itself_is_within_tls() {
    for &protocol in Protocol::ALL {
        for endpoint in ["HERE", "HERE\nsecurity = 'starttls'\n"] {
            let peer = starttls(protocol);
            let wrong = "[[case]]\nid = 'wrong'\nmechanism = ['login']\nlogin = '{user}'\npassword = 'wrong'\nexpect = 'rejected'\n";
            let (summary, cases) = put(&peer, endpoint, &format!("{IN_PLAINTEXT}{OPENS}{wrong}"), false).await;
            let (in_plaintext, within_tls) = passwords(&peer);
            assert_eq!(in_plaintext, 0, "{protocol}: {:?}", peer.heard);
            assert!(within_tls >= 3, "two sanity logins and a case: {:?}", peer.heard);
            assert_eq!(summary.unmet, [], "{summary:?}");
            let skipped = cases.iter().find(|case| case.id.contains("plain")).unwrap();
            assert_eq!(skipped.verdict, Verdict::Skip);
            assert!(skipped.reason.contains("--allow-plaintext"), "{}", skipped.reason);
        }
    }
}

/// A case that asks for plaintext is asked where that is allowed; the program's own logins stay within TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_in_plaintext_takes_no_other_login_with_it() {
    for &protocol in Protocol::ALL {
        let peer = starttls(protocol);
        let (summary, cases) = put(&peer, "HERE", &format!("{IN_PLAINTEXT}{OPENS}"), true).await;
        assert_eq!(verdicts(&cases), [Verdict::Pass; 2], "{cases:?}");
        assert_eq!(passwords(&peer).0, 1, "{:?}", peer.heard);
        assert!(summary.is_success(), "{summary:?}");
    }
}

/// What is declared and not there is one failure, and no password was sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_starttls_fails_the_run() {
    for (protocol, command, no) in [
        (Protocol::Imap, "STARTTLS", "TAG BAD unknown command\r\n"),
        (Protocol::Pop3, "STLS", "-ERR unknown command\r\n"),
    ] {
        let peer = Peer::new(protocol).at(command, Says(no));
        let (summary, cases) = put(&peer, "HERE", OPENS, false).await;
        assert_eq!(passwords(&peer), (0, 0), "{:?}", peer.heard);
        assert_eq!(verdicts(&cases), [Verdict::Skip], "{cases:?}");
        assert!(!summary.is_success());
        let [unmet] = &summary.unmet[..] else { panic!("{summary:?}") };
        assert_eq!(unmet.shortfall, SecurityShortfall::NotOffered);
        assert!(unmet.to_string().contains(&format!("the server refuses {command}")), "{unmet}");
    }
}

/// STARTTLS that works and that the server does not list: logins use it, and the run fails all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starttls_that_is_not_advertised_is_a_failure_of_its_own() {
    for (protocol, offers, word) in
        [(Protocol::Imap, "AUTH=PLAIN", "STARTTLS"), (Protocol::Pop3, "USER\r\nSASL PLAIN\r\n", "STLS")]
    {
        let peer = Peer { offers, ..starttls(protocol) };
        let (summary, cases) = put(&peer, "HERE", OPENS, false).await;
        assert_eq!((verdicts(&cases), passwords(&peer).0), (vec![Verdict::Pass], 0), "{cases:?}");
        let [unmet] = &summary.unmet[..] else { panic!("{summary:?}") };
        assert_eq!(unmet.shortfall, SecurityShortfall::NotAdvertised);
        assert!(!summary.is_success());
        let accepted = format!("lacks = ['{word}']\nHERE");
        assert_eq!(put(&peer, &accepted, OPENS, false).await.0.unmet, []);
    }
}

/// Plaintext is declared, and the server takes no password without TLS: STARTTLS takes its place, on this machine too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_disabled_and_starttls_make_logins_use_starttls() {
    for (protocol, before, within) in [
        (Protocol::Imap, "STARTTLS LOGINDISABLED", "AUTH=PLAIN"),
        (Protocol::Pop3, "STLS\r\nSASL\r\n", "USER\r\nSASL PLAIN\r\n"),
    ] {
        let peer = Peer { offers: before, offers_within_tls: Some(within), ..starttls(protocol) };
        let (summary, cases) = put(&peer, "HERE\nsecurity = 'plaintext'\n", OPENS, false).await;
        assert_eq!(verdicts(&cases), [Verdict::Pass], "{cases:?}");
        assert_eq!(passwords(&peer).0, 0, "{:?}", peer.heard);
        assert!(summary.is_success(), "{summary:?}");
        let notes = summary.warnings.iter().filter(|warning| warning.contains("takes no password without TLS"));
        assert_eq!(notes.count(), 1, "{:?}", summary.warnings);
    }
}

/// Canaries are delivered by logins of the program's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seed_logs_in_within_tls_or_not_at_all() {
    let options = SeedOptions { deadlines: Deadlines::from_reply(Duration::from_secs(5)), dry_run: true };
    let strict =
        Peer { offers: "STARTTLS LOGINDISABLED", offers_within_tls: Some("AUTH=PLAIN"), ..starttls(Protocol::Imap) };
    for (peer, endpoint) in [(&starttls(Protocol::Imap), "HERE"), (&strict, "HERE\nsecurity = 'plaintext'\n")] {
        let mut results = Vec::new();
        let mut tell = |seeded: &loginspec::runner::Seeded| {
            results.push(seeded.result.clone());
            Ok(())
        };
        seed(&target(peer, endpoint).await, options, &mut tell).await.unwrap();
        assert_eq!(results, [SeedResult::AlreadyThere]);
        assert_eq!(passwords(peer), (0, 1), "{:?}", peer.heard);
    }
    let without = Peer::new(Protocol::Imap).at("STARTTLS", Says("TAG BAD no\r\n"));
    let refused = seed(&target(&without, "HERE").await, options, &mut |_| Ok(())).await.unwrap_err();
    assert!(matches!(refused, SeedError::Unreachable(_)), "{refused}");
    assert_eq!(passwords(&without), (0, 0), "{:?}", without.heard);
}

/// A refusal of the unprotected connection is no finding about a name or a password; within TLS it is the server's fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_refused_for_want_of_tls_is_skipped() {
    let both = "[[case]]\nid = 'same'\nmechanism = ['login', 'plain']\nlogin = '{user}'\nexpect = 'same'\n";
    let about_it = "[[case]]\nid = 'about'\nmechanism = ['login']\nlogin = '{user}'\nexpect = 'rejected'\ncode = 'PRIVACYREQUIRED'\n\
                    [[case]]\nid = 'refused'\nmechanism = ['login']\nlogin = '{user}'\nexpect = 'refused'\n";
    let cases = format!("{OPENS}{both}");
    let no = Says("TAG NO [PRIVACYREQUIRED] not so\r\n");
    let dovecot = Says("-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\r\n");
    for (peer, cases, verdict) in [
        (Peer::new(Protocol::Imap).at("LOGIN", no), cases.as_str(), Verdict::Skip),
        (Peer::new(Protocol::Pop3).at("PASS", dovecot), &cases, Verdict::Skip),
        (Peer::new(Protocol::Imap).at("LOGIN", no), about_it, Verdict::Pass),
    ] {
        let (_, cases) = put(&peer, "HERE\nsecurity = 'plaintext'\n", cases, false).await;
        let refused: Vec<&CaseReport> = cases.iter().filter(|case| !case.id.contains("plain]")).collect();
        assert!(refused.iter().all(|case| case.verdict == verdict), "{cases:?}");
        // The sibling that was let in is judged without it.
        assert!(cases.iter().all(|case| !case.id.contains("plain]") || case.verdict == Verdict::Pass), "{cases:?}");
    }
    let asked_on = "[limits]\nno-lockout = true\nHERE";
    let (_, cases) = put(&starttls(Protocol::Imap).at("LOGIN", no), asked_on, OPENS, false).await;
    assert_eq!(verdicts(&cases), [Verdict::Fail], "{cases:?}");
}

struct Run {
    code: Option<i32>,
    human: String,
    summary: Value,
    junit: String,
}

/// The program without a word about security, against servers at these addresses.
async fn program(addresses: &[(&str, SocketAddr)], more: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    std::fs::write(place("case.toml"), format!("title = 'x'\ncites = ['y']\n{OPENS}")).unwrap();
    let mut command = Command::cargo_bin("loginspec").unwrap();
    command.env("LOGINSPEC_PASSWORD", PASSWORD).timeout(Duration::from_secs(60));
    command.args(["run", &place("case.toml"), "--account", "Same", "--json", "-", "--junit", &place("out.xml")]);
    for (option, address) in addresses {
        command.args([option.to_string(), address.to_string()]);
    }
    command.args(more);
    let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    Run {
        code: output.status.code(),
        human: String::from_utf8(output.stderr).unwrap(),
        summary: last["summary"].clone(),
        junit: std::fs::read_to_string(place("out.xml")).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_report_has_one_failure_for_what_is_not_kept() {
    let peer = Peer { offers: "AUTH=PLAIN", ..Peer::new(Protocol::Imap) }.at("STARTTLS", Says("TAG BAD no\r\n"));
    let address = peer.clone().listen().await;
    let run = program(&[("--imap", address)], &[]).await;
    assert_eq!(run.code, Some(1), "{}", run.human);
    assert_eq!(passwords(&peer), (0, 0), "{:?}", peer.heard);
    let id = "security/starttls-not-offered[imap]";
    assert_eq!(run.human.matches(id).count(), 1, "{}", run.human);
    for choice in ["--security plaintext", "--imaps", "no password was sent"] {
        assert!(run.human.contains(choice), "{choice}: {}", run.human);
    }
    assert_eq!((&run.summary["unmet"][0]["id"], &run.summary["fail"]), (&id.into(), &0.into()), "{}", run.summary);
    assert_eq!(run.junit.matches("failures=\"1\"").count(), 2, "{}", run.junit);
    assert_eq!(run.junit.matches("<failure").count(), 1, "{}", run.junit);

    let run = program(&[("--imap", address)], &["--security", "plaintext"]).await;
    assert_eq!((run.code, passwords(&peer).0 > 0), (Some(0), true), "{}", run.human);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_certificate_is_told_once() {
    let (imap, pop3) = (starttls(Protocol::Imap), starttls(Protocol::Pop3));
    let addresses = [("--imap", imap.clone().listen().await), ("--pop3", pop3.clone().listen().await)];
    let run = program(&addresses, &[]).await;
    assert_eq!(run.code, Some(3), "{}", run.human);
    assert_eq!((passwords(&imap), passwords(&pop3)), ((0, 0), (0, 0)));
    // As the answer, and with what to do about it: for both endpoints together.
    assert_eq!(run.human.matches("the certificate's issuer is not trusted").count(), 2, "{}", run.human);
    let both = format!("{} (imap), {} (pop3): TLS failed: ", addresses[0].1, addresses[1].1);
    assert!(run.human.contains(&both), "{}", run.human);
    assert_eq!(run.summary["unreachable"].as_array().unwrap().len(), 1, "{}", run.summary);
}
