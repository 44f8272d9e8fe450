//! Which accounts a server may count a failed login against, and how many.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use super::AtRisk;
use crate::axes::Fault;
use crate::identity::{Access, Account, Directory, resolve};
use crate::protocol::Login;
use crate::protocol::dialogue::DialogueStep;
use crate::runner::question::Request;
use crate::secret::Password;
use crate::target::Target;

/// Hashes of every account's secrets. It answers quickly that a password belongs to no account, however many accounts
/// there are, and keeps no password, only randomly keyed hashes.
pub(crate) struct Secrets {
    key: RandomState,
    hashes: HashSet<u64>,
}

impl Secrets {
    /// The passwords and tokens of all accounts of a directory.
    pub fn of(directory: &Directory) -> Self {
        let key = RandomState::new();
        let secrets = directory.accounts.iter().flat_map(|account| [Some(&account.password), account.token.as_ref()]);
        let hashes = secrets.flatten().map(|secret| key.hash_one(secret.expose())).collect();
        Self { key, hashes }
    }

    /// Whether a password may be some account's.
    fn may_hold(&self, password: &Password) -> bool {
        self.hashes.contains(&self.key.hash_one(password.expose()))
    }
}

/// The accounts that a server may count failed logins against when it gets this request, in ascending order, and how
/// many each. It names too many accounts rather than too few: a locked account costs more than a good login.
///
/// A login is at no account's risk if its name names none. An account is named if the target's dialect reads the name
/// as this account, or if the account's user name is a whole word of the name: `Domain1\Same` and `SAME@x` name `Same`,
/// `nobody-Same` and `xSame` do not.
pub(in crate::runner) fn accounts_at_risk(target: &Target, request: &Request, role: &str) -> Vec<AtRisk> {
    let accounts = target.directory.accounts.iter().enumerate();
    match request {
        Request::Login(login) if sends_no_credentials(login) => Vec::new(),
        Request::Login(login) => {
            // Looked up once and not for each account: there may be thousands of them.
            let meant = meant(target, request);
            let is_at_risk = |account: &Account| {
                let is_wrong = login.fault.is_some() || !is_secret_of(account, login);
                is_wrong && (is_named(login.name.expose(), account) || holds(&meant, account))
            };
            accounts.filter(|(_, account)| is_at_risk(account)).map(|(account, _)| AtRisk::one(account)).collect()
        }
        Request::Dialogue(steps) => {
            let is_at_risk =
                |account: &Account| account.role == role && steps.iter().any(|step| names_in(step, account));
            let failures = failed_logins(steps);
            accounts
                .filter(|(_, account)| failures > 0 && is_at_risk(account))
                .map(|(account, _)| AtRisk { account, failures })
                .collect()
        }
    }
}

/// Whether the password of a login is right for the account that the target's dialect makes of its name, or for one whose
/// user name is a word of it, so that a refusal may be about the mailbox. What a dialogue sends is not looked at: it is
/// taken for right.
pub(in crate::runner) fn is_right(target: &Target, secrets: &Secrets, request: &Request) -> bool {
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

/// Whether a login ends before the server has a name and a password to compare.
fn sends_no_credentials(login: &Login) -> bool {
    matches!(login.fault, Some(Fault::Cancelled | Fault::EmptyResponse))
}

fn is_secret_of(account: &Account, login: &Login) -> bool {
    login.password == account.password || account.token.as_ref() == Some(&login.password)
}

/// The account that a login's name means, and the one whose password it takes, by the target's dialect.
fn meant<'t>(target: &'t Target, request: &Request) -> [Option<&'t Account>; 2] {
    let Request::Login(login) = request else { return [None; 2] };
    let access = Access { protocol: login.protocol, mechanism: login.mechanism };
    let (_, resolution) = resolve(&target.dialect, &target.directory, login.name.expose(), access);
    [resolution.account, resolution.credentials]
}

fn names_well(login: &Login, account: &Account) -> bool {
    is_secret_of(account, login) && is_named(login.name.expose(), account)
}

fn holds(meant: &[Option<&Account>], account: &Account) -> bool {
    meant.iter().flatten().any(|found| std::ptr::eq(*found, account))
}

fn names_in(step: &DialogueStep, account: &Account) -> bool {
    match step {
        DialogueStep::Send(outgoing) => {
            is_named(&outgoing.octets, account)
                || outgoing.meaning.as_ref().is_some_and(|meaning| is_named(meaning.as_bytes(), account))
        }
        _ => false,
    }
}

/// How many failed logins a dialogue may be: its login commands that do not carry a right secret, and one at least if it
/// has a login command at all, for what the server makes of the command is not known.
fn failed_logins(steps: &[DialogueStep]) -> u64 {
    const COMMANDS: [&[u8]; 5] = [b"LOGIN", b"AUTHENTICATE", b"PASS", b"APOP", b"AUTH"];
    let (mut commands, mut without_secret) = (0, 0);
    for step in steps {
        let DialogueStep::Send(outgoing) = step else { continue };
        let in_step = outgoing.octets.split(|&octet| octet == b'\n').filter(|line| {
            let mut words = line.split(|&octet| octet == b' ' || octet == b'\r');
            let is_command =
                |word: &[u8]| COMMANDS.iter().any(|command| command.eq_ignore_ascii_case(word.trim_ascii()));
            words.by_ref().take(2).any(is_command)
        });
        let in_step = in_step.count() as u64;
        commands += in_step;
        without_secret += in_step.saturating_sub(outgoing.secrets.len() as u64);
    }
    without_secret.max(commands.min(1))
}

/// Whether an account's user name is a whole word in some octets, whatever the case of ASCII letters.
fn is_named(octets: &[u8], account: &Account) -> bool {
    let user = account.user.as_slice();
    let continues_word =
        |octet: Option<&u8>| octet.is_some_and(|octet| octet.is_ascii_alphanumeric() || *octet == b'-');
    !user.is_empty()
        && octets.windows(user.len()).enumerate().any(|(at, window)| {
            window.eq_ignore_ascii_case(user)
                && !continues_word(at.checked_sub(1).and_then(|before| octets.get(before)))
                && !continues_word(octets.get(at + user.len()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::{Mechanism, Protocol};
    use crate::protocol::Outgoing;
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

    fn login(name: &str, password: &str) -> Login {
        Login::new(Protocol::Imap, Mechanism::Login, name, Password::new(password))
    }

    fn at_risk(target: &Target, request: &Request) -> Vec<(usize, u64)> {
        let found = accounts_at_risk(target, request, "same");
        found.into_iter().map(|risk| (risk.account, risk.failures)).collect()
    }

    fn of(name: &str, password: &str) -> (Vec<usize>, bool) {
        let (target, request) = (target(), Request::Login(login(name, password)));
        let secrets = Secrets::of(&target.directory);
        let accounts = at_risk(&target, &request).into_iter().map(|(account, _)| account).collect();
        (accounts, is_right(&target, &secrets, &request))
    }

    #[test]
    fn an_account_that_is_named_with_a_wrong_password_is_at_risk() {
        assert_eq!(of("Same", "pw-Same"), (vec![], true));
        assert_eq!(of("Same", "wrong"), (vec![0], false));
        assert_eq!(of("DOMAIN1\\sAmE@x", "wrong"), (vec![0], false));
        assert_eq!(of("nobody", "wrong"), (vec![], false));
        // The right password of another account is a wrong one.
        assert_eq!(of("Same\\Alice", "pw-Alice"), (vec![0], true));
        assert_eq!(of("Same\\Alice", "x"), (vec![0, 1], false));
    }

    #[test]
    fn a_longer_word_names_another_account() {
        for name in ["nobody-Same", "xSame", "Samex", "Same-tail", "7Same"] {
            assert_eq!(of(name, "wrong"), (vec![], false), "{name}");
        }
        for name in ["Same+tail", "Same*master", "x/Same", "Same\u{ff3c}x", "\"Same\"", "Same "] {
            assert_eq!(of(name, "wrong"), (vec![0], false), "{name}");
        }
    }

    #[test]
    fn a_login_that_sends_no_credentials_is_no_failed_login() {
        let target = target();
        for (fault, expected) in [(Fault::Cancelled, vec![]), (Fault::Truncated, vec![(0, 1)])] {
            let login = Login { fault: Some(fault), ..login("Same", "pw-Same") };
            assert_eq!(at_risk(&target, &Request::Login(login)), expected, "{fault}");
        }
    }

    #[test]
    fn each_login_of_a_dialogue_counts() {
        let target = target();
        let send = |text: &str, has_secret: bool| {
            let mut outgoing = Outgoing::plain(text);
            if has_secret {
                outgoing.push_secret(b"pw-Same");
            }
            DialogueStep::Send(outgoing)
        };
        let of = |steps: Vec<DialogueStep>| at_risk(&target, &Request::Dialogue(steps));
        let wrong = || send("a LOGIN Same wrong\r\n", false);
        assert_eq!(of(vec![wrong(), wrong(), wrong(), send("d LOGIN Same ", true)]), [(0, 3)]);
        assert_eq!(of(vec![send("USER Same\r\n", false), send("PASS ", true)]), [(0, 1)]);
        assert_eq!(of(vec![send("a LOGIN Same x\r\nb LOGIN Same y\r\n", false)]), [(0, 2)]);
        assert_eq!(of(vec![send("a CAPABILITY\r\n", false), send("b NOOP Same\r\n", false)]), []);
        assert_eq!(of(vec![send("a LOGIN nobody x\r\n", false)]), []);
    }
}
