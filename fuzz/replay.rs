//! Replays the committed inputs of every fuzz target through its property, and does nothing else: `fuzz/coverage.sh` looks
//! at which lines that reaches. With names of targets, only theirs.
#![forbid(unsafe_code)]

use std::io;

use loginspec::properties::{ALL, FOLDERS, committed};

fn main() -> io::Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for property in ALL.iter().filter(|property| wanted.is_empty() || wanted.iter().any(|name| name == property.name)) {
        for folder in FOLDERS {
            for (_, input) in committed(folder, property)? {
                (property.check)(&input);
            }
        }
    }
    Ok(())
}
