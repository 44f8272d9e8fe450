//! Scenario files, the cases that they stand for, and the judging.
//!
//! A [`Scenario`] is a file; its matrix and its `[[case]]`s expand to [`Case`]s with stable ids. What a case
//! expects ([`Expectation`]) and what happened (an outcome of [`crate::protocol`]) come to a [`Judgement`].

mod action;
mod axes_of;
mod cast;
mod expectation;
mod fields;
mod file;
mod judgement;
mod load;
mod matrix;
mod model;
mod naming;
mod pairwise;
mod script;
mod select;
mod siblings;
mod skip;
mod template;
mod template_notation;
mod vocabulary;

pub use cast::{Cast, Filler, Lacking, RoleValue};
pub use expectation::{Expectation, Expected, Level};
pub use fields::{SCENARIO_FIELDS, scenario_schema};
pub use file::read_scenario;
pub use judgement::{Judgement, KnownPrint, Verdict, judge, recognize};
#[cfg(feature = "net")]
pub(crate) use judgement::{by_level, describe, reply_of};
pub use load::{LoadError, bundled_scenarios, load};
pub use model::{
    Action, Against, Case, PasswordChoice, Scenario, ScriptAnswer, ScriptLine, ScriptPattern, ScriptStep, ScriptWord,
};
pub use naming::{NamingProblem, naming_problems};
pub use pairwise::reduce;
pub use select::{Glob, Selection};
pub use siblings::{Sibling, judge_distinct, judge_same};
pub use skip::{Measured, SkipCode, SkipReason, SkippedCase};
pub use template::{Filled, Piece, Spelling, Template, Value};
pub use vocabulary::Vocabulary;
