//! `loginspec serve`: the reference server, for people who write mail clients.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::exit_code::{CliError, ExitStatus};
use super::help::{self, REFERENCE, TLS};
use super::reading;
use super::run::{flaw_parser, watch_for_interrupt};
use crate::axes::{Mechanism, Protocol};
use crate::identity::{Access, Dialect, Directory, advise};
use crate::reference::{Certificates, Config, Flaw, Server, ServerTls};
use crate::target::find_dialect;

/// Run the reference server until interrupted; prints its addresses and accounts.
#[derive(Debug, Args)]
#[command(after_help = help::SERVE)]
pub(super) struct ServeArgs {
    /// How it reads login names: a bundled dialect or a FILE.toml.
    #[arg(help_heading = REFERENCE, long, short, value_name = "DIALECT", default_value = "exchange-5.5")]
    dialect: String,
    /// Address for IMAP [default: a free port of 127.0.0.1].
    #[arg(help_heading = REFERENCE, long, value_name = "ADDR:PORT")]
    imap: Option<SocketAddr>,
    /// Address for POP3 [default: a free port of 127.0.0.1].
    #[arg(help_heading = REFERENCE, long, value_name = "ADDR:PORT")]
    pop3: Option<SocketAddr>,
    /// Address for IMAP with TLS from the first octet [default: a free port of 127.0.0.1].
    #[arg(help_heading = REFERENCE, long, value_name = "ADDR:PORT")]
    imaps: Option<SocketAddr>,
    /// Address for POP3 with TLS from the first octet [default: a free port of 127.0.0.1].
    #[arg(help_heading = REFERENCE, long, value_name = "ADDR:PORT")]
    pop3s: Option<SocketAddr>,
    /// Accept passwords within TLS only.
    #[arg(help_heading = TLS, long)]
    require_tls: bool,
    /// Write the certificate that clients have to trust, in PEM.
    #[arg(help_heading = TLS, long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The accounts that exist, as a directory file [default: the bundled directory].
    #[arg(help_heading = REFERENCE, long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// Give it a flaw, by name. May be given several times.
    #[arg(help_heading = REFERENCE, long, value_name = "NAME", value_parser = flaw_parser())]
    flaw: Vec<Flaw>,
}

pub(super) fn serve(args: ServeArgs) -> Result<ExitStatus, CliError> {
    let dialect = find_dialect(&args.dialect)?;
    let directory = reading::directory(args.directory.as_ref())?;
    let flaws = args.flaw.iter().copied().collect();
    let described = describe(&dialect, &directory);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = watch_for_interrupt()?;
        let name = format!("reference:{}", dialect.name);
        let start = |error: io::Error| CliError::Start { name: name.clone(), reason: error.to_string() };
        let certificates = Certificates::shared().map_err(start)?;
        if let Some(path) = &args.ca_file {
            // Before anybody can connect, so that whoever waits for a port finds the file.
            std::fs::write(path, certificates.ca_pem())
                .map_err(|error| CliError::Report { name: path.display().to_string(), source: error })?;
        }
        let config = Config {
            flaws,
            imap: args.imap,
            pop3: args.pop3,
            imaps: args.imaps,
            pop3s: args.pop3s,
            tls: Some(ServerTls::new(certificates).map_err(start)?),
            requires_tls: args.require_tls,
            ..Config::new(dialect, directory)
        };
        let server = Server::start(config).map_err(start)?;
        let mut out = io::stdout().lock();
        writeln!(out, "{name}")?;
        let addresses =
            [("imap", server.imap()), ("pop3", server.pop3()), ("imaps", server.imaps()), ("pop3s", server.pop3s())];
        for (name, address) in addresses {
            if let Some(address) = address {
                writeln!(out, "{name} {address}")?;
            }
        }
        write!(out, "\n{described}\nCtrl-C ends it.\n")?;
        out.flush()?;
        drop(out);
        // An error means that nobody can interrupt us any more: then it runs until it is killed.
        if interrupt.wait_for(|&is_set| is_set).await.is_err() {
            std::future::pending::<()>().await;
        }
        server.stop().await;
        Ok(ExitStatus::Success)
    })
}

/// The accounts, as a table: what each is for, its password, and the login name that says most.
fn describe(dialect: &Dialect, directory: &Directory) -> String {
    let protocol = dialect.protocols.first().copied().unwrap_or(Protocol::Imap);
    let mechanism = dialect.mechanisms.first().copied().unwrap_or(Mechanism::Login);
    let mut rows = vec![["role", "login name", "password", "opens"].map(str::to_string)];
    for account in &directory.accounts {
        let advised = advise(dialect, directory, account, Access { protocol, mechanism });
        let (name, opens) = match (&advised, &account.mailbox) {
            _ if account.disabled => ("(disabled)".to_string(), "-".to_string()),
            (Some((_, name)), Some(mailbox)) => (shown(name), shown(mailbox)),
            _ => ("(no login name opens a mailbox)".to_string(), "-".to_string()),
        };
        // Fixture passwords: whoever starts this server is to log in with them.
        rows.push([account.role.clone(), name, shown(account.password.expose()), opens]);
    }
    let width = |column: usize| {
        // One account has the longest names there are; it must not push all others apart.
        let lengths = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        lengths.filter(|&length| length <= 40).max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [role, name, password, opens] in &rows {
        text.push_str(&format!(
            "{role:<a$}  {name:<b$}  {password:<c$}  {opens}\n",
            a = widths[0],
            b = widths[1],
            c = widths[2]
        ));
    }
    text
}

fn shown(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_string(),
        _ => octets.escape_ascii().to_string(),
    }
}
