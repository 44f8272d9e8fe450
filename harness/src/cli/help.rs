//! What `--help` says beside the options: headings, exit codes, and what a run does to an account.

/// Which cases run.
pub(super) const CASES: &str = "Cases";
/// Which server is tested.
pub(super) const TARGET: &str = "Target";
/// A server and an account that are described on the command line.
pub(super) const SERVER: &str = "Server without a target file";
/// How connections are secured.
pub(super) const TLS: &str = "TLS and security";
/// How many connections, how fast, and for how long.
pub(super) const LIMITS: &str = "Limits and pace";
/// What is written where.
pub(super) const REPORTS: &str = "Reports";
/// What the built-in server does.
pub(super) const REFERENCE: &str = "Reference server";
/// Which files are read.
pub(super) const FILES: &str = "Files";
/// Which part of what could be shown is shown.
pub(super) const SELECTION: &str = "Selection";

/// Where the conversations of a fuzzing campaign come from.
pub(super) const CAMPAIGN: &str = "Campaign";
/// Whether canaries are delivered.
pub(super) const DELIVERY: &str = "Delivery";

/// The exit codes of every verb that runs cases, in one paragraph.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 all as expected; 1 some case was not; 2 usage or a bad file; \
                                     3 target unreachable; 4 nothing ran; 5 the secret is missing or the login is \
                                     refused; 6 the disk is full or a pipe is closed; 130 interrupted";

/// The end of `run --help`. Each paragraph is one line: clap wraps it.
pub(super) const RUN: &str = "\
Exit codes:
    0  all as expected; warnings do not count
    1  some case was not as expected, or a login that must work did not
    2  the command line or a file is wrong
    3  the target cannot be reached, or it locked this client out during the run
    4  nothing ran: every case was skipped, or none was selected
    5  the secret is missing, or the account's login is refused; one login was sent
    6  a report cannot be written to its end: the disk is full, or the pipe is closed
  130  interrupted; all reports are written

What a run does to an account:

It only reads. IMAP mailboxes are opened with EXAMINE and read with BODY.PEEK; POP3 sessions use STAT, TOP and UIDL. No \
message is delivered, marked or deleted. Only `seed` writes to a server.

It logs in many times, and many of these logins are refused on purpose. Before the first case the run prints how many \
wrong passwords each account gets: at most 180 by default, at most 36 with --smoke, and about a thousand with --full. \
After three wrong passwords in a row comes the right one. [limits] in a target file says what the server allows: \
`lockout`, how many wrong passwords in a row lock an account (a run sends fewer); `wrong-passwords`, how many to send in \
a row; `no-lockout`, that the server locks no account.

Use test accounts. Servers delay refused logins, and some lock the account or block the address after many of them.";

/// The end of `fuzz --help`. Each paragraph is one line: clap wraps it.
pub(super) const FUZZ: &str = "\
Exit codes:
    0  nothing was found
    1  there are findings
    2  the command line or a file is wrong
    3  the target cannot be reached
    4  nothing ran
    6  the findings cannot be written: the disk is full
  130  interrupted; the campaign can be resumed

What a campaign does to an account:

It sends thousands of logins, most of which are refused, and malformed commands. It delivers no message. The limits in \
the target file (connections, wrong passwords in a row) are kept. Use test accounts on a test server.";

/// The end of `fleet --help`.
pub(super) const FLEET: &str = "Exit codes: 0 all as expected on every server; 1 some case was not; 2 usage or a bad \
                                file; 3 a server could not be started or reached; 6 the disk is full; 130 interrupted";

/// The end of `report --help`.
pub(super) const REPORT: &str = "Exit codes: 0 nothing became worse, or no older run was given; 1 some case became \
                                 worse; 2 usage or a bad file";

/// The end of `check --help`.
pub(super) const CHECK: &str = "Exit codes: 0 no mistakes; 2 some file has a mistake, or cannot be read";

/// The end of `serve --help`.
pub(super) const SERVE: &str = "Exit codes: 0 interrupted by Ctrl-C; 2 usage or a bad file; 3 the server cannot start";

#[cfg(test)]
#[path = "help_tests.rs"]
mod tests;
