//! Asks every question of a plan, many at once, and tells the reporter what comes of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::again::ask_again;
use super::caller::Pass;
use super::checks::{Prints, check_first, check_last};
use super::event::{CaseReport, Reporter, RunEvent, Summary, TargetFacts};
use super::findings::{Findings, Settled};
use super::governor::{Gate, Governor};
use super::growth::GrowthWatch;
use super::judging::{Observations, SkipBaselines};
use super::lock::locks_mailboxes;
use super::place::Place;
use super::plan::{Plan, Planned};
use super::sanity::{NOBODY, NOBODY_ODD, time_refusal};
use super::settle::{Siblings, Tested, unasked};
use super::survey::Survey;
use super::workers::{Found, Workers, interrupted};
use crate::axes::Protocol;
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

/// Runs a plan. Everything is told to `reporter` the moment it is known; an error is the reporter's.
pub async fn run(
    plan: Plan,
    targets: &[Arc<Target>],
    options: RunOptions,
    reporter: &mut dyn Reporter,
) -> io::Result<Summary> {
    let start = Instant::now();
    let plan = plan.quiet_last();
    let mut summary = Summary { planned: plan.list.len() + plan.expectations.len(), ..Summary::default() };
    summary.targets = targets.iter().map(|target| facts(target)).collect();
    summary.insecure = targets.iter().any(|target| !target.tls.verified);
    summary.warnings = insecurities(targets);
    reporter.event(&RunEvent::Started {
        cases: summary.planned,
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
    let observed = tokio::select! {
        observed = Observations::make(plan.observed_targets(targets.len()), &governor, &survey) => observed,
        () = interrupted(&mut interrupt) => Observations::default(),
    };
    summary.observed = observed.named(targets);
    tell(observed.compare(&plan.expectations, targets), &mut summary, reporter)?;
    let tested = Tested { targets, troubled: troubled(survey.places(), targets, &summary) };

    let mut desk = Desk {
        siblings: Siblings::new(&plan, prints.clone()),
        findings: Findings::new(&plan),
        baselines: SkipBaselines::default(),
        tested: &tested,
    };
    let conversations = Arc::new(AtomicUsize::new(0));
    let is_everything = plan.is_everything;
    let (quiet, loud): (Vec<Planned>, Vec<Planned>) = plan.list.into_iter().partition(Planned::wants_quiet);
    let jobs = governor.most(options.jobs);
    // Where a refusal takes a good part of a second, what others do at the same time makes no difference to it.
    let jobs_in_quiet = if governor.gates.iter().all(Gate::is_slow) { jobs } else { 1 };
    let growth = GrowthWatch::begin(&governor);
    let mut workers = Workers {
        governor: Arc::clone(&governor),
        survey: Arc::clone(&survey),
        conversations: Arc::clone(&conversations),
        interrupt,
    };
    let mut put_off = Vec::new();
    let mut is_whole = true;
    for (list, jobs) in [(loud, jobs), (quiet, jobs_in_quiet)] {
        let mut take = |found| match found {
            Found::PutOff(planned, why) => {
                put_off.push((planned, why));
                Ok(())
            }
            found => tell(desk.take(found), &mut summary, reporter),
        };
        is_whole = is_whole && workers.ask_all(list, jobs, Pass::First, &mut take).await?;
    }
    if is_whole {
        let mut take = |found| tell(desk.take(found), &mut summary, reporter);
        is_whole = ask_again(&mut workers, put_off, &mut take).await?;
    }
    drop(workers);
    summary.interrupted = !is_whole;
    growth.end().await;
    if !summary.interrupted {
        check_last(&governor, &survey, &prints, &mut summary).await;
    }
    summary.warnings.extend(governor.gates.iter().flat_map(lessons));
    tell(desk.rest(), &mut summary, reporter)?;
    if is_everything && !summary.interrupted {
        summary.warnings.extend(desk.baselines.outdated(targets));
    }
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
    baselines: SkipBaselines,
    tested: &'t Tested<'t>,
}

impl Desk<'_> {
    fn take(&mut self, found: Found) -> Vec<CaseReport> {
        let settled: Vec<Settled> = match found {
            Found::Answered(answered, _) => self.siblings.settle(*answered, self.tested),
            Found::Unasked { planned, judgement } => {
                let mut settled = self.siblings.drop_out(&planned, self.tested);
                settled.extend(unasked(planned, self.tested, judgement));
                settled
            }
            // Whoever puts a case off sees to it that it is asked again.
            Found::PutOff(..) => Vec::new(),
        };
        self.told(settled)
    }

    /// What can be told of judged cases now, after a look at the skip baseline.
    fn told(&mut self, settled: Vec<Settled>) -> Vec<CaseReport> {
        let mut reports = Vec::new();
        for mut settled in settled {
            let index = settled.planned.target;
            if let Some(target) = self.tested.targets.get(index) {
                self.baselines.apply(&mut settled.report, index, target);
            }
            reports.extend(self.findings.take(settled));
        }
        reports
    }

    /// What still waits when the run has ended, however it has.
    fn rest(&mut self) -> Vec<CaseReport> {
        let settled = self.siblings.rest(self.tested);
        let mut reports = self.told(settled);
        reports.extend(self.findings.rest());
        reports
    }
}

/// Waits until tasks that were given up hold on to the targets no longer: whoever started one wants to stop it.
async fn let_go(governor: &Arc<Governor>) {
    let deadline = Instant::now() + Duration::from_secs(1);
    while Arc::strong_count(governor) > 1 && Instant::now() < deadline {
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
    let mut survey = Survey::take(plan, targets, deadlines).await;
    summary.conversations += survey.places().len();
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
    let mut lessons = gate.ledger.stops();
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
