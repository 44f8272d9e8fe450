//! Black-box fuzzing of logins: conversations are made up, had with a live server, and judged by oracles that hold for any
//! server; whatever violates one becomes a small scenario file.
//!
//! - [`Ground`]: a target, and what was learned of it before
//! - [`fuzz`]: a campaign, with its [`Options`], its [`FuzzEvent`]s and its [`CampaignSummary`]
//! - [`Oracle`]: the rules; a [`Finding`] is a violation of one that was seen again
//!
//! A conversation ([`conversation`]) is made by a grammar or by changing an earlier one (`grammar`, `names`, `mutation`,
//! `maker`) and had on connections of its own (`wire`, `speaker`, `play`, `scene`). It is judged (`oracle`, `judge`) by what
//! each command means where it stands (`reading`, `due`, `course`), by independent readers (`independent`), and against
//! other conversations (`comparison`). What is suspicious (`suspicions`, `culprit`) is tried again and made small (`bench`,
//! `simplification`), written down (`scenario_text`, `dialogue_text`, `case_text`), and proven on the target and on a sound
//! reference server (`proof`, `sound`).

mod bench;
mod campaign;
mod case_text;
mod comparison;
mod continuation;
mod conversation;
mod course;
mod culprit;
mod dialogue_text;
mod director;
mod disturbance;
mod due;
mod event;
#[cfg(test)]
mod fixture;
mod good_login;
mod grammar;
mod ground;
mod heard;
mod independent;
mod judge;
mod look;
mod maker;
mod mutation;
mod names;
mod oracle;
mod people;
mod play;
mod proof;
mod reading;
mod scenario_text;
mod scene;
mod shape;
mod simplification;
mod sound;
mod speaker;
mod state_map;
mod store;
mod suspicions;
mod watching;
mod ways_in;
mod wire;
#[cfg(any(test, feature = "fuzzing"))]
mod written;

pub use bench::Finding;
pub use campaign::fuzz;
pub use event::{CampaignSummary, Ended, FuzzEvent, FuzzReporter, Options, Progress};
pub use ground::Ground;
pub use oracle::Oracle;
pub use state_map::StateMap;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use written::written;
