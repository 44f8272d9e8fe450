//! Asks every question of a plan, many at once, and tells the reporter what comes of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::caller::{Answer, Caller};
use super::checks::{Prints, check_first, check_last};
use super::event::{CaseReport, Reporter, RunEvent, Summary, TargetFacts};
use super::findings::{Findings, Settled};
use super::governor::{Gate, Governor};
use super::growth::GrowthWatch;
use super::paired::compare;
use super::plan::{Plan, Planned};
use super::question::ask;
use super::sanity::time_refusal;
use super::settle::{Answered, Siblings, Tested, unasked};
use super::survey::{Place, Survey};
use crate::axes::{Mechanism, Protocol};
use crate::scenario::{Expected, Verdict};
use crate::target::Target;
use crate::transport::Deadlines;

/// How a run is done.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many connections there are at once.
    pub jobs: usize,
    /// Whether there may be more, where a server is so slow to refuse that it would do nothing but wait.
    pub may_grow: bool,
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
    summary.targets = targets.iter().map(|target| facts(target)).collect();
    summary.insecure = targets.iter().any(|target| !target.tls.verified);
    summary.warnings = insecurities(targets);
    reporter.event(&RunEvent::Started {
        cases: plan.list.len(),
        left_out: plan.left_out,
        targets: &summary.targets,
        scenarios: &plan.scenarios(),
        warnings: &summary.warnings,
    })?;

    let said = summary.warnings.len();
    let governor = Arc::new(Governor::new(targets, options.deadlines, options.jobs, options.may_grow));
    let mut interrupt = options.interrupt.clone();
    // A server that says nothing takes its time also before the first case.
    let acquainted = tokio::select! {
        acquainted = get_acquainted(&plan, targets, &governor, options.deadlines, &mut summary) => Some(acquainted),
        () = interrupted(&mut interrupt) => None,
    };
    let Some((survey, prints)) = acquainted else {
        let_go(&governor).await;
        summary.interrupted = true;
        summary.took = start.elapsed();
        reporter.event(&RunEvent::Finished(&summary))?;
        return Ok(summary);
    };
    let warnings = summary.warnings.get(said..).unwrap_or_default();
    reporter.event(&RunEvent::Surveyed { surveys: &survey.facts(targets), warnings })?;
    let tested = Tested { targets, troubled: troubled(survey.places(), targets, &summary) };

    let mut desk =
        Desk { siblings: Siblings::new(&plan, prints.clone()), findings: Findings::new(&plan), tested: &tested };
    let conversations = Arc::new(AtomicUsize::new(0));
    let (quiet, loud): (Vec<Planned>, Vec<Planned>) = plan.list.into_iter().partition(Planned::wants_quiet);
    let jobs = governor.most(options.jobs);
    // Where a refusal takes a good part of a second, what others do at the same time makes no difference to it.
    let jobs_in_quiet = if governor.gates.iter().all(Gate::is_slow) { jobs } else { 1 };
    let growth = GrowthWatch::begin(&governor);
    for (list, jobs) in [(loud, jobs), (quiet, jobs_in_quiet)] {
        let work = Work { list, governor: Arc::clone(&governor), survey: Arc::clone(&survey) };
        let (mut found, mut workers) = ask_all(work, jobs, Arc::clone(&conversations));
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
    growth.end().await;
    if !summary.interrupted {
        check_last(&governor, &survey, &prints, &mut summary).await;
    }
    summary.warnings.extend(governor.gates.iter().flat_map(lessons));
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

/// Waits until tasks that were given up hold on to the targets no longer: whoever started one wants to stop it.
async fn let_go(governor: &Arc<Governor>) {
    let deadline = Instant::now() + Duration::from_secs(1);
    while Arc::strong_count(governor) > 1 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What the workers share.
struct Work {
    list: Vec<Planned>,
    governor: Arc<Governor>,
    survey: Arc<Survey>,
}

fn ask_all(work: Work, jobs: usize, conversations: Arc<AtomicUsize>) -> (mpsc::Receiver<Found>, JoinSet<()>) {
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
    let unasked = |verdict, reason| Some(Found::Unasked { planned: planned.clone(), verdict, reason });
    let question = match ask(case, target, planned.scenario.once) {
        Ok(question) => question,
        Err(reason) => return unasked(Verdict::Skip, reason),
    };
    let (endpoint, security) = match target.endpoint_for(case.protocol, case.mechanism, case.security) {
        Ok(found) => found,
        Err(reason) => return unasked(Verdict::Skip, reason),
    };
    let place = (planned.target, case.protocol, security);
    if let Some(reason) = work.survey.unreachable(place) {
        return unasked(Verdict::Error, reason.to_string());
    }
    if let Some(reason) = work.survey.reason_to_skip(case, place) {
        return unasked(Verdict::Skip, reason);
    }
    // Only where the certificate is what logs in: elsewhere it would be one more thing that differs.
    let certified = (case.mechanism == Some(Mechanism::External)).then_some(case.role.as_str());
    if let Some(role) = certified.filter(|role| !target.certificates.contains_key(*role)) {
        return unasked(Verdict::Skip, format!("there is no client certificate for the role `{role}`"));
    }
    let (role, survey) = (case.role.as_str(), &*work.survey);
    let caller = Caller { target, endpoint, security, place, role, certified, gate, survey, conversations };
    let start = Instant::now();
    let found = if question.against.is_some() {
        compare(&question, case.level, &caller).await.map(|found| found.map(|(one, compared)| (one, Some(compared))))
    } else if let (Expected::FreshChallenge, Some(mechanism)) = (&question.expected, case.mechanism) {
        caller.ask_twice(&question.request, mechanism).await.map(|answer| Some((answer, None)))
    } else {
        caller.ask(&question.request).await.map(|answer| Some((answer, None)))
    };
    let (Answer { conversation, process }, compared) = match found {
        Ok(found) => found?,
        Err(reason) => return unasked(Verdict::Error, reason),
    };
    let took = start.elapsed();
    let answered = Answered { planned: planned.clone(), question, conversation, process, compared, took };
    Some(Found::Answered(Box::new(answered)))
}

/// Learns what each server can do, whether the logins that must work do, and how it is best asked.
async fn get_acquainted(
    plan: &Plan,
    targets: &[Arc<Target>],
    governor: &Arc<Governor>,
    deadlines: Deadlines,
    summary: &mut Summary,
) -> (Arc<Survey>, Prints) {
    let mut survey = Survey::take(plan, targets, deadlines).await;
    summary.conversations += survey.places().len();
    summary.warnings.extend(survey.warnings(targets));
    survey.spread_sources(governor, deadlines).await;
    let prints = check_first(plan, governor, &mut survey, summary).await;
    let survey = Arc::new(survey);
    let troubled = troubled(survey.places(), targets, summary);
    summary.conversations += time_refusals(governor, &survey, &troubled).await;
    (survey, prints)
}

/// Learns how long each server takes to refuse, and which processes it has; gives back how many logins that took.
async fn time_refusals(governor: &Arc<Governor>, survey: &Arc<Survey>, troubled: &[(usize, Protocol)]) -> usize {
    let mut tasks = JoinSet::new();
    for (index, gate) in governor.gates.iter().enumerate().filter(|(_, gate)| !gate.is_idle()) {
        gate.note_baseline().await;
        let sound = Protocol::ALL.iter().filter(|&&protocol| !troubled.contains(&(index, protocol)));
        for place in sound.filter_map(|&protocol| survey.place_for(index, protocol)) {
            let (governor, survey) = (Arc::clone(governor), Arc::clone(survey));
            tasks.spawn(async move {
                if let Some(gate) = governor.gates.get(place.0)
                    && let Some(took) = time_refusal(gate, place, &survey).await
                {
                    gate.learn_refusal(took);
                }
            });
        }
    }
    tasks.join_all().await.len()
}

/// What was learned of a server that everybody who reads the results must know.
fn lessons(gate: &Gate) -> Vec<String> {
    let name = &gate.target.name;
    let mut lessons = gate.ledger.stops();
    lessons.iter_mut().for_each(|reason| *reason = format!("{name}: {reason}"));
    let (looked, changed) = (gate.looked_again.load(Ordering::Relaxed), gate.changed.load(Ordering::Relaxed));
    if changed > 0 {
        lessons.push(format!(
            "{name}: of {looked} conversations that may have suffered from others at the same time, {changed} came to \
             something else when they were had again alone; that is what counts"
        ));
    }
    lessons
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

/// Where the login that must work does not.
fn troubled(places: &[Place], targets: &[Arc<Target>], summary: &Summary) -> Vec<(usize, Protocol)> {
    let is_troubled = |(index, protocol): &(usize, Protocol)| {
        let name = targets.get(*index).map(|target| &target.name);
        summary.troubles().any(|sanity| Some(&sanity.target) == name && sanity.protocol == *protocol)
    };
    places.iter().map(|place| (place.0, place.1)).filter(is_troubled).collect()
}

/// Every target whose word is taken for who it is.
fn insecurities(targets: &[Arc<Target>]) -> Vec<String> {
    let insecure = targets.iter().filter(|target| !target.tls.verified);
    insecure
        .map(|target| {
            format!(
                "{}: certificates are not verified, so whoever is on the way can pose as the server and read the \
                 passwords",
                target.name
            )
        })
        .collect()
}

fn facts(target: &Target) -> TargetFacts {
    let addresses = Protocol::ALL
        .iter()
        .filter_map(|&protocol| Some((protocol, target.endpoint(protocol, None).ok()?.0.address.clone())))
        .collect();
    TargetFacts {
        name: target.name.clone(),
        dialect: target.dialect.name.clone(),
        version: target.version.clone(),
        addresses,
    }
}
