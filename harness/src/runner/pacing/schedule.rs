//! The schedule of a run: which conversations are had, in which order, and which of them share a lockout budget.
//!
//! Conversations that cost no account a failed login run side by side. Those that do form one lane for each account, which
//! runs beside them with as many at once as the budget allows, so that a slow lane never holds up the others.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::accounts_at_risk::{accounts_at_risk, is_right};
use super::distribute::distribute;
use super::lockout_budget::AtRisk;
use super::priority::{Candidate, by_information};
use super::selection::select;
use crate::protocol::MarkedOctets;
use crate::runner::governor::{Gate, Governor};
use crate::runner::paired::FIRST_PAIRS;
use crate::runner::place::Place;
use crate::runner::plan::Planned;
use crate::runner::question::Request;
use crate::runner::resolved_case::{ResolvedCase, resolve};
use crate::runner::survey::Survey;
use crate::scenario::{Expectation, Expected, Judgement, Scenario};

/// Which part of a plan is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Every case; of those that cost an account failed logins the most informative ones.
    #[default]
    Default,
    /// Every case.
    Full,
    /// The most informative cases, at most 300, with few failed logins.
    Smoke,
}

/// A conversation to have, and the cases that it answers.
pub(in crate::runner) struct WorkItem {
    pub planned: Planned,
    /// More cases that send the same octets to the same endpoint: what is answered holds for them too.
    pub same_octets: Vec<Planned>,
    /// How many failed logins it costs, whatever the account.
    pub failures: u64,
    /// Whether a refusal is to be expected, which may take long.
    pub is_refusal: bool,
}

impl WorkItem {
    /// A conversation that answers one case.
    pub const fn of(planned: Planned) -> Self {
        Self { planned, same_octets: Vec::new(), failures: 0, is_refusal: false }
    }
}

/// Conversations that share a budget.
pub(in crate::runner) struct Lane {
    /// The account, as target and index into the target's directory; none where no account is at risk.
    pub account: Option<(usize, usize)>,
    pub items: Vec<WorkItem>,
}

/// What is asked, and what is not.
#[derive(Default)]
pub(in crate::runner) struct Schedule {
    /// The first lane is the one in which no account is at risk.
    pub lanes: Vec<Lane>,
    /// Comparisons of times, which nothing else may disturb: after everything else, one by one.
    pub quiet: Vec<WorkItem>,
    /// Cases that cannot be asked, each with the reason.
    pub not_asked: Vec<(Planned, Judgement)>,
    /// How many cases were left out because each costs an account a failed login.
    pub beyond_budget: usize,
    /// How many cases `--smoke` left out.
    pub beyond_smoke: usize,
}

/// A case that can be asked, with what the schedule needs to know of it.
pub(super) struct Entry {
    pub planned: Planned,
    pub place: Place,
    pub at_risk: Vec<AtRisk>,
    pub is_refusal: bool,
    pub is_comparison: bool,
    /// More cases that send the same octets to the same endpoint.
    pub same_octets: Vec<Planned>,
    /// What tells its octets from any other's; none if it has to be asked by itself.
    octets: Option<(u64, u64)>,
}

impl Entry {
    /// How many failed logins it costs.
    pub fn failures(&self) -> u64 {
        let failures: u64 = self.at_risk.iter().map(|risk| risk.failures).sum();
        if self.is_comparison { failures * FIRST_PAIRS as u64 } else { failures }
    }

    /// How many cases it answers.
    pub fn cases(&self) -> usize {
        1 + self.same_octets.len()
    }

    /// How much time it takes, in conversations that nothing delays.
    fn cost(&self) -> u64 {
        1 + 3 * self.failures()
    }
}

/// Puts a plan in order.
pub(in crate::runner) fn schedule(
    list: Vec<Planned>,
    governor: &Governor,
    survey: &Survey,
    extent: Extent,
    shares_answers: bool,
) -> Schedule {
    let mut schedule = Schedule::default();
    let mut entries = Vec::new();
    let keys = (RandomState::new(), RandomState::new());
    for planned in list {
        match resolve(&planned, governor, survey) {
            Ok(resolved) => {
                let gate = governor.gates.get(planned.target);
                entries.push(entry(planned, &resolved, gate, shares_answers, &keys));
            }
            Err(not_asked) => schedule.not_asked.push((planned, not_asked)),
        }
    }
    if extent == Extent::Smoke {
        // One case for each reason is enough to show that something is missing.
        let mut told = HashSet::new();
        let before = schedule.not_asked.len();
        schedule.not_asked.retain(|(_, not_asked)| told.insert(not_asked.reason.clone()));
        schedule.beyond_smoke += before - schedule.not_asked.len();
    }
    let candidates: Vec<Candidate<'_>> = entries.iter().map(candidate).collect();
    let order = by_information(&candidates);
    let mut entries: Vec<Option<Entry>> = entries.into_iter().map(Some).collect();
    let mut ordered = once_each(order.into_iter().filter_map(|index| entries.get_mut(index).and_then(Option::take)));
    distribute(&mut ordered, governor);
    let (kept, beyond_budget, beyond_extent) = select(ordered, governor, extent, schedule.not_asked.len());
    schedule.beyond_budget = beyond_budget;
    schedule.beyond_smoke += beyond_extent;
    schedule.fill_lanes(kept, governor);
    schedule
}

/// Puts cases that send the same octets together: one of them is asked.
fn once_each(entries: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::new();
    let mut by_octets: HashMap<(u64, u64), usize> = HashMap::new();
    for entry in entries {
        let known = entry.octets.and_then(|octets| by_octets.get(&octets)).and_then(|index| kept.get_mut(*index));
        if let Some(known) = known {
            known.same_octets.push(entry.planned);
            continue;
        }
        by_octets.extend(entry.octets.map(|octets| (octets, kept.len())));
        kept.push(entry);
    }
    kept
}

impl Schedule {
    fn fill_lanes(&mut self, entries: Vec<Entry>, governor: &Governor) {
        let mut at_no_risk = Lane { account: None, items: Vec::new() };
        let mut lanes: BTreeMap<(usize, usize), Lane> = BTreeMap::new();
        for entry in entries {
            let is_slow = governor.gates.get(entry.planned.target).is_some_and(Gate::is_slow);
            let account = entry.at_risk.first().map(|risk| (entry.planned.target, risk.account));
            let item = WorkItem {
                failures: entry.failures(),
                is_refusal: entry.is_refusal,
                planned: entry.planned,
                same_octets: entry.same_octets,
            };
            // Where a refusal takes long, other conversations make no difference to it.
            if entry.is_comparison && !is_slow {
                self.quiet.push(item);
                continue;
            }
            let lane = match account {
                Some(of) => lanes.entry(of).or_insert_with(|| Lane { account: Some(of), items: Vec::new() }),
                None => &mut at_no_risk,
            };
            lane.items.push(item);
        }
        for (&(target, _), lane) in &mut lanes {
            // A conversation that needs a whole budget shares no round with others: at the end it would be waited for alone.
            let limit = governor.gates.get(target).and_then(|gate| gate.lockout.limit()).unwrap_or(u64::MAX);
            lane.items.sort_by_key(|item| item.failures < limit);
        }
        self.lanes.push(at_no_risk);
        self.lanes.extend(lanes.into_values());
    }

    /// Every case that is asked, with those that share its answer.
    pub fn cases(&self) -> impl Iterator<Item = &Planned> {
        let items = self.lanes.iter().flat_map(|lane| &lane.items).chain(&self.quiet);
        items.flat_map(|item| std::iter::once(&item.planned).chain(&item.same_octets))
    }

    /// How many cases get a verdict.
    pub fn planned(&self) -> usize {
        self.cases().count() + self.not_asked.len()
    }

    /// How many cases of each scenario get a verdict, those of `[expect]` included, in the order of `scenarios`.
    pub fn scenarios(
        &self,
        scenarios: &[(Arc<Scenario>, usize)],
        expectations: &[Planned],
    ) -> Vec<(Arc<Scenario>, usize)> {
        let mut counts: HashMap<usize, usize> = HashMap::new();
        let not_asked = self.not_asked.iter().map(|(planned, _)| planned);
        for planned in self.cases().chain(not_asked).chain(expectations) {
            *counts.entry(Arc::as_ptr(&planned.scenario) as usize).or_default() += 1;
        }
        let counted = |(scenario, _): &(Arc<Scenario>, usize)| {
            Some((Arc::clone(scenario), counts.remove(&(Arc::as_ptr(scenario) as usize))?))
        };
        scenarios.iter().filter_map(counted).collect()
    }
}

fn entry(
    planned: Planned,
    resolved: &ResolvedCase,
    gate: Option<&Gate>,
    shares_answers: bool,
    keys: &(RandomState, RandomState),
) -> Entry {
    let ResolvedCase { question, place, .. } = resolved;
    let is_comparison = planned.case().is_some_and(|case| case.expectation == Expectation::Indistinguishable);
    let governed = gate.filter(|gate| !gate.is_idle());
    let at_risk = match governed {
        Some(gate) if !gate.lockout.is_unlimited() => accounts_at_risk(&gate.target, &question.request, planned.role()),
        _ => Vec::new(),
    };
    let is_refusal = governed.is_some_and(|gate| match &question.request {
        Request::Login(_) => !is_right(&gate.target, &gate.secrets, &question.request),
        Request::Dialogue(_) => !at_risk.is_empty(),
    });
    let octets = match &question.request {
        Request::Login(login)
            if shares_answers
                && governed.is_some()
                && !is_comparison
                && question.expected != Expected::FreshChallenge =>
        {
            let sent = (
                (place, login.mechanism, login.encoding, login.fault),
                (login.name.expose(), login.authzid.as_ref().map(MarkedOctets::expose), login.password.expose()),
                planned.case().filter(|_| resolved.shows_certificate).map(|_| planned.role()),
            );
            Some((keys.0.hash_one(sent), keys.1.hash_one(sent)))
        }
        _ => None,
    };
    Entry { place: *place, planned, at_risk, is_refusal, is_comparison, same_octets: Vec::new(), octets }
}

fn candidate(entry: &Entry) -> Candidate<'_> {
    Candidate { planned: &entry.planned, security: entry.place.2, cost: entry.cost() }
}
