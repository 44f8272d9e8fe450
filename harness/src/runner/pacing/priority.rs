//! The order of cases by what they add: each next case covers the most clauses, carriers, forms and other properties that
//! no case before it covers, for what it costs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::Hash;

use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};
use crate::runner::plan::Planned;

/// A case that can be asked, and its price.
pub(super) struct Candidate<'p> {
    pub planned: &'p Planned,
    pub security: Security,
    /// How much time it takes, in conversations that nothing delays.
    pub cost: u64,
}

/// A property of a case that is worth covering once.
#[derive(PartialEq, Eq, Hash)]
enum Property<'p> {
    Clause(&'p str),
    Scenario(usize),
    /// The `[[case]]` of a scenario.
    Group(usize, usize),
    Form(&'p str),
    Mechanism(Protocol, Option<Mechanism>, Security),
    /// Protocol, mechanism and encoding.
    Carrier(Protocol, Option<Mechanism>, Option<Encoding>),
    Fault(Fault, Option<Mechanism>),
    Role(&'p str),
    /// The value of `each` in a `[[case]]`.
    Each(usize, usize, &'p str),
}

/// The indices of the candidates, the most informative first. The order is the same in every run.
pub(super) fn by_information(candidates: &[Candidate<'_>]) -> Vec<usize> {
    let mut numbers: HashMap<Property<'_>, usize> = HashMap::new();
    let mut weights = Vec::new();
    let properties: Vec<Vec<usize>> =
        candidates.iter().map(|candidate| numbered(candidate, &mut numbers, &mut weights)).collect();
    let mut covered = HashSet::new();
    let gain = |index: usize, covered: &HashSet<usize>| -> u64 {
        let (Some(properties), Some(candidate)) = (properties.get(index), candidates.get(index)) else { return 0 };
        let new = properties.iter().filter(|number| !covered.contains(*number));
        let weight: u64 = new.filter_map(|&number| weights.get(number)).sum();
        // Scaled, so that the division by the price keeps small differences apart.
        weight * 1000 / candidate.cost.max(1)
    };
    // A gain only ever falls, so the greatest known gain is an upper bound, and most are never computed again.
    // Of cases that add as much, no scenario comes before another: a fixed shuffle takes from each of them.
    let mut shuffled: Vec<usize> = (0..candidates.len()).collect();
    shuffled.sort_by_key(|&index| (fixed_hash(candidates.get(index)), index));
    let mut waiting: BinaryHeap<(u64, Reverse<usize>)> =
        shuffled.iter().enumerate().map(|(rank, &index)| (gain(index, &covered), Reverse(rank))).collect();
    let mut order = Vec::with_capacity(candidates.len());
    while let Some((known, Reverse(rank))) = waiting.pop() {
        let Some(&index) = shuffled.get(rank) else { continue };
        let now = gain(index, &covered);
        if now < known {
            waiting.push((now, Reverse(rank)));
            continue;
        }
        covered.extend(properties.get(index).into_iter().flatten().copied());
        order.push(index);
    }
    order
}

/// The numbers of a candidate's properties; a property that is new gets the next number, and its weight.
fn numbered<'p>(
    candidate: &Candidate<'p>,
    numbers: &mut HashMap<Property<'p>, usize>,
    weights: &mut Vec<u64>,
) -> Vec<usize> {
    let mut number = |(property, weight)| {
        *numbers.entry(property).or_insert_with(|| {
            weights.push(weight);
            weights.len() - 1
        })
    };
    properties(candidate).into_iter().map(&mut number).collect()
}

fn properties<'p>(candidate: &Candidate<'p>) -> Vec<(Property<'p>, u64)> {
    let planned = candidate.planned;
    let Some(case) = planned.case() else { return Vec::new() };
    let scenario = std::sync::Arc::as_ptr(&planned.scenario) as usize;
    let mut properties = vec![
        (Property::Scenario(scenario), 30),
        (Property::Group(scenario, case.group), 40),
        (Property::Mechanism(case.protocol, case.mechanism, candidate.security), 30),
        (Property::Carrier(case.protocol, case.mechanism, case.encoding), 30),
        (Property::Role(planned.role()), 20),
    ];
    properties.extend(case.cites.iter().map(|clause| (Property::Clause(clause), 40)));
    properties.extend(case.form.as_deref().map(|form| (Property::Form(form), 40)));
    properties.extend(case.fault.map(|fault| (Property::Fault(fault, case.mechanism), 10)));
    // Letters and digits are alike to a parser, all other octets may have a meaning.
    let weight = |each: &str| if is_letter_or_digit(each) { 3 } else { 6 };
    properties.extend(case.each.as_deref().map(|each| (Property::Each(scenario, case.group, each), weight(each))));
    properties
}

/// Whether the word of a value of `each` stands for one letter or digit, as in `x41`.
fn is_letter_or_digit(each: &str) -> bool {
    let octet = each.strip_prefix('x').filter(|digits| digits.len() == 2);
    let octet = octet.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    octet.is_some_and(|octet| octet.is_ascii_alphanumeric())
}

/// A hash of a case's id that never changes (FNV-1a).
fn fixed_hash(candidate: Option<&Candidate<'_>>) -> u64 {
    let id = candidate.and_then(|candidate| candidate.planned.case()).map_or("", |case| case.id.as_str());
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::{Vocabulary, read_scenario};
    use crate::source::SourceText;

    fn order(text: &str, costs: &[u64]) -> Vec<String> {
        let vocabulary = Vocabulary { roles: vec!["same".to_string()], dialects: Vec::new() };
        let scenario = Arc::new(read_scenario("x", &SourceText::new("x.toml", text), &vocabulary).unwrap());
        let planned: Vec<Planned> =
            (0..scenario.cases.len()).map(|case| Planned::new(Arc::clone(&scenario), case, 0)).collect();
        let candidate = |(index, planned)| {
            let cost = costs.get(index).copied().unwrap_or(1);
            Candidate { planned, security: Security::Tls, cost }
        };
        let candidates: Vec<Candidate<'_>> = planned.iter().enumerate().map(candidate).collect();
        let order = by_information(&candidates);
        order.into_iter().map(|index| scenario.cases[index].id.clone()).collect()
    }

    #[test]
    fn a_case_with_new_properties_comes_before_one_like_those_before() {
        let text = "title = 'x'\n[matrix]\nprotocol = ['pop3']\n\
                    [[case]]\nid = 'a'\ncites = ['y']\nmechanism = ['login', 'plain']\nlogin = 'a'\nexpect = 'rejected'\n\
                    [[case]]\nid = 'b'\ncites = ['z']\nlogin = 'a'\nexpect = 'rejected'\n";
        // The second mechanism is worth less than another case with another clause, which comes before one of the two.
        let order = order(text, &[]);
        let place = |id: &str| order.iter().position(|other| other == id).unwrap();
        assert!(place("x/b[pop3,login]") < place("x/a[pop3,login]").max(place("x/a[pop3,plain]")), "{order:?}");
    }

    #[test]
    fn what_costs_more_comes_later() {
        let text = "title = 'x'\ncites = ['y']\n[matrix]\nprotocol = ['imap', 'pop3']\n\
                    [[case]]\nid = 'a'\nlogin = 'a'\nexpect = 'rejected'\n";
        assert_eq!(order(text, &[1, 9]), ["x/a[imap,login]", "x/a[pop3,login]"]);
        assert_eq!(order(text, &[9, 1]), ["x/a[pop3,login]", "x/a[imap,login]"]);
    }
}
