//! Texts with places for a role's values: login names, passwords, the lines of a dialogue.
//!
//! On top of the notation for octets, `{domain}` `{dns}` `{user}` `{mailbox}` `{password}` and `{token}` stand for the
//! values of the case's own role, `{login}` for the login name by which the target's dialect knows it, `{twin.login}` for
//! another role's, `{user|lower}` (`upper`, `swapcase`) for the same in another case, `{login|escaped}` for the inside of
//! a quoted string, `{base64:…}` for what is within in base64, and `{len:…}` for its length in octets; `{each}` is the value of
//! the axis `each`, put in when a case is made of a combination.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cast::{Cast, Lacking, RoleValue};
use crate::identity::{NotationError, Token, tokens};
use crate::protocol::MarkedOctets;
use crate::secret::Password;
use crate::source::{nearest, one_of};

/// A text with places for a role's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// A value that a role has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// The domain's name.
    Domain,
    /// The domain's DNS name.
    Dns,
    /// The user name.
    User,
    /// The mailbox's name.
    Mailbox,
    /// The login name that opens the mailbox, and leaves the least to the server's guesses.
    Login,
    /// The login name of another role than the one that logs in. Whether its mailbox opens does not matter.
    OtherLogin,
    /// The password.
    Password,
    /// The bearer token.
    Token,
}

/// What a text is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Octets that stand for themselves.
    Octets(Vec<u8>),
    /// `{role.value|spelling}`: a value of a role.
    Value {
        /// The role; nothing where it is the case's own.
        role: Option<String>,
        /// Which value.
        value: Value,
        /// How it is spelt.
        spelling: Spelling,
    },
    /// `{base64:…}`: what is within, in BASE64.
    Base64(Template),
    /// `{len:…}`: how many octets there are within.
    Length(Template),
    /// `{each}`: the value of that axis.
    Each,
}

/// How a role's value is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spelling {
    /// As it is.
    AsItIs,
    /// `lower`: in small letters of ASCII.
    Lower,
    /// `upper`: in capital letters of ASCII.
    Upper,
    /// `swapcase`: each letter of ASCII in its other case.
    Swapped,
    /// `escaped`: with a backslash before each backslash and quotation mark (RFC 9051 §4.3).
    Escaped,
    /// `first8`: its first octets, so many.
    First(u8),
}

/// Octets made from a template, and which of them give a secret away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filled {
    /// The octets, with the ranges marked that hold a secret in some form.
    pub text: MarkedOctets,
    /// Every secret that was put in: as the role has it, and in each form in which the template spells it.
    pub secrets: Vec<Password>,
    /// What stands there in base64, readable and with passwords masked.
    pub meaning: Option<String>,
}

impl Value {
    const ALL: [Self; 7] =
        [Self::Domain, Self::Dns, Self::User, Self::Mailbox, Self::Login, Self::Password, Self::Token];

    /// The word for it in templates.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Dns => "dns",
            Self::User => "user",
            Self::Mailbox => "mailbox",
            Self::Login | Self::OtherLogin => "login",
            Self::Password => "password",
            Self::Token => "token",
        }
    }
}

impl Template {
    /// Reads a template; `roles` are the roles that it may speak of.
    pub fn parse(text: &str, roles: &[String]) -> Result<Self, NotationError> {
        let mut pieces = Vec::new();
        for (token, span) in tokens(text)? {
            pieces.push(match token {
                Token::Octets(octets) => Piece::Octets(octets),
                Token::Name(name) => piece(name, roles).map_err(|mut error| {
                    // What is wrong within braces is shown as a whole, unless it is a text of its own.
                    if error.span.is_empty() {
                        error.span = span.clone();
                    } else {
                        let offset = span.start + 1 + name.find(':').map_or(0, |colon| colon + 1);
                        error.span = offset + error.span.start..offset + error.span.end;
                    }
                    error
                })?,
            });
        }
        Ok(Self { pieces })
    }

    /// The roles, besides the case's own, whose values the template needs.
    pub fn other_roles(&self) -> Vec<&str> {
        let mut roles = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Value { role: Some(role), .. } => roles.push(role.as_str()),
                Piece::Base64(inner) | Piece::Length(inner) => roles.extend(inner.other_roles()),
                Piece::Octets(_) | Piece::Each | Piece::Value { role: None, .. } => {}
            }
        }
        roles
    }

    /// A text that is made of these.
    pub const fn of_pieces(pieces: Vec<Piece>) -> Self {
        Self { pieces }
    }

    /// What it is made of.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// These octets and nothing else.
    pub fn of_octets(octets: Vec<u8>) -> Self {
        Self { pieces: vec![Piece::Octets(octets)] }
    }

    /// Adds another text at the end.
    pub fn append(&mut self, other: Self) {
        for piece in other.pieces {
            match (self.pieces.last_mut(), piece) {
                // Octets that meet are one piece, as they are where a file is read.
                (Some(Piece::Octets(before)), Piece::Octets(more)) => before.extend_from_slice(&more),
                (_, piece) => self.pieces.push(piece),
            }
        }
    }

    /// Whether a password or a token is put in.
    pub(super) fn holds_secret(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Value { value, .. } => matches!(value, Value::Password | Value::Token),
            Piece::Base64(inner) => inner.holds_secret(),
            Piece::Octets(_) | Piece::Length(_) | Piece::Each => false,
        })
    }

    /// Whether `{each}` stands in it.
    pub(super) fn uses_each(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Each => true,
            Piece::Base64(inner) | Piece::Length(inner) => inner.uses_each(),
            Piece::Octets(_) | Piece::Value { .. } => false,
        })
    }

    /// The text with a value of the axis `each` in its places.
    pub(super) fn with_each(&self, each: &Self) -> Self {
        let mut pieces = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Each => pieces.extend(each.pieces.iter().cloned()),
                Piece::Base64(inner) => pieces.push(Piece::Base64(inner.with_each(each))),
                Piece::Length(inner) => pieces.push(Piece::Length(inner.with_each(each))),
                other => pieces.push(other.clone()),
            }
        }
        Self { pieces }
    }

    /// The octets for a case whose own role is `role`.
    pub fn fill(&self, cast: &dyn Cast, role: &str) -> Result<Filled, Lacking> {
        let mut octets = Vec::new();
        let mut marks: Vec<Range<usize>> = Vec::new();
        let (mut secrets, mut meaning) = (Vec::new(), None::<String>);
        for piece in &self.pieces {
            let start = octets.len();
            let is_secret = match piece {
                Piece::Octets(plain) => {
                    octets.extend_from_slice(plain);
                    false
                }
                Piece::Value { role: other, value, spelling } => {
                    let whose = other.as_deref().unwrap_or(role);
                    let is_other = whose != role && *value == Value::Login;
                    let value = cast.value(whose, if is_other { Value::OtherLogin } else { *value })?;
                    octets.extend(spelling.spell(value.expose()));
                    match value {
                        RoleValue::Plain(_) => false,
                        RoleValue::Secret(password) => {
                            secrets.push(password);
                            true
                        }
                    }
                }
                Piece::Base64(inner) => {
                    let inner = inner.fill(cast, role)?;
                    octets.extend_from_slice(STANDARD.encode(inner.text.expose()).as_bytes());
                    let before = meaning.take().map_or_else(String::new, |before| before + "; ");
                    meaning = Some(before + &inner.text.masked(readable));
                    secrets.extend(inner.secrets);
                    inner.text.holds_secret()
                }
                // Whoever makes cases of a file puts the value in, or says that there is none.
                Piece::Each => false,
                Piece::Length(inner) => {
                    let length = inner.fill(cast, role)?.text.len();
                    octets.extend_from_slice(length.to_string().as_bytes());
                    false
                }
            };
            if is_secret {
                let spelt = Password::new(octets.get(start..).unwrap_or_default());
                if !secrets.contains(&spelt) {
                    secrets.push(spelt);
                }
                marks.push(start..octets.len());
            }
        }
        Ok(Filled { text: MarkedOctets::new(octets, marks), secrets, meaning })
    }
}

/// Octets for people: printable ASCII as it is, the rest in braces.
fn readable(octets: &[u8]) -> String {
    let mut text = String::new();
    for &octet in octets {
        match octet {
            0 => text.push_str("{nul}"),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => text.push_str(&format!("{{x{octet:02x}}}")),
        }
    }
    text
}

impl Spelling {
    /// The spelling that a word stands for.
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "swapcase" => Self::Swapped,
            "escaped" => Self::Escaped,
            _ => Self::First(word.strip_prefix("first")?.parse().ok()?),
        })
    }

    /// The value in this spelling.
    pub fn spell(self, value: &[u8]) -> Vec<u8> {
        let mut spelt = Vec::with_capacity(value.len());
        value.iter().take(self.most()).for_each(|&octet| self.push(octet, &mut spelt));
        spelt
    }

    /// How many octets of the value there are at most.
    fn most(self) -> usize {
        if let Self::First(most) = self { most.into() } else { usize::MAX }
    }

    fn push(self, octet: u8, octets: &mut Vec<u8>) {
        if self == Self::Escaped && matches!(octet, b'"' | b'\\') {
            octets.push(b'\\');
        }
        octets.push(match self {
            Self::AsItIs | Self::Escaped | Self::First(_) => octet,
            Self::Lower => octet.to_ascii_lowercase(),
            Self::Upper => octet.to_ascii_uppercase(),
            Self::Swapped if octet.is_ascii_lowercase() => octet.to_ascii_uppercase(),
            Self::Swapped => octet.to_ascii_lowercase(),
        });
    }
}

fn piece(name: &str, roles: &[String]) -> Result<Piece, NotationError> {
    if name == "each" {
        return Ok(Piece::Each);
    }
    if let Some(inner) = name.strip_prefix("base64:") {
        return Template::parse(inner, roles).map(Piece::Base64);
    }
    if let Some(inner) = name.strip_prefix("len:") {
        return Template::parse(inner, roles).map(Piece::Length);
    }
    let (name, spelling) = match name.split_once('|') {
        None => (name, Spelling::AsItIs),
        Some((name, word)) => match Spelling::from_word(word) {
            Some(spelling) => (name, spelling),
            None => return Err(unknown("spelling", word, ["lower", "upper", "swapcase", "escaped", "first8"])),
        },
    };
    let (role, value) = match name.split_once('.') {
        Some((role, value)) => (Some(role), value),
        None => (None, name),
    };
    if let Some(role) = role
        && !roles.iter().any(|known| known == role)
    {
        return Err(unknown("role", role, roles.iter().map(String::as_str)));
    }
    match Value::ALL.into_iter().find(|known| known.word() == value) {
        Some(value) => Ok(Piece::Value { role: role.map(str::to_string), value, spelling }),
        None => Err(unknown("value", value, Value::ALL.map(Value::word))),
    }
}

fn unknown<'w>(kind: &str, word: &str, known: impl IntoIterator<Item = &'w str>) -> NotationError {
    let known: Vec<&str> = known.into_iter().collect();
    let advice = match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("expected {}", one_of(known)),
    };
    NotationError { reason: format!("unknown {kind} `{word}`: {advice}"), span: 0..0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OneRole;

    impl Cast for OneRole {
        fn value(&self, role: &str, value: Value) -> Result<RoleValue<'_>, Lacking> {
            match (role, value) {
                ("renamed", Value::Domain) => Ok(plain("Domain1")),
                ("renamed", Value::User) => Ok(plain("User1")),
                ("renamed", Value::Login) => Ok(plain(r#"Domain1\"User1"#)),
                ("renamed", Value::Password) => Ok(RoleValue::Secret(Password::new("pw"))),
                ("same", Value::OtherLogin) => Ok(plain("Same@domain1.example")),
                ("same", Value::Token) => Ok(RoleValue::Secret(Password::new("To\"ken"))),
                ("renamed", value) => Err(Lacking::Value { role: role.into(), value: value.word() }),
                _ => Err(Lacking::Role(role.into())),
            }
        }
    }

    fn plain(text: &str) -> RoleValue<'_> {
        RoleValue::Plain(text.as_bytes().into())
    }

    fn roles() -> Vec<String> {
        vec!["renamed".to_string(), "same".to_string()]
    }

    fn fill(text: &str) -> Result<Filled, Lacking> {
        Template::parse(text, &roles()).expect(text).fill(&OneRole, "renamed")
    }

    fn octets(text: &str) -> Vec<u8> {
        fill(text).expect("filled").text.expose().to_vec()
    }

    #[test]
    fn values_stand_in_their_places() {
        assert_eq!(octets(r"{domain}\{user|swapcase}"), br"Domain1\uSER1");
        assert_eq!(octets("{{{len:{user}}}}"), b"{5}");
        assert_eq!(octets("{user|first3}x {user|first99}"), b"Usex User1");
        assert_eq!(octets("\"{login|escaped}\""), br#""Domain1\\\"User1""#);
        assert_eq!(octets("{same.login|upper}"), b"SAME@DOMAIN1.EXAMPLE");
        assert_eq!(fill("{renamed.login}"), fill("{login}"));
        let plain = fill("{base64:{nul}{user}{nul}{password}} x").expect("filled");
        assert_eq!(plain.text.expose(), b"AFVzZXIxAHB3 x");
        assert_eq!(plain.text.secrets(), std::slice::from_ref(&(0..12)));
    }

    /// Whatever is done to a secret, the result is marked, and what finds it in a server's words is told of it.
    #[test]
    fn a_secret_stays_one_through_every_spelling() {
        for (text, shown, spelt) in [
            ("a{password}b", "a<password>b", "pw"),
            ("{same.token|lower}", "<password>", "to\"ken"),
            ("{same.token|upper}{user}", "<password>User1", "TO\"KEN"),
            ("{same.token|swapcase}", "<password>", "tO\"KEN"),
            ("{same.token|escaped}", "<password>", "To\\\"ken"),
            ("{same.token|first3}", "<password>", "To\""),
            ("{base64:{user}{same.token}}", "<password>", "VXNlcjFUbyJrZW4="),
            ("{base64:{base64:{same.token}}}", "<password>", "Vkc4aWEyVnU="),
            ("{len:{same.token}}", "6", ""),
        ] {
            let filled = fill(text).expect(text);
            assert_eq!(filled.text.shown(), shown, "{text}");
            assert!(spelt.is_empty() || filled.secrets.contains(&Password::new(spelt)), "{text}");
            let origin = if text.contains("token") { "To\"ken" } else { "pw" };
            assert_eq!(filled.secrets.contains(&Password::new(origin)), !spelt.is_empty(), "{text}");
        }
    }

    #[test]
    fn base64_comes_with_its_meaning() {
        let filled = fill("{base64:{nul}{user}{nul}{password}{xe9}} {base64:x{lf}}").expect("filled");
        assert_eq!(filled.meaning.as_deref(), Some("{nul}User1{nul}<password>{xe9}; x{x0a}"));
        assert_eq!(fill("{user}").expect("filled").meaning, None);
    }

    #[test]
    fn each_is_put_in_raw_wherever_it_stands() {
        let text = Template::parse("{each} {base64:{each}} {len:a{each}}", &roles()).expect("sound");
        let each = Template::parse("{xff}{user}", &roles()).expect("sound");
        assert!(text.uses_each() && !each.uses_each());
        let filled = text.with_each(&each).fill(&OneRole, "renamed").expect("filled");
        assert_eq!(filled.text.expose(), b"\xffUser1 /1VzZXIx 7");
    }

    #[test]
    fn what_is_lacking_is_said() {
        assert_eq!(fill("{mailbox}").expect_err("none").to_string(), "the role `renamed` has no mailbox");
        assert_eq!(fill("{same.user}").expect_err("none").to_string(), "no account for the role `same`");
    }

    #[test]
    fn mistakes_are_found_where_they_stand() {
        let error = Template::parse("a {usr}", &roles()).expect_err("unknown");
        assert_eq!((error.reason.as_str(), error.span), ("unknown value `usr`: did you mean `user`?", 2..7));
        let error = Template::parse("{base64:{nul}{x}}", &roles()).expect_err("unknown");
        assert_eq!(error.span, 13..16);
    }
}
