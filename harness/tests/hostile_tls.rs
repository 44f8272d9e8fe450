//! A server that promises TLS and does not keep it, that misbehaves within it, or that nobody can be sure of.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/asked.rs"]
mod asked;
#[path = "support/peer.rs"]
mod peer;
mod support;

use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use asked::Asked;
use assert_cmd::Command;
use loginspec::axes::{Protocol, Security};
use loginspec::runner::{CaseReport, Summary};
use loginspec::scenario::Verdict;
use peer::Misdeed::{Closes, Drips, Floods, Hangs, Says, SaysAndCloses, SaysTwice};
use peer::Peer;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const QUICK: Duration = Duration::from_millis(300);
const PATIENT: Duration = Duration::from_secs(5);

/// A certificate for this name until this year, signed by nobody but itself: what accepts with it, and its PEM.
fn certified(name: &str, until: i32, is_authority: bool) -> (TlsAcceptor, String) {
    certified_for(&[name], until, is_authority)
}

/// The same for several names, or for none.
fn certified_for(names: &[&str], until: i32, is_authority: bool) -> (TlsAcceptor, String) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.not_before = date_time_ymd(2000, 1, 1);
    parameters.not_after = date_time_ymd(until, 1, 1);
    if is_authority {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), certificate.pem())
}

async fn put(peer: Peer, security: Security, reply: Duration) -> (Summary, CaseReport) {
    let asked = Asked { security, reply, ..Asked::of(peer.protocol) };
    let (summary, mut cases) = asked.put(peer.listen().await).await;
    assert_eq!(cases.len(), 1);
    (summary, cases.remove(0))
}

fn starttls(protocol: Protocol) -> &'static str {
    if protocol == Protocol::Imap { "STARTTLS" } else { "STLS" }
}

/// Both protocols; each line is for IMAP, and for POP3 after the comma.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starttls_is_promised_and_not_kept() {
    // A handshake that fails ends it all: nothing is asked over a connection that cannot be trusted.
    for (imap, pop3, reply, reason) in [
        (SaysTwice("TAG OK\r\n", ""), SaysTwice("+OK\r\n", ""), QUICK, "no handshake within 0.3 s"),
        (SaysAndCloses("TAG OK\r\n"), SaysAndCloses("+OK\r\n"), PATIENT, "closed the connection without a word"),
        (
            SaysTwice("TAG OK\r\n", "* CAPABILITY IMAP4rev1\r\n"),
            SaysTwice("+OK\r\n", "+OK go on\r\n"),
            PATIENT,
            "what the server sent is not TLS (it began with `",
        ),
        (SaysTwice("TAG OK\r\n", "\x16\x03\x03"), SaysTwice("+OK\r\n", "\x16\x03\x03"), QUICK, "no handshake within"),
    ] {
        for (protocol, misdeed) in [(Protocol::Imap, imap), (Protocol::Pop3, pop3)] {
            let (summary, case) =
                put(Peer::new(protocol).at(starttls(protocol), misdeed), Security::Starttls, reply).await;
            assert_eq!(case.verdict, Verdict::Error, "{protocol} {misdeed:?}: {case:?}");
            assert!(case.reason.contains(reason) && case.reason.contains("TLS failed"), "{}", case.reason);
            // What the server offers within TLS, and what it offers before.
            assert_eq!((summary.unreachable.len(), summary.conversations), (1, 2), "{summary:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starttls_is_refused_or_not_answered() {
    let misbehaving = |protocol, misdeed| Peer::new(protocol).at(starttls(protocol), misdeed);
    let mut runs = JoinSet::new();
    for (protocol, no) in [(Protocol::Imap, Says("TAG BAD what\r\n")), (Protocol::Pop3, Says("-ERR what\r\n"))] {
        let (summary, case) = put(misbehaving(protocol, no), Security::Starttls, PATIENT).await;
        assert_eq!((summary.unmet.len(), summary.is_success()), (1, false), "{summary:?}");
        assert_eq!(case.verdict, Verdict::Skip, "{case:?}");
        assert_eq!(case.reason, format!("the target does not offer {}", starttls(protocol)));
        for (misdeed, reply, outcome) in [
            (Hangs, QUICK, "no-answer"),
            (Drips, QUICK, "no-answer"),
            (Closes, PATIENT, "closed"),
            (Floods, PATIENT, "garbled"),
            (Says("zzz OK\r\n"), PATIENT, "garbled"),
            (Says("+ \r\n"), PATIENT, "garbled"),
        ] {
            runs.spawn_blocking(move || {
                let asked = put(misbehaving(protocol, misdeed), Security::Starttls, reply);
                let (summary, case) = Handle::current().block_on(asked);
                assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some(outcome)), "{misdeed:?}: {case:?}");
                assert!(case.reason.contains("starting TLS"), "{}", case.reason);
                assert!(summary.troubles().next().is_some(), "{summary:?}");
            });
        }
    }
    while let Some(done) = runs.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_misbehaves_within_tls() {
    let (acceptor, _) = certified("localhost", 2100, false);
    let mut runs = JoinSet::new();
    for (protocol, at) in [
        (Protocol::Imap, "CAPABILITY"),
        (Protocol::Imap, "LOGIN"),
        (Protocol::Imap, "FETCH"),
        (Protocol::Pop3, "PASS"),
        (Protocol::Pop3, "TOP"),
    ] {
        for security in [Security::Starttls, Security::Tls] {
            for (misdeed, reply, outcome) in [
                (Closes, PATIENT, "closed"),
                (Hangs, QUICK, "no-answer"),
                (Drips, QUICK, "no-answer"),
                (Floods, PATIENT, "garbled"),
            ] {
                let tls = Some((acceptor.clone(), security == Security::Tls));
                let peer = Peer { tls, ..Peer::new(protocol) }.at(at, misdeed);
                runs.spawn_blocking(move || {
                    let (_, case) = Handle::current().block_on(put(peer, security, reply));
                    let told = format!("{protocol} {security} {at} {misdeed:?}");
                    assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some(outcome)), "{told}: {case:?}");
                    assert!(case.transcript.unwrap().contains("[TLS 1.3, "), "{told}");
                });
            }
        }
    }
    while let Some(done) = runs.join_next().await {
        done.unwrap();
    }
}

const SCENARIO: &str = "title = 'x'\ncites = ['y']\n[[case]]\nid = 'case'\nprotocol = ['imap']\nmechanism = ['login']\n\
                        login = '{user}'\nexpect = { opens = '{mailbox}' }\n";

/// The program against a server with this certificate, with these options more; `CA` is the certificate's file.
async fn program(certificate: &(TlsAcceptor, String), options: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    std::fs::write(place("case.toml"), SCENARIO).unwrap();
    std::fs::write(place("ca.pem"), &certificate.1).unwrap();
    let peer = Peer { tls: Some((certificate.0.clone(), true)), ..Peer::new(Protocol::Imap) };
    let (address, scenario, junit) = (peer.listen().await.to_string(), place("case.toml"), place("out.xml"));
    let mut command = Command::cargo_bin("loginspec").unwrap();
    command.env("LOGINSPEC_PASSWORD", "Secret-Same").timeout(Duration::from_secs(60));
    command.args(["run", &scenario, "--imaps", &address, "--account", "Same", "--json", "-", "--junit", &junit]);
    command.args(options.iter().map(|option| if *option == "CA" { place("ca.pem") } else { option.to_string() }));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output, std::fs::read_to_string(junit).unwrap_or_default())
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// A certificate that does not verify ends the run with the reason and with what to do about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_does_not_verify_stops_the_run() {
    let of = |name, until, is_authority| certified(name, until, is_authority);
    let (leaf, authority) = (of("localhost", 2100, false), of("localhost", 2100, true));
    let (other, expired) = (of("mail.example", 2100, false), of("127.0.0.1", 2010, false));
    let expired_authority = of("127.0.0.1", 2010, true);
    for (certificate, options, reason) in [
        (&leaf, &[][..], "the certificate's issuer is not trusted"),
        (&authority, &[], "the certificate is an authority's own (CA:TRUE"),
        (&other, &["--ca", "CA", "--server-name", "x.example"], "is not for x.example but for mail.example"),
        (&authority, &["--ca", "CA", "--server-name", "x.example"], "is not for x.example but for localhost"),
        (&expired, &["--ca", "CA"], "the certificate has expired"),
        (&expired_authority, &["--ca", "CA"], "the certificate has expired"),
    ] {
        let (output, junit) = program(certificate, options).await;
        let (out, human) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "{options:?}: {human}");
        for said in [&human, &out, &junit.replace("&apos;", "'")] {
            assert!(said.contains(reason), "{options:?}: {reason}: {said}");
            for option in ["--ca FILE", "--server-name NAME", "--insecure"] {
                assert!(said.contains(option), "{option}: {said}");
            }
            assert!(!said.contains("Secret-Same"));
        }
        let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        assert_eq!((&last["summary"]["pass"], &last["summary"]["conversations"]), (&0.into(), &1.into()), "{last}");
    }
}

/// A certificate as `openssl req -x509 -subj /CN=localhost` makes it: CA:TRUE, and no subject alternative name. It and
/// other certificates are taken where `--ca` holds the very same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_ca_holds_is_taken() {
    let as_openssl_makes_it = certified_for(&[], 2100, true);
    let (authority, leaf) = (certified("localhost", 2100, true), certified("mail.example", 2100, false));
    for (certificate, options) in [
        (&as_openssl_makes_it, &["--ca", "CA"][..]),
        (&as_openssl_makes_it, &["--ca", "CA", "--server-name", "localhost"]),
        (&as_openssl_makes_it, &["--ca", "CA", "--tls-newest", "1.2"]),
        (&authority, &["--ca", "CA"]),
        (&authority, &["--ca", "CA", "--server-name", "localhost"]),
        (&leaf, &["--ca", "CA"]),
    ] {
        let (output, _) = program(certificate, options).await;
        let human = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{options:?}: {human}");
        assert!(!human.contains("warning"), "{human}");
    }
}

/// A certificate of the same name and dates, but with another key, is another certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_only_looks_like_it_is_refused() {
    let (this, that) = (certified("localhost", 2100, true), certified("localhost", 2100, true));
    let (output, _) = program(&(this.0, that.1), &["--ca", "CA"]).await;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("(CA:TRUE"), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_to_go_on_goes_on() {
    let (certificate, expired) = (certified("mail.example", 2100, false), certified("x", 2010, true));
    let (output, junit) = program(&certificate, &["--ca", "CA", "--server-name", "mail.example"]).await;
    let human = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{human}");
    assert!(!human.contains("warning") && !junit.contains("insecure"), "{human}");

    let (output, junit) = program(&expired, &["--insecure"]).await;
    let (out, human) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{human}");
    let warning = "127.0.0.1: certificates are not verified";
    assert!(human.contains(&format!("warning: {warning}")), "{human}");
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["summary"]["insecure"], &last["summary"]["pass"]), (&true.into(), &1.into()), "{last}");
    assert!(last["summary"]["warnings"][0].as_str().unwrap().contains(warning), "{last}");
    assert!(junit.contains("<property name=\"insecure\" value=\"true\"/>"), "{junit}");
    assert!(junit.contains(warning), "{junit}");
}

/// Whoever asks for plaintext gets it, whatever becomes of the cases that begin TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plaintext_that_is_asked_for_needs_no_certificate() {
    let (acceptor, _) = certified("localhost", 2100, false);
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("case.toml");
    let within = "[[case]]\nid = 'within'\nprotocol = ['imap']\nmechanism = ['login']\nsecurity = ['starttls']\n\
                  login = '{user}'\nexpect = { opens = '{mailbox}' }\n";
    std::fs::write(&scenario, format!("{SCENARIO}{within}")).unwrap();
    let peer = Peer { tls: Some((acceptor, false)), ..Peer::new(Protocol::Imap) };
    let address = peer.listen().await.to_string();
    let mut command = Command::cargo_bin("loginspec").unwrap();
    command.env("LOGINSPEC_PASSWORD", "Secret-Same").timeout(Duration::from_secs(60));
    command.arg("run").arg(&scenario).args(["--imap", &address, "--account", "Same", "--json", "-"]);
    command.args(["--security", "plaintext"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (out, human) = (text(&output.stdout), text(&output.stderr));
    let cases: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdict = |id: &str| {
        let case = cases.iter().find(|case| case["id"].as_str().is_some_and(|found| found.starts_with(id)));
        case.unwrap_or_else(|| panic!("{id} is not told: {human}{out}"))["verdict"].as_str().unwrap().to_string()
    };
    assert_eq!((verdict("case/case").as_str(), verdict("case/within").as_str()), ("pass", "error"), "{human}{out}");
    assert!(human.contains("the certificate's issuer is not trusted"), "{human}");
}
