//! A file that must not be there before: what somebody has written by hand is never overwritten.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::exit_code::CliError;

/// A file that is made when something is written to it, and refused before that where it cannot be made.
pub(super) struct NewFile {
    path: PathBuf,
    file: Option<File>,
}

impl NewFile {
    /// Takes a path where nothing is yet, in a folder that is there. A run that does not get as far as to write to it
    /// leaves nothing behind that would be in the way of the next.
    pub fn new(path: &Path) -> Result<Self, CliError> {
        let name = path.display();
        if path.symlink_metadata().is_ok() {
            return Err(CliError::Usage(format!(
                "{name} exists: give a name that is free, and put what you want of it into the target's file by hand"
            )));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(CliError::Usage(format!("failed to write {name}: there is no folder {}", folder.display())));
        }
        Ok(Self { path: path.to_path_buf(), file: None })
    }
}

impl Write for NewFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(OpenOptions::new().write(true).create_new(true).open(&self.path)?);
        }
        self.file.as_mut().map_or(Ok(0), |file| file.write(octets))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}
