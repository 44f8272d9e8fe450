//! Files that people write: whatever stands in them, they are read or their mistakes are shown.

use crate::axes::{Mechanism, Protocol};
use crate::identity::{Access, Token, escape, read_dialect, read_directory, tokens};
use crate::scenario::{Vocabulary, read_scenario};
use crate::source::{Mistakes, SourceText};

/// A dialect file is read, or its mistakes are shown where they are; what was read reads names.
pub fn dialect_file(text: &[u8]) {
    let Some(source) = source(text) else { return };
    match read_dialect("fuzzed", &source) {
        Ok(dialect) => {
            for name in [&b""[..], b"a", br"Domain1\User1\Mailbox1", b"a@b/c", b"a*b"] {
                for &mechanism in Mechanism::ALL {
                    let _ = dialect.read(name, Access { protocol: Protocol::Imap, mechanism });
                }
            }
        }
        Err(mistakes) => check_mistakes(&mistakes),
    }
    // The same text for the other file that says who is who.
    if let Err(mistakes) = read_directory(&source) {
        check_mistakes(&mistakes);
    }
}

/// A scenario file is read, or its mistakes are shown where they are; what was read has cases with different ids.
pub fn scenario_file(text: &[u8]) {
    let Some(source) = source(text) else { return };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_string()).collect();
    let vocabulary = Vocabulary { roles: words(&["same", "renamed", "crossed"]), dialects: words(&["opaque"]) };
    match read_scenario("fuzzed", &source, &vocabulary) {
        Ok(scenario) => {
            let mut ids: Vec<&str> = scenario.cases.iter().map(|case| case.id.as_str()).collect();
            ids.sort_unstable();
            assert!(ids.windows(2).all(|pair| pair.first() != pair.last()), "two cases have one id: {ids:?}");
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

fn source(text: &[u8]) -> Option<SourceText> {
    Some(SourceText::new("fuzzed.toml", std::str::from_utf8(text).ok()?))
}

fn check_mistakes(mistakes: &Mistakes) {
    assert!(!mistakes.list.is_empty(), "an error without a mistake");
    for mistake in &mistakes.list {
        assert!(
            mistakes.source.text.get(mistake.span.clone()).is_some() && !mistake.reason.is_empty(),
            "a mistake that is nowhere: {mistake:?}"
        );
    }
    assert!(!mistakes.to_string().is_empty());
}
