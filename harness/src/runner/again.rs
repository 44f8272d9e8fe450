//! What was put off is asked again: side by side when nobody else asks any more, and where a server that we can look
//! into was seen to spin, to grow or to end meanwhile, each case alone.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::caller::{Pass, PutOff};
use super::doubt::Doubt;
use super::governor::{Gate, Governor};
use super::pacing::{Pace, PartOfRun, WorkItem};
use super::result_collector::ResultCollector;
use super::settle::Answered;
use super::watch::Look;
use super::workers::{Batch, Collect, Ended, Found, Workers};
use crate::scenario::{Judgement, Verdict};

/// The outcome of a first attempt for which there was no conversation.
const NO_CONNECTION: &str = "no-connection";

/// How many are asked side by side at most: few enough for any server.
const TOGETHER: usize = 16;

/// Asks what was put off, each with what came of it the first time; tells how it ended.
pub(super) async fn ask_again(
    workers: &mut Workers,
    put_off: Vec<(WorkItem, PutOff)>,
    pace: &Arc<Pace>,
    collector: &mut dyn Collect,
    jobs: usize,
) -> io::Result<Ended> {
    if put_off.is_empty() {
        return Ok(Ended::Whole);
    }
    let governor = Arc::clone(&workers.governor);
    let words = first_words(&put_off);
    let mut retried = Retried { governor: Arc::clone(&governor), words, collector };

    // How each server is doing before; an error where one is gone and does not come back.
    let mut before: Vec<Result<Option<Look>, String>> = Vec::new();
    for (index, gate) in governor.gates.iter().enumerate() {
        let is_concerned = put_off.iter().any(|(item, _)| item.planned.target == index);
        before.push(if is_concerned { fit_for_it(gate).await } else { Ok(None) });
    }
    let (mut brief, mut in_turn, mut together) = (Vec::new(), Vec::new(), Vec::new());
    for (item, why) in put_off {
        let gate = governor.gates.get(item.planned.target);
        let has_spun = gate.is_some_and(|gate| gate.runaways.load(Ordering::Relaxed) > 0);
        match before.get(item.planned.target) {
            Some(Err(reason)) => {
                for planned in std::iter::once(item.planned).chain(item.same_octets) {
                    let why = Judgement::new(Verdict::Error, reason.clone());
                    retried.found(Found::Unasked(planned, why))?;
                }
            }
            // There is one to be found that spins. Who was hung up on may have been it: what spins is ended for all.
            _ if has_spun && matches!(why.doubt, Doubt::Silent | Doubt::HungUp) => brief.push(item),
            _ if why.doubt == Doubt::Locked => in_turn.push(item),
            _ => together.push(item),
        }
    }
    let jobs = jobs.min(TOGETHER);
    for (items, jobs, pass) in [(brief, 1, Pass::Briefly), (in_turn, jobs, Pass::InTurn)] {
        let mut part = Part { put_off: Vec::new(), next: &mut retried };
        let ended =
            workers.ask_all(vec![Batch { items, jobs, part: PartOfRun::Retries, pass }], pace, &mut part).await?;
        together.append(&mut part.put_off);
        if ended != Ended::Whole {
            return Ok(ended);
        }
    }
    let mut sort = Sort { held: Vec::new(), alone: Vec::new(), next: &mut retried };
    let batch = Batch { items: together, jobs, part: PartOfRun::Retries, pass: Pass::Together };
    let ended = workers.ask_all(vec![batch], pace, &mut sort).await?;
    let Sort { held, mut alone, .. } = sort;
    if ended != Ended::Whole {
        return Ok(ended);
    }
    let mut is_well = Vec::new();
    for (gate, before) in governor.gates.iter().zip(&before) {
        is_well.push(match before {
            Ok(Some(before)) => gate.incident(before).await == Ok(None),
            _ => true,
        });
    }
    for answered in held {
        if is_well.get(answered.planned.target) == Some(&false) {
            alone.push(WorkItem::of(answered.planned));
        } else {
            retried.found(Found::Answered(Box::new(answered), None))?;
        }
    }
    workers
        .ask_all(vec![Batch { items: alone, jobs: 1, part: PartOfRun::Retries, pass: Pass::Alone }], pace, &mut retried)
        .await
}

/// Asks what wants quiet, and beside it once more what was not answered at all: a connection that waits for an answer
/// disturbs no measurement. Only servers that are not looked into are asked so.
pub(super) async fn ask_quietly(
    workers: &mut Workers,
    quiet: Batch,
    pace: &Arc<Pace>,
    collector: &mut ResultCollector<'_, '_>,
    jobs: usize,
) -> io::Result<Ended> {
    let governor = Arc::clone(&workers.governor);
    let is_watched =
        |item: &WorkItem| governor.gates.get(item.planned.target).is_none_or(|gate| gate.target.is_watched());
    let put_off = std::mem::take(&mut collector.put_off);
    let (silent, others): (Vec<_>, Vec<_>) =
        put_off.into_iter().partition(|(item, why)| why.doubt == Doubt::Silent && !is_watched(item));
    collector.put_off = others;
    let words = first_words(&silent);
    let items = silent.into_iter().map(|(item, _)| item).collect();
    let again = Batch { items, jobs: jobs.min(TOGETHER), part: PartOfRun::Retries, pass: Pass::Together };
    let mut retried = Retried { governor, words, collector };
    workers.ask_all(vec![quiet, again], pace, &mut retried).await
}

/// The outcomes of first attempts, as words, by case.
fn first_words(put_off: &[(WorkItem, PutOff)]) -> HashMap<(usize, usize, usize), Option<&'static str>> {
    let of_item = |(item, why): &(WorkItem, PutOff)| {
        let cases = std::iter::once(&item.planned).chain(&item.same_octets);
        let word = why.word;
        cases.map(move |planned| (planned.place(), word)).collect::<Vec<_>>()
    };
    put_off.iter().flat_map(of_item).collect()
}

/// Counts the answers that differ from the first, and hands everything on.
struct Retried<'c> {
    governor: Arc<Governor>,
    words: HashMap<(usize, usize, usize), Option<&'static str>>,
    collector: &'c mut dyn Collect,
}

impl Collect for Retried<'_> {
    fn found(&mut self, mut found: Found) -> io::Result<bool> {
        let (planned, word, is_shared) = match &found {
            Found::Answered(answered, _) => {
                (&answered.planned, Some(answered.conversation.outcome.word()), answered.is_shared)
            }
            Found::Unasked(planned, _) | Found::Panicked(planned, _) => (planned, None, false),
            Found::PutOff(item, _) => (&item.planned, None, false),
        };
        if let (Some(gate), Some(first)) = (self.governor.gates.get(planned.target), self.words.get(&planned.place())) {
            // It is one conversation, however many cases share its answer.
            let counts = usize::from(!is_shared);
            gate.looked_again.fetch_add(counts, Ordering::Relaxed);
            if word != *first {
                gate.changed.fetch_add(counts, Ordering::Relaxed);
                if let Found::Answered(answered, _) = &mut found {
                    answered.first_outcome = Some(first.unwrap_or(NO_CONNECTION));
                }
            }
        }
        self.collector.found(found)
    }

    fn progress(&mut self) -> io::Result<()> {
        self.collector.progress()
    }
}

/// Keeps what is put off once more.
struct Part<'c, 'n> {
    put_off: Vec<WorkItem>,
    next: &'c mut Retried<'n>,
}

impl Collect for Part<'_, '_> {
    fn found(&mut self, found: Found) -> io::Result<bool> {
        match found {
            Found::PutOff(item, _) => {
                self.put_off.push(item);
                Ok(true)
            }
            found => self.next.found(found),
        }
    }
}

/// Keeps what is doubtful still, and what is put off once more.
struct Sort<'c, 'n> {
    held: Vec<Answered>,
    alone: Vec<WorkItem>,
    next: &'c mut Retried<'n>,
}

impl Collect for Sort<'_, '_> {
    fn found(&mut self, found: Found) -> io::Result<bool> {
        match found {
            Found::Answered(answered, Some(_)) => {
                self.held.push(*answered);
                Ok(true)
            }
            Found::PutOff(item, _) => {
                self.alone.push(item);
                Ok(true)
            }
            found => self.next.found(found),
        }
    }
}

/// Makes a server fit to be asked, and looks how it is doing then.
async fn fit_for_it(gate: &Gate) -> Result<Option<Look>, String> {
    gate.make_fit().await?;
    Ok(gate.look().await)
}
