//! Failed logins spread over the accounts of a target, where a case says nothing of the account.

use std::collections::HashMap;
use std::sync::Arc;

use super::lockout_budget::AtRisk;
use super::schedule::Entry;
use crate::identity::{Access, Account, advise};
use crate::runner::governor::Governor;
use crate::scenario::{Action, Case, Expectation, PasswordChoice, Piece, Template, Value};
use crate::target::Target;

/// The role that a case gets that names none.
const DEFAULT_ROLE: &str = "same";

/// Gives cases to the account with the fewest failed logins so far. Only a case is given away that would be the same with
/// any account: it logs in with its own login name, a wrong password and the default role, and expects a refusal.
pub(super) fn distribute(entries: &mut [Entry], governor: &Governor) {
    let mut sent: HashMap<(usize, usize), u64> = HashMap::new();
    for entry in entries {
        let target = entry.planned.target;
        let Some(gate) = governor.gates.get(target) else { continue };
        let [risk] = entry.at_risk[..] else {
            for risk in &entry.at_risk {
                *sent.entry((target, risk.account)).or_default() += risk.failures;
            }
            continue;
        };
        let fits = std::iter::once(&entry.planned)
            .chain(&entry.same_octets)
            .all(|planned| planned.case().is_some_and(fits_any_account));
        let chosen = entry.planned.case().filter(|_| fits && !entry.is_comparison).and_then(|case| {
            let others = able_accounts(&gate.target, case);
            let all = std::iter::once(risk.account).chain(others.into_iter().filter(|other| *other != risk.account));
            all.min_by_key(|account| sent.get(&(target, *account)).copied().unwrap_or(0))
        });
        let account = chosen.unwrap_or(risk.account);
        *sent.entry((target, account)).or_default() += risk.failures;
        if account != risk.account
            && let Some(other) = gate.target.directory.accounts.get(account)
        {
            let role: Arc<str> = Arc::from(other.role.as_str());
            for planned in std::iter::once(&mut entry.planned).chain(&mut entry.same_octets) {
                planned.instead_of_role = Some(Arc::clone(&role));
            }
            entry.at_risk = vec![AtRisk { account, ..risk }];
        }
    }
}

fn fits_any_account(case: &Case) -> bool {
    let Action::Login { name, authzid: None, password } = &case.action else { return false };
    let of_own = |template: &Template, wanted: &[Value]| {
        template.pieces().iter().all(|piece| match piece {
            Piece::Octets(_) => true,
            Piece::Value { role: None, value, .. } => wanted.contains(value),
            _ => false,
        })
    };
    let is_wrong = match password {
        PasswordChoice::Wrong | PasswordChoice::Empty => true,
        PasswordChoice::Text(text) => of_own(text, &[Value::Password]),
        PasswordChoice::Right => false,
    };
    case.role == DEFAULT_ROLE
        && case.form.is_none()
        && is_wrong
        && matches!(case.expectation, Expectation::Rejected | Expectation::Refused)
        && of_own(name, &[Value::Login])
}

/// The accounts that can log in by this case's carrier with a name that needs no escapes.
fn able_accounts(target: &Target, case: &Case) -> Vec<usize> {
    let Some(mechanism) = case.mechanism else { return Vec::new() };
    let access = Access { protocol: case.protocol, mechanism };
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'_' | b'-' | b'@');
    let is_able = |account: &Account| {
        let name = advise(&target.dialect, &target.directory, account, access);
        let has_secret = !mechanism.takes_token() || account.token.is_some();
        !account.disabled && !account.master && has_secret && name.is_some_and(|(_, name)| name.iter().all(is_plain))
    };
    let accounts = target.directory.accounts.iter().enumerate();
    accounts.filter(|(_, account)| is_able(account)).map(|(index, _)| index).collect()
}
