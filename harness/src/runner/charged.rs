//! Which accounts a server may hold a wrong password against.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use super::question::Request;
use crate::identity::{Access, Account, Directory, resolve};
use crate::protocol::Login;
use crate::protocol::dialogue::DialogueStep;
use crate::secret::Password;
use crate::target::Target;

/// Tells at once of most passwords that they are nobody's, however many accounts there are. It keeps no password, only
/// hashes with a key of chance.
pub(crate) struct Secrets {
    key: RandomState,
    hashes: HashSet<u64>,
}

impl Secrets {
    /// Those of all accounts.
    pub fn of(directory: &Directory) -> Self {
        let key = RandomState::new();
        let secrets = directory.accounts.iter().flat_map(|account| [Some(&account.password), account.token.as_ref()]);
        let hashes = secrets.flatten().map(|secret| key.hash_one(secret.expose())).collect();
        Self { key, hashes }
    }

    /// Whether a password may be somebody's.
    fn may_hold(&self, password: &Password) -> bool {
        self.hashes.contains(&self.key.hash_one(password.expose()))
    }
}

/// The accounts, as indices in ascending order, that are given a wrong password by this request, as far as anybody can
/// tell: too many rather than too few, for a locked account costs more than a good login between.
pub(super) fn charged(target: &Target, request: &Request, role: &str) -> Vec<usize> {
    // Looked up once and not for each account: there may be thousands of them.
    let meant = meant(target, request);
    let is_charged = |account: &Account| match request {
        Request::Login(login) => {
            let is_wrong = login.fault.is_some() || !is_secret_of(account, login);
            is_wrong && (is_named(&login.name, account) || holds(&meant, account))
        }
        // What a dialogue comes to only the server knows.
        Request::Dialogue(steps) => account.role == role && steps.iter().any(|step| names_in(step, account)),
    };
    let accounts = target.directory.accounts.iter().enumerate();
    accounts.filter(|(_, account)| is_charged(account)).map(|(index, _)| index).collect()
}

/// Whether the password of a login is right for the account that the target's dialect makes of its name, or for one that
/// stands in it, so that a refusal may be about the mailbox. Of a dialogue nobody knows, so it may be.
pub(super) fn is_right(target: &Target, secrets: &Secrets, request: &Request) -> bool {
    match request {
        Request::Login(login) => {
            login.fault.is_none()
                && secrets.may_hold(&login.password)
                && (meant(target, request).into_iter().flatten().any(|account| is_secret_of(account, login))
                    || target.directory.accounts.iter().any(|account| names_well(login, account)))
        }
        Request::Dialogue(_) => true,
    }
}

fn is_secret_of(account: &Account, login: &Login) -> bool {
    login.password == account.password || account.token.as_ref() == Some(&login.password)
}

/// The account that a login's name means, and the one whose password it takes, by the target's dialect.
fn meant<'t>(target: &'t Target, request: &Request) -> [Option<&'t Account>; 2] {
    let Request::Login(login) = request else { return [None; 2] };
    let access = Access { protocol: login.protocol, mechanism: login.mechanism };
    let (_, resolution) = resolve(&target.dialect, &target.directory, &login.name, access);
    [resolution.account, resolution.credentials]
}

fn names_well(login: &Login, account: &Account) -> bool {
    is_secret_of(account, login) && is_named(&login.name, account)
}

fn holds(meant: &[Option<&Account>], account: &Account) -> bool {
    meant.iter().flatten().any(|found| std::ptr::eq(*found, account))
}

fn names_in(step: &DialogueStep, account: &Account) -> bool {
    matches!(step, DialogueStep::Send(outgoing) if is_named(&outgoing.octets, account))
}

/// Whether an account's user name stands in some octets, whatever the case.
fn is_named(octets: &[u8], account: &Account) -> bool {
    let user = account.user.as_slice();
    !user.is_empty() && octets.windows(user.len()).any(|window| window.eq_ignore_ascii_case(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::{Mechanism, Protocol};
    use crate::secret::Password;
    use crate::source::SourceText;
    use crate::target::{Passwords, find_dialect, read_target, remote_target};

    fn target() -> Target {
        let account = |role: &str, user: &str| {
            format!(
                "[[account]]\nrole = '{role}'\nuser = '{user}'\nmailbox = '{user}'\npassword = {{ text = 'pw-{user}' }}\n"
            )
        };
        let text = format!(
            "name = 'x'\ndialect = 'exchange-5.5'\n[imap]\naddress = 'h:1'\n{}{}",
            account("same", "Same"),
            account("crossed", "Alice")
        );
        let file = read_target(&SourceText::new("t.toml", text), std::path::Path::new(""), Passwords::Fetch, true);
        remote_target(file.unwrap(), find_dialect("exchange-5.5").unwrap())
    }

    fn of(name: &str, password: &str) -> (Vec<usize>, bool) {
        let login = Login::new(Protocol::Imap, Mechanism::Login, name, Password::new(password));
        let (target, request) = (target(), Request::Login(login));
        let secrets = Secrets::of(&target.directory);
        (charged(&target, &request, "same"), is_right(&target, &secrets, &request))
    }

    #[test]
    fn whoever_is_named_is_charged_with_a_wrong_password() {
        assert_eq!(of("Same", "pw-Same"), (vec![], true));
        assert_eq!(of("Same", "wrong"), (vec![0], false));
        assert_eq!(of("DOMAIN1\\sAmE@x", "wrong"), (vec![0], false));
        assert_eq!(of("nobody", "wrong"), (vec![], false));
        // The right password of somebody else is a wrong one.
        assert_eq!(of("Same\\Alice", "pw-Alice"), (vec![0], true));
        assert_eq!(of("Same\\Alice", "x"), (vec![0, 1], false));
    }
}
