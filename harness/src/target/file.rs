//! Target files: TOML that says where a server is, who exists on it, and what it is known to do.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::Endpoint;
use super::account::{
    ACCOUNT_FIELDS, MAILBOX_FIELDS, Origins, RoleSpans, add_named_mailboxes, read_account, read_mailbox, role_spans,
};
use super::expect::{Draft, EXPECT_FIELDS, TargetExpectations, read_expect};
use super::known::{KNOWN_FIELDS, Records, read_known};
use super::limits::{LIMIT_FIELDS, Limits, limits};
use super::password::{Origin, Passwords, Placed};
use super::tls::{TLS_FIELDS, certificate, tls_settings};
use crate::axes::{Protocol, Security};
use crate::identity::Directory;
use crate::secret::Password;
use crate::source::{Field, Kind, Mistake, Mistakes, SourceText, Table, parse};
use crate::transport::{ClientCertificate, TlsSettings};

const ENDPOINT: &[Field] = &[
    Field::new("address", Kind::Text, "Host and port: mail.example.org:143."),
    Field::new(
        "security",
        Kind::Word(Security::WORDS),
        "What protects the connection; starttls where it is left out. What is declared must be there.",
    ),
];

const TLS_ENDPOINT: &[Field] = &[Field::new("address", Kind::Text, "Host and port: mail.example.org:993.")];

/// What a target file may hold.
pub const TARGET_FIELDS: &[Field] = &[
    Field::new("name", Kind::Text, "What reports call the target."),
    Field::new("about", Kind::Text, "What it is, in a line."),
    Field::new("dialect", Kind::Text, "How it reads login names: a bundled dialect, or a file beside this one."),
    Field::new("imap", Kind::Table(ENDPOINT), "Where it speaks IMAP."),
    Field::new("imaps", Kind::Table(TLS_ENDPOINT), "Where it speaks IMAP over TLS from the first octet."),
    Field::new("pop3", Kind::Table(ENDPOINT), "Where it speaks POP3."),
    Field::new("pop3s", Kind::Table(TLS_ENDPOINT), "Where it speaks POP3 over TLS from the first octet."),
    Field::new("tls", Kind::Table(TLS_FIELDS), "How TLS is spoken to it."),
    Field::new(
        "lacks",
        Kind::Texts,
        "Capabilities that it is known not to have, whatever it says: AUTH=NTLM, STARTTLS.",
    ),
    Field::new("limits", Kind::Table(LIMIT_FIELDS), "What it puts up with."),
    Field::new("account", Kind::Tables(ACCOUNT_FIELDS), "The accounts that exist there, by role."),
    Field::new(
        "mailbox",
        Kind::Tables(MAILBOX_FIELDS),
        "Mailboxes that need more than the name which an account gives.",
    ),
    Field::new(
        "expect",
        Kind::Table(EXPECT_FIELDS),
        "What the server must show besides the cases, and the skips that are known; `run --accept` writes it.",
    ),
    Field::new("known", Kind::Tables(KNOWN_FIELDS), "Known deviations."),
];

/// What a target file says.
#[derive(Debug)]
pub struct TargetFile {
    /// What reports call the target.
    pub name: String,
    /// What it is, in a line.
    pub about: String,
    /// The dialect's name or file.
    pub dialect: String,
    /// Where it listens; the first of a protocol is where cases go that ask for no security.
    pub endpoints: Vec<Endpoint>,
    /// How TLS is spoken to it.
    pub tls: TlsSettings,
    /// Where the passwords of roles come from.
    pub origins: HashMap<String, Origin>,
    /// The client certificates of roles.
    pub certificates: HashMap<String, ClientCertificate>,
    /// Capabilities that it is known not to have, in upper case.
    pub lacks: Vec<String>,
    /// What it puts up with.
    pub limits: Limits,
    /// Who exists there.
    pub directory: Directory,
    /// Where the roles stand in the file.
    pub roles: Vec<RoleSpans>,
    /// What it is known to do otherwise.
    pub known: Records,
    /// What it is expected to show besides the cases, and the skip baseline.
    pub expect: TargetExpectations,
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
    source.fields_with_secrets = Some(TARGET_FIELDS);
    let (mut file, expect, secrets) = parse(&source, TARGET_FIELDS, |table| target(table, place, needs_address))
        .map_err(|list| Mistakes::new(source.clone(), list))?;
    let source = Arc::new(source);
    file.expect = expect.with_source(&source);
    file.known.source = Some(Arc::clone(&source));
    if file.dialect.ends_with(".toml") && Path::new(&file.dialect).is_relative() {
        file.dialect = place.join(&file.dialect).display().to_string();
    }
    for (account, origins) in file.directory.accounts.iter().zip(&secrets) {
        file.origins.insert(account.role.clone(), origins.password.origin.clone());
    }
    if passwords == Passwords::Ignore {
        // An account that has a token can be asked what needs one, whatever the token is.
        for (account, origins) in file.directory.accounts.iter_mut().zip(secrets) {
            account.token = origins.token.map(|_| Password::new(Vec::new()));
        }
    } else {
        let mut mistakes = Vec::new();
        for (account, origins) in file.directory.accounts.iter_mut().zip(secrets) {
            let role = &account.role;
            let mut fetch = |Placed { origin, span }: Placed, what| match origin.fetch(
                place,
                what,
                &format!("the role `{role}`"),
            ) {
                Ok(secret) => Ok(secret),
                Err(error) => match error.into_mistake(what, span) {
                    Ok(mistake) => {
                        mistakes.push(mistake);
                        Ok(Password::new(Vec::new()))
                    }
                    Err(error) => {
                        let reason = error.to_string();
                        Err(TargetFileError::Password { what, role: role.clone(), reason })
                    }
                },
            };
            account.password = fetch(origins.password, "password")?;
            account.token = origins.token.map(|token| fetch(token, "token")).transpose()?;
        }
        if !mistakes.is_empty() {
            return Err(Mistakes::new(SourceText::clone(&source), mistakes).into());
        }
    }
    Ok(file)
}

fn target(table: &Table<'_>, place: &Path, needs_address: bool) -> Option<(TargetFile, Draft, Vec<Origins>)> {
    let name = table.required_text("name");
    let dialect = table.required_text("dialect");
    let listens = [
        ("imap", Protocol::Imap, None),
        ("imaps", Protocol::Imap, Some(Security::Tls)),
        ("pop3", Protocol::Pop3, None),
        ("pop3s", Protocol::Pop3, Some(Security::Tls)),
    ];
    let endpoint = |(name, protocol, security)| endpoint(&table.table(name)?, protocol, security, needs_address);
    let endpoints: Vec<Endpoint> = listens.into_iter().filter_map(endpoint).collect();
    let draft = table.table("expect").map(|inner| read_expect(&inner, &endpoints)).unwrap_or_default();
    if needs_address && !listens.iter().any(|(name, ..)| table.has(name)) {
        table.mistake(
            Mistake::new(table.span(), "the target speaks neither IMAP nor POP3", "no [imap] and no [pop3]")
                .with_help("say where it is: [imap] with address = \"mail.example.org:143\""),
        );
    }
    let tls = table.table("tls").map(|inner| tls_settings(&inner, place)).unwrap_or_default();
    let lacks = table.texts("lacks").map(|list| list.texts).unwrap_or_default();
    let lacks = lacks.into_iter().map(|text| text.value.to_ascii_uppercase()).collect();
    let limits = table.table("limits").map(|inner| limits(&inner)).unwrap_or_default();
    let mailbox_tables = table.tables("mailbox");
    let mailboxes = mailbox_tables.iter().filter_map(read_mailbox).collect();
    let mut roles: Vec<RoleSpans> = mailbox_tables.iter().filter_map(role_spans).collect();
    let mut directory = Directory { mailboxes, ..Directory::default() };
    let mut certificates = HashMap::new();
    let mut origins = Vec::new();
    for account in table.tables("account") {
        roles.extend(role_spans(&account));
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
    add_named_mailboxes(&mut directory);
    let list = table.tables("known").iter().filter_map(read_known).collect();
    let known = Records { list, source: None };
    let (name, dialect) = (name?.value, dialect?.value);
    let about = table.text("about").map(|text| text.value).unwrap_or_default();
    let file = TargetFile {
        name,
        about,
        dialect,
        endpoints,
        tls,
        origins: HashMap::new(),
        certificates,
        lacks,
        limits,
        directory,
        roles,
        known,
        expect: TargetExpectations::default(),
    };
    Some((file, draft, origins))
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
    // A password travels in plaintext only where someone asks for it, on this machine too.
    let security = always.or_else(|| table.word("security", Security::from_word)).unwrap_or(Security::Starttls);
    Some(Endpoint { protocol, address: address.map(|text| text.value).unwrap_or_default(), security })
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
             password = { command = 'echo Secret; echo more' }\n",
        )
        .expect("sound");
        let account = &file.directory.accounts[0];
        assert_eq!(account.password.expose(), b"Secret");
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
    fn a_password_that_is_too_short_is_shown_where_it_comes_from() {
        let error = read(
            "name = 'x'\ndialect = 'opaque'\n[imap]\naddress = 'h:1'\n[[account]]\nrole = 'same'\nuser = 'a'\n\
             password = { command = 'echo pw' }\ntoken = { command = 'echo t' }\n",
        )
        .expect_err("too short");
        assert!(error.contains("--> t.toml:8:24") && error.contains("--> t.toml:9:21"), "{error}");
        assert!(error.contains("the password cannot be used: it has only 2 octets"), "{error}");
        assert!(error.contains("the token cannot be used: it has only 1 octet,"), "{error}");
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
