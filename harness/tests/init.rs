//! `loginspec init`: from a host and one account to a target file with which `check` and `run` work.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/program.rs"]
mod program;
#[path = "support/refusing.rs"]
mod refusing;

use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;
use loginspec::identity::bundled_directory;
use loginspec::reference::{Certificates, Config, Server, ServerTls};
use loginspec::target::find_dialect;
use tempfile::TempDir;

use crate::program::{file, folder, stderr, stdout};
use crate::refusing::RefusingServer;

const PASSWORD: (&str, &str) = ("LOGINSPEC_PASSWORD", "Secret-Same");

/// The reference server in a dialect, with STARTTLS and implicit TLS, and the file of its certificate authority.
fn server(dialect: &str, folder: &TempDir) -> (Server, String) {
    let certificates = Certificates::shared().unwrap();
    let ca = file(folder, "ca.pem", certificates.ca_pem());
    let config = Config {
        tls: Some(ServerTls::new(certificates).unwrap()),
        ..Config::new(find_dialect(dialect).unwrap(), bundled_directory().unwrap())
    };
    (Server::start(config).unwrap(), ca)
}

/// Runs the program in a folder, so that files without a path land there.
fn loginspec(folder: &TempDir, arguments: &[&str], password: (&str, &str)) -> Output {
    let mut command = Command::cargo_bin("loginspec").unwrap();
    command.current_dir(folder.path()).env_remove("LOGINSPEC_PASSWORD").env(password.0, password.1);
    command.args(arguments).timeout(Duration::from_secs(60)).output().unwrap()
}

fn ends_with(code: i32, output: &Output) -> String {
    let text = stdout(output) + &stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!text.contains("Secret-Same") && !text.contains("panicked"), "{text}");
    text
}

/// The four addresses of a server, as the command line takes them.
fn addresses(server: &Server) -> Vec<String> {
    let all = [
        ("--imap", server.imap()),
        ("--imaps", server.imaps()),
        ("--pop3", server.pop3()),
        ("--pop3s", server.pop3s()),
    ];
    all.into_iter().flat_map(|(flag, address)| [flag.to_string(), address.unwrap().to_string()]).collect()
}

fn init(folder: &TempDir, server: &Server, ca: &str, more: &[&str]) -> Output {
    let addresses = addresses(server);
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let arguments = [&["init", "localhost", "--ca", ca, "--server-name", "localhost"], &addresses[..], more].concat();
    loginspec(folder, &arguments, PASSWORD)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_is_taken_by_check_and_by_run() {
    let folder = folder();
    let (server, ca) = server("opaque", &folder);
    let told = ends_with(0, &init(&folder, &server, &ca, &["--account", "Same"]));
    for part in [
        "(starttls): offers",
        "login by imap login: opened the mailbox (canary)",
        "login by imap scram-sha-256: opened",
        "login by imap scram-sha-256-plus: opened",
        "login by pop3 apop: opened",
        "is refused after",
        "dialect unknown",
        "wrote localhost.toml",
        "loginspec run --target localhost.toml --smoke",
    ] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
    let written = std::fs::read_to_string(folder.path().join("localhost.toml")).unwrap();
    for part in [
        "security = 'starttls'",
        "[imaps]",
        "[pop3s]",
        "password = { env = 'LOGINSPEC_PASSWORD' }",
        "server-name = 'localhost'",
    ] {
        assert!(written.contains(part), "{part} is missing:\n{written}");
    }
    let checked = ends_with(0, &loginspec(&folder, &["check", "localhost.toml"], PASSWORD));
    assert!(checked.contains("imap, pop3: every mechanism  Same\n"), "{checked}");
    let run = ["run", "imap/session", "pop3/session", "--target", "localhost.toml"];
    ends_with(0, &loginspec(&folder, &run, PASSWORD));
    server.stop().await;
}

/// Accounts that exist as user@domain: with the server's dialect in three fields, else as one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_with_a_domain() {
    let folder = folder();
    let (server, ca) = server("dovecot", &folder);
    let account = ["--account", "same@domain1.example"];
    ends_with(0, &init(&folder, &server, &ca, &account));
    let dialect = [&account[..], &["--dialect", "dovecot", "--output", "split.toml"]].concat();
    ends_with(0, &init(&folder, &server, &ca, &dialect));
    let split = std::fs::read_to_string(folder.path().join("split.toml")).unwrap();
    for part in
        ["user     = 'same'", "domain   = 'domain1.example'", "dns      = 'domain1.example'", "mailbox  = 'Same'"]
    {
        assert!(split.contains(part), "{part} is missing:\n{split}");
    }
    for name in ["localhost.toml", "split.toml"] {
        let checked = ends_with(0, &loginspec(&folder, &["check", name], PASSWORD));
        assert!(checked.contains("every mechanism  same@domain1.example\n"), "{checked}");
        ends_with(0, &loginspec(&folder, &["run", "imap/session", "--target", name], PASSWORD));
    }
    // A dialect in which no account has this login name is no way to describe it.
    let wrong = [&account[..], &["--dialect", "exchange-5.5", "--dry-run"]].concat();
    let told = ends_with(2, &init(&folder, &server, &ca, &wrong));
    assert!(told.contains("in the dialect `exchange-5.5` no account has the login name"), "{told}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_prints_the_file_and_writes_none() {
    let folder = folder();
    let (server, ca) = server("opaque", &folder);
    let output = init(&folder, &server, &ca, &["--account", "Same", "--dry-run"]);
    ends_with(0, &output);
    assert!(stdout(&output).starts_with("# Written by") && stderr(&output).contains("login by"), "{}", stdout(&output));
    assert!(!folder.path().join("localhost.toml").exists());
    server.stop().await;
}

/// A file that was written by hand stays as it is, and no login is sent for nothing.
#[test]
fn a_file_that_exists_is_left_alone() {
    let folder = folder();
    let server = RefusingServer::start("no");
    let path = file(&folder, "mine.toml", "mine");
    let arguments =
        ["init", "h", "--account", "a", "--imap", &server.imap, "--security", "plaintext", "--output", &path];
    let told = ends_with(2, &loginspec(&folder, &arguments, PASSWORD));
    assert!(told.contains("mine.toml exists") && told.contains("--output"), "{told}");
    assert_eq!((std::fs::read_to_string(path).unwrap().as_str(), server.logins()), ("mine", 0));
}

#[test]
fn a_refused_login_ends_it() {
    let folder = folder();
    let server = RefusingServer::start("[AUTHENTICATIONFAILED] no");
    let arguments = ["init", "h", "--account", "test1", "--imap", &server.imap, "--pop3", &server.pop3];
    let plaintext = [&arguments[..], &["--security", "plaintext"]].concat();
    let told = ends_with(5, &loginspec(&folder, &plaintext, PASSWORD));
    assert_eq!(server.logins(), 1, "{told}");
    for part in
        ["the login as `test1` over imap", "[AUTHENTICATIONFAILED] no", "the environment variable LOGINSPEC_PASSWORD"]
    {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
    assert!(!folder.path().join("h.toml").exists());

    // Without STARTTLS no password is sent unless that is asked for.
    let told = ends_with(2, &loginspec(&folder, &arguments, PASSWORD));
    assert!(told.contains("does not offer STARTTLS") && told.contains("--security plaintext"), "{told}");
    assert_eq!(server.logins(), 1, "{told}");

    // A missing secret is told before anything is asked.
    let told = ends_with(5, &loginspec(&folder, &plaintext, ("LOGINSPEC_PASSWORD", "")));
    assert!(told.contains("LOGINSPEC_PASSWORD holds nothing"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_answers_or_tls_fails_nothing_is_sent() {
    let folder = folder();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let arguments = ["init", "127.0.0.1", "--account", "Same", "--imap", &closed];
    let told = ends_with(3, &loginspec(&folder, &arguments, PASSWORD));
    assert!(told.contains("is the port right, and does the server run?"), "{told}");

    let (server, _) = server("opaque", &folder);
    let imap = server.imap().unwrap().to_string();
    let arguments = ["init", "127.0.0.1", "--account", "Same", "--imap", &imap];
    let told = ends_with(3, &loginspec(&folder, &arguments, PASSWORD));
    assert!(told.contains("--ca FILE") && told.contains("--insecure"), "{told}");
    // A port alone is enough where the server greets: which protocol it speaks shows.
    let pop3 = server.pop3().unwrap().to_string();
    let arguments = ["init", &pop3, "--account", "Same", "--insecure"];
    let told = ends_with(0, &loginspec(&folder, &arguments, PASSWORD));
    assert!(told.contains(&format!("pop3 {pop3} (starttls): offers")), "{told}");
    assert!(Path::new(&folder.path().join("127.0.0.1.toml")).exists());
    server.stop().await;
}
