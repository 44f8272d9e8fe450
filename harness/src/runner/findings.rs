//! Findings wait for their siblings: what went wrong is told together with the nearest combination that passed.
//!
//! Of what passed nothing is kept but an index, so only findings take memory, and of these a bounded number.

use std::collections::HashMap;

use super::event::{CaseReport, Sibling};
use super::plan::Planned;
use crate::scenario::{Case, Verdict};

/// How many findings wait at once. Beyond that the next is told at once, by what is known of its siblings.
const MOST_HELD: usize = 4096;
/// How many octets those take at most that wait: a server may say as much as it likes.
const MOST_HELD_OCTETS: usize = 8 << 20;

/// A case that is judged.
#[derive(Debug)]
pub(super) struct Settled {
    pub planned: Planned,
    pub report: CaseReport,
}

/// The groups that are not yet complete.
#[derive(Debug, Default)]
pub(super) struct Findings {
    groups: HashMap<(usize, usize, usize), Group>,
    held: usize,
    held_octets: usize,
}

/// The combinations of one `[[case]]`, put to one target.
#[derive(Debug, Default)]
struct Group {
    /// How many are still to come.
    outstanding: usize,
    asked: usize,
    /// Those that passed, as indices into the scenario's cases.
    passed: Vec<usize>,
    held: Vec<Settled>,
}

impl Findings {
    /// Counts the cases that will come.
    pub fn new<'p>(planned: impl Iterator<Item = &'p Planned>) -> Self {
        let mut groups: HashMap<_, Group> = HashMap::new();
        for planned in planned {
            groups.entry(planned.group()).or_default().outstanding += 1;
        }
        Self { groups, held: 0, held_octets: 0 }
    }

    /// Takes a case in; gives back what can be told now.
    pub fn take(&mut self, settled: Settled) -> Vec<CaseReport> {
        let key = settled.planned.group();
        let group = self.groups.entry(key).or_default();
        group.outstanding = group.outstanding.saturating_sub(1);
        let was_asked = settled.report.outcome.is_some() && settled.report.verdict != Verdict::Skip;
        group.asked += usize::from(was_asked);
        let mut told = Vec::new();
        match settled.report.verdict {
            Verdict::Fail | Verdict::Warn | Verdict::Known | Verdict::Error if was_asked => {
                self.held_octets += settled.report.size();
                group.held.push(settled);
                self.held += 1;
                if self.held > MOST_HELD || self.held_octets > MOST_HELD_OCTETS {
                    self.held -= group.held.len();
                    self.held_octets -= group.octets();
                    told.extend(group.release());
                }
            }
            Verdict::Pass => {
                group.passed.push(settled.planned.case);
                told.push(settled.report);
            }
            _ => told.push(settled.report),
        }
        if group.outstanding == 0
            && let Some(mut group) = self.groups.remove(&key)
        {
            self.held -= group.held.len();
            self.held_octets -= group.octets();
            told.extend(group.release());
        }
        told
    }

    /// Everything that still waits, told by what is known: the run has ended.
    pub fn rest(&mut self) -> Vec<CaseReport> {
        let mut groups: Vec<Group> = std::mem::take(&mut self.groups).into_values().collect();
        groups.iter_mut().flat_map(Group::release).collect()
    }
}

impl Group {
    fn octets(&self) -> usize {
        self.held.iter().map(|settled| settled.report.size()).sum()
    }

    fn release(&mut self) -> Vec<CaseReport> {
        // In the matrix's order, so that two runs tell the same whoever came first.
        self.passed.sort_unstable();
        self.held.sort_by_key(|settled| settled.planned.case);
        let held = std::mem::take(&mut self.held);
        held.into_iter()
            .map(|Settled { planned, mut report }| {
                report.sibling = nearest(&planned, &self.passed);
                report.combinations = self.asked;
                report
            })
            .collect()
    }
}

/// The one of `passed` that differs in the fewest axes; of several, the one that differs in the most telling ones.
fn nearest(planned: &Planned, passed: &[usize]) -> Option<Sibling> {
    let case = planned.case()?;
    let others = passed.iter().filter_map(|&index| planned.scenario.cases.get(index));
    let by_likeness = |other: &&Case| {
        let differing: Vec<usize> = (0..)
            .zip(axes(case).iter().zip(axes(other)))
            .filter(|(_, (one, another))| *one != another)
            .map(|(weight, _)| weight)
            .collect();
        (differing.len(), differing)
    };
    let other = others.min_by_key(by_likeness)?;
    let mut differs = Vec::new();
    let mut words = Vec::new();
    for (this, that) in axes(case).into_iter().zip(axes(other)).filter(|(this, that)| this != that) {
        differs.push(this.name);
        words.push(difference(this, that.value));
    }
    let what = if case.mechanism.is_some() { "login" } else { "dialogue" };
    let sentence = format!("the same {what} passes {} ({})", words.join(", "), other.id);
    Some(Sibling { id: other.id.clone(), differs, sentence })
}

/// One axis of a case.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Axis<'c> {
    name: &'static str,
    /// How a value of it is told.
    preposition: &'static str,
    value: Option<&'c str>,
}

/// The axes in which cases of one group can differ, the most telling first. An axis that is missing here is never
/// told.
fn axes(case: &Case) -> [Axis<'_>; 7] {
    let axis = |name, preposition, value| Axis { name, preposition, value };
    [
        axis("encoding", "as", case.encoding.map(|value| value.word())),
        axis("security", "over", case.security.map(|value| value.word())),
        axis("mechanism", "with", case.mechanism.map(|value| value.word())),
        axis("protocol", "over", Some(case.protocol.word())),
        axis("account", "for", Some(case.role.as_str())),
        axis("each", "with", case.each.as_deref()),
        axis("fault", "with the fault", case.fault.map(|value| value.word())),
    ]
}

fn difference(this: Axis<'_>, that: Option<&str>) -> String {
    let Axis { name, preposition, value } = this;
    match (that, value) {
        (Some(that), Some(this)) => format!("{preposition} `{that}` instead of `{this}`"),
        (Some(that), None) => format!("{preposition} `{that}`"),
        (None, Some(this)) => format!("without the {name} `{this}`"),
        (None, None) => String::new(),
    }
}
