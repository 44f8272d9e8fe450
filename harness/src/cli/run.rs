//! `loginspec run`: replays scenarios against a target.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use tokio::sync::watch;

use super::chosen::{CaseArgs, plan};
use super::exit_code::{CliError, ExitStatus};
use super::reading;
use crate::identity::{Dialect, Directory, bundled_dialect_names};
use crate::reference::{Flaw, Flaws};
use crate::report::{Human, JsonLines, Junit, Reports};
use crate::runner::{Plan, RunOptions, Summary, run as run_plan};
use crate::scenario::Vocabulary;
#[cfg(feature = "containers")]
use crate::source::{nearest, one_of};
use crate::target::{Passwords, Target, TargetChoice, find_dialect, read_target, remote_target, start_reference};
use crate::transport::Deadlines;

/// How many connections there are at once to a server that is not ours.
const JOBS_ABROAD: usize = 16;
/// How many to our own; more than this only makes them wait for each other.
const JOBS_AT_HOME: usize = 64;

/// Replay scenarios against a target: all bundled ones against the reference server by default.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    cases: CaseArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Write JSON Lines: one object per finished case, then a summary; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write JUnit XML; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How many connections there are at once [default: 64, or 16 to other people's servers].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    jobs: Option<u16>,
    /// How long to wait for each reply, as in 5s or 500ms.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    timeout: Duration,
    /// Give the reference server a flaw, by name; `serve --help` lists them. May be given several times.
    #[arg(long, value_name = "NAME", value_parser = flaw_parser(), hide_possible_values = true)]
    flaw: Vec<Flaw>,
}

/// What stands on the command line about the target.
#[derive(Debug, Clone, Args)]
pub(super) struct TargetArgs {
    /// The server under test: reference, reference:DIALECT, container:NAME or FILE.toml.
    ///
    /// `reference` alone replays each scenario in each dialect that it names. A DIALECT may be a file, too.
    #[arg(long, short, value_name = "TARGET", default_value = "reference")]
    pub target: String,
    /// Who exists on the reference server [default: the bundled directory].
    #[arg(long, value_name = "FILE")]
    pub directory: Option<PathBuf>,
}

/// A target that is chosen but not started.
pub(super) enum Prepared {
    /// The reference server, in each of these dialects.
    Reference(Vec<Arc<Dialect>>, Arc<Directory>),
    /// A server in a container.
    #[cfg_attr(not(feature = "containers"), allow(dead_code))]
    Container(String, Arc<Dialect>, Arc<Directory>),
    /// A server described by a file.
    Remote(Box<Target>),
}

pub(super) fn run(args: RunArgs) -> Result<ExitStatus, CliError> {
    let flaws: Flaws = args.flaw.iter().copied().collect();
    let prepared = prepare(&args.target, Passwords::Fetch)?;
    if !args.flaw.is_empty() && !matches!(prepared, Prepared::Reference(..)) {
        return Err(CliError::Usage("--flaw is for the reference server only".to_string()));
    }
    let plan = plan(&args.cases, &prepared.dialects(), &prepared.vocabulary()?)?;
    let jobs = args.jobs.map_or(prepared.jobs(), usize::from);
    // Reports are opened before anything is asked: nobody should learn only after the run that it cannot be written.
    let mut reports = open_reports(&args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let summary = runtime.block_on(async {
        let interrupt = watch_for_interrupt()?;
        let mut early = interrupt.clone();
        // To build a container's image takes a while; whoever has had enough need not wait for it.
        let (plan, targets) = tokio::select! {
            started = prepared.start(plan, flaws) => started?,
            Ok(_) = early.wait_for(|&is_set| is_set) => return Err(CliError::Interrupted),
        };
        let options = RunOptions { jobs, deadlines: Deadlines::from_reply(args.timeout), interrupt };
        let summary = run_plan(plan, &targets, options, &mut reports)
            .await
            .map_err(|source| CliError::Report { name: "a report".to_string(), source })?;
        for target in targets.into_iter().filter_map(Arc::into_inner) {
            target.stop().await;
        }
        Ok::<Summary, CliError>(summary)
    })?;
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(status(&summary))
}

/// Finds out what the target arguments mean, without starting anything.
pub(super) fn prepare(args: &TargetArgs, passwords: Passwords) -> Result<Prepared, CliError> {
    let choice = TargetChoice::parse(&args.target)?;
    if args.directory.is_some() && !matches!(choice, TargetChoice::Reference | TargetChoice::ReferenceWith(_)) {
        return Err(CliError::Usage(
            "--directory is for the reference server only; another target's accounts are in its own file".to_string(),
        ));
    }
    Ok(match choice {
        TargetChoice::Reference => {
            let dialects = bundled_dialect_names().map(|name| Ok(Arc::new(find_dialect(name)?)));
            let dialects = dialects.collect::<Result<Vec<_>, CliError>>()?;
            Prepared::Reference(dialects, Arc::new(reading::directory(args.directory.as_ref())?))
        }
        TargetChoice::ReferenceWith(name) => {
            let dialect = Arc::new(find_dialect(&name)?);
            Prepared::Reference(vec![dialect], Arc::new(reading::directory(args.directory.as_ref())?))
        }
        TargetChoice::Container(name) => prepare_container(name)?,
        TargetChoice::File(path) => {
            let place = path.parent().unwrap_or(Path::new("")).to_path_buf();
            let file = read_target(&reading::source(&path)?, &place, passwords, true)?;
            let dialect = find_dialect(&file.dialect)?;
            Prepared::Remote(Box::new(remote_target(file, dialect)))
        }
    })
}

#[cfg(feature = "containers")]
fn prepare_container(name: String) -> Result<Prepared, CliError> {
    let known = loginspec_containers::names();
    let Some(file) = crate::target::container_file(&name) else {
        let advice = match nearest(&name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected {}", one_of(known.iter().copied())),
        };
        return Err(CliError::Usage(format!("unknown container `{name}`: {advice}")));
    };
    let file = file?;
    let dialect = find_dialect(&file.dialect)?;
    Ok(Prepared::Container(name, Arc::new(dialect), Arc::new(file.directory)))
}

#[cfg(not(feature = "containers"))]
fn prepare_container(name: String) -> Result<Prepared, CliError> {
    Err(CliError::Usage(format!(
        "this build has no containers, so `container:{name}` cannot be started; build with `--features containers`"
    )))
}

impl Prepared {
    /// The dialects of the targets, in order.
    pub fn dialects(&self) -> Vec<Arc<Dialect>> {
        match self {
            Self::Reference(dialects, _) => dialects.clone(),
            Self::Container(_, dialect, _) => vec![Arc::clone(dialect)],
            Self::Remote(target) => vec![Arc::clone(&target.dialect)],
        }
    }

    /// The words that scenarios may use.
    pub fn vocabulary(&self) -> Result<Vocabulary, CliError> {
        let directory = match self {
            Self::Reference(_, directory) | Self::Container(_, _, directory) => directory,
            Self::Remote(target) => &target.directory,
        };
        reading::vocabulary(directory, self.dialects().iter().map(|dialect| dialect.name.clone()))
    }

    const fn jobs(&self) -> usize {
        match self {
            Self::Reference(..) => JOBS_AT_HOME,
            Self::Container(..) | Self::Remote(_) => JOBS_ABROAD,
        }
    }

    /// Starts what the plan needs, and no more.
    async fn start(self, mut plan: Plan, flaws: Flaws) -> Result<(Plan, Vec<Arc<Target>>), CliError> {
        let failed = |name: String, reason: String| CliError::Start { name, reason };
        match self {
            Self::Remote(target) => Ok((plan, vec![Arc::new(*target)])),
            #[cfg(not(feature = "containers"))]
            Self::Container(name, ..) => Err(failed(name, "this build has no containers".to_string())),
            #[cfg(feature = "containers")]
            Self::Container(name, ..) => {
                let note = format!("starting container:{name}; where its image is missing, it is built first\n");
                io::Write::write_all(&mut io::stderr(), note.as_bytes())?;
                match crate::target::start_container(&name).await {
                    Ok(target) => Ok((plan, vec![Arc::new(target)])),
                    Err(error) => Err(failed(format!("container:{name}"), error.to_string())),
                }
            }
            Self::Reference(dialects, directory) => {
                let mut targets = Vec::new();
                for (index, dialect) in dialects.into_iter().enumerate() {
                    if !plan.list.iter().any(|planned| planned.target == index) {
                        continue;
                    }
                    let name = dialect.name.clone();
                    let target = start_reference(dialect, Arc::clone(&directory), flaws)
                        .map_err(|error| failed(format!("reference:{name}"), error.to_string()))?;
                    // Targets that are not started leave no gap in the numbering.
                    for planned in plan.list.iter_mut().filter(|planned| planned.target == index) {
                        planned.target = targets.len();
                    }
                    targets.push(Arc::new(target));
                }
                Ok((plan, targets))
            }
        }
    }
}

/// Takes a flaw by its name; what each of them is, `serve --help` says.
pub(super) fn flaw_parser() -> impl TypedValueParser<Value = Flaw> {
    let names = Flaw::ALL.iter().map(|flaw| PossibleValue::new(flaw.name()).help(flaw.about()));
    PossibleValuesParser::new(names).try_map(|name| Flaw::from_name(&name).ok_or("no such flaw"))
}

fn open_reports(args: &RunArgs) -> Result<Reports, CliError> {
    let mut reports = Reports::default();
    let is_stdout = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    if is_stdout(&args.json) && is_stdout(&args.junit) {
        return Err(CliError::Usage("--json and --junit cannot both be written to standard output".to_string()));
    }
    if let Some(path) = &args.json {
        reports.add(JsonLines::new(create(path)?));
    }
    if let Some(path) = &args.junit {
        let failed = |source| CliError::Report { name: path.display().to_string(), source };
        reports.add(Junit::new(create(path)?).map_err(failed)?);
    }
    // The two never share a stream: whoever reads a report from standard output reads nothing else there.
    if is_stdout(&args.json) || is_stdout(&args.junit) {
        reports.add(Human::new(anstream::AutoStream::auto(io::stderr())));
    } else {
        reports.add(Human::new(anstream::AutoStream::auto(io::stdout())));
    }
    Ok(reports)
}

/// Opens a report's file; `-` is standard output.
fn create(path: &Path) -> Result<Box<dyn io::Write>, CliError> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdout()));
    }
    match File::create(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(source) => Err(CliError::Report { name: path.display().to_string(), source }),
    }
}

/// Watches for Ctrl-C and for SIGTERM: the first ends the run with all reports written, the second ends it at once.
pub(super) fn watch_for_interrupt() -> Result<watch::Receiver<bool>, CliError> {
    let (sender, receiver) = watch::channel(false);
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        loop {
            #[cfg(unix)]
            let signal = async {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
            };
            #[cfg(not(unix))]
            let signal = async {
                let _ = tokio::signal::ctrl_c().await;
            };
            signal.await;
            if *sender.borrow() {
                std::process::exit(ExitStatus::Interrupted as i32);
            }
            sender.send_replace(true);
        }
    });
    Ok(receiver)
}

fn status(summary: &Summary) -> ExitStatus {
    if summary.interrupted {
        ExitStatus::Interrupted
    } else if !summary.unreachable.is_empty() {
        ExitStatus::Unreachable
    } else if summary.asked() == 0 {
        ExitStatus::NothingRan
    } else if summary.is_success() {
        ExitStatus::Success
    } else {
        ExitStatus::Unexpected
    }
}

/// `5s`, `500ms`, `2m`.
fn duration(text: &str) -> Result<Duration, String> {
    let error = || format!("`{text}` is not a time such as 5s, 500ms or 2m");
    let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.').ok_or_else(error)?;
    let (number, unit) = text.split_at_checked(digits).ok_or_else(error)?;
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(error()),
    };
    let seconds = number.parse::<f64>().map_err(|_| error())? * scale;
    if seconds <= 0.0 {
        return Err("a time must be longer than nothing".to_string());
    }
    if seconds > 3600.0 {
        return Err("nobody waits for more than an hour".to_string());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["5", "", "s", "0s", "-1s", "1h", "9999999s", "1.2.3s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
