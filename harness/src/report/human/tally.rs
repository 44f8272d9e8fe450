//! Counts of a run: verdicts by area, cases by cause, and reasons by how many cases have them.

use std::collections::BTreeMap;

use super::clip::{LINE_CHARACTERS, clip};
use crate::report::cause::Cause;
use crate::report::replay::Replay;
use crate::runner::CaseReport;
use crate::scenario::Verdict;

/// How many cases got each verdict, in the order of [`Verdict::ALL`].
pub(super) type Counts = [usize; Verdict::ALL.len()];

/// How many causes are told apart; cases of further ones are only counted.
const CAUSES: usize = 1000;
/// How many different reasons are told apart.
const REASONS: usize = 1000;

/// Adds one case to counts.
pub(super) fn count(counts: &mut Counts, verdict: Verdict) {
    if let Some(number) = counts.get_mut(verdict as usize) {
        *number += 1;
    }
}

/// How many cases got a verdict.
pub(super) fn number_of(counts: &Counts, verdict: Verdict) -> usize {
    counts.get(verdict as usize).copied().unwrap_or_default()
}

/// The area of a scenario: the first part of its id, which is the folder that holds its file.
pub(super) fn area(scenario_id: &str) -> &str {
    scenario_id.split_once('/').map_or(scenario_id, |(area, _)| area)
}

/// Cases by cause.
#[derive(Default)]
pub(super) struct Causes {
    pub known: BTreeMap<Cause, CauseCases>,
    /// How many cases have causes beyond those.
    pub further_cases: usize,
}

/// The cases of one cause.
pub(super) struct CauseCases {
    pub count: usize,
    /// The id of the first one, its login name in the notation for octets, and the command that asks it again.
    pub first: String,
    pub login: Option<String>,
    pub replay: String,
    common: Common,
}

/// The words for protocol, mechanism and encoding, as far as all cases of a cause have the same.
type Common = [Option<&'static str>; 3];

impl Causes {
    /// Counts a case, if it has a cause.
    pub fn add(&mut self, case: &CaseReport, replay: &Replay) {
        let Some(cause) = Cause::of(case) else { return };
        if let Some(known) = self.known.get_mut(&cause) {
            known.count += 1;
            for (common, word) in known.common.iter_mut().zip(carrier(case)) {
                *common = common.filter(|_| *common == word);
            }
        } else if self.known.len() < CAUSES {
            let cases = CauseCases {
                count: 1,
                first: case.id.clone(),
                login: case.login.clone(),
                replay: replay.command(case),
                common: carrier(case),
            };
            self.known.insert(cause, cases);
        } else {
            self.further_cases += 1;
        }
    }

    /// The causes of cases with these verdicts, the most severe first, and of equally severe ones the most frequent.
    pub fn with(&self, verdicts: &[Verdict]) -> Vec<(&Cause, &CauseCases)> {
        let chosen = self.known.iter().filter(|(cause, _)| verdicts.contains(&cause.verdict));
        let mut causes: Vec<(&Cause, &CauseCases)> = chosen.collect();
        causes.sort_by(|(a, of_a), (b, of_b)| a.rank().cmp(&b.rank()).then(of_b.count.cmp(&of_a.count)));
        causes
    }
}

impl CauseCases {
    /// What all cases have in common, where that tells anything: `imap plain`.
    pub fn common(&self) -> Option<String> {
        let words: Vec<&str> = self.common.into_iter().flatten().collect();
        (self.count > 1 && !words.is_empty()).then(|| words.join(" "))
    }
}

fn carrier(case: &CaseReport) -> Common {
    let mechanism = case.mechanism.map(|mechanism| mechanism.word());
    [Some(case.protocol.word()), mechanism, case.encoding.map(|encoding| encoding.word())]
}

/// Reasons, and how many cases have each.
#[derive(Default)]
pub(super) struct Reasons {
    known: BTreeMap<String, usize>,
    /// How many cases have reasons beyond those.
    pub further_cases: usize,
}

impl Reasons {
    /// Counts a reason.
    pub fn add(&mut self, reason: &str) {
        let reason = clip(reason, LINE_CHARACTERS);
        if let Some(number) = self.known.get_mut(&reason) {
            *number += 1;
        } else if self.known.len() < REASONS {
            self.known.insert(reason, 1);
        } else {
            self.further_cases += 1;
        }
    }

    /// Takes a reason out, with how many cases have it.
    pub fn take(&mut self, reason: &str) -> Option<usize> {
        self.known.remove(&clip(reason, LINE_CHARACTERS))
    }

    /// The most frequent reasons first.
    pub fn by_number(&self) -> Vec<(&str, usize)> {
        let mut reasons: Vec<(&str, usize)> = self.known.iter().map(|(reason, number)| (&**reason, *number)).collect();
        reasons.sort_by(|(_, a), (_, b)| b.cmp(a));
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_the_folder_of_a_scenario() {
        assert_eq!(area("exchange/kb-q184463"), "exchange");
        assert_eq!(area("own"), "own");
    }

    #[test]
    fn the_most_frequent_reason_comes_first() {
        let mut reasons = Reasons::default();
        ["a", "b", "b"].into_iter().for_each(|reason| reasons.add(reason));
        assert_eq!(reasons.by_number(), [("b", 2), ("a", 1)]);
        assert_eq!((reasons.take("b"), reasons.take("b")), (Some(2), None));
    }

    #[test]
    fn reasons_are_bounded_in_number_and_length() {
        let mut reasons = Reasons::default();
        for number in 0..REASONS + 5 {
            reasons.add(&format!("{number}{}", "x".repeat(100_000)));
        }
        assert_eq!((reasons.known.len(), reasons.further_cases), (REASONS, 5));
        assert!(reasons.known.keys().all(|reason| reason.chars().count() < LINE_CHARACTERS + 40));
    }
}
