//! Which scenarios and cases a command line means: files, folders, ids.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit_code::CliError;
use super::help::CASES;
use super::prepared::Prepared;
use crate::identity::Dialect;
use crate::reference::Flaws;
use crate::runner::{Extent, Plan, Planned, Shard};
use crate::scenario::{Scenario, Selection, Vocabulary, bundled_scenarios, load};
use crate::source::nearest;
use crate::target::Date;

/// What stands on the command line about cases.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct CaseArgs {
    /// Scenario files or folders, or bundled cases by the start of their ids or a glob ('imap/*literal*').
    ///
    /// All bundled scenarios by default.
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    /// Only cases whose id matches: the start of an id, or a glob. May be given several times.
    #[arg(help_heading = CASES, long, short, value_name = "ID")]
    pub filter: Vec<String>,
    /// Only part K of N, as in 2/5: shares a run between machines.
    #[arg(help_heading = CASES, long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// Every combination of every case. By default large matrices are thinned out, and every pair of values is still
    /// tried.
    #[arg(help_heading = CASES, long)]
    pub full: bool,
    /// Run at most 300 cases: those that cover the most clauses, mechanisms, login forms and encodings.
    ///
    /// An account gets few wrong passwords, so that a slow server answers within a minute.
    #[arg(help_heading = CASES, long, conflicts_with = "full")]
    pub smoke: bool,
}

impl CaseArgs {
    /// The files and folders among the scenarios.
    pub fn paths(&self) -> Vec<String> {
        self.scenarios.iter().filter(|text| is_path(text)).cloned().collect()
    }

    /// Which part of the plan is run.
    pub fn extent(&self) -> Extent {
        match (self.full, self.smoke) {
            (true, _) => Extent::Full,
            (false, true) => Extent::Smoke,
            (false, false) => Extent::Default,
        }
    }

    /// Whether every bundled case is meant, so that a record which covers none of them covers nothing.
    fn is_everything(&self) -> bool {
        self.scenarios.is_empty() && self.filter.is_empty() && self.shard.is_none()
    }
}

/// Plans the cases for a target, and sees to it that what is recorded of that target holds still.
pub(super) fn plan_for(prepared: &Prepared, args: &CaseArgs, flaws: Flaws) -> Result<Plan, CliError> {
    let expectations = prepared.expectations();
    let whole = whole_plan(args, &prepared.dialects(), &prepared.vocabulary()?, flaws, expectations.as_ref())?;
    let every: Vec<&str> = whole.list.iter().filter_map(|planned| Some(planned.case()?.id.as_str())).collect();
    // Before anything is thinned out: a record may be about a combination that only `--full` asks.
    prepared.records().check(Date::today(), args.is_everything().then_some(every.as_slice()))?;
    part_of(args, whole)
}

/// Finds the scenarios and plans their cases for targets of these dialects.
pub(super) fn plan(args: &CaseArgs, dialects: &[Arc<Dialect>], vocabulary: &Vocabulary) -> Result<Plan, CliError> {
    part_of(args, whole_plan(args, dialects, vocabulary, Flaws::NONE, None)?)
}

/// Every combination of every case that is meant.
fn whole_plan(
    args: &CaseArgs,
    dialects: &[Arc<Dialect>],
    vocabulary: &Vocabulary,
    flaws: Flaws,
    expectations: Option<&Arc<Scenario>>,
) -> Result<Plan, CliError> {
    let (paths, ids): (Vec<&String>, Vec<&String>) = args.scenarios.iter().partition(|text| is_path(text));
    let mut chosen: Vec<Arc<Scenario>> = Vec::new();
    let mut plan = Plan { is_everything: args.is_everything(), ..Plan::default() };
    if let Some(scenario) = expectations {
        let selection = Selection::new(ids.iter().map(ToString::to_string));
        plan.expectations = compared(scenario, &selection);
        chosen.push(Arc::clone(scenario));
    }
    if !ids.is_empty() || paths.is_empty() {
        let bundled = shared(bundled_scenarios(vocabulary).map_err(CliError::Scenarios)?);
        let selection = Selection::new(ids.into_iter().cloned());
        let offered: Vec<Arc<Scenario>> = bundled.iter().chain(expectations).cloned().collect();
        refuse_idle(&selection, &offered)?;
        plan.list.extend(Plan::new(&bundled, dialects, &selection).list);
        chosen.extend(bundled);
    }
    if !paths.is_empty() {
        let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
        let loaded = shared(load(&paths, vocabulary).map_err(CliError::Scenarios)?);
        plan.list.extend(Plan::new(&loaded, dialects, &Selection::default()).list);
        chosen.extend(loaded);
    }
    if !args.filter.is_empty() {
        let selection = Selection::new(args.filter.iter().cloned());
        refuse_idle(&selection, &chosen)?;
        let is_chosen = |planned: &Planned| planned.case().is_some_and(|case| selection.holds(&case.id));
        plan.list.retain(is_chosen);
        plan.expectations.retain(is_chosen);
    }
    if flaws.is_empty() {
        plan = plan.of_sound_servers(dialects);
    }
    if plan.list.is_empty() && plan.expectations.is_empty() {
        let dialects: Vec<&str> = dialects.iter().map(|dialect| dialect.name.as_str()).collect();
        return Err(CliError::NothingToRun(format!(
            "none of the chosen cases applies to the target's dialect ({})",
            dialects.join(", ")
        )));
    }
    Ok(plan)
}

/// The facts of a target file that are compared, out of those that it expects.
fn compared(scenario: &Arc<Scenario>, selection: &Selection) -> Vec<Planned> {
    let chosen = scenario.cases.iter().enumerate().filter(|(_, case)| selection.holds(&case.id));
    chosen.map(|(case, _)| Planned::new(Arc::clone(scenario), case, 0)).collect()
}

/// What of a plan is asked in this run.
fn part_of(args: &CaseArgs, plan: Plan) -> Result<Plan, CliError> {
    // Whoever asks for few combinations gets these: only what is chosen is thinned out.
    let plan = if args.full { plan } else { plan.pairwise() };
    let plan = match args.shard {
        Some(shard) => plan.shard(shard),
        None => plan,
    };
    if plan.list.is_empty() && plan.expectations.is_empty() {
        return Err(CliError::NothingToRun(
            "this part of the run is empty: there are fewer cases than parts".to_string(),
        ));
    }
    Ok(plan)
}

/// Whether a text means a file or a folder, rather than ids.
fn is_path(text: &str) -> bool {
    text.ends_with(".toml") || (!text.contains(['*', '?', '[']) && Path::new(text).exists())
}

fn shared(scenarios: Vec<Scenario>) -> Vec<Arc<Scenario>> {
    scenarios.into_iter().map(Arc::new).collect()
}

/// A filter that matches nothing is a mistake: it would quietly test less than was meant.
fn refuse_idle(selection: &Selection, scenarios: &[Arc<Scenario>]) -> Result<(), CliError> {
    let ids: Vec<&str> = scenarios.iter().flat_map(|scenario| &scenario.cases).map(|case| case.id.as_str()).collect();
    let Some(idle) = selection.idle(&ids).first().copied() else { return Ok(()) };
    let scenario_ids = scenarios.iter().map(|scenario| scenario.id.as_str());
    let advice = match nearest(idle, scenario_ids.chain(ids.iter().copied())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`loginspec list` shows the ids".to_string(),
    };
    Err(CliError::NothingToRun(format!("no case has an id such as `{idle}`: {advice}")))
}
