//! The report for people: how long it is, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/program.rs"]
mod program;
mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loginspec::axes::Protocol;
use loginspec::report::{Human, Replay, ReplayTarget};
use loginspec::runner::{
    Blame, CaseReport, DeviationReport, Harm, Recorded, Reporter, RunEvent, Sanity, Summary, TargetFacts,
};
use loginspec::scenario::{Level, Scenario, Verdict, read_scenario};
use loginspec::source::SourceText;
use program::{loginspec, stdout};

const ADDRESS: &str = "192.0.2.1:143";

/// A buffer that can be read while a report owns it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A scenario with so many `[[case]]`s, each in two combinations.
fn scenario(id: &str, cases: usize) -> Arc<Scenario> {
    let mut text = "title = 'A title'\ncites = ['RFC 9051 §6.2.3']\n[matrix]\nprotocol = ['imap']\n\
                    mechanism = ['login', 'plain']\n"
        .to_string();
    for number in 0..cases {
        text.push_str(&format!("[[case]]\nid = 'case-{number}'\nlogin = '{{user}}'\nexpect = 'rejected'\n"));
    }
    let source = SourceText::new(format!("scenarios/{id}.toml"), text);
    Arc::new(read_scenario(id, &source, &support::vocabulary()).unwrap())
}

/// The report on one case of a scenario, which passed.
fn passed(scenario: &Arc<Scenario>, index: usize) -> CaseReport {
    let case = &scenario.cases[index];
    CaseReport {
        id: case.id.clone(),
        scenario: Arc::clone(scenario),
        about: String::new(),
        form: None,
        cites: case.cites.clone(),
        level: Level::Must,
        target: "staging".to_string(),
        dialect: "dovecot".to_string(),
        role: "same".to_string(),
        protocol: Protocol::Imap,
        mechanism: case.mechanism,
        encoding: None,
        login: Some("test1".to_string()),
        expected: "rejected".to_string(),
        first_outcome: None,
        skip: None,
        outcome: Some("rejected"),
        mailbox: None,
        is_own: None,
        proof: None,
        code: None,
        text: None,
        verdict: Verdict::Pass,
        reason: String::new(),
        span: case.span.clone(),
        took: Duration::ZERO,
        transcript: None,
        deviation: None,
        deviations: Vec::new(),
        blame: None,
        sibling: None,
        combinations: 1,
        answers: Vec::new(),
        process: None,
        known: None,
        harm: None,
    }
}

fn failed(scenario: &Arc<Scenario>, index: usize) -> CaseReport {
    CaseReport {
        verdict: Verdict::Fail,
        first_outcome: None,
        skip: None,
        outcome: Some("opened"),
        reason: "opened test2".to_string(),
        transcript: Some("S: * OK ready\nC: a1 LOGIN test1 <password>\nS: a1 OK\n".to_string()),
        blame: Some(Blame::Server),
        ..passed(scenario, index)
    }
}

fn skipped(scenario: &Arc<Scenario>, index: usize, reason: &str) -> CaseReport {
    CaseReport {
        verdict: Verdict::Skip,
        first_outcome: None,
        skip: None,
        outcome: None,
        reason: reason.to_string(),
        ..passed(scenario, index)
    }
}

fn replay() -> Replay {
    Replay { paths: Vec::new(), target: ReplayTarget::Named("staging.toml".to_string()), options: Vec::new() }
}

/// What the report says of these cases; `change` may change the summary.
fn told(human: impl Fn(Human<Shared>) -> Human<Shared>, cases: &[CaseReport], change: impl Fn(&mut Summary)) -> String {
    let out = Shared::default();
    let mut report = human(Human::new(out.clone()).with_replay(replay()));
    let mut scenarios: Vec<(Arc<Scenario>, usize)> = Vec::new();
    for case in cases {
        match scenarios.iter_mut().find(|(scenario, _)| Arc::ptr_eq(scenario, &case.scenario)) {
            Some((_, count)) => *count += 1,
            None => scenarios.push((Arc::clone(&case.scenario), 1)),
        }
    }
    let targets = [TargetFacts {
        name: "staging".to_string(),
        dialect: "dovecot".to_string(),
        version: None,
        addresses: vec![(Protocol::Imap, ADDRESS.to_string())],
    }];
    let mut summary = Summary {
        targets: targets.to_vec(),
        planned: cases.len(),
        conversations: 100,
        took: Duration::from_millis(500),
        ..Summary::default()
    };
    let started =
        RunEvent::Started { cases: cases.len(), left_out: 12, targets: &targets, scenarios: &scenarios, warnings: &[] };
    report.event(&started).unwrap();
    for case in cases {
        report.event(&RunEvent::CaseFinished(case)).unwrap();
        summary.counts[case.verdict as usize] += 1;
    }
    change(&mut summary);
    report.event(&RunEvent::Finished(&summary)).unwrap();
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

/// The answer alone.
fn answer(cases: &[CaseReport], change: impl Fn(&mut Summary)) -> String {
    told(Human::quiet, cases, change)
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/reports"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn unchanged(_: &mut Summary) {}

#[test]
fn a_run_that_passed() {
    let (imap, sasl) = (scenario("imap/quoting", 2), scenario("sasl/plain", 1));
    let cases = [passed(&imap, 0), passed(&imap, 1), passed(&imap, 2), skipped(&sasl, 0, "AUTH=PLAIN is not offered")];
    snapshot("answer-passed", &answer(&cases, unchanged));
}

#[test]
fn a_run_that_failed() {
    let (imap, exchange) = (scenario("imap/quoting", 3), scenario("exchange/names", 3));
    let broken = DeviationReport { rule: "a line ends in CR LF".to_string(), octet: None, index: 9 };
    let recorded = Recorded { reason: "ticket 1".to_string(), link: None, security: false, happened: String::new() };
    let known = Recorded { reason: "ticket 2".to_string(), ..recorded.clone() };
    let cases = [
        CaseReport { harm: Some(Harm::WrongMailbox), ..failed(&exchange, 0) },
        CaseReport { harm: Some(Harm::WrongMailbox), ..failed(&exchange, 2) },
        CaseReport { harm: Some(Harm::LetIn), ..failed(&exchange, 4) },
        CaseReport { harm: Some(Harm::NoAnswer), first_outcome: None, outcome: Some("no-answer"), ..failed(&imap, 0) },
        CaseReport { deviation: Some(broken), outcome: Some("garbled"), ..failed(&imap, 1) },
        CaseReport { code: Some("INUSE now".to_string()), outcome: Some("bad"), ..failed(&imap, 2) },
        CaseReport { verdict: Verdict::Fixed, known: Some(recorded), ..failed(&imap, 3) },
        CaseReport { verdict: Verdict::Known, known: Some(known), ..failed(&imap, 4) },
        CaseReport { verdict: Verdict::Error, ..failed(&imap, 5) },
    ];
    snapshot("answer-failed", &answer(&cases, unchanged));
}

#[test]
fn a_run_with_warnings_only() {
    let imap = scenario("imap/quoting", 2);
    let cases = [CaseReport { verdict: Verdict::Warn, ..failed(&imap, 0) }, passed(&imap, 1)];
    let warned = |summary: &mut Summary| summary.warnings.push("staging: no canary in the mailbox".to_string());
    snapshot("answer-warned", &answer(&cases, warned));
}

#[test]
fn an_unreachable_server_is_told_once() {
    let imap = scenario("imap/quoting", 2);
    let reason = format!("failed to connect to {ADDRESS} (imap): Connection refused\n  is the port right?");
    let unasked = |index| CaseReport { verdict: Verdict::Error, outcome: None, ..skipped(&imap, index, &reason) };
    let cases = [unasked(0), unasked(1), unasked(2)];
    let text = answer(&cases, |summary| summary.unreachable.push(reason.clone()));
    // In the first line, and once where it is explained.
    assert_eq!(text.matches("Connection refused").count(), 2, "{text}");
    snapshot("answer-unreachable", &text);
}

#[test]
fn a_run_that_was_interrupted() {
    let imap = scenario("imap/quoting", 2);
    let interrupted = |summary: &mut Summary| {
        summary.interrupted = true;
        summary.planned = 4;
    };
    snapshot("answer-interrupted", &answer(&[passed(&imap, 0)], interrupted));
}

#[test]
fn a_run_that_asked_nothing() {
    let imap = scenario("imap/quoting", 2);
    let cases =
        [skipped(&imap, 0, "no account for the role `renamed`"), skipped(&imap, 1, "AUTH=PLAIN is not offered")];
    snapshot("answer-nothing-asked", &answer(&cases, unchanged));
}

#[test]
fn a_login_that_must_work_decides_what_to_do_first() {
    let imap = scenario("imap/quoting", 2);
    let trouble = |summary: &mut Summary| {
        summary.sanity.push(Sanity {
            target: "staging".to_string(),
            protocol: Protocol::Imap,
            is_last: false,
            trouble: Some("the sanity login as `test1` over imap should have opened test1: rejected".to_string()),
        });
    };
    snapshot("answer-sanity-login", &answer(&[failed(&imap, 0), passed(&imap, 1)], trouble));
}

/// Each `[[case]]` once, with one transcript; what failed alike is named.
#[test]
fn combinations_that_fail_alike_are_shown_once() {
    let imap = scenario("imap/quoting", 6);
    let mut cases: Vec<CaseReport> = (0..12).map(|index| failed(&imap, index)).collect();
    cases[3].outcome = Some("bad");
    cases[3].reason = "refused as wrong in form (BAD)".to_string();
    snapshot("failed-cases", &told(|human| human, &cases, unchanged));
}

/// 81 cases fail for 81 causes in as many `[[case]]`s, and the server sends as much as it can.
#[test]
fn eighty_one_failures_are_fewer_than_300_lines() {
    let mut cases = Vec::new();
    for number in 0..75 {
        let scenario = scenario(&format!("area-{}/scenario-{number}", number % 9), 2);
        cases.push(passed(&scenario, 0));
        for index in [1, 3].into_iter().take(if number < 6 { 2 } else { 1 }) {
            let line = format!("S: {}\n", "\\x00".repeat(16 * 1024));
            cases.push(CaseReport {
                harm: Some(if number % 2 == 0 { Harm::WrongMailbox } else { Harm::LetIn }),
                cites: vec![format!("RFC {number} §{index}")],
                reason: format!("opened {}", "x".repeat(100_000)),
                text: Some("y".repeat(100_000)),
                transcript: Some(line.repeat(40)),
                ..failed(&scenario, index)
            });
        }
    }
    assert_eq!(cases.iter().filter(|case| case.verdict == Verdict::Fail).count(), 81);
    let text = told(|human| human, &cases, unchanged);
    let lines = text.lines().count();
    assert!(lines < 300, "{lines} lines:\n{text}");
    assert!(text.len() < 128 * 1024, "{} octets", text.len());
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("FAILED: 81 of 156 cases failed, 81 causes; "), "{last}");
}

/// A hostile transcript is cut at both ends even where there is room for it.
#[test]
fn a_transcript_has_a_readable_length_in_a_small_run_too() {
    let imap = scenario("imap/quoting", 2);
    let lines: String = (0..2000).map(|number| format!("S: {number} {}\n", "\\x00".repeat(100))).collect();
    let cases = [CaseReport { transcript: Some(lines), ..failed(&imap, 0) }];
    let text = told(|human| human, &cases, unchanged);
    assert!(text.len() < 24 * 1024, "{} octets", text.len());
    for part in ["S: 0 ", "S: 1999 ", " more lines"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

/// The whole suite against a server with a login bug: the way from the failures to the answer.
#[test]
fn a_real_run_ends_with_the_answer() {
    let output = loginspec(&["run", "--target", "reference:exchange-5.5", "--flaw", "ignores-permissions"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.lines().count() < 300, "{} lines:\n{text}", text.lines().count());
    assert!(text.contains(" more like this: imap,plain; "), "{text}");
    let (_, answer) = text.split_once("\narea ").unwrap();
    let causes = answer.split_once(" causes, security findings first:\n").unwrap().1;
    assert!(causes.trim_start().contains("SECURITY wrong-mailbox"), "{answer}");
    assert!(answer.contains("next steps\n"), "{answer}");
    let last = answer.lines().last().unwrap();
    assert!(last.starts_with("FAILED: ") && last.ends_with(" logins per second"), "{last}");
    let quiet = stdout(&loginspec(&["run", "imap/session", "-q"]));
    assert!(quiet.trim_start().starts_with("area ") && quiet.contains("PASSED: "), "{quiet}");
}
