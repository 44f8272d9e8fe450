//! JUnit XML, for CI systems: one suite for each scenario and target. `docs/ci.md` describes it for users.
//!
//! The counts of a suite stand in front of its cases, and the cases of several scenarios come mixed, so nothing is written
//! before the run is over. Until then the finished cases wait in a temporary file, and memory holds only their places: a
//! run may have 15,000 cases, each with a long transcript. A library that keeps the whole report in memory does not fit.
//!
//! There is no one schema. The elements are those of Maven Surefire's, with `file` and `line` as GitLab and the reporters
//! of GitHub Actions read them.

mod run_errors;
mod spool;
mod testcase;
mod xml;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use quick_xml::events::{BytesDecl, Event};

use self::run_errors::{NotAsked, RunError};
use self::spool::Spool;
use self::testcase::{Kind, write_case, write_error};
use self::xml::Xml;
use super::replay::Replay;
use crate::runner::{CaseReport, Reporter, RunEvent, Summary, SurveyFacts};

/// The suite of what is no scenario's.
const RUN: &str = "run";

/// Writes JUnit XML when the run is over.
pub struct Junit<W> {
    out: W,
    replay: Replay,
    /// Properties of every suite.
    properties: Vec<(String, String)>,
    spool: Spool,
    /// By name.
    suites: BTreeMap<String, Suite>,
    surveys: Vec<SurveyFacts>,
    not_asked: NotAsked,
}

/// The cases of one scenario and target.
struct Suite {
    target: Option<String>,
    counts: Counts,
    /// The time of all cases together.
    took: Duration,
    /// When the first of its cases that was done began.
    began: SystemTime,
    /// Each case's index in its scenario, and its place in the spool.
    cases: Vec<(usize, Range<u64>)>,
}

/// How many cases there are of each kind.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl<W: io::Write> Junit<W> {
    /// Writes to `out` when the run is over.
    pub fn new(out: W) -> Self {
        Self {
            out,
            replay: Replay::default(),
            properties: vec![("loginspec-version".to_string(), env!("CARGO_PKG_VERSION").to_string())],
            spool: Spool::new(),
            suites: BTreeMap::new(),
            surveys: Vec::new(),
            not_asked: NotAsked::default(),
        }
    }

    /// The same, with what of the command line is needed to replay a case.
    #[must_use]
    pub fn with_replay(self, replay: Replay) -> Self {
        Self { replay, ..self }
    }

    /// The same, with one more property of every suite.
    #[must_use]
    pub fn with_property(mut self, name: &str, value: String) -> Self {
        self.properties.push((name.to_string(), value));
        self
    }

    fn case(&mut self, case: &CaseReport) -> io::Result<()> {
        if self.not_asked.take(case) {
            return Ok(());
        }
        let name = class_name(&case.scenario.id, Some(&case.target));
        let mut xml = inside_a_suite()?;
        write_case(&mut xml, &name, case, &self.replay)?;
        let part = self.spool.append(xml.out())?;
        // Cases come in the order in which they are done; the file's order makes two reports comparable.
        let index = case.scenario.cases.iter().position(|other| other.id == case.id);
        let suite = self.suites.entry(name).or_insert_with(|| Suite::new(Some(case.target.clone()), case.took));
        suite.add(Kind::of(case.verdict), case.took, (index.unwrap_or(usize::MAX), part));
        Ok(())
    }

    fn error(&mut self, error: &RunError) -> io::Result<()> {
        let name = class_name(RUN, error.target.as_deref());
        let mut xml = inside_a_suite()?;
        let kind = if error.is_failure { Kind::Failure } else { Kind::Error };
        write_error(&mut xml, &name, error, kind)?;
        let part = self.spool.append(xml.out())?;
        let suite = self.suites.entry(name).or_insert_with(|| Suite::new(error.target.clone(), Duration::ZERO));
        suite.add(kind, Duration::ZERO, (suite.cases.len(), part));
        Ok(())
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        for error in std::mem::take(&mut self.not_asked).errors(&self.surveys, summary) {
            self.error(&error)?;
        }
        let mut suites = std::mem::take(&mut self.suites);
        if suites.is_empty() && !summary.warnings.is_empty() {
            // The warnings stand in a suite.
            suites.insert(RUN.to_string(), Suite::new(None, Duration::ZERO));
        }
        let mut all = Counts::default();
        suites.values().for_each(|suite| all.add_all(suite.counts));
        let began = SystemTime::now().checked_sub(summary.took).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut xml = Xml::new(&mut self.out);
        xml.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        xml.start("testsuites", &all.attributes("loginspec", summary.took, began).each())?;
        let mut warnings = summary.warnings.as_slice();
        for (name, mut suite) in suites {
            xml.start("testsuite", &suite.counts.attributes(&name, suite.took, suite.began).each())?;
            let own = target_properties(summary, &self.surveys, suite.target.as_deref());
            let run = self.properties.iter().chain(&own).map(|(name, value)| (name.as_str(), value.as_str()));
            // Warnings are about the run: they stand in the first suite only.
            let warnings = std::mem::take(&mut warnings).iter().map(|warning| ("warning", warning.as_str()));
            xml.properties(run.chain(warnings))?;
            suite.cases.sort_by_key(|(index, part)| (*index, part.start));
            for (_, part) in &suite.cases {
                self.spool.copy(part, xml.out())?;
            }
            xml.end("testsuite")?;
        }
        xml.end("testsuites")?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

impl<W: io::Write + Send> Reporter for Junit<W> {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        match event {
            RunEvent::Started { .. } | RunEvent::Scheduled { .. } | RunEvent::Progress(_) => Ok(()),
            RunEvent::Surveyed { surveys, .. } => {
                self.surveys = surveys.to_vec();
                Ok(())
            }
            RunEvent::CaseFinished(case) => self.case(case),
            RunEvent::Finished(summary) => self.finish(summary),
        }
    }
}

impl Suite {
    fn new(target: Option<String>, first_took: Duration) -> Self {
        let began = SystemTime::now().checked_sub(first_took).unwrap_or(SystemTime::UNIX_EPOCH);
        Self { target, counts: Counts::default(), took: Duration::ZERO, began, cases: Vec::new() }
    }

    fn add(&mut self, kind: Kind, took: Duration, case: (usize, Range<u64>)) {
        self.counts.add(kind);
        self.took += took;
        self.cases.push(case);
    }
}

impl Counts {
    fn add(&mut self, kind: Kind) {
        self.tests += 1;
        match kind {
            Kind::Passed => {}
            Kind::Failure => self.failures += 1,
            Kind::Error => self.errors += 1,
            Kind::Skipped => self.skipped += 1,
        }
    }

    fn add_all(&mut self, other: Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
    }

    fn attributes(self, name: &str, took: Duration, began: SystemTime) -> Attributes {
        // UTC, without the `Z` that the schema of Ant's JUnit task does not allow.
        let timestamp = humantime::format_rfc3339_seconds(began).to_string();
        Attributes([
            ("name", name.to_string()),
            ("tests", self.tests.to_string()),
            ("failures", self.failures.to_string()),
            ("errors", self.errors.to_string()),
            ("skipped", self.skipped.to_string()),
            ("time", format!("{:.3}", took.as_secs_f64())),
            ("timestamp", timestamp.trim_end_matches('Z').to_string()),
        ])
    }
}

/// The attributes of `<testsuites>` and `<testsuite>`.
struct Attributes([(&'static str, String); 7]);

impl Attributes {
    fn each(&self) -> [(&str, &str); 7] {
        self.0.each_ref().map(|(name, value)| (*name, value.as_str()))
    }
}

/// The name of a suite and the `classname` of its cases. Jenkins takes the part before the last dot for a package, and a
/// target's name may be a host's, so there are no dots in it.
fn class_name(scenario: &str, target: Option<&str>) -> String {
    let name = target.map_or_else(|| scenario.to_string(), |target| format!("{scenario}@{target}"));
    name.replace('.', "_")
}

/// A writer for the elements inside a `<testsuite>`, which is written later.
fn inside_a_suite() -> io::Result<Xml<Vec<u8>>> {
    let mut xml = Xml::new(Vec::new());
    xml.start("testsuites", &[])?;
    xml.start("testsuite", &[])?;
    xml.out().clear();
    Ok(xml)
}

/// What is known of a suite's target.
fn target_properties(summary: &Summary, surveys: &[SurveyFacts], target: Option<&str>) -> Vec<(String, String)> {
    let mut properties = Vec::new();
    let mut add = |name: String, value: &str| properties.push((name, value.to_string()));
    if let Some(facts) = summary.targets.iter().find(|facts| Some(facts.name.as_str()) == target) {
        add("target".to_string(), &facts.name);
        add("dialect".to_string(), &facts.dialect);
        for (protocol, address) in &facts.addresses {
            add(format!("address-{protocol}"), address);
        }
        // Most servers have a port of its own for TLS.
        let is_other = |survey: &&SurveyFacts| {
            let first = facts.addresses.iter().find(|(protocol, _)| *protocol == survey.protocol);
            survey.target == facts.name && first.is_some_and(|(_, first)| *first != survey.address)
        };
        for survey in surveys.iter().filter(is_other) {
            add(format!("address-{}-{}", survey.protocol, survey.security), &survey.address);
        }
        if let Some(version) = &facts.version {
            add("server-version".to_string(), version);
        }
    }
    if summary.insecure {
        add("insecure".to_string(), "true");
    }
    properties
}
