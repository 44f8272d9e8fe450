//! What has changed between two runs against a server.

use std::collections::{BTreeMap, BTreeSet};

use super::super::narrow_glob::without_combination;
use super::read::EarlierCase;
use super::server::{Server, happened, one_line};
use crate::plural::counted;
use crate::scenario::{SkipCode, Verdict};

/// What has changed.
#[derive(Debug, Default)]
pub struct Changes {
    /// How many cases became worse.
    pub worse: usize,
    /// One line for each kind of change of a case, however many combinations it has.
    rows: BTreeMap<(Kind, String), usize>,
}

/// The kinds of change, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Failing,
    Harmful,
    Skipped,
    Missing,
    Appeared,
    Otherwise,
    Passing,
    Vanished,
}

/// What has changed from one run to another.
pub fn changes(old: &Server<'_>, new: &Server<'_>) -> Changes {
    let mut changes = Changes::default();
    let ids: BTreeSet<&str> = old.cases.keys().chain(new.cases.keys()).copied().collect();
    for id in ids {
        let (before, after) = (old.cases.get(id).copied(), new.cases.get(id).copied());
        let Some(kind) = kind(before, after) else { continue };
        changes.worse += usize::from(is_worse(kind, after));
        let row = format!("{}: {} → {}", without_combination(id), told(before), told(after));
        *changes.rows.entry((kind, one_line(&row))).or_default() += 1;
    }
    changes
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.rows.is_empty() {
            return writeln!(f, "  nothing has changed");
        }
        for ((kind, row), number) in &self.rows {
            writeln!(f, "  {:<15} {number:>4}  {row}", kind.words())?;
        }
        match self.worse {
            0 => writeln!(f, "  nothing became worse"),
            worse => writeln!(f, "  {} became worse", counted(worse, "case")),
        }
    }
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Failing => "newly failing",
            Self::Harmful => "newly harmful",
            Self::Skipped => "newly skipped",
            Self::Missing => "missing",
            Self::Appeared => "appeared",
            Self::Otherwise => "changed",
            Self::Passing => "newly passing",
            Self::Vanished => "vanished",
        }
    }
}

/// `fixed` is a record that is to be removed: the server does what it should.
const fn passes(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::Fixed)
}

const fn fails(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fail | Verdict::Error)
}

fn kind(before: Option<&EarlierCase>, after: Option<&EarlierCase>) -> Option<Kind> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, Some(_)) => return Some(Kind::Appeared),
        // A case that decided something is not asked any more: whatever it would find now goes unseen.
        (Some(before), None) if before.verdict != Verdict::Skip => return Some(Kind::Missing),
        (_, None) => return Some(Kind::Vanished),
    };
    let is_warned = after.verdict == Verdict::Warn && before.verdict != Verdict::Warn && !fails(before.verdict);
    if fails(after.verdict) && !fails(before.verdict) || is_warned {
        return Some(Kind::Failing);
    }
    if after.harm.is_some() && before.harm.is_none() && after.verdict != Verdict::Known {
        return Some(Kind::Harmful);
    }
    if after.verdict == Verdict::Skip && passes(before.verdict) && !varies_by_run(after) {
        return Some(Kind::Skipped);
    }
    if passes(after.verdict) && !passes(before.verdict) {
        return Some(Kind::Passing);
    }
    let told = |case: &EarlierCase| (case.verdict, case.outcome.clone(), case.mailbox.clone(), case.code.clone());
    (told(before) != told(after)).then_some(Kind::Otherwise)
}

/// Whether a skip tells nothing of the server: the measurement decided nothing this time.
fn varies_by_run(case: &EarlierCase) -> bool {
    case.skip.as_ref().is_some_and(SkipCode::varies_by_run)
}

/// A case that is new is as bad as one that fails newly, where it fails: nobody has looked at it yet.
fn is_worse(kind: Kind, after: Option<&EarlierCase>) -> bool {
    match kind {
        Kind::Failing | Kind::Harmful | Kind::Skipped | Kind::Missing => true,
        Kind::Appeared => after.is_some_and(|case| fails(case.verdict)),
        Kind::Otherwise | Kind::Passing | Kind::Vanished => false,
    }
}

fn told(case: Option<&EarlierCase>) -> String {
    let Some(case) = case else { return "not there".to_string() };
    match case.verdict {
        Verdict::Pass => match (&case.mailbox, &case.outcome) {
            (Some(mailbox), _) => format!("pass (opened {mailbox})"),
            (None, Some(outcome)) => format!("pass ({outcome})"),
            (None, None) => "pass".to_string(),
        },
        verdict => format!("{} ({})", verdict.word(), happened(case)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::{EarlierRun, read_run};
    use super::super::server::servers;
    use super::*;

    #[test]
    fn a_measurement_that_decides_nothing_is_no_news_of_the_server() {
        let line = |verdict: &str, skip: &str| {
            let text = format!(
                "{{\"id\":\"a/x[imap]\",\"target\":\"t\",\"verdict\":\"{verdict}\",\"expected\":\"x\"{skip}}}\n"
            );
            [read_run("r", text.as_bytes()).unwrap()]
        };
        let old = line("pass", "");
        let worse = |skip: &str| changes(&servers(&old)[0], &servers(&line("skip", skip))[0]).worse;
        assert_eq!(worse(",\"skip\":\"inconclusive:time:a/x\""), 0);
        assert_eq!(worse(",\"skip\":\"not-offered:AUTH=PLAIN:imap:tls\""), 1);
        assert_eq!(worse(""), 1);
    }

    fn run(cases: &[(&str, &str, &str)]) -> EarlierRun {
        let line = |(id, verdict, outcome): &(&str, &str, &str)| {
            format!(
                "{{\"id\":\"a/{id}[imap]\",\"target\":\"t\",\"verdict\":\"{verdict}\",\"outcome\":\"{outcome}\",\
                 \"expected\":\"x\"}}\n"
            )
        };
        read_run("r", cases.iter().map(line).collect::<String>().as_bytes()).unwrap()
    }

    fn between(old: &[(&str, &str, &str)], new: &[(&str, &str, &str)]) -> (usize, Vec<Kind>) {
        let (old, new) = ([run(old)], [run(new)]);
        let changes = changes(&servers(&old)[0], &servers(&new)[0]);
        (changes.worse, changes.rows.keys().map(|(kind, _)| *kind).collect())
    }

    #[test]
    fn what_is_worse_and_what_is_not() {
        let of = |old: &str, new: &str| between(&[("x", old, "bad")], &[("x", new, "bad")]);
        assert_eq!(of("pass", "fail"), (1, vec![Kind::Failing]));
        assert_eq!(of("known", "error"), (1, vec![Kind::Failing]));
        assert_eq!(of("pass", "warn"), (1, vec![Kind::Failing]));
        assert_eq!(of("fail", "warn"), (0, vec![Kind::Otherwise]));
        assert_eq!(of("fail", "pass"), (0, vec![Kind::Passing]));
        assert_eq!(of("known", "fixed"), (0, vec![Kind::Passing]));
        assert_eq!(of("pass", "known"), (0, vec![Kind::Otherwise]));
        assert_eq!(of("pass", "skip"), (1, vec![Kind::Skipped]));
        assert_eq!(of("fixed", "skip"), (1, vec![Kind::Skipped]));
        assert_eq!(of("fail", "skip"), (0, vec![Kind::Otherwise]));
        assert_eq!(of("skip", "pass"), (0, vec![Kind::Passing]));
        assert_eq!(of("pass", "pass"), (0, vec![]));
    }

    #[test]
    fn cases_come_and_go() {
        let (old, new) =
            ([("a", "pass", "bad"), ("b", "fail", "bad")], [("a", "pass", "rejected"), ("c", "fail", "bad")]);
        assert_eq!(between(&old, &new), (2, vec![Kind::Missing, Kind::Appeared, Kind::Otherwise]));
        assert_eq!(between(&old, &[("a", "pass", "bad"), ("d", "pass", "bad")]).0, 1);
        assert_eq!(between(&[("a", "skip", ""), ("b", "pass", "")], &[("b", "pass", "")]), (0, vec![Kind::Vanished]));
    }
}
