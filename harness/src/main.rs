//! The command line's entry: everything else is in the library, where tests can reach it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    loginspec::cli::main()
}
