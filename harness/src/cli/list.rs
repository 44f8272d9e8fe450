//! `loginspec list`: the cases that would run.

use std::io::{self, Write as _};

use clap::Args;

use super::chosen::{CaseArgs, plan};
use super::exit_code::{CliError, ExitStatus};
use super::prepared::{TargetArgs, prepare};
use crate::target::Passwords;

/// List the cases that would run, one per line: the id, and the dialect in which it is put.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    cases: CaseArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn list(args: ListArgs) -> Result<ExitStatus, CliError> {
    let prepared = prepare(&args.target, Passwords::Ignore)?;
    let dialects = prepared.dialects();
    let plan = plan(&args.cases, &dialects, &prepared.vocabulary()?)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for planned in &plan.list {
        if let (Some(case), Some(dialect)) = (planned.case(), dialects.get(planned.target)) {
            writeln!(out, "{}\t{}", case.id, dialect.name)?;
        }
    }
    out.flush()?;
    Ok(ExitStatus::Success)
}
