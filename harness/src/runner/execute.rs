//! Asks every question of a plan, many at once, and tells the reporter what comes of it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::event::{CaseReport, Reporter, RunEvent, Sanity, Summary, TargetFacts};
use super::plan::{Plan, Planned};
use super::question::{Question, Request, ask};
use super::sanity::{SanityResult, check};
use super::settle::{Answered, Siblings, unasked};
use crate::axes::Protocol;
use crate::protocol::Session;
use crate::scenario::Verdict;
use crate::target::Target;
use crate::transport::{Deadlines, connect, converse};

/// How a run is done.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many connections there are at once.
    pub jobs: usize,
    /// How long to wait for what.
    pub deadlines: Deadlines,
    /// Set to end the run early: what has been asked is reported, the rest is left.
    pub interrupt: watch::Receiver<bool>,
}

/// What a worker found out about one case.
enum Found {
    Answered(Box<Answered>),
    Unasked { planned: Planned, verdict: Verdict, reason: String },
}

/// Runs a plan. Everything is told to `reporter` the moment it is known; an error is the reporter's.
pub async fn run(
    plan: Plan,
    targets: &[Arc<Target>],
    options: RunOptions,
    reporter: &mut dyn Reporter,
) -> io::Result<Summary> {
    let start = Instant::now();
    let mut summary = Summary { planned: plan.list.len(), ..Summary::default() };
    let facts: Vec<TargetFacts> = targets.iter().map(|target| facts(target)).collect();
    reporter.event(&RunEvent::Started {
        cases: plan.list.len(),
        left_out: plan.left_out,
        targets: &facts,
        scenarios: &plan.scenarios(),
    })?;

    let used = used_endpoints(&plan);
    let first = check_all(&used, targets, &options, false, &mut summary).await;
    let unreachable: HashMap<(usize, Protocol), String> = first;

    let mut siblings = Siblings::new(&plan);
    let conversations = Arc::new(AtomicUsize::new(0));
    let (mut found, mut workers) = ask_all(plan, targets, &options, unreachable, Arc::clone(&conversations));
    let mut interrupt = options.interrupt.clone();
    loop {
        let next = tokio::select! {
            next = found.recv() => next,
            () = interrupted(&mut interrupt) => {
                summary.interrupted = true;
                break;
            }
        };
        let Some(next) = next else { break };
        tell(settle(next, &mut siblings, targets), &mut summary, reporter)?;
    }
    if summary.interrupted {
        // What is on its way already is known; the rest is left.
        found.close();
        while let Ok(next) = found.try_recv() {
            tell(settle(next, &mut siblings, targets), &mut summary, reporter)?;
        }
    }
    // Nobody holds on to the targets after this: whoever started one can stop it.
    workers.shutdown().await;
    if !summary.interrupted {
        check_all(&used, targets, &options, true, &mut summary).await;
    }
    tell(siblings.rest(targets), &mut summary, reporter)?;
    summary.conversations += conversations.load(Ordering::Relaxed);
    summary.took = start.elapsed();
    reporter.event(&RunEvent::Finished(&summary))?;
    Ok(summary)
}

/// Resolves when the run is to end early; never if nobody can say so any more.
async fn interrupted(interrupt: &mut watch::Receiver<bool>) {
    if interrupt.wait_for(|&is_set| is_set).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn ask_all(
    plan: Plan,
    targets: &[Arc<Target>],
    options: &RunOptions,
    unreachable: HashMap<(usize, Protocol), String>,
    conversations: Arc<AtomicUsize>,
) -> (mpsc::Receiver<Found>, JoinSet<()>) {
    // A bounded channel: workers wait for the reports rather than fill the memory with results.
    let (sender, receiver) = mpsc::channel(256);
    let work = Arc::new((plan.list, targets.to_vec(), unreachable));
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..options.jobs.max(1).min(work.0.len()) {
        let (sender, work, next) = (sender.clone(), Arc::clone(&work), Arc::clone(&next));
        let conversations = Arc::clone(&conversations);
        let deadlines = options.deadlines;
        workers.spawn(async move {
            let (list, targets, unreachable) = &*work;
            while let Some(planned) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                let found = ask_one(planned, targets, unreachable, deadlines, &conversations).await;
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

async fn ask_one(
    planned: &Planned,
    targets: &[Arc<Target>],
    unreachable: &HashMap<(usize, Protocol), String>,
    deadlines: Deadlines,
    conversations: &AtomicUsize,
) -> Option<Found> {
    let (case, target) = (planned.case()?, targets.get(planned.target)?);
    let unasked = |verdict, reason| Some(Found::Unasked { planned: planned.clone(), verdict, reason });
    let question = match ask(case, target) {
        Ok(question) => question,
        Err(reason) => return unasked(Verdict::Skip, reason),
    };
    if let Some(reason) = unreachable.get(&(planned.target, case.protocol)) {
        return unasked(Verdict::Error, reason.clone());
    }
    let endpoint = target.endpoint(case.protocol)?;
    let start = Instant::now();
    let stream = match connect(&endpoint.address, deadlines.connect).await {
        Ok(stream) => stream,
        Err(error) => {
            return unasked(Verdict::Error, format!("failed to connect to {}: {error}", endpoint.address));
        }
    };
    conversations.fetch_add(1, Ordering::Relaxed);
    let session = session(&question, case.protocol);
    let conversation = converse(stream, session, deadlines).await;
    let answered = Answered { planned: planned.clone(), question, conversation, took: start.elapsed() };
    Some(Found::Answered(Box::new(answered)))
}

fn session(question: &Question, protocol: Protocol) -> Session {
    match &question.request {
        Request::Login(login) => Session::login(login.clone()),
        Request::Dialogue(steps) => Session::dialogue(protocol, steps.clone()),
    }
}

fn settle(found: Found, siblings: &mut Siblings, targets: &[Arc<Target>]) -> Vec<CaseReport> {
    match found {
        Found::Answered(answered) => siblings.settle(*answered, targets),
        Found::Unasked { planned, verdict, reason } => {
            let mut reports = siblings.drop_out(&planned, targets);
            let target = targets.get(planned.target);
            reports.extend(target.and_then(|target| unasked(&planned, target, verdict, reason)));
            reports
        }
    }
}

fn tell(reports: Vec<CaseReport>, summary: &mut Summary, reporter: &mut dyn Reporter) -> io::Result<()> {
    for report in reports {
        if let Some(count) = summary.counts.get_mut(report.verdict as usize) {
            *count += 1;
        }
        reporter.event(&RunEvent::CaseFinished(&report))?;
    }
    Ok(())
}

/// The targets and protocols that the plan asks, each once.
fn used_endpoints(plan: &Plan) -> Vec<(usize, Protocol)> {
    let mut used = Vec::new();
    for planned in &plan.list {
        if let Some(case) = planned.case()
            && !used.contains(&(planned.target, case.protocol))
        {
            used.push((planned.target, case.protocol));
        }
    }
    used
}

/// Tries the login that must work on each endpoint, all at once; gives back the endpoints that are not there.
async fn check_all(
    used: &[(usize, Protocol)],
    targets: &[Arc<Target>],
    options: &RunOptions,
    is_last: bool,
    summary: &mut Summary,
) -> HashMap<(usize, Protocol), String> {
    let mut checks = Vec::new();
    for &(index, protocol) in used {
        let Some(target) = targets.get(index).filter(|target| target.endpoint(protocol).is_some()) else { continue };
        let (task_target, deadlines) = (Arc::clone(target), options.deadlines);
        let check = tokio::spawn(async move { check(&task_target, protocol, deadlines).await });
        checks.push((index, protocol, Arc::clone(target), check));
    }
    let mut unreachable = HashMap::new();
    for (index, protocol, target, check) in checks {
        // A check that panics is our own fault, and the panic has been printed; the target is not to blame.
        let Ok(result) = check.await else { continue };
        summary.conversations += 1;
        let trouble = match result {
            SanityResult::Fine => None,
            SanityResult::Trouble(reason) => Some(reason),
            SanityResult::Unreachable(reason) => {
                if !is_last {
                    summary.unreachable.push(reason.clone());
                    unreachable.insert((index, protocol), reason);
                    continue;
                }
                // It was not there before either: said already.
                if summary.unreachable.contains(&reason) {
                    continue;
                }
                Some(reason)
            }
        };
        summary.sanity.push(Sanity { target: target.name.clone(), protocol, is_last, trouble });
    }
    unreachable
}

fn facts(target: &Target) -> TargetFacts {
    let addresses = Protocol::ALL
        .iter()
        .filter_map(|&protocol| Some((protocol, target.endpoint(protocol)?.address.clone())))
        .collect();
    TargetFacts { name: target.name.clone(), dialect: target.dialect.name.clone(), addresses }
}
