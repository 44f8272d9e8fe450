//! Known deviations: what a server does otherwise, recorded with a reason.

use crate::protocol::Outcome;
use crate::scenario::{Glob, Judgement, Verdict};

/// One recorded deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The cases that it covers.
    pub case: Glob,
    /// The outcome that is known, as a word.
    pub outcome: String,
    /// Why it is so.
    pub reason: String,
}

/// What the records make of a judgement.
///
/// A failure with the recorded outcome is `known`; a pass where a deviation is recorded is `fixed`, which keeps the
/// record from outliving the deviation; any other outcome stays what it is.
pub(crate) fn apply(known: &[Known], id: &str, outcome: &Outcome, judgement: Judgement) -> Judgement {
    let Some(record) = known.iter().find(|record| record.case.matches(id)) else { return judgement };
    match judgement.verdict {
        Verdict::Fail | Verdict::Warn if record.outcome == outcome.word() => {
            Judgement::new(Verdict::Known, record.reason.clone())
        }
        Verdict::Pass => Judgement::new(
            Verdict::Fixed,
            format!("a deviation is recorded ({}), and the case passes now: remove the record", record.reason),
        ),
        _ => judgement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Reply;

    #[test]
    fn a_record_covers_its_outcome_and_nothing_else() {
        let known = [Known { case: Glob::new("imap/*"), outcome: "bad".to_string(), reason: "ticket 123".to_string() }];
        let verdict = |outcome: Outcome, verdict: Verdict| {
            apply(&known, "imap/x/y[imap]", &outcome, Judgement::new(verdict, "")).verdict
        };
        assert_eq!(verdict(Outcome::Bad(Reply::default()), Verdict::Fail), Verdict::Known);
        assert_eq!(verdict(Outcome::Rejected(Reply::default()), Verdict::Fail), Verdict::Fail);
        assert_eq!(verdict(Outcome::Rejected(Reply::default()), Verdict::Pass), Verdict::Fixed);
        assert_eq!(verdict(Outcome::Bad(Reply::default()), Verdict::Skip), Verdict::Skip);
    }
}
