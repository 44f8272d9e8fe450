//! Reads the JSON Lines of an earlier run. Whoever wrote them, every octet is hostile until parsed: lines are bounded,
//! mistakes have their line, and what would move a terminal's cursor is made harmless.

use std::io::{self, BufRead, Read as _};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny};

use crate::scenario::{SkipCode, Verdict};

/// The longest line, in octets. A transcript is bounded to far less when it is written.
const LONGEST_LINE: u64 = 64 << 20;
/// The most cases of one file.
const MOST_CASES: usize = 2_000_000;

/// What an earlier run told.
#[derive(Debug)]
pub struct EarlierRun {
    /// Its file.
    pub name: String,
    /// The servers that it was put to, as far as its summary says.
    pub targets: Vec<EarlierTarget>,
    /// Its cases, in the file's order.
    pub cases: Vec<EarlierCase>,
    /// How it ended.
    pub ending: Ending,
}

/// How an earlier run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every case that was planned was asked.
    Whole,
    /// It was interrupted, and says so itself.
    Interrupted,
    /// It was ended while this line was being written, or before it.
    CutOff(usize),
}

/// A server under test.
#[derive(Debug, Clone, Deserialize)]
pub struct EarlierTarget {
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// The software and its version.
    #[serde(default, deserialize_with = "some_text")]
    pub version: Option<String>,
}

/// One finished case. What a run of an older loginspec did not tell is empty.
#[derive(Debug, Clone, Deserialize)]
pub struct EarlierCase {
    /// The case's id.
    #[serde(deserialize_with = "text")]
    pub id: String,
    /// The target.
    #[serde(deserialize_with = "text")]
    pub target: String,
    /// The verdict.
    #[serde(deserialize_with = "verdict")]
    pub verdict: Verdict,
    /// The outcome's word; nothing where the case was not asked.
    #[serde(default, deserialize_with = "some_text")]
    pub outcome: Option<String>,
    /// What was expected, in words.
    #[serde(deserialize_with = "text")]
    pub expected: String,
    /// Why it is not a pass.
    #[serde(default, deserialize_with = "some_text")]
    pub reason: Option<String>,
    /// The stable code of the reason for which it was skipped; none if this version knows no such code.
    #[serde(default, deserialize_with = "skip_code")]
    pub skip: Option<SkipCode>,
    /// The mailbox that opened.
    #[serde(default, deserialize_with = "some_text")]
    pub mailbox: Option<String>,
    /// The login name.
    #[serde(default, deserialize_with = "some_text")]
    pub login: Option<String>,
    /// The response code of the server's answer.
    #[serde(default, deserialize_with = "some_text")]
    pub code: Option<String>,
    /// The text of the server's answer.
    #[serde(default, deserialize_with = "some_text")]
    pub text: Option<String>,
    /// The rules that it rests on.
    #[serde(default, deserialize_with = "texts")]
    pub cites: Vec<String>,
    /// The target's software and its version.
    #[serde(default, deserialize_with = "some_text")]
    pub version: Option<String>,
    /// The scenario's behaviour in one sentence.
    #[serde(default, deserialize_with = "text")]
    pub title: String,
    /// What the case shows.
    #[serde(default, deserialize_with = "text")]
    pub about: String,
    /// `must`, `should` or `may`.
    #[serde(default, deserialize_with = "text")]
    pub level: String,
    /// What harm it does.
    #[serde(default, deserialize_with = "some_text")]
    pub harm: Option<String>,
    /// The record that covers it.
    #[serde(default)]
    pub known: Option<EarlierRecord>,
    /// What was seen of the server's processes meanwhile.
    #[serde(default, deserialize_with = "some_text")]
    pub process: Option<String>,
    /// How many combinations of the same case were asked.
    #[serde(default)]
    pub combinations: usize,
    /// Who is at fault.
    #[serde(default, deserialize_with = "some_text")]
    pub at_fault: Option<String>,
    /// The nearest combination that passed.
    #[serde(default)]
    pub sibling: Option<EarlierSibling>,
    /// The rule for which the answer is garbled.
    #[serde(default)]
    pub deviation: Option<EarlierDeviation>,
    /// The answers that were compared.
    #[serde(default)]
    pub answers: Vec<EarlierAnswer>,
    /// The command that asks it again.
    #[serde(default, deserialize_with = "some_text")]
    pub replay: Option<String>,
    /// The transcript.
    #[serde(default, deserialize_with = "some_text")]
    pub transcript: Option<String>,
}

/// A record of a target file.
#[derive(Debug, Clone, Deserialize)]
pub struct EarlierRecord {
    /// Why it is so.
    #[serde(deserialize_with = "text")]
    pub reason: String,
    /// Where it is tracked.
    #[serde(default, deserialize_with = "some_text")]
    pub link: Option<String>,
    /// Whether its vendor is to hear of it first.
    #[serde(default)]
    pub security: bool,
    /// What happened.
    #[serde(default, deserialize_with = "text")]
    pub happened: String,
}

/// A combination that passed.
#[derive(Debug, Clone, Deserialize)]
pub struct EarlierSibling {
    /// The difference in words.
    #[serde(deserialize_with = "text")]
    pub sentence: String,
}

/// A rule that was broken.
#[derive(Debug, Clone, Deserialize)]
pub struct EarlierDeviation {
    /// The rule.
    #[serde(deserialize_with = "text")]
    pub rule: String,
}

/// An answer that was compared with another.
#[derive(Debug, Clone, Deserialize)]
pub struct EarlierAnswer {
    /// The login name that it was given to.
    #[serde(deserialize_with = "text")]
    pub login: String,
    /// The answer.
    #[serde(deserialize_with = "text")]
    pub answer: String,
}

/// Why an earlier run's file is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EarlierError {
    /// It cannot be read.
    #[error("failed to read {name}: {source}")]
    Unreadable {
        /// The file.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// A line is none that a run writes.
    #[error("{name}:{line}: this is no line of a run's --json: {reason}")]
    Line {
        /// The file.
        name: String,
        /// The line, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// There is nothing in it.
    #[error("{0} holds no case: expected what `loginspec run --json` writes")]
    Empty(String),
}

/// Reads an earlier run.
pub fn read_run(name: &str, mut source: impl BufRead) -> Result<EarlierRun, EarlierError> {
    let (mut targets, mut cases) = (Vec::new(), Vec::new());
    let mut ending = None;
    let mut number = 0;
    loop {
        let mut line = Vec::new();
        let read = source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        read.map_err(|source| EarlierError::Unreadable { name: name.to_string(), source })?;
        if line.is_empty() {
            break;
        }
        number += 1;
        let is_ended = line.ends_with(b"\n");
        let failed = |reason: String| EarlierError::Line { name: name.to_string(), line: number, reason };
        if !is_ended && line.len() as u64 >= LONGEST_LINE {
            return Err(failed(format!("it is longer than {} MiB", LONGEST_LINE >> 20)));
        }
        match parse(line.strip_suffix(b"\n").unwrap_or(&line)) {
            Ok(Line::Case(_)) if cases.len() >= MOST_CASES => {
                return Err(failed(format!("there are more than {MOST_CASES} cases")));
            }
            Ok(Line::Case(case)) => cases.push(*case),
            Ok(Line::Summary(summary)) => {
                targets.extend(summary.targets);
                let was_interrupted = ending == Some(Ending::Interrupted) || summary.interrupted;
                ending = Some(if was_interrupted { Ending::Interrupted } else { Ending::Whole });
            }
            // Only the last line can be without its end, and only one that was cut off makes no sense then.
            Err(_) if !is_ended => {
                ending = Some(Ending::CutOff(number));
                break;
            }
            Err(reason) => return Err(failed(reason)),
        }
    }
    if cases.is_empty() && ending.is_none() {
        return Err(EarlierError::Empty(name.to_string()));
    }
    let ending = ending.unwrap_or(Ending::CutOff(number + 1));
    Ok(EarlierRun { name: name.to_string(), targets, cases, ending })
}

enum Line {
    Case(Box<EarlierCase>),
    Summary(EarlierSummary),
}

#[derive(Deserialize)]
struct EarlierSummary {
    #[serde(default)]
    targets: Vec<EarlierTarget>,
    interrupted: bool,
}

#[derive(Deserialize)]
struct Probe {
    summary: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Closing {
    summary: EarlierSummary,
}

fn parse(line: &[u8]) -> Result<Line, String> {
    // It counts lines of its own, of which there is one.
    let told = |error: serde_json::Error| harmless(&error.to_string()).replace("line 1 column", "column");
    let probe: Probe = serde_json::from_slice(line).map_err(told)?;
    if probe.summary.is_some() {
        return serde_json::from_slice(line).map(|closing: Closing| Line::Summary(closing.summary)).map_err(told);
    }
    serde_json::from_slice(line).map(|case| Line::Case(Box::new(case))).map_err(told)
}

/// Text without what a terminal would take for a command. A run writes none of it: it makes such octets visible.
fn harmless(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' => character,
        _ if character.is_control() => '\u{fffd}',
        // Marks that turn the direction of writing.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => character,
    };
    text.chars().map(shown).collect()
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|text| harmless(&text))
}

fn some_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(from).map(|text| text.map(|text| harmless(&text)))
}

fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Vec::<String>::deserialize(from).map(|texts| texts.iter().map(|text| harmless(text)).collect())
}

fn skip_code<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SkipCode>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.as_deref().and_then(SkipCode::parse))
}

fn verdict<'de, D: Deserializer<'de>>(from: D) -> Result<Verdict, D::Error> {
    let word = String::deserialize(from)?;
    let found = Verdict::ALL.into_iter().find(|verdict| verdict.word() == word);
    found.ok_or_else(|| D::Error::custom(format!("`{word}` is no verdict")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = r#"{"id":"a/b[imap]","target":"t","verdict":"pass","outcome":"opened","expected":"x"}"#;
    const SUMMARY: &str = r#"{"summary":{"interrupted":false,"targets":[{"name":"t","version":"1"}]}}"#;

    fn read(text: &str) -> Result<EarlierRun, String> {
        read_run("r.jsonl", text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_run() {
        let run = read(&format!("{CASE}\n{SUMMARY}\n")).unwrap();
        assert_eq!((run.cases.len(), run.ending), (1, Ending::Whole));
        assert_eq!(run.targets[0].version.as_deref(), Some("1"));
        let interrupted = SUMMARY.replace("false", "true");
        assert_eq!(read(&format!("{CASE}\n{interrupted}\n")).unwrap().ending, Ending::Interrupted);
    }

    #[test]
    fn a_line_that_is_cut_off_is_told_from_one_that_is_wrong() {
        assert_eq!(read(&format!("{CASE}\n{}", &CASE[..20])).unwrap().ending, Ending::CutOff(2));
        assert_eq!(read(&format!("{CASE}\n")).unwrap().ending, Ending::CutOff(2));
        let error = read(&format!("{CASE}\n{}\n{CASE}\n", &CASE[..20])).unwrap_err();
        assert!(error.starts_with("r.jsonl:2: this is no line of a run's --json: EOF"), "{error}");
    }

    #[test]
    fn what_is_no_run_is_refused_with_its_line() {
        for (text, says) in [
            ("", "holds no case"),
            ("\n", "r.jsonl:1: "),
            ("[]\n", "r.jsonl:1: "),
            ("{}\n", "missing field `id`"),
            (&CASE.replace("pass", "perhaps"), "`perhaps` is no verdict"),
            ("{\"summary\":3}\n", "invalid type"),
            (&format!("{}\n", "[".repeat(100_000)), "r.jsonl:1: "),
        ] {
            let text = if text.is_empty() || text.ends_with('\n') { text.to_string() } else { format!("{text}\n") };
            let error = read(&text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let binary = read_run("r.jsonl", &b"\xff\xfe\0\n"[..]).unwrap_err().to_string();
        assert!(binary.starts_with("r.jsonl:1: "), "{binary}");
    }

    #[test]
    fn nothing_reaches_a_terminal_that_moves_its_cursor() {
        let run = read(&CASE.replace("\"x\"", r#""\u001b[2J\u202ex\r""#)).unwrap();
        assert_eq!(run.cases[0].expected, "\u{fffd}[2J\u{fffd}x\u{fffd}");
    }
}
