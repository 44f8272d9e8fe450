//! Finding scenario files: the bundled ones, a file, a folder of files.

use std::path::{Path, PathBuf};

use super::file::read_scenario;
use super::model::Scenario;
use super::vocabulary::Vocabulary;
use crate::bundled;
use crate::source::{Mistakes, ReadError, SourceText};

/// Why scenarios could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file cannot be read.
    #[error("{0}")]
    Unreadable(#[from] ReadError),
    /// A file has mistakes.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// A folder holds no scenario.
    #[error("{} holds no scenario file (*.toml with [[case]])", .0.display())]
    NoScenario(PathBuf),
    /// Two files are called the same.
    #[error("two files have the scenario id `{id}`: {first} and {second}")]
    SameId {
        /// The id.
        id: String,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
}

/// The bundled scenarios, in the order of their ids.
pub fn bundled_scenarios(vocabulary: &Vocabulary) -> Result<Vec<Scenario>, Vec<LoadError>> {
    let files = bundled::FILES.iter().filter(|(path, _)| is_scenario(Path::new(path)));
    read_all(
        files.map(|(path, text)| {
            let id = path.trim_end_matches(".toml").to_string();
            (id, SourceText::new(format!("scenarios/{path}"), *text))
        }),
        vocabulary,
    )
}

/// The scenarios of files and folders, in the order given; every mistake in every file.
pub fn load(paths: &[PathBuf], vocabulary: &Vocabulary) -> Result<Vec<Scenario>, Vec<LoadError>> {
    let mut sources = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        let mut files = Vec::new();
        let found = if path.is_dir() {
            collect(path, &mut files)
        } else {
            files.push(path.clone());
            Ok(())
        };
        if let Err(error) = found {
            errors.push(LoadError::Unreadable(ReadError { path: path.clone(), reason: error.into() }));
            continue;
        }
        if files.is_empty() {
            errors.push(LoadError::NoScenario(path.clone()));
        }
        for file in files {
            match SourceText::read(&file) {
                Ok(source) => sources.push((id_of(path, &file), source)),
                Err(error) => errors.push(error.into()),
            }
        }
    }
    match read_all(sources.into_iter(), vocabulary) {
        Ok(scenarios) if errors.is_empty() => Ok(scenarios),
        Ok(_) => Err(errors),
        Err(more) => {
            errors.extend(more);
            Err(errors)
        }
    }
}

fn read_all(
    sources: impl Iterator<Item = (String, SourceText)>,
    vocabulary: &Vocabulary,
) -> Result<Vec<Scenario>, Vec<LoadError>> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut errors = Vec::new();
    for (id, source) in sources {
        if let Some(twin) = scenarios.iter().find(|scenario| scenario.id == id) {
            errors.push(LoadError::SameId { id, first: twin.source.name.clone(), second: source.name });
            continue;
        }
        match read_scenario(&id, &source, vocabulary) {
            Ok(scenario) => scenarios.push(scenario),
            Err(mistakes) => errors.push(LoadError::Mistakes(mistakes)),
        }
    }
    if errors.is_empty() { Ok(scenarios) } else { Err(errors) }
}

/// In `scenarios/` lie dialects and a directory too: files right below `dialects/`, and `directory.toml`.
fn is_scenario(below: &Path) -> bool {
    let parent = below.parent().and_then(Path::file_name);
    below.extension().is_some_and(|extension| extension == "toml")
        && parent.is_none_or(|folder| folder != "dialects" && folder != "targets")
        && below.file_name().is_none_or(|file| file != "directory.toml")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files)?;
        } else if is_scenario(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// A file's id: its path below the nearest folder called `scenarios`, else below the folder given, else its name.
fn id_of(given: &Path, file: &Path) -> String {
    let parts: Vec<String> = file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if let Some(at) = parts.iter().rposition(|part| part == "scenarios")
        && at + 1 < parts.len()
    {
        return parts.get(at + 1..).unwrap_or_default().join("/");
    }
    let below = file.strip_prefix(given).ok().filter(|below| !below.as_os_str().is_empty());
    let path = below.map_or_else(|| PathBuf::from(file.file_name().unwrap_or_default()), Path::to_path_buf);
    path.with_extension("").iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}
