//! The answer, at the end: the main cause, verdicts by area, causes, what was not asked and why, next steps, and the verdict
//! of the run.

use std::collections::BTreeMap;

use super::clip::{LINE_CHARACTERS, clip};
use super::style::{BOLD, DIM, GREEN, RED, YELLOW};
use super::tally::{CauseCases, Causes, Counts, Reasons, number_of};
use crate::plural::counted;
use crate::report::cause::{Cause, CauseKind};
use crate::runner::{Sanity, Summary};
use crate::scenario::Verdict;

/// How many characters of a login name are shown in the first line.
const LOGIN_CHARACTERS: usize = 80;
/// How many causes are shown, one line each.
const SHOWN_CAUSES: usize = 15;
/// How many reasons of a kind are shown, one line each.
const SHOWN_REASONS: usize = 30;

/// What is known of a run at its end.
#[derive(Default)]
pub(super) struct Closing {
    pub areas: BTreeMap<String, Counts>,
    pub causes: Causes,
    /// Why cases were skipped.
    pub skipped: Reasons,
    /// Why cases could not be asked though they should have been.
    pub unasked: Reasons,
    /// Deviations that the target's file records, by record.
    pub known: Reasons,
    /// How many mailboxes were told apart by which proof; empty where that is not of interest.
    pub proofs: BTreeMap<&'static str, usize>,
    /// How many more combinations `--full` asks.
    pub left_out: usize,
    /// Whether every failed case has been shown in full.
    pub shows_every_case: bool,
    /// Whether the run has one target, so that there can be a file that describes it.
    pub has_one_target: bool,
}

/// The verdict of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunVerdict {
    Passed,
    Failed,
    /// The run says nothing, or not enough: nothing was asked, the server is unreachable, an answer proves nothing, a
    /// login that must work does not, or the run was interrupted.
    Inconclusive,
}

impl RunVerdict {
    /// Its word, in its colour.
    fn styled(self) -> String {
        let (style, word) = match self {
            Self::Passed => (GREEN, "PASSED"),
            Self::Failed => (RED, "FAILED"),
            Self::Inconclusive => (YELLOW, "INCONCLUSIVE"),
        };
        format!("{style}{word}{style:#}")
    }
}

impl Closing {
    /// The lines of the answer. The first one names the main cause, unless the run passed; the last one is the verdict.
    pub fn lines(&mut self, summary: &Summary) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let sections = [
            self.headline(summary),
            self.area_table(),
            self.failures(),
            self.warnings(),
            self.not_asked(summary),
            trouble_lines(summary),
        ];
        for section in sections.into_iter().filter(|section| !section.is_empty()) {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.extend(section);
        }
        let steps = self.next_steps(summary);
        if !steps.is_empty() {
            lines.push(format!("\n{BOLD}next steps{BOLD:#}"));
            lines.extend(steps.into_iter().map(|step| format!("  - {step}")));
        }
        lines.push(String::new());
        lines.push(self.verdict_line(summary));
        lines
    }

    /// The verdict and its main cause; no line if the run passed, or if the account's login was refused.
    fn headline(&self, summary: &Summary) -> Vec<String> {
        // No case was asked, so nothing else stands before the section that names this login.
        if !summary.refused_logins.is_empty() {
            return Vec::new();
        }
        let verdict = run_verdict(summary);
        let cause = match verdict {
            RunVerdict::Passed => return Vec::new(),
            RunVerdict::Failed => self.main_failure(summary),
            RunVerdict::Inconclusive => self.main_obstacle(summary),
        };
        let cause = cause.unwrap_or_else(|| self.grounds(summary).join("; "));
        let cause = clip(cause.lines().next().unwrap_or_default(), LINE_CHARACTERS);
        vec![format!("{}: {cause}", verdict.styled())]
    }

    /// The failure that matters most. Security that is declared and not there makes many cases fail, and only a login that
    /// opens what it must not comes before it.
    fn main_failure(&self, summary: &Summary) -> Option<String> {
        let causes = self.causes.with(&[Verdict::Fail, Verdict::Fixed]);
        let worst = causes.first();
        match (summary.unmet.first(), worst) {
            (None, None) => None,
            (Some(unmet), worst) if !worst.is_some_and(|(cause, _)| cause.grants_access()) => Some(unmet.to_string()),
            (_, worst) => worst.map(|(cause, cases)| {
                let more = match causes.len() {
                    1 => String::new(),
                    number => format!("; {} below", counted(number - 1, "more cause")),
                };
                // A login name that is not refused, for example, says more about a server than the case does.
                let login = cases.login.as_deref().filter(|_| matches!(cause.kind, CauseKind::Outcome { .. }));
                let login = login.map(|login| format!("login as `{}`: ", clip(login, LOGIN_CHARACTERS)));
                format!("{}{cause}; first {}{more}", login.unwrap_or_default(), cases.first)
            }),
        }
    }

    /// What keeps the run from a result.
    fn main_obstacle(&self, summary: &Summary) -> Option<String> {
        let locked_out = summary.locked_out.first().map(ToString::to_string);
        let trouble = || summary.troubles().find_map(|sanity| sanity.trouble.clone());
        let unproven = || {
            let causes = self.causes.with(&[Verdict::Error]);
            causes.first().map(|(cause, cases)| format!("{cause}; first {}", cases.first))
        };
        locked_out.or_else(|| summary.unreachable.first().cloned()).or_else(trouble).or_else(unproven)
    }

    fn area_table(&self) -> Vec<String> {
        let is_used = |verdict: &Verdict| self.areas.values().any(|counts| number_of(counts, *verdict) > 0);
        let always = [Verdict::Pass, Verdict::Fail];
        let columns: Vec<Verdict> =
            Verdict::ALL.into_iter().filter(|verdict| always.contains(verdict) || is_used(verdict)).collect();
        let width = self.areas.keys().map(|area| area.chars().count()).max().unwrap_or_default().max(4);
        let mut head = format!("{BOLD}{:width$}", "area");
        columns.iter().for_each(|verdict| head.push_str(&format!("  {:>8}", participle(*verdict))));
        let row = |(area, counts): (&String, &Counts)| {
            let mut row = format!("{area:width$}");
            for verdict in &columns {
                let style = match (verdict, number_of(counts, *verdict)) {
                    (_, 0) => DIM,
                    (Verdict::Pass, _) => GREEN,
                    (Verdict::Warn, _) => YELLOW,
                    (verdict, _) if verdict.is_unexpected() => RED,
                    _ => DIM,
                };
                row.push_str(&format!("  {style}{:>8}{style:#}", number_of(counts, *verdict)));
            }
            row
        };
        if self.areas.is_empty() {
            return Vec::new();
        }
        [format!("{head}{BOLD:#}")].into_iter().chain(self.areas.iter().map(row)).collect()
    }

    fn failures(&self) -> Vec<String> {
        let causes = self.causes.with(&[Verdict::Fail, Verdict::Fixed, Verdict::Error]);
        if causes.is_empty() {
            return Vec::new();
        }
        let has_both = causes.len() > 1 && causes.iter().any(|(cause, _)| cause.is_security());
        let order = if has_both { ", security findings first" } else { "" };
        let mut lines = vec![format!("{RED}{}{order}:{RED:#}", counted(causes.len(), "cause"))];
        lines.extend(cause_lines(&causes));
        if self.causes.further_cases > 0 {
            lines.push(format!("      … {} of further causes; --json has them all", self.causes.further_cases));
        }
        lines
    }

    fn warnings(&self) -> Vec<String> {
        let causes = self.causes.with(&[Verdict::Warn]);
        if causes.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![format!("{YELLOW}{} (the rules say SHOULD):{YELLOW:#}", counted(causes.len(), "warning"))];
        lines.extend(cause_lines(&causes));
        lines
    }

    /// What was not asked and why, what is recorded, and what the proofs of mailboxes rest on.
    fn not_asked(&mut self, summary: &Summary) -> Vec<String> {
        let mut lines = Vec::new();
        for unmet in &summary.unmet {
            lines.push(format!("{RED}FAIL{RED:#}  {}: {unmet}\n      {}", unmet.id(), unmet.advice()));
        }
        for refused in &summary.refused_logins {
            lines.push(format!("{RED}login refused{RED:#}: {refused}"));
            lines.push("  one login was sent and no case was asked, so as not to lock the account".to_string());
        }
        for reason in summary.locked_out.iter().map(ToString::to_string) {
            let cases = self.unasked.take(&reason).map(|number| format!(", {} not asked", counted(number, "case")));
            lines.push(format!("{RED}stopped{RED:#}{}: {reason}", cases.unwrap_or_default()));
        }
        for reason in &summary.unreachable {
            let cases = self.unasked.take(reason).map(|number| format!(", {} not asked", counted(number, "case")));
            lines.push(format!("{RED}unreachable{RED:#}{}: {reason}", cases.unwrap_or_default()));
        }
        lines.extend(reason_lines(&self.unasked, "not asked", RED));
        lines.extend(reason_lines(&self.known, "known", DIM));
        lines.extend(reason_lines(&self.skipped, "skipped", DIM));
        if !self.proofs.is_empty() {
            let told: Vec<String> = self.proofs.iter().map(|(proof, number)| format!("{number} by {proof}")).collect();
            lines.push(format!("{DIM}mailboxes that opened were told apart: {}{DIM:#}", told.join(", ")));
        }
        lines
    }

    /// What to type next.
    fn next_steps(&self, summary: &Summary) -> Vec<String> {
        let mut steps = Vec::new();
        let has_failed = run_verdict(summary) == RunVerdict::Failed;
        let has_trouble = summary.troubles().any(|sanity| !sanity.is_last);
        steps.extend(
            summary.refused_logins.iter().flat_map(|refused| refused.next_steps()).map(|step| step.to_string()),
        );
        if !summary.unreachable.is_empty() {
            steps.push("check the server's address, its port and `security`, then run again".to_string());
        }
        if has_trouble {
            steps.push(
                "check the account first: a login that must work did not, so failures may follow from a wrong user name, \
                 password or dialect"
                    .to_string(),
            );
        }
        let worst = self.causes.with(&[Verdict::Fail, Verdict::Fixed, Verdict::Error]);
        if let Some((_, cases)) = worst.first().filter(|_| !self.shows_every_case) {
            steps.push(format!("see the first case in full: {}", cases.replay));
        }
        if has_failed && !has_trouble && self.has_one_target && summary.count(Verdict::Fail) > 0 {
            steps.push(
                "to go on with deviations that you know: add --accept FILE, say in each record why it is so, and put the \
                 records into the target file"
                    .to_string(),
            );
        }
        if summary.count(Verdict::Fixed) > 0 {
            steps.push("remove the [[known]] records of deviations that no longer happen".to_string());
        }
        if summary.interrupted {
            steps.push("to run a part only: name scenarios, or give --shard K/N".to_string());
        }
        if summary.asked() == 0 && summary.unreachable.is_empty() && !summary.interrupted {
            steps
                .push("`loginspec list` shows which cases would run; the reasons above say what they need".to_string());
        }
        steps
    }

    /// The verdict, what it rests on, and how long it took, in one line.
    fn verdict_line(&self, summary: &Summary) -> String {
        let mut parts = self.grounds(summary);
        parts.push(format!("{} of {}", totals(&summary.counts), counted(summary.planned, "case")));
        if self.left_out > 0 {
            parts.push(format!("{} with --full", counted(self.left_out, "more combination")));
        }
        let seconds = summary.took.as_secs_f64();
        let rate = if seconds > 0.0 { summary.conversations as f64 / seconds } else { 0.0 };
        parts.push(format!("{seconds:.2} s, {rate:.0} logins per second"));
        format!("{}: {}", run_verdict(summary).styled(), parts.join("; "))
    }

    /// What keeps a run from being passed.
    fn grounds(&self, summary: &Summary) -> Vec<String> {
        let mut grounds = Vec::new();
        let [failed, fixed, errors] =
            [Verdict::Fail, Verdict::Fixed, Verdict::Error].map(|verdict| summary.count(verdict));
        if failed > 0 {
            let causes = self.causes.with(&[Verdict::Fail]).len();
            let cases = counted(summary.planned, "case");
            grounds.push(format!("{failed} of {cases} failed, {}", counted(causes, "cause")));
        }
        if fixed > 0 {
            grounds.push(format!("{} no longer true", counted(fixed, "record")));
        }
        if !summary.unreachable.is_empty() {
            grounds.push("the server is unreachable".to_string());
        } else if errors > 0 {
            grounds.push(format!("{} without a result", counted(errors, "case")));
        }
        if !summary.unmet.is_empty() {
            grounds.push(format!("{} without the declared security", counted(summary.unmet.len(), "endpoint")));
        }
        if !summary.refused_logins.is_empty() {
            grounds.push("the account's login is refused".to_string());
        }
        for why in &summary.locked_out {
            grounds.push(why.short().to_string());
        }
        if summary.has_lost_cases() {
            let lost = summary.planned.abs_diff(summary.finished());
            grounds.push(format!("{} lost by a fault of loginspec", counted(lost, "case")));
        }
        if summary.interrupted {
            let left = summary.planned.saturating_sub(summary.finished());
            grounds.push(format!("interrupted with {left} not asked"));
        } else if summary.asked() == 0 {
            grounds.push("nothing was asked".to_string());
        }
        if summary.troubles().next().is_some() {
            grounds.push("a login that must work did not".to_string());
        }
        grounds
    }
}

/// A failed case decides; without one, whatever keeps the run from being complete makes it inconclusive.
fn run_verdict(summary: &Summary) -> RunVerdict {
    let count = |verdict| summary.count(verdict);
    if count(Verdict::Fail) + count(Verdict::Fixed) > 0 || !summary.unmet.is_empty() {
        RunVerdict::Failed
    } else if summary.is_success() && summary.asked() > 0 {
        RunVerdict::Passed
    } else {
        RunVerdict::Inconclusive
    }
}

fn cause_lines(causes: &[(&Cause, &CauseCases)]) -> Vec<String> {
    let line = |(cause, cases): &(&Cause, &CauseCases)| {
        let mark = if cause.is_security() { "SECURITY " } else { "" };
        let common = cases.common().map(|common| format!(" (all {common})")).unwrap_or_default();
        let cause = clip(&cause.to_string(), LINE_CHARACTERS);
        format!("{:>6}  {mark}{cause}{common}; {DIM}first {}{DIM:#}", cases.count, cases.first)
    };
    let mut lines: Vec<String> = causes.iter().take(SHOWN_CAUSES).map(line).collect();
    if let Some(rest) = causes.get(SHOWN_CAUSES..).filter(|rest| !rest.is_empty()) {
        let cases: usize = rest.iter().map(|(_, cases)| cases.count).sum();
        let (causes, cases) = (counted(rest.len(), "more cause"), counted(cases, "case"));
        lines.push(format!("        … {causes} with {cases}; --json has them all"));
    }
    lines
}

fn reason_lines(reasons: &Reasons, word: &str, style: anstyle::Style) -> Vec<String> {
    let by_number = reasons.by_number();
    // What a long reason adds in further lines has been told where it applies.
    let line = |(reason, number): &(&str, usize)| {
        format!("{style}{word} {number}{style:#}: {}", reason.lines().next().unwrap_or_default())
    };
    let mut lines: Vec<String> = by_number.iter().take(SHOWN_REASONS).map(line).collect();
    let rest = by_number.get(SHOWN_REASONS..).unwrap_or_default();
    let cases = reasons.further_cases + rest.iter().map(|(_, number)| number).sum::<usize>();
    if cases > 0 {
        lines.push(format!("{style}{word} {cases}{style:#}: … for further reasons; --json has them all"));
    }
    lines
}

/// Logins that must work and did not, and what else everybody who reads the results must know.
fn trouble_lines(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for sanity in summary.troubles() {
        let is_same = |other: &&Sanity| other.target == sanity.target && other.protocol == sanity.protocol;
        // What never worked has not stopped working.
        if sanity.is_last && summary.troubles().any(|other| !other.is_last && is_same(&other)) {
            continue;
        }
        let when = if sanity.is_last { "at the end" } else { "at the start" };
        let advice = if sanity.is_last {
            "the server no longer accepts a login that it accepted before: the account is locked, the server is \
             overloaded, or it broke during the run"
        } else {
            "what follows from it is no finding: check the accounts and the dialect first"
        };
        let trouble = sanity.trouble.as_deref().unwrap_or_default();
        lines.push(format!("{RED}{} {when}{RED:#}: {trouble}\n  {advice}", sanity.target));
    }
    if let Some(stopped) = summary.stopped {
        let left: usize = summary.left_out.iter().map(|left| left.cases).sum();
        lines.push(format!("{YELLOW}stopped{YELLOW:#} {stopped}: {} left out", counted(left, "case")));
        let of: Vec<String> = summary.left_out.iter().map(|left| format!("{} {}", left.scenario, left.cases)).collect();
        lines.push(format!("  {}", of.join(", ")));
    }
    lines.extend(summary.warnings.iter().map(|warning| format!("{YELLOW}warning{YELLOW:#}: {warning}")));
    lines
}

/// `3 passed, 1 failed`.
pub(super) fn totals(counts: &Counts) -> String {
    let words: Vec<String> = Verdict::ALL
        .iter()
        .zip(counts)
        .filter(|(_, number)| **number > 0)
        .map(|(verdict, number)| format!("{number} {}", participle(*verdict)))
        .collect();
    if words.is_empty() { "nothing".to_string() } else { words.join(", ") }
}

/// The word for a verdict in totals.
pub(in crate::report) const fn participle(verdict: Verdict) -> &'static str {
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
