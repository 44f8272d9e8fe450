//! Reading and directory together: the mailbox that opens, or why none does.

use super::access::Access;
use super::dialect::Dialect;
use super::directory::{Account, Directory, Domain, Mailbox};
use super::failure::Cause;
use super::part::Part;
use super::reading::{Reading, Readings, Verdict};

/// What a login name comes to, before anyone has looked at the password.
#[derive(Debug, Clone, Copy)]
pub struct Resolution<'d> {
    /// The account that was meant, where it exists.
    pub account: Option<&'d Account>,
    /// The account whose password must be given: the master's where there is one.
    pub credentials: Option<&'d Account>,
    /// The mailbox that opens once the password is right, or why none does.
    pub opens: Result<&'d [u8], Cause>,
}

/// Reads a name and looks up what it names.
pub fn resolve<'n, 'd>(
    dialect: &'d Dialect,
    directory: &'d Directory,
    name: &'n [u8],
    access: Access,
) -> (Readings<'n, 'd>, Resolution<'d>) {
    let readings = dialect.read(name, access);
    let resolution = match (readings.verdict, readings.chosen()) {
        (Verdict::Read, Some(reading)) => resolve_reading(dialect, directory, reading),
        (Verdict::Refused { .. }, _) => Resolution::nobody(Cause::RefusedForm),
        _ => Resolution::nobody(Cause::Unspecified),
    };
    (readings, resolution)
}

/// Looks up what one reading names.
pub fn resolve_reading<'d>(dialect: &Dialect, directory: &'d Directory, reading: &Reading<'_, '_>) -> Resolution<'d> {
    let home = directory.home();
    let domain = match reading.part(Part::Domain, home) {
        Some(name) => match directory.domains.iter().find(|domain| is_called(dialect, domain, name)) {
            Some(domain) => domain.name.as_slice(),
            None => return Resolution::nobody(Cause::NoDomain),
        },
        // A server that does not split names keeps its accounts in one place.
        None => home,
    };
    let account = match reading.part(Part::User, home) {
        Some(user) => find_account(dialect, directory, domain, user),
        // Only the mailbox is named, and a token says who asks: the mailbox's owner.
        None => owner(dialect, directory, reading.named(Part::Mailbox).unwrap_or_default()),
    };
    let Some(account) = account else {
        return Resolution::nobody(Cause::NoAccount);
    };
    let credentials = match reading.named(Part::Master) {
        None => Some(account),
        Some(name) => find_account(dialect, directory, home, name)
            .filter(|master| master.master || std::ptr::eq(*master, account)),
    };
    let opens = match credentials {
        None => Err(Cause::NoAccount),
        Some(_) => find_mailbox(dialect, directory, account, reading),
    };
    Resolution { account: Some(account), credentials, opens }
}

impl Resolution<'_> {
    const fn nobody(cause: Cause) -> Self {
        Self { account: None, credentials: None, opens: Err(cause) }
    }
}

fn is_called(dialect: &Dialect, domain: &Domain, name: &[u8]) -> bool {
    dialect.same(&domain.name, name) || domain.dns.as_deref().is_some_and(|dns| dns.eq_ignore_ascii_case(name))
}

fn find_account<'d>(dialect: &Dialect, directory: &'d Directory, domain: &[u8], user: &[u8]) -> Option<&'d Account> {
    directory.accounts.iter().find(|account| account.domain == domain && dialect.same(&account.user, user))
}

fn owner<'d>(dialect: &Dialect, directory: &'d Directory, mailbox: &[u8]) -> Option<&'d Account> {
    let name = &mailboxes_called(dialect, directory, mailbox).next()?.name;
    directory.accounts.iter().find(|account| account.mailbox.as_ref() == Some(name))
}

fn find_mailbox<'d>(
    dialect: &Dialect,
    directory: &'d Directory,
    account: &'d Account,
    reading: &Reading<'_, '_>,
) -> Result<&'d [u8], Cause> {
    let Some(name) = reading.part(Part::Mailbox, directory.home()) else {
        let own = account.mailbox.as_deref().ok_or(Cause::NoMailbox)?;
        let elsewhere = directory.mailboxes.iter().any(|mailbox| mailbox.elsewhere && mailbox.name == own);
        return if elsewhere { Err(Cause::Elsewhere) } else { Ok(own) };
    };
    let assumed = reading.assumption(Part::Mailbox).is_some();
    let mut found = mailboxes_called(dialect, directory, name);
    let Some(mailbox) = found.next() else {
        return Err(if assumed && account.mailbox.is_some() { Cause::AssumedMailbox } else { Cause::NoMailbox });
    };
    if found.next().is_some() {
        return Err(Cause::Ambiguous);
    }
    if mailbox.elsewhere {
        return Err(Cause::Elsewhere);
    }
    if account.mailbox.as_ref() == Some(&mailbox.name) || account.may_open.contains(&mailbox.name) {
        return Ok(&mailbox.name);
    }
    Err(if assumed { Cause::AssumedMailbox } else { Cause::NotPermitted })
}

/// The mailboxes that a name stands for: by name, by alias, or by an address in one of the domains.
fn mailboxes_called<'d>(dialect: &Dialect, directory: &'d Directory, name: &[u8]) -> impl Iterator<Item = &'d Mailbox> {
    let local = name.iter().rposition(|&octet| octet == b'@').and_then(|at| {
        let (local, domain) = (name.get(..at)?, name.get(at + 1..)?);
        directory.domains.iter().any(|known| is_called(dialect, known, domain)).then_some(local)
    });
    let called = move |mailbox: &&Mailbox| {
        [Some(name), local].into_iter().flatten().any(|name| {
            dialect.same(&mailbox.name, name) || mailbox.aliases.iter().any(|alias| dialect.same(alias, name))
        })
    };
    directory.mailboxes.iter().filter(called)
}
