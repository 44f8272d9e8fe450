//! The inputs that are kept below `fuzz/`: whoever replays them reads them here.

use std::io;
use std::path::{Path, PathBuf};

use super::Property;

/// The folders of `fuzz/` with a folder of inputs for each target.
pub const FOLDERS: &[&str] = &["seeds", "regressions", "corpora"];

/// A property's inputs in one of these folders, in the order of their names.
///
/// # Errors
///
/// Where a file cannot be read. A folder that is not there is empty.
pub fn committed(folder: &str, property: &Property) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(property.name);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for file in std::fs::read_dir(folder)? {
        paths.push(file?.path());
    }
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(&path).map(|input| (path, input))).collect()
}
