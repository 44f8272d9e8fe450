//! What is suspicious in a campaign: taken up, looked into a few at a time, and concluded.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::bench::{Finding, Suspicion};
use super::campaign::{Campaign, Looking};
use super::conversation::Conversation;
use super::event::{Ended, FuzzEvent, FuzzReporter};
use super::oracle::{Oracle, Violation};
use crate::panic::catch_panic;

/// How many suspicions of one kind are looked into: behind one kind there may be more than one bug.
const OF_A_KIND: u32 = 4;
/// How many suspicions are looked into at once.
const LOOKED_INTO_AT_ONCE: usize = 2;
/// How many of the last conversations may have harmed a server, besides those that still go on.
const SUSPECTED: u64 = 48;

impl Campaign {
    pub(super) fn compare_times(&mut self) {
        for (place, known, stranger) in self.comparison.telling_times() {
            let what = "refusals take longer for a name that somebody has than for one that nobody has, or less long";
            let violation = Violation {
                oracle: Oracle::RefusalTells,
                command: Some(0),
                what: what.to_string(),
                shape: format!("{place}: time"),
            };
            if let Some(conversation) = self.maker.make(known) {
                self.suspect(known, &conversation, Some(stranger), violation);
            }
        }
    }

    /// Takes a suspicion up, if there are not enough of its kind already.
    pub(super) fn suspect(
        &mut self,
        index: u64,
        conversation: &Conversation,
        other: Option<u64>,
        violation: Violation,
    ) {
        let Some(nth) = self.count(format!("{} {}", violation.oracle.word(), violation.shape)) else { return };
        let other = other.and_then(|index| Some((index, self.maker.make(index)?)));
        self.suspicions.push_back(Suspicion {
            index,
            conversation: conversation.clone(),
            other,
            violation,
            nth,
            suspects: Vec::new(),
        });
    }

    /// A server has suffered. Which conversation did it has to be found out: one of the last, or one that still goes on.
    pub(super) fn suspect_harm(&mut self, target: usize, harm: String) {
        let numbers = self.judged.saturating_sub(SUSPECTED)..self.next;
        let made = numbers.filter_map(|index| Some((index, self.maker.make(index)?)));
        let suspects: Vec<(u64, Conversation)> = made.filter(|(_, made)| made.target == target).collect();
        let Some((index, conversation)) = suspects.last().cloned() else { return };
        let Some(nth) = self.count(format!("{} {target}", Oracle::ServerHarmed.word())) else { return };
        let violation = Violation {
            oracle: Oracle::ServerHarmed,
            command: None,
            what: harm,
            shape: format!("{}: harm", conversation.protocol),
        };
        self.suspicions.push_back(Suspicion { index, conversation, other: None, violation, nth, suspects });
    }

    /// How many of a kind came before this one; nothing where there are enough of them.
    fn count(&mut self, kind: String) -> Option<u32> {
        let count = self.looked_into.entry(kind).or_insert(0);
        let nth = *count;
        *count = nth.saturating_add(1).min(OF_A_KIND);
        (nth < OF_A_KIND).then_some(nth)
    }

    /// The suspicion that is looked into next: the first of its kind, and of those the worst.
    fn worst(&mut self) -> Option<Suspicion> {
        let waiting = self.suspicions.iter().enumerate();
        let (at, _) = waiting.min_by_key(|(at, waiting)| (waiting.nth, waiting.violation.oracle.rank(), *at))?;
        self.suspicions.remove(at)
    }

    pub(super) fn look_into_some(&mut self, looking: &mut Looking) {
        while looking.len() < LOOKED_INTO_AT_ONCE
            && !matches!(self.ended, Some(Ended::Interrupted | Ended::Enough))
            && let Some(suspicion) = self.worst()
        {
            let bench = Arc::clone(&self.bench);
            let (index, shape) = (suspicion.index, suspicion.violation.shape.clone());
            self.under_way.push(suspicion.clone());
            looking.spawn(async move { (index, shape, catch_panic(bench.look_into(suspicion)).await) });
        }
    }

    pub(super) fn conclude(
        &mut self,
        index: u64,
        shape: String,
        finding: Option<Finding>,
        reporter: &mut dyn FuzzReporter,
    ) -> io::Result<()> {
        let at = self.under_way.iter().position(|known| known.index == index && known.violation.shape == shape);
        let suspicion = at.map(|at| self.under_way.swap_remove(at));
        match finding {
            None => {
                if let Some(Suspicion { violation, .. }) = suspicion {
                    self.gone.push(format!("conversation {index}, {}: {}", violation.oracle.word(), violation.what));
                }
            }
            Some(finding) if finding.is_ours => {
                if is_new(&mut self.shapes, &finding) {
                    let path = self.store.keep(&finding)?;
                    let doubt = finding.doubt.unwrap_or_default();
                    self.gone.push(format!("{}: {doubt} ({})", finding.oracle.word(), path.display()));
                }
            }
            Some(finding) => {
                if is_new(&mut self.shapes, &finding) {
                    let path = self.store.keep(&finding)?;
                    reporter.event(&FuzzEvent::Found(&finding, &path));
                    self.findings.push((finding, path));
                    let proven = self.findings.iter().filter(|(finding, _)| finding.is_proven()).count();
                    if self.options.findings.is_some_and(|enough| proven >= enough) {
                        self.ended.get_or_insert(Ended::Enough);
                    }
                }
            }
        }
        self.save()
    }
}

/// Whether nothing of its shape is kept yet; notes that it is. What could not be proven does not stand in the way of what
/// can.
fn is_new(shapes: &mut HashMap<String, bool>, finding: &Finding) -> bool {
    let is_proven = finding.is_proven();
    match shapes.get(&finding.shape) {
        Some(was_proven) if *was_proven || !is_proven => false,
        _ => {
            shapes.insert(finding.shape.clone(), is_proven);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Verdict;

    #[test]
    fn what_is_not_proven_does_not_hide_what_is() {
        let unproven = Finding::new(Oracle::RightRefused, String::new(), String::new(), 1, "imap LOGIN".to_string());
        let proven = Finding { verdicts: Some((Verdict::Fail, Verdict::Pass)), ..unproven.clone() };
        let mut shapes = HashMap::new();
        let order = [&unproven, &unproven, &proven, &proven, &unproven];
        let new: Vec<bool> = order.into_iter().map(|finding| is_new(&mut shapes, finding)).collect();
        assert_eq!(new, [true, false, true, false, false]);
    }
}
