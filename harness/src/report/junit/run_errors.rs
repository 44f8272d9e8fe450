//! What went wrong with the run as a whole, or with many of its cases for one reason: each is one error, whatever the
//! number of cases that it cost.

use std::collections::BTreeMap;

use crate::runner::{CaseReport, Summary, SurveyFacts};
use crate::scenario::Verdict;

/// How many cases are named that were not asked for one reason.
const NAMED: usize = 20;

/// The cases that were not asked, by target and reason.
#[derive(Debug, Default)]
pub(super) struct NotAsked(BTreeMap<(String, String), Cases>);

/// Cases that were not asked for one reason.
#[derive(Debug, Default)]
struct Cases {
    count: usize,
    /// The ids of the first [`NAMED`].
    ids: Vec<String>,
}

/// One error.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RunError {
    /// The target; none if the error is the run's own.
    pub target: Option<String>,
    /// What failed.
    pub name: String,
    /// Why, in one line.
    pub message: String,
    /// Why, with what to do about it, and which cases were not asked.
    pub text: String,
    /// Whether the server is at fault: a failure, and no error.
    pub is_failure: bool,
}

impl NotAsked {
    /// Takes in a case that could not be asked. Tells whether it is one: an error that has an outcome was asked.
    pub fn take(&mut self, case: &CaseReport) -> bool {
        if case.verdict != Verdict::Error || case.outcome.is_some() {
            return false;
        }
        let cases = self.0.entry((case.target.clone(), case.reason.clone())).or_default();
        cases.count += 1;
        if cases.ids.len() < NAMED {
            cases.ids.push(case.id.clone());
        }
        true
    }

    /// The errors of a run that has ended: per target one for all addresses that could not be reached and one for each
    /// other reason, and one for each sanity login that failed.
    pub fn errors(mut self, surveys: &[SurveyFacts], summary: &Summary) -> Vec<RunError> {
        let mut errors = Vec::new();
        let mut told: Vec<String> = Vec::new();
        for target in &summary.targets {
            errors.extend(self.unreachable(&target.name, surveys, &mut told));
        }
        for ((target, reason), cases) in self.0 {
            errors.push(RunError {
                target: Some(target),
                name: first_line(&reason),
                message: first_line(&reason),
                text: cases.text(&reason),
                is_failure: false,
            });
            told.push(reason);
        }
        for reason in summary.unreachable.iter().filter(|reason| !told.contains(reason)) {
            let message = first_line(reason);
            errors.push(RunError {
                target: None,
                name: message.clone(),
                message,
                text: reason.clone(),
                is_failure: false,
            });
        }
        for sanity in &summary.sanity {
            let Some(trouble) = &sanity.trouble else { continue };
            let when = if sanity.is_last { "last" } else { "first" };
            errors.push(RunError {
                target: Some(sanity.target.clone()),
                name: format!("sanity login over {} ({when})", sanity.protocol),
                message: first_line(trouble),
                text: trouble.clone(),
                is_failure: false,
            });
        }
        for refused in &summary.refused_logins {
            errors.push(RunError {
                target: Some(refused.target.clone()),
                name: format!("login as {}", refused.login),
                message: refused.to_string(),
                text: refused.next_steps().join("\n"),
                is_failure: false,
            });
        }
        for unmet in &summary.unmet {
            errors.push(RunError {
                target: Some(unmet.target.clone()),
                name: unmet.id(),
                message: unmet.to_string(),
                text: unmet.advice(),
                is_failure: true,
            });
        }
        if summary.interrupted {
            let message =
                format!("the run was interrupted: {} of {} cases have a verdict", summary.finished(), summary.planned);
            let name = "ask every case".to_string();
            errors.push(RunError { target: None, name, text: message.clone(), message, is_failure: false });
        }
        errors
    }

    /// The one error for all addresses of a target that could not be reached.
    fn unreachable(&mut self, target: &str, surveys: &[SurveyFacts], told: &mut Vec<String>) -> Option<RunError> {
        let (mut addresses, mut reasons, mut cases) = (Vec::new(), Vec::new(), Cases::default());
        for survey in surveys.iter().filter(|survey| survey.target == target) {
            let Some(reason) = &survey.unreachable else { continue };
            let not_asked = self.0.remove(&(target.to_string(), reason.clone()));
            cases.add(not_asked.unwrap_or_default());
            let address = format!("{} ({})", survey.address, survey.protocol);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
            if !reasons.contains(reason) {
                reasons.push(reason.clone());
            }
        }
        let message = first_line(reasons.first()?);
        let text = cases.text(&reasons.join("\n"));
        told.extend(reasons);
        Some(RunError {
            target: Some(target.to_string()),
            name: format!("reach {}", addresses.join(", ")),
            message,
            text,
            is_failure: false,
        })
    }
}

impl Cases {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.ids.extend(other.ids);
        self.ids.truncate(NAMED);
    }

    /// The reason, and the cases that were not asked because of it.
    fn text(&self, reason: &str) -> String {
        if self.count == 0 {
            return reason.to_string();
        }
        let cases = if self.count == 1 { "1 case was" } else { &format!("{} cases were", self.count) };
        let mut text = format!("{reason}\n{cases} not asked because of this:");
        for id in &self.ids {
            text.push_str(&format!("\n  {id}"));
        }
        if self.count > self.ids.len() {
            text.push_str(&format!("\n  and {} more", self.count - self.ids.len()));
        }
        text
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}
