//! `loginspec explain`: how each dialect reads a login name, in plain words or as JSON.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::exit_code::{CliError, ExitStatus};
use super::explanation::object;
use super::help::{FILES, REPORTS, SELECTION};
use super::instead::{Instead, advice, shown};
use super::reading;
use crate::axes::{Mechanism, Protocol};
use crate::identity::{Access, Assumption, Dialect, Directory, Part, Reading, Verdict, bundled_dialect_names, resolve};
use crate::target::find_dialect;

/// Explain how each dialect reads a login name, what it assumes, what would open, and what to type instead.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The login name. Single quotes keep its backslashes from the shell: 'Domain1\User1'.
    name: OsString,
    /// Only this dialect: a bundled one or a FILE.toml.
    #[arg(help_heading = SELECTION, long, short, value_name = "DIALECT")]
    dialect: Option<String>,
    /// Only over this protocol: imap or pop3.
    #[arg(help_heading = SELECTION, long, value_name = "PROTOCOL", value_parser = protocol)]
    protocol: Option<Protocol>,
    /// Only with this mechanism: login, plain, sasl-login, ntlm or xoauth2.
    #[arg(help_heading = SELECTION, long, value_name = "MECHANISM", value_parser = mechanism)]
    mechanism: Option<Mechanism>,
    /// The accounts that exist, as a directory file [default: the bundled directory].
    #[arg(help_heading = FILES, long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// Print one JSON object per dialect.
    #[arg(help_heading = REPORTS, long)]
    json: bool,
}

pub(super) fn explain(args: ExplainArgs) -> Result<ExitStatus, CliError> {
    let name = args.name.as_encoded_bytes();
    let directory = reading::directory(args.directory.as_ref())?;
    let dialects = match &args.dialect {
        Some(dialect) => vec![find_dialect(dialect)?],
        None => bundled_dialect_names().map(find_dialect).collect::<Result<Vec<_>, _>>()?,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        for dialect in &dialects {
            if let Some(access) = accesses(dialect, &args).first() {
                serde_json::to_writer(&mut out, &object(name, dialect, &directory, *access))
                    .map_err(io::Error::from)?;
                writeln!(out)?;
            }
        }
    } else {
        writeln!(out, "{}", shown(name))?;
        for (labels, text) in grouped(name, &dialects, &directory, &args) {
            write!(out, "\n{}\n{text}", labels.join(", "))?;
        }
    }
    out.flush()?;
    Ok(ExitStatus::Success)
}

fn protocol(word: &str) -> Result<Protocol, String> {
    Protocol::from_word(word).ok_or_else(|| "expected imap or pop3".to_string())
}

fn mechanism(word: &str) -> Result<Mechanism, String> {
    Mechanism::from_word(word).ok_or_else(|| format!("expected one of {}", Mechanism::WORDS.join(", ")))
}

/// Whether somebody types the whole login name for it: NTLM takes it apart, and tokens say by themselves whose they are.
fn is_typed(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Login | Mechanism::Plain | Mechanism::SaslLogin)
}

/// The ways in which a name can reach such a server, the plainest first.
fn accesses(dialect: &Dialect, args: &ExplainArgs) -> Vec<Access> {
    // Nobody types a login name for NTLM or OAuth; those are explained when asked for, or where there is nothing else.
    let typed: Vec<Mechanism> = dialect.mechanisms.iter().copied().filter(|&mechanism| is_typed(mechanism)).collect();
    let mechanisms = if args.mechanism.is_some() || typed.is_empty() { &dialect.mechanisms } else { &typed };
    let mut found = Vec::new();
    for &protocol in dialect.protocols.iter().filter(|value| args.protocol.is_none_or(|wanted| wanted == **value)) {
        for &mechanism in mechanisms.iter().filter(|value| args.mechanism.is_none_or(|wanted| wanted == **value)) {
            found.push(Access { protocol, mechanism });
        }
    }
    found
}

/// Dialects that say the same, together.
fn grouped(name: &[u8], dialects: &[Dialect], directory: &Directory, args: &ExplainArgs) -> Vec<(Vec<String>, String)> {
    let mut groups: Vec<(Vec<String>, String)> = Vec::new();
    for dialect in dialects {
        let mut texts: Vec<(Vec<Access>, String)> = Vec::new();
        for access in accesses(dialect, args) {
            let mut text = in_words(name, dialect, directory, access);
            // Dialects that say the same rest on different sources: those are shown where one is asked for.
            if args.dialect.is_some() {
                text.push_str(&source_in_words(name, dialect, access));
            }
            match texts.iter_mut().find(|(_, known)| *known == text) {
                Some((accesses, _)) => accesses.push(access),
                None => texts.push((vec![access], text)),
            }
        }
        let is_uniform = texts.len() == 1;
        for (accesses, text) in texts {
            let label = if is_uniform { dialect.name.clone() } else { label(dialect, &accesses) };
            match groups.iter_mut().find(|(_, known)| *known == text) {
                Some((labels, _)) => labels.push(label),
                None => groups.push((vec![label], text)),
            }
        }
    }
    groups
}

/// `exchange-2007 (imap login, imap sasl-login)`, or shorter where a mechanism does the same over both protocols.
fn label(dialect: &Dialect, accesses: &[Access]) -> String {
    let mut words: Vec<String> = Vec::new();
    for access in accesses {
        let everywhere = dialect
            .protocols
            .iter()
            .all(|&protocol| accesses.contains(&Access { protocol, mechanism: access.mechanism }));
        let word =
            if everywhere { access.mechanism.to_string() } else { format!("{} {}", access.protocol, access.mechanism) };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    format!("{} ({})", dialect.name, words.join(", "))
}

fn in_words(name: &[u8], dialect: &Dialect, directory: &Directory, access: Access) -> String {
    let (readings, resolution) = resolve(dialect, directory, name, access);
    let mut text = String::new();
    let mut line = |head: &str, body: &str| text.push_str(&format!("  {head:<14}{body}\n"));
    match readings.verdict {
        Verdict::Refused { reason, .. } => line("refuses it", reason),
        Verdict::Unspecified { reason, .. } => {
            line("unknown", reason);
            for reading in readings.iter() {
                line("perhaps", &parts_in_words(reading));
            }
        }
        Verdict::Read => {
            for (index, reading) in readings.iter().enumerate() {
                line(if index == 0 { "reads" } else { "or perhaps" }, &parts_in_words(reading));
                for assumption in reading.assumptions() {
                    line("assumes", &assumption_in_words(assumption, reading, directory));
                }
                if index == 0 {
                    for assumption in reading.assumptions() {
                        line("goes wrong", &danger_in_words(assumption));
                    }
                }
            }
            if let Some(reason) = readings.ambiguous {
                line("ambiguous", reason);
            }
        }
    }
    match resolution.opens {
        Ok(mailbox) => line("opens", &format!("{} in the directory at hand", shown(mailbox))),
        Err(cause) if matches!(readings.verdict, Verdict::Read) => {
            line("opens", &format!("nothing in the directory at hand: {}", cause.reason()));
        }
        Err(_) => {}
    }
    match advice(&readings, &resolution, dialect, directory, access, name) {
        Some(Instead { form, name: Some(name) }) => line("type instead", &format!("{}  ({form})", shown(&name))),
        Some(Instead { form, name: None }) => line("type instead", form),
        None => {}
    }
    text
}

fn source_in_words(name: &[u8], dialect: &Dialect, access: Access) -> String {
    let readings = dialect.read(name, access);
    let source = match readings.verdict {
        Verdict::Read => readings.chosen().map(Reading::source),
        Verdict::Refused { source, .. } => Some(source),
        Verdict::Unspecified { source, .. } => source,
    };
    let Some(source) = source else { return String::new() };
    format!("  {:<14}{} ({})\n", "source", source.cites.join("; "), source.confidence.word())
}

fn parts_in_words(reading: &Reading<'_, '_>) -> String {
    let words: Vec<String> = Part::ALL
        .into_iter()
        .filter_map(|part| reading.named(part).map(|octets| format!("{} {}", part.word(), shown(octets))))
        .collect();
    words.join(", ")
}

fn assumption_in_words(assumption: Assumption, reading: &Reading<'_, '_>, directory: &Directory) -> String {
    let part = |part| shown(reading.part(part, directory.home()).unwrap_or_default());
    match assumption {
        Assumption::HomeDomain => {
            format!("that the domain is the server's own, here {}", part(Part::Domain))
        }
        Assumption::UserIsMailbox => format!("that the user is called {}, like the mailbox", part(Part::User)),
        Assumption::MailboxIsUser => format!("that the mailbox is called {}, like the user", part(Part::Mailbox)),
    }
}

fn danger_in_words(assumption: Assumption) -> String {
    match assumption {
        Assumption::HomeDomain => "when the account is in another domain: not found, or a namesake's at home",
        Assumption::UserIsMailbox => {
            "when the user is called otherwise than the mailbox: no such account, or somebody else's (KB Q184463)"
        }
        Assumption::MailboxIsUser => {
            "when the mailbox is called otherwise than the user: the login fails without a word, or opens another's"
        }
    }
    .to_string()
}
