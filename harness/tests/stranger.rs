//! A stranger's server: one account, no target file, no canaries, and it is asked first what it can do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use loginspec::axes::Protocol;
use loginspec::identity::bundled_directory;
use loginspec::reference::{Config, Flaw, Flaws, Server};
use loginspec::runner::{CaseReport, Plan, RunOptions, Summary, run};
use loginspec::scenario::{Scenario, Selection, Verdict, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{Passwords, find_dialect, read_target, remote_target};
use loginspec::transport::Deadlines;
use serde_json::Value;
use support::Collected;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const OPENS: &str = "title = 'x'\ncites = ['y']\n[[case]]\nid = 'opens'\nlogin = '{user}'\n\
                     expect = { opens = '{mailbox}' }\n";

fn server(canaries: bool, flaws: Flaws) -> Server {
    Server::start(Config {
        flaws,
        canaries,
        ..Config::new(find_dialect("opaque").unwrap(), bundled_directory().unwrap())
    })
    .unwrap()
}

fn scenario(text: &str) -> Scenario {
    read_scenario("s", &SourceText::new("s.toml", text), &support::vocabulary()).unwrap()
}

/// Puts a scenario to a server on which the roles `same` and `renamed` have accounts.
async fn put(scenario: Scenario, imap: &str, pop3: &str) -> (Summary, Vec<CaseReport>) {
    let text = format!(
        "name = 'stranger'\ndialect = 'opaque'\n[imap]\naddress = '{imap}'\nsecurity = 'plaintext'\n[pop3]\naddress = '{pop3}'\nsecurity = 'plaintext'\n\
         [[account]]\nrole = 'same'\nuser = 'Same'\nmailbox = 'Same'\npassword = {{ text = 'Secret-Same' }}\n\
         [[account]]\nrole = 'renamed'\nuser = 'User1'\nmailbox = 'Mailbox1'\npassword = {{ text = 'Secret-User1' }}\n"
    );
    let file = read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Fetch, true).unwrap();
    let target = Arc::new(remote_target(file, find_dialect("opaque").unwrap()));
    let plan = Plan::new(&[Arc::new(scenario)], &[Arc::clone(&target.dialect)], &Selection::default());
    let (_sender, interrupt) = tokio::sync::watch::channel(false);
    let deadlines = Deadlines::from_reply(Duration::from_millis(500));
    let mut collected = Collected::default();
    let summary = run(
        plan,
        &[target],
        RunOptions { jobs: 4, may_grow: false, ..RunOptions::new(deadlines, interrupt) },
        &mut collected,
    )
    .await
    .unwrap();
    (summary, collected.0)
}

async fn put_to(server: &Server, text: &str) -> (Summary, Vec<CaseReport>) {
    put(scenario(text), &server.imap().unwrap().to_string(), &server.pop3().unwrap().to_string()).await
}

/// Each verdict and its proof; which fingerprint it is depends on the protocol.
fn proofs(cases: &[CaseReport]) -> Vec<(Verdict, Option<&'static str>)> {
    let proof = |case: &CaseReport| match (case.protocol, case.proof) {
        (Protocol::Imap, Some("uidvalidity")) | (Protocol::Pop3, Some("uidl")) => Some("fingerprint"),
        (_, other) => other,
    };
    cases.iter().map(|case| (case.verdict, proof(case))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_canaries_the_fingerprint_tells_mailboxes_apart() {
    let server = server(false, Flaws::NONE);
    let (summary, cases) = put_to(&server, OPENS).await;
    assert_eq!(proofs(&cases), [(Verdict::Pass, Some("fingerprint")); 2], "{cases:?}");
    assert!(summary.is_success(), "{summary:?}");
    assert!(summary.warnings.iter().any(|warning| warning.contains("no canary in the mailbox")), "{summary:?}");
    // Two surveys, two sanity logins before and two after, four refusals to see how long they take, two sessions of one
    // mailbox to see whether POP3 locks it, two cases.
    assert_eq!(summary.conversations, 14);

    let roles = OPENS.replace("login =", "account = ['same', 'renamed']\nlogin =");
    let (_, cases) = put_to(&server, &roles).await;
    assert_eq!(proofs(&cases), [(Verdict::Pass, Some("fingerprint")); 4], "{cases:?}");

    // Another's mailbox: named where its fingerprint is known, and a failure either way.
    let wrong = OPENS.replace("'{user}'", "'{renamed.user}'\npassword = '{renamed.password}'");
    let (_, cases) = put_to(&server, &wrong).await;
    assert_eq!(proofs(&cases), [(Verdict::Fail, Some("fingerprint")); 2], "{cases:?}");
    assert!(cases[0].reason.contains("unknown fingerprint"), "{}", cases[0].reason);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_canaries_there_is_no_need_for_fingerprints() {
    let server = server(true, Flaws::NONE);
    let (summary, cases) = put_to(&server, OPENS).await;
    assert_eq!(proofs(&cases), [(Verdict::Pass, Some("canary")); 2]);
    assert_eq!(summary.warnings, [""; 0]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siblings_are_compared_by_fingerprint_within_a_protocol() {
    let server = server(false, Flaws::NONE);
    let same = OPENS.replace("{ opens = '{mailbox}' }", "'same'");
    let (_, cases) = put_to(&server, &same).await;
    assert_eq!(proofs(&cases), [(Verdict::Pass, Some("fingerprint")); 2], "{cases:?}");
    server.stop().await;
}

/// What a case needs, and what it must not meet, are the server's own words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_offers_decides_what_is_asked() {
    let server = server(true, Flaws::NONE);
    let (imap, pop3) = (server.imap().unwrap().to_string(), server.pop3().unwrap().to_string());
    let of = |needs: &[&str], lacks: &[&str]| {
        let mut scenario = scenario(OPENS);
        for case in &mut scenario.cases {
            case.needs = needs.iter().map(ToString::to_string).collect();
            case.lacks = lacks.iter().map(ToString::to_string).collect();
        }
        put(scenario, &imap, &pop3)
    };
    assert!(of(&["AUTH=PLAIN"], &["LOGINDISABLED"]).await.1.iter().all(|case| case.verdict == Verdict::Pass));
    let mut reasons: Vec<String> = of(&["SASL-IR"], &[]).await.1.into_iter().map(|case| case.reason).collect();
    reasons.sort();
    assert_eq!(reasons, ["", "the target does not offer SASL-IR over plaintext"]);
    for case in of(&[], &["AUTH=PLAIN"]).await.1 {
        assert_eq!(case.reason, "the target offers AUTH=PLAIN over plaintext, so this cannot be asked");
    }
    server.stop().await;
}

/// A server that answers CAPABILITY with BAD, or with nothing, is no reason to give up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_say_what_it_offers() {
    for answers_badly in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = stream.write_all(b"* OK ready\r\n").await;
                    let mut octets = [0; 256];
                    while let Ok(count @ 1..) = stream.read(&mut octets).await {
                        let line = String::from_utf8_lossy(&octets[..count]).into_owned();
                        let tag = line.split(' ').next().unwrap_or_default();
                        if line.contains("CAPABILITY") && !answers_badly {
                            continue;
                        }
                        let _ = stream.write_all(format!("{tag} BAD what\r\n").as_bytes()).await;
                    }
                });
            }
        });
        let mut scenario = scenario(&OPENS.replace("login =", "protocol = ['imap']\nlogin ="));
        let mut needy = scenario.cases[0].clone();
        needy.needs = vec!["SASL-IR".to_string()];
        scenario.cases.push(needy);
        let (summary, cases) = put(scenario, &address, "127.0.0.1:1").await;
        assert!(summary.unreachable.is_empty(), "{:?}", summary.unreachable);
        let skipped: Vec<&CaseReport> = cases.iter().filter(|case| case.verdict == Verdict::Skip).collect();
        assert_eq!((cases.len(), skipped.len()), (2, 1), "{cases:?}");
        let (reason, warned) = if answers_badly {
            ("the target does not offer SASL-IR over plaintext", 0)
        } else {
            ("the target does not say what it offers: no answer in time at: capabilities", 1)
        };
        assert_eq!(skipped[0].reason, reason);
        assert_eq!(summary.warnings.len(), warned, "{:?}", summary.warnings);
    }
}

/// Runs the program against a reference server in this process.
fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::cargo_bin("loginspec").unwrap();
    command.env_remove("LOGINSPEC_PASSWORD").args(arguments).timeout(Duration::from_secs(60));
    for (name, value) in environment {
        command.env(name, value);
    }
    command.output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_judges_a_strangers_server() {
    for canaries in [true, false] {
        let server = server(canaries, Flaws::NONE);
        let (imap, pop3) = (server.imap().unwrap().to_string(), server.pop3().unwrap().to_string());
        let arguments = ["run", "--imap", &imap, "--pop3", &pop3, "--account", "Same", "--json", "-"];
        let arguments = [&arguments[..], &["--security", "plaintext"]].concat();
        let output = command(&arguments, &[("LOGINSPEC_PASSWORD", "Secret-Same")]);
        let (out, human) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{human}");
        assert!(human.contains(&format!("imap {imap} (plaintext): offers AUTH=PLAIN,LOGIN")), "{human}");
        assert!(human.contains("no account for the role `renamed`"), "{human}");
        assert_eq!(human.matches("no canary in the mailbox").count(), if canaries { 0 } else { 2 }, "{human}");
        let summary: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        assert_eq!(summary["summary"]["insecure"], false);
        assert!(summary["summary"]["pass"].as_u64().unwrap() > 100, "{summary}");
        let proofs = if canaries { &["canary"][..] } else { &["uidvalidity", "uidl"] };
        for proof in proofs {
            assert!(out.contains(&format!(r#""proof":"{proof}""#)), "{proof}");
            assert!(human.contains(&format!(" by {proof}")), "{human}");
        }
        assert!(!out.contains("Secret-Same") && !human.contains("Secret-Same"));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flaw_is_found_without_canaries_too() {
    let server = server(false, Flaws::from_iter([Flaw::from_name("accepts-any-password").unwrap()]));
    let imap = server.imap().unwrap().to_string();
    let arguments = ["run", "--imap", &imap, "--account", "Same", "--security", "plaintext"];
    let output = command(&arguments, &[("LOGINSPEC_PASSWORD", "Secret-Same")]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_come_from_the_environment_or_from_a_file() {
    let server = server(true, Flaws::NONE);
    let imap = server.imap().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "Secret-Same\nmore\n").unwrap();
    let run = |more: &[&str], environment: &[(&str, &str)]| {
        let server = ["--imap", &imap, "--account", "Same", "--security", "plaintext"];
        let arguments = [&["run", "imap/session"], &server[..], more].concat();
        command(&arguments, environment)
    };
    assert_eq!(run(&["--password-file", file.to_str().unwrap()], &[]).status.code(), Some(0));
    assert_eq!(run(&["--password-env", "MINE"], &[("MINE", "Secret-Same")]).status.code(), Some(0));
    let unset = run(&["--password-env", "LOGINSPEC_UNSET"], &[]);
    assert_eq!(unset.status.code(), Some(5));
    assert!(text(&unset.stderr).contains("LOGINSPEC_UNSET is not set"));
    let wrong = run(&[], &[("LOGINSPEC_PASSWORD", "wrong")]);
    assert_eq!(wrong.status.code(), Some(5));
    assert!(text(&wrong.stdout).contains(&format!("the login as `Same` over imap ({imap}) was refused")));
    server.stop().await;
}

#[test]
fn usage() {
    let ends_with = |code: i32, arguments: &[&str], environment: &[(&str, &str)], says: &[&str]| {
        let output = command(arguments, environment);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        for part in says {
            assert!(said.contains(part), "{arguments:?}: {said}");
        }
    };
    let password = [("LOGINSPEC_PASSWORD", "xyz")];
    let three_ways = ["LOGINSPEC_PASSWORD", "--password-env", "--password-file"];
    ends_with(5, &["run", "--imap", "127.0.0.1:1", "--account", "a"], &[], &three_ways);
    let refuses = |arguments: &[&str], environment: &[(&str, &str)], says| ends_with(2, arguments, environment, says);
    refuses(&["run", "--imap", "127.0.0.1:1"], &password, &["--account USER is missing"]);
    refuses(&["run", "--account", "a"], &password, &["--account is for a server without a target file", "--imaps"]);
    refuses(&["run", "--imap", "::1", "--account", "a"], &password, &["is not a host and a port", "[::1]:143"]);
    refuses(&["run", "--imap", "h", "--target", "reference"], &password, &["cannot be used with"]);
    refuses(&["run", "--imap", "h", "--account", "a", "--dialect", "dovcot"], &password, &["did you mean `dovecot`"]);
    refuses(&["run", "--imap", "h", "--account", "a", "--ca", "no.pem"], &password, &["failed to read no.pem"]);
    refuses(&["run", "--imap", "h", "--account", "a", "--security", "ssl"], &password, &["starttls"]);
    let oldest = ["run", "--imap", "h", "--account", "a", "--tls-oldest", "1.3", "--tls-newest", "1.2"];
    refuses(&oldest, &password, &["newer than the newest"]);
    refuses(&["run", "--insecure"], &[], &["--insecure is for other people's servers"]);
    let both = ["run", "--imap", "h", "--account", "a", "--password-env", "A", "--password-file", "b"];
    refuses(&both, &[], &["cannot be used with"]);
    // What would run is listed without a password.
    let output = command(&["list", "--imap", "h", "--account", "a", "--mailbox", "m", "imap/session"], &[]);
    assert_eq!((output.status.code(), text(&output.stdout).lines().count()), (Some(0), 8));
}

/// A default that is safe: what lies abroad is not asked in the open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn security_is_what_the_command_line_says() {
    let server = server(true, Flaws::NONE);
    let imap = server.imap().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("t.toml");
    let described = format!(
        "name = 't'\ndialect = 'opaque'\n[imap]\naddress = '{imap}'\nsecurity = 'plaintext'\n[[account]]\nrole = 'same'\nuser = 'Same'\n\
         mailbox = 'Same'\npassword = {{ text = 'Secret-Same' }}\n"
    );
    std::fs::write(&target, described).unwrap();
    let run = |security: &str| {
        command(&["run", "imap/session", "--target", target.to_str().unwrap(), "--security", security], &[])
    };
    assert_eq!(run("plaintext").status.code(), Some(0));
    let tls = run("tls");
    assert_eq!(tls.status.code(), Some(4), "{}", text(&tls.stdout));
    assert!(text(&tls.stdout).contains("t has no implicit-TLS port for imap; say where it is under [imaps]"));
    server.stop().await;
}

/// Nothing that is said over a connection that cannot be trusted is a finding: the run ends before the first case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_where_tls_is_wanted_is_unreachable() {
    let server = server(true, Flaws::NONE);
    let imap = server.imap().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("out.xml");
    let arguments = ["run", "imap/session", "--imaps", &imap, "--account", "Same", "--insecure", "--timeout", "2s"];
    let arguments = [&arguments[..], &["--json", "-", "--junit", junit.to_str().unwrap()]].concat();
    let output = command(&arguments, &[("LOGINSPEC_PASSWORD", "Secret-Same")]);
    let (out, human) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{human}");
    assert!(human.contains("unreachable") && human.contains("this port begins without TLS"), "{human}");
    assert_eq!(human.matches("warning: 127.0.0.1: certificates are not verified").count(), 2, "{human}");
    let summary: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(summary["summary"]["insecure"], true);
    assert_eq!(summary["summary"]["conversations"], 1);
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.contains("<property name=\"insecure\" value=\"true\"/>"), "{xml}");
    server.stop().await;
}
