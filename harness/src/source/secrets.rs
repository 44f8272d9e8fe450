//! Masks the secrets of a file before a message shows its lines.
//!
//! The text may be broken TOML, so it is scanned word by word and not parsed. A value is shown if its key is a field
//! that the file format knows and that is no [`Kind::Secret`]. Every other value is masked, and so is every comment: an
//! unknown key may be a mistyped `password`.

use super::field::{Field, Kind};

/// The text with asterisks in the place of every value that may be a secret, octet for octet, so that spans still fit.
pub(super) fn masked(text: &str, fields: &[Field]) -> String {
    let shown_keys = shown_keys(fields);
    // The end of a string over several lines is uncertain in a broken file, so no value of such a file is shown.
    let shows_values = !text.contains("'''") && !text.contains("\"\"\"");
    let mut names = Vec::new();
    self::names(fields, &mut names);
    let mut masked = String::with_capacity(text.len());
    let mut scanner = Scanner { rest: text, may_be_key: true, depth: 0 };
    let mut shows = false;
    loop {
        let is_first = scanner.may_be_key && scanner.depth == 0;
        let Some((token, kind)) = scanner.next() else { break };
        match kind {
            TokenKind::Key => {
                let key = token.trim_matches(['"', '\'']);
                shows = shows_values && shown_keys.contains(&key);
                masked.push_str(token);
            }
            TokenKind::Value if shows => masked.push_str(token),
            // A field's name at the beginning of a line, without its equals sign.
            TokenKind::Value if shows_values && is_first && names.contains(&token.trim_end_matches(':')) => {
                masked.push_str(token);
            }
            TokenKind::Value => push_masked(&mut masked, token, |character| matches!(character, '"' | '\'')),
            TokenKind::Comment => push_masked(&mut masked, token, |character| character == '#'),
            TokenKind::EndOfStatement => {
                shows = false;
                masked.push_str(token);
            }
            TokenKind::Other => masked.push_str(token),
        }
    }
    masked
}

/// The keys whose values are no secrets, wherever they stand in the file.
fn shown_keys(fields: &[Field]) -> Vec<&'static str> {
    let (mut shown, mut secret) = (Vec::new(), Vec::new());
    sort_keys(fields, &mut shown, &mut secret);
    shown.retain(|key| !secret.contains(key));
    shown
}

fn sort_keys(fields: &[Field], shown: &mut Vec<&'static str>, secret: &mut Vec<&'static str>) {
    for field in fields {
        match field.kind {
            Kind::Secret => secret.push(field.name),
            // A string in the place of a table may be what belongs into the table: password = "…".
            Kind::Table(inner) | Kind::Tables(inner) => {
                if holds_secret(inner) {
                    secret.push(field.name);
                }
                sort_keys(inner, shown, secret);
            }
            _ => shown.push(field.name),
        }
    }
}

fn holds_secret(fields: &[Field]) -> bool {
    fields.iter().any(|field| match field.kind {
        Kind::Secret => true,
        Kind::Table(inner) | Kind::Tables(inner) => holds_secret(inner),
        _ => false,
    })
}

/// The names of all fields, wherever they stand in the file.
fn names(fields: &[Field], found: &mut Vec<&'static str>) {
    for field in fields {
        found.push(field.name);
        if let Kind::Table(inner) | Kind::Tables(inner) = field.kind {
            names(inner, found);
        }
    }
}

fn push_masked(masked: &mut String, token: &str, is_kept: impl Fn(char) -> bool) {
    let last = token.chars().count().saturating_sub(1);
    for (at, character) in token.chars().enumerate() {
        let is_edge = at == 0 || at == last;
        if character.is_whitespace() || (is_edge && is_kept(character)) {
            masked.push(character);
        } else {
            masked.extend(std::iter::repeat_n('*', character.len_utf8()));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    /// The last part of a key, or a table's header.
    Key,
    /// A string, a number, or any other word that is no key.
    Value,
    Comment,
    /// The end of a line outside of brackets.
    EndOfStatement,
    /// Punctuation and spaces.
    Other,
}

/// Cuts a text into tokens. Every octet of the text is in exactly one of them.
struct Scanner<'t> {
    rest: &'t str,
    /// Whether a key can stand here: at the start of a line, after `{`, `,` and `.`.
    may_be_key: bool,
    /// How many brackets and braces are open.
    depth: usize,
}

impl<'t> Scanner<'t> {
    fn next(&mut self) -> Option<(&'t str, TokenKind)> {
        let first = self.rest.chars().next()?;
        let (length, kind) = match first {
            '\n' => {
                self.may_be_key = true;
                (1, if self.depth == 0 { TokenKind::EndOfStatement } else { TokenKind::Other })
            }
            '#' => (self.rest.find('\n').unwrap_or(self.rest.len()), TokenKind::Comment),
            '[' if self.may_be_key && self.depth == 0 => {
                // A table's header ends the statement before it. Its name is no value.
                let length = self.rest.find(['\n', '#']).unwrap_or(self.rest.len());
                (length, TokenKind::EndOfStatement)
            }
            '[' | '{' => {
                self.depth += 1;
                self.may_be_key = first == '{';
                (1, TokenKind::Other)
            }
            ']' | '}' => {
                self.depth = self.depth.saturating_sub(1);
                self.may_be_key = false;
                (1, TokenKind::Other)
            }
            ',' | '.' => {
                self.may_be_key |= first == ',';
                (1, TokenKind::Other)
            }
            '=' => {
                self.may_be_key = false;
                (1, TokenKind::Other)
            }
            _ if first.is_whitespace() => (first.len_utf8(), TokenKind::Other),
            _ => {
                let length = if matches!(first, '"' | '\'') { string(self.rest, first) } else { word(self.rest) };
                let after = self.rest.get(length..).unwrap_or_default().trim_start_matches([' ', '\t', '\r']);
                let is_key = self.may_be_key && after.starts_with(['=', '.']);
                self.may_be_key = is_key && after.starts_with('.');
                (length, if is_key { TokenKind::Key } else { TokenKind::Value })
            }
        };
        let (token, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some((token, kind))
    }
}

/// The length of the string that begins here; one that is not closed ends with its line.
fn string(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '\n' => return at,
            _ if is_escaped => is_escaped = false,
            '\\' if quote == '"' => is_escaped = true,
            _ if character == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of the word that begins here.
fn word(text: &str) -> usize {
    let ends = |character: char| character.is_whitespace() || "=[]{},.#\"'".contains(character);
    text.find(ends).filter(|&length| length > 0).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &[Field] = &[Field::new("env", Kind::Text, ""), Field::new("text", Kind::Secret, "")];
    const FIELDS: &[Field] = &[
        Field::new("user", Kind::Text, ""),
        Field::new("may-open", Kind::Texts, ""),
        Field::new("limit", Kind::Number, ""),
        Field::new("password", Kind::Table(ORIGIN), ""),
    ];

    fn shown(text: &str) -> String {
        let masked = masked(text, FIELDS);
        assert_eq!(masked.len(), text.len(), "the spans no longer fit: {masked}");
        masked
    }

    #[test]
    fn only_secrets_are_masked() {
        assert_eq!(
            shown("user = \"jdoe\"\npassword = { env = 'PW', text = \"geheim\" }\nlimit = 3\n"),
            "user = \"jdoe\"\npassword = { env = 'PW', text = \"******\" }\nlimit = 3\n"
        );
        assert_eq!(
            shown("[[account]]\nmay-open = [\n  'a', # b\n  'c'\n]"),
            "[[account]]\nmay-open = [\n  'a', # *\n  'c'\n]"
        );
        assert_eq!(
            shown("password.env = 'PW'\n[account.password]\ntext = 'ä'"),
            "password.env = 'PW'\n[account.password]\ntext = '**'"
        );
    }

    #[test]
    fn names_and_values_of_fields_are_no_secrets() {
        const DIRECTORY: &[Field] = &[
            Field::new("domain", Kind::Tables(&[Field::new("name", Kind::Text, "")]), ""),
            Field::new("account", Kind::Tables(FIELDS), ""),
        ];
        let text = "[[account]]\ndomain = 'Domain1'\nuser: 'jdoe'\nlimit 3\npassword 'geheim'\n";
        let shown = "[[account]]\ndomain = 'Domain1'\nuser: '****'\nlimit *\npassword '******'\n";
        let fields = [FIELDS, DIRECTORY, &[Field::new("domain", Kind::Text, "")]].concat();
        assert_eq!(masked(text, &fields), shown);
    }

    /// A broken file holds its password where no field is, or where TOML ends in the middle.
    #[test]
    fn a_secret_in_the_wrong_place_is_masked() {
        for text in [
            "password = \"geheim\"",
            "password = geheim",
            "password = 'geheim",
            "password = { \"geheim\" }",
            "password = { txt = \"geheim\" }",
            "pasword = \"geheim\"",
            "password: \"geheim\"",
            "\"password\" = \"geheim\"",
            "password \"geheim\"",
            "password = ['a', 'geheim']",
            "password.text = 'geheim'",
            "password.text = 'a'geheim'",
            "user = \"a\npassword = \"geheim\"",
            "may-open = [ 'a'\npassword = 'geheim'",
            "# password = { text = 'geheim' }",
            "user = '''a\npassword = geheim '''",
            "password = \"a\\\"geheim\"",
        ] {
            assert!(!shown(text).contains("geheim"), "{text} is shown as {}", shown(text));
        }
    }
}
