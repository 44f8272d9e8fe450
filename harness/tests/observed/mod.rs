//! What a server was seen to do, as a text that a person can read: one line for each `[[case]]` and protocol, with the
//! outcome of most of its combinations, and the others below it. No times, no ports, no challenges.

use std::collections::{BTreeMap, BTreeSet};

use loginspec::runner::CaseReport;

/// The text for all cases of one server.
pub fn text(cases: &[CaseReport]) -> String {
    let mut by_case: BTreeMap<(&str, &str), BTreeMap<String, BTreeSet<&str>>> = BTreeMap::new();
    for case in cases {
        let (id, combination) = match case.id.split_once('[') {
            Some((id, rest)) => (id, rest.trim_end_matches(']')),
            None => (case.id.as_str(), ""),
        };
        by_case.entry((id, case.protocol.word())).or_default().entry(outcome(case)).or_default().insert(combination);
    }
    let mut text = String::new();
    for ((id, protocol), outcomes) in by_case {
        // The outcome of most; of two with as many the first by name, so that nothing depends on the order of answers.
        let most = outcomes.iter().max_by_key(|(word, combinations)| (combinations.len(), std::cmp::Reverse(*word)));
        let Some((usual, combinations)) = most else { continue };
        text.push_str(&format!("{id} over {protocol}: {usual} ({})\n", combinations.len()));
        for (word, combinations) in outcomes.iter().filter(|(word, _)| *word != usual) {
            for combination in combinations {
                text.push_str(&format!("    [{combination}]: {word}\n"));
            }
        }
    }
    text
}

/// The outcome in a few words: what opened, and with which response code a login was refused.
fn outcome(case: &CaseReport) -> String {
    let Some(word) = case.outcome else { return "not asked".to_string() };
    let mut words = word.to_string();
    if let Some(mailbox) = &case.mailbox {
        words.push_str(&format!(" {mailbox}"));
    }
    if let Some(code) = &case.code {
        words.push_str(&format!(" [{code}]"));
    }
    if case.process.is_some() {
        words.push_str(", and did harm to itself");
    }
    words
}
