//! The axes that a file's matrix or a case names.

use super::matrix::{Accounts, Axes, Each};
use super::template::Template;
use super::vocabulary::{Vocabulary, check_slug};
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};
use crate::source::{Mistake, OneOrMany, OneOrNamed, Table};

/// The words that stand for many values of `each`.
pub(super) const EACH_WORDS: &[&str] = &["printable", "control", "high", "specials"];

/// Reads the axes of a table.
pub(super) fn axes(table: &Table<'_>, vocabulary: &Vocabulary) -> Axes {
    Axes {
        account: accounts(table, vocabulary),
        protocol: table.words("protocol", Protocol::from_word),
        mechanism: table.words("mechanism", Mechanism::from_word),
        encoding: table.words("encoding", Encoding::from_word),
        security: table.words("security", Security::from_word),
        fault: table.word_or_words("fault", Fault::from_word),
        each: each(table, &vocabulary.roles),
    }
}

/// One role is the case's own, and needs no mention in its id; a list of them is an axis.
fn accounts(table: &Table<'_>, vocabulary: &Vocabulary) -> Option<Accounts> {
    let (texts, is_axis) = match table.text_or_texts("account")? {
        OneOrMany::One(text) => (vec![text], false),
        OneOrMany::Many(list) => (list.texts, true),
    };
    if texts.is_empty() {
        table.mistake(Mistake::new(table.span_of("account"), "`account` is empty", "nobody to log in"));
    }
    let known: Vec<&str> = vocabulary.roles.iter().map(String::as_str).collect();
    for text in &texts {
        if !known.contains(&text.value.as_str()) {
            table.unknown(&text.value, text.span.clone(), "role", &known);
        }
    }
    Some(Accounts { roles: texts.into_iter().map(|text| text.value).collect(), is_axis })
}

fn each(table: &Table<'_>, roles: &[String]) -> Option<Vec<Each>> {
    let named = match table.text_or_named("each")? {
        OneOrNamed::Named(named) => named,
        OneOrNamed::One(text) => {
            let found = octets(&text.value);
            if found.is_none() {
                table.unknown(&text.value, text.span, "set of octets", EACH_WORDS);
            }
            return found;
        }
    };
    if named.is_empty() {
        let mistake = Mistake::new(table.span_of("each"), "`each` is empty", "nothing to put in");
        table.mistake(mistake.with_help("for example: each = { nfc = '{xc3a9}', nfd = 'e{xcc81}' }"));
    }
    let mut found = Vec::new();
    for (key, text) in named {
        check_slug(table, &key, "name");
        let Some(template) = super::action::template(table, &text, roles) else { continue };
        if template.uses_each() {
            let mistake = Mistake::new(text.span, "`{each}` cannot stand for itself", "in this text");
            table.mistake(mistake);
            continue;
        }
        found.push(Each { word: key.value, text: template });
    }
    Some(found)
}

fn octets(word: &str) -> Option<Vec<Each>> {
    let octets: Vec<u8> = match word {
        "printable" => (0x20..=0x7e).collect(),
        "control" => (0x01..=0x1f).chain([0x7f]).collect(),
        "high" => (0x80..=0xff).collect(),
        "specials" => (0x20..=0x7eu8).filter(|octet| !octet.is_ascii_alphanumeric()).collect(),
        _ => return None,
    };
    let each = |octet: u8| Each { word: format!("x{octet:02x}"), text: Template::of_octets(vec![octet]) };
    Some(octets.into_iter().map(each).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_octets() {
        let counts: Vec<usize> = EACH_WORDS.iter().map(|word| octets(word).expect("known").len()).collect();
        assert_eq!(counts, [95, 32, 128, 33]);
        assert_eq!(octets("specials").expect("known")[0].word, "x20");
        assert!(octets("letters").is_none());
    }
}
