//! Walks over every verb: headings, and texts that a stranger can read.

use clap::{Arg, Command};

use super::*;
use crate::cli::command;

/// Where each option stands. An option that is missing here is new: add it, so that it cannot stand under a heading that
/// it got from the group before it.
const OPTIONS: &[(&str, &[&str])] = &[
    (CASES, &["scenarios", "filter", "shard", "full", "smoke"]),
    (TARGET, &["target", "i_may_fuzz"]),
    (
        SERVER,
        &[
            "imap",
            "imaps",
            "pop3",
            "pop3s",
            "account",
            "mailbox",
            "domain",
            "password_env",
            "password_file",
            "password_command",
            "token_env",
            "dialect",
        ],
    ),
    (TLS, &["security", "ca", "server_name", "tls_oldest", "tls_newest", "insecure", "allow_plaintext"]),
    (
        LIMITS,
        &[
            "jobs",
            "timeout",
            "time_limit",
            "fail_fast",
            "max_failures",
            "no_lockout",
            "rate",
            "time",
            "conversations",
            "stop_file",
            "at_once",
        ],
    ),
    (
        REPORTS,
        &[
            "json",
            "junit",
            "matrix",
            "accept",
            "accept_security",
            "no_new_skips",
            "allow_new_skips",
            "quiet",
            "server_log",
            "results",
            "out",
            "rules",
        ],
    ),
    (REFERENCE, &["directory", "flaw"]),
    (CAMPAIGN, &["seed", "resume"]),
    (DELIVERY, &["dry_run"]),
    (SELECTION, &["protocol", "mechanism", "against"]),
];

/// Options that stand elsewhere in one verb: there the name means something else.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("fuzz", "findings", LIMITS),
    ("report", "findings", REPORTS),
    ("check", "directory", FILES),
    ("explain", "directory", FILES),
    ("check", "strict", FILES),
    ("init", "output", FILES),
    ("init", "dry_run", FILES),
    ("explain", "dialect", SELECTION),
    ("serve", "dialect", REFERENCE),
    ("serve", "imap", REFERENCE),
    ("serve", "imaps", REFERENCE),
    ("serve", "pop3", REFERENCE),
    ("serve", "pop3s", REFERENCE),
    ("serve", "require_tls", TLS),
    ("serve", "ca_file", TLS),
];

/// Words that only the authors of the program understand, or that say nothing.
const PRIVATE: &[&str] = &[
    "nobody",
    "whoever",
    "somebody",
    "comes to",
    "came to",
    "other people",
    "this machine",
    "abroad",
    "at home",
    "stranger",
    "director",
    "scene",
    "ledger",
    "doubt",
    "ground",
    "play",
];

fn verbs() -> Vec<Command> {
    command().get_subcommands().cloned().collect()
}

/// The options of a verb without those that clap adds, and without hidden ones.
fn options(verb: &Command) -> Vec<&Arg> {
    let own = |arg: &&Arg| !["help", "version"].contains(&arg.get_id().as_str()) && !arg.is_hide_set();
    verb.get_arguments().filter(own).collect()
}

fn heading(verb: &str, id: &str) -> Option<&'static str> {
    let elsewhere = ELSEWHERE.iter().find(|(name, option, _)| (*name, *option) == (verb, id));
    let usual = || OPTIONS.iter().find(|(_, options)| options.contains(&id)).map(|(heading, _)| *heading);
    elsewhere.map(|(_, _, heading)| *heading).or_else(usual)
}

#[test]
fn every_option_stands_under_its_heading() {
    let mut wrong = Vec::new();
    for verb in verbs() {
        for option in options(&verb) {
            let (id, found) = (option.get_id().as_str(), option.get_help_heading());
            // What has no name stands under clap's own heading for arguments, which comes first.
            let wanted = if option.is_positional() { None } else { heading(verb.get_name(), id) };
            if found != wanted || (wanted.is_none() && !option.is_positional()) {
                wrong.push(format!("{} {id}: under {found:?}, expected {wanted:?}", verb.get_name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_option_has_a_help_that_ends_properly() {
    let mut wrong = Vec::new();
    for verb in verbs() {
        for option in options(&verb) {
            let short = option.get_help().map(ToString::to_string).unwrap_or_default();
            let is_whole = |text: &str| text.ends_with(|last: char| last.is_alphanumeric() || ")]`'.".contains(last));
            let long = option.get_long_help().map_or_else(|| short.clone(), ToString::to_string);
            if short.len() < 10 || !is_whole(&short) || !is_whole(&long) || short.ends_with("..") {
                wrong.push(format!("{} {}: {short:?}", verb.get_name(), option.get_id()));
            }
        }
        assert!(verb.get_about().is_some(), "{} does not say what it does", verb.get_name());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_help_uses_private_words() {
    let mut wrong = Vec::new();
    for mut verb in verbs() {
        let name = verb.get_name().to_string();
        let text = verb.render_long_help().to_string().to_lowercase();
        // What a flaw does is told elsewhere, in words that are not ours to change here.
        let text = text.split("possible values:\n").next().unwrap();
        let words: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric()).collect();
        let text = format!(" {} ", words.join(" "));
        wrong.extend(
            PRIVATE.iter().filter(|word| text.contains(&format!(" {word} "))).map(|word| format!("{name}: {word}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_help_of_run_ends_with_exit_codes_and_the_effect_on_accounts() {
    let mut verbs = verbs();
    let run = verbs.iter_mut().find(|verb| verb.get_name() == "run").unwrap();
    let long = run.render_long_help().to_string();
    let (_, end) = long.split_once("Exit codes:\n").unwrap();
    for code in ["  0  ", "  1  ", "  2  ", "  3  ", "  4  ", "  5  ", "  6  ", "130  "] {
        assert!(end.contains(code), "{code} is missing:\n{end}");
    }
    for part in ["What a run does to an account:", "EXAMINE", "wrong", "`lockout`", "`seed`"] {
        assert!(end.contains(part), "{part} is missing:\n{end}");
    }
    assert!(!end.contains("      --"), "an option stands after the end:\n{end}");
    assert!(run.render_help().to_string().contains("Exit codes: 0 all as expected"));
}
