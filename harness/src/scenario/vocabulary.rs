//! The words that a scenario file may use besides the format's own, and those that it may make up.

use crate::source::{Mistake, Table, Text};

/// The words that a scenario file may use besides the format's own.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// The roles of the directory.
    pub roles: Vec<String>,
    /// The dialects.
    pub dialects: Vec<String>,
}

/// Finds names that would be awkward in ids.
pub(super) fn check_slug(table: &Table<'_>, id: &Text, kind: &str) {
    let is_slug = !id.value.is_empty()
        && id.value.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-');
    if !is_slug {
        table.mistake(
            Mistake::new(id.span.clone(), format!("the {kind} `{}` is not a slug", id.value), "in this name")
                .with_help("use lower-case letters, digits and hyphens: `mailbox-alone`"),
        );
    }
}
