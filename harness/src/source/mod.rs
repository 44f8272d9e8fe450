//! Files that people write: read with care, and every mistake shown where it stands.
//!
//! Scenario, dialect, directory and target files are TOML. They are read into tables whose keys and values know
//! their place ([`Table`]), checked against a list of [`Field`]s, and every mistake becomes a [`Mistake`] with a
//! span, so that one look at the message is enough to mend it. Nothing here knows what the files are about.

mod field;
mod mistake;
mod nearest;
mod secrets;
mod table;
mod text;

pub use field::{Field, Kind, schema};
pub use mistake::{Mistake, Mistakes, render, render_warnings};
pub use nearest::{nearest, one_of};
pub use table::{Either, List, OneOrMany, OneOrNamed, Table, Text, parse};
pub use text::{LONGEST, ReadError, SourceError, SourceText};
