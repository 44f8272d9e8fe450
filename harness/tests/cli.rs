//! The program as scripts see it: arguments, files, exit codes, what goes to which stream.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/program.rs"]
mod program;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::program::{file, folder, loginspec, stderr, stdout};

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// One mistake is one clear error on standard error, and the exit code that is documented.
fn refuses(arguments: &[&str], exit_code: i32, says: &str) {
    let output = loginspec(arguments);
    assert_eq!(code(&output), exit_code, "{arguments:?}: {}", stderr(&output));
    assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    assert!(!stderr(&output).contains("panicked"));
}

const ONE: &str = r#"
title    = "One"
cites    = ["KB Q184463"]
dialects = ["exchange-5.5"]
[matrix]
protocol  = ["imap", "pop3"]
mechanism = ["login", "plain"]
[[case]]
id      = "all-three"
account = "renamed"
login   = '{domain}\{user}\{mailbox}'
expect  = { opens = "{mailbox}" }
"#;

/// The same, with an expectation that no sound server meets.
fn wrong() -> String {
    ONE.replace("{ opens = \"{mailbox}\" }", "\"rejected\"")
}

#[test]
fn the_default_run_passes_and_says_so() {
    let output = loginspec(&["run"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    let text = stdout(&output);
    assert!(text.contains("exchange/kb-q184463"), "{text}");
    assert!(text.trim_end().ends_with("logins per second"), "{text}");
    assert!(!text.contains('\u{1b}'), "colour in a pipe");
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
}

#[test]
fn json_lines_keep_the_contract() {
    let output = loginspec(&["run", "--target", "reference:exchange-5.5", "--json", "-", "exchange/kb-q184463"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (summary, cases) = lines.split_last().unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        for field in ["id", "verdict", "outcome", "expected", "login", "protocol", "mechanism", "millis"] {
            assert!(case.get(field).is_some(), "{field} is missing: {case}");
        }
        assert_eq!(case["verdict"], "pass", "{case}");
        assert!(case.get("transcript").is_none());
    }
    let ids: Vec<&str> = cases.iter().filter_map(|case| case["id"].as_str()).collect();
    assert!(ids.contains(&"exchange/kb-q184463/all-three[imap,plain]"), "{ids:?}");
    assert_eq!(summary["summary"]["pass"], cases.len());
    assert!(!text.contains("Secret-"), "a password got through");
}

#[test]
fn a_failure_is_shown_whole_and_ends_with_one() {
    let folder = folder();
    let scenario = file(&folder, "wrong.toml", wrong());
    let json = folder.path().join("out.jsonl");
    let junit = folder.path().join("out.xml");
    let output = loginspec(&["run", &scenario, "--json", json.to_str().unwrap(), "--junit", junit.to_str().unwrap()]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    for part in ["KB Q184463", "expected", "opened Mailbox1", "wrong.toml:12:11", "^^^^", "C: a1 ", "<password>"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(!text.contains("Secret-"), "{text}");
    let first: Value = serde_json::from_str(std::fs::read_to_string(&json).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!(first["verdict"], "fail");
    assert!(first["transcript"].as_str().unwrap().contains("S: "));
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("failures=\"4\"") && xml.trim_end().ends_with("</testsuites>"), "{xml}");
    assert!(!xml.contains("Secret-"));
}

#[test]
fn ids_of_files_are_stable() {
    let folder = folder();
    std::fs::create_dir_all(folder.path().join("scenarios/mine")).unwrap();
    file(&folder, "scenarios/mine/one.toml", ONE);
    let root = folder.path().join("scenarios");
    for path in [root.clone(), root.join("mine"), root.join("mine/one.toml")] {
        let output = loginspec(&["list", path.to_str().unwrap()]);
        let first = stdout(&output).lines().next().unwrap().to_string();
        assert_eq!(first, "mine/one/all-three[imap,login]\texchange-5.5", "{}", path.display());
    }
}

#[test]
fn shards_share_the_work_without_overlap() {
    let all = stdout(&loginspec(&["list"]));
    let mut parts: Vec<String> = Vec::new();
    for part in 1..=3 {
        let output = loginspec(&["list", "--shard", &format!("{part}/3")]);
        parts.extend(stdout(&output).lines().map(str::to_string));
    }
    let mut all: Vec<String> = all.lines().map(str::to_string).collect();
    all.sort();
    parts.sort();
    assert_eq!(all, parts);
    refuses(&["list", "--shard", "4/3"], 2, "4/3");
}

#[test]
fn flaws_are_found_and_need_the_reference_server() {
    let output = loginspec(&["run", "exchange/", "--flaw", "accepts-any-password"]);
    assert_eq!(code(&output), 1);
    refuses(&["run", "--flaw", "acepts-any-password"], 2, "a similar value exists: 'accepts-any-password'");
    let folder = folder();
    let target = file(&folder, "t.toml", target_text("127.0.0.1:1"));
    refuses(&["run", "--target", &target, "--flaw", "accepts-any-password"], 2, "reference server only");
}

#[test]
fn usage_and_files() {
    let folder = folder();
    refuses(&["run", "--no-such-flag"], 2, "--no-such-flag");
    refuses(&["run", "--target", "nowhere"], 2, "unknown target `nowhere`");
    refuses(&["run", "--target", "reference:exchnge-5.5"], 2, "did you mean `exchange-5.5`?");
    refuses(&["run", "--timeout", "soon"], 2, "not a time");
    refuses(&["run", "--jobs", "0"], 2, "0");
    refuses(&["run", "--json", "-", "--junit", "-"], 2, "cannot both");
    refuses(&["run", "--target", "container:nowhere"], 2, "container");
    refuses(&["run", "no-such-file.toml"], 2, "no-such-file.toml");
    refuses(&["run", "--filter", "exchange/kb-q184464"], 4, "did you mean `exchange/kb-q184463`?");
    refuses(&["run", "exchnage/*"], 4, "nothing to run");
    refuses(&["run", "--target", "reference:opaque", "exchange/"], 4, "nothing to run");
    refuses(&["run", &file(&folder, "empty.toml", "")], 2, "it is empty");
    refuses(&["run", &file(&folder, "latin1.toml", b"title = '\xff'\n")], 2, "not UTF-8");
    refuses(&["run", &file(&folder, "huge.toml", vec![b'#'; 2 << 20])], 2, "octets");
    refuses(&["run", &folder.path().join("nothing").display().to_string()], 4, "nothing to run");
    let control = ONE.replace(r"'{domain}\{user}\{mailbox}'", r#""CORP\bob""#);
    refuses(&["run", &file(&folder, "control.toml", control)], 2, "use single quotes");
    refuses(&["check", &file(&folder, "typo.toml", ONE.replace("account", "acount"))], 2, "did you mean `account`?");
    refuses(&["serve", "--dialect", "dovcot"], 2, "did you mean `dovecot`?");
    refuses(&["explain", "a", "--dialect", "dovcot"], 2, "did you mean `dovecot`?");
    refuses(&["run", "--directory", &file(&folder, "dir.toml", "home = 'X'\n")], 2, "no domain is called `X`");
    std::fs::create_dir(folder.path().join("hollow")).unwrap();
    refuses(&["run", folder.path().join("hollow").to_str().unwrap()], 2, "holds no scenario");
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_the_run() {
    let folder = folder();
    let path = folder.path().join("no/such/folder/out.jsonl");
    let output = loginspec(&["run", "--json", path.to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("failed to write"), "{}", stderr(&output));
    assert!(stdout(&output).is_empty(), "the run had begun: {}", stdout(&output));
    refuses(&["run", "--junit", folder.path().to_str().unwrap()], 2, "failed to write");
}

fn target_text(address: &str) -> String {
    format!(
        "name = 'mine'\ndialect = 'opaque'\n[imap]\naddress = '{address}'\nsecurity = 'plaintext'\n[[account]]\nrole = 'same'\nuser = 'Same'\n\
         mailbox = 'Same'\npassword = {{ text = 'Secret-Same' }}\n"
    )
}

fn unreachable(address: &str) {
    let folder = folder();
    let target = file(&folder, "t.toml", target_text(address));
    let json = folder.path().join("out.jsonl");
    let start = std::time::Instant::now();
    let output = loginspec(&[
        "run",
        "imap/session",
        "--target",
        &target,
        "--timeout",
        "400ms",
        "--json",
        json.to_str().unwrap(),
    ]);
    assert_eq!(code(&output), 3, "{}{}", stdout(&output), stderr(&output));
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
    assert!(stdout(&output).contains("unreachable"), "{}", stdout(&output));
    let text = std::fs::read_to_string(&json).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert!(last["summary"]["error"].as_u64().unwrap() > 3, "the reports are still written: {last}");
}

#[test]
fn a_refused_target_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    unreachable(&address);
}

#[test]
fn the_reason_why_nothing_was_answered_stands_last() {
    let address = ["forms/by-dialect", "--imap", "127.0.0.1:1", "--security", "plaintext", "--dialect", "dovecot"];
    let folder = folder();
    let password = file(&folder, "password", "Secret-Same");
    let account = ["--account", "Same", "--allow-plaintext", "--password-file", password.as_str()];
    let output = loginspec(&[&["run"], &address[..], &account[..]].concat());
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    assert!(
        text.contains("is the port right, and does the server run?") && !text.contains("How 127.0.0.1 reads"),
        "{text}"
    );
}

#[test]
fn an_unresolvable_target_is_unreachable() {
    unreachable("no-such-host.invalid:143");
}

#[test]
fn a_silent_target_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    unreachable(&listener.local_addr().unwrap().to_string());
}

#[test]
fn a_missing_password_is_said() {
    let folder = folder();
    let text = target_text("127.0.0.1:1").replace("{ text = 'Secret-Same' }", "{ env = 'LOGINSPEC_UNSET' }");
    refuses(&["run", "--target", &file(&folder, "t.toml", text)], 5, "LOGINSPEC_UNSET is not set");
}

#[test]
fn explain_keeps_the_contract() {
    let output = loginspec(&["explain", "--dialect", "exchange-5.5", "--json", r"Domain1\User1"]);
    let object: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(object["name"], r"Domain1\User1");
    assert_eq!(object["dialect"], "exchange-5.5");
    assert_eq!(object["rejected"], Value::Null);
    let reading = &object["readings"][0];
    assert_eq!((&reading["domain"], &reading["user"]), (&"Domain1".into(), &"User1".into()));
    assert_eq!(reading["mailbox"], "User1");
    assert_eq!(reading["assumed"], serde_json::json!(["mailbox"]));
    let refused = loginspec(&["explain", "--dialect", "dovecot", "--json", r"Domain1\User1"]);
    let object: Value = serde_json::from_str(&stdout(&refused)).unwrap();
    assert!(object["rejected"].is_string() && object["readings"] == serde_json::json!([]), "{object}");
    let all = stdout(&loginspec(&["explain", "--json", "x"]));
    assert!(all.lines().count() >= 16);
}

#[test]
fn list_tells_the_rules() {
    let folder = folder();
    let scenario = file(&folder, "one.toml", ONE);
    let text = stdout(&loginspec(&["list", "--rules", &scenario]));
    assert!(text.starts_with("KB Q184463: 4 cases\n  one/all-three\n\nprotocol × mechanism\n"), "{text}");
    assert!(text.contains("  imap                login 1, plain 1\n"), "{text}");
    let text = stdout(&loginspec(&["list", "--rules", "--json", "--filter", "*pop3*", &scenario]));
    let clause: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(clause, serde_json::json!({ "clause": "KB Q184463", "cases": 2, "ids": ["one/all-three"] }));
    refuses(&["list", "--json", &scenario], 2, "--rules");
}

#[test]
fn large_matrices_are_thinned_out_unless_asked_in_full() {
    let folder = folder();
    let text = ONE
        .replace("[matrix]", "[matrix]\neach = 'printable'")
        .replace("{mailbox}'", "{mailbox}{each}'")
        .replace("{ opens = \"{mailbox}\" }", "\"safe\"");
    let scenario = file(&folder, "many.toml", text);
    let output = loginspec(&["run", &scenario, "--target", "reference:exchange-5.5"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    let closing = stdout(&output).lines().last().unwrap().to_string();
    assert!(closing.contains("more combinations with --full; "), "{closing}");
    let lines = |arguments: &[&str]| stdout(&loginspec(arguments)).lines().count();
    let thin = lines(&["list", &scenario]);
    assert!(closing.starts_with(&format!("PASSED: {thin} passed of {thin} cases; {} more", 380 - thin)), "{closing}");
    assert_eq!(lines(&["list", "--full", &scenario]), 380);
    // What is asked for by name is never left out.
    assert_eq!(lines(&["list", &scenario, "--filter", "*x5c]"]), 4);
    let output = loginspec(&["run", "--full", &scenario, "--target", "reference:exchange-5.5"]);
    assert!(stdout(&output).contains("380 passed of 380 cases; ") && !stdout(&output).contains("--full"));
}

#[test]
fn explain_in_plain_words() {
    let text = stdout(&loginspec(&["explain", r"Domain1\User1"]));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/cli"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("explain", text));
}

#[test]
fn check_takes_every_kind_of_file() {
    let output = loginspec(&["check"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("no mistakes"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files: Vec<PathBuf> = vec![root.clone(), root.join("directory.toml"), root.join("dialects/exchange-5.5.toml")];
    for file in files {
        let output = loginspec(&["check", file.to_str().unwrap()]);
        assert_eq!(code(&output), 0, "{}: {}", file.display(), stderr(&output));
    }
}

/// A warning, and no mistake: on a server where the bare user name is the login name the file is right.
#[test]
fn check_shows_where_a_login_name_is_taken_for_granted() {
    let folder = folder();
    let text = "title = 'Mine'\ncites = ['us']\n[[case]]\nid = 'one'\nlogin = '{user}'\nexpect = 'rejected'\n";
    let output = loginspec(&["check", &file(&folder, "s.toml", text)]);
    let said = stderr(&output);
    assert_eq!(code(&output), 0, "{said}");
    assert!(said.contains("warning: `{user}` is not the login name of every account"), "{said}");
    assert!(said.contains("s.toml:5:10") && said.contains("^^^^^^ stands alone") && said.contains("{login}"), "{said}");
    let dialects = text.replace("[[case]]", "dialects = ['opaque']\n[[case]]");
    assert_eq!(stderr(&loginspec(&["check", &file(&folder, "d.toml", &dialects)])), "");
    assert_eq!(stderr(&loginspec(&["check"])), "");
}

#[test]
fn a_users_own_dialect() {
    let folder = folder();
    let dialect = "title = 'Mine'\nseparators = '#'\n[[rule]]\nform = '{user}#{mailbox..}'\ncites = ['us']\n\
                   confidence = 'documented'\n";
    let dialect = file(&folder, "mine.toml", dialect);
    let text = "title = 'Mine'\ncites = ['us']\ndialects = ['mine']\n[[case]]\nid = 'one'\naccount = 'renamed'\n\
                login = '{user}#{mailbox}'\nexpect = { opens = '{mailbox}' }\n";
    let scenario = file(&folder, "s.toml", text);
    let output = loginspec(&["run", &scenario, "--target", &format!("reference:{dialect}")]);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("2 passed"), "{}", stdout(&output));
}

/// A server that greets, and answers every login with `answer`.
fn one_answer(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n");
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

const SAME_OPENS: &str = "title = 'x'\ncites = ['y']\n[[case]]\nid = 'opens'\nprotocol = ['imap']\nlogin = '{user}'\n\
                          expect = { opens = '{mailbox}' }\n";

#[test]
fn a_known_deviation_is_told_as_known_and_no_other() {
    let folder = folder();
    let scenario = file(&folder, "s.toml", SAME_OPENS);
    for (answer, verdict) in [("a1 BAD no\r\n", "known"), ("* BYE no\r\n", "fail")] {
        let known = "[[known]]\ncase = 's/*'\noutcome = 'bad'\nreason = 'ticket 123'\n[limits]\nno-lockout = true\n";
        let target = file(&folder, "t.toml", target_text(&one_answer(answer)) + known);
        let output = loginspec(&["run", &scenario, "--target", &target, "--json", "-"]);
        let text = stdout(&output);
        let case: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(case["verdict"], verdict, "{case}");
        assert_eq!(verdict == "known", case["reason"] == "ticket 123", "{case}");
    }
}

#[test]
fn a_run_that_only_skips_has_run_nothing() {
    let folder = folder();
    let scenario = file(&folder, "s.toml", SAME_OPENS.replace("login =", "account = 'renamed'\nlogin ="));
    let target = file(&folder, "t.toml", target_text(&one_answer("a1 BAD no\r\n")));
    let output = loginspec(&["run", &scenario, "--target", &target]);
    assert_eq!(code(&output), 4, "{}", stdout(&output));
    assert!(stdout(&output).contains("no account for the role `renamed`"), "{}", stdout(&output));
}

/// What a report says to replay a case does so when it is pasted into a shell, whatever the file is called.
#[cfg(unix)]
#[test]
fn a_replay_can_be_pasted() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("it's a $HOME")).unwrap();
    let scenario = file(&folder, "it's a $HOME/wrong.toml", wrong());
    let paste = |arguments: &[&str]| {
        let output = loginspec(arguments);
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        let text = stdout(&output);
        let mut cases = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let first = cases.find(|case| case["verdict"] == "fail").unwrap();
        let command = first["replay"].as_str().unwrap().to_string();
        let program = assert_cmd::cargo::cargo_bin("loginspec");
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("{command} --json -")])
            .env("PATH", format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap()))
            .output()
            .unwrap();
        assert_eq!(code(&output), 1, "{command}: {}", stderr(&output));
        let text = stdout(&output);
        let again: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        for same in ["id", "target", "verdict", "outcome", "reason", "transcript", "replay"] {
            assert_eq!(first[same], again[same], "{command}");
        }
        assert_eq!(text.lines().count(), 2, "{command} is one case and the summary: {text}");
        command
    };
    let of_file = paste(&["run", &scenario, "--json", "-", "--timeout", "2.5s", "--jobs", "1"]);
    assert!(
        of_file.ends_with("--filter 'wrong/all-three[imap,login]' --target reference:exchange-5.5 --timeout 2500ms")
    );
    let bundled = paste(&["run", "exchange/kb", "--flaw", "accepts-any-password", "--json", "-", "--jobs", "1"]);
    assert!(bundled.starts_with("loginspec run 'exchange/kb-q184463"), "{bundled}");
    assert!(bundled.ends_with("--flaw accepts-any-password"), "{bundled}");
}

#[cfg(unix)]
mod signals {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    fn interrupt(id: u32) {
        assert!(Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap().success());
    }

    /// A run against a server that answers nothing after its greeting would take minutes; an interrupt ends it with
    /// every report whole.
    #[test]
    fn an_interrupt_ends_a_run_with_its_reports() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = std::io::Write::write_all(&mut stream, b"* OK [CAPABILITY IMAP4rev1] slow\r\n");
                open.push(stream);
            }
        });
        let folder = folder();
        let target = file(&folder, "t.toml", target_text(&address));
        let (json, junit) = (folder.path().join("o.jsonl"), folder.path().join("o.xml"));
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("loginspec"))
            .args(["run", "imap/", "--jobs", "1", "--timeout", "1s", "--target", &target, "--json"])
            .args([&json, Path::new("--junit"), &junit])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while std::fs::read_to_string(&json).unwrap_or_default().lines().count() < 2 {
            assert!(start.elapsed() < Duration::from_secs(30), "no case was ever reported");
            std::thread::sleep(Duration::from_millis(20));
        }
        interrupt(child.id());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130));
        let text = std::fs::read_to_string(&json).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["summary"]["interrupted"], true);
        assert!(std::fs::read_to_string(&junit).unwrap().trim_end().ends_with("</testsuites>"));
    }

    #[test]
    fn serve_prints_its_addresses_and_runs_until_interrupted() {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("loginspec"))
            .args(["serve", "--dialect", "exchange-5.5"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut imap = None;
        for line in lines.by_ref() {
            let line = line.unwrap();
            if let Some(address) = line.strip_prefix("imap ") {
                imap = Some(address.to_string());
            }
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        let mut stream = TcpStream::connect(imap.expect("an address")).unwrap();
        std::io::Write::write_all(&mut stream, b"a LOGIN \"Domain1\\\\User1\\\\Mailbox1\" Secret-User1\r\n").unwrap();
        let mut answers = BufReader::new(stream).lines();
        assert!(answers.next().unwrap().unwrap().starts_with("* OK"));
        assert!(answers.next().unwrap().unwrap().starts_with("a OK"));
        interrupt(child.id());
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

/// Nobody writes such a scenario on purpose, and its report is as quiet as any other.
#[test]
fn a_password_in_the_login_name_is_masked() {
    let folder = folder();
    let text = ONE.replace(r"'{domain}\{user}\{mailbox}'", "'{user}{password}'");
    let scenario = file(&folder, "s.toml", text);
    let output = loginspec(&["run", &scenario, "--json", "-"]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("User1<password>"), "{}", stdout(&output));
    assert!(!stdout(&output).contains("Secret-") && !stderr(&output).contains("Secret-"));
}

/// `serve` as a client's developer sees it: the file is there before the addresses are told.
#[test]
fn serve_speaks_tls_and_writes_whom_to_trust() {
    let folder = folder();
    let ca = folder.path().join("ca.pem");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_loginspec"))
        .args(["serve", "--imaps", "127.0.0.1:0", "--pop3s", "127.0.0.1:0", "--require-tls", "--ca-file"])
        .arg(&ca)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let lines: Vec<String> = printed.by_ref().take_while(|line| !line.starts_with("Ctrl-C")).collect();
    let pem = std::fs::read(&ca);
    let address = |name: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap();
        line.parse::<std::net::SocketAddr>().unwrap()
    };
    let mut greeting = [0; 512];
    let count = TcpStream::connect(address("imap")).unwrap().read(&mut greeting).unwrap();
    let reached = ["pop3", "imaps", "pop3s"].map(|name| TcpStream::connect(address(name)).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(pem.unwrap().starts_with(b"-----BEGIN CERTIFICATE-----"));
    let greeting = String::from_utf8_lossy(&greeting[..count]);
    assert!(greeting.contains(" STARTTLS ") && greeting.contains("LOGINDISABLED"), "{greeting}");
    assert_eq!(reached, [true; 3]);
    refuses(&["serve", "--ca-file", folder.path().to_str().unwrap()], 2, "failed to write");
}

/// A full disk is no mistake of whoever types the command line.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_has_an_exit_code_of_its_own() {
    let folder = folder();
    let scenario = file(&folder, "one.toml", ONE);
    let target = ["run", "--target", "reference:exchange-5.5"];
    refuses(&[&target[..], &[scenario.as_str(), "--json", "/dev/full"]].concat(), 6, "failed to write");
    refuses(&[&target[..], &[scenario.as_str(), "--junit", "/dev/full"]].concat(), 6, "failed to write");
    refuses(&[&target[..], &[scenario.as_str(), "--json", "/no/such/folder/x.jsonl"]].concat(), 2, "failed to write");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("loginspec"));
    let status = command.args(["list"]).stdout(full).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(6));
}
