//! `loginspec fleet`: the real servers that can be started in containers: lists them, or puts the same cases to several,
//! side by side, and compares what they do.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::exit_code::{CliError, ExitStatus};
use super::help::{self, CASES, LIMITS, REPORTS};

/// Compare real servers in containers; without a name, list them.
#[derive(Debug, Args)]
#[command(after_help = help::FLEET)]
pub(super) struct FleetArgs {
    /// Servers to start, by name or by the start of a name (dovecot); `all` starts every server.
    #[arg(value_name = "SERVER")]
    servers: Vec<String>,
    /// Scenario files or folders, or bundled cases by the start of their ids or a glob [default: all bundled scenarios].
    /// May be given several times.
    #[arg(help_heading = CASES, long = "scenario", short, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Only cases whose id matches: the start of an id, or a glob. May be given several times.
    #[arg(help_heading = CASES, long, short, value_name = "ID")]
    filter: Vec<String>,
    /// Every combination of every case. By default large matrices are thinned out.
    #[arg(help_heading = CASES, long)]
    full: bool,
    /// Write results into this folder: SERVER.jsonl, one object per finished case, and SERVER.log, the server's log.
    #[arg(help_heading = REPORTS, long, value_name = "FOLDER")]
    results: Option<PathBuf>,
    /// Write the table of login forms by servers as Markdown; `-` is standard output.
    #[arg(help_heading = REPORTS, long, value_name = "FILE")]
    matrix: Option<PathBuf>,
    /// How many servers are tested at once.
    #[arg(help_heading = LIMITS, long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=64))]
    at_once: u8,
    /// How long to wait for each reply, as in 5s or 500ms; longer for a server that was seen to delay replies.
    #[arg(help_heading = LIMITS, long, value_name = "TIME", default_value = "5s", value_parser = super::run::duration)]
    timeout: Duration,
}

/// Lists the servers, or runs those that are named.
#[cfg(not(feature = "containers"))]
pub(super) fn fleet(_: FleetArgs) -> Result<ExitStatus, CliError> {
    Err(CliError::Usage("this build has no containers; build with `--features containers`".to_string()))
}

#[cfg(feature = "containers")]
pub(super) use with_containers::fleet;

#[cfg(feature = "containers")]
mod with_containers {
    use std::collections::VecDeque;
    use std::fs::{self, File};
    use std::io::{self, Write as _};
    use std::path::Path;
    use std::sync::Arc;

    use tokio::sync::watch;
    use tokio::task::JoinSet;

    use super::super::chosen::{CaseArgs, plan_for};
    use super::super::prepared::{Prepared, TargetArgs, prepare};
    use super::super::run::watch_for_interrupt;
    use super::*;
    use crate::reference::Flaws;
    use crate::report::{Column, Comparison, JsonLines, Replay, ReplayTarget};
    use crate::runner::{Plan, Reporter, RunEvent, RunOptions, run};
    use crate::source::{nearest, one_of};
    use crate::target::{Passwords, container_file};
    use crate::transport::Deadlines;

    /// The word that stands for every server.
    const ALL: &str = "all";

    /// A server whose cases are planned.
    struct Chosen {
        name: &'static str,
        prepared: Prepared,
        plan: Plan,
        json: Option<JsonLines<File>>,
    }

    pub fn fleet(args: FleetArgs) -> Result<ExitStatus, CliError> {
        if args.servers.is_empty() {
            return list();
        }
        // Opened before anything is asked: nobody should learn only after the run that it cannot be written.
        let matrix = args.matrix.as_deref().filter(|path| *path != Path::new("-"));
        let mut matrix = matrix.map(open).transpose()?;
        let mut chosen = VecDeque::new();
        for name in named(&args.servers)? {
            chosen.push_back(choose(name, &args)?);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        // Reports stay on this thread; what is asked of the servers is spread over all of them.
        let comparison = tokio::task::LocalSet::new().block_on(&runtime, async {
            let interrupt = watch_for_interrupt()?;
            compare(chosen, &args, &interrupt).await
        })?;
        runtime.shutdown_timeout(Duration::from_millis(200));
        let mut out = anstream::AutoStream::auto(io::stdout());
        if args.matrix.as_deref() == Some(Path::new("-")) {
            write!(out, "{}", comparison.matrix().markdown())?;
        } else {
            write!(out, "{}", comparison.text())?;
        }
        out.flush()?;
        if let Some(file) = &mut matrix {
            file.write_all(comparison.matrix().markdown().as_bytes())?;
        }
        Ok(if comparison.is_interrupted() {
            ExitStatus::Interrupted
        } else if comparison.is_unreachable() {
            ExitStatus::Unreachable
        } else if comparison.is_success() {
            ExitStatus::Success
        } else {
            ExitStatus::Unexpected
        })
    }

    fn list() -> Result<ExitStatus, CliError> {
        let names = loginspec_containers::names();
        let width = names.iter().map(|name| name.len()).max().unwrap_or_default();
        let mut out = io::stdout().lock();
        for name in names {
            let about = container_file(name).transpose()?.map(|file| file.about).unwrap_or_default();
            writeln!(out, "{name:width$}  {about}")?;
        }
        Ok(ExitStatus::Success)
    }

    /// The servers that are meant, each once, in the order of the list.
    fn named(words: &[String]) -> Result<Vec<&'static str>, CliError> {
        let known = loginspec_containers::names();
        // A whole name means just that server, though others begin with it.
        let is_meant = |name: &str, word: &str| match word {
            ALL => true,
            word if known.contains(&word) => name == word,
            word => name.starts_with(&format!("{word}-")),
        };
        for word in words {
            if !known.iter().any(|name| is_meant(name, word)) {
                let stems = known.iter().filter_map(|name| name.split_once('-')).map(|(stem, _)| stem);
                let advice = match nearest(word, known.iter().copied().chain(stems).chain([ALL])) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("expected {}", one_of(known.iter().copied())),
                };
                return Err(CliError::Usage(format!("unknown server `{word}`: {advice}")));
            }
        }
        Ok(known.iter().copied().filter(|name| words.iter().any(|word| is_meant(name, word))).collect())
    }

    fn choose(name: &'static str, args: &FleetArgs) -> Result<Chosen, CliError> {
        let target = TargetArgs::container(name);
        let cases = CaseArgs {
            scenarios: args.scenarios.clone(),
            filter: args.filter.clone(),
            shard: None,
            full: args.full,
            smoke: false,
        };
        let prepared = prepare(&target, Passwords::Fetch)?;
        let plan = plan_for(&prepared, &cases, Flaws::NONE)?;
        let replay = Replay {
            paths: cases.paths(),
            target: ReplayTarget::Named(format!("container:{name}")),
            options: Vec::new(),
        };
        let json = match &args.results {
            Some(folder) => Some(JsonLines::new(create(folder, name, "jsonl")?).with_replay(replay)),
            None => None,
        };
        Ok(Chosen { name, prepared, plan, json })
    }

    fn create(folder: &Path, name: &str, ending: &str) -> Result<File, CliError> {
        fs::create_dir_all(folder).map_err(|source| CliError::Report { name: folder.display().to_string(), source })?;
        open(&folder.join(format!("{name}.{ending}")))
    }

    fn open(path: &Path) -> Result<File, CliError> {
        File::create(path).map_err(|source| CliError::Report { name: path.display().to_string(), source })
    }

    /// Runs them, so many at once, and puts what they did side by side.
    async fn compare(
        mut chosen: VecDeque<Chosen>,
        args: &FleetArgs,
        interrupt: &watch::Receiver<bool>,
    ) -> Result<Comparison, CliError> {
        let mut comparison = Comparison::default();
        let mut running: JoinSet<Result<Column, CliError>> = JoinSet::new();
        loop {
            while running.len() < usize::from(args.at_once) && !*interrupt.borrow() {
                let Some(next) = chosen.pop_front() else { break };
                running.spawn_local(run_one(next, args.results.clone(), args.timeout, interrupt.clone()));
            }
            match running.join_next().await {
                Some(Ok(column)) => {
                    let column = column?;
                    writeln!(io::stderr(), "{}", column.line())?;
                    comparison.add(column);
                }
                Some(Err(error)) => return Err(CliError::Io(io::Error::other(error))),
                None => return Ok(comparison.with_unasked(chosen.len())),
            }
        }
    }

    async fn run_one(
        chosen: Chosen,
        results: Option<PathBuf>,
        timeout: Duration,
        interrupt: watch::Receiver<bool>,
    ) -> Result<Column, CliError> {
        let Chosen { name, prepared, plan, json } = chosen;
        let jobs = prepared.jobs();
        let mut early = interrupt.clone();
        let started = tokio::select! {
            started = prepared.start(plan, Flaws::default(), None) => started,
            Ok(_) = early.wait_for(|&is_set| is_set) => return Ok(Column::interrupted(name)),
        };
        let (plan, targets) = match started {
            Ok(started) => started,
            Err(CliError::Start { reason, .. }) => return Ok(Column::unreachable(name, reason)),
            Err(error) => return Err(error),
        };
        let version = targets.first().and_then(|target| target.version.clone());
        let mut told = Told { json, column: Column::new(name, version) };
        let options = RunOptions { jobs, ..RunOptions::new(Deadlines::from_reply(timeout), interrupt) };
        let done = run(plan, &targets, options, &mut told).await;
        for target in targets.into_iter().filter_map(Arc::into_inner) {
            if let (Some(folder), Some(log)) = (&results, target.logs().await) {
                create(folder, name, "log")?.write_all(log.as_bytes())?;
            }
            target.stop().await;
        }
        done.map_err(|source| CliError::Report { name: format!("the results of {name}"), source })?;
        Ok(told.column)
    }

    /// Takes the events of one server in.
    struct Told {
        json: Option<JsonLines<File>>,
        column: Column,
    }

    impl Reporter for Told {
        fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
            self.column.event(event)?;
            self.json.as_mut().map_or(Ok(()), |json| json.event(event))
        }
    }
}
