//! The fuzzer has teeth: with each flaw of the reference server it finds something, and with none it finds nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use loginspec::fuzz::{Finding, FuzzEvent, FuzzReporter, Ground, Options, Outcome, fuzz};
use loginspec::identity::bundled_directory;
use loginspec::reference::{Flaw, Flaws};
use loginspec::target::{find_dialect, start_reference};
use loginspec::transport::Deadlines;
use tokio::sync::watch;

/// What every conversation of these tests follows from.
const SEED: u64 = 5;
/// The dialects in which all flaws show; each also on a server that takes no password without TLS.
const DIALECTS: &[&str] = &["exchange-5.5", "exchange-2007", "opaque"];
/// How many conversations each flaw gets. A sound answer takes a thousandth of the deadline.
const CONVERSATIONS: u64 = 4_000;
const DEADLINE: Duration = Duration::from_millis(400);

/// Nobody watches.
struct Quiet;

impl FuzzReporter for Quiet {
    fn event(&mut self, _: &FuzzEvent<'_>) {}
}

/// A campaign against the reference server with these flaws, until something is proven.
fn campaign(flaws: Flaws, conversations: u64, findings: Option<usize>) -> Outcome {
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
            seed: SEED,
            time: Duration::from_secs(20),
            conversations: Some(conversations),
            findings,
            jobs: 48,
            deadlines,
            rate: None,
            stop_file: folder.path().join("stop"),
            folder: folder.path().to_path_buf(),
            resume: false,
            interrupt,
        };
        fuzz(grounds, options, &mut Quiet).await.unwrap()
    })
}

fn proven(outcome: &Outcome) -> Option<&Finding> {
    outcome.findings.iter().map(|(finding, _)| finding).find(|finding| finding.is_proven())
}

fn say(line: &str) {
    let mut error = std::io::stderr();
    let _ = writeln!(error, "{line}");
}

#[test]
fn each_flaw_is_found() {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(&flaw) = Flaw::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let outcome = campaign(Flaws::from(flaw), CONVERSATIONS, Some(1));
                    let row = match proven(&outcome) {
                        Some(finding) => format!(
                            "| `{}` | {} | {} | {} |",
                            flaw.name(),
                            finding.oracle.word(),
                            finding.steps,
                            finding.what
                        ),
                        None => {
                            let others: Vec<String> = outcome
                                .findings
                                .iter()
                                .map(|(finding, _)| {
                                    format!("{} {:?} {:?}", finding.what, finding.doubt, finding.scenario)
                                })
                                .collect();
                            format!("| `{}` | missed | | {others:?} {:?}", flaw.name(), outcome.gone)
                        }
                    };
                    say(&format!("{:.1} s, {} conversations: {row}", start.elapsed().as_secs_f64(), outcome.had));
                    rows.lock().unwrap().push(row);
                }
            });
        }
    });
}
