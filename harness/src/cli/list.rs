//! `loginspec list`: the cases that would run.

use std::io::{self, Write as _};

use clap::Args;
use serde::Serialize;

use super::chosen::{CaseArgs, plan};
use super::exit_code::{CliError, ExitStatus};
use super::help::REPORTS;
use super::prepared::{TargetArgs, prepare};
use crate::plural::counted;
use crate::runner::{Plan, axis_pairs, clauses};
use crate::target::Passwords;

/// List the cases that would run, one per line: the id, and the dialect in which it is put.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    cases: CaseArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// List clauses with their cases instead, and how often two values of different axes are tried together.
    #[arg(help_heading = REPORTS, long)]
    rules: bool,
    /// Print the clauses as JSON Lines: one object per clause.
    #[arg(help_heading = REPORTS, long, requires = "rules")]
    json: bool,
}

#[derive(Serialize)]
struct ClauseLine<'c> {
    clause: &'c str,
    cases: usize,
    ids: &'c [String],
}

pub(super) fn list(args: ListArgs) -> Result<ExitStatus, CliError> {
    let prepared = prepare(&args.target, Passwords::Ignore)?;
    let dialects = prepared.dialects();
    let plan = plan(&args.cases, &dialects, &prepared.vocabulary()?)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.rules {
        print_rules(&plan, args.json, &mut out)?;
        out.flush()?;
        return Ok(ExitStatus::Success);
    }
    for planned in &plan.list {
        if let (Some(case), Some(dialect)) = (planned.case(), dialects.get(planned.target)) {
            writeln!(out, "{}\t{}", case.id, dialect.name)?;
        }
    }
    out.flush()?;
    Ok(ExitStatus::Success)
}

fn print_rules(plan: &Plan, as_json: bool, out: &mut impl io::Write) -> io::Result<()> {
    for clause in clauses(plan) {
        if as_json {
            let line = ClauseLine { clause: &clause.clause, cases: clause.cases, ids: &clause.ids };
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
            continue;
        }
        writeln!(out, "{}: {}", clause.clause, counted(clause.cases, "case"))?;
        for id in &clause.ids {
            writeln!(out, "  {id}")?;
        }
    }
    if as_json {
        return Ok(());
    }
    for pair in axis_pairs(plan) {
        writeln!(out, "\n{} × {}", pair.axes.0, pair.axes.1)?;
        for rows in pair.counts.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
            let value = rows.first().map_or("", |((value, _), _)| value);
            let counts: Vec<String> = rows.iter().map(|((_, other), count)| format!("{other} {count}")).collect();
            writeln!(out, "  {value:<18}  {}", counts.join(", "))?;
        }
    }
    Ok(())
}
