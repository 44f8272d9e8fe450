//! Reports for machines are well formed, whatever a server or a file put into them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arbitrary::Unstructured;

use super::world::rest;
use crate::axes::Protocol;
use crate::report::{JsonLines, Junit};
use crate::runner::{Blame, CaseReport, DeviationReport, Recorded, Reporter, RunEvent, Sibling, Summary};
use crate::scenario::{Level, Scenario, Verdict, Vocabulary, read_scenario};
use crate::source::SourceText;

/// Each line of JSON Lines is one JSON object, and a JUnit report is well-formed XML.
///
/// The input: the verdict, then texts with NUL between them.
pub fn reports(input: &[u8]) {
    let _ = report(&mut Unstructured::new(input));
}

fn report(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let Some(scenario) = scenario() else { return Ok(()) };
    let verdict = *input.choose(&Verdict::ALL)?;
    let case = case(scenario, verdict, &String::from_utf8_lossy(rest(input)));
    let (mut lines, mut xml) = (Vec::new(), Vec::new());
    let summary =
        Summary { warnings: vec![case.reason.clone()], unreachable: vec![case.expected.clone()], ..Summary::default() };
    for event in [RunEvent::CaseFinished(&case), RunEvent::Finished(&summary)] {
        let told = JsonLines::new(&mut lines).event(&event);
        assert!(told.is_ok(), "JSON Lines: {told:?}");
    }
    for line in lines.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
        let read = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line);
        assert!(read.is_ok(), "no JSON object: {read:?} in {}", line.escape_ascii());
    }
    let mut junit = Junit::new(&mut xml);
    for event in [RunEvent::CaseFinished(&case), RunEvent::Finished(&summary)] {
        let told = junit.event(&event);
        assert!(told.is_ok(), "JUnit: {told:?}");
    }
    drop(junit);
    check_xml(&xml);
    Ok(())
}

fn check_xml(xml: &[u8]) {
    let mut reader = quick_xml::Reader::from_reader(xml);
    reader.config_mut().check_end_names = true;
    let mut depth = 0_usize;
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Start(_)) => depth += 1,
            Ok(quick_xml::events::Event::End(_)) => depth -= 1,
            Ok(quick_xml::events::Event::Eof) => break,
            Ok(_) => {}
            Err(error) => panic!("no XML: {error} in {}", xml.escape_ascii()),
        }
    }
    assert_eq!(depth, 0, "elements are left open: {}", xml.escape_ascii());
    // XML has no place for these, not even escaped (XML 1.0 §2.2).
    let is_forbidden = |octet: &u8| *octet < 0x20 && !b"\t\r\n".contains(octet);
    assert!(!xml.iter().any(is_forbidden), "a control character: {}", xml.escape_ascii());
}

fn case(scenario: &Arc<Scenario>, verdict: Verdict, text: &str) -> CaseReport {
    let mut texts = text.split('\0').map(str::to_string);
    let mut next = || texts.next().unwrap_or_default();
    CaseReport {
        id: next(),
        scenario: Arc::clone(scenario),
        about: next(),
        form: None,
        cites: vec![next()],
        level: Level::Must,
        target: next(),
        dialect: next(),
        role: next(),
        protocol: Protocol::Imap,
        mechanism: None,
        encoding: None,
        login: Some(next()),
        expected: next(),
        outcome: Some("rejected"),
        first_outcome: Some("no-answer"),
        mailbox: Some(next()),
        is_own: None,
        proof: None,
        code: Some(next()),
        text: Some(next()),
        verdict,
        reason: next(),
        span: 0..1,
        took: Duration::from_millis(1),
        transcript: Some(next()),
        deviation: Some(DeviationReport { rule: next(), octet: Some(0), index: 0 }),
        deviations: Vec::new(),
        blame: Some(Blame::Server),
        sibling: Some(Sibling { id: next(), differs: vec!["encoding"], sentence: next() }),
        combinations: 1,
        answers: vec![(next(), next())],
        process: Some(next()),
        known: Some(Recorded { reason: next(), link: Some(next()), security: false, happened: next() }),
        harm: None,
        skip: None,
    }
}

fn scenario() -> Option<&'static Arc<Scenario>> {
    static SCENARIO: OnceLock<Option<Arc<Scenario>>> = OnceLock::new();
    let read = || {
        let text = "title = 'x'\ncites = ['y']\n[[case]]\nid = 'z'\nlogin = '{user}'\nexpect = 'rejected'\n";
        let vocabulary = Vocabulary { roles: vec!["same".to_string()], dialects: Vec::new() };
        read_scenario("fuzzed", &SourceText::new("fuzzed.toml", text), &vocabulary).ok().map(Arc::new)
    };
    SCENARIO.get_or_init(read).as_ref()
}
