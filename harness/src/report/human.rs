//! The report for people: grouped by scenario, each failure with everything that is needed to act on it.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::finding::{self, Line};
use super::offers::offers;
use super::replay::Replay;
use crate::runner::{CaseReport, Reporter, RunEvent, Sanity, Summary, SurveyFacts, TargetFacts};
use crate::scenario::{Scenario, Verdict};

/// How many failures are shown again at the end; there may be thousands, and memory must not grow with them.
const REPEATED: usize = 100;
/// How many different reasons for which cases could not be asked are told apart.
const REASONS: usize = 20;
/// How many records are told apart; a target file has no more of them than somebody has written down.
const RECORDS: usize = 1000;

const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Writes the report for people.
pub struct Human<W> {
    out: W,
    bar: ProgressBar,
    scenarios: Vec<Group>,
    repeated: Vec<String>,
    unexpected: usize,
    left_out: usize,
    /// The reasons for skips, by code: a sentence, and how many cases. There are no more codes than cases.
    skipped: BTreeMap<String, (String, usize)>,
    /// How many mailboxes were told from others by what.
    proofs: BTreeMap<&'static str, usize>,
    /// What is otherwise than expected, as recorded, by record.
    known: BTreeMap<String, usize>,
    /// What could not be asked though it should, by reason.
    unasked: BTreeMap<String, usize>,
    replay: Replay,
    one_target: bool,
}

/// A scenario whose cases are on their way.
struct Group {
    scenario: Arc<Scenario>,
    left: usize,
    counts: [usize; Verdict::ALL.len()],
    shown: Vec<String>,
    unshown: usize,
    /// How many of its errors are cases that were not asked.
    unasked: usize,
}

impl<W: Write> Human<W> {
    /// Writes to `out`; shows a progress bar on standard error where that is a terminal.
    pub fn new(out: W) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        if io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        }
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} cases, {elapsed} {msg}") {
            bar.set_style(style);
        }
        Self {
            out,
            bar,
            scenarios: Vec::new(),
            repeated: Vec::new(),
            unexpected: 0,
            left_out: 0,
            one_target: false,
            skipped: BTreeMap::new(),
            proofs: BTreeMap::new(),
            known: BTreeMap::new(),
            unasked: BTreeMap::new(),
            replay: Replay::default(),
        }
    }

    /// The same, with what of the command line is needed to replay a case.
    #[must_use]
    pub fn with_replay(self, replay: Replay) -> Self {
        Self { replay, ..self }
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        let out = &mut self.out;
        self.bar.suspend(|| writeln!(out, "{text}"))
    }

    fn started(
        &mut self,
        cases: usize,
        targets: &[TargetFacts],
        scenarios: &[(Arc<Scenario>, usize)],
        warnings: &[String],
    ) -> io::Result<()> {
        self.bar.set_length(cases as u64);
        let group = |(scenario, left): &(Arc<Scenario>, usize)| Group {
            scenario: Arc::clone(scenario),
            left: *left,
            counts: [0; Verdict::ALL.len()],
            shown: Vec::new(),
            unshown: 0,
            unasked: 0,
        };
        self.scenarios = scenarios.iter().map(group).collect();
        let of = match targets {
            [one] => {
                let addresses: Vec<String> =
                    one.addresses.iter().map(|(protocol, address)| format!("{protocol} {address}")).collect();
                let version = one.version.as_ref().map(|version| format!(", {version}")).unwrap_or_default();
                format!("{}{version} ({}; reads login names as {})", one.name, addresses.join(", "), one.dialect)
            }
            several => format!("the reference server in {} dialects", several.len()),
        };
        self.one_target = targets.len() == 1;
        self.print(&format!("{}, put to {of}", count(cases, "case")))?;
        self.warn(warnings)
    }

    /// One line for each way to the target, where there is one target only: several are the reference server, about
    /// which there is nothing to learn.
    fn surveyed(&mut self, surveys: &[SurveyFacts], warnings: &[String]) -> io::Result<()> {
        let shown = if self.one_target { surveys } else { &[] };
        for survey in shown {
            let said = match &survey.trouble {
                // Whatever the rest of a long reason is, it comes at the end.
                Some(trouble) => trouble.lines().next().unwrap_or_default().to_string(),
                None => offers(&survey.offers),
            };
            self.print(&format!("{DIM}{} {} ({}): {said}{DIM:#}", survey.protocol, survey.address, survey.security))?;
        }
        self.warn(warnings)?;
        self.print("")
    }

    fn warn(&mut self, warnings: &[String]) -> io::Result<()> {
        warnings.iter().try_for_each(|warning| self.print(&format!("{YELLOW}warning{YELLOW:#}: {warning}")))
    }

    fn case_finished(&mut self, case: &CaseReport) -> io::Result<()> {
        self.bar.inc(1);
        if let Some(proof) = case.proof {
            *self.proofs.entry(proof).or_default() += 1;
        }
        let shown = match case.verdict {
            Verdict::Pass => None,
            Verdict::Known => {
                if let Some(known) = &case.known {
                    note(&mut self.known, &finding::recorded(known), RECORDS);
                }
                None
            }
            Verdict::Skip => {
                let code = case.skip.as_ref().map_or_else(|| case.reason.clone(), ToString::to_string);
                self.skipped.entry(code).or_insert_with(|| (case.reason.clone(), 0)).1 += 1;
                None
            }
            // Why nothing could be asked is told once, not once for each case.
            Verdict::Error if case.outcome.is_none() => {
                note(&mut self.unasked, &case.reason, REASONS);
                None
            }
            _ => Some(block(case, &self.replay)),
        };
        let is_unasked = case.verdict == Verdict::Error && shown.is_none();
        if case.verdict.is_unexpected() && !is_unasked {
            self.unexpected += 1;
            if let Some(block) = shown.as_ref().filter(|_| self.repeated.len() < REPEATED) {
                self.repeated.push(block.clone());
            }
        }
        let Some(group) = self.scenarios.iter_mut().find(|group| Arc::ptr_eq(&group.scenario, &case.scenario)) else {
            return Ok(());
        };
        group.left = group.left.saturating_sub(1);
        group.unasked += usize::from(is_unasked);
        if let Some(number) = group.counts.get_mut(case.verdict as usize) {
            *number += 1;
        }
        match shown {
            Some(block) if group.shown.len() < REPEATED => group.shown.push(block),
            Some(_) => group.unshown += 1,
            None => {}
        }
        if group.left == 0 { self.print_finished_groups() } else { Ok(()) }
    }

    /// Groups come in the plan's order, so that two runs read the same.
    fn print_finished_groups(&mut self) -> io::Result<()> {
        while self.scenarios.first().is_some_and(|group| group.left == 0) {
            let group = self.scenarios.remove(0);
            self.print_group(&group)?;
        }
        Ok(())
    }

    fn print_group(&mut self, group: &Group) -> io::Result<()> {
        let skipped = group.counts.get(Verdict::Skip as usize).copied().unwrap_or_default();
        if group.unasked > 0 && group.unasked + skipped == group.counts.iter().sum::<usize>() {
            // There is nothing to tell of it but why it was not asked, and that comes at the end.
            return Ok(());
        }
        let has = |verdict: Verdict| group.counts.get(verdict as usize).is_some_and(|&number| number > 0);
        let (style, mark) = if Verdict::ALL.into_iter().any(|verdict| verdict.is_unexpected() && has(verdict)) {
            (RED, "FAIL")
        } else if has(Verdict::Warn) {
            (YELLOW, "warn")
        } else if has(Verdict::Pass) || has(Verdict::Known) {
            (GREEN, "ok  ")
        } else {
            (DIM, "skip")
        };
        let totals = totals(&group.counts);
        self.print(&format!(
            "{style}{mark}{style:#}  {BOLD}{}{BOLD:#}  {}  {DIM}{totals}{DIM:#}",
            group.scenario.id, group.scenario.title
        ))?;
        for block in &group.shown {
            self.print(block)?;
        }
        if group.unshown > 0 {
            self.print(&format!("      … and {} more\n", group.unshown))?;
        }
        Ok(())
    }

    fn finished(&mut self, summary: &Summary) -> io::Result<()> {
        // Whatever is not complete was cut short: what is known of it is shown all the same.
        for group in std::mem::take(&mut self.scenarios) {
            if group.counts.iter().sum::<usize>() > 0 {
                self.print_group(&group)?;
            }
        }
        self.bar.finish_and_clear();
        if !self.repeated.is_empty() {
            self.print(&format!("\n{RED}{} not as expected:{RED:#}\n", count(self.unexpected, "case")))?;
            for block in std::mem::take(&mut self.repeated) {
                self.print(&block)?;
            }
            if self.unexpected > REPEATED {
                self.print(&format!("… and {} more; --json has them all\n", self.unexpected - REPEATED))?;
            }
        }
        for (reason, number) in std::mem::take(&mut self.unasked) {
            let reason = reason.lines().next().unwrap_or_default();
            self.print(&format!("{RED}not asked {number}{RED:#}: {reason}"))?;
        }
        for (record, number) in std::mem::take(&mut self.known) {
            self.print(&format!("{DIM}known {number}: {record}{DIM:#}"))?;
        }
        for (code, (reason, number)) in std::mem::take(&mut self.skipped) {
            self.print(&format!("{DIM}skipped {number}: {reason} [{code}]{DIM:#}"))?;
        }
        if self.one_target && !self.proofs.is_empty() {
            let told =
                std::mem::take(&mut self.proofs).into_iter().map(|(proof, number)| format!("{number} by {proof}"));
            let told: Vec<String> = told.collect();
            self.print(&format!("{DIM}mailboxes that opened were told apart: {}{DIM:#}", told.join(", ")))?;
        }
        for sanity in summary.troubles() {
            let is_same = |other: &&Sanity| other.target == sanity.target && other.protocol == sanity.protocol;
            // What never worked has not stopped working.
            if sanity.is_last && summary.troubles().any(|other| !other.is_last && is_same(&other)) {
                continue;
            }
            let when = if sanity.is_last { "at the end" } else { "at the start" };
            let advice = if sanity.is_last {
                "the server no longer lets a good login in: locked out, overloaded or broken on the way"
            } else {
                "what follows from it is no finding: check the accounts and the dialect first"
            };
            let trouble = sanity.trouble.as_deref().unwrap_or_default();
            self.print(&format!("{RED}{} {when}{RED:#}: {trouble}\n  {advice}", sanity.target))?;
        }
        for reason in &summary.unreachable {
            self.print(&format!("{RED}unreachable{RED:#}: {reason}"))?;
        }
        self.warn(&summary.warnings)?;
        self.print(&closing(summary, self.left_out))
    }
}

impl<W: Write + Send> Reporter for Human<W> {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        match event {
            RunEvent::Started { cases, left_out, targets, scenarios, warnings } => {
                self.left_out = *left_out;
                self.started(*cases, targets, scenarios, warnings)
            }
            RunEvent::Surveyed { surveys, warnings } => self.surveyed(surveys, warnings),
            RunEvent::CaseFinished(case) => self.case_finished(case),
            RunEvent::Finished(summary) => self.finished(summary),
        }
    }
}

/// One case that did not go as expected.
fn block(case: &CaseReport, replay: &Replay) -> String {
    let style = if case.verdict == Verdict::Warn { YELLOW } else { RED };
    let mut text = format!("\n  {style}{}{style:#} {} on {}\n", case.verdict.word(), case.id, case.target);
    for line in finding::lines(case, replay) {
        match line {
            Line::Plain(line) => text.push_str(&format!("    {line}\n")),
            Line::Wire(line) => text.push_str(&format!("    {DIM}{line}{DIM:#}\n")),
        }
    }
    text
}

/// Counts a reason; beyond the first few they are one.
fn note(reasons: &mut BTreeMap<String, usize>, reason: &str, most: usize) {
    let is_new = !reasons.contains_key(reason);
    let key = if is_new && reasons.len() >= most { "other reasons" } else { reason };
    *reasons.entry(key.to_string()).or_insert(0) += 1;
}

fn totals(counts: &[usize; Verdict::ALL.len()]) -> String {
    let words: Vec<String> = Verdict::ALL
        .iter()
        .zip(counts)
        .filter(|(_, number)| **number > 0)
        .map(|(verdict, number)| format!("{number} {}", participle(*verdict)))
        .collect();
    if words.is_empty() { "nothing".to_string() } else { words.join(", ") }
}

fn closing(summary: &Summary, left_out: usize) -> String {
    let seconds = summary.took.as_secs_f64();
    let rate = if seconds > 0.0 { summary.conversations as f64 / seconds } else { 0.0 };
    let style = if summary.is_success() { GREEN } else { RED };
    let mut text = format!("\n{style}{}{style:#} of {}", totals(&summary.counts), count(summary.planned, "case"));
    if summary.interrupted {
        text.push_str(&format!(", interrupted with {} not asked", summary.planned - summary.finished()));
    }
    if left_out > 0 {
        text.push_str(&format!("; {} with --full", count(left_out, "more combination")));
    }
    text.push_str(&format!("; {seconds:.2} s, {rate:.0} logins per second"));
    text
}

pub(super) const fn participle(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Warn => "warned",
        Verdict::Known => "known",
        Verdict::Fixed => "fixed",
        Verdict::Skip => "skipped",
        Verdict::Error => "in error",
    }
}

/// `1 case`, `2 cases`.
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
