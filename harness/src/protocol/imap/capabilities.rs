//! What an IMAP server says it can do (RFC 9051 §7.2.2).

use crate::protocol::code::{split_code, split_word};

/// What the server says it can do: the capabilities with spaces between them.
#[derive(Default)]
pub(super) struct Capabilities(Vec<u8>);

impl Capabilities {
    /// Those of a `* CAPABILITY` response.
    pub(super) fn from_words(words: &[u8]) -> Self {
        Self(words.to_vec())
    }

    /// Those in a `[CAPABILITY …]` at the start of a text.
    pub(super) fn from_code(text: &[u8]) -> Option<Self> {
        let (name, words) = split_word(split_code(text).0?);
        name.eq_ignore_ascii_case(b"CAPABILITY").then(|| Self(words.to_vec()))
    }

    /// Whether `capability` is among them; case makes no difference.
    pub(super) fn holds(&self, capability: &[u8]) -> bool {
        self.0.split(|octet| *octet == b' ').any(|word| word.eq_ignore_ascii_case(capability))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_count_in_any_case() {
        let capabilities = Capabilities::from_words(b"IMAP4rev2 auth=Plain LITERAL+");
        assert!(capabilities.holds(b"AUTH=PLAIN"));
        assert!(capabilities.holds(b"LITERAL+"));
        assert!(!capabilities.holds(b"AUTH=PLAI"));
        assert!(!capabilities.holds(b"LITERAL-"));
    }

    #[test]
    fn only_a_capability_code_holds_them() {
        assert!(Capabilities::from_code(b"[capability IMAP4rev2] hi").is_some_and(|known| known.holds(b"imap4REV2")));
        assert!(Capabilities::from_code(b"[ALERT] CAPABILITY").is_none());
        assert!(Capabilities::from_code(b"hi [CAPABILITY X]").is_none());
    }
}
