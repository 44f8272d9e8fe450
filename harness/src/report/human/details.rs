//! Failed cases in detail: each `[[case]]` once, and how many combinations of it failed alike.
//!
//! The first case of a cause is shown with everything that is needed to act on it, as long as there is room; every other
//! case is one line. What is kept is bounded, whatever a server sends and however many cases fail.

use std::collections::BTreeSet;

use super::clip::{LINE_CHARACTERS, clip, head_and_tail};
use super::style::{DIM, of_verdict};
use crate::elision::elide;
use crate::report::actual;
use crate::report::cause::Cause;
use crate::report::finding::{self, Line};
use crate::report::narrow_glob::without_combination;
use crate::report::replay::Replay;
use crate::runner::CaseReport;
use crate::scenario::Verdict;

/// In a run of so few cases every one is shown in full.
const SMALL_RUN: usize = 8;
/// How many lines the cases take that are shown in full.
const FULL_LINES: usize = 60;
/// How many more they may take where they are security findings.
const SECURITY_LINES: usize = 40;
/// How many cases are shown in one line each.
const SHORT_CASES: usize = 60;
/// How many lines of a transcript are shown: of its beginning, and of its end.
const TRANSCRIPT: (usize, usize) = (5, 9);
/// How many octets of a transcript are shown in a small run: of its beginning, and as many of its end.
const TRANSCRIPT_OCTETS: usize = 8 * 1024;
/// How many characters of a line of a transcript are shown in a small run.
const LONG_LINE_CHARACTERS: usize = 2000;
/// How many different answers to the combinations of one `[[case]]` are shown.
const ANSWERS: usize = 4;
/// How many combinations are named that failed like the one that is shown.
const NAMED: usize = 6;
/// How many causes are told apart.
const CAUSES: usize = 1000;

/// Decides how much is shown of each failed case.
pub(super) struct Details {
    pub replay: Replay,
    /// Whether every case is shown in full.
    pub is_small: bool,
    has_several_targets: bool,
    seen: BTreeSet<Cause>,
    lines: usize,
    short_cases: usize,
}

/// The failed cases of one scenario.
#[derive(Default)]
pub(super) struct FailedCases {
    shown: Vec<Representative>,
    /// How many combinations are not shown at all.
    unshown: usize,
}

/// One combination that stands for those of its `[[case]]` with the same outcome for the same reason.
struct Representative {
    case: String,
    target: String,
    verdict: Verdict,
    outcome: Option<&'static str>,
    reason: String,
    text: String,
    is_full: bool,
    /// The combinations that failed alike, as far as they are named.
    alike: Vec<String>,
    alike_count: usize,
}

impl Details {
    pub fn new(replay: Replay) -> Self {
        Self { replay, is_small: false, has_several_targets: false, seen: BTreeSet::new(), lines: 0, short_cases: 0 }
    }

    /// Says how large the run is.
    pub fn start(&mut self, cases: usize, targets: usize) {
        self.is_small = cases <= SMALL_RUN;
        self.has_several_targets = targets > 1;
    }

    /// The text for a case, and whether it is shown in full; none if there is no more room.
    fn describe(&mut self, case: &CaseReport, is_first_answer: bool) -> Option<(String, bool)> {
        let cause = Cause::of(case);
        let is_new = cause.as_ref().is_some_and(|cause| !self.seen.contains(cause)) && self.seen.len() < CAUSES;
        let is_security = cause.as_ref().is_some_and(Cause::is_security);
        self.seen.extend(cause.filter(|_| is_new));
        let is_failure = case.verdict != Verdict::Warn;
        if self.is_small || (is_first_answer && is_new && is_failure) {
            let text = full(case, &self.replay, self.is_small);
            let room = FULL_LINES + if is_security { SECURITY_LINES } else { 0 };
            let lines = self.lines + text.lines().count();
            if self.is_small || lines <= room {
                self.lines = lines;
                return Some((text, true));
            }
        }
        if self.short_cases == SHORT_CASES {
            return None;
        }
        self.short_cases += 1;
        let target = self.has_several_targets.then_some(case.target.as_str());
        Some((short(case, target), false))
    }
}

impl FailedCases {
    /// Takes in a case that is not as expected.
    pub fn add(&mut self, case: &CaseReport, details: &mut Details) {
        let id = without_combination(&case.id);
        let reason = clip(&case.reason, LINE_CHARACTERS);
        let mut answers = 0;
        for known in self.shown.iter_mut().filter(|known| known.case == id) {
            answers += 1;
            if (known.verdict, known.outcome, &known.reason) == (case.verdict, case.outcome, &reason) {
                known.add(case);
                return;
            }
        }
        let described = if answers < ANSWERS { details.describe(case, answers == 0) } else { None };
        let Some((text, is_full)) = described else {
            self.unshown += 1;
            return;
        };
        self.shown.push(Representative {
            case: id.to_string(),
            target: case.target.clone(),
            verdict: case.verdict,
            outcome: case.outcome,
            reason,
            text,
            is_full,
            alike: Vec::new(),
            alike_count: 0,
        });
    }

    /// The texts to be printed, in the order in which the cases came.
    pub fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self.shown.iter().map(Representative::text).collect();
        if self.unshown > 0 {
            texts.push(format!("  {DIM}… and {} more; --json has them all{DIM:#}", self.unshown));
        }
        texts
    }
}

impl Representative {
    fn add(&mut self, case: &CaseReport) {
        self.alike_count += 1;
        if self.alike.len() < NAMED {
            let combination = case.id.get(self.case.len()..).unwrap_or_default();
            let combination = combination.trim_start_matches('[').trim_end_matches(']');
            let target = if case.target == self.target { String::new() } else { format!(" on {}", case.target) };
            self.alike.push(format!("{combination}{target}").trim_start().to_string());
        }
    }

    fn text(&self) -> String {
        let more = match self.alike_count {
            0 => String::new(),
            number => {
                let end = if number > self.alike.len() { "; …" } else { "" };
                format!("{number} more like this: {}{end}", self.alike.join("; "))
            }
        };
        match (self.is_full, more.is_empty()) {
            (_, true) => self.text.clone(),
            (true, false) => format!("{}\n    {more}", self.text),
            (false, false) => format!("{}; {more}", self.text),
        }
    }
}

/// A case in one line.
fn short(case: &CaseReport, target: Option<&str>) -> String {
    let style = of_verdict(case.verdict);
    let target = target.map(|target| format!(" on {target}")).unwrap_or_default();
    let (expected, actual) = (clip(&case.expected, 80), clip(&actual(case), 160));
    let said = format!("expected {expected}, but: {actual}");
    format!("  {style}{}{style:#} {}{target}: {said}", case.verdict.word(), case.id)
}

/// A case with everything that is needed to act on it, after an empty line.
fn full(case: &CaseReport, replay: &Replay, is_small: bool) -> String {
    let style = of_verdict(case.verdict);
    let mut text = format!("\n  {style}{}{style:#} {} on {}\n", case.verdict.word(), case.id, case.target);
    let command = replay.command(case);
    let lines = finding::lines(case, replay);
    let mut wire = Vec::new();
    for line in &lines {
        match line {
            // A command that is cut is no command.
            Line::Plain(line) if line.ends_with(&command) => text.push_str(&format!("    {line}\n")),
            Line::Plain(line) => text.push_str(&format!("    {}\n", clip(line, LINE_CHARACTERS))),
            Line::Wire(line) => wire.push(line.as_str()),
        }
    }
    for line in transcript(&wire, is_small) {
        text.push_str(&format!("    {DIM}{line}{DIM:#}\n"));
    }
    text.trim_end().to_string()
}

/// A transcript of a readable length.
fn transcript(wire: &[&str], is_small: bool) -> Vec<String> {
    if !is_small {
        let (head, tail) = TRANSCRIPT;
        let wire = pointed_lines(wire, LINE_CHARACTERS);
        let wire: Vec<&str> = wire.iter().map(String::as_str).collect();
        return head_and_tail(&wire, head, tail).iter().map(|line| clip(line, LINE_CHARACTERS)).collect();
    }
    let lines = pointed_lines(wire, LONG_LINE_CHARACTERS);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let head = fitting(lines.iter());
    let tail = fitting(lines.iter().rev());
    head_and_tail(&lines, head, tail).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// The lines of a transcript, each of a readable length: what a caret points at is kept, and the caret stands under it.
fn pointed_lines(wire: &[&str], most: usize) -> Vec<String> {
    let mut shown: Vec<String> = Vec::with_capacity(wire.len());
    let mut lines = wire.iter().copied().peekable();
    while let Some(line) = lines.next() {
        let mut carets = Vec::new();
        while let Some(caret) = lines.next_if(|line| caret(line).is_some()) {
            carets.extend(self::caret(caret));
        }
        if line.len() <= most {
            shown.push(line.to_string());
            shown.extend(carets.iter().map(|(column, remark)| format!("{:column$}^ {remark}", "")));
            continue;
        }
        let starts: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
        let columns: Vec<usize> = carets.iter().map(|(column, _)| *column).collect();
        let elided = elide(line, &starts, "characters", &columns);
        for (column, remark) in carets {
            let column = elided.column(column).unwrap_or(column);
            shown.push(format!("{:column$}^ {remark}", ""));
        }
        let at = shown.len() - columns.len();
        shown.insert(at, elided.text);
    }
    shown
}

/// The column that a line of a transcript points at, and what it says of it; nothing where it is no such line.
fn caret(line: &str) -> Option<(usize, &str)> {
    let text = line.trim_start_matches(' ');
    if let Some(remark) = text.strip_prefix("^ ") {
        return Some((line.len() - text.len(), remark));
    }
    let (column, remark) = text.strip_prefix("(column ")?.split_once(") ")?;
    Some((column.parse().ok()?, remark))
}

/// How many of these lines fit into what is shown of one end of a transcript.
fn fitting<'l>(lines: impl Iterator<Item = &'l &'l str>) -> usize {
    let ends = lines.scan(0, |end, line| {
        *end += line.len() + 1;
        Some(*end)
    });
    ends.take_while(|end| *end <= TRANSCRIPT_OCTETS).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_octets_around_the_caret_are_shown() {
        let line = format!("S: {}!{}", "a".repeat(700), "b".repeat(700));
        for pointer in [format!("{:703}^ here", ""), "   (column 703) here".to_string()] {
            let shown = transcript(&["S: * OK", &line, &pointer, "C: x"], false);
            assert_eq!((shown.len(), shown[0].as_str(), shown[3].as_str()), (4, "S: * OK", "C: x"));
            assert!(shown[1].len() <= LINE_CHARACTERS, "{}", shown[1]);
            let column = shown[2].find("^ here").unwrap();
            assert_eq!(shown[1].get(column - 2..column + 3), Some("aa!bb"), "{shown:?}");
            assert!(shown[1].contains("[... 543 characters ...]"), "{}", shown[1]);
        }
    }
}
