//! Two logins that must not be told apart by their refusals (RFC 9051 §11.7, RFC 5530 §3, RFC 1939 §13): asked
//! alternately, each on a connection of its own, and compared by words and by time.

use super::execute::Caller;
use super::question::{Question, Request};
use super::refusal::{Refusal, Words, compare_words};
use super::statistics::{Answer, Timing};
use crate::identity::escape;
use crate::protocol::{Login, Outcome, Redactor, Session};
use crate::scenario::{Expected, Judgement, Level, Verdict, by_level, describe, judge};
use crate::transport::Conversation;

/// How many pairs there are at first.
const FIRST_PAIRS: usize = 8;
/// How many more are drawn at once while the answer is open.
const MORE_PAIRS: usize = 8;
/// How many pairs there are at most: each may cost an account a failed login.
const MOST_PAIRS: usize = 48;

/// What the comparison of two refusals came to.
pub(super) struct Compared {
    pub judgement: Judgement,
    this: Shown,
    that: Shown,
    /// The conversation of the second login that is shown; the first login's is the case's own.
    conversation: Conversation,
}

/// One side of the comparison, for reports.
struct Shown {
    name: Vec<u8>,
    refusal: Option<Refusal>,
}

/// Asks until the answer is known, or more would not help; an error is a connection that could not be had.
pub(super) async fn compare(
    question: &Question,
    level: Level,
    caller: &Caller<'_>,
) -> Result<Option<(Conversation, Compared)>, String> {
    let (Request::Login(this), Some(that)) = (&question.request, &question.against) else { return Ok(None) };
    let mut pairs: Vec<(Refusal, Refusal)> = Vec::new();
    loop {
        // The order alternates, so that neither is always the one that warms the server up.
        let (one, other) = if pairs.len() % 2 == 0 {
            let one = caller.call(Session::login(this.clone())).await?;
            (one, caller.call(Session::login(that.clone())).await?)
        } else {
            let other = caller.call(Session::login(that.clone())).await?;
            (caller.call(Session::login(this.clone())).await?, other)
        };
        let refusals = (Refusal::of(&one, &this.name), Refusal::of(&other, &that.name));
        let judgement = match (refused(this, &one.outcome, level), refused(that, &other.outcome, level)) {
            (Some(judgement), _) | (None, Some(judgement)) => Some(judgement),
            (None, None) => {
                pairs.push(refusals.clone());
                judge_pairs(&pairs, level)
            }
        };
        if let Some(judgement) = judgement {
            let shown = |login: &Login, refusal| Shown { name: login.name.clone(), refusal: Some(refusal) };
            let (this, that) = (shown(this, refusals.0), shown(that, refusals.1));
            return Ok(Some((one, Compared { judgement, this, that, conversation: other })));
        }
    }
}

/// The judgement where a login was not refused at all: there is nothing to compare then.
fn refused(login: &Login, outcome: &Outcome, level: Level) -> Option<Judgement> {
    let name = escape(&login.name);
    match outcome {
        Outcome::Rejected(_) | Outcome::Bad(_) | Outcome::Closed { .. } => None,
        Outcome::NotOffered(_) => Some(judge(&Expected::Rejected, None, level, outcome)),
        _ => Some(by_level(level, format!("the login as `{name}` is not refused: {}", describe(outcome)))),
    }
}

/// The judgement on the pairs so far; nothing where more are needed.
fn judge_pairs(pairs: &[(Refusal, Refusal)], level: Level) -> Option<Judgement> {
    if pairs.len() < FIRST_PAIRS || (pairs.len() - FIRST_PAIRS) % MORE_PAIRS != 0 {
        return None;
    }
    match compare_words(pairs) {
        Words::Differ(aspects) => return Some(by_level(level, format!("distinguishable by {}", aspects.join(", ")))),
        Words::Vary(aspects) => {
            return Some(inconclusive(&format!("the answers differ now and then, in {}", aspects.join(", "))));
        }
        Words::Same => {}
    }
    let times: Vec<(u64, u64)> = pairs.iter().filter_map(|(this, that)| Some((this.nanos?, that.nanos?))).collect();
    if times.is_empty() {
        // Nothing was said at all, by neither: the same silence.
        return Some(Judgement::pass());
    }
    let timing = Timing::of(&times);
    let is_last = pairs.len() >= MOST_PAIRS;
    match timing.answer() {
        Answer::Differs => Some(by_level(
            level,
            format!(
                "distinguishable by time: median {} against {}, p < {} ({} pairs)",
                seconds(timing.this),
                seconds(timing.that),
                bound(timing.p),
                times.len()
            ),
        )),
        Answer::Same if is_last || !timing.is_suspicious() => Some(Judgement::pass()),
        Answer::Open if is_last => Some(inconclusive(&unseen(&timing, times.len()))),
        Answer::Same | Answer::Open => None,
    }
}

fn inconclusive(reason: &str) -> Judgement {
    Judgement::new(Verdict::Skip, format!("inconclusive: {reason}"))
}

/// What was missing.
fn unseen(timing: &Timing, pairs: usize) -> String {
    let threshold = seconds(timing.threshold());
    match timing.interval {
        Some((low, high)) => format!(
            "after {pairs} pairs the difference in time lies between {} and {}, too wide to see one of {threshold}; \
             fewer jobs or a quieter network would help",
            seconds(low),
            seconds(high),
        ),
        None => format!("only {pairs} answers could be timed, too few to see a difference of {threshold}"),
    }
}

fn seconds(nanos: f64) -> String {
    if nanos.abs() >= 1e8 { format!("{:.2} s", nanos / 1e9) } else { format!("{:.2} ms", nanos / 1e6) }
}

/// The next power of ten above a probability.
fn bound(p: f64) -> String {
    let digits = (3..=9).rev().find(|digits| p < 10f64.powi(-digits)).unwrap_or(3);
    format!("{:.*}", usize::try_from(digits).unwrap_or(3), 10f64.powi(-digits))
}

impl Compared {
    /// Both answers, each with the login name that it was given to.
    pub fn answers(&self, redactor: &Redactor) -> Vec<(String, String)> {
        let shown = |shown: &Shown| {
            let answer = shown.refusal.as_ref().map(|refusal| refusal.shown(redactor)).unwrap_or_default();
            (escape(&redactor.redact(&shown.name)), answer)
        };
        vec![shown(&self.this), shown(&self.that)]
    }

    /// The second login's transcript.
    pub fn rendered(&self, redactor: &Redactor) -> String {
        let name = escape(&redactor.redact(&self.that.name));
        format!("[the login as {name}]\n{}", self.conversation.transcript.render(redactor))
    }
}
