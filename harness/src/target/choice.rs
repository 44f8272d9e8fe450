//! What `--target` means: `reference`, `reference:DIALECT`, `container:NAME` or a file.

use std::path::{Path, PathBuf};

use crate::identity::{Dialect, bundled_dialect, bundled_dialect_names, read_dialect};
use crate::source::{Mistakes, ReadError, SourceText, nearest, one_of};

/// Which server is put to the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetChoice {
    /// The reference server, in each dialect that a scenario names.
    Reference,
    /// The reference server in one dialect: a bundled one's name, or a file.
    ReferenceWith(String),
    /// A server in a container.
    Container(String),
    /// A target file.
    File(PathBuf),
}

/// Why a choice means nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// The text has none of the forms.
    #[error("unknown target `{0}`: expected `reference`, `reference:DIALECT`, `container:NAME` or a FILE.toml{1}")]
    Target(String, String),
    /// No dialect has the name.
    #[error("unknown dialect `{0}`: {1}")]
    Dialect(String, String),
    /// A file cannot be read.
    #[error("{0}")]
    Unreadable(#[from] ReadError),
    /// A dialect file has mistakes.
    #[error("{0}")]
    Mistakes(#[from] Mistakes),
}

impl TargetChoice {
    /// Reads what stands after `--target`.
    pub fn parse(text: &str) -> Result<Self, ChoiceError> {
        match text.split_once(':') {
            _ if text == "reference" => Ok(Self::Reference),
            Some(("reference", dialect)) => Ok(Self::ReferenceWith(dialect.to_string())),
            Some(("container", name)) => Ok(Self::Container(name.to_string())),
            _ if is_file(text) => Ok(Self::File(PathBuf::from(text))),
            _ => {
                let near = bundled_dialect_names().find(|name| *name == text);
                let advice = match near {
                    Some(name) => format!("; did you mean `reference:{name}`?"),
                    None => String::new(),
                };
                Err(ChoiceError::Target(text.to_string(), advice))
            }
        }
    }
}

/// A dialect by the name of a bundled one, or from a file.
pub fn find_dialect(name: &str) -> Result<Dialect, ChoiceError> {
    if let Some(dialect) = bundled_dialect(name) {
        return Ok(dialect?);
    }
    if is_file(name) {
        let path = Path::new(name);
        let source = SourceText::read(path)?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        return Ok(read_dialect(&stem, &source)?);
    }
    let names: Vec<&str> = bundled_dialect_names().collect();
    let advice = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("expected {}, or a FILE.toml", one_of(names)),
    };
    Err(ChoiceError::Dialect(name.to_string(), advice))
}

fn is_file(text: &str) -> bool {
    text.ends_with(".toml") || text.contains('/')
}
