//! The target file that `init` writes, with comments for people.

use std::fmt::Write as _;
use std::path::Path;

use super::exit_code::CliError;
use super::quick::WireArgs;
use crate::axes::Security;
use crate::identity::{RecognizedDialect, escape};
use crate::runner::Discovery;
use crate::target::{Date, Origin};
use crate::transport::TlsVersion;

/// What a target file is written from.
pub(super) struct Described<'d> {
    /// The target's name.
    pub name: &'d str,
    /// The command that wrote it.
    pub command: String,
    /// How login names are read, and the account's fields.
    pub dialect: &'d RecognizedDialect,
    /// What was found out.
    pub discovery: &'d Discovery,
    /// Where the password comes from.
    pub password: &'d Origin,
    /// How TLS was spoken.
    pub wire: &'d WireArgs,
}

/// The file's text.
///
/// # Errors
///
/// A file that the command line names has no absolute path.
pub(super) fn text(described: &Described<'_>) -> Result<String, CliError> {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# Written by `{}` on {}.", one_line(&described.command), Date::today());
    text.push_str(
        "# `loginspec check FILE` shows mistakes and login names, `loginspec schema target` has every field.\n\n",
    );
    let _ = writeln!(text, "name    = {}", quoted(described.name));
    let why = match described.dialect.word {
        Some(word) => format!("the server calls itself {word}"),
        None => "the whole login name is the account; `loginspec explain NAME` compares dialects".to_string(),
    };
    let _ = writeln!(text, "dialect = {} # {why}\n", quoted(&described.dialect.dialect));
    text.push_str(&endpoints(described.discovery));
    text.push_str(&tls(described.wire)?);
    text.push_str(&account(described)?);
    text.push_str(&limits(described.discovery));
    Ok(text)
}

fn endpoints(discovery: &Discovery) -> String {
    let mut text = String::new();
    let mut written = Vec::new();
    for found in &discovery.endpoints {
        let endpoint = &found.endpoint;
        let is_tls = endpoint.security == Security::Tls;
        let table = format!("{}{}", endpoint.protocol, if is_tls { "s" } else { "" });
        if written.contains(&table) {
            continue;
        }
        let _ = writeln!(text, "[{table}]\naddress  = {}", quoted(&endpoint.address));
        if !is_tls {
            let _ = writeln!(text, "security = {}", quoted(endpoint.security.word()));
        }
        text.push('\n');
        written.push(table);
    }
    for reason in &discovery.left_out {
        let _ = writeln!(text, "# Not used: {}\n", one_line(reason));
    }
    text
}

fn tls(wire: &WireArgs) -> Result<String, CliError> {
    let mut fields = String::new();
    if let Some(ca) = &wire.ca {
        let _ = writeln!(fields, "ca = {}", quoted(&absolute(ca)?));
    }
    if let Some(name) = &wire.server_name {
        let _ = writeln!(fields, "server-name = {}", quoted(name));
    }
    for (field, version) in [("oldest", wire.tls_oldest), ("newest", wire.tls_newest)] {
        if let Some(version) = version {
            let word = if version == TlsVersion::Tls12 { "1.2" } else { "1.3" };
            let _ = writeln!(fields, "{field} = {}", quoted(word));
        }
    }
    if wire.insecure {
        fields.push_str("verify = false # any server can pose as this one and read the passwords; `ca` is better\n");
    }
    Ok(if fields.is_empty() { fields } else { format!("[tls]\n{fields}\n") })
}

fn account(described: &Described<'_>) -> Result<String, CliError> {
    let RecognizedDialect { user, domain, dns, mailbox, .. } = described.dialect;
    let mut text = String::from(
        "# Most cases need no other role. More accounts: `loginspec check` knows the roles.\n[[account]]\n",
    );
    let mut field = |name: &str, value: &[u8]| {
        let _ = writeln!(text, "{name:<8} = {}", quoted(&escape(value)));
    };
    field("role", b"same");
    field("user", user);
    if let Some(domain) = domain {
        field("domain", domain);
    }
    if let Some(dns) = dns {
        field("dns", dns);
    }
    field("mailbox", mailbox);
    let from = match described.password {
        Origin::Env(name) => format!("env = {}", quoted(name)),
        Origin::File(path) => format!("file = {}", quoted(&absolute(path)?)),
        Origin::Command(command) => format!("command = {}", quoted(command)),
        Origin::Prompt | Origin::Text(_) => "prompt = true".to_string(),
    };
    let _ = writeln!(text, "password = {{ {from} }}\n");
    Ok(text)
}

fn limits(discovery: &Discovery) -> String {
    let mut text = String::from("[limits]\n");
    if let Some(refusal) = discovery.refusal {
        let _ = writeln!(
            text,
            "# A login with a name that no account has was refused after {:.2} s.",
            refusal.as_secs_f64()
        );
    }
    text.push_str(
        "# Wrong passwords in a row that one account gets before a good login; one less than what locks it.\n\
         # wrong-passwords = 3\n# The server never locks an account, and the run need not take care of that.\n\
         # no-lockout = true\n",
    );
    match discovery.one_session_per_mailbox {
        Some(true) => text.push_str(
            "# A second POP3 session was refused while the mailbox was open.\none-session-per-mailbox = true\n",
        ),
        Some(false) => text.push_str("# A second POP3 session opened the mailbox while it was open.\n"),
        None => {}
    }
    text
}

/// The whole path: the target file may lie in another folder than the one where the command was given.
fn absolute(path: &Path) -> Result<String, CliError> {
    let absolute = std::path::absolute(path)?;
    absolute
        .to_str()
        .map(str::to_string)
        .ok_or_else(|| CliError::Usage(format!("{} is not UTF-8, so a target file cannot name it", absolute.display())))
}

/// A TOML string: a literal one, which keeps every backslash, unless it holds a quote.
fn quoted(text: &str) -> String {
    if !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// A text for a comment.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_again_as_they_were() {
        for text in [r"CORP\jdoe", "it's \"quoted\" \\ and\u{7}", "plain", "ä"] {
            let document = format!("x = {}", quoted(text));
            let table = toml::de::DeTable::parse(&document).unwrap();
            let value = table.get_ref().values().next().unwrap().get_ref().as_str().unwrap().to_string();
            assert_eq!(value, text);
        }
    }
}
