//! A template in the notation in which files hold it, so that what was put together by a program can be read by people,
//! and read in again.

use super::template::{Piece, Spelling, Template};
use crate::identity::escape;

impl Template {
    /// The text as a file would hold it: [`Template::parse`] gives the template back.
    pub fn notation(&self) -> String {
        self.pieces().iter().map(|piece| notation(piece, false)).collect()
    }

    /// The same within braces, where a brace that stands for itself would be taken for one of theirs.
    fn notation_within(&self) -> String {
        self.pieces().iter().map(|piece| notation(piece, true)).collect()
    }
}

fn notation(piece: &Piece, is_within: bool) -> String {
    match piece {
        Piece::Octets(octets) if is_within => {
            let plain = octets.split_inclusive(|octet| matches!(octet, b'{' | b'}'));
            plain
                .map(|part| match part {
                    [before @ .., b'{'] => escape(before) + "{x7b}",
                    [before @ .., b'}'] => escape(before) + "{x7d}",
                    part => escape(part),
                })
                .collect()
        }
        Piece::Octets(octets) => escape(octets),
        Piece::Value { role, value, spelling } => {
            let role = role.as_ref().map_or_else(String::new, |role| format!("{role}."));
            format!("{{{role}{}{}}}", value.word(), word(*spelling))
        }
        Piece::Base64(inner) => format!("{{base64:{}}}", inner.notation_within()),
        Piece::Length(inner) => format!("{{len:{}}}", inner.notation_within()),
        Piece::Each => "{each}".to_string(),
    }
}

fn word(spelling: Spelling) -> String {
    match spelling {
        Spelling::AsItIs => String::new(),
        Spelling::Lower => "|lower".to_string(),
        Spelling::Upper => "|upper".to_string(),
        Spelling::Swapped => "|swapcase".to_string(),
        Spelling::Escaped => "|escaped".to_string(),
        Spelling::First(most) => format!("|first{most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let roles = ["renamed".to_string(), "same".to_string()];
        for text in [
            r"{domain}\{user|swapcase}\{same.mailbox|first3}",
            "{base64:{nul}{user}{nul}{renamed.password|upper}{xff}} {{{len:{same.password}x}}}",
            "a {{brace}} {x0d}{x0a}é{each}",
            "{base64:{user}*{same.user}} {len:a*b}",
            "{base64:{x7b}{user}} {len:{x7d}{x7b}}{{",
            "",
        ] {
            let template = Template::parse(text, &roles).unwrap();
            assert_eq!(template.notation(), text);
            assert_eq!(Template::parse(&template.notation(), &roles).unwrap(), template);
        }
    }
}
