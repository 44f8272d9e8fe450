//! The sound twin of a target: the reference server with the same dialect and the same accounts, and no flaw. What it
//! does is what a finding's scenario expects, and where it does the same as the target there is no finding.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::ground::Ground;
use crate::identity::{bundled_dialect_names, bundled_directory};
use crate::reference::Flaws;
use crate::runner::{CaseReport, Extent, Plan, Reporter, RunEvent, RunOptions, run};
use crate::scenario::{Selection, Verdict, Vocabulary, load};
use crate::target::{Target, start_reference};
use crate::transport::Deadlines;

/// Starts the twin.
pub(super) async fn twin(target: &Target, deadlines: Deadlines) -> Result<Ground, String> {
    let started = start_reference(Arc::clone(&target.dialect), Arc::clone(&target.directory), Flaws::NONE);
    let twin = started.map_err(|error| format!("failed to start a sound server beside {}: {error}", target.name))?;
    Ground::explore(Arc::new(twin), deadlines).await
}

/// What a scenario comes to on a target: the verdict of its one case and the reason for it.
pub(super) async fn verdict(
    file: &Path,
    target: &Arc<Target>,
    deadlines: Deadlines,
) -> Result<(Verdict, String), String> {
    let vocabulary = vocabulary(target)?;
    let scenarios = load(&[file.to_path_buf()], &vocabulary)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let scenarios: Vec<_> = scenarios.into_iter().map(Arc::new).collect();
    let plan = Plan::new(&scenarios, &[Arc::clone(&target.dialect)], &Selection::default());
    let (_hold, interrupt) = watch::channel(false);
    let options =
        RunOptions { jobs: 1, may_grow: false, extent: Extent::Full, ..RunOptions::new(deadlines, interrupt) };
    let mut heard = Listener::default();
    let summary = run(plan, &[Arc::clone(target)], options, &mut heard).await.map_err(|error| error.to_string())?;
    // One bad case is enough: `same` has several.
    let worst = heard.0.iter().max_by_key(|case| rank(case.verdict));
    match worst {
        Some(case) => Ok((case.verdict, case.reason.clone())),
        None if summary.warnings.is_empty() => Err("no case of it applies to the target".to_string()),
        None => Err(summary.warnings.join("; ")),
    }
}

/// The words that a finding's scenario may use on a target.
fn vocabulary(target: &Target) -> Result<Vocabulary, String> {
    let bundled = bundled_directory().map_err(|error| error.to_string())?;
    let mut roles: Vec<String> = bundled.roles().map(str::to_string).collect();
    roles.extend(target.directory.roles().map(str::to_string));
    let mut dialects: Vec<String> = bundled_dialect_names().map(str::to_string).collect();
    dialects.push(target.dialect.name.clone());
    Ok(Vocabulary { roles, dialects })
}

const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fail => 6,
        Verdict::Warn => 5,
        Verdict::Known => 4,
        Verdict::Fixed => 3,
        Verdict::Error => 2,
        Verdict::Skip => 1,
        Verdict::Pass => 0,
    }
}

#[derive(Default)]
struct Listener(Vec<CaseReport>);

impl Reporter for Listener {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        if let RunEvent::CaseFinished(case) = event {
            self.0.push((*case).clone());
        }
        Ok(())
    }
}
