//! A server that is not ours, with one account, whose login name is `jdoe`, `jdoe@example.org` or `EXAMPLE\jdoe`: none of
//! them makes a bundled scenario fail, and none leaves more of them unasked than another.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use assert_cmd::Command;
use loginspec::identity::read_directory;
use loginspec::reference::{Config, Server};
use loginspec::source::SourceText;
use loginspec::target::find_dialect;
use serde_json::Value;

/// Who exists on the server, as a directory file and as a target file say it.
struct Shape {
    /// How the server, and the target file, read names.
    dialect: &'static str,
    /// The account's `domain`; empty where its name is said whole.
    domain: &'static str,
    dns: &'static str,
    user: &'static str,
}

const WHOLE: Shape = Shape { dialect: "opaque", domain: "", dns: "", user: "jdoe" };
const IN_PARTS: Shape = Shape { dialect: "opaque", domain: "EXAMPLE", dns: "example.org", user: "jdoe" };

/// What became of the cases, by their ids; those of `dialects/` are about one dialect, and left out.
type Verdicts = BTreeMap<String, String>;

async fn verdicts(shape: &Shape) -> Verdicts {
    let Shape { dialect, domain, dns, user } = shape;
    let home = if domain.is_empty() { "none" } else { domain };
    let directory = format!(
        "home = '{home}'\n[[domain]]\nname = '{home}'\n{}[[account]]\nrole = 'same'\ndomain = '{home}'\nuser = '{user}'\n\
         mailbox = 'Inbox-of-jdoe'\npassword = {{ text = 'Secret-jdoe' }}\n",
        if dns.is_empty() { String::new() } else { format!("dns = '{dns}'\n") },
    );
    let directory = read_directory(&SourceText::new("directory.toml", directory)).unwrap();
    let server = Server::start(Config::new(find_dialect(dialect).unwrap(), directory)).unwrap();
    let field =
        |name: &str, value: &str| if value.is_empty() { String::new() } else { format!("{name} = '{value}'\n") };
    let target = format!(
        "name = 'server'\ndialect = '{dialect}'\n[imap]\naddress = '{}'\nsecurity = 'plaintext'\n[pop3]\naddress = '{}'\nsecurity = 'plaintext'\n\
         [limits]\nno-lockout = true\n[[account]]\nrole = 'same'\n{}{}user = '{user}'\nmailbox = 'Inbox-of-jdoe'\n\
         password = {{ text = 'Secret-jdoe' }}\n",
        server.imap().unwrap(),
        server.pop3().unwrap(),
        field("domain", domain),
        field("dns", dns),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("target.toml");
    std::fs::write(&path, target).unwrap();
    let output = tokio::task::spawn_blocking(move || {
        let mut command = Command::cargo_bin("loginspec").unwrap();
        command.args(["run", "--json", "-", "--target"]).arg(&path).timeout(Duration::from_secs(300));
        command.output().unwrap()
    })
    .await
    .unwrap();
    server.stop().await;
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let cases: Vec<&Value> = objects.iter().filter(|object| object["id"].is_string()).collect();
    let bad: Vec<String> = cases
        .iter()
        .filter(|case| !["pass", "skip"].contains(&case["verdict"].as_str().unwrap()))
        .map(|case| format!("{} {}: {}", case["verdict"], case["id"], case["reason"]))
        .collect();
    assert!(bad.is_empty(), "{user} in {dialect}:\n{}", bad.join("\n"));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    cases
        .iter()
        .map(|case| (case["id"].as_str().unwrap().to_string(), case["verdict"].as_str().unwrap().to_string()))
        .filter(|(id, _)| !id.starts_with("dialects/"))
        .collect()
}

/// What is asked with a plain name is asked with this one too.
async fn asks_as_much(shape: Shape, plain: &Verdicts) {
    let found = verdicts(&shape).await;
    let asked = |verdicts: &Verdicts| -> BTreeSet<String> {
        verdicts.iter().filter(|(_, verdict)| *verdict == "pass").map(|(id, _)| id.clone()).collect()
    };
    let (found, plain) = (asked(&found), asked(plain));
    let unasked: Vec<&String> = plain.difference(&found).collect();
    assert!(unasked.is_empty(), "{} in {}: {unasked:#?}", shape.user, shape.dialect);
    assert!(found.len() > 2000, "only {} cases were asked", found.len());
}

/// The account's name is one text, and nothing is known of its parts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_name_that_is_said_whole() {
    let plain = verdicts(&WHOLE).await;
    for user in ["jdoe@example.org", r"EXAMPLE\jdoe"] {
        asks_as_much(Shape { user, ..WHOLE }, &plain).await;
    }
}

/// The account's user name and domain are said apart, and the dialect puts them together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_name_that_is_made_of_its_parts() {
    let plain = verdicts(&IN_PARTS).await;
    for dialect in ["user-at-domain", "domain-backslash-user"] {
        asks_as_much(Shape { dialect, ..IN_PARTS }, &plain).await;
    }
}
