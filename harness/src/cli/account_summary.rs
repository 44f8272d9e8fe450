//! What `check` prints of a target file: each account with its login names and the number of cases it can be asked.

use std::io::{self, Write};

use crate::axes::{Mechanism, Protocol};
use crate::identity::{Access, Account, escape};
use crate::runner::{Plan, applicable_cases};
use crate::scenario::{Cast as _, Value};
use crate::target::{Target, accesses};

/// One login name of an account and the ways to log in that take it.
struct Row {
    /// `imap, pop3: every mechanism`.
    ways: String,
    /// The login name in the notation for octets; `None` if no name opens the account's mailbox.
    name: Option<String>,
}

/// Prints one block for each account.
pub(super) fn print(out: &mut impl Write, target: &Target, plan: &Plan) -> io::Result<()> {
    writeln!(out, "{}: {} cases of the bundled scenarios", target.name, plan.list.len())?;
    for account in &target.directory.accounts {
        let usable = usable(target, account);
        let rows = rows(target, account, &usable);
        let width = rows.iter().map(|row| row.ways.len()).max().unwrap_or(0);
        writeln!(out, "  {}: {} cases can be asked", account.role, applicable_cases(plan, target, &account.role))?;
        for Row { ways, name } in &rows {
            let name = name.as_deref().unwrap_or("(no login name opens its mailbox)");
            writeln!(out, "    {ways:<width$}  {name}")?;
        }
    }
    Ok(())
}

/// The ways to log in for which the account has a secret.
fn usable(target: &Target, account: &Account) -> Vec<Access> {
    let has_secret = |access: &Access| match access.mechanism {
        Mechanism::External => target.certificates.contains_key(&account.role),
        mechanism if mechanism.takes_token() => account.token.is_some(),
        _ => true,
    };
    accesses(target).into_iter().filter(has_secret).collect()
}

fn rows(target: &Target, account: &Account, usable: &[Access]) -> Vec<Row> {
    let mut protocols: Vec<Protocol> = usable.iter().map(|access| access.protocol).collect();
    protocols.dedup();
    // Protocols whose mechanisms are worded alike stand in one row.
    let mut found: Vec<(String, Option<String>, Vec<&str>)> = Vec::new();
    for protocol in protocols {
        let of_protocol: Vec<Access> = usable.iter().copied().filter(|access| access.protocol == protocol).collect();
        for (name, taking) in by_name(target, account, &of_protocol) {
            let words = mechanisms_in_words(&taking, &of_protocol);
            match found.iter_mut().find(|(known, other, _)| (known, other) == (&words, &name)) {
                Some((.., protocols)) => protocols.push(protocol.word()),
                None => found.push((words, name, vec![protocol.word()])),
            }
        }
    }
    let row = |(words, name, protocols): (String, _, Vec<&str>)| Row {
        ways: format!("{}: {words}", protocols.join(", ")),
        name,
    };
    found.into_iter().map(row).collect()
}

/// The mechanisms that take each login name.
fn by_name(target: &Target, account: &Account, usable: &[Access]) -> Vec<(Option<String>, Vec<Mechanism>)> {
    let mut found: Vec<(Option<String>, Vec<Mechanism>)> = Vec::new();
    for &access in usable {
        let name = target.players(access).value(&account.role, Value::Login).ok().map(|name| escape(name.expose()));
        match found.iter_mut().find(|(known, _)| *known == name) {
            Some((_, mechanisms)) => mechanisms.push(access.mechanism),
            None => found.push((name, vec![access.mechanism])),
        }
    }
    found
}

fn mechanisms_in_words(taking: &[Mechanism], usable: &[Access]) -> String {
    let list = |mechanisms: Vec<Mechanism>| mechanisms.iter().map(|it| it.word()).collect::<Vec<_>>().join(", ");
    let others: Vec<Mechanism> =
        usable.iter().map(|access| access.mechanism).filter(|mechanism| !taking.contains(mechanism)).collect();
    if others.is_empty() {
        "every mechanism".to_string()
    } else if others.len() < taking.len() {
        format!("every mechanism but {}", list(others))
    } else {
        list(taking.to_vec())
    }
}
