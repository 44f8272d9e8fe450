//! Login names and what is meant by them.
//!
//! A client has one string to say who it is, and every server reads that string in its own way. Here are the
//! meaning ([`Identity`]), its written shapes ([`Form`]), the rules by which a server reads them ([`Dialect`],
//! data from a file), who exists ([`Directory`]), and what a login name comes to with all of that
//! ([`Resolution`]). Octets throughout, nothing is ever assumed to be UTF-8, and no input can fail to be read:
//! a name that no rule covers is a reading of its own kind.

mod access;
mod advice;
mod bundled;
mod case;
mod dialect;
mod dialect_fields;
mod dialect_file;
mod directory;
mod directory_file;
mod failure;
mod form;
mod octet_set;
mod part;
mod provenance;
mod reading;
mod recognition;
mod resolution;
mod restriction;

pub use crate::notation::{NotationError, Token, escape, tokens};
pub use access::{Access, Applies};
pub use advice::{OwnName, TYPED_FORMS, advise, name_of_account, own_names, split_user_name};
pub use bundled::{UNKNOWN_DIALECT, bundled_dialect, bundled_dialect_names, bundled_directory};
pub use case::Case;
pub use dialect::{Assume, Dialect, Effect, MasterSplit, Rule};
pub use dialect_fields::DIALECT_FIELDS;
pub(crate) use dialect_file::place_within;
#[cfg(feature = "net")]
pub(crate) use dialect_file::plain_octets;
pub use dialect_file::read_dialect;
pub use directory::{Account, Directory, Domain, Mailbox, Role};
pub use directory_file::{DIRECTORY_FIELDS, read_directory};
pub use failure::{Cause, Failure, Manner};
pub use form::{Form, FormError};
pub use octet_set::OctetSet;
pub use part::{Identity, Part};
pub use provenance::{Confidence, Source};
pub use reading::{Assumption, Reading, Readings, Verdict};
pub use recognition::{RecognizedDialect, account_fields, recognize_dialect};
pub use resolution::{Resolution, resolve, resolve_reading};
pub use restriction::{Restricted, Restriction};
