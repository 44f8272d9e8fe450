//! What to type instead: the form of a login name that leaves the least to the server's guesses.

use super::access::Access;
use super::dialect::Dialect;
use super::directory::{Account, Directory, Domain, Mailbox};
use super::form::Form;
use super::part::{Identity, Part};
use super::resolution::resolve;

/// The forms that people type, those that say most first.
pub const TYPED_FORMS: &[&str] = &[
    r"{domain}\{user}\{mailbox}",
    "{domain}/{user}/{mailbox}",
    "{user}@{domain}/{mailbox}",
    r"{domain}\{user}",
    "{user}@{domain}",
    "{domain}/{user}",
    "{user}",
];

/// The login name by which an account reaches its own mailbox with the least left to assumptions.
///
/// Of the forms that open it, the one with the fewest assumptions; of several, the one that people type first.
pub fn advise(
    dialect: &Dialect,
    directory: &Directory,
    account: &Account,
    access: Access,
) -> Option<(&'static str, Vec<u8>)> {
    let names = own_names(dialect, directory, account, access);
    // Of several that leave as little, the first.
    names.into_iter().min_by_key(|found| found.guesses).map(|found| (found.form, found.name))
}

/// A login name by which an account reaches its own mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnName {
    /// Its form, one of [`TYPED_FORMS`].
    pub form: &'static str,
    /// The name itself.
    pub name: Vec<u8>,
    /// How much it leaves to the server: two for each assumption, one for the domain or the user that it does not say.
    pub guesses: usize,
}

/// The login name by which a server finds an account with the least left to assumptions, whether or not its mailbox
/// opens then. Where some name opens the mailbox, it is that one.
pub fn name_of_account(dialect: &Dialect, directory: &Directory, account: &Account, access: Access) -> Option<Vec<u8>> {
    let advised = advise(dialect, directory, account, access).map(|(_, name)| name);
    advised.or_else(|| {
        let names = names_of_account(dialect, directory, account, access).map(|(found, _)| found);
        names.min_by_key(|found| found.guesses).map(|found| found.name)
    })
}

/// Every login name by which an account reaches its own mailbox, the one that says most first.
pub fn own_names(dialect: &Dialect, directory: &Directory, account: &Account, access: Access) -> Vec<OwnName> {
    names_of_account(dialect, directory, account, access)
        .filter(|(_, opens_own)| *opens_own)
        .map(|(found, _)| found)
        .collect()
}

/// Every login name by which a server finds an account, and whether its own mailbox opens then.
fn names_of_account<'d>(
    dialect: &'d Dialect,
    directory: &'d Directory,
    account: &'d Account,
    access: Access,
) -> impl Iterator<Item = (OwnName, bool)> + use<'d> {
    let domain = directory.domains.iter().find(|domain| domain.name == account.domain);
    TYPED_FORMS.iter().filter_map(move |text| name_in_form(text, dialect, directory, account, domain?, access))
}

fn name_in_form(
    text: &'static str,
    dialect: &Dialect,
    directory: &Directory,
    account: &Account,
    domain: &Domain,
    access: Access,
) -> Option<(OwnName, bool)> {
    let form = Form::parse(text).ok()?;
    let domain_name = if text.contains('@') { domain.dns.as_ref() } else { Some(&domain.name) };
    let identity =
        Identity { domain: domain_name.cloned(), user: Some(account.user.clone()), mailbox: account.mailbox.clone() };
    let name = form.render(&identity, b'\\').ok()?;
    let (readings, resolution) = resolve(dialect, directory, &name, access);
    let opens_own = resolution.opens.ok().is_some_and(|opened| Some(opened) == account.mailbox.as_deref());
    let is_this = resolution.account.is_some_and(|found| std::ptr::eq(found, account));
    let reading = readings.chosen().filter(|_| is_this)?;
    // A part that the server drops or reads otherwise is nothing to advise.
    if !form.parts().all(|part| reading.named(part).is_some()) {
        return None;
    }
    let assumed = reading.assumptions().count();
    // A part that the reading lacks altogether leaves nothing to an assumption, but says less too.
    let unsaid = [Part::Domain, Part::User].into_iter().filter(|&part| reading.named(part).is_none()).count();
    Some((OwnName { form: text, name, guesses: 2 * assumed + unsaid }, opens_own))
}

/// The parts that belong in separate fields, where all of them were written as the user name.
///
/// `None` if the account has a login name as it is, if the dialect does not split the user name, and if the parts give
/// no login name either.
pub fn split_user_name(
    dialect: &Dialect,
    directory: &Directory,
    account: &Account,
    access: Access,
) -> Option<Identity> {
    if advise(dialect, directory, account, access).is_some() {
        return None;
    }
    let readings = dialect.read(&account.user, access);
    let reading = readings.chosen()?;
    let part = |part| reading.named(part).map(<[u8]>::to_vec);
    let (domain, user) = (part(Part::Domain), part(Part::User)?);
    if user == account.user {
        return None;
    }
    let identity = Identity { domain: domain.clone(), user: Some(user.clone()), mailbox: part(Part::Mailbox) };
    let mut corrected = account.clone();
    corrected.domain = domain.clone().unwrap_or_else(|| account.domain.clone());
    corrected.mailbox = identity.mailbox.clone().or_else(|| account.mailbox.clone()).or_else(|| Some(user.clone()));
    corrected.user = user;
    let is_dns_name = account.user.contains(&b'@');
    let domains = vec![Domain { name: corrected.domain.clone(), dns: domain.filter(|_| is_dns_name) }];
    let mailbox = Mailbox { role: None, name: corrected.mailbox.clone()?, aliases: Vec::new(), elsewhere: false };
    let one = Directory { domains, accounts: vec![corrected], mailboxes: vec![mailbox] };
    let corrected = one.accounts.first()?;
    advise(dialect, &one, corrected, access).map(|_| identity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::{Mechanism, Protocol};
    use crate::identity::{bundled_dialect, bundled_directory};

    fn advised(dialect: &str, role: &str) -> Option<String> {
        let dialect = bundled_dialect(dialect).unwrap().unwrap();
        let directory = bundled_directory().unwrap();
        let access = Access { protocol: Protocol::Pop3, mechanism: Mechanism::Login };
        let account = directory.role(role).unwrap().account.unwrap();
        advise(&dialect, &directory, account, access).map(|(_, name)| String::from_utf8(name).unwrap())
    }

    #[test]
    fn the_form_that_leaves_least_to_the_server_is_advised() {
        assert_eq!(advised("exchange-5.5", "renamed").as_deref(), Some(r"Domain1\User1\Mailbox1"));
        assert_eq!(advised("dovecot", "renamed").as_deref(), Some("User1@domain1.example"));
        assert_eq!(advised("opaque", "renamed").as_deref(), Some("User1"));
        assert_eq!(advised("perdition", "renamed").as_deref(), Some("User1"));
        assert_eq!(advised("opaque", "twin-abroad"), None);
        assert_eq!(advised("user-at-domain", "renamed").as_deref(), Some("User1@domain1.example"));
        assert_eq!(advised("domain-backslash-user", "renamed").as_deref(), Some(r"Domain1\User1"));
    }

    /// Cyrus opens the mailbox that is called like the user, so `renamed` has none.
    #[test]
    fn an_account_has_a_name_without_a_mailbox_too() {
        let (dialect, directory) = (bundled_dialect("cyrus").unwrap().unwrap(), bundled_directory().unwrap());
        let access = Access { protocol: Protocol::Imap, mechanism: Mechanism::Plain };
        let named = |role: &str| {
            let account = directory.role(role).unwrap().account.unwrap();
            name_of_account(&dialect, &directory, account, access).map(|name| String::from_utf8(name).unwrap())
        };
        assert_eq!(advised("cyrus", "renamed"), None);
        assert_eq!(named("renamed").as_deref(), Some("User1"));
        assert_eq!(named("same").as_deref(), Some("Same"));
    }

    #[test]
    fn a_user_name_that_holds_more_is_split_as_the_dialect_reads_it() {
        let split = |dialect: &str, user: &str| {
            let dialect = bundled_dialect(dialect).unwrap().unwrap();
            let mut directory = bundled_directory().unwrap();
            directory.accounts.retain(|account| account.role == "same");
            directory.accounts[0].user = user.as_bytes().to_vec();
            directory.accounts[0].domain = directory.home().to_vec();
            let access = Access { protocol: Protocol::Imap, mechanism: Mechanism::Login };
            let found = split_user_name(&dialect, &directory, &directory.accounts[0], access)?;
            let text = |part: Option<Vec<u8>>| String::from_utf8(part.unwrap_or_default()).unwrap();
            Some((text(found.user), text(found.domain)))
        };
        let jdoe = Some(("jdoe".to_string(), "example.org".to_string()));
        assert_eq!(split("dovecot", "jdoe@example.org"), jdoe);
        assert_eq!(split("exchange-5.5", r"CORP\jdoe"), Some(("jdoe".to_string(), "CORP".to_string())));
        assert_eq!(split("dovecot", "jdoe"), None);
        // The name is right as it is where nothing is split.
        assert_eq!(split("opaque", "jdoe@example.org"), None);
    }
}
