//! Who is at home on a target, and how they log in.

use super::due::access;
use super::ground::Ground;
use crate::axes::{Mechanism, Protocol};
use crate::identity::{Account, advise};
use crate::scenario::Template;

/// Who is at home on a target, and with which values.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub role: String,
    pub has_account: bool,
    pub has_dns: bool,
    pub has_mailbox: bool,
    pub has_token: bool,
    /// The login name that opens its own mailbox, for each way in.
    pub logins: Vec<(Protocol, Mechanism, Template)>,
}

/// How many times as often those are spoken of whose values hold more than letters and digits.
const ODDS: usize = 3;

/// Who is at home on a target.
pub(super) fn people(ground: &Ground) -> Vec<Person> {
    let directory = &ground.target.directory;
    let person = |role: &str| {
        let found = directory.role(role)?;
        Some(Person {
            role: role.to_string(),
            has_account: found.account.is_some(),
            has_dns: found.domain.dns.is_some(),
            has_mailbox: found.mailbox.is_some(),
            has_token: found.account.is_some_and(|account| account.token.is_some()),
            logins: found.account.map_or_else(Vec::new, |account| logins(ground, account)),
        })
    };
    // Who has anything but letters and digits in name or password is spoken of more often: spelling is harder then.
    let times = |role: &str| {
        let is_odd = |octets: &[u8]| octets.iter().any(|octet| !octet.is_ascii_alphanumeric() && *octet != b'-');
        let account = directory.role(role).and_then(|role| role.account);
        let is_odd = account.is_some_and(|account| is_odd(&account.user) || is_odd(account.password.expose()));
        if is_odd { ODDS } else { 1 }
    };
    directory
        .roles()
        .filter_map(|role| Some((person(role)?, times(role))))
        .flat_map(|(person, times)| std::iter::repeat_n(person, times))
        .collect()
}

/// The login names by which an account reaches its mailbox, as forms with its values in them.
fn logins(ground: &Ground, account: &Account) -> Vec<(Protocol, Mechanism, Template)> {
    let target = &ground.target;
    let ways = Protocol::ALL.iter().flat_map(|&protocol| Mechanism::ALL.iter().map(move |&way| (protocol, way)));
    let asked = ways.filter(|&(protocol, mechanism)| {
        mechanism.fits(protocol) && ground.places.iter().any(|place| place.protocol == protocol)
    });
    let login = |(protocol, mechanism)| {
        let (form, _) = advise(&target.dialect, &target.directory, account, access(protocol, mechanism))?;
        // In an address the domain goes by its DNS name.
        let form = if form.contains('@') { form.replace("{domain}", "{dns}") } else { form.to_string() };
        let own = std::slice::from_ref(&account.role);
        let text = Template::parse(&form.replace('{', &format!("{{{}.", account.role)), own).ok()?;
        Some((protocol, mechanism, text))
    };
    asked.filter_map(login).collect()
}
