//! Two logins that must not be told apart by their refusals (RFC 9051 §11.7, RFC 5530 §3, RFC 1939 §13): asked
//! alternately, each on a connection of its own, and compared by words and by time.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::caller::{Answer, Caller, NoAnswer};
use super::question::{Question, Request};
use super::refusal::{Refusal, Words, compare_words};
use super::statistics::{self, Timing};
use crate::protocol::{Login, MarkedOctets, Outcome, Redactor};
use crate::scenario::{Expected, Judgement, Level, Measured, SkipReason, by_level, describe, judge};
use crate::transport::Conversation;

/// How many pairs there are at first.
pub(super) const FIRST_PAIRS: usize = 8;
/// How many more are drawn at once while the answer is open.
const MORE_PAIRS: usize = 8;
/// How many pairs there are at most: each may cost an account a failed login.
const MOST_PAIRS: usize = 48;

/// A server with which a good login takes so long is mostly waited for.
const FAR: Duration = Duration::from_millis(100);
/// How many pairs are had side by side with such a server.
const FAR_AT_ONCE: usize = 4;

/// What the comparison of two refusals came to.
pub(super) struct Compared {
    pub judgement: Judgement,
    /// The time of all conversations that were compared.
    pub took: Duration,
    this: Shown,
    that: Shown,
    /// The conversation of the second login that is shown; the first login's is the case's own.
    conversation: Conversation,
}

/// One side of the comparison, for reports.
struct Shown {
    name: MarkedOctets,
    refusal: Option<Refusal>,
}

/// Asks until the answer is known, or more would not help; an error is a connection that could not be had.
pub(super) async fn compare(
    question: &Question,
    level: Level,
    caller: &Caller<'_>,
) -> Result<Option<(Answer, Compared)>, NoAnswer> {
    let (Request::Login(this), Some(that)) = (&question.request, &question.against) else { return Ok(None) };
    let mut pairs: Vec<(Refusal, Refusal)> = Vec::new();
    let mut took = Duration::ZERO;
    let (this, that) = (Request::Login(this.clone()), Request::Login(that.clone()));
    loop {
        // The order alternates, so that neither is always the one that warms the server up. Where a refusal takes long
        // the pairs of one round are had side by side; more than the first ones only where they cost no account anything.
        // So are some of them where the network takes most of the time: others disturb both sides of a pair alike.
        let at_once = match (caller.gate.is_slow(), caller.gate.lockout.is_unlimited()) {
            (false, _) if caller.gate.login_time() >= FAR => FAR_AT_ONCE,
            (false, _) => 1,
            (true, true) => FIRST_PAIRS + MORE_PAIRS,
            (true, false) => FIRST_PAIRS,
        };
        let mut asking: Vec<Asking<'_>> = Vec::new();
        for at in pairs.len()..pairs.len() + at_once {
            asking.push(Box::pin(pair(caller, &this, &that, at % 2 == 1)));
        }
        for answers in all(asking).await {
            let (one, other) = answers?;
            took += one.conversation.took + other.conversation.took;
            let (Request::Login(this), Request::Login(that)) = (&this, &that) else { return Ok(None) };
            let refusals = (
                Refusal::of(&one.conversation, this.name.expose()),
                Refusal::of(&other.conversation, that.name.expose()),
            );
            let refused =
                (refused(this, &one.conversation.outcome, level), refused(that, &other.conversation.outcome, level));
            let judgement = match refused {
                (Some(judgement), _) | (None, Some(judgement)) => Some(judgement),
                (None, None) => {
                    pairs.push(refusals.clone());
                    judge_pairs(&pairs, level)
                }
            };
            if let Some(judgement) = judgement {
                let shown = |login: &Login, refusal| Shown { name: login.name.clone(), refusal: Some(refusal) };
                let (this, that) = (shown(this, refusals.0), shown(that, refusals.1));
                return Ok(Some((one, Compared { judgement, took, this, that, conversation: other.conversation })));
            }
        }
    }
}

/// A pair that is being asked.
type Asking<'a> = Pin<Box<dyn Future<Output = Result<(Answer, Answer), NoAnswer>> + Send + 'a>>;

/// One pair; with `turned`, the second is asked first.
async fn pair(caller: &Caller<'_>, this: &Request, that: &Request, turned: bool) -> Result<(Answer, Answer), NoAnswer> {
    if turned {
        let other = caller.ask(that).await?;
        return Ok((caller.ask(this).await?, other));
    }
    let one = caller.ask(this).await?;
    Ok((one, caller.ask(that).await?))
}

/// Waits for all of them, side by side, and gives back what they came to, in their order.
async fn all(mut asking: Vec<Asking<'_>>) -> Vec<Result<(Answer, Answer), NoAnswer>> {
    let mut answers: Vec<Option<_>> = asking.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in asking.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(context) {
                *answer = Some(ready);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// The judgement where a login was not refused at all: there is nothing to compare then.
fn refused(login: &Login, outcome: &Outcome, level: Level) -> Option<Judgement> {
    let name = login.name.shown();
    match &outcome.clone().without_refusals_for_protection(login.security) {
        Outcome::Rejected(_) | Outcome::Bad(_) | Outcome::Closed { .. } => None,
        missing @ Outcome::NotOffered(_) => Some(judge(&Expected::Rejected, None, level, missing)),
        _ => Some(by_level(level, format!("the login as `{name}` is not refused: {}", describe(outcome)))),
    }
}

/// The judgement on the pairs so far; nothing where more are needed.
fn judge_pairs(pairs: &[(Refusal, Refusal)], level: Level) -> Option<Judgement> {
    if pairs.len() < FIRST_PAIRS || !(pairs.len() - FIRST_PAIRS).is_multiple_of(MORE_PAIRS) {
        return None;
    }
    match compare_words(pairs) {
        Words::Differ(aspects) => return Some(by_level(level, format!("distinguishable by {}", aspects.join(", ")))),
        Words::Vary(aspects) => {
            let reason = format!("the answers differ now and then, in {}", aspects.join(", "));
            return Some(inconclusive(Measured::Words, reason));
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
        statistics::Answer::Differs => Some(by_level(
            level,
            format!(
                "distinguishable by time: median {} against {}, p < {} ({} pairs)",
                seconds(timing.this),
                seconds(timing.that),
                bound(timing.p),
                times.len()
            ),
        )),
        statistics::Answer::Same if is_last || !timing.is_suspicious() => Some(Judgement::pass()),
        statistics::Answer::Open if is_last => Some(inconclusive(Measured::Time, unseen(&timing, times.len()))),
        statistics::Answer::Same | statistics::Answer::Open => None,
    }
}

fn inconclusive(measured: Measured, reason: String) -> Judgement {
    Judgement::skipped(SkipReason::Inconclusive { measured, reason })
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
            (redactor.redact_text(&shown.name.shown()), answer)
        };
        vec![shown(&self.this), shown(&self.that)]
    }

    /// The second login's transcript.
    pub fn rendered(&self, redactor: &Redactor) -> String {
        let name = redactor.redact_text(&self.that.name.shown());
        format!("[the login as {name}]\n{}", self.conversation.transcript.render(redactor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Verdict;

    /// Pairs with the same words, and these times in microseconds.
    fn pairs(count: usize, times: impl Fn(usize) -> (u64, u64)) -> Vec<(Refusal, Refusal)> {
        let made =
            |(this, that): (u64, u64)| (Refusal::made("no", "x", this * 1000), Refusal::made("no", "y", that * 1000));
        (0..count).map(|at| made(times(at))).collect()
    }

    fn by_time(count: usize, times: impl Fn(usize) -> (u64, u64)) -> Option<(Verdict, String)> {
        judge_pairs(&pairs(count, times), Level::Must).map(|judgement| (judgement.verdict, judgement.reason))
    }

    #[test]
    fn eight_quiet_pairs_are_enough_to_pass() {
        let quiet = |at: usize| (200 + at as u64 % 3, 200 + at as u64 % 2);
        assert_eq!(by_time(7, quiet), None);
        assert_eq!(by_time(8, quiet), Some((Verdict::Pass, String::new())));
        // Where the first eight differ in the same direction, more are drawn, however small the difference.
        let lean = |at: usize| (210 + at as u64, 200);
        assert_eq!(by_time(8, lean), None);
        assert_eq!(by_time(9, lean), None);
        assert_eq!(by_time(48, lean), Some((Verdict::Pass, String::new())));
    }

    #[test]
    fn a_difference_in_time_is_told_with_its_size() {
        let told = "distinguishable by time: median 0.52 s against 10.00 ms, p < 0.0001 (16 pairs)";
        let slow = |at: usize| (520_000 + at as u64 % 5, 10_000);
        assert_eq!(by_time(8, slow), None);
        assert_eq!(by_time(16, slow), Some((Verdict::Fail, told.to_string())));
        let fast = |at: usize| (200, 3_300 + at as u64 % 5);
        assert!(by_time(24, fast).unwrap().1.ends_with("median 0.20 ms against 3.30 ms, p < 0.000001 (24 pairs)"));
    }

    #[test]
    fn noise_is_inconclusive_and_says_what_was_missing() {
        // Half of the pairs lean far to one side, half to the other.
        let noise = |at: usize| if at.is_multiple_of(2) { (9_000, 1_000) } else { (1_000, 9_000) };
        assert_eq!(by_time(8, noise), None);
        let (verdict, reason) = by_time(48, noise).unwrap();
        assert_eq!(verdict, Verdict::Skip);
        let told = "inconclusive: after 48 pairs the difference in time lies between -8.00 ms and 8.00 ms, too wide to \
                    see one of 1.00 ms; fewer jobs or a quieter network would help";
        assert_eq!(reason, told);
    }

    #[test]
    fn words_come_before_times() {
        let mut differing = pairs(8, |_| (1, 1));
        for pair in &mut differing {
            pair.1 = Refusal::made("no such user", "y", 1000);
        }
        let judgement = judge_pairs(&differing, Level::Should).unwrap();
        assert_eq!(
            (judgement.verdict, judgement.reason.as_str()),
            (Verdict::Warn, "distinguishable by the text, the length")
        );
        differing[3].1 = Refusal::made("no", "y", 1000);
        let judgement = judge_pairs(&differing, Level::Should).unwrap();
        assert_eq!(judgement.verdict, Verdict::Skip);
        assert!(
            judgement.reason.starts_with("inconclusive: the answers differ now and then, in the text (7 of 8 pairs)")
        );
    }
}
