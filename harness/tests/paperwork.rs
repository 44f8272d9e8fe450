//! What is generated and committed is what would be generated now.
//!
//! `UPDATE_GENERATED=1 cargo test --test paperwork` writes the files anew.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use assert_cmd::Command;

fn generated(arguments: &[&str]) -> String {
    let output = Command::cargo_bin("loginspec").unwrap().args(arguments).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn check(file: &str, arguments: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = generated(arguments);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{file} is not what `loginspec {}` prints", arguments.join(" "));
}

#[test]
fn schemas() {
    for kind in ["scenario", "dialect", "directory", "target"] {
        let file = format!("scenarios/{kind}.schema.json");
        check(&file, &["schema", kind]);
        let schema: serde_json::Value = serde_json::from_str(&generated(&["schema", kind])).expect("JSON");
        assert!(schema["properties"].as_object().is_some_and(|properties| properties.len() > 2));
    }
}

#[test]
fn completions_know_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = generated(&["completions", shell]);
        for verb in ["init", "run", "list", "check", "explain", "report", "serve", "seed"] {
            assert!(text.contains(verb), "{shell} completions lack {verb}");
        }
    }
}

#[test]
fn manual_pages() {
    assert!(generated(&["man"]).contains(".TH loginspec 1"));
    let page = generated(&["man", "run"]);
    for option in ["target", "json", "junit", "matrix", "jobs", "timeout", "shard", "flaw"] {
        assert!(page.contains(&format!("\\-\\-{option}")), "the page for run lacks --{option}");
    }
}
