//! The words by which a server says what it can do, as far as they can be capabilities.

use super::code::{ResponseCode, split_word};
use super::outcome::Reply;

/// How many words are kept, and how long each may be.
pub(super) const KEPT_WORDS: usize = 256;
const LONGEST_WORD: usize = 64;

/// Capabilities in upper case, each once, in the server's order.
#[derive(Debug, Default)]
pub(crate) struct CapabilityWords(Vec<Vec<u8>>);

impl CapabilityWords {
    /// Adds a word; what cannot be a capability is left out.
    pub(crate) fn take(&mut self, word: &[u8]) {
        let is_word = !word.is_empty() && word.len() <= LONGEST_WORD && word.iter().all(u8::is_ascii_graphic);
        let word = word.to_ascii_uppercase();
        if is_word && self.0.len() < KEPT_WORDS && !self.0.contains(&word) {
            self.0.push(word);
        }
    }

    /// Takes the words of an IMAP `CAPABILITY` response in the place of those before.
    pub(crate) fn take_anew(&mut self, words: &[u8]) {
        self.0.clear();
        words.split(|octet| *octet == b' ').for_each(|word| self.take(word));
    }

    /// The same for a `[CAPABILITY …]` at the start of a text, where there is one.
    pub(crate) fn take_code(&mut self, text: &[u8]) {
        if let Some(ResponseCode::Capability(words)) = Reply::from_text(text).code {
            self.0.clear();
            words.iter().for_each(|word| self.take(word));
        }
    }

    /// Adds what a line of the answer to POP3's `CAPA` says. Each SASL mechanism is told as IMAP tells it, so that both
    /// are asked alike.
    pub(crate) fn take_capa_line(&mut self, line: &[u8]) {
        let (keyword, parameters) = split_word(line);
        self.take(keyword);
        if keyword.eq_ignore_ascii_case(b"SASL") {
            for mechanism in parameters.split(|octet| *octet == b' ').filter(|name| !name.is_empty()) {
                self.take(&[b"AUTH=", mechanism].concat());
            }
        }
    }

    /// The words.
    pub(crate) fn into_words(self) -> Vec<Vec<u8>> {
        self.0
    }
}
