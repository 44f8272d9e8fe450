//! Mistakes in the accounts of a target file that show only beside the dialect and the scenarios.

use std::sync::Arc;

use super::account::RoleSpans;
use super::{Target, TargetFile};
use crate::axes::{Mechanism, Protocol};
use crate::identity::{Access, Account, Identity, advise, escape, split_user_name};
use crate::source::{Mistake, Mistakes, SourceText, nearest, one_of};

/// The role whose account is needed for nearly every case.
const MAIN_ROLE: &str = "same";

/// What is known of the roles of a file while its accounts become those of a target.
pub struct RoleCheck {
    source: Option<Arc<SourceText>>,
    roles: Vec<RoleSpans>,
}

impl RoleCheck {
    /// Takes what is needed from a file that was read.
    pub fn new(file: &TargetFile) -> Self {
        Self { source: file.known.source.clone(), roles: file.roles.clone() }
    }

    /// Finds roles that no scenario uses, user names that hold more than the user, and a role `same` without a login name.
    ///
    /// `known_roles` are those of the directories and scenarios at hand.
    ///
    /// # Errors
    ///
    /// Every mistake, with its place in the file.
    pub fn check(&self, target: &Target, known_roles: &[String]) -> Result<(), Mistakes> {
        let Some(source) = &self.source else { return Ok(()) };
        let mut mistakes = Vec::new();
        for spans in &self.roles {
            mistakes.extend(unknown_role(spans, known_roles));
            let account = target.directory.accounts.iter().find(|account| account.role == spans.role);
            mistakes.extend(account.into_iter().flat_map(|account| login_name_mistakes(spans, account, target)));
        }
        if mistakes.is_empty() { Ok(()) } else { Err(Mistakes::new(SourceText::clone(source), mistakes)) }
    }
}

fn unknown_role(spans: &RoleSpans, known: &[String]) -> Option<Mistake> {
    if known.contains(&spans.role) {
        return None;
    }
    let help = match nearest(&spans.role, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "a role of your own must be used by a scenario: check its file together with this one".to_string(),
    };
    let reason = format!("unknown role `{}`", spans.role);
    Some(Mistake::new(spans.name.clone(), reason, "no scenario uses this role").with_help(help))
}

/// Why an account has no login name, as far as its fields tell.
fn login_name_mistakes(spans: &RoleSpans, account: &Account, target: &Target) -> Vec<Mistake> {
    let accesses = accesses(target);
    // NTLM, tokens and certificates carry the parts of a name by themselves, which proves nothing for a whole name.
    let carries_parts = |access: &Access| {
        access.mechanism.takes_token() || matches!(access.mechanism, Mechanism::Ntlm | Mechanism::External)
    };
    let whole: Vec<Access> = accesses.iter().copied().filter(|access| !carries_parts(access)).collect();
    let accesses = if whole.is_empty() { accesses } else { whole };
    let has_login_name = |access: &Access| advise(&target.dialect, &target.directory, account, *access).is_some();
    if accesses.is_empty() || accesses.iter().any(has_login_name) {
        return Vec::new();
    }
    let mut mistakes = Vec::new();
    let split =
        accesses.iter().find_map(|&access| split_user_name(&target.dialect, &target.directory, account, access));
    if let Some(identity) = &split {
        mistakes.push(whole_name_in_user(spans, account, target, identity));
    }
    if spans.role != MAIN_ROLE {
        return mistakes;
    }
    let reason = format!("the role `{MAIN_ROLE}` has no login name");
    if account.mailbox.is_none() {
        let user = split.and_then(|identity| identity.user).unwrap_or_else(|| account.user.clone());
        let help = format!("name the mailbox that the account opens, for example: mailbox = \"{}\"", escape(&user));
        mistakes.push(Mistake::new(spans.table.clone(), reason, "this account has no `mailbox`").with_help(help));
    } else if split.is_none() {
        let help = missing_part(target, account);
        let label = "no name of this account opens its mailbox";
        mistakes.push(Mistake::new(spans.table.clone(), reason, label).with_help(help));
    }
    mistakes
}

/// What an account may lack whose fields give no login name.
fn missing_part(target: &Target, account: &Account) -> String {
    let domain = target.directory.domains.iter().find(|domain| domain.name == account.domain);
    let has_dns = domain.is_some_and(|domain| domain.dns.is_some());
    let absent: Vec<&str> = [(account.domain.is_empty(), "domain"), (!has_dns, "dns")]
        .into_iter()
        .filter_map(|(is_absent, field)| is_absent.then_some(field))
        .collect();
    let name = &target.dialect.name;
    let explain = format!("`loginspec explain NAME --dialect {name}` shows how it reads a name");
    if absent.is_empty() {
        format!("check `user`, `domain`, `dns` and `mailbox`, or name another dialect than `{name}`; {explain}")
    } else {
        let absent = one_of(absent);
        format!("the dialect `{name}` may need {absent} for a login name that opens the mailbox; {explain}")
    }
}

fn whole_name_in_user(spans: &RoleSpans, account: &Account, target: &Target, identity: &Identity) -> Mistake {
    let Identity { domain, user, mailbox } = identity;
    let field =
        |name: &str, value: &Option<Vec<u8>>| value.as_deref().map(|value| format!("{name} = '{}'", escape(value)));
    let is_dns_name = account.user.contains(&b'@');
    let fields = [
        field("user", user),
        field("domain", domain),
        field("dns", domain).filter(|_| is_dns_name),
        field("mailbox", mailbox),
    ];
    let fields: Vec<String> = fields.into_iter().flatten().collect();
    let reason = format!(
        "`user` holds a whole login name, and the dialect `{}` reads its parts by themselves",
        target.dialect.name
    );
    Mistake::new(spans.user.clone(), reason, "more than the user")
        .with_help(format!("write the parts in fields of their own: {}", fields.join(", ")))
}

/// Every way in which a password and a login name can reach the target.
pub fn accesses(target: &Target) -> Vec<Access> {
    let mut protocols: Vec<Protocol> = target.endpoints.iter().map(|endpoint| endpoint.protocol).collect();
    protocols.dedup();
    let mut accesses = Vec::new();
    for protocol in protocols {
        // ANONYMOUS has no login name (RFC 4505 §2): what the client sends is for the log.
        let named = target.dialect.mechanisms.iter().filter(|&&mechanism| mechanism != Mechanism::Anonymous);
        let fitting = named.copied().filter(|mechanism| mechanism.fits(protocol));
        accesses.extend(fitting.map(|mechanism| Access { protocol, mechanism }));
    }
    accesses
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::target::{Passwords, find_dialect, read_target, remote_target};

    fn check(dialect: &str, account: &str) -> Vec<Mistake> {
        let text = format!(
            "name = 'x'\ndialect = '{dialect}'\n[imap]\naddress = 'h:143'\n[[account]]\npassword = {{ env = 'P' }}\n{account}\n"
        );
        let file = read_target(&SourceText::new("t.toml", text), Path::new(""), Passwords::Ignore, true).unwrap();
        let roles = RoleCheck::new(&file);
        let target = remote_target(file, find_dialect(dialect).unwrap());
        let known = ["same".to_string(), "renamed".to_string()];
        roles.check(&target, &known).err().map(|mistakes| mistakes.list).unwrap_or_default()
    }

    fn reasons(dialect: &str, account: &str) -> Vec<String> {
        check(dialect, account).into_iter().map(|mistake| mistake.reason).collect()
    }

    #[test]
    fn a_sound_account() {
        assert_eq!(reasons("dovecot", "role = 'same'\nuser = 'test1'\nmailbox = 'test1'"), [""; 0]);
        assert_eq!(reasons("opaque", "role = 'same'\nuser = 'a@b.c'\nmailbox = 'a@b.c'"), [""; 0]);
        // Other roles may have no login name: that is what some of them are for.
        assert_eq!(reasons("opaque", "role = 'renamed'\nuser = 'test1'"), [""; 0]);
    }

    #[test]
    fn the_main_role_needs_a_login_name() {
        let found = check("dovecot", "role = 'same'\nuser = 'test1'");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].reason, "the role `same` has no login name");
        assert_eq!(found[0].help.as_deref().unwrap().rsplit(": ").next(), Some("mailbox = \"test1\""));
        let found = check("dovecot", "role = 'same'\nuser = 'not allowed'\nmailbox = 'x'");
        assert!(found[0].help.as_deref().unwrap().contains("may need `domain` or `dns`"), "{found:?}");
    }

    #[test]
    fn a_whole_login_name_as_the_user() {
        let found = check("dovecot", "role = 'same'\nuser = 'jdoe@example.org'\nmailbox = 'jdoe'");
        assert_eq!(found.len(), 1, "{found:?}");
        let help = found[0].help.as_deref().unwrap();
        assert!(help.ends_with("user = 'jdoe', domain = 'example.org', dns = 'example.org'"), "{help}");
        let found = check("exchange-5.5", "role = 'renamed'\nuser = 'CORP\\jdoe'\nmailbox = 'jdoe'");
        assert!(found[0].help.as_deref().unwrap().ends_with("user = 'jdoe', domain = 'CORP'"), "{found:?}");
        // Without a mailbox there are two things to mend.
        let found = check("dovecot", "role = 'same'\nuser = 'jdoe@example.org'");
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn unknown_roles() {
        let found = check("opaque", "role = 'renmed'\nuser = 'a'");
        assert_eq!(found[0].reason, "unknown role `renmed`");
        assert_eq!(found[0].help.as_deref(), Some("did you mean `renamed`?"));
        assert!(check("opaque", "role = 'vip'\nuser = 'a'")[0].help.as_deref().unwrap().contains("of your own"));
    }
}
