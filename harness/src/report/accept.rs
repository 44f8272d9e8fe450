//! `--accept`: what a run has shown, as what is expected of the next one. It is handed over when the run is over; the command
//! line writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::actual;
use super::earlier::steady;
use super::narrow_glob::{narrow_globs, without_combination};
use crate::runner::{CaseReport, Observed, Reporter, RunEvent, Summary};
use crate::scenario::{Glob, SkipCode, Verdict};

/// What becomes of what is accepted.
type Sink = Box<dyn FnOnce(Accepted) -> io::Result<()> + Send>;

/// Collects what a run has shown.
pub struct Accept {
    sink: Option<Sink>,
    takes_security: bool,
    /// What was asked, by id without its combination.
    cases: BTreeMap<String, Asked>,
    skips: BTreeSet<SkipCode>,
    /// Cases that do harm and are left out.
    left_out: usize,
    /// Facts of `[expect]` in which the server is less secure than expected.
    exposed: Vec<String>,
}

/// What a run has shown, as far as it is to be accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// A record for each group of cases that failed in the same way.
    pub records: Vec<AcceptedRecord>,
    /// The codes of the skips.
    pub skips: BTreeSet<SkipCode>,
    /// What was observed of the only server; none if there are several, or if it was not observed.
    pub observed: Option<Observed>,
    /// How many cases were left out because they do harm.
    pub left_out: usize,
    /// The ids of the facts in which the server is less secure than expected; they are not accepted either.
    pub exposed: Vec<String>,
    /// How many cases passed although a record says otherwise: the record is to be removed.
    pub fixed: usize,
    /// Whether every case of the run was asked.
    pub is_whole: bool,
}

/// Cases that failed in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRecord {
    /// The cases, as a glob that matches none that passed.
    pub case: String,
    /// The outcome's word.
    pub outcome: String,
    /// What was expected and what happened, without what varies from run to run.
    pub happened: String,
    /// Whether one of them does harm.
    pub is_harmful: bool,
}

/// The combinations of one case that were asked.
#[derive(Default)]
struct Asked {
    /// Those that failed, by outcome and then by id.
    failed: BTreeMap<&'static str, BTreeMap<String, Failed>>,
    /// Those that no record may cover: they passed, or their fault is none to be recorded.
    others: Vec<String>,
}

/// One combination that failed.
struct Failed {
    happened: String,
    is_harmful: bool,
}

impl Accept {
    /// Gives what is accepted to `sink` when the run is over; findings that do harm only with `takes_security`.
    pub fn new(takes_security: bool, sink: impl FnOnce(Accepted) -> io::Result<()> + Send + 'static) -> Self {
        Self {
            sink: Some(Box::new(sink)),
            takes_security,
            cases: BTreeMap::new(),
            skips: BTreeSet::new(),
            left_out: 0,
            exposed: Vec::new(),
        }
    }

    fn case(&mut self, case: &CaseReport) {
        if let Some(code) = &case.skip {
            // A skip that the baseline does not list has failed, and is accepted as a skip.
            if !code.varies_by_run() {
                self.skips.insert(code.clone());
            }
            return;
        }
        let is_left_out = case.verdict == Verdict::Fail && case.harm.is_some() && !self.takes_security;
        if case.is_expectation() {
            // What the server shows takes the place of what is expected; there is nothing to be recorded.
            self.exposed.extend(is_left_out.then(|| case.id.clone()));
            return;
        }
        let asked = self.cases.entry(without_combination(&case.id).to_string()).or_default();
        match (case.verdict, case.outcome) {
            (Verdict::Fail, Some(_)) if is_left_out => {
                self.left_out += 1;
                asked.others.push(case.id.clone());
            }
            (Verdict::Fail, Some(outcome)) => {
                let words = format!("expected {}, but: {} ({})", case.expected, actual(case), case.cites.join("; "));
                let failed = Failed { happened: steady(&words), is_harmful: case.harm.is_some() };
                asked.failed.entry(outcome).or_default().insert(case.id.clone(), failed);
            }
            // Whether what was not asked is so as well, a record may take for granted.
            (Verdict::Skip | Verdict::Known, _) | (_, None) => {}
            _ => asked.others.push(case.id.clone()),
        }
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let Some(sink) = self.sink.take() else { return Ok(()) };
        let of_case = |asked: &Asked| -> Vec<AcceptedRecord> {
            asked.failed.iter().flat_map(|(outcome, failed)| records(outcome, failed, &asked.others)).collect()
        };
        sink(Accepted {
            records: self.cases.values().flat_map(of_case).collect(),
            skips: std::mem::take(&mut self.skips),
            observed: match summary.observed.as_slice() {
                [(_, observed)] => Some(observed.clone()),
                _ => None,
            },
            left_out: self.left_out,
            exposed: std::mem::take(&mut self.exposed),
            fixed: summary.count(Verdict::Fixed),
            is_whole: !summary.interrupted && summary.finished() == summary.planned,
        })
    }
}

impl Reporter for Accept {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        match event {
            RunEvent::CaseFinished(case) => {
                self.case(case);
                Ok(())
            }
            RunEvent::Finished(summary) => self.finish(summary),
            _ => Ok(()),
        }
    }
}

/// The records for the combinations of one case that failed with one outcome.
fn records(outcome: &str, failed: &BTreeMap<String, Failed>, others: &[String]) -> Vec<AcceptedRecord> {
    let wanted: Vec<&str> = failed.keys().map(String::as_str).collect();
    // Put to several targets, the same case may pass on one and fail on another.
    let others: Vec<&str> = others.iter().map(String::as_str).filter(|id| !failed.contains_key(*id)).collect();
    let record = |glob: String| {
        let pattern = Glob::new(glob.as_str());
        let mut covered = failed.iter().filter(|(id, _)| pattern.matches(id)).map(|(_, failed)| failed);
        let happened = covered.clone().next().map(|failed| failed.happened.clone()).unwrap_or_default();
        let is_harmful = covered.any(|failed| failed.is_harmful);
        AcceptedRecord { case: glob, outcome: outcome.to_string(), happened, is_harmful }
    };
    narrow_globs(&wanted, &others).into_iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(failed: &[(&str, bool)], others: &[&str]) -> Vec<AcceptedRecord> {
        let failed = failed.iter().map(|&(id, is_harmful)| {
            let happened = format!("expected rejected, but: opened A ({id})");
            (id.to_string(), Failed { happened, is_harmful })
        });
        records("opened", &failed.collect(), &others.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn combinations_that_failed_alike_are_one_record() {
        let found = asked(&[("a/b[imap,login]", false), ("a/b[imap,plain]", true)], &["a/b[pop3,login]"]);
        let wanted = AcceptedRecord {
            case: "a/b[imap,*]".to_string(),
            outcome: "opened".to_string(),
            happened: "expected rejected, but: opened A (a/b[imap,login])".to_string(),
            is_harmful: true,
        };
        assert_eq!(found, [wanted]);
    }

    #[test]
    fn what_failed_on_one_target_and_passed_on_another_is_recorded() {
        assert_eq!(asked(&[("a/b[imap]", false)], &["a/b[imap]"]).len(), 1);
    }
}
