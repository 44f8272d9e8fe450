//! Asks every question of a plan, many at once, and tells the reporter what comes of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::again::{ask_again, ask_quietly};
use super::caller::Pass;
use super::checks::{Prints, check_first, check_last};
use super::event::{Reporter, RunEvent, Stopped, Summary, TargetFacts};
use super::governor::{Gate, Governor};
use super::growth::GrowthWatch;
use super::judging::Observations;
use super::judging::Tested;
use super::lock::locks_mailboxes;
use super::pacing::{Extent, Lane, Pace, PartOfRun, Schedule, schedule};
use super::place::Place;
use super::plan::{Plan, Planned};
use super::result_collector::{ResultCollector, left_out, planned_by_scenario, tell};
use super::sanity::{NOBODY, NOBODY_ODD, time_refusal};
use super::survey::Survey;
use super::workers::{Batch, Collect, Ended, Found, Workers, interrupted};
use crate::axes::Protocol;
use crate::target::Target;
use crate::transport::Deadlines;

/// The part of a time limit that is kept for what comes after the cases: retries, and the logins that must still work.
const KEPT_FOR_THE_END: u32 = 10;

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
    /// Which part of the plan is run.
    pub extent: Extent,
    /// After this time no more cases are begun; no limit by default.
    pub time_limit: Option<Duration>,
    /// The run stops after so many cases that failed or could not be asked; no limit by default.
    pub max_failures: Option<usize>,
    /// Whether cases that send the same octets to somebody else's server share one answer; they do by default.
    pub shares_answers: bool,
}

impl RunOptions {
    /// The defaults: 16 connections at once, more for a slow server, and every case.
    pub const fn new(deadlines: Deadlines, interrupt: watch::Receiver<bool>) -> Self {
        Self {
            jobs: 16,
            may_grow: true,
            deadlines,
            interrupt,
            extent: Extent::Default,
            time_limit: None,
            max_failures: None,
            shares_answers: true,
        }
    }
}

/// Runs a plan. Everything is told to `reporter` the moment it is known; an error is the reporter's.
pub async fn run(
    plan: Plan,
    targets: &[Arc<Target>],
    options: RunOptions,
    reporter: &mut dyn Reporter,
) -> io::Result<Summary> {
    let start = Instant::now();
    let holders: Vec<usize> = targets.iter().map(Arc::strong_count).collect();
    let mut summary = Summary { planned: plan.list.len() + plan.expectations.len(), ..Summary::default() };
    summary.targets = targets.iter().map(|target| facts(target)).collect();
    summary.insecure = targets.iter().any(|target| !target.tls.verified);
    summary.warnings = insecurities(targets);
    let scenarios = plan.scenarios();
    reporter.event(&RunEvent::Started {
        cases: summary.planned,
        left_out: plan.left_out,
        targets: &summary.targets,
        scenarios: &scenarios,
        warnings: &summary.warnings,
    })?;

    let said = summary.warnings.len();
    let mut governor = Governor::new(targets, options.deadlines, options.jobs, options.may_grow);
    governor.gates.iter_mut().for_each(|gate| gate.retries_are_brief = options.extent == Extent::Smoke);
    let governor = Arc::new(governor);
    let mut interrupt = options.interrupt.clone();
    // A server that says nothing takes its time also before the first case.
    let acquainted = tokio::select! {
        acquainted = get_acquainted(&plan, targets, &governor, options.deadlines, &mut summary) => Some(acquainted),
        () = interrupted(&mut interrupt) => None,
    };
    let Some((survey, prints)) = acquainted else {
        drop(governor);
        let_go(targets, &holders).await;
        summary.interrupted = true;
        summary.took = start.elapsed();
        reporter.event(&RunEvent::Finished(&summary))?;
        return Ok(summary);
    };
    let warnings = summary.warnings.get(said..).unwrap_or_default();
    reporter.event(&RunEvent::Surveyed { surveys: &survey.facts(targets), warnings })?;

    // Every case with the right password would be one failed login more.
    let can_log_in = |planned: &Planned| {
        let name = targets.get(planned.target).map(|target| &target.name);
        !summary.refused_logins.iter().any(|refused| Some(&refused.target) == name)
    };
    let expectations: Vec<Planned> = plan.expectations.iter().filter(|planned| can_log_in(planned)).cloned().collect();
    let observed_targets =
        if summary.refused_logins.is_empty() { plan.observed_targets(targets.len()) } else { Vec::new() };
    let is_everything = plan.is_everything && options.extent != Extent::Smoke;
    let list = plan.list.into_iter().filter(can_log_in).collect();
    let schedule = schedule(list, &governor, &survey, options.extent, options.shares_answers);
    summary.planned = schedule.planned() + expectations.len();
    let pace = Arc::new(Pace::of(&schedule, &governor, governor.most(options.jobs)));
    let scenarios = schedule.scenarios(&scenarios, &expectations);
    reporter.event(&RunEvent::Scheduled {
        cases: summary.planned,
        scenarios: &scenarios,
        pace: &pace.facts(&schedule, &governor),
    })?;

    let observed = tokio::select! {
        observed = Observations::make(observed_targets, &governor, &survey) => observed,
        () = interrupted(&mut interrupt) => Observations::default(),
    };
    summary.observed = observed.named(targets);
    let mut finished = Vec::new();
    for report in observed.compare(&expectations, targets) {
        tell(&report, &mut summary, &mut finished, reporter)?;
    }
    let tested = Tested::new(targets, troubled(survey.places(), targets, &summary));
    let planned = planned_by_scenario(&scenarios);
    let pace_of_run = Arc::clone(&pace);
    let mut collector =
        ResultCollector::new(&schedule, prints.clone(), &tested, pace_of_run, finished, &mut summary, &mut *reporter)
            .with_max_failures(options.max_failures);
    let conversations = Arc::new(AtomicUsize::new(0));
    let growth = GrowthWatch::begin(&governor);
    let mut workers = Workers {
        governor: Arc::clone(&governor),
        survey: Arc::clone(&survey),
        conversations: Arc::clone(&conversations),
        interrupt,
        until: options.time_limit.map(|limit| start + limit - limit / KEPT_FOR_THE_END),
    };
    let ended = ask_everything(schedule, &pace, &mut workers, &mut collector, options.jobs).await?;
    let is_out_of_time = workers.until.is_some_and(|until| Instant::now() >= until);
    drop(workers);
    growth.end().await;
    let rest = collector.rest();
    let ResultCollector { baselines, mut finished, .. } = collector;
    summary.stopped = match ended {
        Ended::Enough => Some(Stopped::MaxFailures(options.max_failures.unwrap_or_default())),
        _ if is_out_of_time => options.time_limit.map(Stopped::TimeLimit),
        _ => None,
    };
    summary.interrupted = ended == Ended::Interrupted;
    summary.locked_out = governor.gates.iter().filter_map(|gate| gate.access.locked_out().cloned()).collect();
    let are_all_silent =
        governor.gates.iter().all(|gate| Protocol::ALL.iter().any(|&protocol| gate.is_silent(protocol).is_some()));
    let silent = governor.gates.iter().flat_map(|gate| Protocol::ALL.iter().filter_map(|&it| gate.is_silent(it)));
    summary.unreachable.extend(silent);
    if ended == Ended::Whole && summary.locked_out.is_empty() && !are_all_silent {
        check_last(&governor, &survey, &prints, &mut summary).await;
    }
    summary.warnings.extend(governor.gates.iter().flat_map(lessons));
    for report in rest {
        tell(&report, &mut summary, &mut finished, reporter)?;
    }
    summary.left_out = left_out(&planned, &finished);
    if is_everything && ended == Ended::Whole && summary.stopped.is_none() && summary.locked_out.is_empty() {
        summary.warnings.extend(baselines.outdated(targets));
    }
    summary.conversations += conversations.load(Ordering::Relaxed);
    summary.took = start.elapsed();
    reporter.event(&RunEvent::Finished(&summary))?;
    Ok(summary)
}

/// Asks all that is scheduled: the lanes side by side, then the comparisons of times one by one, then what is doubtful again.
async fn ask_everything(
    schedule: Schedule,
    pace: &Arc<Pace>,
    workers: &mut Workers,
    collector: &mut ResultCollector<'_, '_>,
    jobs: usize,
) -> io::Result<Ended> {
    let Schedule { lanes, quiet, not_asked, .. } = schedule;
    for (planned, why) in not_asked {
        if !collector.found(Found::Unasked(planned, why))? {
            return Ok(Ended::Enough);
        }
    }
    let batch = |(index, lane): (usize, Lane)| Batch {
        items: lane.items,
        jobs: pace.jobs(index),
        part: PartOfRun::Lane(index),
        pass: Pass::First,
    };
    let batches = lanes.into_iter().enumerate().map(batch).collect();
    let ended = workers.ask_all(batches, pace, collector).await?;
    if ended != Ended::Whole {
        return Ok(ended);
    }
    let quiet = Batch { items: quiet, jobs: 1, part: PartOfRun::Quiet, pass: Pass::First };
    let ended = ask_quietly(workers, quiet, pace, collector, jobs).await?;
    if ended != Ended::Whole {
        return Ok(ended);
    }
    let put_off = std::mem::take(&mut collector.put_off);
    ask_again(workers, put_off, pace, collector, jobs).await
}

/// Waits until tasks that were given up hold on to the targets no longer, but for those who did before the run: whoever
/// started one wants to stop it.
async fn let_go(targets: &[Arc<Target>], holders: &[usize]) {
    let deadline = Instant::now() + Duration::from_secs(1);
    let is_held = || targets.iter().zip(holders).any(|(target, before)| Arc::strong_count(target) > *before);
    while is_held() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Learns what each server can do, whether the logins that must work do, and how it is best asked.
async fn get_acquainted(
    plan: &Plan,
    targets: &[Arc<Target>],
    governor: &Arc<Governor>,
    deadlines: Deadlines,
    summary: &mut Summary,
) -> (Arc<Survey>, Prints) {
    for target in targets.iter().map(Arc::clone) {
        // A panic is told where the client is needed.
        let _ = tokio::task::spawn_blocking(move || target.prepare_tls()).await;
    }
    let mut survey = Survey::take(plan, targets, deadlines).await;
    summary.conversations += survey.conversations();
    summary.unmet = survey.unmet(targets);
    summary.warnings.extend(survey.warnings(targets));
    survey.spread_sources(governor, deadlines).await;
    let prints = check_first(plan, governor, &mut survey, summary).await;
    let survey = Arc::new(survey);
    let troubled = troubled(survey.places(), targets, summary);
    summary.conversations += learn_manners(governor, &survey, &troubled).await;
    (survey, prints)
}

/// Learns how long each server takes to refuse, whether it locks mailboxes, and which processes it has; gives back how
/// many logins that took.
async fn learn_manners(governor: &Arc<Governor>, survey: &Arc<Survey>, troubled: &[(usize, Protocol)]) -> usize {
    let mut tasks = JoinSet::new();
    for (index, gate) in governor.gates.iter().enumerate().filter(|(_, gate)| !gate.is_idle()) {
        gate.note_baseline().await;
        let sound = Protocol::ALL.iter().filter(|&&protocol| !troubled.contains(&(index, protocol)));
        for place in sound.filter_map(|&protocol| survey.place_for(index, protocol)) {
            let (governor, survey) = (Arc::clone(governor), Arc::clone(survey));
            tasks.spawn(async move {
                let Some(gate) = governor.gates.get(place.0) else { return 0 };
                if let Some(took) = time_refusal(gate, place, &survey, NOBODY).await {
                    gate.learn_refusal(took);
                }
                if let Some(took) = time_refusal(gate, place, &survey, NOBODY_ODD).await {
                    gate.make_room(took);
                }
                // IMAP is made for several sessions of a mailbox at once (RFC 9051 §5.2).
                if place.1 == Protocol::Imap || gate.target.limits.one_session_per_mailbox {
                    return 2;
                }
                if let Some(locks) = locks_mailboxes(gate, place, &survey).await {
                    gate.set_lock(locks);
                }
                4
            });
        }
    }
    tasks.join_all().await.into_iter().sum()
}

/// What was learned of a server that everybody who reads the results must know.
fn lessons(gate: &Gate) -> Vec<String> {
    let name = &gate.target.name;
    let mut lessons = gate.lockout.stops();
    lessons.iter_mut().for_each(|reason| *reason = format!("{name}: {reason}"));
    let (looked, changed) = (gate.looked_again.load(Ordering::Relaxed), gate.changed.load(Ordering::Relaxed));
    if changed > 0 {
        lessons.push(format!(
            "{name}: of {looked} conversations that may have suffered from others at the same time, {changed} came to \
             something else when they were had again later; that is what counts"
        ));
    }
    lessons
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
