//! Which cases of a plan a target's accounts can be asked, before the server has said what it offers.

use super::plan::{Plan, Planned};
use super::question::ask;
use crate::axes::Mechanism;
use crate::target::Target;

/// The number of planned cases in which the account with this role logs in.
///
/// Left out are cases that need an account, a value or a security that the target file does not give.
pub fn applicable_cases(plan: &Plan, target: &Target, role: &str) -> usize {
    let is_applicable = |planned: &&Planned| {
        planned.case().is_some_and(|case| {
            let lacks_certificate =
                case.mechanism == Some(Mechanism::External) && !target.certificates.contains_key(role);
            case.role == role && !lacks_certificate && ask(case, target, planned.scenario.once, role).is_ok()
        })
    };
    plan.list.iter().filter(is_applicable).count()
}
