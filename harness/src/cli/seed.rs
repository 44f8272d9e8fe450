//! `loginspec seed`: delivers canaries to the mailboxes of a server under test.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::Args;

use super::exit_code::{CliError, ExitStatus};
use super::help::{DELIVERY, LIMITS, TARGET};
use super::prepared::{Prepared, TargetArgs, prepare};
use super::quick::{QuickArgs, WireArgs};
use super::run::duration;
use crate::runner::{SeedError, SeedOptions, SeedResult, Seeded, seed as deliver};
use crate::target::{Passwords, Target, TargetChoice};
use crate::transport::Deadlines;

/// The longest that is waited for a connection to stand, however long may be waited for replies.
const TO_CONNECT: Duration = Duration::from_secs(10);

const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();

/// Deliver a canary to each account's mailbox, over IMAP: a message that lets a run prove which mailbox a login opens.
///
/// This is the only verb that writes to a server. A mailbox that holds a canary is left alone, and one that holds the
/// canary of another mailbox is told of. Each account is logged in with the right password only, and a login that is
/// refused is not tried again. To take the canaries away, delete the messages called `loginspec canary` in a mail client.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 every mailbox has its canary; 1 some has not; 2 usage or a bad file; 3 target \
                        unreachable; 4 there is no account to deliver to; 5 a password cannot be had")]
pub(super) struct SeedArgs {
    /// The target file.
    #[arg(help_heading = TARGET, long, short, value_name = "FILE.toml")]
    target: Option<String>,
    /// Not accepted: the reference server has its canaries.
    #[arg(help_heading = TARGET, long, value_name = "FILE", hide = true)]
    directory: Option<PathBuf>,
    /// Show what would be delivered, and deliver nothing.
    #[arg(help_heading = DELIVERY, long)]
    dry_run: bool,
    /// How long to wait for each reply, as in 5s or 500ms; servers delay replies after refused logins.
    #[arg(help_heading = LIMITS, long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    quick: QuickArgs,
    #[command(flatten)]
    wire: WireArgs,
}

pub(super) fn seed(args: SeedArgs) -> Result<ExitStatus, CliError> {
    let options = SeedOptions {
        deadlines: Deadlines { connect: args.timeout.min(TO_CONNECT), ..Deadlines::from_reply(args.timeout) },
        dry_run: args.dry_run,
    };
    let security = args.wire.security;
    let mut target = chosen(args)?;
    target.default_security = security;
    let mut out = anstream::AutoStream::auto(io::stdout());
    if !target.tls.verified {
        writeln!(out, "{YELLOW}warning{YELLOW:#}: {}: the server's certificate is not verified", target.name)?;
    }
    let mut counts = Counts::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(deliver(&target, options, &mut |seeded| {
        counts.add(&seeded.result);
        print(&mut out, seeded)
    }));
    match result {
        Ok(()) => {}
        Err(SeedError::NoImap(reason)) => return Err(CliError::Usage(SeedError::NoImap(reason).to_string())),
        Err(SeedError::Io(error)) => return Err(error.into()),
        Err(error) => {
            writeln!(out, "{RED}{error}{RED:#}")?;
            return Ok(ExitStatus::Unreachable);
        }
    }
    writeln!(out, "{}", counts.closing())?;
    Ok(counts.status())
}

/// The target that is meant: never the reference server or a container, which have their canaries.
fn chosen(args: SeedArgs) -> Result<Target, CliError> {
    const WHICH: &str = "say which server: --target FILE.toml, or --imap or --imaps with --account";
    let SeedArgs { target, directory, quick, wire, .. } = args;
    if let Some(name) = &target
        && !matches!(TargetChoice::parse(name)?, TargetChoice::File(_))
    {
        return Err(CliError::Usage(format!("{name} has its canaries, and needs none delivered; {WHICH}")));
    }
    let target = target.unwrap_or_else(|| "reference".to_string());
    match prepare(&TargetArgs { target, directory, quick, wire }, Passwords::Fetch)? {
        Prepared::Remote(target) => Ok(*target),
        Prepared::Reference(..) | Prepared::Container(..) => Err(CliError::Usage(WHICH.to_string())),
    }
}

fn print(out: &mut impl Write, seeded: &Seeded) -> io::Result<()> {
    let (style, word, what) = match &seeded.result {
        SeedResult::Delivered => (GREEN, "delivered", "a canary was delivered, and a second login has found it"),
        SeedResult::Wanting => (YELLOW, "wanting", "there is no canary; it would be delivered"),
        SeedResult::AlreadyThere => (GREEN, "there", "a canary is there already; nothing was delivered"),
        SeedResult::Skipped(reason) => (DIM, "skipped", reason.as_str()),
        SeedResult::Failed(reason) => (RED, "FAILED", reason.as_str()),
    };
    let mailbox = seeded.mailbox.as_ref().map(|mailbox| format!(" ({mailbox})")).unwrap_or_default();
    writeln!(out, "{style}{word:<9}{style:#}  {}{mailbox}: {what}", seeded.role)
}

/// How many mailboxes came to what.
#[derive(Default)]
struct Counts {
    delivered: usize,
    wanting: usize,
    there: usize,
    skipped: usize,
    failed: usize,
}

impl Counts {
    fn add(&mut self, result: &SeedResult) {
        *match result {
            SeedResult::Delivered => &mut self.delivered,
            SeedResult::Wanting => &mut self.wanting,
            SeedResult::AlreadyThere => &mut self.there,
            SeedResult::Skipped(_) => &mut self.skipped,
            SeedResult::Failed(_) => &mut self.failed,
        } += 1;
    }

    fn closing(&self) -> String {
        let all = [
            (self.delivered, "delivered"),
            (self.wanting, "to be delivered"),
            (self.there, "already there"),
            (self.skipped, "skipped"),
            (self.failed, "failed"),
        ];
        let told: Vec<String> = all
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        if told.is_empty() { "there is no account to deliver to".to_string() } else { told.join(", ") }
    }

    const fn status(&self) -> ExitStatus {
        if self.failed > 0 {
            ExitStatus::Unexpected
        } else if self.delivered + self.wanting + self.there == 0 {
            ExitStatus::NothingRan
        } else {
            ExitStatus::Success
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_role() {
        let line = |mailbox: Option<&str>, result| {
            let mut out = anstream::StripStream::new(Vec::new());
            let seeded = Seeded { role: "same".to_string(), mailbox: mailbox.map(str::to_string), result };
            print(&mut out, &seeded).unwrap();
            String::from_utf8(out.into_inner()).unwrap()
        };
        let delivered = line(Some("test1"), SeedResult::Delivered);
        assert_eq!(delivered, "delivered  same (test1): a canary was delivered, and a second login has found it\n");
        let skipped = line(None, SeedResult::Skipped("the account has no mailbox".to_string()));
        assert_eq!(skipped, "skipped    same: the account has no mailbox\n");
    }

    #[test]
    fn what_failed_decides_the_exit_code() {
        let of = |results: &[SeedResult]| {
            let mut counts = Counts::default();
            results.iter().for_each(|result| counts.add(result));
            (counts.closing(), counts.status())
        };
        let skipped = SeedResult::Skipped(String::new());
        let failed = SeedResult::Failed(String::new());
        let fine = [SeedResult::Delivered, SeedResult::AlreadyThere, skipped.clone()];
        assert_eq!(of(&fine), ("1 delivered, 1 already there, 1 skipped".to_string(), ExitStatus::Success));
        assert_eq!(of(&[SeedResult::Wanting]), ("1 to be delivered".to_string(), ExitStatus::Success));
        assert_eq!(of(&[SeedResult::Delivered, failed]).1, ExitStatus::Unexpected);
        assert_eq!(of(&[skipped]), ("1 skipped".to_string(), ExitStatus::NothingRan));
        assert_eq!(of(&[]).0, "there is no account to deliver to");
    }
}
