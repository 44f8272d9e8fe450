//! Directory files: TOML to [`Directory`], with every mistake shown where it stands.

use super::dialect_file::plain_octets;
use super::directory::{Account, Directory, Domain, Mailbox};
use crate::secret::Password;
use crate::source::{Field, Kind, Mistake, Mistakes, SourceText, Table, Text, nearest, parse};

/// What a directory file may hold.
pub const DIRECTORY_FIELDS: &[Field] = &[
    Field::new("home", Kind::Text, "The server's own domain."),
    Field::new(
        "domain",
        Kind::Tables(&[
            Field::new("name", Kind::Text, "The domain's name."),
            Field::new("dns", Kind::Text, "Its DNS name, for user@domain."),
        ]),
        "The domains.",
    ),
    Field::new(
        "account",
        Kind::Tables(&[
            Field::new("role", Kind::Text, "The role that the account plays in scenarios."),
            Field::new("about", Kind::Text, "What the role tells apart."),
            Field::new("domain", Kind::Text, "The account's domain."),
            Field::new("user", Kind::Text, "The account's name."),
            Field::new("mailbox", Kind::Text, "Its own mailbox; left out where it has none."),
            Field::new(
                "password",
                Kind::Table(&[Field::new("text", Kind::Secret, "The password.")]),
                "For fixtures only.",
            ),
            Field::new("may-open", Kind::Texts, "Other mailboxes that the account may open."),
            Field::new("disabled", Kind::Flag, "Whether the account may not log in."),
            Field::new("master", Kind::Flag, "Whether the account may log in as anybody."),
        ]),
        "The accounts.",
    ),
    Field::new(
        "mailbox",
        Kind::Tables(&[
            Field::new("role", Kind::Text, "The role that the mailbox plays in scenarios, where no account does."),
            Field::new("about", Kind::Text, "What it is there for."),
            Field::new("name", Kind::Text, "The mailbox's name."),
            Field::new("aliases", Kind::Texts, "Other names for it."),
            Field::new("elsewhere", Kind::Flag, "Whether another server keeps it."),
        ]),
        "Mailboxes that need more than the name which an account gives.",
    ),
];

/// Reads a directory file.
pub fn read_directory(source: &SourceText) -> Result<Directory, Mistakes> {
    let mut source = source.clone();
    source.fields_with_secrets = Some(DIRECTORY_FIELDS);
    parse(&source, DIRECTORY_FIELDS, directory).map_err(|list| Mistakes::new(source, list))
}

fn directory(table: &Table<'_>) -> Option<Directory> {
    let mut directory = Directory::default();
    for domain in table.tables("domain") {
        let name = domain.required_text("name").and_then(|text| plain_octets(&domain, &text));
        let dns = domain.text("dns").and_then(|text| plain_octets(&domain, &text));
        directory.domains.extend(name.map(|name| Domain { name, dns }));
    }
    let home = table.required_text("home").and_then(|text| Some((plain_octets(table, &text)?, text)));
    if let Some((home, text)) = home {
        match directory.domains.iter().position(|domain| domain.name == home) {
            Some(at) => directory.domains.swap(0, at),
            None => no_such(table, &text, "domain", directory.domains.iter().map(|domain| &domain.name)),
        }
    }
    for mailbox in table.tables("mailbox") {
        let name = mailbox.required_text("name").and_then(|text| plain_octets(&mailbox, &text));
        let aliases = mailbox.texts("aliases").map(|list| list.texts).unwrap_or_default();
        let Some(name) = name else { continue };
        directory.mailboxes.push(Mailbox {
            role: mailbox.text("role").map(|text| text.value),
            name,
            aliases: aliases.iter().filter_map(|text| plain_octets(&mailbox, text)).collect(),
            elsewhere: mailbox.flag("elsewhere").unwrap_or(false),
        });
    }
    let accounts = table.tables("account");
    for account in &accounts {
        if let Some(account) = read_account(account, &directory) {
            directory.accounts.push(account);
        }
    }
    add_own_mailboxes(&mut directory);
    for table in &accounts {
        for text in table.texts("may-open").map(|list| list.texts).unwrap_or_default() {
            let name = plain_octets(table, &text)?;
            if !directory.mailboxes.iter().any(|mailbox| mailbox.name == name) {
                no_such(table, &text, "mailbox", directory.mailboxes.iter().map(|mailbox| &mailbox.name));
            }
        }
    }
    check_roles(table, &directory);
    Some(directory)
}

fn read_account(table: &Table<'_>, directory: &Directory) -> Option<Account> {
    let role = table.required_text("role");
    let domain = table.required_text("domain").and_then(|text| Some((plain_octets(table, &text)?, text)));
    let user = table.required_text("user").and_then(|text| plain_octets(table, &text));
    let password = table.table("password").and_then(|password| password.required_text("text"));
    if !table.has("password") {
        table.mistake(Mistake::new(table.span(), "missing field `password`", "it belongs here"));
    }
    if let Some((domain, text)) = &domain
        && !directory.domains.iter().any(|known| known.name == *domain)
    {
        no_such(table, text, "domain", directory.domains.iter().map(|domain| &domain.name));
    }
    let may_open = table.texts("may-open").map(|list| list.texts).unwrap_or_default();
    let (domain, user) = (domain?.0, user?);
    Some(Account {
        role: role?.value,
        // The reference server issues its tokens itself; each says whose it is.
        token: Some(Password::new([b"Token-", domain.as_slice(), b"-", user.as_slice()].concat())),
        domain,
        user,
        password: Password::new(plain_octets(table, &password?)?),
        mailbox: table.text("mailbox").and_then(|text| plain_octets(table, &text)),
        may_open: may_open.iter().filter_map(|text| plain_octets(table, text)).collect(),
        disabled: table.flag("disabled").unwrap_or(false),
        master: table.flag("master").unwrap_or(false),
    })
}

/// A mailbox that only an account names exists too.
fn add_own_mailboxes(directory: &mut Directory) {
    for account in &directory.accounts {
        let Some(own) = &account.mailbox else { continue };
        let known = directory.mailboxes.iter().any(|mailbox| mailbox.name == *own || mailbox.aliases.contains(own));
        if !known {
            directory.mailboxes.push(Mailbox { role: None, name: own.clone(), aliases: Vec::new(), elsewhere: false });
        }
    }
}

fn check_roles(table: &Table<'_>, directory: &Directory) {
    let mut seen: Vec<&str> = Vec::new();
    for role in directory.roles() {
        if seen.contains(&role) {
            let reason = format!("the role `{role}` is given twice");
            table.mistake(Mistake::new(table.span_of("account"), reason, "each role is played once"));
        }
        seen.push(role);
    }
}

fn no_such<'n>(table: &Table<'_>, text: &Text, kind: &str, known: impl Iterator<Item = &'n Vec<u8>>) {
    let known: Vec<String> = known.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let mistake = Mistake::new(text.span.clone(), format!("no {kind} is called `{}`", text.value), "not in this file");
    table.mistake(match nearest(&text.value, known.iter().map(String::as_str)) {
        Some(near) => mistake.with_help(format!("did you mean `{near}`?")),
        None => mistake.with_help(format!("add a [[{kind}]] of that name")),
    });
}
