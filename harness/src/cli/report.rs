//! `loginspec report`: what earlier runs came to, from their JSON Lines, and what has changed since others.

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit_code::{CliError, ExitStatus};
use super::help::{self, REPORTS, SELECTION};
use crate::plural::counted;
use crate::report::earlier::{EarlierError, EarlierRun, Ending, Server, changes, dossiers, read_run, servers};
use crate::scenario::Verdict;

/// Report on earlier runs: the results of each server, and what has changed since an older run.
#[derive(Debug, Args)]
#[command(after_help = help::REPORT)]
pub(super) struct ReportArgs {
    /// Files that `run --json` wrote: of several servers, or of several parts of one run.
    #[arg(value_name = "RESULTS", required = true)]
    results: Vec<PathBuf>,
    /// Files of older runs: show what has changed since. May be given several times.
    #[arg(help_heading = SELECTION, long, value_name = "OLD")]
    against: Vec<PathBuf>,
    /// Write a Markdown file for each finding that breaks a MUST or does harm into this folder, and an index.
    #[arg(help_heading = REPORTS, long, value_name = "FOLDER")]
    findings: Option<PathBuf>,
}

pub(super) fn report(args: ReportArgs) -> Result<ExitStatus, CliError> {
    let runs = read_all(&args.results)?;
    let older = read_all(&args.against)?;
    let (found, before) = (servers(&runs), servers(&older));
    let mut out = io::BufWriter::new(anstream::AutoStream::auto(io::stdout()));
    for server in &found {
        writeln!(out, "{}", server.summary())?;
    }
    let worse = if before.is_empty() { 0 } else { compare(&before, &found, &mut out)? };
    if let Some(folder) = &args.findings {
        write_findings(folder, &found, &mut out)?;
    }
    out.flush()?;
    // Whoever asks whether something became worse must not take a part for the whole.
    if let Some(reason) = runs.iter().chain(&older).find_map(incomplete) {
        return Err(CliError::Usage(reason));
    }
    Ok(if worse == 0 { ExitStatus::Success } else { ExitStatus::Unexpected })
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<EarlierRun>, CliError> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let file = File::open(path).and_then(|file| match file.metadata()?.is_dir() {
            true => Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, where a file was expected")),
            false => Ok(file),
        });
        let file = file.map_err(|source| EarlierError::Unreadable { name: name.clone(), source })?;
        Ok(read_run(&name, BufReader::new(file))?)
    };
    paths.iter().map(read).collect()
}

/// Tells what has changed; gives back how many cases became worse.
fn compare(before: &[Server<'_>], now: &[Server<'_>], out: &mut impl io::Write) -> io::Result<usize> {
    let mut worse = 0;
    for server in now {
        let old = match (before, now) {
            // One server and one other: two versions of it, say, whatever they are called.
            ([old], [_]) => Some(old),
            _ => before.iter().find(|old| old.name == server.name),
        };
        let Some(old) = old else {
            writeln!(out, "{}: there is no older run to compare it with\n", server.name)?;
            continue;
        };
        let changes = changes(old, server);
        worse += changes.worse;
        writeln!(out, "{} → {}\n{changes}", old.title(), server.title())?;
    }
    let gone = before.iter().filter(|old| before.len() + now.len() > 2 && now.iter().all(|new| new.name != old.name));
    for old in gone {
        let missing = old.cases.values().filter(|case| case.verdict != Verdict::Skip).count();
        worse += missing;
        writeln!(out, "{}: it is not among the newer results: {missing} cases are missing\n", old.name)?;
    }
    Ok(worse)
}

/// Writes up the findings. Files that are there and are not written anew stay: who knows who wrote them.
fn write_findings(folder: &Path, servers: &[Server<'_>], out: &mut impl io::Write) -> Result<(), CliError> {
    let files = dossiers(servers);
    for file in &files {
        let path = folder.join(&file.path);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = made.and_then(|()| std::fs::write(&path, &file.text));
        written.map_err(|source| CliError::Report { name: path.display().to_string(), source })?;
    }
    // The index is one of them.
    let (number, index) = (files.len() - 1, folder.join("README.md"));
    writeln!(out, "{} written up; {} lists them", counted(number, "finding"), index.display())?;
    Ok(())
}

/// Why a run is not all of what was planned.
fn incomplete(run: &EarlierRun) -> Option<String> {
    let name = &run.name;
    match run.ending {
        Ending::Whole => None,
        Ending::Interrupted => Some(format!("{name} is a part only: its run was interrupted")),
        Ending::CutOff(line) => Some(format!(
            "{name}:{line}: the file is cut off here: its run was ended before it could say what it came to; what stands \
             before is told above"
        )),
    }
}
