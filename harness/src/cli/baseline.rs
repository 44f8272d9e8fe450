//! The options of `run` about what is known of a target: `--accept` writes it, and skips that it does not list are failures.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit_code::CliError;
use super::help::REPORTS;
use super::new_file::NewFile;
use super::prepared::Prepared;
use crate::plural::counted;
use crate::report::{Accept, Accepted, AcceptedRecord};
use crate::scenario::SkipCode;
use crate::source::SourceText;
use crate::target::{
    Expectations, NewRecord, Observation, Observed, Passwords, SessionState, TargetChoice, TargetUpdate, read_target,
};

/// What stands on the command line about what is known of the target.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct BaselineArgs {
    /// Record what this run shows as expected from now on: known deviations, capabilities, skips.
    ///
    /// Without FILE, or with the target's own file, the target file is updated in place: `[[known]]` records are added and
    /// `[expect]` is written; everything else in it stays. Another FILE must not exist yet. Security findings are left out.
    #[arg(help_heading = REPORTS, long, value_name = "FILE", num_args = 0..=1)]
    accept: Option<Option<PathBuf>>,
    /// Record security findings too, with --accept.
    #[arg(help_heading = REPORTS, long, requires = "accept")]
    accept_security: bool,
    /// Fail on a skip that the target file's skip baseline does not list [default: true if there is a baseline].
    #[arg(help_heading = REPORTS, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    no_new_skips: Option<bool>,
    /// Allow skips that the skip baseline does not list; the same as --no-new-skips=false.
    #[arg(help_heading = REPORTS, long, conflicts_with = "no_new_skips")]
    allow_new_skips: bool,
}

/// Where accepted things are written.
enum Destination {
    /// A new file.
    New(NewFile, PathBuf),
    /// The target file, updated in place.
    TargetFile(PathBuf),
}

impl BaselineArgs {
    /// Whether what the run shows is accepted.
    pub const fn accepts(&self) -> bool {
        self.accept.is_some()
    }

    /// Makes the target as the options want it; gives back the skips that its file lists.
    pub fn prepare(&self, prepared: &mut Prepared) -> Result<Vec<SkipCode>, CliError> {
        let Prepared::Remote(target) = prepared else {
            return match self.no_new_skips {
                Some(true) => {
                    Err(CliError::Usage("--no-new-skips needs a target file with a skip baseline".to_string()))
                }
                _ => Ok(Vec::new()),
            };
        };
        let known = target.expect.skips.clone();
        if self.no_new_skips == Some(true) && known.is_none() {
            return Err(CliError::Usage(
                "--no-new-skips: the target has no skip baseline; `run --accept` writes one into its file".to_string(),
            ));
        }
        if self.allow_new_skips || self.no_new_skips == Some(false) {
            target.expect.skips = None;
        }
        Ok(known.unwrap_or_default())
    }

    /// The report that writes what is accepted; none without `--accept`. `target` is the word after `--target`,
    /// `known_skips` what the target file lists, `is_everything` whether every case is asked.
    pub fn report(
        &self,
        target: &str,
        known_skips: Vec<SkipCode>,
        is_everything: bool,
    ) -> Result<Option<Accept>, CliError> {
        let Some(file) = &self.accept else { return Ok(None) };
        let target_file = match TargetChoice::parse(target)? {
            TargetChoice::File(path) => Some(path),
            _ => None,
        };
        let destination = destination(file.as_deref(), target_file.as_deref())?;
        let write = move |accepted: Accepted| {
            // What was not asked may still be skipped.
            let kept = if is_everything && accepted.is_whole { Vec::new() } else { known_skips };
            write(destination, &accepted, kept)
        };
        Ok(Some(Accept::new(self.accept_security, write)))
    }
}

fn destination(file: Option<&Path>, target_file: Option<&Path>) -> Result<Destination, CliError> {
    let is_same = |path: &Path| match (path.canonicalize(), target_file.map(Path::canonicalize)) {
        (Ok(path), Some(Ok(target))) => path == target,
        _ => false,
    };
    match (file, target_file) {
        (None, Some(target)) => Ok(Destination::TargetFile(target.to_path_buf())),
        (None, None) => Err(CliError::Usage(
            "--accept without a file updates the target's file, and this target has none: give it the name of a new file"
                .to_string(),
        )),
        (Some(path), _) if is_same(path) => Ok(Destination::TargetFile(path.to_path_buf())),
        (Some(path), _) => Ok(Destination::New(NewFile::new(path)?, path.to_path_buf())),
    }
}

fn write(destination: Destination, accepted: &Accepted, kept_skips: Vec<SkipCode>) -> io::Result<()> {
    let mut skips: Vec<SkipCode> = accepted.skips.iter().cloned().chain(kept_skips).collect();
    skips.sort();
    skips.dedup();
    // Where the server became less secure than expected, what was expected holds on.
    let observed = accepted.observed.as_ref().filter(|_| accepted.exposed.is_empty());
    let update = TargetUpdate {
        records: accepted.records.iter().map(new_record).collect(),
        expectations: observed.map(|observed| Expectations::of(observed, None)),
        skips,
    };
    let name = match destination {
        Destination::New(mut file, path) => {
            file.write_all(update.to_toml().as_bytes())?;
            file.flush()?;
            path
        }
        Destination::TargetFile(path) => {
            update_in_place(&path, &update)?;
            path
        }
    };
    let mut err = io::stderr().lock();
    for line in told(&name, accepted, &update) {
        writeln!(err, "{line}")?;
    }
    Ok(())
}

fn new_record(record: &AcceptedRecord) -> NewRecord {
    NewRecord {
        case: record.case.clone(),
        outcome: record.outcome.clone(),
        happened: record.happened.clone(),
        is_security: record.is_harmful,
    }
}

/// Updates a target file: the new text is checked, written beside the file and put in its place in one step, with the same
/// permissions.
fn update_in_place(path: &Path, update: &TargetUpdate) -> io::Result<()> {
    let unusable = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let named = |reason: &dyn std::fmt::Display| unusable(format!("{} was not updated: {reason}", path.display()));
    // A link stays a link: what it leads to is updated.
    let path = path.canonicalize()?;
    let source = SourceText::read(&path).map_err(|error| named(&error))?;
    let text = update.apply(&source.text).map_err(|error| named(&error))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let updated = SourceText { text, ..source };
    read_target(&updated, folder, Passwords::Ignore, true).map_err(|error| named(&error))?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(updated.text.as_bytes())?;
    file.as_file().set_permissions(std::fs::metadata(&path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// What was written, and what was left out and why.
fn told(name: &Path, accepted: &Accepted, update: &TargetUpdate) -> Vec<String> {
    let records = counted(update.records.len(), "known deviation");
    let skips = counted(update.skips.len(), "kind");
    let mut lines = vec![format!("accepted into {}: {records}, {skips} of skips", name.display())];
    if !update.records.is_empty() {
        lines.push(
            "  say in each record why it is so, in the place of FILL IN; `check --strict` finds those that do not"
                .to_string(),
        );
    }
    if accepted.left_out > 0 {
        let cases = counted(accepted.left_out, "security finding");
        lines.push(format!("  {cases} left out: what does harm is not accepted unless --accept-security is given"));
    }
    if !accepted.exposed.is_empty() {
        lines.push(format!(
            "  [expect] keeps what it expects, since the server is less secure now ({}); --accept-security accepts that",
            accepted.exposed.join(", ")
        ));
    }
    if accepted.fixed > 0 {
        let cases = counted(accepted.fixed, "case");
        lines.push(format!("  {cases} passed although a record says otherwise: remove those records by hand"));
    }
    lines.extend(accepted.observed.as_ref().map(unobserved).unwrap_or_default());
    lines
}

/// What could not be observed, so that nothing is expected of it.
fn unobserved(observed: &Observed) -> Vec<String> {
    let mut lines = Vec::new();
    for endpoint in &observed.endpoints {
        for state in SessionState::ALL {
            if let Observation::Failed(reason) | Observation::NotOffered(reason) = endpoint.capabilities(state) {
                let (protocol, security) = (endpoint.protocol, endpoint.security);
                lines.push(format!(
                    "  [expect] says nothing of {protocol} ({security}) {}, which could not be observed: {reason}",
                    state.phrase()
                ));
            }
        }
    }
    lines
}
