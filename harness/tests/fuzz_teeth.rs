//! The fuzzer has teeth: with each flaw of the reference server it finds something, and with none it finds nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use loginspec::fuzz::{CampaignSummary, Finding, FuzzEvent, FuzzReporter, Ground, Options, fuzz};
use loginspec::identity::bundled_directory;
use loginspec::reference::{Flaw, Flaws};
use loginspec::target::{find_dialect, start_reference};
use loginspec::transport::Deadlines;
use tokio::sync::watch;

/// What every conversation of these tests follows from; the second where the first comes to nothing.
const SEEDS: [u64; 2] = [5, 6];
/// The dialects in which all flaws show; each also on a server that takes no password without TLS.
const DIALECTS: &[&str] = &["exchange-5.5", "exchange-2007", "opaque"];
/// How many conversations each flaw gets. A sound answer takes a thousandth of the deadline.
const CONVERSATIONS: u64 = 12_000;
/// What it may take at most, on a machine that is busy with other tests.
const TIME: Duration = Duration::from_secs(90);
const DEADLINE: Duration = Duration::from_millis(400);

/// Nobody watches.
struct Quiet;

impl FuzzReporter for Quiet {
    fn event(&mut self, _: &FuzzEvent<'_>) {}
}

/// A campaign against the reference server with these flaws, until something is proven.
fn campaign(seed: u64, flaws: Flaws, conversations: u64, findings: Option<usize>) -> CampaignSummary {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(async {
        let directory = Arc::new(bundled_directory().unwrap());
        let deadlines = Deadlines::from_reply(DEADLINE);
        let mut grounds = Vec::new();
        for name in DIALECTS {
            let dialect = find_dialect(name).unwrap();
            for dialect in [dialect.clone(), dialect.requiring_tls()] {
                let target = start_reference(Arc::new(dialect), Arc::clone(&directory), flaws).unwrap();
                grounds.push(Ground::explore(Arc::new(target), deadlines).await.unwrap());
            }
        }
        let (_hold, interrupt) = watch::channel(false);
        let options = Options {
            seed,
            time: TIME,
            conversations: Some(conversations),
            findings,
            jobs: 48,
            ..Options::new(folder.path().to_path_buf(), deadlines, interrupt)
        };
        fuzz(grounds, options, &mut Quiet).await.unwrap()
    })
}

fn proven(outcome: &CampaignSummary) -> Option<&Finding> {
    outcome.findings.iter().map(|(finding, _)| finding).find(|finding| finding.is_proven())
}

fn say(line: &str) {
    let mut error = std::io::stderr();
    let _ = writeln!(error, "{line}");
}

/// What became of a flaw: the oracle, and how many messages the smallest conversation has; nothing where it was missed.
type Row = (Flaw, Option<(&'static str, usize)>);

fn look_for(flaw: Flaw) -> Row {
    let start = Instant::now();
    let [first, second] = SEEDS;
    let mut outcome = campaign(first, Flaws::from(flaw), CONVERSATIONS, Some(1));
    if proven(&outcome).is_none() {
        outcome = campaign(second, Flaws::from(flaw), CONVERSATIONS, Some(1));
    }
    let row = proven(&outcome).map(|finding| (finding.oracle.word(), finding.steps));
    let told = match proven(&outcome) {
        Some(finding) => finding.what.clone(),
        None => {
            let unproven = outcome.findings.iter().map(|(finding, _)| format!("{} {:?}", finding.what, finding.doubt));
            format!("MISSED: {:?} {:?}", unproven.collect::<Vec<_>>(), outcome.gone)
        }
    };
    say(&format!("{:<32} {:5.1} s {:6} {told}", flaw.name(), start.elapsed().as_secs_f64(), outcome.had));
    (flaw, row)
}

/// The flaws that the table in the docs lists as found, or as missed.
fn documented() -> BTreeMap<String, bool> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fuzzing.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let row = |row: &str| {
        let (name, found) = row.split_once("` | ")?;
        Flaw::from_name(name).map(|_| (name.to_string(), !found.starts_with("missed")))
    };
    rows.filter_map(row).collect()
}

#[test]
fn each_flaw_is_found_as_the_docs_say() {
    let next = AtomicUsize::new(0);
    let documented = documented();
    // All of them take minutes, and what is known to be missed takes longest: they are looked for on request, "all" or
    // some by their names.
    let asked = std::env::var("FUZZ_FLAWS").unwrap_or_default();
    let is_asked = |flaw: &&Flaw| match asked.as_str() {
        "" => (**flaw as usize).is_multiple_of(3) && documented.get(flaw.name()) != Some(&false),
        "all" => true,
        names => names.split(',').any(|name| name == flaw.name()),
    };
    // The flaw of time is looked for in quiet; the others have each other's company.
    let (timed, others): (Vec<Flaw>, Vec<Flaw>) =
        Flaw::ALL.iter().filter(is_asked).partition(|flaw| **flaw == Flaw::SlowForKnownUsers);
    let rows: Mutex<Vec<Row>> = Mutex::new(timed.into_iter().map(look_for).collect());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(&flaw) = others.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = look_for(flaw);
                    rows.lock().unwrap().push(row);
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_unstable();
    let found = rows.iter().filter(|(_, found)| found.is_some()).count();
    for (flaw, found) in &rows {
        match found {
            Some((oracle, steps)) => say(&format!("| `{}` | {oracle} | {steps} |", flaw.name())),
            None => say(&format!("| `{}` | missed | |", flaw.name())),
        }
    }
    say(&format!("{found} of {} flaws", rows.len()));
    for flaw in Flaw::ALL {
        assert!(documented.contains_key(flaw.name()), "docs/fuzzing.md says nothing of {}", flaw.name());
    }
    for (flaw, found) in &rows {
        let said = documented.get(flaw.name());
        assert!(said != Some(&true) || found.is_some(), "{} is not found any more", flaw.name());
        assert!(found.is_none_or(|(_, steps)| steps <= 6), "{} is not small", flaw.name());
    }
    let listed = documented.values().filter(|is_found| **is_found).count();
    assert!(listed * 10 > Flaw::ALL.len() * 9, "only {listed} flaws are listed as found");
}

#[test]
fn with_no_flaw_nothing_is_found() {
    let outcome = campaign(SEEDS[0], Flaws::NONE, 3000, None);
    let found: Vec<&String> = outcome.findings.iter().map(|(finding, _)| &finding.what).collect();
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(outcome.progress.conversations, 3000);
}
