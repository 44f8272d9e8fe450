//! The dialects and the directory that are part of the program.

use super::dialect::Dialect;
use super::dialect_file::read_dialect;
use super::directory::Directory;
use super::directory_file::read_directory;
use crate::bundled;
use crate::source::{Mistakes, SourceText};

/// Where the bundled dialect files lie.
const FOLDER: &str = "dialects/";

/// The bundled dialect of a server about which nothing is known.
pub const UNKNOWN_DIALECT: &str = "unknown";

/// The names of the bundled dialects, in order.
pub fn bundled_dialect_names() -> impl Iterator<Item = &'static str> {
    bundled::FILES.iter().filter_map(|(path, _)| dialect_name(path))
}

/// A bundled dialect; nothing where none has the name.
pub fn bundled_dialect(name: &str) -> Option<Result<Dialect, Mistakes>> {
    let (path, text) = bundled::FILES.iter().find(|(path, _)| dialect_name(path) == Some(name))?;
    Some(read_dialect(name, &SourceText::new(format!("scenarios/{path}"), *text)))
}

/// Right below the folder lie dialects; in folders below it, the scenarios of one dialect each.
fn dialect_name(path: &'static str) -> Option<&'static str> {
    path.strip_prefix(FOLDER)?.strip_suffix(".toml").filter(|name| !name.contains('/'))
}

/// The bundled directory.
pub fn bundled_directory() -> Result<Directory, Mistakes> {
    let text = bundled::FILES.iter().find(|(path, _)| *path == "directory.toml").map_or("", |(_, text)| text);
    read_directory(&SourceText::new("scenarios/directory.toml", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_file_is_sound() {
        for name in bundled_dialect_names() {
            if let Some(Err(mistakes)) = bundled_dialect(name) {
                panic!("{mistakes}");
            }
        }
        if let Err(mistakes) = bundled_directory() {
            panic!("{mistakes}");
        }
    }
}
