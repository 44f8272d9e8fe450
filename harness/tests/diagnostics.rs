//! Every rule of the file formats has a file that breaks it, and a message that a person can act on.
//!
//! The messages are snapshots under `snapshots/diagnostics/`, named by kind of file and by the rule.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;

use loginspec::identity::{read_dialect, read_directory};
use loginspec::scenario::read_scenario;
use loginspec::source::SourceText;
use loginspec::target::{Date, Passwords, read_target};

fn snapshots(kind: &str, message: impl Fn(&SourceText) -> Result<(), String>) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/diagnostics"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/tests/bad-files").join(kind);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 5);
    settings.bind(|| {
        for file in files {
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            let source = SourceText::new(format!("{stem}.toml"), std::fs::read_to_string(&file).unwrap());
            let message = message(&source).expect_err(&format!("{kind}/{stem}.toml has no mistake"));
            assert!(!message.contains("Secret-Same"), "{kind}/{stem} shows a password:\n{message}");
            insta::assert_snapshot!(format!("{kind}@{stem}"), message);
        }
    });
}

fn plain<T, E: ToString>(read: Result<T, E>) -> Result<(), String> {
    read.map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn scenario_files() {
    let vocabulary = support::vocabulary();
    snapshots("scenario", |source| plain(read_scenario("some/scenario", source, &vocabulary)));
}

#[test]
fn dialect_files() {
    snapshots("dialect", |source| plain(read_dialect("some", source)));
}

#[test]
fn directory_files() {
    snapshots("directory", |source| plain(read_directory(source)));
}

#[test]
fn target_files() {
    let today = Date::parse("2026-11-25").unwrap();
    let every = ["imap/quoting/escaped[imap,login]", "pop3/session/empty[pop3]"];
    snapshots("target", |source| {
        let file = read_target(source, Path::new("."), Passwords::Ignore, true).map_err(|error| error.to_string())?;
        plain(file.known.check(today, Some(&every)))
    });
}

/// All mistakes of a file are shown in one go.
#[test]
fn several_mistakes_are_all_shown() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/tests/bad-files/scenario/several-mistakes.toml");
    let source = SourceText::new("several.toml", std::fs::read_to_string(path).unwrap());
    let mistakes = read_scenario("several", &source, &support::vocabulary()).expect_err("mistakes");
    assert!(mistakes.list.len() >= 8, "only {} of them:\n{mistakes}", mistakes.list.len());
}
