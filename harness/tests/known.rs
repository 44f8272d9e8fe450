//! Known deviations as scripts see them: records that are wrong, records written by `--accept`, and what `report` makes
//! of earlier runs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/program.rs"]
mod program;
mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use loginspec::runner::Plan;
use loginspec::scenario::Selection;
use loginspec::source::SourceText;
use loginspec::target::{Date, Passwords, find_dialect, read_target, remote_target};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{file, folder, loginspec, stderr, stdout};

/// Runs it, and gives back what it printed where it ended with this code.
fn ends_with(code: i32, arguments: &[&str]) -> String {
    let output = loginspec(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
    assert!(!stderr(&output).contains("panicked"));
    stdout(&output) + &stderr(&output)
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn target_text(address: &str, known: &str) -> String {
    format!(
        "name = 'mine'\ndialect = 'opaque'\n[imap]\naddress = '{address}'\nsecurity = 'plaintext'\n[[account]]\nrole = 'same'\nuser = 'Same'\n\
         mailbox = 'Same'\npassword = {{ text = 'Secret-Same' }}\n{known}"
    )
}

fn record(case: &str, more: &str) -> String {
    format!("[[known]]\ncase = '{case}'\noutcome = 'bad'\nreason = 'ticket 123'\n{more}\n")
}

/// A server that refuses every login as wrong in form.
fn refusing_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n");
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"a1 BAD no\r\n");
        }
    });
    address
}

const TWO_CASES: &str = "title = 'x'\ncites = ['y']\n[matrix]\nprotocol = ['imap']\nencoding = ['quoted', 'literal']\n\
                         [[case]]\nid = 'opens'\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }\n\
                         [[case]]\nid = 'refused'\nlogin = '{user}'\nexpect = 'bad'\n";

fn objects(path: &str) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_record_that_has_expired_or_covers_nothing_is_shown_before_the_run() {
    let folder = folder();
    let known = record("imap/quoting/*", "expires = '2020-01-31'") + &record("imap/quotng/*", "");
    let target = file(&folder, "t.toml", target_text("127.0.0.1:1", &known));
    for arguments in [&["check", &target][..], &["run", "--target", &target]] {
        let text = ends_with(2, arguments);
        for part in ["held until 2020-01-31", "t.toml:15:11", "the record for `imap/quotng/*` covers no case", "17:8"] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
        assert!(text.contains("the nearest case is `imap/quoting/"), "{text}");
    }
    // Whoever chooses some cases may meet none of those that are recorded.
    let target = file(&folder, "t.toml", target_text("127.0.0.1:1", &record("imap/quotng/*", "")));
    ends_with(3, &["run", "imap/session", "--target", &target, "--timeout", "300ms"]);
}

/// The files that containers come with are no exception; their addresses are known only when they run.
#[test]
fn what_containers_record_holds() {
    let scenarios = support::scenarios();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/containers");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("target.toml");
        if !path.exists() {
            continue;
        }
        let source = SourceText::read(&path).unwrap();
        let file = read_target(&source, Path::new(""), Passwords::Ignore, false).unwrap();
        let dialect = find_dialect(&file.dialect).unwrap();
        let target = remote_target(file, dialect);
        let plan = Plan::new(&scenarios, std::slice::from_ref(&target.dialect), &Selection::default());
        let ids: Vec<&str> = plan.list.iter().filter_map(|planned| Some(planned.case()?.id.as_str())).collect();
        target.known.check(Date::today(), Some(&ids)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        checked += 1;
    }
    assert!(checked > 0);
}

#[test]
fn what_is_known_is_told_with_its_record() {
    let folder = folder();
    let scenario = file(&folder, "s.toml", TWO_CASES);
    let known = record("s/opens*", "link = 'https://example.org/123'\nsecurity = true");
    let target = file(&folder, "t.toml", target_text(&refusing_server(), &known));
    let (json, junit) = (path(&folder, "o.jsonl"), path(&folder, "o.xml"));
    // The login that must work does not, so the run is no success.
    let text = ends_with(1, &["run", &scenario, "--target", &target, "--json", &json, "--junit", &junit]);
    assert!(text.contains("known 2: ticket 123 (https://example.org/123) [security]"), "{text}");
    let known = objects(&json).into_iter().find(|object| object["verdict"] == "known").unwrap();
    assert_eq!(known["known"]["link"], "https://example.org/123");
    assert_eq!(known["known"]["security"], true);
    assert_eq!(known["known"]["happened"], "refused as wrong in form (BAD)");
    assert_eq!(objects(&json).last().unwrap()["summary"]["known"], 2);
    assert!(std::fs::read_to_string(&junit).unwrap().contains("known: ticket 123 (https://example.org/123)"));
}

#[test]
fn accepted_failures_are_known_the_next_time() {
    let folder = folder();
    let scenario = file(&folder, "s.toml", TWO_CASES);
    let address = refusing_server();
    let target = file(&folder, "t.toml", target_text(&address, ""));
    let accepted = path(&folder, "known.toml");
    ends_with(1, &["run", &scenario, "--target", &target, "--accept", &accepted]);
    let records = std::fs::read_to_string(&accepted).unwrap();
    assert_eq!(records.matches("[[known]]").count(), 1, "{records}");
    for part in ["case    = \"s/opens[*\"", "outcome = \"bad\"", "reason  = \"FILL IN: expected "] {
        assert!(records.contains(part), "{part} is missing:\n{records}");
    }
    assert!(!records.contains("security = true"), "{records}");
    let target = file(&folder, "t.toml", target_text(&address, &records));
    let text = ends_with(1, &["run", &scenario, "--target", &target]);
    assert!(text.contains("8 passed, 2 known of 10 cases"), "{text}");
    let text = ends_with(2, &["run", &scenario, "--target", &target, "--accept", &accepted]);
    assert!(text.contains("known.toml exists"), "{text}");
    assert_eq!(std::fs::read_to_string(&accepted).unwrap(), records);
}

#[test]
fn who_lets_anybody_in_does_harm() {
    let folder = folder();
    let accepted = path(&folder, "known.toml");
    let json = path(&folder, "o.jsonl");
    let run = ["run", "exchange/kb-q184463", "--target", "reference:exchange-5.5", "--flaw", "accepts-any-password"];
    // What does harm is left out unless that is asked for.
    let text = ends_with(1, &[&run[..], &["--accept", &accepted]].concat());
    assert!(
        text.contains("security findings left out: what does harm is not accepted unless --accept-security"),
        "{text}"
    );
    assert!(!std::fs::read_to_string(&accepted).unwrap().contains("security = true"));
    std::fs::remove_file(&accepted).unwrap();
    ends_with(1, &[&run[..], &["--accept", &accepted, "--accept-security", "--json", &json]].concat());
    let records = std::fs::read_to_string(&accepted).unwrap();
    assert!(records.contains("security = true") && !records.contains("Secret-"), "{records}");
    let failed = objects(&json).into_iter().find(|object| object["verdict"] == "fail").unwrap();
    assert_eq!(failed["harm"], "let-in", "{failed}");
    // What was written is read again.
    let text = target_text("127.0.0.1:1", &records).replace("'opaque'", "'exchange-5.5'");
    let text = text.replace("user = 'Same'", "user = 'Same'\ndomain = 'Domain1'");
    let target = file(&folder, "t.toml", text);
    ends_with(0, &["check", &target]);
    let text = ends_with(2, &["check", "--strict", &target]);
    assert!(text.contains("does not say why") && text.contains("t.toml:"), "{text}");
}

const EARLIER: &str = r#"{"id":"a/b[imap]","target":"mine","verdict":"pass","outcome":"rejected","expected":"rejected"}
{"id":"a/c[imap]","target":"mine","verdict":"fail","outcome":"bad","expected":"rejected","reason":"refused"}
{"summary":{"interrupted":false,"targets":[{"name":"mine","version":"1.0"}]}}
"#;

#[test]
fn a_report_tells_what_has_changed() {
    let folder = folder();
    let old = file(&folder, "old.jsonl", EARLIER);
    let text = ends_with(0, &["report", &old, "--against", &old]);
    assert!(text.starts_with("mine, 1.0\n  1 passed, 1 failed of 2 cases\n  fail     1  a/c: expected"), "{text}");
    assert!(text.contains("nothing has changed"), "{text}");
    let worse = EARLIER.replacen("\"pass\"", "\"fail\"", 1);
    let new = file(&folder, "new.jsonl", &worse);
    let text = ends_with(1, &["report", &new, "--against", &old]);
    assert!(text.contains("newly failing") && text.contains("1 case became worse"), "{text}");
    ends_with(0, &["report", &old, "--against", &new]);
    let text = ends_with(0, &["report", &new, "--against", &new]);
    assert!(text.contains("2 failed of 2 cases"), "{text}");
}

/// A case that is skipped, or not there any more, may hide a regression.
#[test]
fn what_is_no_longer_asked_is_worse() {
    let folder = folder();
    let old = file(&folder, "old.jsonl", EARLIER);
    let skipped =
        EARLIER.replacen("\"pass\",\"outcome\":\"rejected\"", "\"skip\",\"skip\":\"not-offered:X:imap:tls\"", 1);
    let new = file(&folder, "skipped.jsonl", &skipped);
    let text = ends_with(1, &["report", &new, "--against", &old]);
    assert!(text.contains("newly skipped") && text.contains("1 case became worse"), "{text}");
    let missing = EARLIER.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>();
    let new = file(&folder, "missing.jsonl", missing);
    let text = ends_with(1, &["report", &new, "--against", &old]);
    assert!(text.contains("missing            1  a/b: pass"), "{text}");
    let other = file(&folder, "other.jsonl", EARLIER.replace("mine", "other"));
    let text = ends_with(1, &["report", &old, "--against", &old, "--against", &other]);
    assert!(text.contains("other: it is not among the newer results: 2 cases are missing"), "{text}");
}

#[test]
fn a_report_on_what_is_no_whole_run_says_so() {
    let folder = folder();
    let cut_off = file(&folder, "cut.jsonl", &EARLIER[..EARLIER.len() - 60]);
    let text = ends_with(2, &["report", &cut_off]);
    assert!(text.contains("cut.jsonl:3: the file is cut off here") && text.contains("1 failed of 2"), "{text}");
    let wrong = file(&folder, "wrong.jsonl", "{}\n");
    assert!(ends_with(2, &["report", &wrong]).contains("wrong.jsonl:1: this is no line of a run's --json"));
    ends_with(2, &["report"]);
    ends_with(2, &["report", folder.path().to_str().unwrap()]);
    ends_with(2, &["report", &path(&folder, "nothing.jsonl")]);
}

/// What the program writes it reads.
#[test]
fn a_run_is_reported_on() {
    let folder = folder();
    let json = path(&folder, "o.jsonl");
    let run = ["run", "exchange/kb-q184463", "--target", "reference:exchange-5.5", "--json", &json];
    let told = ends_with(1, &[&run[..], &["--flaw", "accepts-any-password"]].concat());
    // `FAILED: 258 of 902 cases failed, 3 causes; 644 passed, 258 failed of 902 cases; ...`
    let totals = told.lines().last().unwrap().split("; ").nth(1).unwrap();
    let text = ends_with(0, &["report", &json]);
    assert!(text.contains(&format!("  {totals}")), "{totals}: {text}");
    assert!(text.contains("  fail "), "{text}");
}

/// The same flaw, seen in two runs on other ports, is written up in the same words.
#[test]
fn findings_are_written_up_alike_each_time() {
    let folder = folder();
    let mut written = Vec::new();
    for number in ["1", "2"] {
        let (json, findings) = (path(&folder, &format!("{number}.jsonl")), path(&folder, number));
        let run = ["run", "sasl/mechanisms", "exchange/kb-q184463", "--target", "reference:exchange-5.5", "--json"];
        ends_with(1, &[&run[..], &[&json, "--flaw", "accepts-any-password"]].concat());
        ends_with(0, &["report", &json, "--findings", &findings]);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder.path().join(number).join("reference-exchange-5.5")).unwrap() {
            let path = entry.unwrap().path();
            files.push((path.file_name().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()));
        }
        files.sort();
        files
            .push(("README.md".into(), std::fs::read_to_string(folder.path().join(number).join("README.md")).unwrap()));
        written.push(files);
    }
    for (one, other) in written[0].iter().zip(&written[1]) {
        assert_eq!(one, other);
    }
    assert!(written[0].len() > 2 && written[0].len() == written[1].len());
    let (_, index) = written[0].last().unwrap();
    assert!(index.contains("## reference:exchange-5.5\n\n- **security** ["), "{index}");
    for (name, text) in &written[0] {
        assert!(!text.contains("127.0.0.1:") && !text.contains("Secret-"), "{name:?}: {text}");
    }
}
