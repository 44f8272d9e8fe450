//! What a case is made of, and how texts are written in it.

use super::conversation::{Attempt, Conversation};
use super::ground::Ground;
use super::heard::Heard;
use super::oracle::Violation;
use crate::axes::Security;
use crate::scenario::{Piece, Template};

/// What a scenario is made of.
pub(super) struct Material<'m> {
    pub conversation: &'m Conversation,
    /// The conversation with which it was compared, where one alone shows nothing.
    pub other: Option<&'m Conversation>,
    pub violation: &'m Violation,
    pub ground: &'m Ground,
    /// What the sound server did.
    pub sound: &'m Heard,
}

/// A `[[case]]` as a text.
pub(super) struct CaseText {
    pub text: String,
    /// How many messages the client says.
    pub steps: usize,
    /// Whether it says something only of servers that lack a capability.
    pub is_of_lacking: bool,
}

impl CaseText {
    pub const fn of_login(text: String) -> Self {
        Self { text, steps: 1, is_of_lacking: false }
    }
}

impl Material<'_> {
    /// A client asks for no mechanism that is not offered, so that only a dialogue can.
    pub fn is_offered(&self, attempt: &Attempt) -> bool {
        let is_secured = self.conversation.security != Security::Plaintext;
        self.ground.offers_in(self.conversation, is_secured, attempt.mechanism) != Some(false)
    }
}

/// The text with the case's own role left unsaid.
pub(super) fn short(text: &Template, own: &str) -> Template {
    let piece = |piece: &Piece| match piece {
        Piece::Value { role: Some(role), value, spelling } if role == own => {
            Piece::Value { role: None, value: *value, spelling: *spelling }
        }
        Piece::Base64(inner) => Piece::Base64(short(inner, own)),
        Piece::Length(inner) => Piece::Length(short(inner, own)),
        other => other.clone(),
    };
    Template::of_pieces(text.pieces().iter().map(piece).collect())
}

/// A text as a literal string of TOML.
pub(super) fn notation(text: &Template, own: &str) -> String {
    format!("'{}'", quotable(short(text, own).notation()))
}

/// Nothing ends a literal string of TOML but its quotes.
pub(super) fn quotable(text: String) -> String {
    text.replace('\'', "{x27}")
}
