//! Bundles the files under `scenarios/` into the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("scenarios");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let mut code = String::from("/// Path below `scenarios/` and text of each file.\n");
    code.push_str("pub(crate) const FILES: &[(&str, &str)] = &[\n");
    for file in files {
        let below = file.strip_prefix(&root)?.to_str().ok_or("a path that is not UTF-8")?.replace('\\', "/");
        writeln!(code, "    ({below:?}, include_str!({:?})),", file.display().to_string())?;
    }
    code.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("bundled_files.rs"), code)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            // A folder's own time changes when a file is added, so each one is watched.
            println!("cargo::rerun-if-changed={}", path.display());
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}
