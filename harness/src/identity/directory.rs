//! Who exists: domains, accounts with passwords, mailboxes, and who may open which.

use crate::secret::Password;

/// Who exists.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// The domains; the first is the server's own, its home domain.
    pub domains: Vec<Domain>,
    /// The accounts.
    pub accounts: Vec<Account>,
    /// The mailboxes.
    pub mailboxes: Vec<Mailbox>,
}

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its (NetBIOS) name.
    pub name: Vec<u8>,
    /// Its DNS name, for `user@domain`.
    pub dns: Option<Vec<u8>>,
}

/// An account that can log in.
#[derive(Debug, Clone)]
pub struct Account {
    /// The role it plays in scenarios.
    pub role: String,
    /// Its domain.
    pub domain: Vec<u8>,
    /// Its name.
    pub user: Vec<u8>,
    /// Its password.
    pub password: Password,
    /// The bearer token that stands for it, where there is one (XOAUTH2, OAUTHBEARER).
    pub token: Option<Password>,
    /// Its own mailbox; some accounts have none.
    pub mailbox: Option<Vec<u8>>,
    /// Other mailboxes that it may open.
    pub may_open: Vec<Vec<u8>>,
    /// Whether it may not log in.
    pub disabled: bool,
    /// Whether it may log in as anybody, where a dialect has master users.
    pub master: bool,
}

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The role it plays in scenarios, where no account plays it.
    pub role: Option<String>,
    /// Its name; the canary in it holds the same.
    pub name: Vec<u8>,
    /// Other names for it.
    pub aliases: Vec<Vec<u8>>,
    /// Whether another server keeps it.
    pub elsewhere: bool,
}

/// What a role stands for: an account, or a mailbox without one.
#[derive(Debug, Clone, Copy)]
pub struct Role<'d> {
    /// The account's domain, or the home domain.
    pub domain: &'d Domain,
    /// The account, where there is one.
    pub account: Option<&'d Account>,
    /// The mailbox, where there is one.
    pub mailbox: Option<&'d [u8]>,
}

impl Directory {
    /// The server's own domain; the empty name where the directory has none.
    pub fn home(&self) -> &[u8] {
        self.domains.first().map_or(&[], |domain| domain.name.as_slice())
    }

    /// What a role stands for.
    pub fn role(&self, role: &str) -> Option<Role<'_>> {
        if let Some(account) = self.accounts.iter().find(|account| account.role == role) {
            let domain = self.domains.iter().find(|domain| domain.name == account.domain)?;
            return Some(Role { domain, account: Some(account), mailbox: account.mailbox.as_deref() });
        }
        let mailbox = self.mailboxes.iter().find(|mailbox| mailbox.role.as_deref() == Some(role))?;
        Some(Role { domain: self.domains.first()?, account: None, mailbox: Some(&mailbox.name) })
    }

    /// The passwords and tokens of every account.
    pub fn secrets(&self) -> Vec<Password> {
        let of_account = |account: &Account| [Some(account.password.clone()), account.token.clone()];
        self.accounts.iter().flat_map(of_account).flatten().collect()
    }

    /// Every role, accounts first.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        let of_mailboxes = self.mailboxes.iter().filter_map(|mailbox| mailbox.role.as_deref());
        self.accounts.iter().map(|account| account.role.as_str()).chain(of_mailboxes)
    }
}
