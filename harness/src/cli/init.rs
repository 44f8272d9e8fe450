//! `loginspec init`: explores a server with one account and writes a target file for it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::exit_code::{CliError, ExitStatus};
use super::help::{FILES, LIMITS, SERVER};
use super::init_file::{Described, text};
use super::new_file::NewFile;
use super::quick::{QuickArgs, WireArgs};
use super::run::duration;
use crate::axes::{Mechanism, Protocol, Security};
use crate::identity::{Access, Account, RecognizedDialect, UNKNOWN_DIALECT, account_fields, escape, recognize_dialect};
use crate::report::{Reports, offers};
use crate::runner::{Candidate, Discovery, DiscoveryError, DiscoveryOptions, Plan, RunOptions, discover, run};
use crate::source::SourceText;
use crate::target::{
    Endpoint, Expectations, Observed, Origin, Passwords, QuickTarget, find_dialect, quick_target, read_target,
    remote_target, with_usual_port,
};
use crate::transport::{Deadlines, TlsSettings};

/// The longest that is waited for a connection to stand.
const TO_CONNECT: Duration = Duration::from_secs(5);

/// Make a target file for a server: log in once with each method that it offers, and write down what was found.
///
/// Of the account only the right password is sent, within TLS unless `--security plaintext` is given. One login with a
/// name that no account has measures how long a refusal takes. If the first login is refused, nothing more is sent.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the file was written; 2 usage, or the file exists already; 3 nothing answers, or TLS \
                        fails; 5 the secret is missing, or the login is refused"
)]
pub(super) struct InitArgs {
    /// The server: a host name or an address. With a port only that one is tried, else 143, 993, 110 and 995.
    #[arg(value_name = "HOST[:PORT]")]
    host: String,
    /// Login name of the account, whole: jdoe, jdoe@example.org.
    #[arg(help_heading = SERVER, long, value_name = "NAME")]
    account: String,
    /// Address for IMAP. With this or one of the next three, only the given addresses are tried.
    #[arg(help_heading = SERVER, long, value_name = "HOST[:PORT]")]
    imap: Option<String>,
    /// Address for IMAP with TLS from the first octet.
    #[arg(help_heading = SERVER, long, value_name = "HOST[:PORT]")]
    imaps: Option<String>,
    /// Address for POP3.
    #[arg(help_heading = SERVER, long, value_name = "HOST[:PORT]")]
    pop3: Option<String>,
    /// Address for POP3 with TLS from the first octet.
    #[arg(help_heading = SERVER, long, value_name = "HOST[:PORT]")]
    pop3s: Option<String>,
    /// Environment variable that holds the password [default: LOGINSPEC_PASSWORD, else a prompt].
    #[arg(help_heading = SERVER, long, value_name = "VAR", conflicts_with_all = ["password_file", "password_command"])]
    password_env: Option<String>,
    /// File whose first line is the password.
    #[arg(help_heading = SERVER, long, value_name = "FILE", conflicts_with = "password_command")]
    password_file: Option<PathBuf>,
    /// Shell command whose first line of output is the password.
    #[arg(help_heading = SERVER, long, value_name = "COMMAND")]
    password_command: Option<String>,
    /// How the server reads login names: a bundled dialect or a FILE.toml [default: by the server's own words].
    #[arg(help_heading = SERVER, long, value_name = "DIALECT")]
    dialect: Option<String>,
    /// File to write [default: HOST.toml]. A file that exists is never overwritten.
    #[arg(help_heading = FILES, long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the file and write none.
    #[arg(help_heading = FILES, long)]
    dry_run: bool,
    /// How long to wait for each reply, as in 5s or 500ms.
    #[arg(help_heading = LIMITS, long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    wire: WireArgs,
}

pub(super) fn init(args: InitArgs) -> Result<ExitStatus, CliError> {
    let candidates = candidates(&args)?;
    let name = host_name(&args.host)?;
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", name.replace(':', "-"))));
    // Before a login: nothing is asked for a file that cannot be written.
    let file = if args.dry_run { None } else { Some(new_file(&output)?) };
    let password = password(&args)?;
    let mut target = quick_target(
        QuickTarget {
            endpoints: candidates.iter().map(endpoint).collect(),
            dialect: UNKNOWN_DIALECT.to_string(),
            user: args.account.clone(),
            mailbox: None,
            domain: None,
            password: password.clone(),
            token: None,
            tls: TlsSettings::default(),
        },
        Passwords::Fetch,
    )?;
    args.wire.apply(&mut target)?;
    let Some(account) = target.directory.accounts.first() else {
        return Err(CliError::Usage("there is no account".to_string()));
    };
    let deadlines = Deadlines { connect: args.timeout.min(TO_CONNECT), ..Deadlines::from_reply(args.timeout) };
    let options = DiscoveryOptions { deadlines, security: args.wire.security };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let discovery =
        runtime.block_on(discover(&target, account, &candidates, options)).map_err(|error| failure(&name, error))?;
    let dialect = dialect(&args, &discovery)?;
    let described = Described {
        name: &name,
        command: format!("loginspec init {} --account {}", args.host, args.account),
        dialect: &dialect,
        discovery: &discovery,
        password: &password,
        wire: &args.wire,
    };
    let mut text = text(&described)?;
    let observed = runtime.block_on(observe(&text, account, &args.wire, deadlines))?;
    if let Some(observed) = observed {
        text.push_str(&format!("\n{}", Expectations::of(&observed, None).to_toml()));
    }
    match file {
        Some(mut file) => {
            let failed = |source| CliError::Report { name: output.display().to_string(), source };
            file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(failed)?;
            let mut out = io::stdout().lock();
            print(&mut out, &discovery, &dialect)?;
            print_next_steps(&mut out, &output, &discovery)?;
        }
        None => {
            print(&mut io::stderr().lock(), &discovery, &dialect)?;
            io::stdout().write_all(text.as_bytes())?;
        }
    }
    Ok(ExitStatus::Success)
}

/// Observes the server that a target file describes: what it offers in each state, before and after the login. `None` if it
/// no longer answers.
async fn observe(
    text: &str,
    account: &Account,
    wire: &WireArgs,
    deadlines: Deadlines,
) -> Result<Option<Observed>, CliError> {
    let file = read_target(&SourceText::new("the new target file", text), Path::new(""), Passwords::Ignore, true)?;
    let dialect = find_dialect(&file.dialect)?;
    let mut target = remote_target(file, dialect);
    wire.apply(&mut target)?;
    for described in &mut Arc::make_mut(&mut target.directory).accounts {
        described.password = account.password.clone();
    }
    // Without cases a run only looks at the server.
    let plan = Plan { observes: true, ..Plan::default() };
    let (_sender, interrupt) = tokio::sync::watch::channel(false);
    let options = RunOptions::new(deadlines, interrupt);
    let summary = run(plan, &[Arc::new(target)], options, &mut Reports::default()).await?;
    Ok(summary.observed.into_iter().next().map(|(_, observed)| observed))
}

/// Where the server may listen.
fn candidates(args: &InitArgs) -> Result<Vec<Candidate>, CliError> {
    let candidate = |protocol, implicit_tls, address: &str| {
        let address = with_usual_port(address, protocol, implicit_tls).map_err(CliError::Usage)?;
        Ok::<_, CliError>(Candidate { protocol, address, implicit_tls })
    };
    let kinds = [(Protocol::Imap, false), (Protocol::Pop3, false), (Protocol::Imap, true), (Protocol::Pop3, true)];
    let given = [&args.imap, &args.pop3, &args.imaps, &args.pop3s];
    let named = kinds.into_iter().zip(given).filter_map(|((protocol, implicit_tls), address)| {
        address.as_ref().map(|address| candidate(protocol, implicit_tls, address))
    });
    let named = named.collect::<Result<Vec<_>, _>>()?;
    if !named.is_empty() {
        return Ok(named);
    }
    let all = kinds.map(|(protocol, implicit_tls)| candidate(protocol, implicit_tls, &args.host));
    let all = all.into_iter().collect::<Result<Vec<_>, _>>()?;
    // With a port, all of them have one address: its usual protocol is tried, or else one after the other.
    let usual = all.iter().find(|candidate| {
        let without_port = candidate.address.rsplit_once(':').map_or("", |(host, _)| host);
        with_usual_port(without_port, candidate.protocol, candidate.implicit_tls)
            .is_ok_and(|it| it == candidate.address)
    });
    let has_port = all.iter().all(|candidate| all.first().is_some_and(|first| first.address == candidate.address));
    Ok(match usual {
        Some(usual) if has_port => vec![usual.clone()],
        _ => all,
    })
}

/// The endpoint of a candidate, as far as it is known before the server was asked.
fn endpoint(candidate: &Candidate) -> Endpoint {
    let security = if candidate.implicit_tls { Security::Tls } else { Security::Starttls };
    Endpoint { protocol: candidate.protocol, address: candidate.address.clone(), security }
}

/// The host without a port and brackets.
fn host_name(host: &str) -> Result<String, CliError> {
    let address = with_usual_port(host, Protocol::Imap, false).map_err(CliError::Usage)?;
    let endpoint = Endpoint { protocol: Protocol::Imap, address, security: Security::Starttls };
    Ok(endpoint.host().to_string())
}

fn new_file(path: &Path) -> Result<NewFile, CliError> {
    if path.symlink_metadata().is_ok() {
        return Err(CliError::Usage(format!(
            "{} exists, and no file is overwritten: --output FILE names another one, and --dry-run prints the file",
            path.display()
        )));
    }
    NewFile::new(path)
}

fn password(args: &InitArgs) -> Result<Origin, CliError> {
    let quick = QuickArgs {
        password_env: args.password_env.clone(),
        password_file: args.password_file.clone(),
        password_command: args.password_command.clone(),
        ..QuickArgs::default()
    };
    quick.password(Passwords::Fetch)
}

fn failure(name: &str, error: DiscoveryError) -> CliError {
    match error {
        DiscoveryError::Unprotected(reasons) => CliError::Usage(reasons.join("\n")),
        DiscoveryError::Refused(refused) => {
            let steps: String = refused.next_steps().iter().map(|step| format!("\n  - {step}")).collect();
            CliError::RefusedLogin(format!(
                "{refused}\n  one login was sent, and no file was written; next steps:{steps}"
            ))
        }
        DiscoveryError::NoLogin(_) => CliError::RefusedLogin(error.to_string()),
        _ => CliError::Unreached { name: name.to_string(), reason: error.to_string() },
    }
}

/// The dialect of the command line, or the one that the server is recognized by.
fn dialect(args: &InitArgs, discovery: &Discovery) -> Result<RecognizedDialect, CliError> {
    let name = args.account.as_bytes();
    let accepted = discovery.logins.iter().filter(|login| login.result.is_accepted());
    let accesses = accepted.map(|login| Access { protocol: login.protocol, mechanism: login.mechanism });
    // NTLM carries the parts of a name by themselves.
    let accesses: Vec<Access> = accesses.filter(|access| access.mechanism != Mechanism::Ntlm).collect();
    let canary = discovery.canary.as_deref();
    let Some(word) = &args.dialect else {
        let found = recognize_dialect(&discovery.server_text, name, canary, &accesses);
        return found.ok_or_else(|| {
            CliError::Usage(format!("no dialect leads to the login name `{}`: name one by --dialect", args.account))
        });
    };
    // A dialect file is named relative to where the target file will be, so the whole path is safe.
    let path = std::fs::canonicalize(word).ok().filter(|_| word.ends_with(".toml"));
    let word = path.map_or_else(|| word.clone(), |path| path.display().to_string());
    let found = account_fields(&find_dialect(&word)?, &word, name, canary, &accesses);
    found.ok_or_else(|| {
        CliError::Usage(format!(
            "in the dialect `{word}` no account has the login name `{}`, which works: name another dialect, or leave \
             --dialect out",
            args.account
        ))
    })
}

/// What was found, for people.
fn print(out: &mut impl Write, discovery: &Discovery, dialect: &RecognizedDialect) -> io::Result<()> {
    for found in &discovery.endpoints {
        let Endpoint { protocol, address, security } = &found.endpoint;
        writeln!(out, "{protocol} {address} ({security}): {}", offers(&found.offers))?;
    }
    for reason in &discovery.left_out {
        writeln!(out, "not used: {reason}")?;
    }
    for login in &discovery.logins {
        writeln!(out, "login by {} {}: {}", login.protocol, login.mechanism, login.result)?;
    }
    if let Some(refusal) = discovery.refusal {
        writeln!(out, "a name that no account has is refused after {:.2} s", refusal.as_secs_f64())?;
    }
    let why = match dialect.word {
        Some(word) => format!("the server calls itself `{word}`"),
        None => "the account has this login name in it".to_string(),
    };
    writeln!(out, "dialect {}: {why}; user {}", dialect.dialect, escape(&dialect.user))
}

fn print_next_steps(out: &mut impl Write, output: &Path, discovery: &Discovery) -> io::Result<()> {
    let file = output.display();
    writeln!(out, "\nwrote {file}; next:")?;
    writeln!(out, "  loginspec check {file}")?;
    writeln!(out, "  loginspec run --target {file} --smoke")?;
    if discovery.canary.is_none() {
        writeln!(out, "  loginspec seed --target {file} --dry-run   # a message that proves which mailbox opens")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        init: InitArgs,
    }

    fn tried(arguments: &[&str]) -> Vec<String> {
        let line = Line::parse_from([&["init", "--account", "a"], arguments].concat());
        let shown = |candidate: &Candidate| {
            format!("{}{} {}", candidate.protocol, if candidate.implicit_tls { "s" } else { "" }, candidate.address)
        };
        candidates(&line.init).unwrap().iter().map(shown).collect()
    }

    #[test]
    fn the_usual_ports_are_tried_unless_one_is_given() {
        assert_eq!(tried(&["h"]), ["imap h:143", "pop3 h:110", "imaps h:993", "pop3s h:995"]);
        assert_eq!(tried(&["[::1]"])[0], "imap [::1]:143");
        assert_eq!(tried(&["h:995"]), ["pop3s h:995"]);
        assert_eq!(tried(&["h:2000"]), ["imap h:2000", "pop3 h:2000", "imaps h:2000", "pop3s h:2000"]);
        assert_eq!(tried(&["h", "--pop3", "g:1", "--imaps", "g"]), ["pop3 g:1", "imaps g:993"]);
    }

    #[test]
    fn the_file_is_named_after_the_host() {
        assert_eq!(host_name("mail.example.org:143").unwrap(), "mail.example.org");
        assert_eq!(host_name("mail.example.org").unwrap(), "mail.example.org");
        assert_eq!(host_name("[::1]:143").unwrap(), "::1");
        assert_eq!(host_name("[::1]").unwrap(), "::1");
    }
}
