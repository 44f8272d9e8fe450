//! The text of one file, read within bounds.

use std::path::{Path, PathBuf};

use super::field::Field;

/// The longest file that is read, in octets. The longest bundled file has a hundredth of it.
pub const LONGEST: u64 = 1 << 20;

/// A file's name and text.
#[derive(Debug, Clone)]
pub struct SourceText {
    /// The name under which messages show it.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// The fields of a file that may hold secrets, such as a target file's passwords. Messages show the values of those
    /// of its fields that are no [`Kind::Secret`](super::Kind::Secret), and mask the rest. `None`: nothing is masked.
    pub fields_with_secrets: Option<&'static [Field]>,
}

/// Why a file could not be read. Reads after "failed to read FILE: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The path names a folder.
    #[error("it is a folder, where a file was expected")]
    Folder,
    /// The path names a device, a pipe or a socket.
    #[error("it is not a regular file")]
    NotRegular,
    /// The file is empty.
    #[error("it is empty")]
    Empty,
    /// The file is longer than anything that a person writes.
    #[error("it has {0} octets; the longest that is read has {LONGEST}")]
    TooLong(u64),
    /// The file is not UTF-8.
    #[error("it is not UTF-8: octet 0x{octet:02x} at offset {offset} (line {line})")]
    NotUtf8 {
        /// The first octet that is not UTF-8.
        octet: u8,
        /// Its place, from 0.
        offset: usize,
        /// Its line, from 1.
        line: usize,
    },
}

/// A file that could not be read, and why.
#[derive(Debug, thiserror::Error)]
#[error("failed to read {}: {reason}", path.display())]
pub struct ReadError {
    /// The file, or the folder.
    pub path: PathBuf,
    /// Why.
    pub reason: SourceError,
}

impl SourceText {
    /// A text that is at hand already: a bundled file, a test.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), fields_with_secrets: None }
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::read_within_bounds(path).map_err(|reason| ReadError { path: path.to_path_buf(), reason })
    }

    fn read_within_bounds(path: &Path) -> Result<Self, SourceError> {
        let facts = std::fs::metadata(path)?;
        if facts.is_dir() {
            return Err(SourceError::Folder);
        }
        if !facts.is_file() {
            return Err(SourceError::NotRegular);
        }
        if facts.len() > LONGEST {
            return Err(SourceError::TooLong(facts.len()));
        }
        Self::from_octets(path.display().to_string(), std::fs::read(path)?)
    }

    /// Takes a file's octets.
    pub fn from_octets(name: impl Into<String>, octets: Vec<u8>) -> Result<Self, SourceError> {
        if octets.is_empty() {
            return Err(SourceError::Empty);
        }
        match String::from_utf8(octets) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let octets = error.as_bytes();
                let line = 1 + octets.iter().take(offset).filter(|&&octet| octet == b'\n').count();
                Err(SourceError::NotUtf8 { octet: octets.get(offset).copied().unwrap_or_default(), offset, line })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_octet_that_is_not_utf8_is_named_with_its_line() {
        let error = SourceText::from_octets("x", b"a\nb\xff".to_vec()).expect_err("not UTF-8");
        assert_eq!(error.to_string(), "it is not UTF-8: octet 0xff at offset 3 (line 2)");
    }

    #[test]
    fn nothing_and_folders_are_refused() {
        assert!(matches!(SourceText::from_octets("x", Vec::new()), Err(SourceError::Empty)));
        let error = SourceText::read(Path::new(".")).expect_err("a folder");
        assert_eq!(error.to_string(), "failed to read .: it is a folder, where a file was expected");
    }
}
