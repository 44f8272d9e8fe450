//! What the program ends with, and the errors that make it so. Scripts depend on the numbers.

use std::io;

use crate::report::earlier::EarlierError;
use crate::scenario::LoadError;
use crate::source::{Mistakes, ReadError};
use crate::target::{ChoiceError, QuickError, TargetFileError};

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// All as expected.
    Success = 0,
    /// Some case was not as expected.
    Unexpected = 1,
    /// The command line, or a file, is wrong.
    Usage = 2,
    /// The target cannot be reached.
    Unreachable = 3,
    /// Nothing ran.
    NothingRan = 4,
    /// The secret is missing, or the server refuses the account's login.
    Credentials = 5,
    /// A report cannot be written to its end: the disk is full, or the pipe is closed.
    System = 6,
    /// The run was interrupted.
    Interrupted = 130,
}

/// What ends the program early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The command line asks for what does not go together.
    #[error("{0}")]
    Usage(String),
    /// Scenario files are wrong.
    #[error("{}", joined(.0))]
    Scenarios(Vec<LoadError>),
    /// Another file is wrong.
    #[error("{0}")]
    Mistakes(#[from] Mistakes),
    /// A file cannot be read.
    #[error("{0}")]
    Unreadable(#[from] ReadError),
    /// The target means nothing.
    #[error("{0}")]
    Choice(#[from] ChoiceError),
    /// The target's file is wrong.
    #[error("{0}")]
    TargetFile(#[from] TargetFileError),
    /// The target of the command line comes to nothing.
    #[error("{0}")]
    Quick(#[from] QuickError),
    /// An earlier run's file is wrong.
    #[error("{0}")]
    Earlier(#[from] EarlierError),
    /// A report, or another file, cannot be written.
    #[error("failed to write {name}: {source}")]
    Report {
        /// The file.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The target cannot be started.
    #[error("failed to start {name}: {reason}")]
    Start {
        /// The target.
        name: String,
        /// Why.
        reason: String,
    },
    /// The target does not answer.
    #[error("failed to reach {name}: {reason}")]
    Unreached {
        /// The target.
        name: String,
        /// Why.
        reason: String,
    },
    /// There is no password.
    #[error("{0}")]
    NoPassword(String),
    /// The server refuses the account's login.
    #[error("{0}")]
    RefusedLogin(String),
    /// No case was chosen.
    #[error("nothing to run: {0}")]
    NothingToRun(String),
    /// Ctrl-C before there was anything to report.
    #[error("interrupted before the run began")]
    Interrupted,
    /// Standard output is gone, or the system has no more of what we need.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl CliError {
    /// The exit code.
    pub fn status(&self) -> ExitStatus {
        match self {
            Self::Start { .. } | Self::Unreached { .. } => ExitStatus::Unreachable,
            Self::NothingToRun(_) => ExitStatus::NothingRan,
            Self::Interrupted => ExitStatus::Interrupted,
            // A secret that a CI system does not hand on is missing, or an empty variable.
            Self::NoPassword(_)
            | Self::RefusedLogin(_)
            | Self::Quick(QuickError::Secret { .. })
            | Self::TargetFile(TargetFileError::Password { .. }) => ExitStatus::Credentials,
            Self::Io(error) | Self::Report { source: error, .. } if !is_usage(error.kind()) => ExitStatus::System,
            _ => ExitStatus::Usage,
        }
    }

    pub(super) fn is_broken_pipe(&self) -> bool {
        match self {
            Self::Io(error) | Self::Report { source: error, .. } => error.kind() == io::ErrorKind::BrokenPipe,
            _ => false,
        }
    }
}

/// Whether an error is about the path that somebody gave.
fn is_usage(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename
    )
}

fn joined(errors: &[LoadError]) -> String {
    let texts: Vec<String> = errors
        .iter()
        .map(ToString::to_string)
        .map(|text| if text.starts_with("error: ") { text } else { format!("error: {text}") })
        .collect();
    texts.join("\n\n")
}
