//! The accounts and mailboxes of a target file.

use std::ops::Range;

use super::password::{Placed, origin};
use super::tls::CERTIFICATE_FIELDS;
use crate::identity::{Account, Directory, Domain, Mailbox, plain_octets};
use crate::secret::Password;
use crate::source::{Field, Kind, Mistake, Table};

const ORIGIN: &[Field] = &[
    Field::new("env", Kind::Text, "An environment variable that holds it."),
    Field::new("file", Kind::Text, "A file whose first line holds it."),
    Field::new("command", Kind::Text, "A shell command that prints it."),
    Field::new("prompt", Kind::Flag, "Whether it is asked for on the terminal."),
    Field::new("text", Kind::Secret, "The secret itself: for fixtures only."),
];

/// What an account may hold.
pub(super) const ACCOUNT_FIELDS: &[Field] = &[
    Field::new("role", Kind::Text, "The role that the account plays in scenarios."),
    Field::new("domain", Kind::Text, "Its domain."),
    Field::new("dns", Kind::Text, "Its domain's DNS name, for user@domain."),
    Field::new("user", Kind::Text, "Its name."),
    Field::new("mailbox", Kind::Text, "Its own mailbox."),
    Field::new("may-open", Kind::Texts, "Other mailboxes that it may open."),
    Field::new("disabled", Kind::Flag, "Whether it may not log in."),
    Field::new("master", Kind::Flag, "Whether it may log in as anybody, where the dialect has master users."),
    Field::new("password", Kind::Table(ORIGIN), "Where the password comes from."),
    Field::new("token", Kind::Table(ORIGIN), "Where the bearer token comes from (XOAUTH2, OAUTHBEARER)."),
    Field::new("certificate", Kind::Table(CERTIFICATE_FIELDS), "Its client certificate (SASL EXTERNAL)."),
];

/// What a mailbox without an account of its own may hold.
pub(super) const MAILBOX_FIELDS: &[Field] = &[
    Field::new("role", Kind::Text, "The role that the mailbox plays in scenarios, where no account does."),
    Field::new("name", Kind::Text, "The mailbox's name."),
    Field::new("aliases", Kind::Texts, "Other names for it."),
    Field::new("elsewhere", Kind::Flag, "Whether another server keeps it."),
];

/// Where an account's secrets come from.
pub(super) struct Origins {
    pub password: Placed,
    pub token: Option<Placed>,
}

/// Where a role stands in a target file, as ranges of octets in the file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSpans {
    /// The role.
    pub role: String,
    /// The `[[account]]` or `[[mailbox]]` header.
    pub table: Range<usize>,
    /// The value of `role`.
    pub name: Range<usize>,
    /// The value of `user`; the header for a mailbox, which has none.
    pub user: Range<usize>,
}

/// The places of a table's role; `None` if it plays none.
pub(super) fn role_spans(table: &Table<'_>) -> Option<RoleSpans> {
    let role = table.text("role")?;
    Some(RoleSpans { role: role.value, table: table.span(), name: role.span, user: table.span_of("user") })
}

/// Reads an account, its domain, and where its secrets come from.
pub(super) fn read_account(table: &Table<'_>, directory: &Directory) -> Option<(Account, Domain, Origins)> {
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
        disabled: table.flag("disabled").unwrap_or(false),
        master: table.flag("master").unwrap_or(false),
    };
    let token = table.table("token").and_then(|inner| origin(&inner, "token"));
    Some((account, Domain { name: domain, dns: octets("dns") }, Origins { password: password?, token }))
}

/// Reads a mailbox that needs more than the name which an account gives.
pub(super) fn read_mailbox(table: &Table<'_>) -> Option<Mailbox> {
    let name = table.required_text("name").and_then(|text| plain_octets(table, &text));
    let aliases = table.texts("aliases").map(|list| list.texts).unwrap_or_default();
    Some(Mailbox {
        role: table.text("role").map(|text| text.value),
        name: name?,
        aliases: aliases.iter().filter_map(|text| plain_octets(table, text)).collect(),
        elsewhere: table.flag("elsewhere").unwrap_or(false),
    })
}

/// A mailbox that only an account names exists too.
pub(super) fn add_named_mailboxes(directory: &mut Directory) {
    for account in &directory.accounts {
        for name in account.mailbox.iter().chain(&account.may_open) {
            if !directory.mailboxes.iter().any(|mailbox| mailbox.name == *name) {
                let mailbox = Mailbox { role: None, name: name.clone(), aliases: Vec::new(), elsewhere: false };
                directory.mailboxes.push(mailbox);
            }
        }
    }
}
