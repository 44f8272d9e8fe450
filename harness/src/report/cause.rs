//! A cause: what several failed cases have in common. People read causes, machines read cases.

use std::cmp::Ordering;
use std::fmt;

use crate::runner::{CaseReport, Harm, OBSERVED};
use crate::scenario::{SkipCode, Verdict};

/// How many characters of a server's response code are part of a cause.
const CODE_CHARACTERS: usize = 40;

/// The key by which failed cases are counted together. It holds no text of the server but the name of a response code.
///
/// Causes are ordered by severity: security findings first, then other harm, then everything else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cause {
    /// The verdict of all its cases.
    pub verdict: Verdict,
    /// What happened.
    pub kind: CauseKind,
}

/// What happened in every case of a cause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// It does harm.
    Harm {
        /// Which harm.
        harm: Harm,
        /// The first clause that the cases cite. It is absent where a server fails whatever is asked: it does not answer,
        /// hangs up, or its processes suffer.
        rule: Option<String>,
    },
    /// The answer breaks this rule of the protocol.
    BrokenRule(String),
    /// The outcome is not the expected one.
    Outcome {
        /// The words for the expected outcomes.
        expected: Vec<&'static str>,
        /// The response code that was expected.
        expected_code: Option<String>,
        /// The outcome's word.
        outcome: &'static str,
        /// The name of the response code that came.
        code: Option<String>,
        /// The first clause that the cases cite.
        rule: String,
    },
    /// A fact that the target file expects is not so.
    Expectation {
        /// What is expected.
        expected: String,
        /// What was seen.
        seen: String,
    },
    /// A case is skipped for a reason that the skip baseline of the target file does not list.
    NewSkip(SkipCode),
    /// A recorded deviation no longer happens.
    RecordObsolete,
    /// The case was asked, and the answer proves nothing.
    Inconclusive {
        /// The outcome's word.
        outcome: &'static str,
        /// The name of the response code that came.
        code: Option<String>,
    },
}

impl Cause {
    /// The cause of a case; nothing for a case that passed, was skipped, is known, or could not be asked.
    pub fn of(report: &CaseReport) -> Option<Self> {
        if let (Verdict::Fail, Some(code)) = (report.verdict, &report.skip) {
            return Some(Self { verdict: report.verdict, kind: CauseKind::NewSkip(code.clone()) });
        }
        let outcome = report.outcome?;
        let kind = match report.verdict {
            Verdict::Pass | Verdict::Known | Verdict::Skip => return None,
            Verdict::Fixed => CauseKind::RecordObsolete,
            Verdict::Error => CauseKind::Inconclusive { outcome, code: code_name(report) },
            Verdict::Fail | Verdict::Warn => failure(report, outcome),
        };
        Some(Self { verdict: report.verdict, kind })
    }

    /// Whether it is a security finding: another's mailbox opened, a login without valid credentials was accepted, or
    /// refusals tell which users exist.
    pub const fn is_security(&self) -> bool {
        match self.kind {
            CauseKind::Harm { harm, .. } => {
                matches!(harm, Harm::WrongMailbox | Harm::LetIn | Harm::PlaintextPassword | Harm::TellsWhoExists)
            }
            _ => false,
        }
    }

    /// Whether a login succeeded that must not: another's mailbox opened, or a login without valid credentials was accepted.
    pub(super) const fn grants_access(&self) -> bool {
        matches!(self.kind, CauseKind::Harm { harm: Harm::WrongMailbox | Harm::LetIn, .. })
    }

    /// The smaller, the more severe.
    pub(super) const fn rank(&self) -> u8 {
        match &self.kind {
            CauseKind::Harm { harm, .. } => match harm {
                Harm::WrongMailbox => 0,
                Harm::LetIn => 1,
                Harm::PlaintextPassword => 2,
                Harm::TellsWhoExists => 3,
                Harm::Process => 4,
                Harm::NoAnswer => 5,
                Harm::HungUp => 6,
            },
            CauseKind::Expectation { .. } | CauseKind::NewSkip(_) => 7,
            CauseKind::BrokenRule(_) | CauseKind::Outcome { .. } => 8,
            CauseKind::RecordObsolete => 9,
            CauseKind::Inconclusive { .. } => 10,
        }
    }
}

impl Ord for Cause {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_rank = self.rank().cmp(&other.rank());
        by_rank.then_with(|| self.verdict.cmp(&other.verdict)).then_with(|| self.kind.cmp(&other.kind))
    }
}

impl PartialOrd for Cause {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            CauseKind::Harm { harm, rule } => {
                write!(f, "{}: {}", harm.word(), meaning(*harm))?;
                rule.as_ref().map_or(Ok(()), |rule| write!(f, "; {rule}"))
            }
            CauseKind::Expectation { expected, seen } => {
                write!(f, "the target file expects: {expected}; seen: {seen}")
            }
            CauseKind::NewSkip(code) => write!(f, "cases are skipped that were not before: {code}"),
            CauseKind::BrokenRule(rule) => write!(f, "the answer breaks a rule: {rule}"),
            CauseKind::Outcome { expected, expected_code, outcome, code, rule } => {
                let wanted = expected.join(" or ");
                let (expected_code, code) = (Code(expected_code.as_deref()), Code(code.as_deref()));
                write!(f, "expected {wanted}{expected_code}, got {outcome}{code}; {rule}")
            }
            CauseKind::RecordObsolete => f.write_str("a recorded deviation no longer happens"),
            CauseKind::Inconclusive { outcome, code } => {
                write!(f, "the answer proves nothing: {outcome}{}", Code(code.as_deref()))
            }
        }
    }
}

/// ` [CODE]`, or nothing.
struct Code<'c>(Option<&'c str>);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |code| write!(f, " [{code}]"))
    }
}

const fn meaning(harm: Harm) -> &'static str {
    match harm {
        Harm::WrongMailbox => "a login opened a mailbox of another account",
        Harm::LetIn => "a login without valid credentials was accepted",
        Harm::PlaintextPassword => "a password may travel without TLS",
        Harm::TellsWhoExists => "refusals show which users exist",
        Harm::Process => "a process of the server crashed, grew or kept a CPU busy",
        Harm::NoAnswer => "no answer in time",
        Harm::HungUp => "the connection was closed without an answer",
    }
}

fn failure(report: &CaseReport, outcome: &'static str) -> CauseKind {
    let rule = report.cites.first().cloned().unwrap_or_default();
    // What exposes passwords is one cause, however many facts show it.
    if outcome == OBSERVED && report.harm.is_none() {
        return CauseKind::Expectation { expected: report.expected.clone(), seen: report.reason.clone() };
    }
    match (report.harm, &report.deviation) {
        // The rule that a case tests says little about a server that fails whatever is asked.
        (Some(harm @ (Harm::Process | Harm::NoAnswer | Harm::HungUp)), _) => CauseKind::Harm { harm, rule: None },
        (Some(harm), _) => CauseKind::Harm { harm, rule: Some(rule) },
        (None, Some(deviation)) => CauseKind::BrokenRule(deviation.rule.clone()),
        (None, None) => {
            let case = report.scenario.cases.iter().find(|case| case.id == report.id);
            CauseKind::Outcome {
                expected: case.map_or_else(Vec::new, |case| case.expectation.words()),
                expected_code: case.and_then(|case| case.code.clone()),
                outcome,
                code: code_name(report),
                rule,
            }
        }
    }
}

/// The name of the response code, without arguments: those may differ in every answer.
fn code_name(report: &CaseReport) -> Option<String> {
    let name = report.code.as_deref()?.split_ascii_whitespace().next()?;
    Some(name.chars().take(CODE_CHARACTERS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(verdict: Verdict, kind: CauseKind) -> Cause {
        Cause { verdict, kind }
    }

    fn harm(harm: Harm) -> Cause {
        cause(Verdict::Fail, CauseKind::Harm { harm, rule: Some("RFC 9051 §6.2.3".to_string()) })
    }

    fn outcome(verdict: Verdict) -> Cause {
        let kind = CauseKind::Outcome {
            expected: vec!["rejected", "bad"],
            expected_code: Some("EXPIRED".to_string()),
            outcome: "opened",
            code: None,
            rule: "RFC 5530 §3".to_string(),
        };
        cause(verdict, kind)
    }

    #[test]
    fn the_most_severe_cause_is_the_smallest() {
        let in_order = [
            harm(Harm::WrongMailbox),
            harm(Harm::LetIn),
            harm(Harm::TellsWhoExists),
            harm(Harm::Process),
            harm(Harm::NoAnswer),
            harm(Harm::HungUp),
            outcome(Verdict::Fail),
            outcome(Verdict::Warn),
            cause(Verdict::Fixed, CauseKind::RecordObsolete),
            cause(Verdict::Error, CauseKind::Inconclusive { outcome: "opened", code: None }),
        ];
        assert!(in_order.is_sorted());
        let security: Vec<bool> = in_order.iter().map(Cause::is_security).collect();
        assert_eq!(security[..4], [true, true, true, false]);
    }

    #[test]
    fn a_cause_says_what_happened_and_by_which_rule() {
        assert_eq!(outcome(Verdict::Fail).to_string(), "expected rejected or bad [EXPIRED], got opened; RFC 5530 §3");
        let unavailable = CauseKind::Inconclusive { outcome: "rejected", code: Some("UNAVAILABLE".to_string()) };
        let said = cause(Verdict::Error, unavailable).to_string();
        assert_eq!(said, "the answer proves nothing: rejected [UNAVAILABLE]");
        let hung_up = CauseKind::Harm { harm: Harm::HungUp, rule: None };
        let said = cause(Verdict::Fail, hung_up).to_string();
        assert_eq!(said, "hung-up: the connection was closed without an answer");
    }
}
