//! Which cases run: the most informative ones that the lockout budgets and the extent of the run have room for.

use std::collections::{HashMap, HashSet};

use super::schedule::{Entry, Extent};
use crate::axes::Fault;
use crate::runner::governor::Governor;
use crate::runner::paired::FIRST_PAIRS;
use crate::scenario::Expectation;

/// How many cases `--smoke` runs at most.
const SMOKE_CASES: usize = 300;
/// How many times `--smoke` uses up the lockout budget of an account at most: half a minute at 2 s for each refusal.
const SMOKE_ROUNDS: u64 = 12;
/// How many times a run without `--full` does: less than five minutes at 4 s for each refusal.
const DEFAULT_ROUNDS: u64 = 50;

/// What cases that are judged by each other have in common: scenario, group and target, and where all must have the same
/// outcome, account, fault and value of `each`.
type JointKey<'e> = (usize, usize, usize, Option<(&'e str, Option<Fault>, Option<&'e str>)>);

/// Keeps the first entries of an order that fit; tells how many cases were left out because an account's failed logins are
/// used up, and how many because a smoke run has no room for them. `skipped` are cases that the run reports as skipped.
pub(super) fn select(
    entries: Vec<Entry>,
    governor: &Governor,
    extent: Extent,
    skipped: usize,
) -> (Vec<Entry>, usize, usize) {
    let (most_cases, rounds) = match extent {
        Extent::Full => return (entries, 0, 0),
        Extent::Default => (usize::MAX, DEFAULT_ROUNDS),
        Extent::Smoke => (SMOKE_CASES, SMOKE_ROUNDS),
    };
    let mut groups: HashMap<JointKey<'_>, Vec<usize>> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Some(key) = joint_key(entry) {
            groups.entry(key).or_default().push(index);
        }
    }
    let mut chosen: HashSet<usize> = HashSet::new();
    let mut cases = skipped;
    let (mut beyond_budget, mut beyond_extent) = (0, 0);
    let mut failures: HashMap<(usize, usize), u64> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if chosen.contains(&index) {
            continue;
        }
        // One case alone has nothing to be compared with.
        let group = joint_key(entry)
            .and_then(|key| groups.get(&key))
            .filter(|group| group.len() > 1 && !group.iter().any(|member| chosen.contains(member)));
        let other = group.and_then(|group| group.iter().copied().find(|member| *member != index));
        let unit: Vec<usize> = std::iter::once(index).chain(other).collect();
        let of_unit = || unit.iter().filter_map(|index| entries.get(*index));
        let wanted: usize = of_unit().map(Entry::cases).sum();
        let after = with_failures(&failures, of_unit());
        let fits_budget = after.iter().all(|((target, _), failures)| {
            let limit = governor.gates.get(*target).and_then(|gate| gate.lockout.limit());
            limit.is_none_or(|limit| *failures <= limit.saturating_mul(rounds))
        });
        if !fits_budget {
            beyond_budget += entry.cases();
        } else if cases + wanted > most_cases {
            beyond_extent += entry.cases();
        } else {
            failures = after;
            cases += wanted;
            chosen.extend(unit);
        }
    }
    let kept = entries.into_iter().enumerate().filter(|(index, _)| chosen.contains(index)).map(|(_, entry)| entry);
    (kept.collect(), beyond_budget, beyond_extent)
}

/// The failed logins of each account, by target and account, with those of these entries.
fn with_failures<'e>(
    failures: &HashMap<(usize, usize), u64>,
    entries: impl Iterator<Item = &'e Entry>,
) -> HashMap<(usize, usize), u64> {
    let mut after = failures.clone();
    for entry in entries {
        let times = if entry.is_comparison { FIRST_PAIRS as u64 } else { 1 };
        for risk in &entry.at_risk {
            *after.entry((entry.planned.target, risk.account)).or_default() += risk.failures * times;
        }
    }
    after
}

/// The key of a case that is judged by others; none for any other case.
fn joint_key(entry: &Entry) -> Option<JointKey<'_>> {
    let planned = &entry.planned;
    let case = planned.case().filter(|case| case.expectation.is_joint())?;
    let (scenario, group, target) = planned.group();
    let identity = (case.expectation == Expectation::Same).then(|| (planned.role(), case.fault, case.each.as_deref()));
    Some((scenario, group, target, identity))
}
