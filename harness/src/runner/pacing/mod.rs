//! How fast a server may be asked: the lockout budget of each account, the order of the cases, and how long a run takes.

mod accounts_at_risk;
mod deadlines;
mod distribute;
mod lockout_budget;
mod pace;
mod priority;
mod schedule;
mod selection;

pub(super) use accounts_at_risk::{Secrets, accounts_at_risk, is_right};
pub(crate) use lockout_budget::{AtRisk, BudgetError, GoodLogin, LockoutBudget};
pub use pace::{AccountPace, Bottleneck, PaceFacts, Progress};
pub(super) use pace::{Pace, PartOfRun};
pub use schedule::Extent;
pub(super) use schedule::{Lane, Schedule, WorkItem, schedule};
