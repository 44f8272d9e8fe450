//! The workers: each takes the next case of a list, asks what it asks, and tells what came of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::caller::{Answer, Caller, NoAnswer, Pass, PutOff};
use super::doubt::Doubt;
use super::governor::Governor;
use super::paired::compare;
use super::plan::Planned;
use super::question::ask;
use super::settle::Answered;
use super::survey::Survey;
use crate::axes::Mechanism;
use crate::scenario::{Expected, Judgement, SkipReason, Verdict};

/// What a worker found out about one case.
pub(super) enum Found {
    /// The answer, and whether others may still have caused it.
    Answered(Box<Answered>, Option<Doubt>),
    Unasked {
        planned: Planned,
        judgement: Judgement,
    },
    /// It is to be asked again.
    PutOff(Planned, PutOff),
}

/// What all workers share.
pub(super) struct Workers {
    pub governor: Arc<Governor>,
    pub survey: Arc<Survey>,
    /// How many conversations there were.
    pub conversations: Arc<AtomicUsize>,
    /// Set to end the run early.
    pub interrupt: watch::Receiver<bool>,
}

impl Workers {
    /// Asks every case of a list, so many at once, and gives what was found to `take`; tells whether all were asked. An
    /// error is `take`'s.
    pub async fn ask_all(
        &mut self,
        list: Vec<Planned>,
        jobs: usize,
        pass: Pass,
        take: &mut (dyn FnMut(Found) -> io::Result<()> + Send),
    ) -> io::Result<bool> {
        let work = Work { list, pass, governor: Arc::clone(&self.governor), survey: Arc::clone(&self.survey) };
        let (mut found, mut workers) = begin(work, jobs, &self.conversations);
        let is_whole = loop {
            let next = tokio::select! {
                next = found.recv() => next,
                () = interrupted(&mut self.interrupt) => break false,
            };
            let Some(next) = next else { break true };
            take(next)?;
        };
        if !is_whole {
            // What is on its way already is known; the rest is left.
            found.close();
            while let Ok(next) = found.try_recv() {
                take(next)?;
            }
        }
        // Nobody holds on to the targets after this: whoever started one can stop it.
        workers.shutdown().await;
        Ok(is_whole)
    }
}

/// Resolves when the run is to end early; never if nobody can say so any more.
pub(super) async fn interrupted(interrupt: &mut watch::Receiver<bool>) {
    if interrupt.wait_for(|&is_set| is_set).await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct Work {
    list: Vec<Planned>,
    pass: Pass,
    governor: Arc<Governor>,
    survey: Arc<Survey>,
}

fn begin(work: Work, jobs: usize, conversations: &Arc<AtomicUsize>) -> (mpsc::Receiver<Found>, JoinSet<()>) {
    // A bounded channel: workers wait for the reports rather than fill the memory with results.
    let (sender, receiver) = mpsc::channel(256);
    let work = Arc::new(work);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..jobs.max(1).min(work.list.len()) {
        let (sender, work, next) = (sender.clone(), Arc::clone(&work), Arc::clone(&next));
        let conversations = Arc::clone(conversations);
        workers.spawn(async move {
            while let Some(planned) = work.list.get(next.fetch_add(1, Ordering::Relaxed)) {
                let found = ask_one(planned, &work, &conversations).await;
                if let Some(found) = found
                    && sender.send(found).await.is_err()
                {
                    break;
                }
            }
        });
    }
    (receiver, workers)
}

async fn ask_one(planned: &Planned, work: &Work, conversations: &AtomicUsize) -> Option<Found> {
    let (case, gate) = (planned.case()?, work.governor.gates.get(planned.target)?);
    let target = &*gate.target;
    let unasked = |judgement| Some(Found::Unasked { planned: planned.clone(), judgement });
    let skipped = |reason| unasked(Judgement::skipped(reason));
    let failed = |reason: String| unasked(Judgement::new(Verdict::Error, reason));
    let question = match ask(case, target, planned.scenario.once) {
        Ok(question) => question,
        Err(reason) => return skipped(reason),
    };
    let (endpoint, security) = match target.endpoint_for(case.protocol, case.mechanism, case.security) {
        Ok(found) => found,
        Err(reason) => return skipped(reason),
    };
    let place = (planned.target, case.protocol, security);
    if let Some(reason) = work.survey.unreachable(place) {
        return failed(reason.to_string());
    }
    if let Some(reason) = work.survey.reason_to_skip(case, place) {
        return skipped(reason);
    }
    // Only where the certificate is what logs in: elsewhere it would be one more thing that differs.
    let certified = (case.mechanism == Some(Mechanism::External)).then_some(case.role.as_str());
    if let Some(role) = certified.filter(|role| !target.certificates.contains_key(*role)) {
        return skipped(SkipReason::NoClientCertificate { role: role.to_string() });
    }
    let (role, survey) = (case.role.as_str(), &*work.survey);
    let pass = work.pass;
    let caller = Caller { target, endpoint, security, place, role, certified, gate, pass, survey, conversations };
    let start = Instant::now();
    let found = if question.against.is_some() {
        compare(&question, case.level, &caller).await.map(|found| found.map(|(one, compared)| (one, Some(compared))))
    } else if let (Expected::FreshChallenge, Some(mechanism)) = (&question.expected, case.mechanism) {
        caller.ask_twice(&question.request, mechanism).await.map(|answer| Some((answer, None)))
    } else {
        caller.ask(&question.request).await.map(|answer| Some((answer, None)))
    };
    let (Answer { conversation, process, doubt }, compared) = match found {
        Ok(found) => found?,
        Err(NoAnswer::PutOff(why)) => return Some(Found::PutOff(planned.clone(), why)),
        Err(NoAnswer::Reason(reason)) => return failed(reason),
    };
    let took = start.elapsed();
    let answered = Answered { planned: planned.clone(), question, conversation, process, compared, took };
    Some(Found::Answered(Box::new(answered), doubt))
}
