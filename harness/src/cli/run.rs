//! `loginspec run`: replays scenarios against a target.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use tokio::sync::watch;

use super::baseline::BaselineArgs;
use super::chosen::{CaseArgs, plan_for};
use super::exit_code::{CliError, ExitStatus};
use super::help::{self, LIMITS, REFERENCE, REPORTS};
use super::prepared::{Prepared, TargetArgs, prepare};
use crate::reference::{Flaw, Flaws};
use crate::report::{Human, JsonLines, Junit, MatrixReport, Replay, ReplayTarget, Reports};
use crate::runner::{RunOptions, Summary, run as run_plan};
use crate::target::Passwords;
use crate::transport::Deadlines;

/// How long to wait for each reply where nobody says so; the same as the option's default below.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Replay scenarios against a mail server; by default all bundled scenarios against the built-in reference server.
#[derive(Debug, Args)]
#[command(after_help = help::EXIT_CODES, after_long_help = help::RUN)]
pub(super) struct RunArgs {
    #[command(flatten)]
    cases: CaseArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Write JSON Lines: one object per finished case, then a summary; `-` is standard output.
    #[arg(help_heading = REPORTS, long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write JUnit XML; `-` is standard output.
    #[arg(help_heading = REPORTS, long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the table of login forms by servers as Markdown, and show it before the answer; `-` is standard output.
    ///
    /// Its rows are the cases that name a form (`forms/`). Without this option it is shown for a single server that is not
    /// the reference server.
    #[arg(help_heading = REPORTS, long, value_name = "FILE")]
    matrix: Option<PathBuf>,
    #[command(flatten)]
    baseline: BaselineArgs,
    /// Print only the answer at the end: verdicts by area, causes, and the verdict of the run.
    #[arg(help_heading = REPORTS, long, short)]
    quiet: bool,
    /// Most connections at once [default: 64, or 16 to servers other than the reference server].
    #[arg(help_heading = LIMITS, long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    jobs: Option<u16>,
    /// How long to wait for each reply, as in 5s or 500ms.
    #[arg(help_heading = LIMITS, long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    timeout: Duration,
    /// Stop beginning cases after this time, as in 10m; the most informative ones run first.
    #[arg(help_heading = LIMITS, long, value_name = "TIME", value_parser = duration)]
    time_limit: Option<Duration>,
    /// Stop at the first case that fails or cannot be asked.
    #[arg(help_heading = LIMITS, long, conflicts_with = "max_failures")]
    fail_fast: bool,
    /// Stop after N cases that failed or could not be asked.
    #[arg(help_heading = LIMITS, long, value_name = "N", value_parser = positive)]
    max_failures: Option<usize>,
    /// Send wrong passwords without good logins between them: the server never locks an account.
    #[arg(help_heading = LIMITS, long)]
    no_lockout: bool,
    /// Write the log of a server that runs in a container.
    #[arg(help_heading = REPORTS, long, value_name = "FILE")]
    server_log: Option<PathBuf>,
    /// Give the reference server a flaw, by name; `serve --help` lists them. May be given several times.
    #[arg(help_heading = REFERENCE, long, value_name = "NAME", value_parser = flaw_parser(), hide_possible_values = true)]
    flaw: Vec<Flaw>,
}

pub(super) fn run(args: RunArgs) -> Result<ExitStatus, CliError> {
    let flaws: Flaws = args.flaw.iter().copied().collect();
    let mut prepared = prepare(&args.target, Passwords::Fetch)?;
    if args.no_lockout {
        prepared.assume_no_lockout()?;
    }
    let known_skips = args.baseline.prepare(&mut prepared)?;
    if !args.flaw.is_empty() && !matches!(prepared, Prepared::Reference(..)) {
        return Err(CliError::Usage("--flaw is for the reference server only".to_string()));
    }
    if args.server_log.is_some() && !matches!(prepared, Prepared::Container(..)) {
        return Err(CliError::Usage("--server-log is for servers in containers only: others log at home".to_string()));
    }
    let mut cases = args.cases.clone();
    // A thinned table has holes. One server's own is small enough anyway; ours in every dialect is asked in no time.
    cases.full |= args.matrix.is_some() && !prepared.is_abroad();
    let mut plan = plan_for(&prepared, &cases, flaws)?;
    plan.observes = args.baseline.accepts() && prepared.is_abroad();
    let accept = args.baseline.report(&args.target.target, known_skips, plan.is_everything)?;
    let jobs = args.jobs.map_or(prepared.jobs(), usize::from);
    // Reports are opened before anything is asked: nobody should learn only after the run that it cannot be written.
    let mut reports = open_reports(&args, args.matrix.is_some() || prepared.is_abroad())?;
    if let Some(accept) = accept {
        // After the report for people: what was accepted is told last.
        reports.add(accept);
    }
    let mut server_log = args.server_log.as_deref().map(create).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let summary = runtime.block_on(async {
        let interrupt = watch_for_interrupt()?;
        let mut early = interrupt.clone();
        // To build a container's image takes a while; whoever has had enough need not wait for it.
        let (plan, targets) = tokio::select! {
            started = prepared.start(plan, flaws, args.target.wire.security) => started?,
            Ok(_) = early.wait_for(|&is_set| is_set) => return Err(CliError::Interrupted),
        };
        let options = RunOptions {
            jobs,
            may_grow: args.jobs.is_none(),
            extent: args.cases.extent(),
            time_limit: args.time_limit,
            max_failures: if args.fail_fast { Some(1) } else { args.max_failures },
            ..RunOptions::new(Deadlines::from_reply(args.timeout), interrupt)
        };
        let of_run = targets.clone();
        let summary = on_a_worker(async move { run_plan(plan, &of_run, options, &mut reports).await }).await;
        let summary = summary.map_err(|source| CliError::Report { name: "a report".to_string(), source })?;
        for target in targets.into_iter().filter_map(Arc::into_inner) {
            if let (Some(file), Some(log)) = (&mut server_log, target.logs().await) {
                file.write_all(log.as_bytes())?;
            }
            target.stop().await;
        }
        Ok::<Summary, CliError>(summary)
    })?;
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(status(&summary))
}

/// Does this on one of the runtime's threads: the one that waits for it all would have to be woken for every answer.
pub(super) async fn on_a_worker<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// What of the command line matters for one case of it: what chooses among cases or tells where reports go does not.
fn replay(args: &RunArgs) -> Replay {
    let mut options = Vec::new();
    let mut add = |name: &str, value: String| options.extend([name.to_string(), value]);
    if let Some(directory) = &args.target.directory {
        add("--directory", directory.display().to_string());
    }
    for flaw in &args.flaw {
        add("--flaw", flaw.name().to_string());
    }
    if args.timeout != DEFAULT_TIMEOUT {
        add("--timeout", format!("{}ms", args.timeout.as_micros() as f64 / 1000.0));
    }
    let addressed = args.target.quick.words();
    // `reference` is a server for each dialect; the case's own names its dialect.
    let target = match args.target.target.as_str() {
        _ if !addressed.is_empty() => ReplayTarget::Addressed,
        "reference" => ReplayTarget::Own,
        target => ReplayTarget::Named(target.to_string()),
    };
    options.extend(addressed);
    options.extend(args.target.wire.words());
    Replay { paths: args.cases.paths(), target, options }
}

/// Takes a flaw by its name; what each of them is, `serve --help` says.
pub(super) fn flaw_parser() -> impl TypedValueParser<Value = Flaw> {
    let names = Flaw::ALL.iter().map(|flaw| PossibleValue::new(flaw.name()).help(flaw.about()));
    PossibleValuesParser::new(names).try_map(|name| Flaw::from_name(&name).ok_or("no such flaw"))
}

fn open_reports(args: &RunArgs, shows_matrix: bool) -> Result<Reports, CliError> {
    let mut reports = Reports::default();
    let replay = replay(args);
    let is_stdout = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    let files = [("--json", &args.json), ("--junit", &args.junit), ("--matrix", &args.matrix)];
    let on_stdout: Vec<&str> = files.into_iter().filter(|(_, path)| is_stdout(path)).map(|(name, _)| name).collect();
    if let [first, second, ..] = on_stdout[..] {
        return Err(CliError::Usage(format!("{first} and {second} cannot both be written to standard output")));
    }
    if let Some(path) = &args.json {
        reports.add(JsonLines::new(create(path)?).with_replay(replay.clone()));
    }
    if let Some(path) = &args.junit {
        let mut junit = Junit::new(create(path)?).with_replay(replay.clone());
        if let Some(shard) = args.cases.shard {
            junit = junit.with_property("shard", format!("{}/{}", shard.part, shard.of));
        }
        reports.add(junit);
    }
    if let Some(path) = &args.matrix {
        reports.add(MatrixReport::markdown(create(path)?));
    }
    // The two never share a stream: whoever reads a report from standard output reads nothing else there.
    let people: Box<dyn io::Write + Send> = if on_stdout.is_empty() {
        Box::new(anstream::AutoStream::auto(io::stdout()))
    } else {
        Box::new(anstream::AutoStream::auto(io::stderr()))
    };
    let human = Human::new(people).with_replay(replay);
    let human = if shows_matrix { human.with_forms() } else { human };
    reports.add(if args.quiet { human.quiet() } else { human });
    Ok(reports)
}

/// Opens a report's file; `-` is standard output.
fn create(path: &Path) -> Result<Box<dyn io::Write + Send>, CliError> {
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
    } else if !summary.refused_logins.is_empty() {
        ExitStatus::Credentials
    } else if !summary.unreachable.is_empty() || !summary.locked_out.is_empty() {
        ExitStatus::Unreachable
    } else if !summary.unmet.is_empty() {
        ExitStatus::Unexpected
    } else if summary.asked() == 0 {
        ExitStatus::NothingRan
    } else if summary.is_success() {
        ExitStatus::Success
    } else {
        ExitStatus::Unexpected
    }
}

/// A number of at least one.
fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("`{text}` is not a number from 1 on"))
}

/// `5s`, `500ms`, `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
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
