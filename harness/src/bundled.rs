//! The files under `scenarios/`, as they were when the program was built.

// Written by `build.rs`: FILES, the path below `scenarios/` and the text of each TOML file, sorted by path.
include!(concat!(env!("OUT_DIR"), "/bundled_files.rs"));
