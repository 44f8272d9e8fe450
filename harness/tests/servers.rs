//! What real servers do: every case put to each server of the fleet, and its outcome held against the snapshot of it
//! under `snapshots/servers/`, so that a change in a server or in the harness is a difference that a person can read.
//!
//! Without a Docker daemon the trials are listed as ignored; with REQUIRE_DOCKER=1 they fail instead.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod docker;
mod observed;
mod support;

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use loginspec::fuzz::{Finding, FuzzEvent, FuzzReporter, Ground, Options, Oracle, fuzz};
use loginspec::runner::{CaseReport, Plan, RunOptions, Summary, run};
use loginspec::scenario::{Scenario, Selection, Verdict, Vocabulary, bundled_scenarios, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{container_file, start_container};
use loginspec::transport::Deadlines;

use crate::docker::{Docker, runtime};
use crate::support::Collected;

/// How many servers are asked at once: most of the time they make each other wait.
const AT_ONCE: usize = 3;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(AT_ONCE).min(AT_ONCE));

    let docker = Docker::find();
    let observed = |name: &&'static str| {
        let name = *name;
        docker.trial(format!("{name}_does_what_it_was_seen_to_do"), move || does_what_it_was_seen_to_do(name))
    };
    let mut trials: Vec<Trial> = loginspec_containers::names().iter().map(observed).collect();
    trials.push(docker.trial("what_spins_grows_dumps_or_ends_is_seen", what_misbehaves_is_seen));
    trials.push(docker.trial("fuzzing_finds_an_endless_loop", fuzzing_finds_an_endless_loop));
    libtest_mimic::run(&arguments, trials).exit();
}

fn does_what_it_was_seen_to_do(name: &str) -> Result<(), Failed> {
    let (summary, mut cases) = runtime().block_on(put(name, None))?;
    let troubles = summary.troubles().filter_map(|sanity| sanity.trouble.clone());
    let unexpected = cases.iter().filter(|case| case.verdict.is_unexpected());
    let unexpected = unexpected.map(|case| format!("{} {}: {}", case.verdict.word(), case.id, case.reason));
    let unexpected: Vec<String> = troubles.chain(unexpected).collect();
    // What happens now and then only is no matter of a snapshot.
    let records = container_file(name).unwrap().unwrap().known.list;
    let is_steady = |case: &CaseReport| !records.iter().any(|record| record.sometimes && record.case.matches(&case.id));
    cases.retain(is_steady);
    let text = observed::text(&cases);
    insta::with_settings!({ snapshot_path => "../../snapshots/servers", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
    if unexpected.is_empty() { Ok(()) } else { Err(unexpected.join("\n").into()) }
}

/// Each of them is tied to the case that did it, and the server is asked on.
fn what_misbehaves_is_seen() -> Result<(), Failed> {
    let case = |id: &str, name: &str, expect: &str| {
        format!(
            "[[case]]\nid = '{id}'\nprotocol = ['imap']\nmechanism = ['login']\nencoding = ['quoted']\nlogin = '{name}'\n{expect}\n"
        )
    };
    let refused = "password = 'wrong'\nexpect = 'rejected'";
    let opens = "expect = { opens = '{mailbox}' }";
    let text = format!(
        "title = 'x'\ncites = ['y']\n{}{}{}{}{}{}",
        case("spins", "spin", refused),
        case("dumps", "dump", refused),
        case("ends", "end", refused),
        case("grows", "grow", refused),
        case("refuses", "nobody", refused),
        case("opens", "Same", opens),
    );
    let (_, cases) = runtime().block_on(put("misbehaving", Some(&text)))?;
    let of = |id: &str| cases.iter().find(|case| case.id.starts_with(&format!("servers/{id}["))).unwrap();
    let seen = |id: &str| of(id).process.clone().unwrap_or_default();
    assert!(seen("spins").contains("the process perl spins"), "{:?}", of("spins"));
    assert_eq!((of("spins").verdict, of("spins").outcome), (Verdict::Fail, Some("no-answer")));
    assert!(seen("ends").contains("the server has ended"), "{:?}", of("ends"));
    assert!(seen("grows").contains("its memory grew by"), "{:?}", of("grows"));
    // Where the system pipes core dumps elsewhere there is none to be seen inside.
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if !pattern.starts_with(['|', '/']) {
        assert!(seen("dumps").contains("a core dump was left"), "{:?}", of("dumps"));
    }
    assert_eq!((of("refuses").verdict, of("refuses").process.as_deref()), (Verdict::Pass, None));
    assert_eq!((of("opens").verdict, of("opens").process.as_deref()), (Verdict::Pass, None));
    Ok(())
}

/// GNU mailutils' imap4d spins for ever on a backslash within quotes, before anybody has logged in. A campaign comes to
/// that by itself, finds out which conversation does it, and writes a scenario that shows it.
fn fuzzing_finds_an_endless_loop() -> Result<(), Failed> {
    /// Ends the campaign as soon as a harm has been proven.
    struct UntilHarm(tokio::sync::watch::Sender<bool>);

    impl FuzzReporter for UntilHarm {
        fn event(&mut self, event: &FuzzEvent<'_>) {
            if matches!(event, FuzzEvent::Found(finding, _) if is_loop(finding)) {
                self.0.send_replace(true);
            }
        }
    }

    fn is_loop(finding: &Finding) -> bool {
        finding.oracle == Oracle::ServerHarmed && finding.is_proven() && finding.what.contains("imap4d spins")
    }

    let folder = tempfile::tempdir()?;
    let summary = runtime().block_on(async {
        let target = Arc::new(start_container("mailutils-3.15").await?);
        let deadlines = Deadlines::from_reply(Duration::from_secs(5));
        let ground = Ground::explore(Arc::clone(&target), deadlines).await?;
        let (sender, interrupt) = tokio::sync::watch::channel(false);
        let options = Options {
            // On a quiet machine it takes one minute.
            time: Duration::from_secs(240),
            jobs: 16,
            ..Options::new(folder.path().to_path_buf(), deadlines, interrupt)
        };
        let summary = fuzz(vec![ground], options, &mut UntilHarm(sender)).await?;
        if let Some(target) = Arc::into_inner(target) {
            target.stop().await;
        }
        Ok::<_, Failed>(summary)
    })?;
    let found: Vec<&str> = summary.findings.iter().map(|(finding, _)| finding.what.as_str()).collect();
    let (finding, path) =
        summary.findings.iter().find(|(finding, _)| is_loop(finding)).ok_or_else(|| format!("only {found:?}"))?;
    let scenario = std::fs::read_to_string(path)?;
    assert!(finding.steps <= 2 && scenario.contains('\\'), "{scenario}");
    Ok(())
}

/// Puts a scenario, or all bundled ones, to a server of the fleet.
async fn put(name: &str, scenario: Option<&str>) -> Result<(Summary, Vec<CaseReport>), Failed> {
    let target = Arc::new(start_container(name).await?);
    let vocabulary = Vocabulary {
        roles: target.directory.roles().map(str::to_string).chain(support::vocabulary().roles).collect(),
        dialects: support::vocabulary().dialects,
    };
    let scenarios: Vec<Arc<Scenario>> = match scenario {
        Some(text) => {
            let source = SourceText::new("servers.toml", text);
            vec![Arc::new(read_scenario("servers", &source, &vocabulary).unwrap())]
        }
        None => bundled_scenarios(&vocabulary).unwrap().into_iter().map(Arc::new).collect(),
    };
    let plan = Plan::new(&scenarios, &[Arc::clone(&target.dialect)], &Selection::default()).pairwise();
    let (_sender, interrupt) = tokio::sync::watch::channel(false);
    let deadlines = Deadlines::from_reply(Duration::from_secs(5));
    let options = RunOptions { jobs: 16, may_grow: true, ..RunOptions::new(deadlines, interrupt) };
    let mut collected = Collected::default();
    let summary = run(plan, &[Arc::clone(&target)], options, &mut collected).await?;
    if let Some(target) = Arc::into_inner(target) {
        target.stop().await;
    }
    Ok((summary, collected.0))
}
