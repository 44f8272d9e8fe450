//! Imports run one way: a room may use those named beside it in this list, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

/// Each module of the library, and the modules that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("axes", &[]),
    ("secret", &[]),
    ("source", &[]),
    ("notation", &[]),
    ("panic", &[]),
    ("elision", &[]),
    ("plural", &[]),
    ("varying", &[]),
    ("bundled", &[]),
    ("identity", &["axes", "secret", "source", "notation", "bundled"]),
    ("protocol", &["axes", "secret", "notation", "elision"]),
    ("scenario", &["axes", "secret", "source", "bundled", "identity", "protocol"]),
    ("reference", &["axes", "secret", "identity"]),
    ("transport", &["axes", "secret", "protocol"]),
    ("target", &["axes", "secret", "source", "plural", "identity", "scenario", "protocol", "reference", "transport"]),
    (
        "runner",
        &["axes", "secret", "panic", "plural", "elision", "identity", "protocol", "scenario", "transport", "target"],
    ),
    (
        "fuzz",
        &[
            "axes",
            "secret",
            "panic",
            "identity",
            "protocol",
            "scenario",
            // For the sound twin of a target.
            "reference",
            "transport",
            "target",
            "runner",
            "varying",
        ],
    ),
    // Reports see the runner's events, and the words in them.
    ("report", &["elision", "plural", "varying", "runner", "scenario", "source"]),
    (
        "cli",
        &[
            "axes",
            "fuzz",
            "identity",
            "plural",
            "reference",
            "report",
            "runner",
            "scenario",
            "source",
            "target",
            "transport",
        ],
    ),
    (
        "properties",
        &[
            "axes",
            "bundled",
            "identity",
            "protocol",
            "scenario",
            "reference",
            "source",
            "secret",
            "target",
            "runner",
            "report",
            "transport",
            // What a campaign would write of a finding holds no password either.
            "fuzz",
        ],
    ),
];

/// The rooms that work without a socket, a clock or tokio.
const PURE: &[&str] =
    &["axes", "secret", "source", "notation", "bundled", "identity", "protocol", "scenario", "properties"];

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let module = module_of(&file);
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            assert!(["lib", "main"].contains(&module.as_str()), "{module} is in no layer: add it to this list");
            continue;
        };
        // What tests build their worlds from is no import of the room.
        if !file.to_string_lossy().ends_with("_tests.rs") && !file.ends_with("fixture.rs") {
            wrong.extend(upward_imports(&file, &text, &module, allowed));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn upward_imports(file: &Path, text: &str, module: &str, allowed: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    for (number, line) in code.lines().enumerate() {
        let at = || format!("{}:{}: {module} must not use", file.display(), number + 1);
        for used in used_modules(line) {
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} {used}", at()));
            }
        }
        if PURE.contains(&module) && code_of(line).contains("tokio::") {
            wrong.push(format!("{} tokio", at()));
        }
    }
    wrong
}

#[test]
fn the_test_can_fail() {
    assert_eq!(used_modules("use crate::runner::{Plan};"), ["runner"]);
    assert_eq!(used_modules("    let x = crate::target::find(y);"), ["target"]);
    assert!(used_modules("// crate::runner in words").is_empty());
}

/// A long file is more than one concept; its tests are counted apart.
#[test]
fn files_stay_short() {
    for (file, text) in sources() {
        let lines = text.split("#[cfg(test)]").next().unwrap().lines().count();
        let is_tests = file.to_string_lossy().ends_with("_tests.rs");
        assert!(is_tests || lines <= 420, "{} has {lines} lines without its tests: split it", file.display());
        assert!(text.starts_with("//!"), "{} does not say what it is for", file.display());
    }
}

fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap()
}

fn used_modules(line: &str) -> Vec<String> {
    code_of(line)
        .split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect())
        .filter(|name: &String| MAY_USE.iter().any(|(module, _)| module == name))
        .collect()
}

fn module_of(file: &Path) -> String {
    file.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_string()
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(&root).unwrap().to_path_buf(), text));
            }
        }
    }
    assert!(files.len() > 40, "too few files found: is the path right?");
    files
}
