//! How each dialect reads each form: every line of the tables under `truth-table/` is one test.
//!
//! A line says dialects, access, what is expected and how sure that is:
//!
//! ```text
//! [Domain1\User1]
//! exchange-5.5   *            domain=Domain1 user=User1 mailbox~User1   documented
//! dovecot        imap/login   refused                                  observed
//! ```
//!
//! `=` is a part that the name holds, `~` one that the server assumes (`~HOME`: its own domain); parts that are not
//! listed are absent. `refused` must not be read at all; `safe` is a cell that nobody knows: whatever it is read as,
//! nobody's mailbox opens but that of somebody who is named. `key=` is the user part as it is looked up.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};
use loginspec::axes::{Mechanism, Protocol};
use loginspec::identity::{
    Access, Dialect, Directory, Part, Token, Verdict, bundled_dialect, bundled_dialect_names, bundled_directory,
    resolve, tokens,
};

const HOME: &[u8] = b"Domain1";
const TABLES: &[&str] = &["exchange", "others", "affixes"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for table in TABLES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("harness/tests/truth-table/{table}.txt"));
        let text = std::fs::read_to_string(&path).expect("a table that can be read");
        trials.extend(rows(table, &text));
    }
    assert!(trials.len() > 400, "only {} rows: are the tables whole?", trials.len());
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn rows(table: &str, text: &str) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut name = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(form) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name = Some(form.to_string());
            continue;
        }
        let name = name.clone().expect("a row before any name");
        let line = line.split(" #").next().unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let (&[dialects, access], rest) = words.split_first_chunk::<2>().expect("dialect and access");
        let (confidence, expected) = rest.split_last().expect("expectation and confidence");
        for dialect in dialects.split(',') {
            let (dialect, access, expected) = (dialect.to_string(), access.to_string(), expected.join(" "));
            let (name, confidence) = (name.clone(), (*confidence).to_string());
            let title = format!("{table}:{} [{name}] {dialect} {access}", number + 1);
            trials.push(Trial::test(title, move || {
                assert!(["documented", "observed", "inferred", "unknown"].contains(&confidence.as_str()));
                check(&octets(&name), &dialect, &access, &expected)
            }));
        }
    }
    trials
}

fn check(name: &[u8], dialect: &str, access: &str, expected: &str) -> Result<(), Failed> {
    let dialect = dialects().get(dialect).ok_or_else(|| format!("no dialect is called {dialect}"))?;
    let accesses = accesses(dialect, access);
    if accesses.is_empty() {
        return Err(format!("{} offers no {access}", dialect.name).into());
    }
    for access in accesses {
        let found = match expected {
            "safe" => safe(dialect, name, access),
            _ => read(dialect, name, access, expected),
        };
        found.map_err(|reason| format!("{access:?}: {reason}"))?;
    }
    Ok(())
}

fn read(dialect: &Dialect, name: &[u8], access: Access, expected: &str) -> Result<(), String> {
    let readings = dialect.read(name, access);
    if expected == "refused" {
        return match readings.verdict {
            Verdict::Refused { .. } => Ok(()),
            other => Err(format!("not refused: {other:?}")),
        };
    }
    let reading = readings.chosen().ok_or_else(|| format!("not read: {:?}", readings.verdict))?;
    let mut listed: Vec<Part> = Vec::new();
    for word in expected.split(' ') {
        let at = word.find(['=', '~']).expect("part=value or part~value");
        let (part, value) = (&word[..at], octets(&word[at + 1..]));
        if part == "key" {
            let user = reading.named(Part::User).unwrap_or_default();
            if *dialect.folded(user) != *value {
                return Err(format!("looked up as {}", dialect.folded(user).escape_ascii()));
            }
            continue;
        }
        let part = Part::from_word(part).expect("a part");
        listed.push(part);
        let is_assumed = word.as_bytes()[at] == b'~';
        let wanted: &[u8] = if is_assumed && value == b"HOME" { HOME } else { &value };
        let found = reading.part(part, HOME);
        if found != Some(wanted) || reading.assumption(part).is_some() != is_assumed {
            return Err(format!("{}: {}", part.word(), describe(found, reading.assumption(part).is_some())));
        }
    }
    // A line that only says `key=` says nothing of the parts.
    if listed.is_empty() {
        return Ok(());
    }
    for part in Part::ALL {
        if let Some(found) = reading.part(part, HOME).filter(|_| !listed.contains(&part)) {
            return Err(format!("{} should be absent: {}", part.word(), found.escape_ascii()));
        }
    }
    Ok(())
}

fn safe(dialect: &Dialect, name: &[u8], access: Access) -> Result<(), String> {
    let (_, resolution) = resolve(dialect, directory(), name, access);
    let (Ok(mailbox), Some(account)) = (resolution.opens, resolution.account) else { return Ok(()) };
    let lower = name.to_ascii_lowercase();
    let is_typed = |octets: &[u8]| lower.windows(octets.len().max(1)).any(|part| part.eq_ignore_ascii_case(octets));
    if is_typed(mailbox) || is_typed(&account.user) {
        Ok(())
    } else {
        Err(format!("opens {} of {}", mailbox.escape_ascii(), account.role))
    }
}

fn describe(found: Option<&[u8]>, is_assumed: bool) -> String {
    let octets = found.map_or("absent".to_string(), |octets| octets.escape_ascii().to_string());
    if is_assumed { format!("{octets} (assumed)") } else { octets }
}

fn accesses(dialect: &Dialect, text: &str) -> Vec<Access> {
    let (protocol, mechanism) = text.split_once('/').unwrap_or((text, "*"));
    let mut found = Vec::new();
    for &one in &dialect.protocols {
        for &other in Mechanism::ALL {
            let wanted = if mechanism == "*" { dialect.mechanisms.contains(&other) } else { other.word() == mechanism };
            if wanted && (protocol == "*" || Protocol::from_word(protocol) == Some(one)) {
                found.push(Access { protocol: one, mechanism: other });
            }
        }
    }
    found
}

fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for (token, _) in tokens(text).expect("sound notation") {
        match token {
            Token::Octets(more) => octets.extend(more),
            Token::Name(name) => panic!("{{{name}}} stands for nothing"),
        }
    }
    octets
}

fn dialects() -> &'static HashMap<String, Dialect> {
    static DIALECTS: OnceLock<HashMap<String, Dialect>> = OnceLock::new();
    DIALECTS.get_or_init(|| {
        bundled_dialect_names().map(|name| (name.to_string(), bundled_dialect(name).unwrap().unwrap())).collect()
    })
}

fn directory() -> &'static Directory {
    static DIRECTORY: OnceLock<Directory> = OnceLock::new();
    DIRECTORY.get_or_init(|| bundled_directory().unwrap())
}
