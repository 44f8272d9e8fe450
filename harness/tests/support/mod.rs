//! What several tests share: a run of the bundled scenarios, with everything that it told.
#![allow(dead_code)]

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use loginspec::identity::{Dialect, bundled_dialect_names, bundled_directory};
use loginspec::reference::Flaws;
use loginspec::runner::{CaseReport, Plan, Reporter, RunEvent, RunOptions, Summary, run};
use loginspec::scenario::{Case, Scenario, Selection, Vocabulary, bundled_scenarios};
use loginspec::target::{Target, find_dialect, start_reference};
use loginspec::transport::Deadlines;

/// Keeps every case.
#[derive(Default)]
pub struct Collected(pub Vec<CaseReport>);

impl Reporter for Collected {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        if let RunEvent::CaseFinished(case) = event {
            self.0.push((*case).clone());
        }
        Ok(())
    }
}

pub fn vocabulary() -> Vocabulary {
    Vocabulary {
        roles: bundled_directory().unwrap().roles().map(str::to_string).collect(),
        dialects: bundled_dialect_names().map(str::to_string).collect(),
    }
}

pub fn scenarios() -> Vec<Arc<Scenario>> {
    static READ: OnceLock<Vec<Arc<Scenario>>> = OnceLock::new();
    READ.get_or_init(read_scenarios).clone()
}

fn read_scenarios() -> Vec<Arc<Scenario>> {
    match bundled_scenarios(&vocabulary()) {
        Ok(scenarios) => scenarios.into_iter().map(Arc::new).collect(),
        Err(errors) => panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// Runs every bundled scenario against a sound reference server in every dialect.
pub fn run_bundled() -> (Summary, Vec<CaseReport>) {
    run_plan(Flaws::NONE, bundled_dialect_names(), Duration::from_secs(5), |_| true)
}

/// Runs the chosen bundled cases against a reference server with flaws, in dialects enough to show each of them.
pub fn run_bundled_with(flaws: Flaws, chosen: impl Fn(&Case) -> bool) -> (Summary, Vec<CaseReport>) {
    // Flaws that hang cost one deadline per case: it is short, and sound answers take a thousandth of it.
    let dialects = ["exchange-5.5", "exchange-2007", "opaque"];
    run_plan(flaws, dialects.into_iter(), Duration::from_millis(250), chosen)
}

fn run_plan(
    flaws: Flaws,
    dialects: impl Iterator<Item = &'static str>,
    reply: Duration,
    chosen: impl Fn(&Case) -> bool,
) -> (Summary, Vec<CaseReport>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = Arc::new(bundled_directory().unwrap());
        let dialects: Vec<Arc<Dialect>> = dialects.map(|name| Arc::new(find_dialect(name).unwrap())).collect();
        let strict = Arc::new(find_dialect("opaque").unwrap().requiring_tls());
        let dialects: Vec<Arc<Dialect>> = dialects.into_iter().chain([strict]).collect();
        let mut plan = Plan::new(&scenarios(), &dialects, &Selection::default());
        plan.list.retain(|planned| planned.case().is_some_and(&chosen));
        let plan = if flaws.is_empty() { plan.of_sound_servers(&dialects) } else { plan }.pairwise();
        let mut targets: Vec<Arc<Target>> = Vec::new();
        for dialect in dialects {
            targets.push(Arc::new(start_reference(dialect, Arc::clone(&directory), flaws).unwrap()));
        }
        let (_sender, interrupt) = tokio::sync::watch::channel(false);
        let options =
            RunOptions { jobs: 128, may_grow: false, ..RunOptions::new(Deadlines::from_reply(reply), interrupt) };
        let mut collected = Collected::default();
        let summary = run(plan, &targets, options, &mut collected).await.unwrap();
        (summary, collected.0)
    })
}
