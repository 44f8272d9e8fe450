//! Which cases are put to which targets, and in which order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::axes::Mechanism;
use crate::identity::{Access, Dialect};
use crate::scenario::{Case, Expectation, Scenario, Selection, reduce};

/// The most combinations of one `[[case]]` that are all tried: more are thinned out.
const ALL_TRIED: usize = 24;

/// A case, and the target to which it is put.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The case, as an index into the scenario's.
    pub case: usize,
    /// The target, as an index into those that the plan was made for.
    pub target: usize,
    /// The role that logs in instead of the case's own, where it makes no difference which of them does.
    pub(super) instead_of_role: Option<Arc<str>>,
}

/// Everything that is to be asked, in order: scenario by scenario, and within one target by target.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What is asked of whom.
    pub list: Vec<Planned>,
    /// How many combinations [`Plan::pairwise`] has left out, of the whole plan also where only a part is kept.
    pub left_out: usize,
    /// The facts of target files that are compared with what is observed of their servers.
    pub expectations: Vec<Planned>,
    /// Whether every server is observed, also where nothing is compared.
    pub observes: bool,
    /// Whether these are all cases that there are, so that what does not occur is gone.
    pub is_everything: bool,
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

    /// A case put to a target.
    pub const fn new(scenario: Arc<Scenario>, case: usize, target: usize) -> Self {
        Self { scenario, case, target, instead_of_role: None }
    }

    /// The role that logs in.
    pub fn role(&self) -> &str {
        match &self.instead_of_role {
            Some(role) => role,
            None => self.case().map_or("", |case| case.role.as_str()),
        }
    }

    /// What tells it from every other of a plan.
    pub(super) fn place(&self) -> (usize, usize, usize) {
        (Arc::as_ptr(&self.scenario) as usize, self.case, self.target)
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
    /// them, or, with `once`, to the plainest; what asks for a server that takes no password without TLS goes to such a
    /// one, where others are at hand as well. What a dialect does not speak or offer makes no sense there and is left
    /// out, unless a refusal is what the case expects, or a dialogue names the dialect.
    pub fn new(scenarios: &[Arc<Scenario>], dialects: &[Arc<Dialect>], selection: &Selection) -> Self {
        let mut list = Vec::new();
        for scenario in scenarios {
            for (target, dialect) in dialects.iter().enumerate() {
                let chosen = scenario.cases.iter().enumerate().filter(|(_, case)| {
                    selection.holds(&case.id)
                        && applies(scenario, case, dialect)
                        && is_for(scenario, case, target, dialects)
                });
                list.extend(chosen.map(|(case, _)| Planned::new(Arc::clone(scenario), case, target)));
            }
        }
        Self { list, ..Self::default() }
    }

    /// Leaves out what a sound reference server cannot be asked, for it offers what must be missing: the one that insists
    /// on TLS is asked that. A flawed server may hide what it takes, and is asked both.
    #[must_use]
    pub fn of_sound_servers(mut self, dialects: &[Arc<Dialect>]) -> Self {
        let is_strict = |target: usize| dialects.get(target).is_some_and(|dialect| dialect.requires_tls);
        if (0..dialects.len()).any(is_strict) {
            self.list
                .retain(|planned| is_strict(planned.target) || !planned.case().is_some_and(lacks_what_lax_ones_offer));
        }
        self
    }

    /// Leaves out combinations of large groups, so that every pair of values of two axes is tried still.
    ///
    /// A group is a `[[case]]`, and the targets are one more of its axes; where the scenario or the case names
    /// dialects, each target's combinations are a group. Where all must come to the `same`, those of one account,
    /// fault and value of `each` on one target are never left with one combination, as long as there are more.
    #[must_use]
    pub fn pairwise(mut self) -> Self {
        let mut groups: HashMap<(usize, usize, Option<usize>), Vec<usize>> = HashMap::new();
        for (index, planned) in self.list.iter().enumerate() {
            let Some(case) = planned.case() else { continue };
            let names_dialects = case.dialects.is_some() || planned.scenario.dialects.is_some();
            let scenario = Arc::as_ptr(&planned.scenario) as usize;
            groups.entry((scenario, case.group, names_dialects.then_some(planned.target))).or_default().push(index);
        }
        let mut is_kept = vec![true; self.list.len()];
        for group in groups.into_values().filter(|group| group.len() > ALL_TRIED) {
            let members: Vec<&Planned> = group.iter().filter_map(|&index| self.list.get(index)).collect();
            let chosen = thinned(&members);
            for (at, index) in group.iter().enumerate() {
                if let Some(is_kept) = is_kept.get_mut(*index) {
                    *is_kept = chosen.contains(&at);
                }
            }
        }
        let before = self.list.len();
        let mut is_kept = is_kept.into_iter();
        self.list.retain(|_| is_kept.next().unwrap_or(true));
        self.left_out += before - self.list.len();
        self
    }

    /// Keeps one part. Cases of one group stay together, since they may be judged against each other, and the parts
    /// do not depend on how many targets or jobs there are.
    #[must_use]
    pub fn shard(mut self, shard: Shard) -> Self {
        let mut groups = 0;
        let mut last: Option<(usize, usize, usize)> = None;
        // The server is observed once, whatever part a case is in.
        self.expectations.retain(|_| shard.part == 1);
        self.list.retain(|planned| {
            let scenario = Arc::as_ptr(&planned.scenario) as usize;
            let group = planned.case().map_or(0, |case| case.group);
            let key = Some((scenario, planned.target, group));
            if last != key {
                last = key;
                groups += 1;
            }
            (groups - 1) % shard.of == shard.part - 1
        });
        self
    }

    /// The targets that are observed, of so many.
    pub(super) fn observed_targets(&self, count: usize) -> Vec<usize> {
        let is_compared = |index: &usize| self.expectations.iter().any(|planned| planned.target == *index);
        (0..count).filter(|index| self.observes || is_compared(index)).collect()
    }

    /// How many cases of each scenario are planned, in order.
    pub fn scenarios(&self) -> Vec<(Arc<Scenario>, usize)> {
        let mut counts: Vec<(Arc<Scenario>, usize)> = Vec::new();
        for planned in self.expectations.iter().chain(&self.list) {
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

/// Whether a target is the one for a case, where several are at hand.
fn is_for(scenario: &Scenario, case: &Case, target: usize, dialects: &[Arc<Dialect>]) -> bool {
    let strict = dialects.iter().position(|dialect| dialect.requires_tls);
    let first_lax = dialects.iter().position(|dialect| !dialect.requires_tls);
    if scenario.once {
        // The one that takes names as they are, or the first.
        let plainest = dialects.iter().position(|dialect| dialect.name == "opaque").or(first_lax);
        let needs_strict = names(&case.needs, ["LOGINDISABLED", "LITERAL-"]);
        let is_the_one = Some(target) == if needs_strict { strict.or(plainest) } else { plainest.or(strict) };
        return is_the_one || lacks_what_lax_ones_offer(case) && Some(target) == strict;
    }
    // What does not care about TLS is asked where passwords may travel in the clear, too.
    first_lax.is_none() || dialects.get(target).is_some_and(|dialect| !dialect.requires_tls)
}

/// Whether a case is about what every sound server of ours offers that does not insist on TLS.
fn lacks_what_lax_ones_offer(case: &Case) -> bool {
    names(&case.lacks, ["AUTH=PLAIN", "USER"])
}

fn names(list: &[String], words: [&str; 2]) -> bool {
    list.iter().any(|word| words.contains(&word.as_str()))
}

/// Which members of a group are kept, by their places in it.
fn thinned(members: &[&Planned]) -> HashSet<usize> {
    let mut words = Words::default();
    let rows: Vec<Vec<usize>> = members.iter().map(|planned| row(planned, &mut words)).collect();
    let mut chosen: HashSet<usize> = reduce(&rows).into_iter().collect();
    let is_same = |planned: &&Planned| planned.case().is_some_and(|case| case.expectation == Expectation::Same);
    if members.first().is_some_and(is_same) {
        let mut classes: HashMap<[usize; 4], Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            if let [account, .., fault, each, target] = row[..] {
                classes.entry([account, fault, each, target]).or_default().push(at);
            }
        }
        for class in classes.values() {
            // One alone would be compared with nothing.
            if class.iter().filter(|at| chosen.contains(at)).count() == 1 {
                let another = class.iter().copied().find(|at| !chosen.contains(at));
                chosen.extend(another);
            }
        }
    }
    chosen
}

/// Numbers for the words of open axes.
#[derive(Default)]
struct Words<'w>(HashMap<&'w str, usize>);

impl<'w> Words<'w> {
    fn number(&mut self, word: &'w str) -> usize {
        let next = self.0.len();
        *self.0.entry(word).or_insert(next)
    }
}

/// A combination as numbers: account, protocol, mechanism, encoding, security, fault, each, target.
fn row<'p>(planned: &'p Planned, words: &mut Words<'p>) -> Vec<usize> {
    let Some(case) = planned.case() else { return Vec::new() };
    vec![
        words.number(&case.role),
        case.protocol as usize,
        case.mechanism.map_or(0, |value| value as usize + 1),
        case.encoding.map_or(0, |value| value as usize + 1),
        case.security.map_or(0, |value| value as usize + 1),
        case.fault.map_or(0, |value| value as usize + 1),
        case.each.as_deref().map_or(0, |word| words.number(word) + 1),
        planned.target,
    ]
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

    /// 2 protocols, 2 mechanisms, 33 octets, and two targets.
    fn many(head: &str, expect: &str) -> Plan {
        let text = format!(
            "title = 'x'\ncites = ['y']\n{head}\n[matrix]\nmechanism = ['login', 'plain']\neach = 'specials'\n\
             [[case]]\nid = 'many'\nlogin = 'a{{each}}'\nexpect = {expect}\n"
        );
        let dialects = ["exchange-5.5", "exchange-2003"];
        let vocabulary = Vocabulary {
            roles: vec!["same".to_string()],
            dialects: dialects.iter().map(ToString::to_string).collect(),
        };
        let scenario = read_scenario("x", &SourceText::new("x.toml", text), &vocabulary).unwrap();
        let dialects = dialects.map(|name| Arc::new(bundled_dialect(name).unwrap().unwrap()));
        Plan::new(&[Arc::new(scenario)], &dialects, &Selection::default())
    }

    #[test]
    fn large_groups_are_thinned_out() {
        let full = many("", "'rejected'");
        assert_eq!((full.list.len(), full.left_out), (264, 0));
        let plan = full.pairwise();
        assert_eq!(plan.list.len() + plan.left_out, 264);
        // Every octet with every protocol, mechanism and target, and with each of three ways to spell it.
        assert!((99..110).contains(&plan.list.len()), "{}", plan.list.len());
        // A small group is left as it is.
        assert_eq!(planned("exchange-5.5").pairwise().left_out, 0);
    }

    #[test]
    fn where_dialects_are_named_each_has_its_own() {
        let plan = many("dialects = ['exchange-5.5', 'exchange-2003']", "'rejected'").pairwise();
        for target in 0..2 {
            let count = plan.list.iter().filter(|planned| planned.target == target).count();
            assert!((99..110).contains(&count), "{count}");
        }
    }

    #[test]
    fn what_must_be_the_same_keeps_something_to_compare() {
        let plan = many("", "'same'").pairwise();
        assert!(plan.left_out > 50, "{}", plan.left_out);
        let mut classes: HashMap<(Option<String>, usize), usize> = HashMap::new();
        for planned in &plan.list {
            *classes.entry((planned.case().unwrap().each.clone(), planned.target)).or_default() += 1;
        }
        assert!(classes.len() == 66 && classes.values().all(|&count| count >= 2), "{classes:?}");
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
