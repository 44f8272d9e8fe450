//! A wrong or missing secret, as a CI system sees it: an exit code of its own, one login, and a message that names where
//! the secret came from.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/program.rs"]
mod program;
#[path = "support/refusing.rs"]
mod refusing;

use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;

use crate::program::{file, folder, stderr, stdout};
use crate::refusing::RefusingServer;

fn loginspec(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::cargo_bin("loginspec").unwrap();
    command.env_remove("LOGINSPEC_PASSWORD").args(arguments).timeout(Duration::from_secs(60));
    environment.iter().for_each(|(name, value)| {
        command.env(name, value);
    });
    command.output().unwrap()
}

const REFUSED: &str = "[AUTHENTICATIONFAILED] Authentication failed.";

#[test]
fn a_wrong_password_costs_one_login_and_names_its_origin() {
    let folder = folder();
    let server = RefusingServer::start(REFUSED);
    let (json, junit) = (folder.path().join("o.jsonl"), folder.path().join("o.xml"));
    let arguments = [
        &["run", "--imap", &server.imap, "--pop3", &server.pop3, "--security", "plaintext", "--account", "test1"][..],
        &["--json", json.to_str().unwrap(), "--junit", junit.to_str().unwrap()],
    ];
    let output = loginspec(&arguments.concat(), &[("LOGINSPEC_PASSWORD", "Secret-Wrong")]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(5), "{text}{}", stderr(&output));
    assert_eq!(server.logins(), 1);
    let message = format!(
        "the login as `test1` over imap ({}) was refused: {REFUSED}; the password came from the environment variable \
         LOGINSPEC_PASSWORD",
        server.imap
    );
    assert_eq!(text.matches(&message).count(), 1, "{text}");
    assert!(text.lines().count() < 20 && !text.contains("not asked"), "{text}");

    let json = std::fs::read_to_string(json).unwrap();
    assert_eq!(json.lines().count(), 1, "{json}");
    let summary: Value = serde_json::from_str(&json).unwrap();
    let refused = &summary["summary"]["refused_logins"];
    assert_eq!(refused[0]["password_from"], "the environment variable LOGINSPEC_PASSWORD");
    assert_eq!((refused[0]["login"].as_str(), refused[0]["answer"].as_str()), (Some("test1"), Some(REFUSED)));
    assert_eq!(refused.as_array().map(Vec::len), Some(1));

    let junit = std::fs::read_to_string(junit).unwrap();
    assert_eq!(junit.matches("<testcase").count(), 1, "{junit}");
    assert!(junit.contains("tests=\"1\" failures=\"0\" errors=\"1\""), "{junit}");
    assert!(junit.contains("the environment variable LOGINSPEC_PASSWORD"), "{junit}");
    for report in [&text, &json, &junit] {
        assert!(!report.contains("Secret-Wrong"), "{report}");
    }
}

/// Where no account is ever locked, a wrong secret makes every case worthless all the same.
#[test]
fn a_target_file_names_the_file_of_its_password() {
    let folder = folder();
    let server = RefusingServer::start(REFUSED);
    file(&folder, "password", "Secret-Wrong\n");
    let text = format!(
        "name = 't'\ndialect = 'opaque'\n[imap]\naddress = '{}'\nsecurity = 'plaintext'\n[pop3]\naddress = '{}'\n\
         security = 'plaintext'\n[limits]\nno-lockout = true\n[[account]]\nrole = 'same'\nuser = 'test1'\nmailbox = \
         'test1'\npassword = {{ file = 'password' }}\n",
        server.imap, server.pop3
    );
    let output = loginspec(&["run", "--target", &file(&folder, "t.toml", text)], &[]);
    assert_eq!((output.status.code(), server.logins()), (Some(5), 1), "{}", stdout(&output));
    assert!(stdout(&output).contains("the password came from the file password"), "{}", stdout(&output));
}

/// A server that cannot log in anyone just now says nothing of the password.
#[test]
fn a_temporary_refusal_is_no_wrong_secret() {
    let server = RefusingServer::start("[UNAVAILABLE] the directory is down");
    let arguments = ["run", "imap/session", "--imap", &server.imap, "--security", "plaintext", "--account", "test1"];
    let output = loginspec(&arguments, &[("LOGINSPEC_PASSWORD", "right")]);
    assert_ne!(output.status.code(), Some(5), "{}", stdout(&output));
    assert!(!stdout(&output).contains("the password came from"), "{}", stdout(&output));
}

#[test]
fn a_missing_secret_has_the_same_exit_code() {
    let run = ["run", "--imap", "127.0.0.1:1", "--security", "plaintext", "--account", "test1"];
    let ends = |more: &[&str], environment: &[(&str, &str)], says: &str| {
        let output = loginspec(&[&run, more].concat(), environment);
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    };
    ends(&[], &[], "set LOGINSPEC_PASSWORD");
    ends(&[], &[("LOGINSPEC_PASSWORD", "")], "the environment variable LOGINSPEC_PASSWORD holds nothing");
    ends(&["--password-env", "CI_PW"], &[], "the environment variable CI_PW is not set");
    ends(&["--password-file", "no/such"], &[], "failed to read no/such");
    let folder = folder();
    let target = "name = 't'\ndialect = 'opaque'\n[imap]\naddress = '127.0.0.1:1'\n[[account]]\nrole = 'same'\nuser = \
                  'a'\nmailbox = 'a'\npassword = { env = 'CI_PW' }\n";
    let output = loginspec(&["run", "--target", &file(&folder, "t.toml", target)], &[]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("the environment variable CI_PW is not set"), "{}", stderr(&output));
}
