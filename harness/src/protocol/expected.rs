//! What a script expects of the server: lines by their words, or the end of the connection.

/// What a server may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Send a line that begins with words such as these. Further words are allowed.
    Line {
        /// A pattern for each of the line's first words.
        words: Vec<WordPattern>,
    },
    /// Close the connection.
    Closed,
}

/// What may stand in a line at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WordPattern {
    /// One of these words.
    OneOf(Vec<Word>),
    /// `...`: any number of words, none included.
    Gap,
    /// `!WORD`: from here on no word is any of these.
    NoneOf(Vec<Word>),
}

/// A word, compared without regard to the case of ASCII letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its octets.
    pub octets: Vec<u8>,
    /// Whether any octets may follow these.
    pub is_prefix: bool,
}

impl Word {
    /// This word and no other.
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self { octets: octets.into(), is_prefix: false }
    }

    /// Whether `word` is meant.
    pub fn matches(&self, word: &[u8]) -> bool {
        if self.is_prefix {
            word.get(..self.octets.len()).is_some_and(|start| start.eq_ignore_ascii_case(&self.octets))
        } else {
            word.eq_ignore_ascii_case(&self.octets)
        }
    }
}

impl WordPattern {
    /// Exactly these words, of which one has to stand there.
    pub fn words(words: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        Self::OneOf(words.into_iter().map(Word::new).collect())
    }

    fn takes(&self, word: &[u8]) -> bool {
        matches!(self, Self::OneOf(words) if any(words, word))
    }
}

impl Expected {
    /// Whether `line`, without its ending, is what is expected.
    ///
    /// Every pattern sees every word at most once, so a hostile line costs no more than its length times the
    /// script's.
    pub fn matches_line(&self, line: &[u8]) -> bool {
        let Self::Line { words } = self else { return false };
        let found: Vec<&[u8]> = line.split(|octet| *octet == b' ').collect();
        // `reached[n]`: the first n patterns fit the words so far.
        let mut reached = vec![false; words.len() + 1];
        if let Some(first) = reached.first_mut() {
            *first = true;
        }
        let barriers: Vec<usize> = words.iter().map(|pattern| barrier(pattern, &found)).collect();
        for at in 0..=found.len() {
            // What takes no word: a gap of none, and a word that stands nowhere from here on.
            for (index, pattern) in words.iter().enumerate() {
                let passes = match pattern {
                    WordPattern::Gap => true,
                    WordPattern::NoneOf(_) => barriers.get(index).is_some_and(|barrier| at >= *barrier),
                    WordPattern::OneOf(_) => false,
                };
                if passes && reached.get(index) == Some(&true) {
                    set(&mut reached, index + 1);
                }
            }
            if reached.last() == Some(&true) {
                return true;
            }
            let Some(word) = found.get(at) else { return false };
            let mut next = vec![false; words.len() + 1];
            for (index, pattern) in words.iter().enumerate() {
                if reached.get(index) != Some(&true) {
                    continue;
                }
                if pattern.takes(word) {
                    set(&mut next, index + 1);
                } else if *pattern == WordPattern::Gap {
                    set(&mut next, index);
                }
            }
            reached = next;
        }
        false
    }

    /// Whether the line bears the very tag: tags come back as they were sent, and have a case (RFC 9051 §2.2.1).
    pub(super) fn bears_its_tag(&self, line: &[u8]) -> bool {
        let Self::Line { words } = self else { return false };
        let Some(WordPattern::OneOf(first)) = words.first() else { return true };
        let tag = line.split(|octet| *octet == b' ').next().unwrap_or_default();
        first.iter().any(|word| if word.is_prefix { tag.starts_with(&word.octets) } else { tag == word.octets })
    }

    /// Whether only an untagged IMAP response can be meant.
    pub(super) fn is_untagged(&self) -> bool {
        let Self::Line { words } = self else { return false };
        let Some(WordPattern::OneOf(first)) = words.first() else { return false };
        first.iter().all(|word| word.octets == b"*" && !word.is_prefix)
    }
}

/// Whether `word` is one of `words`.
pub(super) fn any(words: &[Word], word: &[u8]) -> bool {
    words.iter().any(|pattern| pattern.matches(word))
}

/// The first place from which on none of a pattern's forbidden words stands.
fn barrier(pattern: &WordPattern, found: &[&[u8]]) -> usize {
    let WordPattern::NoneOf(words) = pattern else { return 0 };
    found.iter().rposition(|word| any(words, word)).map_or(0, |last| last + 1)
}

fn set(places: &mut [bool], index: usize) {
    if let Some(place) = places.get_mut(index) {
        *place = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `word`, `a|b`, `prefix*`, `...` and `!word`, as in files.
    fn line(text: &str) -> Expected {
        let word = |text: &str| match text.strip_suffix('*').filter(|start| !start.is_empty()) {
            Some(start) => Word { octets: start.into(), is_prefix: true },
            None => Word::new(text),
        };
        let words = |text: &str| text.split('|').map(word).collect();
        let pattern = |text: &str| match text.strip_prefix('!') {
            _ if text == "..." => WordPattern::Gap,
            Some(text) => WordPattern::NoneOf(words(text)),
            None => WordPattern::OneOf(words(text)),
        };
        Expected::Line { words: text.split(' ').map(pattern).collect() }
    }

    #[test]
    fn lines_by_their_words() {
        for (pattern, text, fits) in [
            ("a NO|BAD", "a no such user", true),
            ("a NO|BAD", "a OK", false),
            ("a NO", "a", false),
            ("* CAPABILITY ... LOGINDISABLED", "* CAPABILITY LOGINDISABLED", true),
            ("* CAPABILITY ... LOGINDISABLED", "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED X", true),
            ("* CAPABILITY ... LOGINDISABLED", "* CAPABILITY IMAP4rev1 STARTTLS", false),
            ("* ... A ... B", "* x A B", true),
            ("* ... A ... B", "* x B A", false),
            ("* ... A B", "* A x A B", true),
            ("* CAPABILITY !STARTTLS", "* CAPABILITY IMAP4rev1 ID", true),
            ("* CAPABILITY !STARTTLS", "* CAPABILITY", true),
            ("* CAPABILITY !STARTTLS", "* CAPABILITY IMAP4rev1 starttls ID", false),
            ("* CAPABILITY !AUTH=*|LOGIN ID", "* CAPABILITY ID AUTH=PLAIN", false),
            ("* CAPABILITY !AUTH=* ID", "* CAPABILITY ID", true),
            ("* CAPABILITY ... A !B", "* CAPABILITY B A C", true),
            ("* CAPABILITY ... A !B", "* CAPABILITY A C B", false),
            ("* OK [CAPABILITY*", "* OK [CAPABILITY IMAP4rev1] hello", true),
            ("* OK [CAPABILITY*", "* OK hello", false),
            ("* OK", "* OKAY", false),
        ] {
            assert_eq!(line(pattern).matches_line(text.as_bytes()), fits, "{pattern} and {text}");
        }
    }

    #[test]
    fn a_hostile_line_is_no_burden() {
        let pattern = line("* ... A ... A ... A ... A ... A ... B");
        let text = b"A ".repeat(32 * 1024);
        assert!(!pattern.matches_line(&[b"* ", &text[..]].concat()));
    }
}
