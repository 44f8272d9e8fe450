//! Files that people write: whatever stands in them, they are read or their mistakes are shown.

use annotate_snippets::Renderer;

use super::asked;
use super::world::{bundled, vocabulary};
use crate::axes::{Mechanism, Protocol};
use crate::identity::{
    Access, Cause, Confidence, Dialect, Directory, Identity, Token, advise, escape, read_dialect, read_directory,
    resolve, tokens,
};
use crate::scenario::read_scenario;
use crate::source::{Mistakes, SourceText, render};

/// Names of several forms; what they mean is for a dialect and a directory to say.
const NAMES: &[&[u8]] = &[
    b"",
    b"a",
    b"Same",
    br"Domain1\User1\Mailbox1",
    b"Domain2/User1",
    b"User1@domain1.example",
    b"User1*Master",
    b"*Master",
    b"Bob+x",
    b"a@b/c%d*e",
    "\u{c4}@b".as_bytes(),
    b"\xff\x00",
];

/// A dialect file is read, or its mistakes are shown where they are. What was read reads names, and where it advises a
/// login name for an account, that one opens the account's mailbox.
pub fn dialect_file(text: &[u8]) {
    let Some(source) = source(text) else { return };
    match read_dialect("fuzzed", &source) {
        Ok(dialect) => check_dialect(&dialect, &bundled().1),
        Err(mistakes) => check_mistakes(&mistakes),
    }
    // The same text for the other file that says who is who.
    match read_directory(&source) {
        Ok(directory) => {
            bundled().0.first().iter().for_each(|dialect| check_dialect(dialect, &directory));
            for role in directory.roles() {
                let found = directory.role(role);
                assert!(
                    found.is_some_and(|found| found.account.is_some() || found.mailbox.is_some()),
                    "{role} is nobody"
                );
            }
        }
        Err(mistakes) => check_mistakes(&mistakes),
    }
}

fn check_dialect(dialect: &Dialect, directory: &Directory) {
    for &mechanism in Mechanism::ALL {
        let access = Access { protocol: Protocol::Imap, mechanism };
        for name in NAMES {
            let (readings, resolution) = resolve(dialect, directory, name, access);
            if let Some(reading) = readings.chosen() {
                assert!(reading.identity(directory.home()) != Identity::default(), "nobody is meant");
                let confidence = reading.source().confidence;
                assert_eq!(Confidence::from_word(confidence.word()), Some(confidence));
            }
            if let Err(cause) = resolution.opens {
                assert!(Cause::from_word(cause.word()) == Some(cause) && !cause.reason().is_empty(), "{cause:?}");
            }
            assert!(dialect.same(name, &dialect.folded(name)), "folding makes another of {}", name.escape_ascii());
        }
    }
    let access = Access { protocol: Protocol::Imap, mechanism: Mechanism::Login };
    for account in &directory.accounts {
        let Some((_, name)) = advise(dialect, directory, account, access) else { continue };
        let opens = resolve(dialect, directory, &name, access).1.opens;
        assert_eq!(opens.ok(), account.mailbox.as_deref(), "{} is no login name", name.escape_ascii());
    }
}

/// A scenario file is read, or its mistakes are shown where they are. What was read has cases with different ids, and
/// each of them that can be asked of the reference server comes to a verdict there.
pub fn scenario_file(text: &[u8]) {
    let Some(source) = source(text) else { return };
    match read_scenario("fuzzed", &source, vocabulary()) {
        Ok(scenario) => {
            let mut ids: Vec<&str> = scenario.cases.iter().map(|case| case.id.as_str()).collect();
            ids.sort_unstable();
            assert!(ids.windows(2).all(|pair| pair.first() != pair.last()), "two cases have one id: {ids:?}");
            asked::put(scenario);
        }
        Err(mistakes) => check_mistakes(&mistakes),
    }
}

/// A target file is read, or its mistakes are shown where they are. No password is fetched.
pub fn target_file(text: &[u8]) {
    let Some(source) = source(text) else { return };
    let read = crate::target::read_target(&source, std::path::Path::new(""), crate::target::Passwords::Ignore, true);
    if let Err(crate::target::TargetFileError::Mistakes(mistakes)) = read {
        check_mistakes(&mistakes);
    }
}

/// The notation for octets: spans follow each other without a gap, octets that were made visible come back, and what
/// was read is written the same way however it was spelt.
pub fn octet_notation(octets: &[u8]) {
    let visible = escape(octets);
    assert_eq!(spelt(&visible).as_deref(), Some(octets), "`{visible}` does not come back");
    let Ok(text) = std::str::from_utf8(octets) else { return };
    match tokens(text) {
        Ok(found) => {
            let mut end = 0;
            for (_, span) in &found {
                assert!(span.start == end && span.end > span.start, "a gap at {end} of `{text}`");
                end = span.end;
            }
            assert_eq!(end, text.len(), "`{text}` is not read to its end");
            if let Some(octets) = spelt(text) {
                let again = escape(&octets);
                assert_eq!(spelt(&again), Some(octets), "`{text}` became `{again}`");
            }
        }
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some() && !error.reason.is_empty(), "{:?} in `{text}`", error.span);
        }
    }
}

/// The octets that a text stands for; nothing where it holds a name, or is no notation.
fn spelt(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    for (token, _) in tokens(text).ok()? {
        match token {
            Token::Octets(more) => octets.extend(more),
            Token::Name(_) => return None,
        }
    }
    Some(octets)
}

/// A text as a file has it. One that no file could have is asked about all the same, where it is one at all.
fn source(text: &[u8]) -> Option<SourceText> {
    match SourceText::from_octets("fuzzed.toml", text.to_vec()) {
        Ok(source) => Some(source),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Some(SourceText::new("fuzzed.toml", std::str::from_utf8(text).ok()?))
        }
    }
}

fn check_mistakes(mistakes: &Mistakes) {
    assert!(!mistakes.list.is_empty(), "an error without a mistake");
    for mistake in &mistakes.list {
        assert!(
            mistakes.source.text.get(mistake.span.clone()).is_some() && !mistake.reason.is_empty(),
            "a mistake that is nowhere: {mistake:?}"
        );
    }
    // Each is shown by itself, which takes far longer than reading the file: of many, two are enough.
    let ends = mistakes.list.first().into_iter().chain(mistakes.list.last());
    for mistake in ends {
        let shown = render(&mistakes.source, std::slice::from_ref(mistake), &Renderer::plain());
        let before = mistakes.source.text.get(..mistake.span.start).unwrap_or_default();
        // What is missing at the end is missed in the last line that has something in it.
        let is_end = mistake.span.start == mistakes.source.text.len();
        let before = before.strip_suffix('\n').filter(|_| is_end).unwrap_or(before);
        let place = format!("fuzzed.toml:{}:", before.matches('\n').count() + 1);
        assert!(shown.contains(&place), "{place} is not in {shown}");
    }
}
