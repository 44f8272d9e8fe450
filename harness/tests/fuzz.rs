//! `loginspec fuzz` as whoever runs it sees it: nothing is found where nothing is wrong, what is found can be replayed,
//! other people's servers are left alone, and nothing is lost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

fn loginspec(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(cargo_bin("loginspec")).current_dir(folder).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn findings(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_finding = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("finding-");
    let mut found: Vec<PathBuf> = entries.filter(is_finding).collect();
    found.sort();
    found
}

#[test]
fn a_sound_server_has_no_findings() {
    let folder = TempDir::new().unwrap();
    let output = loginspec(
        folder.path(),
        &["fuzz", "--target", "reference:exchange-5.5", "--conversations", "1500", "--seed", "3", "--out", "f"],
    );
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("0 findings in 1500 conversations"), "{said}");
    // The map of what was reached.
    assert!(said.contains("imap greeted\n") && said.contains("pop3 named\n"), "{said}");
    assert_eq!(findings(&folder.path().join("f")), Vec::<PathBuf>::new());
}

#[test]
fn a_finding_is_a_scenario_that_fails_there_and_passes_elsewhere() {
    let folder = TempDir::new().unwrap();
    let target = "reference:exchange-5.5";
    let arguments = [
        "fuzz",
        "--target",
        target,
        "--flaw",
        "accepts-empty-password",
        "--time",
        "60s",
        "--findings",
        "1",
        "--out",
        "f",
    ];
    let output = loginspec(folder.path(), &arguments);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("found: taken-without-right"), "{said}");
    let file = findings(&folder.path().join("f")).remove(0);
    let scenario = std::fs::read_to_string(&file).unwrap();
    assert!(scenario.contains("# Oracle taken-without-right") && scenario.contains("--seed 1"), "{scenario}");
    assert!(!scenario.contains("Secret-"), "{scenario}");
    let file = file.to_str().unwrap();
    let flawed = loginspec(folder.path(), &["run", file, "--target", target, "--flaw", "accepts-empty-password"]);
    assert_eq!(flawed.status.code(), Some(1), "{}", text(&flawed));
    let sound = loginspec(folder.path(), &["run", file, "--target", target]);
    assert_eq!(sound.status.code(), Some(0), "{}", text(&sound));
}

#[test]
fn a_kill_loses_nothing_and_it_goes_on() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("f");
    let common = ["fuzz", "--target", "reference:opaque", "--flaw", "wrong-tag", "--out", "f"];
    let mut running = Command::new(cargo_bin("loginspec"))
        .current_dir(folder.path())
        .args(common)
        .args(["--time", "60s"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !out.exists() || findings(&out).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(50), "nothing was found");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Not asked to end, but ended.
    running.kill().unwrap();
    running.wait().unwrap();
    let before = findings(&out);
    let refused = loginspec(folder.path(), &common);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("--resume"), "{}", text(&refused));
    let resumed = loginspec(folder.path(), &[&common[..], &["--resume", "--time", "1s"]].concat());
    let said = text(&resumed);
    assert!([Some(0), Some(1)].contains(&resumed.status.code()), "{said}");
    let after = findings(&out);
    assert!(before.iter().all(|file| after.contains(file)), "{before:?} {after:?}");
    let other = loginspec(folder.path(), &[&common[..], &["--resume", "--seed", "9"]].concat());
    assert!(text(&other).contains("has the seed 1"), "{}", text(&other));
}

#[test]
fn it_stops_when_the_file_is_there() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("enough"), "").unwrap();
    let start = Instant::now();
    let output = loginspec(
        folder.path(),
        &["fuzz", "--target", "reference:opaque", "--time", "10m", "--stop-file", "enough", "--out", "f"],
    );
    assert!(text(&output).contains("ended early: enough is there"), "{}", text(&output));
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn other_peoples_servers_are_left_alone() {
    let folder = TempDir::new().unwrap();
    let target = "name = \"theirs\"\ndialect = \"opaque\"\n[imap]\naddress = \"192.0.2.1:143\"\nsecurity = \"plaintext\"\n\
                  [[account]]\nrole = \"same\"\ndomain = \"D\"\nuser = \"u\"\nmailbox = \"u\"\npassword = { text = \"Secret\" }\n";
    std::fs::write(folder.path().join("theirs.toml"), target).unwrap();
    let refused = loginspec(folder.path(), &["fuzz", "--target", "theirs.toml", "--out", "f"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("--i-may-fuzz 192.0.2.1"), "{}", text(&refused));
    assert!(!folder.path().join("f").exists(), "something was begun");
    // Another host's name is no leave.
    let other = loginspec(folder.path(), &["fuzz", "--target", "theirs.toml", "--i-may-fuzz", "mail.example.org"]);
    assert_eq!(other.status.code(), Some(2), "{}", text(&other));
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let folder = TempDir::new().unwrap();
    // A port that nobody has: bound, and not listened on.
    let bound = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = bound.local_addr().unwrap();
    drop(bound);
    let target = format!(
        "name = \"gone\"\ndialect = \"opaque\"\n[imap]\naddress = \"{address}\"\nsecurity = \"plaintext\"\n\
         [[account]]\nrole = \"same\"\ndomain = \"D\"\nuser = \"u\"\nmailbox = \"u\"\npassword = {{ text = \"Secret\" }}\n"
    );
    std::fs::write(folder.path().join("gone.toml"), target).unwrap();
    let output = loginspec(folder.path(), &["fuzz", "--target", "gone.toml", "--out", "f"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("failed to reach gone"), "{}", text(&output));
}

#[test]
fn nothing_is_asked_of_a_server_that_lets_nobody_in() {
    let folder = TempDir::new().unwrap();
    let mut server = Command::new(cargo_bin("loginspec"))
        .args(["serve", "--dialect", "opaque", "--imap", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| line.unwrap().strip_prefix("imap ").map(str::to_string)).unwrap();
    let target = format!(
        "name = \"ours\"\ndialect = \"opaque\"\n[imap]\naddress = \"{address}\"\nsecurity = \"plaintext\"\n\
         [[account]]\nrole = \"same\"\ndomain = \"Domain1\"\nuser = \"Same\"\nmailbox = \"Same\"\n\
         password = {{ text = \"mistyped\" }}\n"
    );
    std::fs::write(folder.path().join("ours.toml"), target).unwrap();
    let output = loginspec(folder.path(), &["fuzz", "--target", "ours.toml", "--time", "20s", "--out", "f"]);
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(text(&output).contains("the good login at ours comes to this: rejected"), "{}", text(&output));
    assert_eq!(findings(&folder.path().join("f")), Vec::<PathBuf>::new());
}

/// A POP3 server that takes one account's name and password, and locks the account for good after so many refusals. Some
/// repeat what they refuse.
fn serve_pop3(refusals: usize, repeats: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let refused = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut out, refused) = (stream.unwrap(), Arc::clone(&refused));
            std::thread::spawn(move || {
                let lines = BufReader::new(out.try_clone().unwrap()).split(b'\n');
                let mut name = Vec::new();
                out.write_all(b"+OK ready\r\n")?;
                for line in lines {
                    let line = line?;
                    let (command, argument) = line.trim_ascii_end().split_at(line.trim_ascii_end().len().min(5));
                    let answer = match command.to_ascii_uppercase().as_slice() {
                        b"CAPA" => "+OK\r\nUSER\r\n.",
                        b"STAT" => "+OK 0 0",
                        b"NOOP" | b"QUIT" => "+OK",
                        b"USER " => {
                            name = argument.to_vec();
                            "+OK"
                        }
                        b"PASS "
                            if argument == b"Secret-u"
                                && name == b"u"
                                && refused.load(Ordering::Relaxed) < refusals =>
                        {
                            "+OK"
                        }
                        b"PASS " => {
                            refused.fetch_add(1, Ordering::Relaxed);
                            "-ERR refused"
                        }
                        _ => "-ERR what?",
                    };
                    let mut answer = answer.as_bytes().to_vec();
                    if repeats && answer.starts_with(b"-") {
                        answer = [b"-ERR cannot do ", line.trim_ascii_end()].concat();
                    }
                    answer.extend(b"\r\n");
                    out.write_all(&answer)?;
                }
                Ok::<(), std::io::Error>(())
            });
        }
    });
    address
}

/// A target file for it.
fn target_of(address: SocketAddr) -> String {
    format!(
        "name = \"ours\"\ndialect = \"opaque\"\n[pop3]\naddress = \"{address}\"\nsecurity = \"plaintext\"\n\
         [limits]\nno-lockout = true\n[[account]]\nrole = \"same\"\ndomain = \"D\"\nuser = \"u\"\nmailbox = \"u\"\n\
         password = {{ text = \"Secret-u\" }}\n"
    )
}

#[test]
fn an_account_that_gets_locked_is_told_once() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("ours.toml"), target_of(serve_pop3(50, false))).unwrap();
    let output = loginspec(folder.path(), &["fuzz", "--target", "ours.toml", "--time", "3s", "--out", "f"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("found (not proven): canary-dies").count(), 1, "{said}");
    assert!(said.contains("a good login at ours worked before"), "{said}");
    // What was let in before and refused since looked unequal, and is not when it is tried again.
    assert!(!said.contains(": unequal-outcome ("), "{said}");
}

#[test]
fn a_password_that_is_repeated_is_seen_in_base64_too() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("ours.toml"), target_of(serve_pop3(usize::MAX, true))).unwrap();
    let output = loginspec(folder.path(), &["fuzz", "--target", "ours.toml", "--time", "3s", "--out", "f"]);
    let said = text(&output);
    let kept = findings(&folder.path().join("f"));
    let kept = kept.into_iter().filter(|path| path.to_str().unwrap().contains("password-repeated"));
    let scenarios: Vec<String> = kept.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(!said.contains("not proven): password-repeated"), "{said}");
    for spelling in ["S: -ERR !{password}*", "!{base64:"] {
        assert!(scenarios.iter().any(|text| text.contains(spelling)), "{spelling}: {scenarios:?}");
    }
}
