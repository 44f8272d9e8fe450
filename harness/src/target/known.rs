//! Known deviations: what a server does otherwise, recorded with a reason.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::date::Date;
use crate::protocol::Outcome;
use crate::scenario::{Glob, Judgement, Verdict};
use crate::source::{Field, Kind, Mistake, Mistakes, SourceText, Table, nearest};

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
    Field::new("sometimes", Kind::Flag, "Whether it happens now and then only, so that a pass is no news."),
    Field::new("security", Kind::Flag, "Whether it does harm, so that its vendor is to hear of it first."),
];

/// What the reason of a record begins with for which no one has said yet why it is so.
pub const UNEXPLAINED: &str = "FILL IN";

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
    /// Whether it happens now and then only, so that a pass is no news.
    pub sometimes: bool,
    /// Whether it does harm, so that its vendor is to hear of it first.
    pub security: bool,
    /// Where in the file its cases stand.
    pub span: Range<usize>,
    /// Where in the file the reason stands.
    pub reason_span: Range<usize>,
    /// Where in the file its last day stands, or else its cases.
    pub expiry_span: Range<usize>,
}

/// What a target file records, with the file, so that a record that is wrong is shown where it stands.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// The records, in the file's order.
    pub list: Vec<Known>,
    /// The file; nothing where there is none.
    pub source: Option<Arc<SourceText>>,
}

impl Records {
    /// The mistakes that show only when a file is used: records that have expired by `today`, and, where `every` is the
    /// id of every case that the target could be asked, records that cover none of them.
    pub fn check(&self, today: Date, every: Option<&[&str]>) -> Result<(), Mistakes> {
        let mut list = expired(&self.list, today);
        if let Some(ids) = every {
            list.extend(idle(&self.list, ids));
        }
        match &self.source {
            Some(source) if !list.is_empty() => Err(Mistakes::new(SourceText::clone(source), list)),
            _ => Ok(()),
        }
    }

    /// The records for which no one has said yet why they are so, as mistakes.
    pub fn check_reasons(&self) -> Result<(), Mistakes> {
        let unexplained = self.list.iter().filter(|record| record.reason.starts_with(UNEXPLAINED));
        let mistake = |record: &Known| {
            let reason = format!("the record for `{}` does not say why", record.case.text());
            Mistake::new(record.reason_span.clone(), reason, format!("it still begins with `{UNEXPLAINED}`"))
                .with_help("say why the server does so, or where that is tracked")
        };
        let list: Vec<Mistake> = unexplained.map(mistake).collect();
        match &self.source {
            Some(source) if !list.is_empty() => Err(Mistakes::new(SourceText::clone(source), list)),
            _ => Ok(()),
        }
    }
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
    let case = case?;
    Some(Known {
        expiry_span: if table.has("expires") { table.span_of("expires") } else { case.span.clone() },
        span: case.span,
        reason_span: table.span_of("reason"),
        case: Glob::new(case.value),
        outcome: outcome?,
        reason: reason?.value,
        link: table.text("link").map(|text| text.value),
        expires,
        sometimes: table.flag("sometimes").unwrap_or(false),
        security: table.flag("security").unwrap_or(false),
    })
}

/// What the records make of a judgement, and the record that decided.
///
/// A failure with the recorded outcome is `known`, and so is a temporary failure of the server; a pass where a deviation is recorded is `fixed`, which keeps the
/// record from outliving the deviation; any other outcome stays what it is. Of several records the first with the same
/// outcome decides, so that a broad one does not hide a narrower one.
pub(crate) fn apply<'k>(
    known: &'k [Known],
    id: &str,
    outcome: &Outcome,
    judgement: Judgement,
) -> (Judgement, Option<&'k Known>) {
    let mut covering = known.iter().filter(|record| record.case.matches(id));
    let record = match judgement.verdict {
        Verdict::Fail | Verdict::Warn => covering.find(|record| record.outcome == outcome.word()),
        // A server that always answers with a temporary failure does so for a reason that can be recorded. A mailbox that
        // nothing proves is no deviation of the server.
        Verdict::Error if !matches!(outcome, Outcome::Opened { .. }) => {
            covering.find(|record| record.outcome == outcome.word())
        }
        Verdict::Pass => covering.next().filter(|record| !record.sometimes),
        _ => None,
    };
    let Some(record) = record else { return (judgement, None) };
    let judgement = if judgement.verdict == Verdict::Pass {
        let reason = format!("a deviation is recorded ({}), and the case passes now: remove the record", record.reason);
        Judgement::new(Verdict::Fixed, reason)
    } else {
        Judgement::new(Verdict::Known, record.reason.clone())
    };
    (judgement, Some(record))
}

fn expired(known: &[Known], today: Date) -> Vec<Mistake> {
    let mistake = |record: &Known| {
        let day = record.expires.filter(|&day| day < today)?;
        let reason = format!("the record for `{}` held until {day}, and today is {today}", record.case.text());
        let help = "see whether the server still does so: then give the record another day, or else remove it";
        Some(Mistake::new(record.expiry_span.clone(), reason, "the record has expired").with_help(help))
    };
    known.iter().filter_map(mistake).collect()
}

fn idle(known: &[Known], ids: &[&str]) -> Vec<Mistake> {
    let idle = known.iter().filter(|record| !ids.iter().any(|id| record.case.matches(id)));
    idle.map(|record| {
        let text = record.case.text();
        let help = match nearest_id(text, ids) {
            Some(near) => format!("the nearest case is `{near}`"),
            None => {
                "`loginspec list --target FILE` shows the ids; where the case is gone, remove the record".to_string()
            }
        };
        let reason = format!("the record for `{text}` covers no case that this target could be asked");
        Mistake::new(record.span.clone(), reason, "no case has such an id").with_help(help)
    })
    .collect()
}

/// The id that is nearest to a glob: what comes before its first wildcard or combination is compared with the ids' own
/// beginnings. There are many ids and few beginnings, so each of these is looked at once.
fn nearest_id<'i>(glob: &str, ids: &[&'i str]) -> Option<&'i str> {
    let stem = glob.split(['*', '?', '[']).next().unwrap_or_default();
    let is_whole = glob.get(stem.len()..).is_none_or(|rest| rest.is_empty() || rest.starts_with('['));
    let length = stem.chars().count();
    let beginning = |id: &'i str| {
        let case = id.split('[').next().unwrap_or_default();
        let end = case.char_indices().nth(length).filter(|_| !is_whole).map_or(case.len(), |(at, _)| at);
        case.get(..end).unwrap_or_default()
    };
    let beginnings: BTreeSet<&str> = ids.iter().map(|id| beginning(id)).collect();
    let near = nearest(stem, beginnings.into_iter().filter(|_| !stem.is_empty()))?;
    let alike: Vec<&str> = ids.iter().copied().filter(|id| beginning(id) == near).collect();
    // Of very many the first will do.
    nearest(glob, alike.iter().take(100).copied()).or(alike.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Reply;

    fn record(case: &str, outcome: &str, reason: &str) -> Known {
        Known {
            case: Glob::new(case),
            outcome: outcome.to_string(),
            reason: reason.to_string(),
            link: None,
            expires: None,
            sometimes: false,
            security: false,
            span: 0..1,
            reason_span: 0..1,
            expiry_span: 0..1,
        }
    }

    fn records(known: &[&str], expires: &str) -> Records {
        let list = known.iter().map(|case| Known { expires: Date::parse(expires), ..record(case, "bad", "r") });
        Records { list: list.collect(), source: Some(Arc::new(SourceText::new("t.toml", "case = 'x'\n"))) }
    }

    #[test]
    fn a_record_covers_its_outcome_and_nothing_else() {
        let known = [record("imap/*", "bad", "ticket 123")];
        let verdict = |outcome: Outcome, verdict: Verdict| {
            apply(&known, "imap/x/y[imap]", &outcome, Judgement::new(verdict, "")).0.verdict
        };
        assert_eq!(verdict(Outcome::Bad(Reply::default()), Verdict::Fail), Verdict::Known);
        assert_eq!(verdict(Outcome::Rejected(Reply::default()), Verdict::Fail), Verdict::Fail);
        assert_eq!(verdict(Outcome::Rejected(Reply::default()), Verdict::Pass), Verdict::Fixed);
        assert_eq!(verdict(Outcome::Bad(Reply::default()), Verdict::Skip), Verdict::Skip);
    }

    #[test]
    fn a_broad_record_does_not_hide_a_narrower_one() {
        let known = [record("imap/*", "bad", "broad"), record("imap/x*", "rejected", "narrow")];
        let reason = |outcome: Outcome| {
            let (judgement, record) = apply(&known, "imap/x[imap]", &outcome, Judgement::new(Verdict::Fail, ""));
            assert_eq!(record.map(|record| record.reason.as_str()), Some(judgement.reason.as_str()));
            judgement.reason
        };
        assert_eq!(reason(Outcome::Bad(Reply::default())), "broad");
        assert_eq!(reason(Outcome::Rejected(Reply::default())), "narrow");
    }

    #[test]
    fn a_record_holds_until_its_last_day_has_passed() {
        let on = |today: &str| records(&["imap/*"], "2027-01-31").check(Date::parse(today).unwrap(), None);
        assert!(on("2027-01-31").is_ok());
        let error = on("2027-02-01").unwrap_err().to_string();
        assert!(error.starts_with("error: the record for `imap/*` held until 2027-01-31"), "{error}");
        assert!(error.contains("t.toml:1:1"), "{error}");
    }

    #[test]
    fn a_record_that_covers_no_case_is_a_mistake_where_all_cases_are_known() {
        let ids = ["imap/quoting/unescaped[imap]", "imap/quoting/escaped[imap]", "pop3/session/empty[pop3]"];
        let check = |case: &str, every| records(&[case], "2027-01-31").check(Date::parse("2027-01-01").unwrap(), every);
        assert!(check("imap/*", Some(&ids)).is_ok());
        assert!(check("imap/quotng/*", None).is_ok());
        let help = |case: &str| check(case, Some(&ids)).unwrap_err().list[0].help.clone().unwrap();
        assert_eq!(help("imap/quoting/escapd[imap]"), "the nearest case is `imap/quoting/escaped[imap]`");
        assert_eq!(help("imap/quotng/*"), "the nearest case is `imap/quoting/unescaped[imap]`");
        assert_eq!(help("pop3/session/*[imap]"), "the nearest case is `pop3/session/empty[pop3]`");
        assert!(help("nothing/like/this").starts_with("`loginspec list"), "{}", help("nothing/like/this"));
    }
}
