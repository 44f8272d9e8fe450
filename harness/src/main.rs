//! The command line's entry: everything else is in the library, where tests can reach it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Thousands of short conversations a second make and drop many small things.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loginspec::cli::main()
}
