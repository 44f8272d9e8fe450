//! `loginspec check`: the mistakes of scenario, dialect, directory and target files.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::account_summary;
use super::chosen::{CaseArgs, plan_for};
use super::exit_code::{CliError, ExitStatus};
use super::help::{self, FILES};
use super::prepared::Prepared;
use super::reading;
use crate::identity::{bundled_dialect, bundled_dialect_names, bundled_directory, read_dialect, read_directory};
use crate::plural::counted;
use crate::reference::Flaws;
use crate::scenario::{LoadError, Vocabulary, bundled_scenarios, load, naming_problems};
use crate::source::{Mistake, Mistakes, render_warnings};
use crate::target::{Passwords, RoleCheck, TargetFile, find_dialect, read_target, remote_target};

/// Show the mistakes in scenario, dialect, directory and target files.
///
/// For a target file, print each account too: its login name by protocol and mechanism, and the number of cases that it can
/// be asked. No password is read and nothing is sent.
#[derive(Debug, Args)]
#[command(after_help = help::CHECK)]
pub(super) struct CheckArgs {
    /// Files or folders [default: the bundled files]. The kind of a file is recognized by its content.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Directory file whose roles the scenarios may use besides the bundled ones.
    #[arg(help_heading = FILES, long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// Also reject records of target files whose reasons still say FILL IN, as `run --accept` writes them.
    #[arg(help_heading = FILES, long)]
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
    /// The roles that the scenarios use.
    roles: Vec<String>,
    errors: Vec<String>,
    /// What may not be meant so. It does not change the exit code.
    warnings: Vec<String>,
}

pub(super) fn check(args: CheckArgs) -> Result<ExitStatus, CliError> {
    let directory = reading::directory(args.directory.as_ref())?;
    let mut others = Vec::new();
    for path in &args.files {
        collect_others(path, &mut others)?;
    }
    let dialects = others.iter().filter(|path| kind(path) == FileKind::Dialect).map(|path| stem(path));
    let mut vocabulary = reading::vocabulary(&directory, dialects)?;
    let directory_roles = vocabulary.roles.clone();
    let targets: Vec<PathBuf> = others.iter().filter(|path| kind(path) == FileKind::Target).cloned().collect();
    let targets: Vec<Result<TargetFile, CliError>> = targets.iter().map(|path| target_file(path)).collect();
    // A role that a target file plays may be used by the scenarios that are checked together with it.
    let of_targets = targets.iter().flatten().flat_map(|file| &file.roles).map(|spans| spans.role.clone());
    vocabulary.roles.extend(of_targets);
    let mut tally = Tally::default();
    if args.files.is_empty() {
        check_bundled(&vocabulary, &mut tally);
    }
    for path in &args.files {
        if path.is_dir() || kind(path) == FileKind::Scenario {
            check_scenarios(path, &vocabulary, &mut tally);
        }
    }
    for path in &others {
        match kind(path) {
            FileKind::Dialect => tally
                .other(reading::source(path).and_then(|source| Ok(read_dialect(&stem(path), &source).map(|_| ())?))),
            FileKind::Directory => {
                tally.other(reading::source(path).and_then(|source| Ok(read_directory(&source).map(|_| ())?)));
            }
            FileKind::Scenario | FileKind::Target => {}
        }
    }
    let known_roles = [directory_roles, std::mem::take(&mut tally.roles)].concat();
    for file in targets {
        tally.other(file.and_then(|file| check_target(file, &known_roles, args.strict)));
    }
    for warning in &tally.warnings {
        writeln!(io::stderr(), "{warning}\n")?;
    }
    if tally.errors.is_empty() {
        let Tally { scenarios, cases, others, .. } = tally;
        let counts = (counted(scenarios, "scenario"), counted(cases, "case"), counted(others, "other file"));
        writeln!(io::stdout(), "{} with {} and {}: no mistakes", counts.0, counts.1, counts.2)?;
        return Ok(ExitStatus::Success);
    }
    let mut err = io::stderr().lock();
    for error in &tally.errors {
        writeln!(err, "{error}\n")?;
    }
    writeln!(err, "{} with mistakes", counted(tally.errors.len(), "file"))?;
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

fn check_scenarios(path: &Path, vocabulary: &Vocabulary, tally: &mut Tally) {
    match load(&[path.to_path_buf()], vocabulary) {
        Ok(scenarios) => tally.scenarios(&scenarios),
        Err(errors) => tally.load_errors(&errors),
    }
}

fn target_file(path: &Path) -> Result<TargetFile, CliError> {
    let place = path.parent().unwrap_or(Path::new(""));
    Ok(read_target(&reading::source(path)?, place, Passwords::Ignore, true)?)
}

/// Checks what a target file says against its dialect and the bundled scenarios, and prints its accounts.
fn check_target(file: TargetFile, known_roles: &[String], is_strict: bool) -> Result<(), CliError> {
    if is_strict {
        file.known.check_reasons()?;
    }
    let dialect = find_dialect(&file.dialect)?;
    let roles = RoleCheck::new(&file);
    let prepared = Prepared::Remote(Box::new(remote_target(file, dialect)));
    // What is recorded is looked at as a run of everything would.
    let plan = plan_for(&prepared, &CaseArgs::default(), Flaws::NONE);
    let Prepared::Remote(target) = &prepared else { return Ok(()) };
    match (roles.check(target, known_roles), plan) {
        (Err(mistakes), Err(CliError::Mistakes(more))) => {
            Err(Mistakes::new(mistakes.source, [mistakes.list, more.list].concat()).into())
        }
        (Err(mistakes), _) => Err(mistakes.into()),
        (Ok(()), plan) => Ok(account_summary::print(&mut io::stdout().lock(), target, &plan?)?),
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
        let cases = || scenarios.iter().flat_map(|scenario| &scenario.cases);
        self.cases += cases().count();
        self.roles.extend(cases().map(|case| case.role.clone()));
        for scenario in scenarios {
            // The rules of a dialect may say that a bare user name is right.
            let problems = naming_problems(&scenario.source).into_iter().filter(|problem| !problem.names_dialects);
            let list: Vec<Mistake> = problems.map(|problem| problem.mistake).collect();
            if !list.is_empty() {
                self.warnings.push(render_warnings(&scenario.source, &list));
            }
        }
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
