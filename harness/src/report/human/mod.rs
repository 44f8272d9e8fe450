//! The report for people: one line per scenario, each failed case once, and the answer at the end.

mod clip;
mod closing;
mod details;
mod progress;
mod style;
mod tally;

use std::io::{self, Write};
use std::sync::Arc;

pub(super) use closing::participle;

use self::closing::{Closing, totals};
use self::details::{Details, FailedCases};
use self::progress::Progress;
use self::style::{BOLD, DIM, GREEN, RED, YELLOW};
use self::tally::{Counts, area, count, number_of};
use super::finding;
use super::matrix::Matrix;
use super::offers::offers;
use super::replay::Replay;
use crate::plural::counted;
use crate::runner::{CaseReport, PaceFacts, Reporter, RunEvent, Summary, SurveyFacts, TargetFacts};
use crate::scenario::{Scenario, Verdict};

/// Writes the report for people.
///
/// While a run goes on: what is asked of which server, and a line per scenario with the cases that failed. When it is
/// over: the answer. Its first line names the main cause, unless the run passed, and its last line is the verdict.
pub struct Human<W> {
    out: W,
    progress: Progress,
    is_quiet: bool,
    scenarios: Vec<RunningScenario>,
    details: Details,
    closing: Closing,
    forms: Option<Matrix>,
}

/// A scenario whose cases are not all finished.
struct RunningScenario {
    scenario: Arc<Scenario>,
    /// How many of its cases are not finished.
    left: usize,
    counts: Counts,
    failed: FailedCases,
    /// How many of its errors are cases that were not asked.
    unasked: usize,
}

impl<W: Write> Human<W> {
    /// Writes to `out`; shows a progress bar on standard error where that is a terminal.
    pub fn new(out: W) -> Self {
        Self {
            out,
            progress: Progress::new(),
            is_quiet: false,
            scenarios: Vec::new(),
            details: Details::new(Replay::default()),
            closing: Closing::default(),
            forms: None,
        }
    }

    /// The same, with what of the command line is needed to replay a case.
    #[must_use]
    pub fn with_replay(self, replay: Replay) -> Self {
        Self { details: Details::new(replay), ..self }
    }

    /// The same, with the table of login forms by servers before the answer, unless no case of the run names a form.
    #[must_use]
    pub fn with_forms(self) -> Self {
        Self { forms: Some(Matrix::default()), ..self }
    }

    /// The same, but only the answer at the end: verdicts by area, causes, and the verdict.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { is_quiet: true, progress: Progress::hidden(), ..self }
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        let out = &mut self.out;
        self.progress.suspend(|| writeln!(out, "{text}"))
    }

    /// Prints what belongs to the run, not to the answer at its end.
    fn tell(&mut self, text: &str) -> io::Result<()> {
        if self.is_quiet { Ok(()) } else { self.print(text) }
    }

    fn started(
        &mut self,
        cases: usize,
        targets: &[TargetFacts],
        scenarios: &[(Arc<Scenario>, usize)],
        warnings: &[String],
    ) -> io::Result<()> {
        self.progress.start(cases);
        self.details.start(cases, targets.len());
        self.closing.shows_every_case = self.details.is_small && !self.is_quiet;
        self.closing.has_one_target = targets.len() == 1;
        let running = |(scenario, left): &(Arc<Scenario>, usize)| RunningScenario {
            scenario: Arc::clone(scenario),
            left: *left,
            counts: Counts::default(),
            failed: FailedCases::default(),
            unasked: 0,
        };
        self.scenarios = scenarios.iter().map(running).collect();
        let of = match targets {
            [one] => {
                let addresses: Vec<String> =
                    one.addresses.iter().map(|(protocol, address)| format!("{protocol} {address}")).collect();
                let version = one.version.as_ref().map(|version| format!(", {version}")).unwrap_or_default();
                format!("{}{version} ({}; reads login names as {})", one.name, addresses.join(", "), one.dialect)
            }
            several => format!("the reference server in {} dialects", several.len()),
        };
        self.tell(&format!("{}, put to {of}", counted(cases, "case")))?;
        self.warn(warnings)
    }

    /// One line for each way to the target, where there is one target only: several are the reference server, about
    /// which there is nothing to learn.
    fn surveyed(&mut self, surveys: &[SurveyFacts], warnings: &[String]) -> io::Result<()> {
        let shown = if self.closing.has_one_target { surveys } else { &[] };
        for survey in shown {
            let said = match &survey.trouble {
                // Whatever the rest of a long reason is, it comes at the end.
                Some(trouble) => trouble.lines().next().unwrap_or_default().to_string(),
                None => offers(&survey.offers),
            };
            self.tell(&format!("{DIM}{} {} ({}): {said}{DIM:#}", survey.protocol, survey.address, survey.security))?;
        }
        self.warn(warnings)?;
        self.tell("")
    }

    /// Which cases run, and how long that takes.
    fn scheduled(&mut self, cases: usize, scenarios: &[(Arc<Scenario>, usize)], pace: &PaceFacts) -> io::Result<()> {
        self.progress.start(cases);
        self.details.start(cases, if self.closing.has_one_target { 1 } else { 2 });
        for running in &mut self.scenarios {
            let scheduled = scenarios.iter().find(|(scenario, _)| Arc::ptr_eq(scenario, &running.scenario));
            running.left = scheduled.map_or(0, |(_, cases)| *cases);
        }
        self.scenarios.retain(|running| running.left > 0);
        // The reference server answers at once.
        if self.closing.has_one_target { self.tell(&format!("{pace}\n")) } else { Ok(()) }
    }

    fn warn(&mut self, warnings: &[String]) -> io::Result<()> {
        warnings.iter().try_for_each(|warning| self.tell(&format!("{YELLOW}warning{YELLOW:#}: {warning}")))
    }

    fn case_finished(&mut self, case: &CaseReport) -> io::Result<()> {
        self.progress.advance();
        let closing = &mut self.closing;
        count(closing.areas.entry(area(&case.scenario.id).to_string()).or_default(), case.verdict);
        closing.causes.add(case, &self.details.replay);
        if let Some(proof) = case.proof.filter(|_| closing.has_one_target) {
            *closing.proofs.entry(proof).or_default() += 1;
        }
        let is_unasked = case.verdict == Verdict::Error && case.outcome.is_none();
        match (case.verdict, &case.known) {
            (Verdict::Known, Some(known)) => closing.known.add(&finding::recorded(known)),
            (Verdict::Skip, _) => {
                let code = case.skip.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
                closing.skipped.add(&format!("{}{code}", case.reason));
            }
            // Why nothing could be asked is told once, not once for each case.
            (Verdict::Error, _) if is_unasked => closing.unasked.add(&case.reason),
            _ => {}
        }
        let of_case = |running: &&mut RunningScenario| Arc::ptr_eq(&running.scenario, &case.scenario);
        let Some(running) = self.scenarios.iter_mut().find(of_case) else { return Ok(()) };
        running.left = running.left.saturating_sub(1);
        running.unasked += usize::from(is_unasked);
        count(&mut running.counts, case.verdict);
        let is_shown = case.verdict.is_unexpected() || case.verdict == Verdict::Warn;
        if is_shown && !is_unasked && !self.is_quiet {
            running.failed.add(case, &mut self.details);
        }
        if running.left == 0 { self.print_finished_scenarios() } else { Ok(()) }
    }

    /// Scenarios come in the plan's order, so that two runs read the same.
    fn print_finished_scenarios(&mut self) -> io::Result<()> {
        while self.scenarios.first().is_some_and(|running| running.left == 0) {
            let running = self.scenarios.remove(0);
            self.print_scenario(&running)?;
        }
        Ok(())
    }

    fn print_scenario(&mut self, running: &RunningScenario) -> io::Result<()> {
        let RunningScenario { scenario, counts, failed, unasked, .. } = running;
        let has = |verdict: Verdict| number_of(counts, verdict) > 0;
        if *unasked > 0 && unasked + number_of(counts, Verdict::Skip) == counts.iter().sum::<usize>() {
            // There is nothing to tell of it but why it was not asked, and that comes at the end.
            return Ok(());
        }
        let (style, mark) = if Verdict::ALL.into_iter().any(|verdict| verdict.is_unexpected() && has(verdict)) {
            (RED, "FAIL")
        } else if has(Verdict::Warn) {
            (YELLOW, "warn")
        } else if has(Verdict::Pass) || has(Verdict::Known) {
            (GREEN, "ok  ")
        } else {
            (DIM, "skip")
        };
        let totals = totals(counts);
        self.tell(&format!(
            "{style}{mark}{style:#}  {BOLD}{}{BOLD:#}  {}  {DIM}{totals}{DIM:#}",
            scenario.id, scenario.title
        ))?;
        failed.texts().iter().try_for_each(|text| self.tell(text))
    }

    fn finished(&mut self, summary: &Summary) -> io::Result<()> {
        // A scenario that was cut short is shown as far as it went.
        for running in std::mem::take(&mut self.scenarios) {
            if running.counts.iter().sum::<usize>() > 0 {
                self.print_scenario(&running)?;
            }
        }
        self.progress.finish();
        // A table in which every case was an error says nothing.
        let is_answered = summary.asked() > summary.count(Verdict::Error);
        if let Some(forms) = self.forms.take().filter(|forms| is_answered && !forms.is_empty()) {
            self.tell(&format!("\n{}", forms.text().trim_end()))?;
        }
        self.tell("")?;
        let lines = self.closing.lines(summary);
        lines.iter().try_for_each(|line| self.print(line))
    }
}

impl<W: Write + Send> Reporter for Human<W> {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        if let Some(forms) = &mut self.forms {
            forms.event(event)?;
        }
        match event {
            RunEvent::Started { cases, left_out, targets, scenarios, warnings } => {
                self.closing.left_out = *left_out;
                self.started(*cases, targets, scenarios, warnings)
            }
            RunEvent::Surveyed { surveys, warnings } => self.surveyed(surveys, warnings),
            RunEvent::Scheduled { cases, scenarios, pace } => self.scheduled(*cases, scenarios, pace),
            RunEvent::Progress(left) => {
                let line = self.progress.tell(left);
                line.map_or(Ok(()), |line| self.tell(&format!("{DIM}{line}{DIM:#}")))
            }
            RunEvent::CaseFinished(case) => self.case_finished(case),
            RunEvent::Finished(summary) => self.finished(summary),
        }
    }
}
