//! `loginspec check`: the mistakes of scenario, dialect, directory and target files.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::chosen::{CaseArgs, plan_for};
use super::exit_code::{CliError, ExitStatus};
use super::prepared::Prepared;
use super::reading;
use crate::identity::{bundled_dialect, bundled_dialect_names, bundled_directory, read_dialect, read_directory};
use crate::reference::Flaws;
use crate::scenario::{LoadError, Vocabulary, bundled_scenarios, load};
use crate::target::{Passwords, find_dialect, read_target, remote_target};

/// Show the mistakes in scenario, dialect, directory and target files: in the bundled ones by default.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Files or folders. What kind of file one is shows in what it holds.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A directory whose roles the scenarios may use, besides the bundled ones.
    #[arg(long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// Also reject records of target files whose reasons still say FILL IN, as `run --accept` writes them.
    #[arg(long)]
    strict: bool,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Scenario,
    Dialect,
    Directory,
    Target,
}

/// How much was looked at.
#[derive(Default)]
struct Tally {
    scenarios: usize,
    cases: usize,
    others: usize,
    errors: Vec<String>,
}

pub(super) fn check(args: CheckArgs) -> Result<ExitStatus, CliError> {
    let directory = reading::directory(args.directory.as_ref())?;
    let mut others = Vec::new();
    for path in &args.files {
        collect_others(path, &mut others)?;
    }
    let dialects = others.iter().filter(|path| kind(path) == FileKind::Dialect).map(|path| stem(path));
    let vocabulary = reading::vocabulary(&directory, dialects)?;
    let mut tally = Tally::default();
    if args.files.is_empty() {
        check_bundled(&vocabulary, &mut tally);
    }
    for path in &args.files {
        if path.is_dir() || kind(path) == FileKind::Scenario {
            check_path(path, &vocabulary, args.strict, &mut tally);
        }
    }
    for path in &others {
        check_path(path, &vocabulary, args.strict, &mut tally);
    }
    if tally.errors.is_empty() {
        let Tally { scenarios, cases, others, .. } = tally;
        writeln!(io::stdout(), "{scenarios} scenarios with {cases} cases and {others} other files: no mistakes")?;
        return Ok(ExitStatus::Success);
    }
    let mut err = io::stderr().lock();
    for error in &tally.errors {
        writeln!(err, "{error}\n")?;
    }
    let s = if tally.errors.len() == 1 { "" } else { "s" };
    writeln!(err, "{} file{s} with mistakes", tally.errors.len())?;
    Ok(ExitStatus::Usage)
}

/// The files that are no scenarios: this one, or those in this folder. Scenarios are loaded together, for their ids.
fn collect_others(path: &Path, others: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        entries.sort();
        for entry in entries {
            collect_others(&entry, others)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "toml") && kind(path) != FileKind::Scenario {
        others.push(path.to_path_buf());
    }
    Ok(())
}

fn check_bundled(vocabulary: &Vocabulary, tally: &mut Tally) {
    for name in bundled_dialect_names() {
        let read = bundled_dialect(name).map(|read| read.map(|_| ()).map_err(CliError::from));
        tally.other(read.unwrap_or(Ok(())));
    }
    tally.other(bundled_directory().map(|_| ()).map_err(CliError::from));
    match bundled_scenarios(vocabulary) {
        Ok(scenarios) => tally.scenarios(&scenarios),
        Err(errors) => tally.load_errors(&errors),
    }
}

fn check_path(path: &Path, vocabulary: &Vocabulary, is_strict: bool, tally: &mut Tally) {
    let place = path.parent().unwrap_or(Path::new(""));
    match kind(path) {
        FileKind::Scenario => match load(&[path.to_path_buf()], vocabulary) {
            Ok(scenarios) => tally.scenarios(&scenarios),
            Err(errors) => tally.load_errors(&errors),
        },
        FileKind::Dialect => {
            tally.other(reading::source(path).and_then(|source| Ok(read_dialect(&stem(path), &source).map(|_| ())?)))
        }
        FileKind::Directory => {
            tally.other(reading::source(path).and_then(|source| Ok(read_directory(&source).map(|_| ())?)));
        }
        FileKind::Target => {
            let read = || {
                let file = read_target(&reading::source(path)?, place, Passwords::Ignore, true)?;
                let dialect = find_dialect(&file.dialect)?;
                if file.known.list.is_empty() {
                    return Ok(());
                }
                if is_strict {
                    file.known.check_reasons()?;
                }
                // What is recorded is looked at as a run of everything would.
                let prepared = Prepared::Remote(Box::new(remote_target(file, dialect)));
                plan_for(&prepared, &CaseArgs::default(), Flaws::NONE).map(|_| ())
            };
            tally.other(read());
        }
    }
}

/// A file's kind, by the tables and keys that only that kind has; what cannot be read or told is a scenario, and will
/// say so.
fn kind(path: &Path) -> FileKind {
    let Ok(source) = crate::source::SourceText::read(path) else { return FileKind::Scenario };
    let has = |starts: &[&str]| {
        source.text.lines().any(|line| {
            let line = line.split('=').next().unwrap_or_default().trim();
            starts.contains(&line)
        })
    };
    if has(&["[[case]]", "[matrix]"]) {
        FileKind::Scenario
    } else if has(&["[[rule]]", "[[restriction]]", "[[failure]]", "separators"]) {
        FileKind::Dialect
    } else if has(&["[imap]", "[imaps]", "[pop3]", "[pop3s]", "[tls]", "[[known]]", "dialect"]) {
        FileKind::Target
    } else if has(&["[[domain]]", "[[mailbox]]", "[[account]]", "home"]) {
        FileKind::Directory
    } else {
        FileKind::Scenario
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

impl Tally {
    fn scenarios(&mut self, scenarios: &[crate::scenario::Scenario]) {
        self.scenarios += scenarios.len();
        self.cases += scenarios.iter().map(|scenario| scenario.cases.len()).sum::<usize>();
    }

    fn other(&mut self, read: Result<(), CliError>) {
        self.others += 1;
        self.errors.extend(read.err().map(|error| titled(error.to_string())));
    }

    fn load_errors(&mut self, errors: &[LoadError]) {
        self.errors.extend(errors.iter().map(|error| titled(error.to_string())));
    }
}

/// Mistakes have a title of their own.
fn titled(text: String) -> String {
    if text.starts_with("error: ") { text } else { format!("error: {text}") }
}
