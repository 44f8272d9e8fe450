//! Embeds the files of every server, so that the binary stands alone: a folder with a `Dockerfile` is a server, and
//! what several share lies in `common`.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let common = files_below(&here.join("common"))?;
    let mut folders: Vec<PathBuf> = fs::read_dir(&here)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    folders.retain(|folder| folder.join("Dockerfile").is_file());
    folders.sort();

    let mut table = String::from("pub(crate) static SERVERS: &[Server] = &[\n");
    let mut names = String::from("static NAMES: &[&str] = &[");
    for folder in &folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let dockerfile = fs::read_to_string(folder.join("Dockerfile"))?;
        let _ = writeln!(table, "    Server {{\n        name: {name:?},\n        files: &[");
        for file in files_below(folder)? {
            if !file.ends_with("target.toml") {
                embed(&mut table, folder, &file);
            }
        }
        // An image of its own for each change of what it does not use would be a waste.
        if dockerfile.contains("common/") {
            common.iter().for_each(|file| embed(&mut table, &here, file));
        }
        let target = folder.join("target.toml");
        let _ = writeln!(table, "        ],\n        target_file: include_str!({target:?}),\n    }},");
        if !dockerfile.contains("LABEL org.loginspec.hidden") {
            let _ = write!(names, "{name:?}, ");
        }
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    println!("cargo::rerun-if-changed={}", here.join("common").display());
    println!("cargo::rerun-if-changed={}", here.display());
    table.push_str("];\n");
    names.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("servers.rs"), table + &names)
}

fn embed(table: &mut String, root: &Path, file: &Path) {
    let path = file.strip_prefix(root).unwrap_or(file).display().to_string();
    let _ = writeln!(table, "            ({path:?}, include_bytes!({file:?})),");
}

/// The files in a folder and in those below it, in order.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() { files.extend(files_below(&entry)?) } else { files.push(entry) }
    }
    Ok(files)
}
