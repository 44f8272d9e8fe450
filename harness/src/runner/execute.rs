//! Asks every question of a plan, many at once, and tells the reporter what comes of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::checks::{check_first, check_last};
use super::connection::open;
use super::event::{CaseReport, Reporter, RunEvent, Summary, TargetFacts};
use super::fresh::fresh;
use super::plan::{Plan, Planned};
use super::question::{Question, Request, ask};
use super::settle::{Answered, Siblings, unasked};
use super::survey::Survey;
use crate::axes::{Mechanism, Protocol};
use crate::protocol::{Login, Session};
use crate::scenario::Verdict;
use crate::target::Target;
use crate::transport::Deadlines;

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
    summary.insecure = targets.iter().any(|target| !target.tls.verified);
    summary.warnings = insecurities(targets);
    reporter.event(&RunEvent::Started {
        cases: plan.list.len(),
        targets: &facts,
        scenarios: &plan.scenarios(),
        warnings: &summary.warnings,
    })?;

    let said = summary.warnings.len();
    let mut survey = Survey::take(&plan, targets, options.deadlines).await;
    summary.conversations += survey.places().len();
    summary.warnings.extend(survey.warnings(targets));
    let prints = check_first(&plan, targets, &mut survey, options.deadlines, &mut summary).await;
    let warnings = summary.warnings.get(said..).unwrap_or_default();
    reporter.event(&RunEvent::Surveyed { surveys: &survey.facts(targets), warnings })?;

    let survey = Arc::new(survey);
    let mut siblings = Siblings::new(&plan, prints.clone());
    let conversations = Arc::new(AtomicUsize::new(0));
    let (mut found, mut workers) = ask_all(plan, targets, &options, Arc::clone(&survey), Arc::clone(&conversations));
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
        check_last(targets, &survey, &prints, options.deadlines, &mut summary).await;
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
    survey: Arc<Survey>,
    conversations: Arc<AtomicUsize>,
) -> (mpsc::Receiver<Found>, JoinSet<()>) {
    // A bounded channel: workers wait for the reports rather than fill the memory with results.
    let (sender, receiver) = mpsc::channel(256);
    let work = Arc::new((plan.list, targets.to_vec(), survey));
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..options.jobs.max(1).min(work.0.len()) {
        let (sender, work, next) = (sender.clone(), Arc::clone(&work), Arc::clone(&next));
        let conversations = Arc::clone(&conversations);
        let deadlines = options.deadlines;
        workers.spawn(async move {
            let (list, targets, survey) = &*work;
            while let Some(planned) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                let found = ask_one(planned, targets, survey, deadlines, &conversations).await;
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
    survey: &Survey,
    deadlines: Deadlines,
    conversations: &AtomicUsize,
) -> Option<Found> {
    let (case, target) = (planned.case()?, targets.get(planned.target)?);
    let unasked = |verdict, reason| Some(Found::Unasked { planned: planned.clone(), verdict, reason });
    let question = match ask(case, target) {
        Ok(question) => question,
        Err(reason) => return unasked(Verdict::Skip, reason),
    };
    let (endpoint, security) = match target.endpoint_for(case.protocol, case.mechanism, case.security) {
        Ok(found) => found,
        Err(reason) => return unasked(Verdict::Skip, reason),
    };
    let place = (planned.target, case.protocol, security);
    if let Some(reason) = survey.unreachable(place) {
        return unasked(Verdict::Error, reason.to_string());
    }
    if let Some(reason) = survey.reason_to_skip(case, place) {
        return unasked(Verdict::Skip, reason);
    }
    // Only where the certificate is what logs in: elsewhere it would be one more thing that differs.
    let certificate = match case.mechanism {
        Some(Mechanism::External) => match target.certificates.get(&case.role) {
            Some(certificate) => Some(certificate),
            None => {
                let reason = format!("there is no client certificate for the role `{}`", case.role);
                return unasked(Verdict::Skip, reason);
            }
        },
        _ => None,
    };
    let session = match session(&question, case.protocol) {
        Ok(session) => session,
        Err(reason) => return unasked(Verdict::Error, reason),
    };
    let start = Instant::now();
    let connection = match open(target, endpoint, security, certificate, deadlines).await {
        Ok(connection) => connection,
        Err(error) => return unasked(Verdict::Error, error.reason()),
    };
    conversations.fetch_add(1, Ordering::Relaxed);
    let conversation = connection.converse(session, deadlines).await;
    let answered = Answered { planned: planned.clone(), question, conversation, took: start.elapsed() };
    Some(Found::Answered(Box::new(answered)))
}

fn session(question: &Question, protocol: Protocol) -> Result<Session, String> {
    Ok(match &question.request {
        Request::Login(login) => Session::login(Login { fresh: fresh()?, ..login.clone() }),
        Request::Dialogue(steps) => Session::dialogue(protocol, steps.clone()),
    })
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
    TargetFacts { name: target.name.clone(), dialect: target.dialect.name.clone(), addresses }
}
