//! Reading the files that several verbs take.

use std::path::{Path, PathBuf};

use super::exit_code::CliError;
use crate::identity::{Directory, bundled_dialect_names, bundled_directory, read_directory};
use crate::scenario::Vocabulary;
use crate::source::SourceText;

/// A file's text.
pub(super) fn source(path: &Path) -> Result<SourceText, CliError> {
    Ok(SourceText::read(path)?)
}

/// The directory of a file, or the bundled one.
pub(super) fn directory(path: Option<&PathBuf>) -> Result<Directory, CliError> {
    match path {
        Some(path) => Ok(read_directory(&source(path)?)?),
        None => Ok(bundled_directory()?),
    }
}

/// The words that scenarios may use: the bundled roles and dialects, those of this directory, and more dialects.
pub(super) fn vocabulary(
    directory: &Directory,
    dialects: impl IntoIterator<Item = String>,
) -> Result<Vocabulary, CliError> {
    let mut vocabulary = Vocabulary {
        roles: bundled_directory()?.roles().map(str::to_string).collect(),
        dialects: bundled_dialect_names().map(str::to_string).collect(),
    };
    for role in directory.roles() {
        if !vocabulary.roles.iter().any(|known| known == role) {
            vocabulary.roles.push(role.to_string());
        }
    }
    for dialect in dialects {
        if !vocabulary.dialects.contains(&dialect) {
            vocabulary.dialects.push(dialect);
        }
    }
    Ok(vocabulary)
}
