//! The reports, from a fixed list of events: their form as snapshots, and that no password and no markup gets through.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/junit.rs"]
mod junit;
mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loginspec::axes::{Encoding, Mechanism, Protocol, Security};
use loginspec::report::{Human, JsonLines, Junit, Replay, ReplayTarget};
use loginspec::runner::{
    Blame, CaseReport, DeviationReport, Harm, Recorded, Reporter, RunEvent, Sanity, Sibling, Summary, SurveyFacts,
    TargetFacts,
};
use loginspec::scenario::{Level, Scenario, SkipCode, Verdict, read_scenario};
use loginspec::source::SourceText;

const FILE: &str = r#"title = "A <b>title</b> & \"more\""
cites = ["RFC 9051 §4.3"]

[[case]]
id     = "one"
login  = '{domain}\{user}'
expect = "rejected"
"#;

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

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn scenario() -> Arc<Scenario> {
    let source = SourceText::new("scenarios/some/scenario.toml", FILE);
    Arc::new(read_scenario("some/scenario", &source, &support::vocabulary()).unwrap())
}

fn case(scenario: &Arc<Scenario>, verdict: Verdict) -> CaseReport {
    let case = &scenario.cases[0];
    let went_wrong = !matches!(verdict, Verdict::Pass | Verdict::Skip);
    CaseReport {
        id: case.id.clone(),
        scenario: Arc::clone(scenario),
        about: "What the case shows.".to_string(),
        form: (verdict == Verdict::Pass).then(|| r"domain\user".to_string()),
        cites: case.cites.clone(),
        level: Level::Must,
        target: "reference:exchange-5.5".to_string(),
        dialect: "exchange-5.5".to_string(),
        role: "same".to_string(),
        protocol: Protocol::Imap,
        mechanism: Some(Mechanism::Login),
        encoding: Some(Encoding::Quoted),
        login: Some(r"Domain1\\Same".to_string()),
        expected: "rejected".to_string(),
        outcome: (verdict != Verdict::Skip).then_some("opened"),
        first_outcome: None,
        mailbox: (verdict != Verdict::Skip).then(|| "Same".to_string()),
        is_own: (verdict == Verdict::Pass).then_some(true),
        proof: (verdict != Verdict::Skip).then_some("canary"),
        code: went_wrong.then(|| "AUTHENTICATIONFAILED".to_string()),
        text: went_wrong.then(|| r"]]> <script>\x1b[31m</failure>".to_string()),
        verdict,
        reason: match verdict {
            Verdict::Pass => String::new(),
            Verdict::Skip => "the target does not offer AUTH=PLAIN".to_string(),
            _ => "opened Same".to_string(),
        },
        span: case.span.clone(),
        took: Duration::from_micros(1500),
        transcript: went_wrong.then(|| "S: * OK ready\nC: a1 LOGIN \"Domain1\\\\Same\" <password>\n".to_string()),
        deviation: went_wrong.then(|| DeviationReport {
            rule: "a line holds no NUL (RFC 9051 §9)".to_string(),
            octet: Some(0),
            index: 2,
        }),
        deviations: if went_wrong {
            vec![DeviationReport { rule: "a line ends in CR LF".to_string(), octet: None, index: 9 }]
        } else {
            vec![]
        },
        blame: match verdict {
            Verdict::Pass | Verdict::Skip => None,
            Verdict::Error => Some(Blame::Network),
            Verdict::Fixed => Some(Blame::TargetFile),
            _ => Some(Blame::Server),
        },
        sibling: (verdict == Verdict::Fail).then(|| Sibling {
            id: "some/scenario/one[imap,login,literal]".to_string(),
            differs: vec!["encoding"],
            sentence: "the same login passes as `literal` instead of `quoted` (some/scenario/one[imap,login,literal])"
                .to_string(),
        }),
        combinations: if verdict == Verdict::Warn { 4 } else { 1 },
        answers: if verdict == Verdict::Warn {
            let answer = |login: &str, answer: &str| (login.to_string(), answer.to_string());
            vec![answer("Same", "rejected \"wrong password\""), answer("nobody-Same", "rejected \"no such user\"")]
        } else {
            vec![]
        },
        process: (verdict == Verdict::Fail).then(|| "a core dump was left: core.7".to_string()),
        known: matches!(verdict, Verdict::Known | Verdict::Fixed).then(|| Recorded {
            reason: "refuses every quoted string".to_string(),
            link: Some("https://example.org/ticket/123".to_string()),
            security: verdict == Verdict::Known,
            happened: if verdict == Verdict::Known { "opened <Same>".to_string() } else { String::new() },
        }),
        harm: (verdict == Verdict::Fail).then_some(Harm::WrongMailbox),
        skip: SkipCode::parse("not-offered:AUTH=PLAIN:imap:plaintext").filter(|_| verdict == Verdict::Skip),
    }
}

/// What of a command line a replay needs.
fn replay() -> Replay {
    Replay {
        paths: vec!["scenarios/it's".to_string(), "scenarios/some".to_string()],
        target: ReplayTarget::Own,
        options: vec!["--flaw".to_string(), "wrong-tag".to_string()],
    }
}

fn play(report: &mut dyn Reporter) {
    let scenario = scenario();
    let targets = [TargetFacts {
        name: "reference:exchange-5.5".to_string(),
        dialect: "exchange-5.5".to_string(),
        version: Some("Exchange <5.5>".to_string()),
        addresses: vec![(Protocol::Imap, "127.0.0.1:1143".to_string())],
    }];
    let scenarios = [(Arc::clone(&scenario), Verdict::ALL.len())];
    let insecure = "reference:exchange-5.5: certificates are not verified".to_string();
    let warnings = [insecure.clone()];
    report
        .event(&RunEvent::Started {
            cases: Verdict::ALL.len(),
            left_out: 5310,
            targets: &targets,
            scenarios: &scenarios,
            warnings: &warnings,
        })
        .unwrap();
    let survey = |security, offers: &[&str], trouble: Option<&str>| SurveyFacts {
        target: "reference:exchange-5.5".to_string(),
        protocol: Protocol::Imap,
        address: "127.0.0.1:1143".to_string(),
        security,
        offers: offers.iter().map(ToString::to_string).collect(),
        trouble: trouble.map(str::to_string),
        unreachable: None,
    };
    let surveys = [
        survey(Security::Plaintext, &["IMAP4REV1", "AUTH=PLAIN", "STARTTLS", "IDLE", "AUTH=LOGIN", "SASL-IR"], None),
        survey(Security::Starttls, &["IMAP4REV1"], None),
        survey(Security::Tls, &[], Some("TLS failed: the issuer is unknown\n  nothing was asked")),
    ];
    let no_canary = "reference:exchange-5.5: no canary & <no> proof".to_string();
    report.event(&RunEvent::Surveyed { surveys: &surveys, warnings: std::slice::from_ref(&no_canary) }).unwrap();
    let mut summary = Summary {
        targets: targets.to_vec(),
        planned: Verdict::ALL.len(),
        conversations: 9,
        took: Duration::from_millis(250),
        insecure: true,
        warnings: vec![insecure, no_canary],
        ..Summary::default()
    };
    for verdict in Verdict::ALL {
        report.event(&RunEvent::CaseFinished(&case(&scenario, verdict))).unwrap();
        summary.counts[verdict as usize] += 1;
    }
    summary.sanity.push(Sanity {
        target: "reference:exchange-5.5".to_string(),
        protocol: Protocol::Imap,
        is_last: true,
        trouble: Some("the sanity login as `Same` over imap should have opened Same: rejected".to_string()),
    });
    report.event(&RunEvent::Finished(&summary)).unwrap();
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/reports"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn human() {
    let out = Shared::default();
    play(&mut Human::new(out.clone()).with_replay(replay()));
    snapshot("human", &anstream::adapter::strip_str(&out.text()).to_string());
}

#[test]
fn json_lines() {
    let out = Shared::default();
    play(&mut JsonLines::new(out.clone()).with_replay(replay()));
    let text = out.text();
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("every line is one object");
    }
    snapshot("json", &text);
}

/// What a server says cannot add elements of its own.
#[test]
fn junit() {
    let out = Shared::default();
    play(&mut Junit::new(out.clone()).with_replay(replay()));
    let text = out.text();
    assert!(!text.contains("<script>"));
    assert_eq!(text.matches("</failure>").count(), 2, "{text}");
    junit::read(&text);
    snapshot("junit", &without_timestamps(&text));
}

/// The report with each time stamp replaced.
fn without_timestamps(xml: &str) -> String {
    let mut parts = xml.split(" timestamp=\"");
    let mut text = parts.next().unwrap().to_string();
    for part in parts {
        text.push_str(" timestamp=\"2026-01-31T12:00:00");
        text.push_str(part.split_once('"').map(|(_, rest)| &part[part.len() - rest.len() - 1..]).unwrap());
    }
    text.replace(&format!("\"{}\"", env!("CARGO_PKG_VERSION")), "\"VERSION\"")
}

/// The JUnit report on these cases.
fn junit_of(surveys: &[SurveyFacts], cases: &[CaseReport], summary: &Summary) -> junit::Element {
    let out = Shared::default();
    let mut report = Junit::new(out.clone()).with_property("shard", "2/5".to_string());
    report.event(&RunEvent::Surveyed { surveys, warnings: &[] }).unwrap();
    cases.iter().for_each(|case| report.event(&RunEvent::CaseFinished(case)).unwrap());
    report.event(&RunEvent::Finished(summary)).unwrap();
    let read = junit::read(&out.text());
    junit::check_names(&read);
    read
}

/// A scenario with this id and three cases.
fn three_cases(id: &str) -> Arc<Scenario> {
    let case = |number| {
        format!("[[case]]\nid = 'case-{number}'\nprotocol = ['imap']\nlogin = '{{user}}'\nexpect = 'rejected'\n")
    };
    let text = format!("title = 'x'\ncites = ['y']\n{}{}{}", case(1), case(2), case(3));
    let source = SourceText::new(format!("scenarios/{id}.toml"), text);
    Arc::new(read_scenario(id, &source, &support::vocabulary()).unwrap())
}

fn of_case(scenario: &Arc<Scenario>, index: usize, target: &str, verdict: Verdict) -> CaseReport {
    let of = &scenario.cases[index];
    let (id, span, target) = (of.id.clone(), of.span.clone(), target.to_string());
    CaseReport { id, span, target, ..case(scenario, verdict) }
}

fn facts(name: &str) -> TargetFacts {
    TargetFacts {
        name: name.to_string(),
        dialect: "opaque".to_string(),
        version: None,
        addresses: vec![(Protocol::Imap, format!("{name}:143"))],
    }
}

fn trouble(target: &str, address: &str, reason: &str) -> SurveyFacts {
    SurveyFacts {
        target: target.to_string(),
        protocol: Protocol::Imap,
        address: address.to_string(),
        security: Security::Plaintext,
        offers: vec![],
        trouble: Some(reason.to_string()),
        unreachable: reason.starts_with("failed to connect").then(|| reason.to_string()),
    }
}

/// Cases of two scenarios and two targets come mixed. The target is in the suite's name, since CI systems put cases of
/// one name together; it holds no dot, at which Jenkins would begin another package.
#[test]
fn junit_has_a_suite_for_each_scenario_and_target() {
    let scenarios = [three_cases("imap/quoting"), three_cases("pop3/user")];
    let mut cases = Vec::new();
    for index in [2, 0, 1] {
        for scenario in &scenarios {
            for target in ["mail.example.org", "127.0.0.1"] {
                let verdict = if index == 1 { Verdict::Fail } else { Verdict::Pass };
                let took = Duration::from_millis(2);
                cases.push(CaseReport { took, ..of_case(scenario, index, target, verdict) });
            }
        }
    }
    let summary = Summary {
        targets: vec![
            facts("mail.example.org"),
            TargetFacts { version: Some("Dovecot 2.4".to_string()), ..facts("127.0.0.1") },
        ],
        warnings: vec!["one".to_string(), "two".to_string()],
        ..Summary::default()
    };
    let report = junit_of(&[], &cases, &summary);
    let suites = report.all("testsuite");
    let names: Vec<&str> = suites.iter().map(|suite| suite.get("name")).collect();
    let wanted = [
        "imap/quoting@127_0_0_1",
        "imap/quoting@mail_example_org",
        "pop3/user@127_0_0_1",
        "pop3/user@mail_example_org",
    ];
    assert_eq!(names, wanted);
    let first = suites[0];
    assert_eq!((first.get("tests"), first.get("failures"), first.get("time")), ("3", "1", "0.006"));
    let told: Vec<(&str, &str, &str)> =
        first.all("testcase").iter().map(|case| (case.get("name"), case.get("file"), case.get("line"))).collect();
    let file = "scenarios/imap/quoting.toml";
    assert_eq!(
        told,
        [
            ("imap/quoting/case-1[imap,login]", file, "7"),
            ("imap/quoting/case-2[imap,login]", file, "12"),
            ("imap/quoting/case-3[imap,login]", file, "17"),
        ]
    );
    let property = |name| first.property(name);
    assert_eq!(property("target"), Some("127.0.0.1"));
    assert_eq!(property("dialect"), Some("opaque"));
    assert_eq!(property("address-imap"), Some("127.0.0.1:143"));
    assert_eq!(property("server-version"), Some("Dovecot 2.4"));
    assert_eq!(property("loginspec-version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(property("shard"), Some("2/5"));
    // Warnings are the run's: one suite tells them.
    let warnings = |suite: &junit::Element| {
        let properties = suite.child("properties").unwrap().all("property");
        properties.iter().filter(|property| property.get("name") == "warning").count()
    };
    assert_eq!(suites.iter().map(|suite| warnings(suite)).collect::<Vec<_>>(), [2, 0, 0, 0]);
}

#[test]
fn junit_tells_known_and_flaky_results_apart() {
    let scenario = three_cases("imap/quoting");
    let flaky = |index, verdict| CaseReport {
        first_outcome: Some("no-answer"),
        ..of_case(&scenario, index, "staging", verdict)
    };
    let cases = [flaky(0, Verdict::Pass), flaky(1, Verdict::Fail), of_case(&scenario, 2, "staging", Verdict::Known)];
    let report = junit_of(&[], &cases, &Summary::default());
    let told = report.cases();
    let [passed, failed, known] = told[..] else { panic!("{told:?}") };
    let first = passed.child("flakyFailure").unwrap();
    assert_eq!(first.get("type"), "no-answer");
    assert_eq!(first.get("message"), "the first attempt: no-answer; asked again, and judged: opened");
    assert_eq!(first.child("stackTrace").unwrap().text, first.get("message"));
    assert_eq!(passed.property("first-outcome"), Some("no-answer"));
    assert!(passed.child("failure").is_none());
    // It failed in the end, so it is not flaky.
    assert!(failed.child("failure").is_some() && failed.child("rerunFailure").is_some());
    assert!(failed.child("flakyFailure").is_none());
    let skipped = known.child("skipped").unwrap();
    assert_eq!((skipped.get("type"), known.property("verdict")), ("known", Some("known")));
    assert_eq!(skipped.text, "opened <Same>");
    // Neither is mistaken for a skip that nobody recorded.
    let skip = junit_of(&[], &[of_case(&scenario, 0, "staging", Verdict::Skip)], &Summary::default());
    assert_eq!(skip.cases()[0].child("skipped").unwrap().get("type"), "skip");

    let lines = Shared::default();
    JsonLines::new(lines.clone()).event(&RunEvent::CaseFinished(&cases[0])).unwrap();
    assert!(lines.text().contains(r#""outcome":"opened","first_outcome":"no-answer""#), "{}", lines.text());
}

/// 3,606 cases that nobody could ask once were 3,606 errors in the CI system.
#[test]
fn junit_has_one_error_for_a_server_that_is_not_there() {
    let scenario = three_cases("imap/quoting");
    let reason = |port| format!("failed to connect to 127.0.0.1:{port} (imap): refused\n  is the server up?");
    let not_asked = |number: usize, reason: String| CaseReport {
        id: format!("imap/quoting/case-{number}[imap]"),
        outcome: None,
        reason,
        ..case(&scenario, Verdict::Error)
    };
    let mut cases: Vec<CaseReport> = (0..3606).map(|number| not_asked(number, reason(143 + number % 2))).collect();
    cases.iter_mut().for_each(|case| case.target = "127.0.0.1".to_string());
    // An error that has an outcome was asked, and stays a case of its own.
    cases.push(of_case(&scenario, 0, "127.0.0.1", Verdict::Error));
    let summary = Summary {
        targets: vec![facts("127.0.0.1")],
        unreachable: vec![reason(143), reason(144)],
        ..Summary::default()
    };
    let mut surveys = [143, 144, 145].map(|port| trouble("127.0.0.1", &format!("127.0.0.1:{port}"), &reason(port)));
    surveys[2].unreachable = None;
    let report = junit_of(&surveys, &cases, &summary);
    assert_eq!((report.get("tests"), report.get("errors")), ("2", "2"));
    let run = report.all("testsuite")[1];
    assert_eq!(run.get("name"), "run@127_0_0_1");
    assert_eq!(run.property("target"), Some("127.0.0.1"));
    let case = run.all("testcase")[0];
    assert_eq!(case.get("name"), "reach 127.0.0.1:143 (imap), 127.0.0.1:144 (imap)");
    let error = case.child("error").unwrap();
    assert_eq!(error.get("message"), "failed to connect to 127.0.0.1:143 (imap): refused");
    for part in [&reason(143), &reason(144), "3606 cases were not asked because of this:", "and 3586 more"] {
        assert!(error.text.contains(part), "{part}: {}", error.text);
    }
    assert!(error.text.lines().count() < 30);
}

/// What ends a run early, or makes it fail without a failed case, is an error: who looks at nothing else sees it.
#[test]
fn junit_has_an_error_for_whatever_else_makes_a_run_fail() {
    let scenario = three_cases("imap/quoting");
    let banned = "this address appears to be banned\n  wait, or lift the ban";
    let not_asked = |index| CaseReport {
        outcome: None,
        reason: banned.to_string(),
        ..of_case(&scenario, index, "staging", Verdict::Error)
    };
    let sanity = |is_last, trouble: Option<&str>| Sanity {
        target: "staging".to_string(),
        protocol: Protocol::Imap,
        is_last,
        trouble: trouble.map(str::to_string),
    };
    let summary = Summary {
        targets: vec![facts("staging")],
        planned: 9,
        counts: [0, 0, 0, 0, 0, 0, 2],
        interrupted: true,
        unreachable: vec![banned.to_string(), "no server at all".to_string()],
        sanity: vec![sanity(false, None), sanity(true, Some("rejected"))],
        ..Summary::default()
    };
    let surveys = [trouble("staging", "staging:143", "it greets, and says nothing more")];
    let report = junit_of(&surveys, &[not_asked(0), not_asked(1)], &summary);
    let told: Vec<(&str, &str)> = report.cases().iter().map(|case| (case.get("classname"), case.get("name"))).collect();
    assert_eq!(
        told,
        [
            ("run", "no server at all"),
            ("run", "ask every case"),
            ("run@staging", "this address appears to be banned"),
            ("run@staging", "sanity login over imap (last)"),
        ]
    );
    let cases = report.cases();
    let message = |index: usize| cases[index].child("error").unwrap().get("message");
    assert_eq!(message(1), "the run was interrupted: 2 of 9 cases have a verdict");
    assert!(cases[2].child("error").unwrap().text.contains("2 cases were not asked because of this:"));
    assert_eq!(message(3), "rejected");
}

/// A name or a text may hold what XML cannot, or what would end an element.
#[test]
fn junit_is_xml_whatever_a_server_says() {
    let hostile = "\0\u{1b}[31m]]>\r\n</failure></testsuite>\u{ffff}&#0;&amp;\"'<!--";
    let scenario = three_cases("imap/quoting");
    for verdict in Verdict::ALL {
        let some = |text: &str| Some(text.to_string());
        let case = CaseReport {
            id: format!("id {hostile}"),
            target: hostile.to_string(),
            reason: hostile.repeat(100),
            code: some(hostile),
            text: some(hostile),
            transcript: Some(hostile.repeat(20_000)),
            process: some(hostile),
            ..of_case(&scenario, 0, "x", verdict)
        };
        let report = junit_of(&[], &[case], &Summary { warnings: vec![hostile.to_string()], ..Summary::default() });
        let cases = report.cases();
        assert_eq!(cases.len(), 1, "{verdict:?}");
        let text: usize = cases[0].children.iter().map(|child| child.text.len()).sum();
        assert!(text < 40_000, "{text} octets: a long transcript is shortened");
        // 1 KiB, in which a character that XML cannot hold became three octets.
        let attributes = cases[0].children.iter().flat_map(|child| child.attributes.values());
        assert!(attributes.map(String::len).max() < Some(4 << 10), "a long message is shortened");
    }
}
