//! The shape of a login name: `{domain}\{user}\{mailbox}`, `{user}@{domain}`, …
//!
//! A form reads and writes: a dialect's rules match names against it, and an identity is rendered with it.
//! `{part}` captures one or more octets, none of them a separator; `{part..}` may hold separators too and takes
//! what the other pieces leave, so that `{user..}@{domain}` splits at the last `@` and `{user}@{domain..}` at the
//! first; `{part?}` may be empty; `{ignored}` captures and drops; `{sep}` is any one of the separators. Other text
//! stands for itself (ASCII letters in either case).

use std::ops::Range;

use super::octet_set::OctetSet;
use super::part::{Identity, Part};
use crate::notation::{NotationError, Token, tokens};

/// The shape of a login name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    text: String,
    pieces: Vec<Piece>,
    /// The one capture that may hold separators, as an index into `pieces`.
    rest: Option<usize>,
    /// What each name of this form holds besides letters, which are taken in either case.
    needs: OctetSet,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Octets(Vec<u8>),
    AnySeparator,
    Capture { part: Option<Part>, may_be_empty: bool },
}

/// Where each part of a name that matched stands.
pub(super) type Captures = [Option<Range<u32>>; Part::ALL.len()];

/// Why a text is no form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A mistake in the notation for octets.
    #[error(transparent)]
    Notation(#[from] NotationError),
    /// A name that is no part.
    #[error("unknown part `{{{0}}}`")]
    UnknownPart(String),
    /// Two captures touch, so nobody can say where one ends.
    #[error("`{{{0}}}` follows another capture with nothing in between")]
    Touching(String),
    /// A part is captured twice.
    #[error("`{{{0}}}` is captured twice")]
    Twice(String),
    /// More than one capture may hold separators.
    #[error("`{{{0}}}` is the second capture that may hold separators")]
    SecondRest(String),
}

impl Form {
    /// Reads a form.
    pub fn parse(text: &str) -> Result<Self, FormError> {
        let mut pieces = Vec::new();
        let mut rest = None;
        let mut needs = OctetSet::default();
        for (token, _) in tokens(text)? {
            let piece = match token {
                Token::Octets(octets) => {
                    octets.iter().filter(|octet| !octet.is_ascii_alphabetic()).for_each(|&octet| needs.insert(octet));
                    Piece::Octets(octets)
                }
                Token::Name("sep") => Piece::AnySeparator,
                Token::Name(name) => {
                    let may_be_empty = name.ends_with('?');
                    let name = name.trim_end_matches('?');
                    let is_rest = name.ends_with("..");
                    let bare = name.trim_end_matches("..");
                    let part = match (bare, Part::from_word(bare)) {
                        ("ignored", _) => None,
                        (_, Some(part)) => Some(part),
                        _ => return Err(FormError::UnknownPart(name.to_string())),
                    };
                    if matches!(pieces.last(), Some(Piece::Capture { .. })) {
                        return Err(FormError::Touching(name.to_string()));
                    }
                    if part.is_some()
                        && pieces.iter().any(|piece| matches!(piece, Piece::Capture { part: p, .. } if *p == part))
                    {
                        return Err(FormError::Twice(name.to_string()));
                    }
                    if is_rest && rest.replace(pieces.len()).is_some() {
                        return Err(FormError::SecondRest(name.to_string()));
                    }
                    Piece::Capture { part, may_be_empty }
                }
            };
            pieces.push(piece);
        }
        Ok(Self { text: text.to_string(), pieces, rest, needs })
    }

    /// The form as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parts that the form captures.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Capture { part, .. } => *part,
            _ => None,
        })
    }

    /// Whether a name of this form can be written again from its parts: nothing in it is dropped, and all of its
    /// separators are the same.
    pub fn is_reversible(&self) -> bool {
        let drops = |piece: &Piece| matches!(piece, Piece::Capture { part: None, .. });
        let separators = self.pieces.iter().filter(|piece| matches!(piece, Piece::AnySeparator));
        !self.pieces.iter().any(drops) && separators.count() < 2
    }

    /// Whether a name made of these octets can have this form at all.
    pub(super) fn may_fit(&self, octets: &OctetSet) -> bool {
        self.needs.lies_within(octets)
    }

    /// Writes an identity in this form; gives back the part that the identity lacks.
    ///
    /// `separator` stands in for `{sep}`.
    pub fn render(&self, identity: &Identity, separator: u8) -> Result<Vec<u8>, Part> {
        let mut name = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Octets(octets) => name.extend_from_slice(octets),
                Piece::AnySeparator => name.push(separator),
                Piece::Capture { part: None, .. } => {}
                Piece::Capture { part: Some(part), may_be_empty } => match identity.part(*part) {
                    Some(octets) => name.extend_from_slice(octets),
                    None if *may_be_empty => {}
                    None => return Err(*part),
                },
            }
        }
        Ok(name)
    }

    /// Where the parts stand in `name`, where all of it has this form.
    pub(super) fn captures(&self, name: &[u8], separators: &OctetSet) -> Option<Captures> {
        let mut captures = Captures::default();
        let split = self.rest.unwrap_or(self.pieces.len());
        let (head, tail) = self.pieces.split_at_checked(split)?;
        let mut start = 0;
        for piece in head {
            start = piece.left_match(name, start, separators, &mut captures)?;
        }
        let Some((Piece::Capture { part, may_be_empty }, tail)) = tail.split_first() else {
            return (start == name.len()).then_some(captures);
        };
        let mut end = name.len();
        for piece in tail.iter().rev() {
            end = piece.right_match(name, end, separators, &mut captures)?;
        }
        if start > end || (start == end && !may_be_empty) {
            return None;
        }
        capture(&mut captures, *part, start, end);
        Some(captures)
    }
}

impl Piece {
    /// Matches this piece at `start`; gives back where it ends.
    fn left_match(&self, name: &[u8], start: usize, separators: &OctetSet, captures: &mut Captures) -> Option<usize> {
        let rest = name.get(start..)?;
        match self {
            Self::Octets(octets) => {
                rest.get(..octets.len())?.eq_ignore_ascii_case(octets).then_some(start + octets.len())
            }
            Self::AnySeparator => separators.holds(*rest.first()?).then_some(start + 1),
            Self::Capture { part, may_be_empty } => {
                let length = rest.iter().position(|&octet| separators.holds(octet)).unwrap_or(rest.len());
                if length == 0 && !may_be_empty {
                    return None;
                }
                capture(captures, *part, start, start + length);
                Some(start + length)
            }
        }
    }

    /// Matches this piece up to `end`; gives back where it starts.
    fn right_match(&self, name: &[u8], end: usize, separators: &OctetSet, captures: &mut Captures) -> Option<usize> {
        let rest = name.get(..end)?;
        match self {
            Self::Octets(octets) => {
                let start = end.checked_sub(octets.len())?;
                rest.get(start..)?.eq_ignore_ascii_case(octets).then_some(start)
            }
            Self::AnySeparator => separators.holds(*rest.last()?).then_some(end - 1),
            Self::Capture { part, may_be_empty } => {
                let start = rest.iter().rposition(|&octet| separators.holds(octet)).map_or(0, |at| at + 1);
                if start == end && !may_be_empty {
                    return None;
                }
                capture(captures, *part, start, end);
                Some(start)
            }
        }
    }
}

fn capture(captures: &mut Captures, part: Option<Part>, start: usize, end: usize) {
    // Spans are 32 bits wide to keep readings small; a name longer than that cannot be read into memory here.
    if let (Some(part), Ok(start), Ok(end)) = (part, u32::try_from(start), u32::try_from(end)) {
        captures[part as usize] = Some(start..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(form: &str, separators: &str, name: &str) -> Option<Vec<(Part, String)>> {
        let separators = OctetSet::from_text(separators).expect("separators");
        let captures = Form::parse(form).expect("form").captures(name.as_bytes(), &separators)?;
        let text = |span: &Range<u32>| name[span.start as usize..span.end as usize].to_string();
        Some(Part::ALL.iter().zip(&captures).filter_map(|(&part, span)| Some((part, text(span.as_ref()?)))).collect())
    }

    fn triple(domain: &str, user: &str, mailbox: &str) -> Option<Vec<(Part, String)>> {
        Some(vec![(Part::Domain, domain.into()), (Part::User, user.into()), (Part::Mailbox, mailbox.into())])
    }

    #[test]
    fn the_first_separator_ends_the_domain_the_second_the_user() {
        let form = r"{domain}{sep}{user}{sep}{mailbox..}";
        assert_eq!(parts(form, r"\/", r"D\u\m"), triple("D", "u", "m"));
        assert_eq!(parts(form, r"\/", r"D\u/m"), triple("D", "u", "m"));
        assert_eq!(parts(form, r"\/", r"D\u\a\b"), triple("D", "u", r"a\b"));
        assert_eq!(parts(form, r"\/", r"D\u"), None);
        assert_eq!(parts(form, r"\/", r"D\u\"), None);
        assert_eq!(parts(form, r"\/", r"\u\m"), None);
    }

    #[test]
    fn first_and_last_occurrence() {
        let pair = |domain: &str, user: &str| Some(vec![(Part::Domain, domain.into()), (Part::User, user.into())]);
        assert_eq!(parts("{user}@{domain..}", "@", "a@b@c"), pair("b@c", "a"));
        assert_eq!(parts("{user..}@{domain}", "@", "a@b@c"), pair("c", "a@b"));
        assert_eq!(parts("{user..}@{domain?}", "@", "a@"), pair("", "a"));
        assert_eq!(parts("{user..}@{domain}", "@", "a@"), None);
    }

    #[test]
    fn literal_text_and_the_empty_form() {
        assert_eq!(parts("recent:{user..}", ":", "Recent:a@b"), Some(vec![(Part::User, "a@b".into())]));
        assert_eq!(parts("", "", ""), Some(vec![]));
        assert_eq!(parts("", "", "a"), None);
        assert_eq!(parts("{user}%{ignored..}%{master}", "%", "a%b%c%d").map(|found| found.len()), Some(2));
    }

    #[test]
    fn a_form_writes_what_it_reads() {
        let identity = Identity {
            domain: Some(b"Domain1".to_vec()),
            user: Some(b"User1".to_vec()),
            mailbox: Some(b"Mailbox1".to_vec()),
        };
        let form = Form::parse(r"{domain}{sep}{user}\{mailbox..}").expect("form");
        assert_eq!(form.render(&identity, b'/').as_deref(), Ok(&br"Domain1/User1\Mailbox1"[..]));
        assert_eq!(form.render(&Identity::default(), b'/'), Err(Part::Domain));
    }

    #[test]
    fn what_a_name_must_hold_is_seen_at_once() {
        let form = Form::parse(r"{user}@x\{domain}").expect("form");
        for (name, may_fit) in [(r"a@X\b", true), (r"\@", true), ("a@xb", false), ("", false)] {
            assert_eq!(form.may_fit(&OctetSet::of(name.as_bytes())), may_fit, "{name}");
        }
    }

    #[test]
    fn what_is_dropped_cannot_be_written_again() {
        for (form, is_reversible) in [
            (r"{domain}\{user}{sep}{mailbox..}", true),
            ("{domain}{sep}{user}{sep}{mailbox}", false),
            ("{user}@{ignored..?}", false),
            ("", true),
        ] {
            assert_eq!(Form::parse(form).expect(form).is_reversible(), is_reversible, "{form}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(Form::parse("{usr}"), Err(FormError::UnknownPart("usr".into())));
        assert_eq!(Form::parse("{user}{domain}"), Err(FormError::Touching("domain".into())));
        assert_eq!(Form::parse("{user}@{user}"), Err(FormError::Twice("user".into())));
        assert_eq!(Form::parse("{user..}@{domain..}"), Err(FormError::SecondRest("domain..".into())));
    }
}
