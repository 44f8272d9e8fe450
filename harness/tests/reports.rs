//! The reports, from a fixed list of events: their form as snapshots, and that no password and no markup gets through.
#![allow(clippy::unwrap_used, clippy::expect_used)]

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
    let mut reader = quick_xml::Reader::from_str(&text);
    let mut depth = 0i32;
    loop {
        match reader.read_event().expect("well formed") {
            quick_xml::events::Event::Start(_) => depth += 1,
            quick_xml::events::Event::End(_) => depth -= 1,
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    snapshot("junit", &text);
}
