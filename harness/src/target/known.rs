//! Known deviations: what a server does otherwise, recorded with a reason.

use super::date::Date;
use crate::protocol::Outcome;
use crate::scenario::{Glob, Judgement, Verdict};
use crate::source::{Field, Kind, Mistake, Table};

/// The outcomes that a known deviation can name.
const OUTCOMES: &[&str] = &[
    "opened",
    "unbound",
    "rejected",
    "bad",
    "tls-failed",
    "not-offered",
    "closed",
    "no-answer",
    "garbled",
    "followed",
    "diverged",
];

/// What a record may hold.
pub(super) const KNOWN_FIELDS: &[Field] = &[
    Field::new("case", Kind::Text, "The ids that the record covers, as a glob."),
    Field::new("outcome", Kind::Word(OUTCOMES), "What happens instead."),
    Field::new("reason", Kind::Text, "Why, in words."),
    Field::new("link", Kind::Text, "Where it is tracked."),
    Field::new("expires", Kind::Text, "The last day on which the record holds: 2027-01-31."),
    Field::new("security", Kind::Flag, "Whether it does harm, so that its vendor is to hear of it first."),
];

/// One recorded deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The cases that it covers.
    pub case: Glob,
    /// The outcome that is known, as a word.
    pub outcome: String,
    /// Why it is so.
    pub reason: String,
    /// Where it is tracked.
    pub link: Option<String>,
    /// The last day on which the record holds.
    pub expires: Option<Date>,
    /// Whether it does harm, so that its vendor is to hear of it first.
    pub security: bool,
}

/// Reads a record.
pub(super) fn read_known(table: &Table<'_>) -> Option<Known> {
    let case = table.required_text("case");
    let reason = table.required_text("reason");
    let outcome = table
        .required_text("outcome")
        .and_then(|_| table.word("outcome", |word| OUTCOMES.contains(&word).then(|| word.to_string())));
    let expires = table.text("expires").and_then(|text| {
        let date = Date::parse(&text.value);
        if date.is_none() {
            table.mistake(
                Mistake::new(text.span, format!("`{}` is no day", text.value), "the last day on which it holds")
                    .with_help("for example: expires = \"2027-01-31\""),
            );
        }
        date
    });
    Some(Known {
        case: Glob::new(case?.value),
        outcome: outcome?,
        reason: reason?.value,
        link: table.text("link").map(|text| text.value),
        expires,
        security: table.flag("security").unwrap_or(false),
    })
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
        let known = [Known {
            case: Glob::new("imap/*"),
            outcome: "bad".to_string(),
            reason: "ticket 123".to_string(),
            link: None,
            expires: None,
            security: false,
        }];
        let verdict = |outcome: Outcome, verdict: Verdict| {
            apply(&known, "imap/x/y[imap]", &outcome, Judgement::new(verdict, "")).verdict
        };
        assert_eq!(verdict(Outcome::Bad(Reply::default()), Verdict::Fail), Verdict::Known);
        assert_eq!(verdict(Outcome::Rejected(Reply::default()), Verdict::Fail), Verdict::Fail);
        assert_eq!(verdict(Outcome::Rejected(Reply::default()), Verdict::Pass), Verdict::Fixed);
        assert_eq!(verdict(Outcome::Bad(Reply::default()), Verdict::Skip), Verdict::Skip);
    }
}
