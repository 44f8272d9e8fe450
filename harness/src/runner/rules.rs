//! Which clauses a plan claims to test, and which values of two axes it tries together.

use std::collections::{BTreeMap, HashMap};

use super::plan::{Plan, Planned};
use crate::scenario::Case;

/// A clause of a rule, and the cases that rest on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// The clause as it is cited: `RFC 9051 §6.2.3`.
    pub clause: String,
    /// How many planned cases rest on it.
    pub cases: usize,
    /// The scenarios and cases, without what tells combinations apart, in the plan's order.
    pub ids: Vec<String>,
}

/// Two axes, and how many planned cases there are for each two of their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisPair {
    /// The axes' names.
    pub axes: (&'static str, &'static str),
    /// The values' words, and the number of cases, in the order of the axes' words.
    pub counts: Vec<((&'static str, &'static str), usize)>,
}

/// What stands for an axis that a case does not have.
const NONE: &str = "-";

/// A name of an axis, and a case's value on it: its place in the axis's order, and its word.
type Axis = (&'static str, fn(&Case) -> (usize, &'static str));

const AXES: [Axis; 5] = [
    ("protocol", |case| (case.protocol as usize + 1, case.protocol.word())),
    ("mechanism", |case| case.mechanism.map_or((0, NONE), |value| (value as usize + 1, value.word()))),
    ("encoding", |case| case.encoding.map_or((0, NONE), |value| (value as usize + 1, value.word()))),
    ("security", |case| case.security.map_or((0, NONE), |value| (value as usize + 1, value.word()))),
    ("fault", |case| case.fault.map_or((0, NONE), |value| (value as usize + 1, value.word()))),
];

/// The clauses that a plan's cases cite: RFCs by number and section, then Microsoft's articles, CVEs, and the rest.
pub fn clauses(plan: &Plan) -> Vec<Clause> {
    let mut found: Vec<Clause> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for case in plan.list.iter().filter_map(Planned::case) {
        let id = case.id.split('[').next().unwrap_or_default();
        for cite in &case.cites {
            let place = *places.entry(cite).or_insert_with(|| {
                found.push(Clause { clause: cite.clone(), cases: 0, ids: Vec::new() });
                found.len() - 1
            });
            let Some(clause) = found.get_mut(place) else { continue };
            clause.cases += 1;
            // A case's combinations follow each other, but each target has them anew.
            if clause.ids.last().is_none_or(|last| last != id) && !clause.ids.iter().any(|known| known == id) {
                clause.ids.push(id.to_string());
            }
        }
    }
    found.sort_by_cached_key(|clause| sort_key(&clause.clause));
    found
}

/// The combinations of each two axes that a plan tries; an axis on which no case has a value is left out.
pub fn axis_pairs(plan: &Plan) -> Vec<AxisPair> {
    let is_used = |of: fn(&Case) -> (usize, &'static str)| {
        plan.list.iter().filter_map(Planned::case).any(|case| of(case).1 != NONE)
    };
    let axes: Vec<Axis> = AXES.into_iter().filter(|(_, of)| is_used(*of)).collect();
    let mut found = Vec::new();
    for (index, (first, first_of)) in axes.iter().enumerate() {
        for (second, second_of) in axes.iter().skip(index + 1) {
            let mut counts = BTreeMap::new();
            for case in plan.list.iter().filter_map(Planned::case) {
                *counts.entry((first_of(case), second_of(case))).or_insert(0) += 1;
            }
            let counts = counts.into_iter().map(|(((_, a), (_, b)), count)| ((a, b), count)).collect();
            found.push(AxisPair { axes: (*first, *second), counts });
        }
    }
    found
}

/// The kind of source, then its text with numbers taken as numbers.
fn sort_key(clause: &str) -> (usize, Vec<Chunk>) {
    let kinds = ["RFC ", "KB ", "CVE-"];
    let kind = kinds.iter().position(|kind| clause.starts_with(kind)).unwrap_or(kinds.len());
    let mut chunks = Vec::new();
    let mut rest = clause;
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        let end = rest.find(|next: char| next.is_ascii_digit() != is_digit).unwrap_or(rest.len());
        let (chunk, after) = rest.split_at(end);
        chunks.push(match chunk.parse() {
            Ok(number) if is_digit => Chunk::Number(number),
            _ => Chunk::Text(chunk.to_string()),
        });
        rest = after;
    }
    (kind, chunks)
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Chunk {
    Number(u64),
    Text(String),
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::identity::bundled_dialect;
    use crate::scenario::{Selection, Vocabulary, read_scenario};
    use crate::source::SourceText;

    fn plan() -> Plan {
        let text = "title = 'x'\ncites = ['Courier', 'CVE-2021-5', 'RFC 9051 §6.2', 'KB Q2']\n\
                    [matrix]\nmechanism = ['login', 'plain']\n\
                    [[case]]\nid = 'one'\nlogin = 'a'\nexpect = 'rejected'\n\
                    [[case]]\nid = 'two'\nprotocol = ['imap']\nmechanism = ['plain']\nfault = 'missing-nul'\n\
                    cites = ['RFC 9051 §11', 'RFC 9051 §6.2', 'RFC 959 §3', 'RFC 9051 §4.3']\n\
                    login = 'a'\nexpect = 'rejected'\n";
        let vocabulary = Vocabulary { roles: vec!["same".to_string()], dialects: Vec::new() };
        let scenario = read_scenario("x", &SourceText::new("x.toml", text), &vocabulary).unwrap();
        let dialect = Arc::new(bundled_dialect("exchange-5.5").unwrap().unwrap());
        Plan::new(&[Arc::new(scenario)], &[Arc::clone(&dialect), dialect], &Selection::default())
    }

    #[test]
    fn clauses_in_natural_order_with_their_cases() {
        let found = clauses(&plan());
        let names: Vec<&str> = found.iter().map(|clause| clause.clause.as_str()).collect();
        let wanted = ["RFC 959 §3", "RFC 9051 §4.3", "RFC 9051 §6.2", "RFC 9051 §11", "KB Q2", "CVE-2021-5", "Courier"];
        assert_eq!(names, wanted);
        assert_eq!((found[2].cases, found[2].ids.as_slice()), (10, &["x/one".to_string(), "x/two".to_string()][..]));
        assert_eq!((found[0].cases, found[0].ids.as_slice()), (2, &["x/two".to_string()][..]));
    }

    #[test]
    fn pairs_of_axes_with_their_counts() {
        let pairs = axis_pairs(&plan());
        assert_eq!(pairs.len(), 6, "nobody names a security");
        assert_eq!(pairs[0].axes, ("protocol", "mechanism"));
        let counts = [(("imap", "login"), 2), (("imap", "plain"), 4), (("pop3", "login"), 2), (("pop3", "plain"), 2)];
        assert_eq!(pairs[0].counts, counts);
        let faults = pairs.iter().find(|pair| pair.axes == ("mechanism", "fault")).unwrap();
        assert_eq!(faults.counts, [(("login", "-"), 4), (("plain", "-"), 4), (("plain", "missing-nul"), 2)]);
    }
}
