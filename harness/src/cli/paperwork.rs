//! `loginspec schema`, `completions` and `man`: what goes with the program.

use std::io::{self, Write as _};

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::exit_code::{CliError, ExitStatus};
use crate::identity::{DIALECT_FIELDS, DIRECTORY_FIELDS};
use crate::scenario::scenario_schema;
use crate::source::schema as schema_of;
use crate::target::TARGET_FIELDS;

/// Print the JSON Schema of a file format, for editors.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Which kind of file.
    #[arg(value_enum, default_value = "scenario")]
    file: SchemaFile,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SchemaFile {
    Scenario,
    Dialect,
    Directory,
    Target,
}

/// Print completions for a shell.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Verb whose page is printed [default: the program's own page].
    verb: Option<String>,
}

pub(super) fn schema(args: SchemaArgs) -> Result<ExitStatus, CliError> {
    let text = match args.file {
        SchemaFile::Scenario => scenario_schema(),
        SchemaFile::Dialect => schema_of("loginspec dialect", DIALECT_FIELDS),
        SchemaFile::Directory => schema_of("loginspec directory", DIRECTORY_FIELDS),
        SchemaFile::Target => schema_of("loginspec target", TARGET_FIELDS),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitStatus::Success)
}

pub(super) fn completions(args: CompletionsArgs) -> Result<ExitStatus, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "loginspec", &mut text);
    io::stdout().write_all(&text)?;
    Ok(ExitStatus::Success)
}

pub(super) fn man(args: ManArgs) -> Result<ExitStatus, CliError> {
    let mut command = super::command();
    command.build();
    let command = match args.verb {
        None => command,
        Some(verb) => match command.find_subcommand(&verb) {
            Some(found) => found.clone(),
            None => return Err(CliError::Usage(format!("unknown verb `{verb}`: `loginspec --help` lists them"))),
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    io::stdout().write_all(&text)?;
    Ok(ExitStatus::Success)
}
