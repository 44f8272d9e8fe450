//! The run: which cases are put to which targets, all at once, each in a connection of its own, and what is told of
//! it while it goes on.
//!
//! A [`Plan`] says what is asked of whom; [`run`] asks, judges and tells a [`Reporter`] one [`RunEvent`] after the
//! other. Reports see nothing but these events.

mod advice;
mod again;
mod applicable;
mod caller;
mod challenge;
mod checks;
mod connection;
mod doubt;
mod event;
mod execute;
mod findings;
mod fresh;
mod governor;
mod growth;
mod harm;
mod health;
#[cfg(any(all(test, feature = "cli"), feature = "fuzzing"))]
mod judged;
mod judging;
mod lock;
mod pacing;
mod paired;
mod place;
mod plan;
mod probe;
mod question;
mod refusal;
mod resolved_case;
mod result_collector;
mod rules;
mod sanity;
mod second_look;
mod seed;
mod settle;
mod statistics;
mod survey;
mod watch;
mod workers;

pub use crate::target::Observed;
pub use applicable::applicable_cases;
pub use event::{
    Blame, CaseReport, DeviationReport, LeftOut, Recorded, Reporter, RunEvent, Sanity, Sibling, Stopped, Summary,
    SurveyFacts, TargetFacts,
};
pub use execute::{RunOptions, run};
pub(crate) use fresh::fresh;
pub(crate) use governor::{Gate, Governor};
pub use harm::Harm;
pub use health::LockedOut;
#[cfg(any(all(test, feature = "cli"), feature = "fuzzing"))]
pub(crate) use judged::judged;
pub use judging::OBSERVED;
pub use pacing::{AccountPace, Bottleneck, Extent, PaceFacts, Progress};
pub(crate) use pacing::{AtRisk, GoodLogin};
pub use plan::{Plan, Planned, Shard};
pub use probe::{
    Candidate, DiscoveredEndpoint, Discovery, DiscoveryError, DiscoveryOptions, LoginResult, RefusedLogin,
    SecurityShortfall, TriedLogin, UnmetSecurity, discover,
};
pub(crate) use question::{NOBODYS_PASSWORD, by_dialect};
pub use question::{Question, Request, ask};
pub use rules::{AxisPair, Clause, axis_pairs, clauses};
pub use seed::{SeedError, SeedOptions, SeedResult, Seeded, seed};
