//! `loginspec explain`: how each dialect reads a login name, in plain words or as JSON.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::exit_code::{CliError, ExitStatus};
use super::reading;
use crate::axes::{Mechanism, Protocol};
use crate::identity::{
    Access, Account, Assumption, Cause, Dialect, Directory, Part, Reading, Readings, Resolution, Verdict, advise,
    bundled_dialect_names, resolve, resolve_reading,
};
use crate::target::find_dialect;

/// Explain how each dialect reads a login name, what it assumes, what would open, and what to type instead.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The login name. In single quotes the shell keeps its backslashes: 'Domain1\User1'.
    name: OsString,
    /// Only this dialect: a bundled one or a FILE.toml.
    #[arg(long, short, value_name = "DIALECT")]
    dialect: Option<String>,
    /// Only over this protocol: imap or pop3.
    #[arg(long, value_name = "PROTOCOL", value_parser = protocol)]
    protocol: Option<Protocol>,
    /// Only with this mechanism: login, plain, sasl-login, ntlm or xoauth2.
    #[arg(long, value_name = "MECHANISM", value_parser = mechanism)]
    mechanism: Option<Mechanism>,
    /// Who exists [default: the bundled directory].
    #[arg(long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// Print one JSON object per dialect.
    #[arg(long)]
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
    Mechanism::from_word(word).ok_or_else(|| "expected login, plain, sasl-login, ntlm or xoauth2".to_string())
}

/// The ways in which a name can reach such a server, the plainest first.
fn accesses(dialect: &Dialect, args: &ExplainArgs) -> Vec<Access> {
    // Nobody types a login name for NTLM or OAuth; those are explained when asked for, or where there is nothing else.
    let typed: Vec<Mechanism> = dialect.mechanisms.iter().copied().filter(|mechanism| mechanism.is_spoken()).collect();
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
    if let Some(advice) = advice(&readings, &resolution, dialect, directory, access, name) {
        line("type instead", &advice);
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

/// What to type instead, where that leaves less to the server.
fn advice(
    readings: &Readings<'_, '_>,
    resolution: &Resolution<'_>,
    dialect: &Dialect,
    directory: &Directory,
    access: Access,
    name: &[u8],
) -> Option<String> {
    let assumes = readings.chosen().is_none_or(|reading| reading.assumptions().next().is_some());
    if resolution.opens.is_ok() && !assumes {
        return None;
    }
    let account = resolution.account.or_else(|| meant(readings, dialect, directory, name));
    if let Some(account) = account.filter(|account| !account.disabled) {
        let (form, advised) = advise(dialect, directory, account, access)?;
        if advised == name {
            return None;
        }
        return Some(format!("{}  ({form})", shown(&advised)));
    }
    // Nobody whom we know: the form alone, shown by the role whose parts all differ.
    let example = directory.accounts.iter().find(|account| account.role == "renamed")?;
    let (form, _) = advise(dialect, directory, example, access)?;
    Some(form.to_string())
}

/// The account that was probably meant where the server finds none: by any reading, or by any part of the name.
fn meant<'d>(
    readings: &Readings<'_, '_>,
    dialect: &Dialect,
    directory: &'d Directory,
    name: &[u8],
) -> Option<&'d Account> {
    let by_reading = readings.iter().find_map(|reading| resolve_reading(dialect, directory, reading).account);
    if by_reading.is_some() {
        return by_reading;
    }
    let words: Vec<&[u8]> = name.split(|octet| br"\/@%*".contains(octet)).collect();
    let is_word = |octets: &[u8]| words.iter().any(|word| word.eq_ignore_ascii_case(octets));
    let by = |part: fn(&Account) -> Option<&[u8]>| {
        directory.accounts.iter().find(|account| part(account).is_some_and(&is_word))
    };
    by(|account| account.mailbox.as_deref()).or_else(|| by(|account| Some(&account.user)))
}

/// Octets for people: as they are where that is harmless.
fn shown(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok("") => "(nothing)".to_string(),
        Ok(text) if !text.chars().any(char::is_control) => format!("`{text}`"),
        _ => format!("`{}`", octets.escape_ascii()),
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Explanation {
    name: String,
    dialect: String,
    protocol: &'static str,
    mechanism: &'static str,
    readings: Vec<ReadingObject>,
    rejected: Option<String>,
    unspecified: Option<String>,
    opens: Option<String>,
    fails: Option<&'static str>,
    instead: Option<String>,
}

#[derive(Serialize)]
struct ReadingObject {
    domain: Option<String>,
    user: Option<String>,
    mailbox: Option<String>,
    master: Option<String>,
    detail: Option<String>,
    assumed: Vec<&'static str>,
    form: String,
    cites: Vec<String>,
    confidence: &'static str,
}

fn object(name: &[u8], dialect: &Dialect, directory: &Directory, access: Access) -> Explanation {
    let (readings, resolution) = resolve(dialect, directory, name, access);
    let reading = |reading: &Reading<'_, '_>| {
        let part = |part| reading.part(part, directory.home()).map(text);
        ReadingObject {
            domain: part(Part::Domain),
            user: part(Part::User),
            mailbox: part(Part::Mailbox),
            master: part(Part::Master),
            detail: part(Part::Detail),
            assumed: reading.assumptions().map(|assumption| assumption.part().word()).collect(),
            form: reading.form().to_string(),
            cites: reading.source().cites.clone(),
            confidence: reading.source().confidence.word(),
        }
    };
    let (rejected, unspecified) = match readings.verdict {
        Verdict::Read => (None, None),
        Verdict::Refused { reason, .. } => (Some(reason.to_string()), None),
        Verdict::Unspecified { reason, .. } => (None, Some(reason.to_string())),
    };
    Explanation {
        name: text(name),
        dialect: dialect.name.clone(),
        protocol: access.protocol.word(),
        mechanism: access.mechanism.word(),
        readings: readings.iter().map(reading).collect(),
        rejected,
        unspecified,
        opens: resolution.opens.ok().map(text),
        fails: resolution.opens.err().map(Cause::word),
        instead: advice(&readings, &resolution, dialect, directory, access, name),
    }
}

/// JSON has no octets: what is UTF-8 stays as it is, the rest is made visible.
fn text(octets: &[u8]) -> String {
    std::str::from_utf8(octets).map_or_else(|_| octets.escape_ascii().to_string(), str::to_string)
}
