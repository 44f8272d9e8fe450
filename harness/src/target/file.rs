//! Target files: TOML that says where a server is, who exists on it, and what it is known to do.

use std::collections::HashMap;
use std::path::Path;

use super::Endpoint;
use super::known::Known;
use super::password::{Origin, Passwords, origin};
use super::tls::{CERTIFICATE_FIELDS, TLS_FIELDS, certificate, tls_settings};
use crate::axes::{Protocol, Security};
use crate::identity::{Account, Directory, Domain, Mailbox, plain_octets};
use crate::scenario::Glob;
use crate::secret::Password;
use crate::source::{Field, Kind, Mistake, Mistakes, SourceText, Table, parse};
use crate::transport::{ClientCertificate, TlsSettings};

const ENDPOINT: &[Field] = &[
    Field::new("address", Kind::Text, "Host and port: mail.example.org:143."),
    Field::new("security", Kind::Word(Security::WORDS), "What protects the connection."),
];

const TLS_ENDPOINT: &[Field] = &[Field::new("address", Kind::Text, "Host and port: mail.example.org:993.")];

const ORIGIN: &[Field] = &[
    Field::new("env", Kind::Text, "An environment variable that holds it."),
    Field::new("file", Kind::Text, "A file whose first line holds it."),
    Field::new("command", Kind::Text, "A shell command that prints it."),
    Field::new("text", Kind::Text, "The secret itself: for fixtures only."),
];

/// The outcomes that a known deviation can name.
const OUTCOMES: &[&str] = &[
    "opened",
    "unbound",
    "rejected",
    "bad",
    "tls-failed",
    "not-offered",
    "closed",
    "no-answer",
    "garbled",
    "followed",
    "diverged",
];

/// What a target file may hold.
pub const TARGET_FIELDS: &[Field] = &[
    Field::new("name", Kind::Text, "What reports call the target."),
    Field::new("dialect", Kind::Text, "How it reads login names: a bundled dialect, or a file beside this one."),
    Field::new("imap", Kind::Table(ENDPOINT), "Where it speaks IMAP."),
    Field::new("imaps", Kind::Table(TLS_ENDPOINT), "Where it speaks IMAP over TLS from the first octet."),
    Field::new("pop3", Kind::Table(ENDPOINT), "Where it speaks POP3."),
    Field::new("pop3s", Kind::Table(TLS_ENDPOINT), "Where it speaks POP3 over TLS from the first octet."),
    Field::new("tls", Kind::Table(TLS_FIELDS), "How TLS is spoken to it."),
    Field::new(
        "account",
        Kind::Tables(&[
            Field::new("role", Kind::Text, "The role that the account plays in scenarios."),
            Field::new("domain", Kind::Text, "Its domain."),
            Field::new("dns", Kind::Text, "Its domain's DNS name, for user@domain."),
            Field::new("user", Kind::Text, "Its name."),
            Field::new("mailbox", Kind::Text, "Its own mailbox."),
            Field::new("may-open", Kind::Texts, "Other mailboxes that it may open."),
            Field::new("password", Kind::Table(ORIGIN), "Where the password comes from."),
            Field::new("token", Kind::Table(ORIGIN), "Where the bearer token comes from (XOAUTH2, OAUTHBEARER)."),
            Field::new("certificate", Kind::Table(CERTIFICATE_FIELDS), "Its client certificate (SASL EXTERNAL)."),
        ]),
        "The accounts that exist there, by role.",
    ),
    Field::new(
        "known",
        Kind::Tables(&[
            Field::new("case", Kind::Text, "The ids that the record covers, as a glob."),
            Field::new("outcome", Kind::Word(OUTCOMES), "What happens instead."),
            Field::new("reason", Kind::Text, "Why, and where it is tracked."),
        ]),
        "Known deviations.",
    ),
];

/// What a target file says.
#[derive(Debug)]
pub struct TargetFile {
    /// What reports call the target.
    pub name: String,
    /// The dialect's name or file.
    pub dialect: String,
    /// Where it listens; the first of a protocol is where cases go that ask for no security.
    pub endpoints: Vec<Endpoint>,
    /// How TLS is spoken to it.
    pub tls: TlsSettings,
    /// The client certificates of roles.
    pub certificates: HashMap<String, ClientCertificate>,
    /// Who exists there.
    pub directory: Directory,
    /// What it is known to do otherwise.
    pub known: Vec<Known>,
}

/// Why a target file is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetFileError {
    /// It has mistakes.
    #[error("{0}")]
    Mistakes(#[from] Mistakes),
    /// A password or a token could not be had.
    #[error("failed to get the {what} of the role `{role}`: {reason}")]
    Password {
        /// Which of them.
        what: &'static str,
        /// The role.
        role: String,
        /// Why.
        reason: String,
    },
}

/// Reads a target file. `place` is the folder against which relative paths in it are meant.
///
/// With `needs_address` false, the addresses may be left out: a container's are known only once it runs.
pub fn read_target(
    source: &SourceText,
    place: &Path,
    passwords: Passwords,
    needs_address: bool,
) -> Result<TargetFile, TargetFileError> {
    let mut source = source.clone();
    source.holds_secrets = true;
    let (mut file, origins) = parse(&source, TARGET_FIELDS, |table| target(table, place, needs_address))
        .map_err(|list| Mistakes::new(source.clone(), list))?;
    if file.dialect.ends_with(".toml") && Path::new(&file.dialect).is_relative() {
        file.dialect = place.join(&file.dialect).display().to_string();
    }
    if passwords == Passwords::Fetch {
        for (account, origins) in file.directory.accounts.iter_mut().zip(origins) {
            let failed = |what| {
                let role = account.role.clone();
                move |reason| TargetFileError::Password { what, role, reason }
            };
            let (no_password, no_token) = (failed("password"), failed("token"));
            account.password = origins.password.fetch(place).map_err(no_password)?;
            account.token = origins.token.map(|token| token.fetch(place)).transpose().map_err(no_token)?;
        }
    }
    Ok(file)
}

/// Where an account's secrets come from.
struct Origins {
    password: Origin,
    token: Option<Origin>,
}

fn target(table: &Table<'_>, place: &Path, needs_address: bool) -> Option<(TargetFile, Vec<Origins>)> {
    let name = table.required_text("name");
    let dialect = table.required_text("dialect");
    let listens = [
        ("imap", Protocol::Imap, None),
        ("imaps", Protocol::Imap, Some(Security::Tls)),
        ("pop3", Protocol::Pop3, None),
        ("pop3s", Protocol::Pop3, Some(Security::Tls)),
    ];
    let endpoint = |(name, protocol, security)| endpoint(&table.table(name)?, protocol, security, needs_address);
    let endpoints = listens.into_iter().filter_map(endpoint).collect();
    if needs_address && !listens.iter().any(|(name, ..)| table.has(name)) {
        table.mistake(
            Mistake::new(table.span(), "the target speaks neither IMAP nor POP3", "no [imap] and no [pop3]")
                .with_help("say where it is: [imap] with address = \"mail.example.org:143\""),
        );
    }
    let tls = table.table("tls").map(|inner| tls_settings(&inner, place)).unwrap_or_default();
    let mut directory = Directory::default();
    let mut certificates = HashMap::new();
    let mut origins = Vec::new();
    for account in table.tables("account") {
        let certificate = account.table("certificate").and_then(|inner| certificate(&inner, place));
        if let Some((account, domain, origin)) = read_account(&account, &directory) {
            if !directory.domains.iter().any(|known| known.name == domain.name) {
                directory.domains.push(domain);
            }
            if let Some(certificate) = certificate {
                certificates.insert(account.role.clone(), certificate);
            }
            directory.accounts.push(account);
            origins.push(origin);
        }
    }
    for account in &directory.accounts {
        for name in account.mailbox.iter().chain(&account.may_open) {
            if !directory.mailboxes.iter().any(|mailbox| mailbox.name == *name) {
                directory.mailboxes.push(Mailbox {
                    role: None,
                    name: name.clone(),
                    aliases: Vec::new(),
                    elsewhere: false,
                });
            }
        }
    }
    let known = table.tables("known").iter().filter_map(known).collect();
    let (name, dialect) = (name?.value, dialect?.value);
    Some((TargetFile { name, dialect, endpoints, tls, certificates, directory, known }, origins))
}

/// One endpoint; `always` is the security that its table stands for, where that is settled.
fn endpoint(table: &Table<'_>, protocol: Protocol, always: Option<Security>, needs_address: bool) -> Option<Endpoint> {
    let address = if needs_address { table.required_text("address") } else { table.text("address") };
    if let Some(text) = &address {
        let port = text.value.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if !port.is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0)) {
            table.mistake(
                Mistake::new(text.span.clone(), format!("`{}` is not a host and a port", text.value), "here")
                    .with_help("for example: address = \"mail.example.org:143\", or \"[::1]:143\""),
            );
        }
    }
    let security = always.or_else(|| table.word("security", Security::from_word)).unwrap_or(Security::Plaintext);
    Some(Endpoint { protocol, address: address.map(|text| text.value).unwrap_or_default(), security })
}

fn read_account(table: &Table<'_>, directory: &Directory) -> Option<(Account, Domain, Origins)> {
    let role = table.required_text("role");
    let user = table.required_text("user").and_then(|text| plain_octets(table, &text));
    let octets = |name| table.text(name).and_then(|text| plain_octets(table, &text));
    if let Some(role) = &role
        && directory.role(&role.value).is_some()
    {
        let reason = format!("the role `{}` is given twice", role.value);
        table.mistake(Mistake::new(role.span.clone(), reason, "each role is played once"));
    }
    let password = if table.has("password") {
        table.table("password").and_then(|inner| origin(&inner, "password"))
    } else {
        table.mistake(
            Mistake::new(table.span(), "missing field `password`", "it belongs here")
                .with_help("for example: password = { env = \"USER1_PASSWORD\" }"),
        );
        None
    };
    let domain = octets("domain").unwrap_or_default();
    let may_open = table.texts("may-open").map(|list| list.texts).unwrap_or_default();
    let account = Account {
        role: role?.value,
        domain: domain.clone(),
        user: user?,
        password: Password::new(Vec::new()),
        token: None,
        mailbox: octets("mailbox"),
        may_open: may_open.iter().filter_map(|text| plain_octets(table, text)).collect(),
        disabled: false,
        master: false,
    };
    let token = table.table("token").and_then(|inner| origin(&inner, "token"));
    Some((account, Domain { name: domain, dns: octets("dns") }, Origins { password: password?, token }))
}

fn known(table: &Table<'_>) -> Option<Known> {
    let case = table.required_text("case");
    let reason = table.required_text("reason");
    let outcome = table
        .required_text("outcome")
        .and_then(|_| table.word("outcome", |word| OUTCOMES.contains(&word).then(|| word.to_string())));
    Some(Known { case: Glob::new(case?.value), outcome: outcome?, reason: reason?.value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TargetFile, String> {
        read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Fetch, true)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_sound_file_is_taken() {
        let file = read(
            "name = 'staging'\ndialect = 'dovecot'\n[imap]\naddress = 'mail.example.org:143'\n[[account]]\n\
             role = 'renamed'\ndomain = 'Domain1'\nuser = 'User1'\nmailbox = 'Mailbox1'\n\
             password = { command = 'echo pw; echo more' }\n",
        )
        .expect("sound");
        let account = &file.directory.accounts[0];
        assert_eq!(account.password.expose(), b"pw");
        assert_eq!(file.directory.home(), b"Domain1");
        assert_eq!(file.endpoints.len(), 1);
    }

    #[test]
    fn mistakes_never_show_a_password() {
        let error = read(
            "name = 'x'\ndialect = 'opaque'\nimap = 3\n[[account]]\nrole = 'same'\nuser = 'a'\n\
             password = { text = 'geheim', env = 'B' }\n",
        )
        .expect_err("mistakes");
        assert!(error.contains("a password comes from one of"), "{error}");
        assert!(error.contains("`imap` must be a table"), "{error}");
        assert!(!error.contains("geheim"), "{error}");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = read(
            "name = 'x'\ndialect = 'opaque'\n[imap]\naddress = 'h:1'\n[[account]]\nrole = 'same'\nuser = 'a'\n\
             password = { env = 'LOGINSPEC_NO_SUCH_VARIABLE' }\n",
        )
        .expect_err("missing");
        assert!(error.ends_with("the environment variable LOGINSPEC_NO_SUCH_VARIABLE is not set"), "{error}");
    }
}
