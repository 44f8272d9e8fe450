//! A conformance and fuzz test harness for mail logins (POP3 and IMAP).
//!
//! Imports run one way, from the bottom of this list to its top; `tests/layering.rs` keeps it so.
//!
//! - [`axes`], [`secret`], [`source`], `notation`, `elision`, `panic`, `plural`, `varying`: the words for a login's other axes;
//!   passwords that cannot be printed; files that people write, and their mistakes; octets made visible; panics of our own that
//!   are caught; counts with their nouns; what differs from one connection to the next
//! - [`identity`]: login names and what is meant by them: dialects, directory, resolution
//! - [`protocol`]: IMAP, POP3 and SASL from the client's side, octets in and octets out
//! - [`scenario`]: files to cases; expectation and outcome to verdict
//! - [`reference`]: the reference server, with parsers of its own and flaws by name
//! - `transport`: drives a protocol session over a real connection
//! - `target`: the servers under test
//! - `runner`: plans and runs, many connections at once, and tells what happens as events
//! - `fuzz`: conversations that are made up, oracles that judge them, and scenarios of what they find
//! - `report`: the events for people, as JSON Lines, as JUnit
//! - `cli`: one file per verb
//!
//! The first five, and the reference server's sessions, need neither tokio nor a socket
//! (`--no-default-features`).
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod axes;
mod bundled;
#[cfg(feature = "cli")]
pub mod cli;
mod elision;
#[cfg(feature = "cli")]
pub mod fuzz;
pub mod identity;
mod notation;
#[cfg(feature = "net")]
mod panic;
#[cfg(feature = "net")]
mod plural;
#[cfg(any(all(test, feature = "cli"), feature = "fuzzing"))]
#[doc(hidden)]
pub mod properties;
pub mod protocol;
pub mod reference;
#[cfg(feature = "cli")]
pub mod report;
#[cfg(feature = "net")]
pub mod runner;
pub mod scenario;
pub mod secret;
pub mod source;
#[cfg(feature = "net")]
pub mod target;
#[cfg(feature = "net")]
pub mod transport;
#[cfg(feature = "cli")]
mod varying;
