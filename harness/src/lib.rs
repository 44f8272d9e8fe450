//! A conformance and fuzz test harness for mail logins (POP3 and IMAP).
//!
//! Imports run one way, from the bottom of this list to its top; `tests/layering.rs` keeps it so.
//!
//! - [`axes`], [`secret`]: the words for a login's other axes; passwords that cannot be printed
//! - [`identity`]: login names and what is meant by them: dialects, directory, resolution
//! - [`protocol`]: IMAP, POP3 and SASL, octets in and octets out
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod axes;
mod bundled;
pub mod identity;
pub mod protocol;
pub mod scenario;
pub mod secret;
pub mod source;
