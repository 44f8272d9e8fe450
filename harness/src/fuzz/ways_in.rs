//! The ways in that should be open: by which accounts, names and mechanisms a login must work on a target.

use super::ground::{Ground, Place};
use crate::axes::{Mechanism, Protocol, Security};
use crate::identity::{Access, Account, own_names};

/// How many ways are tried at the begin: a server may misread one form of a name, and that is for the campaign to find.
const WAYS: usize = 4;

/// A way in that should be open: who logs in, and by which name and mechanism.
#[derive(Debug, Clone)]
pub(super) struct WayIn {
    pub role: String,
    pub protocol: Protocol,
    pub security: Security,
    pub mechanism: Mechanism,
    pub name: Vec<u8>,
}

/// The ways that are tried at the begin: of each account the plainest, and the one that says least, which a server that
/// misreads the forms may still read; and of every other account over the last place, where the first may be shut.
pub(super) fn ways(ground: &Ground) -> Vec<WayIn> {
    let accounts = &ground.target.directory.accounts;
    let (same, others): (Vec<&Account>, _) = accounts.iter().partition(|account| account.role == "same");
    // Each may be refused, and must not lock its account.
    let may_be_refused_twice = ground.target.limits.wrong_passwords.is_none_or(|budget| budget >= 2);
    let ways = same.into_iter().chain(others).enumerate().flat_map(|(number, account)| {
        let mut ways = ways_of(ground, account, number % 2 == 1);
        if ways.len() > 1 {
            ways.drain(1..ways.len() - 1);
            ways.truncate(1 + usize::from(may_be_refused_twice));
        }
        ways
    });
    ways.take(WAYS).collect()
}

/// How an account can log in over the first place, or the last, and the mechanism by which it can: first by the name that
/// leaves least to the server, and last by the one that leaves most.
pub(super) fn ways_of(ground: &Ground, account: &Account, is_backwards: bool) -> Vec<WayIn> {
    if account.disabled {
        return Vec::new();
    }
    let mut places: Vec<&Place> = ground.places.iter().collect();
    if is_backwards {
        places.reverse();
    }
    let places = places.into_iter().flat_map(|place| [(place, Mechanism::Login), (place, Mechanism::Plain)]);
    let mut found = places.filter_map(|(place, mechanism)| {
        let is_secured = place.security != Security::Plaintext;
        if ground.offers(place.protocol, is_secured, mechanism) == Some(false) {
            return None;
        }
        let access = Access { protocol: place.protocol, mechanism };
        let mut names = own_names(&ground.target.dialect, &ground.target.directory, account, access);
        names.sort_by_key(|name| name.guesses);
        let way = |name| WayIn {
            role: account.role.clone(),
            protocol: place.protocol,
            security: place.security,
            mechanism,
            name,
        };
        Some(names.into_iter().map(|own| way(own.name)).collect::<Vec<_>>()).filter(|ways| !ways.is_empty())
    });
    found.next().unwrap_or_default()
}
