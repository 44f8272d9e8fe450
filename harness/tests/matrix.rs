//! The table of forms by servers: from made events, from two servers merged, and as `run` writes it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use loginspec::axes::{Mechanism, Protocol};
use loginspec::identity::bundled_directory;
use loginspec::reference::Flaws;
use loginspec::report::{Matrix, Sign};
use loginspec::runner::{CaseReport, Plan, Reporter as _, RunEvent, RunOptions, TargetFacts, run};
use loginspec::scenario::{Level, Scenario, Selection, Verdict, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{find_dialect, start_reference};
use loginspec::transport::Deadlines;

const FILE: &str = r#"title = "x"
cites = ["y"]
[[case]]
id     = "user"
form   = "user"
login  = '{user}'
expect = "dialect"
[[case]]
id     = "domain-user"
form   = 'domain\user'
about  = "two <parts> | `more`"
login  = '{domain}\{user}'
expect = "dialect"
"#;

fn scenario() -> Arc<Scenario> {
    Arc::new(read_scenario("forms/x", &SourceText::new("x.toml", FILE), &support::vocabulary()).unwrap())
}

/// How a name was carried.
type Carrier = (Protocol, Mechanism);
/// The outcome, and whether the mailbox is the account's own.
type CameTo = (Option<&'static str>, Option<bool>);

/// A login with one form, by one protocol and mechanism, that came to something.
struct Made {
    server: &'static str,
    role: &'static str,
    form: &'static str,
    carrier: Carrier,
    came_to: CameTo,
}

fn report(scenario: &Arc<Scenario>, made: &Made) -> CaseReport {
    CaseReport {
        id: "forms/x/made".to_string(),
        scenario: Arc::clone(scenario),
        about: String::new(),
        form: Some(made.form.to_string()),
        cites: Vec::new(),
        target: made.server.to_string(),
        dialect: "opaque".to_string(),
        role: made.role.to_string(),
        protocol: made.carrier.0,
        mechanism: Some(made.carrier.1),
        encoding: None,
        login: None,
        expected: String::new(),
        outcome: made.came_to.0,
        first_outcome: None,
        mailbox: None,
        is_own: made.came_to.1,
        proof: None,
        code: None,
        text: None,
        verdict: Verdict::Pass,
        reason: String::new(),
        span: 0..0,
        took: Duration::ZERO,
        transcript: None,
        deviation: None,
        deviations: Vec::new(),
        blame: None,
        sibling: None,
        combinations: 0,
        answers: Vec::new(),
        process: None,
        level: Level::Must,
        known: None,
        harm: None,
        skip: None,
    }
}

const OPENS: CameTo = (Some("opened"), Some(true));
const REJECTED: CameTo = (Some("rejected"), None);
const IMAP_LOGIN: Carrier = (Protocol::Imap, Mechanism::Login);
const IMAP_PLAIN: Carrier = (Protocol::Imap, Mechanism::Plain);
const POP3_LOGIN: Carrier = (Protocol::Pop3, Mechanism::Login);
const POP3_PLAIN: Carrier = (Protocol::Pop3, Mechanism::Plain);

fn made(list: &[Made]) -> Matrix {
    let scenario = scenario();
    let mut matrix = Matrix::default();
    for one in list {
        matrix.event(&RunEvent::CaseFinished(&report(&scenario, one))).unwrap();
    }
    matrix
}

/// What stands in the only cell, for logins of one form that came to this.
fn cell(logins: &[(Carrier, CameTo)]) -> String {
    let list: Vec<Made> = logins
        .iter()
        .map(|&(carrier, came_to)| Made { server: "one", role: "same", form: "user", carrier, came_to })
        .collect();
    let text = made(&list).text();
    text.lines().find_map(|line| line.strip_prefix("user ")).unwrap().trim().to_string()
}

#[test]
fn a_cell_has_a_sign_for_each_thing_that_a_login_comes_to() {
    for (came_to, sign) in [
        (OPENS, "✓"),
        ((Some("opened"), Some(false)), "✗"),
        ((Some("opened"), None), "?"),
        ((Some("unbound"), None), "u"),
        (REJECTED, "·"),
        ((Some("bad"), None), "b"),
        ((Some("closed"), None), "c"),
        ((Some("no-answer"), None), "∞"),
        ((Some("garbled"), None), "!"),
        ((Some("not-offered"), None), "–"),
        ((None, None), "–"),
    ] {
        assert_eq!(cell(&[(IMAP_LOGIN, came_to)]), sign);
    }
    let characters: std::collections::BTreeSet<char> = Sign::ALL.iter().map(|sign| sign.character()).collect();
    assert_eq!(characters.len(), Sign::ALL.len());
}

#[test]
fn a_cell_tells_protocols_apart_only_where_they_differ() {
    let bad = (Some("bad"), None);
    let none = (None, None);
    assert_eq!(cell(&[(IMAP_LOGIN, OPENS), (POP3_LOGIN, OPENS)]), "✓");
    assert_eq!(cell(&[(POP3_LOGIN, REJECTED), (IMAP_LOGIN, OPENS)]), "✓/·");
    // What was not asked hides nothing that was.
    assert_eq!(cell(&[(IMAP_LOGIN, none), (IMAP_PLAIN, OPENS), (POP3_LOGIN, none)]), "✓");
    // POP3 has no other word for BAD; but it has one for letting somebody in.
    assert_eq!(cell(&[(IMAP_LOGIN, bad), (POP3_LOGIN, REJECTED)]), "b");
    assert_eq!(cell(&[(IMAP_LOGIN, bad), (POP3_LOGIN, OPENS)]), "b/✓");
    assert_eq!(cell(&[(IMAP_LOGIN, REJECTED), (POP3_LOGIN, OPENS)]), "·/✓");
    assert_eq!(cell(&[(IMAP_LOGIN, OPENS), (IMAP_PLAIN, REJECTED), (POP3_LOGIN, OPENS)]), "≠/✓");
    let anothers = (Some("opened"), Some(false));
    assert_eq!(cell(&[(IMAP_LOGIN, anothers), (IMAP_PLAIN, REJECTED), (POP3_LOGIN, REJECTED)]), "✗/·");
    let both = [(IMAP_LOGIN, OPENS), (IMAP_PLAIN, REJECTED), (POP3_LOGIN, OPENS), (POP3_PLAIN, REJECTED)];
    assert_eq!(cell(&both), "≠");
}

/// Two servers, one of which has a mechanism that refuses what the other takes.
fn two_servers() -> [Made; 6] {
    let login = |server, role, form, carrier, came_to| Made { server, role, form, carrier, came_to };
    [
        login("beta|2", "renamed", r"domain\user", IMAP_LOGIN, OPENS),
        login("beta|2", "renamed", r"domain\user", IMAP_PLAIN, REJECTED),
        login("beta|2", "same", r"domain\user", IMAP_LOGIN, OPENS),
        login("beta|2", "same", r"domain\user", IMAP_PLAIN, REJECTED),
        login("container:alpha", "same", "user", POP3_LOGIN, (Some("opened"), Some(false))),
        login("container:alpha", "renamed", "user", POP3_LOGIN, (None, None)),
    ]
}

#[test]
fn the_order_of_events_makes_no_difference() {
    let list = two_servers();
    let mut forwards = made(&list);
    forwards.set_version("container:alpha", "Alpha 1.0 <x>");
    let mut merged = Matrix::default();
    for one in list.iter().rev() {
        merged.merge(made(std::slice::from_ref(one)));
    }
    let facts = TargetFacts {
        name: "container:alpha".to_string(),
        dialect: "opaque".to_string(),
        version: Some("Alpha 1.0 <x>".to_string()),
        addresses: Vec::new(),
    };
    let started = RunEvent::Started { cases: 1, left_out: 0, targets: &[facts], scenarios: &[], warnings: &[] };
    merged.event(&started).unwrap();
    assert_eq!(forwards.text(), merged.text());
    assert_eq!(forwards.markdown(), merged.markdown());
    snapshot("made", &forwards);
}

#[test]
fn what_names_no_form_is_no_row() {
    let mut case = report(&scenario(), &two_servers()[0]);
    case.form = None;
    let mut matrix = Matrix::default();
    matrix.case(&case);
    assert!(matrix.is_empty() && matrix.text().is_empty() && matrix.markdown().is_empty());
}

#[test]
fn twenty_servers_fit_in_a_hundred_columns() {
    let scenario = scenario();
    let mut matrix = Matrix::default();
    for server in 1..=20 {
        let carriers = [(IMAP_LOGIN, OPENS), (POP3_LOGIN, REJECTED)];
        for (carrier, came_to) in carriers {
            let login = Made { server: "", role: "same", form: "user", carrier, came_to };
            let mut case = report(&scenario, &login);
            case.form = Some("x".repeat(20));
            case.target = format!("a-server-with-a-long-name-{server}");
            matrix.case(&case);
        }
    }
    let text = matrix.text();
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "{widest}\n{text}");
    assert!(text.contains("\n20  a-server-with-a-long-name-9 "), "{text}");
}

/// The reference server in this dialect, asked for every form.
async fn forms_of(dialect: &str) -> Matrix {
    let dialect = Arc::new(find_dialect(dialect).unwrap());
    let chosen = Selection::new(["forms/".to_string()]);
    let plan = Plan::new(&support::scenarios(), std::slice::from_ref(&dialect), &chosen);
    let directory = Arc::new(bundled_directory().unwrap());
    let target = Arc::new(start_reference(dialect, directory, Flaws::NONE).unwrap());
    let (_sender, interrupt) = tokio::sync::watch::channel(false);
    let deadlines = Deadlines::from_reply(Duration::from_secs(5));
    let options = RunOptions { jobs: 32, may_grow: false, ..RunOptions::new(deadlines, interrupt) };
    let mut matrix = Matrix::default();
    let summary = run(plan, &[target], options, &mut matrix).await.unwrap();
    assert!(summary.is_success());
    matrix
}

#[tokio::test(flavor = "multi_thread")]
async fn two_dialects_side_by_side() {
    let mut matrix = forms_of("exchange-5.5").await;
    matrix.merge(forms_of("dovecot").await);
    snapshot("two-dialects", &matrix);
}

#[test]
fn run_shows_it_and_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("forms.md");
    let run = |arguments: &[&str]| {
        let output = Command::cargo_bin("loginspec").unwrap().arg("run").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let target = "reference:exchange-2007";
    let text = run(&["forms/", "--target", target, "--matrix", file.to_str().unwrap()]);
    // After the lines of the scenarios, and before the answer.
    let (_, shown) = text.split_once("How exchange-2007 reads").unwrap();
    let (shown, answer) = shown.split_once("\n\narea ").unwrap();
    let shown = format!("How exchange-2007 reads{shown}\n");
    assert!(answer.trim_end().ends_with("logins per second"), "{answer}");
    let written = std::fs::read_to_string(&file).unwrap();
    settings().bind(|| {
        insta::assert_snapshot!("run-text", shown);
        insta::assert_snapshot!("run-markdown", written);
    });
    // On standard output there is nothing else, and without being asked for there is none of our own server.
    assert_eq!(run(&["forms/", "--target", target, "--matrix", "-"]), written);
    assert!(run(&["forms/by-dialect/user[", "--target", target]).trim_end().ends_with("logins per second"));
    let none = run(&["imap/tags", "--target", target, "--matrix", "-"]);
    assert_eq!(none, "No case of this run names a form.\n");
    let mut command = Command::cargo_bin("loginspec").unwrap();
    let output = command.args(["run", "--json", "-", "--matrix", "-"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--json and --matrix cannot both"));
}

fn snapshot(name: &str, matrix: &Matrix) {
    settings().bind(|| {
        insta::assert_snapshot!(format!("{name}-text"), matrix.text());
        insta::assert_snapshot!(format!("{name}-markdown"), matrix.markdown());
    });
}

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/matrix"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}
