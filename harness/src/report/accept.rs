//! `--accept`: what failed as `[[known]]` records, ready to be put into a target file once somebody has said why.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::actual;
use super::narrow_glob::{narrow_globs, without_combination};
use crate::runner::{CaseReport, Reporter, RunEvent};
use crate::scenario::{Glob, Verdict};

/// Writes a record for everything that failed, when the run is over.
pub struct Accept<W> {
    out: W,
    /// What was asked, by id without its combination.
    cases: BTreeMap<String, Asked>,
}

/// The combinations of one case that were asked.
#[derive(Default)]
struct Asked {
    /// Those that failed, by outcome and then by id.
    failed: BTreeMap<&'static str, BTreeMap<String, Failed>>,
    /// Those that no record may cover: they passed, or their fault is none to be recorded.
    others: Vec<String>,
}

/// One combination that failed.
struct Failed {
    /// What was expected and what happened.
    words: String,
    is_harmful: bool,
}

impl<W: Write> Accept<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, cases: BTreeMap::new() }
    }

    fn case(&mut self, case: &CaseReport) {
        let asked = self.cases.entry(without_combination(&case.id).to_string()).or_default();
        match (case.verdict, case.outcome) {
            (Verdict::Fail, Some(outcome)) => {
                let words = format!("expected {}, but: {} ({})", case.expected, actual(case), case.cites.join("; "));
                let failed = Failed { words, is_harmful: case.harm.is_some() };
                asked.failed.entry(outcome).or_default().insert(case.id.clone(), failed);
            }
            // Whether what was not asked is so as well, a record may take for granted.
            (Verdict::Skip | Verdict::Known, _) | (_, None) => {}
            _ => asked.others.push(case.id.clone()),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let mut is_empty = true;
        for asked in self.cases.values() {
            for (outcome, failed) in &asked.failed {
                for record in records(outcome, failed, &asked.others) {
                    self.out.write_all(record.as_bytes())?;
                    is_empty = false;
                }
            }
        }
        if is_empty {
            self.out.write_all(b"# Nothing failed: there is nothing to record.\n")?;
        }
        self.out.flush()
    }
}

impl<W: Write + Send> Reporter for Accept<W> {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        match event {
            RunEvent::CaseFinished(case) => {
                self.case(case);
                Ok(())
            }
            RunEvent::Finished(_) => self.write(),
            _ => Ok(()),
        }
    }
}

/// The records for the combinations of one case that failed with one outcome.
fn records(outcome: &str, failed: &BTreeMap<String, Failed>, others: &[String]) -> Vec<String> {
    let wanted: Vec<&str> = failed.keys().map(String::as_str).collect();
    // Put to several targets, the same case may pass on one and fail on another.
    let others: Vec<&str> = others.iter().map(String::as_str).filter(|id| !failed.contains_key(*id)).collect();
    let record = |glob: String| {
        let pattern = Glob::new(glob.as_str());
        let mut covered = failed.iter().filter(|(id, _)| pattern.matches(id)).map(|(_, failed)| failed);
        let words = covered.clone().next().map(|failed| failed.words.as_str()).unwrap_or_default();
        let security = if covered.any(|failed| failed.is_harmful) { "security = true\n" } else { "" };
        let (case, reason) = (quoted(&glob), quoted(&format!("FILL IN: {words}")));
        format!("[[known]]\ncase    = {case}\noutcome = \"{outcome}\"\nreason  = {reason}\n{security}\n")
    };
    narrow_globs(&wanted, &others).into_iter().map(record).collect()
}

/// A string of TOML in one line. A target file takes no control characters, so they are made visible.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' | '\t' => quoted.push(' '),
            _ if character.is_control() => quoted.extend(character.escape_unicode().filter(|part| *part != '\\')),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(failed: &[(&str, bool)], others: &[&str]) -> Vec<String> {
        let failed = failed.iter().map(|&(id, is_harmful)| {
            let words = format!(r#"expected rejected, but: opened A\b ("{id}")"#);
            (id.to_string(), Failed { words, is_harmful })
        });
        records("opened", &failed.collect(), &others.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_record_can_be_pasted() {
        let found = asked(&[("a/b[imap,login]", false), ("a/b[imap,plain]", true)], &["a/b[pop3,login]"]);
        assert_eq!(
            found,
            [
                "[[known]]\ncase    = \"a/b[imap,*]\"\noutcome = \"opened\"\nreason  = \"FILL IN: expected rejected, but: \
              opened A\\\\b (\\\"a/b[imap,login]\\\")\"\nsecurity = true\n\n"
            ]
        );
    }

    #[test]
    fn what_failed_on_one_target_and_passed_on_another_is_recorded() {
        assert_eq!(asked(&[("a/b[imap]", false)], &["a/b[imap]"]).len(), 1);
    }

    #[test]
    fn strings_stay_in_their_line() {
        assert_eq!(quoted("a\nb\u{1b}\"\\"), r#""a bu{1b}\"\\""#);
    }
}
