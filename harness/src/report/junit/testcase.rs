//! One `<testcase>`: a case, or what went wrong with the run as a whole.

use std::io;

use super::run_errors::RunError;
use super::xml::Xml;
use crate::report::actual;
use crate::report::finding::{self, Line};
use crate::report::replay::Replay;
use crate::runner::CaseReport;
use crate::scenario::Verdict;

/// How a `<testcase>` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It passed, perhaps with a warning.
    Passed,
    /// It has a `<failure>`.
    Failure,
    /// It has an `<error>`.
    Error,
    /// It is `<skipped>`.
    Skipped,
}

impl Kind {
    /// How a case with this verdict counts.
    pub const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass | Verdict::Warn => Self::Passed,
            Verdict::Fail | Verdict::Fixed => Self::Failure,
            Verdict::Error => Self::Error,
            Verdict::Known | Verdict::Skip => Self::Skipped,
        }
    }
}

/// Writes a case.
pub(super) fn write_case<W: io::Write>(
    xml: &mut Xml<W>,
    classname: &str,
    case: &CaseReport,
    replay: &Replay,
) -> io::Result<()> {
    let time = format!("{:.3}", case.took.as_secs_f64());
    let line = line(case).to_string();
    let attributes = [
        ("classname", classname),
        ("name", &case.id),
        ("file", &case.scenario.source.name),
        ("line", &line),
        ("time", &time),
    ];
    if case.verdict == Verdict::Pass && case.first_outcome.is_none() {
        return xml.empty("testcase", &attributes);
    }
    xml.start("testcase", &attributes)?;
    // JUnit has no element for these verdicts.
    let has_no_element = matches!(case.verdict, Verdict::Warn | Verdict::Known | Verdict::Fixed);
    let verdict = has_no_element.then_some(("verdict", case.verdict.word()));
    xml.properties(verdict.into_iter().chain(case.first_outcome.map(|outcome| ("first-outcome", outcome))))?;
    let message = actual(case);
    let verdict = case.verdict.word();
    match case.verdict {
        Verdict::Pass => {}
        Verdict::Skip => xml.text("skipped", &[("type", verdict), ("message", &message)], &message)?,
        Verdict::Known => {
            let record = case.known.as_ref().map(finding::recorded).unwrap_or_default();
            let seen = seen(case);
            xml.text("skipped", &[("type", verdict), ("message", &format!("known: {record}"))], &seen)?;
            xml.text("system-out", &[], &seen)?;
        }
        Verdict::Warn => xml.text("system-out", &[], &format!("warning: {message}\n{}", whole(case, replay)))?,
        Verdict::Fail | Verdict::Fixed | Verdict::Error => {
            let element = if Kind::of(case.verdict) == Kind::Error { "error" } else { "failure" };
            let text = format!("\n{}", whole(case, replay));
            xml.text(element, &[("type", verdict), ("message", &message)], &text)?;
        }
    }
    if let Some(first) = case.first_outcome {
        write_first_attempt(xml, first, case)?;
    }
    xml.end("testcase")
}

/// Writes an error that is no case's own.
pub(super) fn write_error<W: io::Write>(
    xml: &mut Xml<W>,
    classname: &str,
    error: &RunError,
    kind: Kind,
) -> io::Result<()> {
    xml.start("testcase", &[("classname", classname), ("name", &error.name), ("time", "0.000")])?;
    let (element, verdict) = match kind {
        Kind::Failure => ("failure", Verdict::Fail),
        Kind::Error | Kind::Passed | Kind::Skipped => ("error", Verdict::Error),
    };
    xml.text(element, &[("type", verdict.word()), ("message", &error.message)], &error.text)?;
    xml.end("testcase")
}

/// Writes the attempt that did not count: as `<flakyFailure>` where the case passed in the end, as `<rerunFailure>` where
/// it did not (Maven Surefire, "Rerun failing tests"; Jenkins shows both).
fn write_first_attempt<W: io::Write>(xml: &mut Xml<W>, first: &str, case: &CaseReport) -> io::Result<()> {
    let element = match Kind::of(case.verdict) {
        Kind::Passed => "flakyFailure",
        Kind::Failure | Kind::Error => "rerunFailure",
        // Surefire has none for what was skipped.
        Kind::Skipped => return Ok(()),
    };
    let last = case.outcome.unwrap_or("no outcome");
    let message = format!("the first attempt: {first}; asked again, and judged: {last}");
    xml.start(element, &[("type", first), ("message", &message)])?;
    xml.text("stackTrace", &[], &message)?;
    xml.end(element)
}

/// The line of the scenario's file on which the expectation begins, from 1.
fn line(case: &CaseReport) -> usize {
    let before = case.scenario.source.text.bytes().take(case.span.start);
    before.filter(|octet| *octet == b'\n').count() + 1
}

/// What happened in a case that is known to fail.
fn seen(case: &CaseReport) -> String {
    let happened = case.known.as_ref().map(|known| known.happened.as_str());
    let parts: Vec<&str> = happened.into_iter().chain(case.process.as_deref()).collect();
    parts.join("\n")
}

/// Everything that is needed to act on it.
fn whole(case: &CaseReport, replay: &Replay) -> String {
    let lines = finding::lines(case, replay).into_iter();
    lines.map(|(Line::Plain(line) | Line::Wire(line))| line + "\n").collect()
}
