//! What earlier runs tell of one server, and the summary for people.

use std::collections::BTreeMap;

use super::super::narrow_glob::without_combination;
use super::read::{EarlierCase, EarlierRun};
use crate::plural::counted;
use crate::scenario::Verdict;

/// A server, with all that was asked of it. Parts of a run, made elsewhere, are one again.
#[derive(Debug)]
pub struct Server<'e> {
    /// The target's name.
    pub name: &'e str,
    /// The software and its version, where a run tells it.
    pub version: Option<&'e str>,
    /// Its cases, by id; of a case that was asked twice, the last answer.
    pub cases: BTreeMap<&'e str, &'e EarlierCase>,
}

/// The servers of some runs, by name.
pub fn servers(runs: &[EarlierRun]) -> Vec<Server<'_>> {
    let mut servers: BTreeMap<&str, Server<'_>> = BTreeMap::new();
    let blank = |name| Server { name, version: None, cases: BTreeMap::new() };
    for run in runs {
        for target in &run.targets {
            let server = servers.entry(&target.name).or_insert_with(|| blank(&target.name));
            server.version = target.version.as_deref().or(server.version);
        }
        for case in &run.cases {
            let server = servers.entry(&case.target).or_insert_with(|| blank(&case.target));
            server.version = server.version.or(case.version.as_deref());
            server.cases.insert(&case.id, case);
        }
    }
    servers.into_values().collect()
}

impl Server<'_> {
    /// Its name, and its version where that is known.
    pub fn title(&self) -> String {
        match self.version {
            Some(version) => format!("{}, {version}", self.name),
            None => self.name.to_string(),
        }
    }

    /// How many cases got each verdict, and what is not as expected: one line for each case and what it came to, however
    /// many combinations it has.
    pub fn summary(&self) -> String {
        let mut text = format!("{}\n  {} of {}\n", self.title(), self.totals(), counted(self.cases.len(), "case"));
        let mut rows: BTreeMap<(usize, String), usize> = BTreeMap::new();
        for case in self.cases.values() {
            let row = match case.verdict {
                Verdict::Pass | Verdict::Skip => continue,
                Verdict::Known => known(case),
                _ => format!("{}: expected {}, but: {}", without_combination(&case.id), case.expected, happened(case)),
            };
            *rows.entry((order(case.verdict), one_line(&row))).or_default() += 1;
        }
        for ((order, row), number) in rows {
            let word = SHOWN.get(order).map_or("", |verdict| verdict.word());
            text.push_str(&format!("  {word:<5} {number:>4}  {row}\n"));
        }
        text
    }

    fn totals(&self) -> String {
        let count = |verdict: Verdict| {
            let number = self.cases.values().filter(|case| case.verdict == verdict).count();
            (number > 0).then(|| format!("{number} {}", super::super::human::participle(verdict)))
        };
        let words: Vec<String> = Verdict::ALL.into_iter().filter_map(count).collect();
        if words.is_empty() { "nothing".to_string() } else { words.join(", ") }
    }
}

/// What happened, in words, with what the server said.
pub(super) fn happened(case: &EarlierCase) -> String {
    let mut words = match &case.known {
        Some(known) if !known.happened.is_empty() => known.happened.clone(),
        _ => case.reason.clone().unwrap_or_else(|| "as expected".to_string()),
    };
    if let Some(code) = &case.code {
        words.push_str(&format!(" [{code}]"));
    }
    if let Some(text) = case.text.as_deref().filter(|text| !text.is_empty()) {
        words.push_str(&format!(" \"{text}\""));
    }
    words
}

pub(super) fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ")
}

/// What the summary shows, the worst first.
const SHOWN: [Verdict; 5] = [Verdict::Fail, Verdict::Error, Verdict::Fixed, Verdict::Warn, Verdict::Known];

fn order(verdict: Verdict) -> usize {
    SHOWN.iter().position(|shown| *shown == verdict).unwrap_or(SHOWN.len())
}

fn known(case: &EarlierCase) -> String {
    let Some(known) = &case.known else { return case.reason.clone().unwrap_or_default() };
    let link = known.link.as_ref().map(|link| format!(" ({link})")).unwrap_or_default();
    format!("{}{link}{}", known.reason, if known.security { " [security]" } else { "" })
}
