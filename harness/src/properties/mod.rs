//! Properties that fuzz targets, property tests and the replay of corpora share: each takes any octets, and panics where
//! the property does not hold.
//!
//! [`ALL`] lists them; `fuzz/fuzz_targets/` has a target for each, and `fuzz/seeds/`, `fuzz/regressions/` what is
//! replayed by `cargo test`. Where octets alone would bounce off a grammar, the first ones choose among what is bundled
//! (`arbitrary::Unstructured`), and the rest is the text.

mod asked;
mod challenge;
mod committed;
mod differential;
mod files;
mod formats;
mod identity;
mod output;
mod secrecy;
mod seed_files;
mod seed_talks;
mod seeds;
mod server;
mod session;
mod spellings;
mod talk;
mod wire;
mod world;

pub use challenge::sasl_challenge;
pub use committed::{FOLDERS, committed};
pub use differential::identity_differential;
pub use files::{dialect_file, octet_notation, scenario_file, target_file};
pub use identity::{identity_parse, identity_round_trip};
pub use output::reports;
pub use secrecy::redaction;
pub use seeds::seeds;
pub use server::{reference_imap, reference_pop3};
pub use session::{client_session, session_pair};
pub use wire::{imap_response, pop3_response};

/// A property.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// Its name, and its fuzz target's.
    pub name: &'static str,
    /// Panics where the property does not hold for an input.
    pub check: fn(&[u8]),
    /// What holds, in a sentence.
    pub about: &'static str,
    /// The dictionary that helps a fuzzer to the words of its grammar.
    pub dictionary: &'static str,
}

/// Every property.
pub const ALL: &[Property] = &[
    Property {
        name: "identity_parse",
        check: identity_parse,
        about: "reading a login name is total and faithful in every dialect: spans lie within the name and apart, what is refused is not read, nothing is both named and assumed, and a mailbox opens only for an account that may open it",
        dictionary: "identity.dict",
    },
    Property {
        name: "identity_round_trip",
        check: identity_round_trip,
        about: "what any dialect reads out of an identity in any typed form can be written again, octet by octet",
        dictionary: "identity.dict",
    },
    Property {
        name: "identity_differential",
        check: identity_differential,
        about: "dialects read as second readers do that were written from the documents; neither the case of letters nor a letter at the end moves a split",
        dictionary: "identity.dict",
    },
    Property {
        name: "dialect_file",
        check: dialect_file,
        about: "a dialect or directory file is read, or its mistakes are shown where they are; the login name that a dialect advises opens the account's own mailbox",
        dictionary: "toml.dict",
    },
    Property {
        name: "scenario_file",
        check: scenario_file,
        about: "a scenario file is read, or its mistakes are shown where they are; no two cases have one id, and what they come to with the reference server is judged",
        dictionary: "toml.dict",
    },
    Property {
        name: "target_file",
        check: target_file,
        about: "a target file is read, or its mistakes are shown where they are",
        dictionary: "toml.dict",
    },
    Property {
        name: "octet_notation",
        check: octet_notation,
        about: "octets that were made visible come back; spans follow each other without a gap",
        dictionary: "notation.dict",
    },
    Property {
        name: "imap_response",
        check: imap_response,
        about: "IMAP responses are the same however they are cut, and never beyond what has come",
        dictionary: "imap.dict",
    },
    Property {
        name: "pop3_response",
        check: pop3_response,
        about: "POP3 responses are the same however they are cut, and never beyond what has come",
        dictionary: "pop3.dict",
    },
    Property {
        name: "sasl_challenge",
        check: sasl_challenge,
        about: "to any challenge of any mechanism there is an answer within bounds or a rule that it breaks; a password that is to be proved never travels",
        dictionary: "sasl.dict",
    },
    Property {
        name: "reference_imap",
        check: reference_imap,
        about: "the reference server's IMAP answers a hostile client in whole lines, the same however they are cut, and lets nobody in without a password",
        dictionary: "imap.dict",
    },
    Property { name: "reference_pop3", check: reference_pop3, about: "the same of its POP3", dictionary: "pop3.dict" },
    Property {
        name: "client_session",
        check: client_session,
        about: "a login, a survey, a delivery or a dialogue comes to an end with any server, to the same however its octets are cut",
        dictionary: "imap.dict",
    },
    Property {
        name: "session_pair",
        check: session_pair,
        about: "client and reference server come to what dialect and directory say, however they are cut; with a flaw they come to an end",
        dictionary: "identity.dict",
    },
    Property {
        name: "redaction",
        check: redaction,
        about: "no form of a password that a server repeats is shown: not in a transcript, an outcome, the report for people, JSON Lines, JUnit, records or the scenario of a finding",
        dictionary: "imap.dict",
    },
    Property {
        name: "reports",
        check: reports,
        about: "JSON Lines and JUnit are well formed, whatever stands in them",
        dictionary: "notation.dict",
    },
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `fuzz/` holds, below this repository's root.
    fn fuzz(path: &str) -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(path)
    }

    #[test]
    fn every_committed_input_holds() {
        for property in ALL {
            for (path, input) in FOLDERS.iter().flat_map(|folder| committed(folder, property).unwrap()) {
                let held = std::panic::catch_unwind(|| (property.check)(&input));
                assert!(held.is_ok(), "{}", path.display());
            }
        }
    }

    #[test]
    fn the_seeds_are_those_that_the_scenarios_give() {
        let made = seeds();
        for property in ALL {
            let kept: Vec<Vec<u8>> =
                committed("seeds", property).unwrap().into_iter().map(|(_, input)| input).collect();
            let made: Vec<Vec<u8>> = made[property.name].iter().cloned().collect();
            assert!(!made.is_empty(), "{} has no seeds", property.name);
            assert!(kept == made, "{}: run cargo run --features fuzzing --example make-seeds", property.name);
        }
    }

    #[test]
    fn every_property_has_a_target_a_dictionary_and_a_row() {
        let manifest = std::fs::read_to_string(fuzz("Cargo.toml")).unwrap();
        let readme = std::fs::read_to_string(fuzz("README.md")).unwrap();
        let targets = std::fs::read_dir(fuzz("fuzz_targets")).unwrap().count();
        assert_eq!(targets, ALL.len(), "a target without a property");
        for property in ALL {
            let Property { name, about, dictionary, .. } = property;
            let target = std::fs::read_to_string(fuzz("fuzz_targets").join(format!("{name}.rs"))).unwrap();
            assert!(target.contains(&format!("loginspec::properties::{name}(input)")), "{target}");
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
            assert!(fuzz("dictionaries").join(dictionary).exists(), "{dictionary}");
            let seeds = committed("seeds", property).unwrap().len();
            let row = format!("| `{name}` | {about} | {seeds} | `{dictionary}` | ");
            let rate = readme.lines().find_map(|line| line.strip_prefix(&row)?.strip_suffix(" |"));
            let is_rate = |rate: &str| rate.replace(',', "").parse::<u32>().is_ok();
            assert!(rate.is_some_and(is_rate), "fuzz/README.md lacks this row, with a rate at its end:\n{row}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_property_holds_for_any_octets(input in prop::collection::vec(any::<u8>(), 0..96)) {
            for property in ALL {
                (property.check)(&input);
            }
        }

        #[test]
        fn names_are_read_faithfully(name in r"[A-Za-z0-9. \\/@%*+:{}]{0,40}") {
            for dialect in 0..u8::try_from(world::bundled().0.len()).unwrap() {
                identity_differential(&[&[dialect], name.as_bytes()].concat());
                for mechanism in 0..u8::try_from(crate::axes::Mechanism::ALL.len()).unwrap() {
                    for protocol in 0..2 {
                        identity_parse(&[&[dialect, protocol, mechanism], name.as_bytes()].concat());
                    }
                }
            }
        }

        #[test]
        fn pairs_of_sessions_agree(head in prop::collection::vec(any::<u8>(), 8..14), name in r"[A-Za-z0-9.\\/@]{0,20}") {
            session_pair(&[&head, name.as_bytes()].concat());
        }
    }
}
