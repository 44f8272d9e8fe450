//! The workers: each takes the next conversation of a lane, has it, and tells what it means for each case that it answers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::caller::{Answer, Caller, NoAnswer, Pass, PutOff};
use super::doubt::Doubt;
use super::governor::Governor;
use super::health::SilenceWatch;
use super::pacing::{Pace, PartOfRun, WorkItem};
use super::paired::compare;
use super::plan::Planned;
use super::probe::redactor;
use super::resolved_case::{ResolvedCase, resolve};
use super::settle::Answered;
use super::survey::Survey;
use crate::panic::{Panicked, catch_panic};
use crate::protocol::Outcome;
use crate::scenario::{Expected, Judgement, SkipReason, Verdict};

/// How often it is told what is left.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What a worker found out.
pub(super) enum Found {
    /// The answer to a case, and whether others may still have caused it.
    Answered(Box<Answered>, Option<Doubt>),
    Unasked(Planned, Judgement),
    /// Our own code panicked.
    Panicked(Planned, Panicked),
    /// It is to be asked again.
    PutOff(WorkItem, PutOff),
}

/// What takes in what the workers find.
pub(super) trait Collect: Send {
    /// Takes one finding in; tells whether to go on.
    fn found(&mut self, found: Found) -> io::Result<bool>;

    /// What is left; nothing by default.
    fn progress(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What all workers share.
pub(super) struct Workers {
    pub governor: Arc<Governor>,
    pub survey: Arc<Survey>,
    /// How many conversations there were.
    pub conversations: Arc<AtomicUsize>,
    /// Set to end the run early.
    pub interrupt: watch::Receiver<bool>,
    /// When no more conversations are begun; never by default.
    pub until: Option<Instant>,
}

/// Conversations, and how many of them are had at once.
pub(super) struct Batch {
    pub items: Vec<WorkItem>,
    pub jobs: usize,
    pub part: PartOfRun,
    pub pass: Pass,
}

/// How a list came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Everything was asked.
    Whole,
    /// The user interrupted the run.
    Interrupted,
    /// Whatever takes the findings in has enough.
    Enough,
}

impl Workers {
    /// Asks every item of all batches side by side, and gives what was found to `collector`. What is begun when the time
    /// is up is finished; the rest is left. An error is the collector's.
    pub async fn ask_all(
        &mut self,
        batches: Vec<Batch>,
        pace: &Arc<Pace>,
        collector: &mut dyn Collect,
    ) -> io::Result<Ended> {
        // A bounded channel: workers wait for the reports rather than fill the memory with results.
        let (sender, mut found) = mpsc::channel(256);
        let mut workers = JoinSet::new();
        for batch in batches {
            self.begin(batch, pace, &sender, &mut workers);
        }
        drop(sender);
        let mut tick = tokio::time::interval(TELL_EVERY);
        let ended = loop {
            let next = tokio::select! {
                next = found.recv() => next,
                _ = tick.tick() => {
                    collector.progress()?;
                    continue;
                }
                () = interrupted(&mut self.interrupt) => break Ended::Interrupted,
            };
            let Some(next) = next else { break Ended::Whole };
            if !collector.found(next)? {
                break Ended::Enough;
            }
        };
        if ended != Ended::Whole {
            // What is on its way already is known; the rest is left.
            found.close();
            while let Ok(next) = found.try_recv() {
                collector.found(next)?;
            }
        }
        // No worker holds on to the targets after this, so that they can be stopped.
        workers.shutdown().await;
        Ok(ended)
    }

    fn begin(&self, batch: Batch, pace: &Arc<Pace>, sender: &mpsc::Sender<Found>, workers: &mut JoinSet<()>) {
        let jobs = batch.jobs.max(1).min(batch.items.len());
        if batch.part == PartOfRun::Retries {
            let gates = batch.items.iter().filter_map(|item| self.governor.gates.get(item.planned.target));
            pace.begin_retries(
                batch.items.len(),
                gates.map(|gate| gate.long_deadlines().reply).max().unwrap_or_default(),
            );
        }
        let items: Vec<std::sync::Mutex<Option<WorkItem>>> =
            batch.items.into_iter().map(|item| std::sync::Mutex::new(Some(item))).collect();
        let (items, next) = (Arc::new(items), Arc::new(AtomicUsize::new(0)));
        for _ in 0..jobs {
            let (sender, items, next, pace) = (sender.clone(), Arc::clone(&items), Arc::clone(&next), Arc::clone(pace));
            let asker = Asker {
                governor: Arc::clone(&self.governor),
                survey: Arc::clone(&self.survey),
                conversations: Arc::clone(&self.conversations),
                pass: batch.pass,
            };
            let (until, part) = (self.until, batch.part);
            workers.spawn(async move {
                while until.is_none_or(|until| Instant::now() < until) {
                    let Some(slot) = items.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                    let Some(item) = slot.lock().ok().and_then(|mut slot| slot.take()) else { continue };
                    let (start, failures) = (Instant::now(), item.failures);
                    for found in asker.ask_or_panic(item).await {
                        if sender.send(found).await.is_err() {
                            return;
                        }
                    }
                    pace.note(part, failures, start.elapsed());
                }
            });
        }
    }
}

/// Resolves when the run is to end early; never if nothing can interrupt it any more.
pub(super) async fn interrupted(interrupt: &mut watch::Receiver<bool>) {
    if interrupt.wait_for(|&is_set| is_set).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What one worker needs to ask.
struct Asker {
    governor: Arc<Governor>,
    survey: Arc<Survey>,
    conversations: Arc<AtomicUsize>,
    pass: Pass,
}

impl Asker {
    /// The same as [`Asker::ask`]; where that panics, each case of the item is told of.
    async fn ask_or_panic(&self, item: WorkItem) -> Vec<Found> {
        let gate = self.governor.gates.get(item.planned.target);
        let cases: Vec<Planned> = std::iter::once(&item.planned).chain(&item.same_octets).cloned().collect();
        match catch_panic(self.ask(item)).await {
            Ok(found) => found,
            Err(panicked) => {
                let panicked = match gate {
                    Some(gate) => panicked.with_message(|message| redactor(&gate.target).redact_text(message)),
                    None => panicked,
                };
                cases.into_iter().map(|planned| Found::Panicked(planned, panicked.clone())).collect()
            }
        }
    }

    /// Has the conversation of an item, and tells what it means for each of its cases.
    async fn ask(&self, item: WorkItem) -> Vec<Found> {
        let unasked = |item: WorkItem, judgement: Judgement| {
            let cases = std::iter::once(item.planned).chain(item.same_octets);
            cases.map(|planned| Found::Unasked(planned, judgement.clone())).collect()
        };
        #[cfg(test)]
        if item.planned.case().is_some_and(|case| case.id.starts_with(PANICS)) {
            panic_with_a_password(&self.governor);
        }
        let resolved = match resolve(&item.planned, &self.governor, &self.survey) {
            Ok(resolved) => resolved,
            Err(judgement) => return unasked(item, judgement),
        };
        let gate = self.governor.gates.get(item.planned.target).filter(|gate| !gate.is_idle());
        let protocol = resolved.place.1;
        if let Some(reason) = gate.and_then(|gate| gate.is_silent(protocol)) {
            return unasked(item, Judgement::new(Verdict::Error, reason));
        }
        let refusals = gate.map(|gate| &gate.refusals).filter(|_| item.is_refusal && self.pass == Pass::First);
        if refusals.is_some_and(SilenceWatch::is_certain) {
            return unasked(item, Judgement::skipped(SkipReason::RefusalsUnanswered));
        }
        let note_answer = |is_answered| {
            if let Some(gate) = gate {
                gate.silence(protocol).note(is_answered);
            }
        };
        let (answer, compared) = match self.converse(&item.planned, &resolved).await {
            Ok(found) => found,
            Err(NoAnswer::PutOff(why)) => {
                if why.doubt == Doubt::Silent {
                    note_answer(why.was_answered);
                    refusals.into_iter().for_each(|refusals| refusals.note(false));
                }
                return vec![Found::PutOff(item, why)];
            }
            Err(NoAnswer::BeyondBudget { failures, limit }) => {
                return unasked(item, Judgement::skipped(SkipReason::BeyondLockoutBudget { failures, limit }));
            }
            Err(NoAnswer::Reason(reason)) => return unasked(item, Judgement::new(Verdict::Error, reason)),
        };
        let Answer { conversation, process, doubt } = answer;
        note_answer(conversation.transcript.slowest_answer().is_some());
        // A syntax error or a missing mechanism says nothing of refused passwords.
        if let Some(refusals) = refusals.filter(|_| matches!(conversation.outcome, Outcome::Rejected(_))) {
            refusals.note(true);
        }
        let mut found = Vec::new();
        for planned in item.same_octets {
            // It was resolved when the schedule was made, and nothing has changed since.
            let question = match resolve(&planned, &self.governor, &self.survey) {
                Ok(resolved) => resolved.question,
                Err(judgement) => {
                    found.push(Found::Unasked(planned, judgement));
                    continue;
                }
            };
            let (conversation, process) = (conversation.clone(), process.clone());
            let answered = Answered {
                planned,
                question,
                conversation,
                process,
                compared: None,
                is_shared: true,
                first_outcome: None,
            };
            found.push(Found::Answered(Box::new(answered), doubt));
        }
        let (planned, question) = (item.planned, resolved.question);
        let answered =
            Answered { planned, question, conversation, process, compared, is_shared: false, first_outcome: None };
        found.push(Found::Answered(Box::new(answered), doubt));
        found
    }

    async fn converse(
        &self,
        planned: &Planned,
        resolved: &ResolvedCase,
    ) -> Result<(Answer, Option<super::paired::Compared>), NoAnswer> {
        let broken = || NoAnswer::Reason("the plan names a case or a target that does not exist".to_string());
        let (case, gate) = planned.case().zip(self.governor.gates.get(planned.target)).ok_or_else(broken)?;
        if let Some(why) = gate.access.locked_out() {
            return Err(NoAnswer::Reason(why.to_string()));
        }
        let target = &*gate.target;
        let ResolvedCase { question, place, shows_certificate } = resolved;
        let (endpoint, security) = target
            .endpoint_without_secrets(place.1, Some(place.2))
            .map_err(|reason| NoAnswer::Reason(reason.to_string()))?;
        let role = planned.role();
        let caller = Caller {
            target,
            endpoint,
            security,
            place: *place,
            role,
            certified: shows_certificate.then_some(role),
            gate,
            pass: self.pass,
            survey: &self.survey,
            conversations: &self.conversations,
        };
        if question.against.is_some() {
            let (answer, compared) = compare(question, case.level, &caller).await?.ok_or_else(broken)?;
            return Ok((answer, Some(compared)));
        }
        if let (Expected::FreshChallenge, Some(mechanism)) = (&question.expected, case.mechanism) {
            return Ok((caller.ask_twice(&question.request, mechanism).await?, None));
        }
        Ok((caller.ask(&question.request).await?, None))
    }
}

/// A case of a scenario with this id panics in the tests below.
#[cfg(test)]
const PANICS: &str = "panics-in-tests";

#[cfg(test)]
fn panic_with_a_password(governor: &Governor) {
    let account = governor.gates.first().and_then(|gate| gate.target.directory.accounts.first()).unwrap();
    panic!("a test wants it, with {}", String::from_utf8_lossy(account.password.expose()));
}

#[cfg(all(test, feature = "cli"))]
#[path = "workers_tests.rs"]
mod tests;
