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
use super::findings::{Findings, Settled};
use super::paired::compare;
use super::plan::{Plan, Planned};
use super::question::{Question, Request, ask};
use super::sanity::{SanityResult, check};
use super::settle::{Answered, Siblings, Tested, unasked};
use crate::axes::{Protocol, Security};
use crate::protocol::Session;
use crate::scenario::Verdict;
use crate::target::{Endpoint, Target};
use crate::transport::{Conversation, Deadlines, connect, converse};

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
    let plan = plan.quiet_last();
    let mut summary = Summary { planned: plan.list.len(), ..Summary::default() };
    let facts: Vec<TargetFacts> = targets.iter().map(|target| facts(target)).collect();
    reporter.event(&RunEvent::Started {
        cases: plan.list.len(),
        left_out: plan.left_out,
        targets: &facts,
        scenarios: &plan.scenarios(),
    })?;

    let used = used_endpoints(&plan);
    let unreachable = Arc::new(check_all(&used, targets, &options, false, &mut summary).await);
    let tested = Tested { targets, troubled: troubled(&used, targets, &summary) };

    let mut desk = Desk { siblings: Siblings::new(&plan), findings: Findings::new(&plan), tested: &tested };
    let conversations = Arc::new(AtomicUsize::new(0));
    let mut interrupt = options.interrupt.clone();
    let (quiet, loud): (Vec<Planned>, Vec<Planned>) = plan.list.into_iter().partition(Planned::wants_quiet);
    for (list, jobs) in [(loud, options.jobs), (quiet, 1)] {
        let work = Work { list, targets: targets.to_vec(), unreachable: Arc::clone(&unreachable) };
        let (mut found, mut workers) = ask_all(work, jobs, options.deadlines, Arc::clone(&conversations));
        loop {
            let next = tokio::select! {
                next = found.recv() => next,
                () = interrupted(&mut interrupt) => {
                    summary.interrupted = true;
                    break;
                }
            };
            let Some(next) = next else { break };
            tell(desk.take(next), &mut summary, reporter)?;
        }
        if summary.interrupted {
            // What is on its way already is known; the rest is left.
            found.close();
            while let Ok(next) = found.try_recv() {
                tell(desk.take(next), &mut summary, reporter)?;
            }
        }
        // Nobody holds on to the targets after this: whoever started one can stop it.
        workers.shutdown().await;
        if summary.interrupted {
            break;
        }
    }
    if !summary.interrupted {
        check_all(&used, targets, &options, true, &mut summary).await;
    }
    tell(desk.rest(), &mut summary, reporter)?;
    summary.conversations += conversations.load(Ordering::Relaxed);
    summary.took = start.elapsed();
    reporter.event(&RunEvent::Finished(&summary))?;
    Ok(summary)
}

/// Where what was found becomes reports: judged, with its siblings where they must come to the same, and told together
/// with the nearest that passed.
struct Desk<'t> {
    siblings: Siblings,
    findings: Findings,
    tested: &'t Tested<'t>,
}

impl Desk<'_> {
    fn take(&mut self, found: Found) -> Vec<CaseReport> {
        let settled: Vec<Settled> = match found {
            Found::Answered(answered) => self.siblings.settle(*answered, self.tested),
            Found::Unasked { planned, verdict, reason } => {
                let mut settled = self.siblings.drop_out(&planned, self.tested);
                settled.extend(unasked(planned, self.tested, verdict, reason));
                settled
            }
        };
        settled.into_iter().flat_map(|settled| self.findings.take(settled)).collect()
    }

    /// What still waits when the run has ended, however it has.
    fn rest(&mut self) -> Vec<CaseReport> {
        let settled = self.siblings.rest(self.tested);
        let mut reports: Vec<CaseReport> =
            settled.into_iter().flat_map(|settled| self.findings.take(settled)).collect();
        reports.extend(self.findings.rest());
        reports
    }
}

/// Resolves when the run is to end early; never if nobody can say so any more.
async fn interrupted(interrupt: &mut watch::Receiver<bool>) {
    if interrupt.wait_for(|&is_set| is_set).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What the workers share.
struct Work {
    list: Vec<Planned>,
    targets: Vec<Arc<Target>>,
    unreachable: Arc<HashMap<(usize, Protocol), String>>,
}

fn ask_all(
    work: Work,
    jobs: usize,
    deadlines: Deadlines,
    conversations: Arc<AtomicUsize>,
) -> (mpsc::Receiver<Found>, JoinSet<()>) {
    // A bounded channel: workers wait for the reports rather than fill the memory with results.
    let (sender, receiver) = mpsc::channel(256);
    let work = Arc::new(work);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..jobs.max(1).min(work.list.len()) {
        let (sender, work, next) = (sender.clone(), Arc::clone(&work), Arc::clone(&next));
        let conversations = Arc::clone(&conversations);
        workers.spawn(async move {
            while let Some(planned) = work.list.get(next.fetch_add(1, Ordering::Relaxed)) {
                let found = ask_one(planned, &work, deadlines, &conversations).await;
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

async fn ask_one(planned: &Planned, work: &Work, deadlines: Deadlines, conversations: &AtomicUsize) -> Option<Found> {
    let (case, target) = (planned.case()?, work.targets.get(planned.target)?);
    let unasked = |verdict, reason| Some(Found::Unasked { planned: planned.clone(), verdict, reason });
    let question = match ask(case, target) {
        Ok(question) => question,
        Err(reason) => return unasked(Verdict::Skip, reason),
    };
    if let Some(reason) = work.unreachable.get(&(planned.target, case.protocol)) {
        return unasked(Verdict::Error, reason.clone());
    }
    let caller = Caller { endpoint: target.endpoint(case.protocol)?, deadlines, conversations };
    let start = Instant::now();
    let found = if question.against.is_some() {
        compare(&question, case.level, &caller).await.map(|found| found.map(|(one, compared)| (one, Some(compared))))
    } else {
        caller.call(session(&question, case.protocol)).await.map(|conversation| Some((conversation, None)))
    };
    let (conversation, compared) = match found {
        Ok(found) => found?,
        Err(reason) => return unasked(Verdict::Error, reason),
    };
    let answered = Answered { planned: planned.clone(), question, conversation, compared, took: start.elapsed() };
    Some(Found::Answered(Box::new(answered)))
}

/// Has conversations with one endpoint, each on a connection of its own.
pub(super) struct Caller<'c> {
    endpoint: &'c Endpoint,
    deadlines: Deadlines,
    conversations: &'c AtomicUsize,
}

impl Caller<'_> {
    /// One conversation; an error says why there was none.
    pub async fn call(&self, session: Session) -> Result<Conversation, String> {
        let address = &self.endpoint.address;
        let stream = connect(address, self.deadlines.connect)
            .await
            .map_err(|error| format!("failed to connect to {address}: {error}"))?;
        self.conversations.fetch_add(1, Ordering::Relaxed);
        Ok(converse(stream, session, self.deadlines, None, Security::Plaintext).await)
    }
}

fn session(question: &Question, protocol: Protocol) -> Session {
    match &question.request {
        Request::Login(login) => Session::login(login.clone()),
        Request::Dialogue(steps) => Session::dialogue(protocol, Security::Plaintext, steps.clone()),
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

/// Where the login that must work does not.
fn troubled(used: &[(usize, Protocol)], targets: &[Arc<Target>], summary: &Summary) -> Vec<(usize, Protocol)> {
    let is_troubled = |(index, protocol): &&(usize, Protocol)| {
        let name = targets.get(*index).map(|target| &target.name);
        summary.troubles().any(|sanity| Some(&sanity.target) == name && sanity.protocol == *protocol)
    };
    used.iter().filter(is_troubled).copied().collect()
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
