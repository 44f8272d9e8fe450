//! How fast: reading a name, checking every scenario file, and whole logins against the reference server.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use loginspec::axes::{Mechanism, Protocol};
use loginspec::identity::{Access, bundled_dialect_names, bundled_directory};
use loginspec::reference::Flaws;
use loginspec::runner::{Plan, Reporter, RunEvent, RunOptions, run};
use loginspec::scenario::{Scenario, Selection, Vocabulary, bundled_scenarios, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{find_dialect, start_reference};
use loginspec::transport::Deadlines;

fn vocabulary() -> Vocabulary {
    Vocabulary {
        roles: bundled_directory().unwrap().roles().map(str::to_string).collect(),
        dialects: bundled_dialect_names().map(str::to_string).collect(),
    }
}

fn read_names(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    for dialect in ["exchange-5.5", "exchange-2007", "dovecot"] {
        let read = find_dialect(dialect).unwrap();
        let access = Access { protocol: Protocol::Imap, mechanism: Mechanism::Login };
        group.bench_function(format!("three parts as {dialect}"), |bencher| {
            bencher.iter(|| black_box(read.read(black_box(br"Domain1\User1\Mailbox1"), access)));
        });
    }
}

fn check_files(criterion: &mut Criterion) {
    let vocabulary = vocabulary();
    criterion.bench_function("check every bundled scenario", |bencher| {
        bencher.iter(|| black_box(bundled_scenarios(&vocabulary).unwrap()));
    });
}

struct Nobody;

impl Reporter for Nobody {
    fn event(&mut self, _: &RunEvent<'_>) -> std::io::Result<()> {
        Ok(())
    }
}

/// One scenario of one login, over and over, to the reference server in the same process, canary and all.
fn log_in(criterion: &mut Criterion) {
    let text = "title = 'One'\ncites = ['KB Q184463']\n[[case]]\nid = 'one'\nprotocol = ['PROTOCOL']\naccount = 'renamed'\n\
                login = '{domain}\\{user}\\{mailbox}'\nexpect = { opens = '{mailbox}' }\n";
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("run");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    for protocol in ["imap", "pop3"] {
        let source = SourceText::new("one.toml", text.replace("PROTOCOL", protocol));
        let scenario: Arc<Scenario> = Arc::new(read_scenario("one", &source, &vocabulary()).unwrap());
        let dialect = Arc::new(find_dialect("exchange-5.5").unwrap());
        let directory = Arc::new(bundled_directory().unwrap());
        let target = {
            let _entered = runtime.enter();
            Arc::new(start_reference(Arc::clone(&dialect), directory, Flaws::NONE).unwrap())
        };
        const LOGINS: usize = 5000;
        group.throughput(Throughput::Elements(LOGINS as u64));
        group.bench_function(format!("{protocol} logins with canary"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut took = Duration::ZERO;
                for _ in 0..iterations {
                    let mut plan = Plan::new(&[Arc::clone(&scenario)], &[Arc::clone(&dialect)], &Selection::default());
                    plan.list = vec![plan.list[0].clone(); LOGINS];
                    let (_sender, interrupt) = tokio::sync::watch::channel(false);
                    let deadlines = Deadlines::from_reply(Duration::from_secs(5));
                    let options = RunOptions { jobs: 64, may_grow: false, ..RunOptions::new(deadlines, interrupt) };
                    let start = Instant::now();
                    let summary = runtime.block_on(run(plan, &[Arc::clone(&target)], options, &mut Nobody)).unwrap();
                    took += start.elapsed();
                    assert!(summary.is_success());
                }
                took
            });
        });
    }
}

criterion_group!(benches, read_names, check_files, log_in);
criterion_main!(benches);
