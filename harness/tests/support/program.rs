//! The program, run as scripts run it, and the files that it is given.
#![allow(dead_code)]

use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

pub fn loginspec(arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("loginspec").unwrap();
    command.args(arguments).timeout(Duration::from_secs(60)).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn file(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}
