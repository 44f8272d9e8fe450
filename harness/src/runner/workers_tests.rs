//! A case that panics, in a run.

use super::*;
use crate::identity::bundled_directory;
use crate::reference::Flaws;
use crate::runner::{Blame, CaseReport, Plan, Reporter, RunEvent, RunOptions, Summary, run};
use crate::scenario::{Selection, read_scenario};
use crate::source::SourceText;
use crate::target::{find_dialect, start_reference};
use crate::transport::Deadlines;

#[derive(Default)]
struct Collected(Vec<CaseReport>);

impl Reporter for Collected {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        if let RunEvent::CaseFinished(report) = event {
            self.0.push((*report).clone());
        }
        Ok(())
    }
}

async fn run_case(scenario: &str, jobs: usize) -> (Summary, Vec<CaseReport>) {
    let case = "[[case]]\nid = 'one'\nprotocol = ['imap', 'pop3']\nlogin = '{user}'\nexpect = 'rejected'\n";
    let text = SourceText::new("x.toml", format!("title = 'x'\ncites = ['y']\n{case}"));
    let directory = bundled_directory().unwrap();
    let vocabulary = crate::scenario::Vocabulary {
        roles: directory.roles().map(str::to_string).collect(),
        dialects: vec!["opaque".to_string()],
    };
    let scenario = Arc::new(read_scenario(scenario, &text, &vocabulary).unwrap());
    let dialect = Arc::new(find_dialect("opaque").unwrap());
    let target = start_reference(Arc::clone(&dialect), Arc::new(directory), Flaws::NONE).unwrap();
    let plan = Plan::new(&[scenario], &[dialect], &Selection::default());
    let (_sender, interrupt) = watch::channel(false);
    let options = RunOptions { jobs, ..RunOptions::new(Deadlines::from_reply(Duration::from_secs(5)), interrupt) };
    let mut collected = Collected::default();
    let summary = run(plan, &[Arc::new(target)], options, &mut collected).await.unwrap();
    (summary, collected.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_whose_worker_panics_is_an_error_and_no_other_is_lost() {
    for jobs in [1, 4] {
        let (summary, reports) = run_case(PANICS, jobs).await;
        assert_eq!((summary.planned, summary.finished(), summary.count(Verdict::Error)), (2, 2, 2));
        assert!(!summary.is_success());
        for report in reports {
            assert_eq!(report.blame, Some(Blame::Us));
            let told = "loginspec panicked, which is a defect of loginspec: a test wants it, with <password>";
            assert_eq!(report.reason, told);
        }
    }
    let (summary, _) = run_case("does-not-panic", 1).await;
    assert_eq!((summary.planned, summary.finished(), summary.count(Verdict::Error)), (2, 2, 0));
}
