//! `loginspec fuzz`: makes login conversations up, has them with a live server, and turns what breaks a rule into small
//! scenario files.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::exit_code::{CliError, ExitStatus};
use super::help::{self, CAMPAIGN, LIMITS, REFERENCE, REPORTS, TARGET};
use super::prepared::{Prepared, TargetArgs, prepare};
use super::run::{duration, flaw_parser, on_a_worker, watch_for_interrupt};
use crate::fuzz::{
    CampaignSummary, Ended, Finding, FuzzEvent, FuzzReporter, Ground, Options, Progress, fuzz as run_campaign,
};
use crate::reference::{Flaw, Flaws};
use crate::target::{Passwords, Target};
use crate::transport::Deadlines;

/// How long to wait for a reply where nobody says so: our own server answers within a thousandth of that.
const AT_HOME: Duration = Duration::from_secs(1);
const ABROAD: Duration = Duration::from_secs(5);
/// How often a line about the progress is written where it cannot be shown in place.
const EVERY: Duration = Duration::from_secs(10);

/// Fuzz the logins of a live server; each finding becomes a small scenario file.
///
/// The same seed and target make the same conversations. A server that is not on a loopback address is fuzzed only with
/// `--i-may-fuzz HOST`. The limits in its target file (wrong passwords in a row, connections) are kept.
#[derive(Debug, Args)]
#[command(after_long_help = help::FUZZ)]
pub(super) struct FuzzArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Stop after this time, as in 30s or 10m.
    #[arg(help_heading = LIMITS, long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    time: Duration,
    /// Stop after this many conversations.
    #[arg(help_heading = LIMITS, long, value_name = "N")]
    conversations: Option<u64>,
    /// Stop after this many findings.
    #[arg(help_heading = LIMITS, long, value_name = "N")]
    findings: Option<usize>,
    /// Seed of the random numbers.
    #[arg(help_heading = CAMPAIGN, long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Folder for findings, one scenario file each, and for the state that `--resume` needs.
    #[arg(help_heading = REPORTS, long, value_name = "FOLDER", default_value = "loginspec-fuzz")]
    out: PathBuf,
    /// Continue the campaign in the folder.
    #[arg(help_heading = CAMPAIGN, long)]
    resume: bool,
    /// Most connections at once [default: 64, or 16 to servers other than the reference server].
    #[arg(help_heading = LIMITS, long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    jobs: Option<u16>,
    /// Most conversations that begin in one second.
    #[arg(help_heading = LIMITS, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// How long to wait for each reply, as in 5s or 500ms [default: 1s, or 5s for servers other than the reference server].
    #[arg(help_heading = LIMITS, long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Stop when this file exists [default: `stop` in the folder for findings].
    #[arg(help_heading = LIMITS, long, value_name = "FILE")]
    stop_file: Option<PathBuf>,
    /// Allow fuzzing of this host, which is not a loopback address; its operator agrees. May be given several times.
    #[arg(help_heading = TARGET, long, value_name = "HOST")]
    i_may_fuzz: Vec<String>,
    /// Give the reference server a flaw, by name; `serve --help` lists them. May be given several times.
    #[arg(help_heading = REFERENCE, long, value_name = "NAME", value_parser = flaw_parser(), hide_possible_values = true)]
    flaw: Vec<Flaw>,
}

/// Runs a campaign.
pub(super) fn fuzz(args: FuzzArgs) -> Result<ExitStatus, CliError> {
    let prepared = prepare(&args.target, Passwords::Fetch)?;
    if !args.flaw.is_empty() && prepared.is_abroad() {
        return Err(CliError::Usage("--flaw is for the reference server only".to_string()));
    }
    refuse_others(&prepared, &args.i_may_fuzz)?;
    begin_anew(&args)?;
    let jobs = args.jobs.map_or(prepared.jobs(), usize::from);
    let timeout = args.timeout.unwrap_or(if prepared.is_abroad() { ABROAD } else { AT_HOME });
    let flaws: Flaws = args.flaw.iter().copied().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let summary = runtime.block_on(async {
        let interrupt = watch_for_interrupt()?;
        let mut early = interrupt.clone();
        let targets = tokio::select! {
            started = prepared.start_all(flaws, args.target.wire.security) => started?,
            Ok(_) = early.wait_for(|&is_set| is_set) => return Err(CliError::Interrupted),
        };
        let deadlines = Deadlines::from_reply(timeout);
        let mut grounds = Vec::new();
        for target in targets {
            let name = target.name.clone();
            let ground = Ground::explore(target, deadlines).await;
            grounds.push(ground.map_err(|reason| CliError::Unreached { name, reason })?);
        }
        let mut options = Options {
            seed: args.seed,
            time: args.time,
            conversations: args.conversations,
            findings: args.findings,
            jobs,
            rate: args.rate,
            resume: args.resume,
            ..Options::new(args.out.clone(), deadlines, interrupt)
        };
        if let Some(file) = &args.stop_file {
            options.stop_file.clone_from(file);
        }
        let summary = on_a_worker(async move { run_campaign(grounds, options, &mut Shown::new()).await }).await;
        summary.map_err(|source| CliError::Report { name: args.out.display().to_string(), source })
    })?;
    runtime.shutdown_timeout(Duration::from_millis(200));
    summarize(&summary)?;
    Ok(status(&summary))
}

/// Nobody fuzzes other people's servers by a slip of the finger.
fn refuse_others(prepared: &Prepared, allowed: &[String]) -> Result<(), CliError> {
    let Prepared::Remote(target) = prepared else { return Ok(()) };
    let refused = |target: &Target| {
        let others = target.endpoints.iter().filter(|endpoint| !endpoint.is_loopback());
        others.map(|endpoint| endpoint.host().to_string()).find(|host| !allowed.contains(host))
    };
    match refused(target) {
        None => Ok(()),
        Some(host) => Err(CliError::Usage(format!(
            "{host} is not this machine: fuzzing sends it thousands of wrong logins; if whoever runs it agrees, say so \
             with --i-may-fuzz {host}"
        ))),
    }
}

/// A campaign that is not to go on must not be mixed up with an earlier one.
fn begin_anew(args: &FuzzArgs) -> Result<(), CliError> {
    let state = args.out.join("campaign.json");
    match (args.resume, state.exists()) {
        (false, true) => Err(CliError::Usage(format!(
            "{} holds a campaign already: go on with it (--resume), or name another folder (--out)",
            args.out.display()
        ))),
        (true, false) => Err(CliError::Usage(format!(
            "{} holds no campaign to go on with; leave --resume out to begin one",
            args.out.display()
        ))),
        _ => Ok(()),
    }
}

/// Shows a campaign while it goes on.
struct Shown {
    bar: ProgressBar,
    last: Option<Duration>,
}

impl Shown {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        // A template without places cannot be wrong.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar, last: None }
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| {
            // Who has closed the other end wants to read no more.
            let _ = writeln!(anstream::AutoStream::auto(io::stdout()), "{text}");
        });
    }
}

impl FuzzReporter for Shown {
    fn event(&mut self, event: &FuzzEvent<'_>) {
        match event {
            FuzzEvent::Progress(progress) => {
                let line = line(progress);
                if self.bar.is_hidden() {
                    let is_due = self.last.is_none_or(|last| progress.elapsed >= last + EVERY);
                    if is_due {
                        self.last = Some(progress.elapsed);
                        let _ = writeln!(io::stderr(), "{line}");
                    }
                } else {
                    self.bar.set_message(line);
                    self.bar.tick();
                }
            }
            FuzzEvent::Found(finding, path) => self.say(&found(finding, path)),
            FuzzEvent::Note(note) => self.say(&format!("note: {note}")),
        }
    }
}

fn line(progress: &Progress) -> String {
    let (states, answers) = progress.states;
    format!(
        "{} conversations, {}/s; {} findings, {} looked into; {states} states, {answers} answers; {} s left",
        progress.conversations,
        progress.rate,
        progress.findings,
        progress.waiting,
        progress.left.as_secs()
    )
}

fn found(finding: &Finding, path: &Path) -> String {
    let proof = if finding.is_proven() { "" } else { " (not proven)" };
    let steps = match finding.steps {
        1 => "1 step".to_string(),
        steps => format!("{steps} steps"),
    };
    let harm = finding.harm.as_ref().map_or_else(String::new, |harm| format!("\n    {harm}"));
    format!(
        "found{proof}: {} ({}, {steps})\n    {}{harm}\n    {}",
        finding.oracle.word(),
        finding.target,
        finding.what,
        path.display()
    )
}

fn summarize(summary: &CampaignSummary) -> io::Result<()> {
    let mut out = anstream::AutoStream::auto(io::stdout());
    let Progress { conversations, elapsed, .. } = &summary.progress;
    if let Some(why @ Ended::NoGoodLogin { .. }) = &summary.ended {
        return writeln!(out, "nothing was fuzzed: {why}\n  `loginspec run` with the same target says more");
    }
    writeln!(out, "\nStates that were reached, and what was answered in them:\n\n{}", summary.map.to_text())?;
    if let Some(why) = &summary.ended {
        writeln!(out, "ended early: {why}")?;
    }
    for gone in &summary.gone {
        writeln!(out, "no finding: {gone}")?;
    }
    for defect in &summary.defects {
        writeln!(out, "defect of loginspec, please report it: {defect}")?;
    }
    let seconds = elapsed.as_secs_f64().max(0.001);
    let waiting = match summary.waiting {
        0 => String::new(),
        waiting => format!("; {waiting} suspicions not looked into yet (--resume)"),
    };
    writeln!(
        out,
        "{} findings in {conversations} conversations, {seconds:.1} s, {:.0}/s ({} with all that were had to look into \
         them){waiting}",
        summary.findings.len(),
        *conversations as f64 / seconds,
        summary.had
    )
}

fn status(summary: &CampaignSummary) -> ExitStatus {
    match summary.ended {
        Some(Ended::Interrupted) => ExitStatus::Interrupted,
        Some(Ended::Gone(_)) => ExitStatus::Unreachable,
        Some(Ended::NoGoodLogin { .. }) => ExitStatus::NothingRan,
        _ if !summary.findings.is_empty() => ExitStatus::Unexpected,
        // The campaign has not seen what these conversations would have shown.
        _ if !summary.defects.is_empty() => ExitStatus::Unexpected,
        _ if summary.progress.conversations == 0 => ExitStatus::NothingRan,
        _ => ExitStatus::Success,
    }
}
