//! The command line: one file per verb. Nothing is decided here, only wired.

mod account_summary;
mod baseline;
mod check;
mod chosen;
mod exit_code;
mod explain;
mod explanation;
mod fleet;
mod fuzz;
mod help;
mod init;
mod init_file;
mod instead;
mod list;
mod new_file;
mod paperwork;
mod prepared;
mod quick;
mod reading;
mod report;
mod run;
mod seed;
mod serve;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

pub use exit_code::{CliError, ExitStatus};

/// Conformance and fuzz test harness for mail logins (POP3 and IMAP).
#[derive(Debug, Parser)]
#[command(name = "loginspec", version, about, max_term_width = 100, after_help = help::EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::InitArgs),
    Run(run::RunArgs),
    List(list::ListArgs),
    Fleet(fleet::FleetArgs),
    Fuzz(fuzz::FuzzArgs),
    Check(check::CheckArgs),
    Explain(explain::ExplainArgs),
    Report(report::ReportArgs),
    Serve(serve::ServeArgs),
    Seed(seed::SeedArgs),
    Schema(paperwork::SchemaArgs),
    Completions(paperwork::CompletionsArgs),
    Man(paperwork::ManArgs),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()) as u8)
}

/// Runs the program with these arguments; what went wrong has been said on standard error.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitStatus {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors, and go to standard output.
            let _ = error.print();
            return if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Success };
        }
    };
    let result = match cli.verb {
        Verb::Init(args) => init::init(args),
        Verb::Run(args) => run::run(args),
        Verb::List(args) => list::list(args),
        Verb::Fleet(args) => fleet::fleet(args),
        Verb::Fuzz(args) => fuzz::fuzz(args),
        Verb::Check(args) => check::check(args),
        Verb::Explain(args) => explain::explain(args),
        Verb::Report(args) => report::report(args),
        Verb::Serve(args) => serve::serve(args),
        Verb::Seed(args) => seed::seed(args),
        Verb::Schema(args) => paperwork::schema(args),
        Verb::Completions(args) => paperwork::completions(args),
        Verb::Man(args) => paperwork::man(args),
    };
    match result {
        Ok(status) => status,
        // Whoever read our output has gone; there is nobody left to tell.
        Err(error) if error.is_broken_pipe() => error.status(),
        Err(error) => {
            let mut err = anstream::AutoStream::auto(io::stderr());
            let text = error.to_string();
            // Mistakes in files come with a title of their own.
            let _ = if text.starts_with("error: ") { writeln!(err, "{text}") } else { writeln!(err, "error: {text}") };
            error.status()
        }
    }
}

/// The command as a description of itself, for completions and the manual page.
fn command() -> clap::Command {
    Cli::command()
}
