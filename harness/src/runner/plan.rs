//! Which cases are put to which targets, and in which order.

use std::sync::Arc;

use crate::axes::Mechanism;
use crate::identity::{Access, Dialect};
use crate::scenario::{Case, Expectation, Scenario, Selection};

/// A case, and the target to which it is put.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The case, as an index into the scenario's.
    pub case: usize,
    /// The target, as an index into those that the plan was made for.
    pub target: usize,
}

/// Everything that is to be asked, in order: scenario by scenario, and within one target by target.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What is asked of whom.
    pub list: Vec<Planned>,
}

/// One of several parts of a plan, to be run elsewhere at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub part: usize,
    /// Of how many.
    pub of: usize,
}

impl Planned {
    /// The case.
    pub fn case(&self) -> Option<&Case> {
        self.scenario.cases.get(self.case)
    }

    /// Whether other conversations at the same time would disturb the measurement.
    pub(super) fn wants_quiet(&self) -> bool {
        self.case().is_some_and(|case| case.expectation == Expectation::Indistinguishable)
    }

    /// What the combinations of one `[[case]]`, put to one target, have in common and no other case has.
    pub(super) fn group(&self) -> (usize, usize, usize) {
        let group = self.case().map_or(0, |case| case.group);
        (Arc::as_ptr(&self.scenario) as usize, group, self.target)
    }
}

impl Plan {
    /// Plans the chosen cases of each scenario for each dialect to which they apply.
    ///
    /// `dialects` are those of the targets, in order. A scenario that leaves its dialects out applies to each of
    /// them, or, with `once`, to the plainest. What a dialect does not speak or offer makes no sense there and is left out, unless a refusal is what
    /// the case expects, or a dialogue names the dialect.
    pub fn new(scenarios: &[Arc<Scenario>], dialects: &[Arc<Dialect>], selection: &Selection) -> Self {
        let mut list = Vec::new();
        for scenario in scenarios {
            let only = if scenario.once { plainest(dialects) } else { None };
            for (target, dialect) in dialects.iter().enumerate() {
                if only.is_some_and(|only| only != target) {
                    continue;
                }
                let chosen = scenario
                    .cases
                    .iter()
                    .enumerate()
                    .filter(|(_, case)| selection.holds(&case.id) && applies(scenario, case, dialect));
                list.extend(chosen.map(|(case, _)| Planned { scenario: Arc::clone(scenario), case, target }));
            }
        }
        Self { list }
    }

    /// Keeps one part. Cases of one group stay together, since they may be judged against each other, and the parts
    /// do not depend on how many targets or jobs there are.
    #[must_use]
    pub fn shard(self, shard: Shard) -> Self {
        let mut groups = 0;
        let mut last: Option<(usize, usize, usize)> = None;
        let mut list = self.list;
        list.retain(|planned| {
            let scenario = Arc::as_ptr(&planned.scenario) as usize;
            let group = planned.case().map_or(0, |case| case.group);
            let key = Some((scenario, planned.target, group));
            if last != key {
                last = key;
                groups += 1;
            }
            (groups - 1) % shard.of == shard.part - 1
        });
        Self { list }
    }

    /// Puts last what is asked one by one, in quiet: cases that take the time. The order is kept otherwise.
    #[must_use]
    pub(super) fn quiet_last(self) -> Self {
        let (quiet, loud): (Vec<Planned>, Vec<Planned>) = self.list.into_iter().partition(Planned::wants_quiet);
        Self { list: loud.into_iter().chain(quiet).collect() }
    }

    /// How many cases of each scenario are planned, in order.
    pub fn scenarios(&self) -> Vec<(Arc<Scenario>, usize)> {
        let mut counts: Vec<(Arc<Scenario>, usize)> = Vec::new();
        for planned in &self.list {
            match counts.last_mut() {
                Some((scenario, count)) if Arc::ptr_eq(scenario, &planned.scenario) => *count += 1,
                _ => counts.push((Arc::clone(&planned.scenario), 1)),
            }
        }
        counts
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((part, of)) if part >= 1 && part <= of => Ok(Self { part, of }),
            _ => Err(format!("`{text}` is not a part such as 2/5: K/N with K from 1 to N")),
        }
    }
}

/// The dialect for what one dialect is enough for: the one that takes names as they are, or the first.
fn plainest(dialects: &[Arc<Dialect>]) -> Option<usize> {
    dialects.iter().position(|dialect| dialect.name == "opaque").or((!dialects.is_empty()).then_some(0))
}

fn applies(scenario: &Scenario, case: &Case, dialect: &Dialect) -> bool {
    // A protocol that the dialect does not speak makes no sense there, so it is left out of the product.
    if !dialect.protocols.contains(&case.protocol) {
        return false;
    }
    let named = case.dialects.as_ref().or(scenario.dialects.as_ref());
    if named.is_some_and(|names| !names.contains(&dialect.name)) {
        return false;
    }
    // A server that does not offer a mechanism can only be expected to refuse it.
    let refusal = matches!(case.expectation, Expectation::Refused | Expectation::Safe | Expectation::Dialect);
    let mechanism = case.mechanism.unwrap_or(Mechanism::Login);
    dialect.offers(Access { protocol: case.protocol, mechanism })
        || refusal
        || (case.mechanism.is_none() && named.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::bundled_dialect;
    use crate::scenario::{Vocabulary, read_scenario};
    use crate::source::SourceText;

    const TEXT: &str = "title = 'x'\ncites = ['y']\n[matrix]\nmechanism = ['login', 'plain']\n[[case]]\nid = 'opens'\n\
                        account = 'same'\nlogin = 'a'\nexpect = { opens = 'a' }\n[[case]]\nid = 'refused'\n\
                        account = 'same'\nlogin = 'a'\nexpect = 'refused'\n";

    fn planned(dialect: &str) -> Plan {
        let vocabulary = Vocabulary { roles: vec!["same".to_string()], dialects: Vec::new() };
        let scenario = read_scenario("x", &SourceText::new("x.toml", TEXT), &vocabulary).unwrap();
        let dialect = Arc::new(bundled_dialect(dialect).unwrap().unwrap());
        Plan::new(&[Arc::new(scenario)], &[dialect], &Selection::default())
    }

    fn ids(plan: &Plan) -> Vec<String> {
        plan.list.iter().map(|planned| planned.case().unwrap().id.clone()).collect()
    }

    #[test]
    fn what_a_dialect_lacks_is_left_out_unless_a_refusal_is_expected() {
        assert_eq!(ids(&planned("exchange-5.5")).len(), 8);
        assert!(ids(&planned("exchange-5.0")).iter().all(|id| id.contains("pop3")));
        let online = ids(&planned("exchange-online"));
        assert!(online.len() == 4 && online.iter().all(|id| id.starts_with("x/refused")), "{online:?}");
    }

    #[test]
    fn once_takes_one_dialect() {
        let text = format!("once = true\n{TEXT}");
        let vocabulary = Vocabulary { roles: vec!["same".to_string()], dialects: Vec::new() };
        let scenario = Arc::new(read_scenario("x", &SourceText::new("x.toml", text), &vocabulary).unwrap());
        let targets = |names: &[&str]| -> Vec<usize> {
            let dialects: Vec<_> = names.iter().map(|name| Arc::new(bundled_dialect(name).unwrap().unwrap())).collect();
            let plan = Plan::new(std::slice::from_ref(&scenario), &dialects, &Selection::default());
            plan.list.iter().map(|planned| planned.target).collect()
        };
        assert_eq!(targets(&["dovecot", "opaque", "cyrus"]), [1; 8]);
        assert_eq!(targets(&["dovecot", "cyrus"]), [0; 8]);
    }

    #[test]
    fn a_shard_keeps_siblings_together() {
        let parts: Vec<Vec<String>> =
            (1..=2).map(|part| ids(&planned("exchange-5.5").shard(Shard { part, of: 2 }))).collect();
        assert!(parts[0].len() == 4 && parts[0].iter().all(|id| id.starts_with("x/opens")), "{parts:?}");
        assert!(parts[1].len() == 4 && parts[1].iter().all(|id| id.starts_with("x/refused")), "{parts:?}");
    }
}
