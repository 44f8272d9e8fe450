//! Where findings become reports: each is judged, with its siblings where cases are judged by each other, held against the
//! skip baseline, and told together with the nearest combination that passed.

use std::io;
use std::sync::Arc;

use super::caller::PutOff;
use super::checks::Prints;
use super::event::{CaseReport, LeftOut, Reporter, RunEvent, Summary};
use super::findings::{Findings, Settled};
use super::judging::{SkipBaselines, Tested};
use super::pacing::{Pace, Schedule, WorkItem};
use super::settle::{Siblings, panicked, unasked};
use super::workers::{Collect, Found};
use crate::scenario::Scenario;

/// Takes in what the workers find, and tells the reporter.
pub(super) struct ResultCollector<'t, 'r> {
    siblings: Siblings,
    findings: Findings,
    pub baselines: SkipBaselines,
    tested: &'t Tested<'t>,
    /// What is to be asked again.
    pub put_off: Vec<(WorkItem, PutOff)>,
    pace: Arc<Pace>,
    max_failures: Option<usize>,
    /// The scenarios of the cases that have a verdict, as pointers.
    pub finished: Vec<usize>,
    summary: &'r mut Summary,
    reporter: &'r mut dyn Reporter,
}

impl Collect for ResultCollector<'_, '_> {
    fn found(&mut self, found: Found) -> io::Result<bool> {
        let settled: Vec<Settled> = match found {
            Found::Answered(answered, _) => self.siblings.settle(*answered, self.tested),
            Found::Unasked(planned, judgement) => {
                let mut settled = self.siblings.drop_out(&planned, self.tested);
                settled.extend(unasked(planned, self.tested, judgement));
                settled
            }
            Found::Panicked(planned, why) => {
                let mut settled = self.siblings.drop_out(&planned, self.tested);
                settled.extend(panicked(planned, self.tested, &why));
                settled
            }
            Found::PutOff(item, why) => {
                self.put_off.push((item, why));
                Vec::new()
            }
        };
        for report in self.told(settled) {
            tell(&report, self.summary, &mut self.finished, self.reporter)?;
        }
        Ok(self.max_failures.is_none_or(|most| self.summary.unexpected() < most))
    }

    fn progress(&mut self) -> io::Result<()> {
        self.reporter.event(&RunEvent::Progress(&self.pace.progress()))
    }
}

impl<'t, 'r> ResultCollector<'t, 'r> {
    /// A collector for a schedule. `finished` are the scenarios of the cases that have a verdict already.
    pub fn new(
        schedule: &Schedule,
        prints: Prints,
        tested: &'t Tested<'t>,
        pace: Arc<Pace>,
        finished: Vec<usize>,
        summary: &'r mut Summary,
        reporter: &'r mut dyn Reporter,
    ) -> Self {
        // Cases that are not asked drop out one by one, so they are awaited as well.
        let awaited = || schedule.cases().chain(schedule.not_asked.iter().map(|(planned, _)| planned));
        Self {
            siblings: Siblings::new(awaited(), prints),
            findings: Findings::new(awaited()),
            baselines: SkipBaselines::default(),
            tested,
            put_off: Vec::new(),
            pace,
            max_failures: None,
            finished,
            summary,
            reporter,
        }
    }

    /// The same, but it has enough after so many unexpected cases.
    #[must_use]
    pub fn with_max_failures(self, max_failures: Option<usize>) -> Self {
        Self { max_failures, ..self }
    }

    /// What can be told of judged cases now, after a look at the skip baseline.
    fn told(&mut self, settled: Vec<Settled>) -> Vec<CaseReport> {
        let mut reports = Vec::new();
        for mut settled in settled {
            let index = settled.planned.target;
            if let Some(target) = self.tested.targets.get(index) {
                self.baselines.apply(&mut settled.report, index, target);
            }
            reports.extend(self.findings.take(settled));
        }
        reports
    }

    /// What still waits when the run has ended, however it has.
    pub fn rest(&mut self) -> Vec<CaseReport> {
        let settled = self.siblings.rest(self.tested);
        let mut reports = self.told(settled);
        reports.extend(self.findings.rest());
        reports
    }
}

/// Counts a report, and tells the reporter.
pub(super) fn tell(
    report: &CaseReport,
    summary: &mut Summary,
    finished: &mut Vec<usize>,
    reporter: &mut dyn Reporter,
) -> io::Result<()> {
    if let Some(count) = summary.counts.get_mut(report.verdict as usize) {
        *count += 1;
    }
    finished.push(Arc::as_ptr(&report.scenario) as usize);
    reporter.event(&RunEvent::CaseFinished(report))
}

/// How many cases of each scenario are planned, by the scenario's pointer.
pub(super) fn planned_by_scenario(scenarios: &[(Arc<Scenario>, usize)]) -> Vec<(usize, String, usize)> {
    let row =
        |(scenario, cases): &(Arc<Scenario>, usize)| (Arc::as_ptr(scenario) as usize, scenario.id.clone(), *cases);
    scenarios.iter().map(row).collect()
}

/// The cases that were planned and have no verdict, by scenario.
pub(super) fn left_out(planned: &[(usize, String, usize)], finished: &[usize]) -> Vec<LeftOut> {
    let row = |(pointer, id, cases): &(usize, String, usize)| {
        let done = finished.iter().filter(|finished| *finished == pointer).count();
        (done < *cases).then(|| LeftOut { scenario: id.clone(), cases: cases - done })
    };
    planned.iter().filter_map(row).collect()
}
