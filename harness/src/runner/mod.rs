//! The run: which cases are put to which targets, all at once, each in a connection of its own, and what is told of
//! it while it goes on.
//!
//! A [`Plan`] says what is asked of whom; [`run`] asks, judges and tells a [`Reporter`] one [`RunEvent`] after the
//! other. Reports see nothing but these events.

mod checks;
mod connection;
mod event;
mod execute;
mod fresh;
mod plan;
mod question;
mod sanity;
mod settle;
mod survey;

pub use event::{CaseReport, Reporter, RunEvent, Sanity, Summary, SurveyFacts, TargetFacts};
pub use execute::{RunOptions, run};
pub use plan::{Plan, Planned, Shard};
pub use question::{Question, Request, ask};
