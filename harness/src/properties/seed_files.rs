//! Seeds for the properties that read files: bundled files, files with a mistake each, and scenarios of a single case.

use std::collections::BTreeSet;
use std::path::Path;

use super::world::vocabulary;
use crate::bundled::FILES;
use crate::scenario::read_scenario;
use crate::source::SourceText;

/// The texts of bundled files that a condition holds for, up to a length.
pub(super) fn bundled(is_meant: impl Fn(&str) -> bool, longest: usize) -> BTreeSet<Vec<u8>> {
    let files = FILES.iter().filter(|(path, text)| is_meant(path) && text.len() <= longest);
    files.map(|(_, text)| text.as_bytes().to_vec()).collect()
}

/// The files that the tests of messages keep, each of which breaks one rule of its format.
pub(super) fn faulty(kind: &str) -> BTreeSet<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/tests/bad-files").join(kind);
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| std::fs::read(file.path()).ok()).collect()
}

/// Scenarios of one case each: of all bundled cases, shortest first, those with a word in them that none before has.
pub(super) fn cases() -> BTreeSet<Vec<u8>> {
    let scenarios = FILES.iter().filter(|(path, _)| !path.starts_with("dialects/") || path.matches('/').count() > 1);
    let mut all: Vec<String> = scenarios.flat_map(|(_, text)| each_alone(text)).collect();
    all.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let mut known = BTreeSet::new();
    let mut kept = BTreeSet::new();
    for text in all {
        let before = known.len();
        let is_read = || read_scenario("seed", &SourceText::new("seed.toml", text.as_str()), vocabulary()).is_ok();
        let new: Vec<String> = words(&text).filter(|word| !known.contains(word)).collect();
        if !new.is_empty() && is_read() {
            known.extend(new);
        }
        if known.len() > before {
            kept.insert(text.into_bytes());
        }
    }
    kept
}

/// A scenario once for each of its cases, without what is there for people.
fn each_alone(text: &str) -> Vec<String> {
    let is_for_people = |line: &&str| line.starts_with('#') || line.starts_with("about") || line.trim().is_empty();
    let bare: Vec<&str> = text.lines().filter(|line| !is_for_people(line)).collect();
    let bare = bare.join("\n") + "\n";
    let mut parts = bare.split("[[case]]\n");
    let Some(head) = parts.next() else { return Vec::new() };
    parts.map(|case| format!("{head}[[case]]\n{case}")).collect()
}

/// The words of the language that stand in a text, each with the field in which it stands.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut field = "";
    text.lines().flat_map(move |line| {
        if let Some((name, _)) = line.split_once('=') {
            field = name.trim();
        }
        let is_free = ["title", "cites", "id", "form"].contains(&field);
        let words = line.split(|c: char| c.is_whitespace() || ",[]'\"=".contains(c)).filter(move |_| !is_free);
        // Octets of all kinds are what other seeds are for.
        let is_word = |word: &&str| {
            let is_of_words =
                |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"-{}.:!|*>".contains(&octet);
            word.bytes().all(is_of_words) && !word.bytes().all(|octet| octet.is_ascii_digit())
        };
        let words: Vec<String> = words.filter(is_word).map(|word| format!("{field} {word}")).collect();
        words
    })
}

/// A scenario with a dialogue that has everything that one can have.
pub(super) const DIALOGUE: &str = r#"title = "everything"
cites = ["RFC 1"]
once = true
[matrix]
protocol = ["imap"]
[[case]]
id = "dialogue"
each = { one = 'x', two = 'y' }
needs = ["STARTTLS"]
level = "should"
dialogue = '''
S: * OK|PREAUTH ... !BYE !{each}
C| a NO
C: OP {each}{base64:{each}} {len:{each}{user}}
S: ... !{each}
S: a OK|BAD|NO*
C> b CAPABILITY
C: c STARTTLS
S: b OK || [closed]
S: c OK
TLS || [closed]
C: d LOGIN "{login|escaped}" {password}
S: d ... !{each}
S: [closed]
'''
"#;
