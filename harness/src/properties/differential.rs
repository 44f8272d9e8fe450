//! A second reader of login names, written from what the vendors' documents say and not from our dialect files: each
//! dialect in a few plain lines, without rules, forms or captures. Where the two differ, one of them is wrong.

use arbitrary::Unstructured;

use super::world::{dialect, rest};
use crate::axes::{Mechanism, Protocol};
use crate::identity::{Access, Dialect, Part, Readings, Verdict};

/// A second reader.
type Reader = fn(&[u8]) -> Naive;

/// The dialects that are read twice, each with its second reader.
const READERS: &[(&str, Reader)] =
    &[("exchange-5.5", exchange_5_5), ("dovecot", dovecot), ("courier", courier), ("opaque", opaque)];

/// What a naive reader makes of a name.
#[derive(Debug, PartialEq, Eq)]
enum Naive {
    Refused,
    Unspecified,
    Parts { domain: Option<Vec<u8>>, user: Option<Vec<u8>>, mailbox: Option<Vec<u8>> },
}

/// The dialects read a name as their naive readers do; and in every dialect neither the case of letters nor a letter at
/// the end moves a split: a letter at the end belongs to the last part.
///
/// The input: the dialect, an octet; then the name.
pub fn identity_differential(input: &[u8]) {
    let _ = read_twice(&mut Unstructured::new(input));
}

fn read_twice(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let access = Access { protocol: Protocol::Imap, mechanism: Mechanism::Login };
    let dialect = dialect(input)?;
    let name = rest(input);
    let readings = dialect.read(name, access);
    if let Some((_, naive)) = READERS.iter().find(|(known, _)| *known == dialect.name) {
        assert_eq!(naive(name), of(&readings), "{}: {}", dialect.name, name.escape_ascii());
    }
    longer_by_a_letter(dialect, name, &readings, access);
    Ok(())
}

fn of(readings: &Readings<'_, '_>) -> Naive {
    match (readings.verdict, readings.chosen()) {
        (Verdict::Refused { .. }, _) => Naive::Refused,
        (Verdict::Read, Some(reading)) => {
            let named = |part| reading.named(part).map(<[u8]>::to_vec);
            Naive::Parts { domain: named(Part::Domain), user: named(Part::User), mailbox: named(Part::Mailbox) }
        }
        _ => Naive::Unspecified,
    }
}

/// Where a name ends in a letter and is read, one more letter goes to the part that ended there.
fn longer_by_a_letter(dialect: &Dialect, name: &[u8], readings: &Readings<'_, '_>, access: Access) {
    if !name.last().is_some_and(u8::is_ascii_alphabetic) {
        return;
    }
    let longer = [name, b"q"].concat();
    let longer_readings = dialect.read(&longer, access);
    let (Some(reading), Some(other)) = (readings.chosen(), longer_readings.chosen()) else { return };
    // Another rule may be meant for a name with fixed words in it; the same rule must split alike.
    if reading.form().text() != other.form().text() {
        return;
    }
    for part in Part::ALL {
        let expected =
            reading.span(part).map(|span| if span.end == name.len() { span.start..span.end + 1 } else { span });
        assert_eq!(other.span(part), expected, "{}: a letter moves a split: {}", dialect.name, longer.escape_ascii());
    }
}

fn whole(name: &[u8]) -> Naive {
    Naive::Parts { domain: None, user: Some(name.to_vec()), mailbox: None }
}

/// Every octet is part of the user's name.
fn opaque(name: &[u8]) -> Naive {
    if name.is_empty() { Naive::Refused } else { whole(name) }
}

/// src/auth/auth-settings.c: letters, digits and `.-_@`; the domain begins behind the first `@`.
fn dovecot(name: &[u8]) -> Naive {
    let is_allowed = |octet: &u8| octet.is_ascii_alphanumeric() || b".-_@".contains(octet);
    if name.is_empty() || name.len() > 8192 || !name.iter().all(is_allowed) {
        return Naive::Refused;
    }
    at_the_first_at_sign(name).unwrap_or_else(|| whole(name))
}

/// authmoduser3.c: a name without `@` gets the default domain.
fn courier(name: &[u8]) -> Naive {
    if name.is_empty() || name.iter().any(u8::is_ascii_control) {
        return Naive::Refused;
    }
    if !name.contains(&b'@') {
        return whole(name);
    }
    at_the_first_at_sign(name).unwrap_or(Naive::Unspecified)
}

fn at_the_first_at_sign(name: &[u8]) -> Option<Naive> {
    let mut halves = name.splitn(2, |octet| *octet == b'@');
    let (user, domain) = (halves.next()?, halves.next()?);
    if user.is_empty() || domain.is_empty() {
        return None;
    }
    Some(Naive::Parts { domain: Some(domain.to_vec()), user: Some(user.to_vec()), mailbox: None })
}

/// KB Q184463, Q189326, Q298836: domain, user and mailbox, between backslashes or slashes; addresses came later.
fn exchange_5_5(name: &[u8]) -> Naive {
    let is_separator = |octet: &u8| *octet == b'\\' || *octet == b'/';
    if name.is_empty() {
        return Naive::Refused;
    }
    let words: Vec<&[u8]> = name.splitn(3, is_separator).collect();
    let is_plain = |word: &[u8]| !word.is_empty() && !word.contains(&b'@');
    match *words {
        [mailbox] if is_plain(mailbox) && !mailbox.eq_ignore_ascii_case(b"anonymous") => {
            Naive::Parts { domain: None, user: None, mailbox: Some(mailbox.to_vec()) }
        }
        [domain, user] if is_plain(domain) && is_plain(user) => {
            Naive::Parts { domain: Some(domain.to_vec()), user: Some(user.to_vec()), mailbox: None }
        }
        [domain, user, mailbox] if is_plain(domain) && is_plain(user) && is_plain(mailbox) => {
            let is_mixed = name.get(domain.len()) != name.get(domain.len() + 1 + user.len());
            if is_mixed && mailbox.iter().any(is_separator) {
                return Naive::Unspecified;
            }
            Naive::Parts { domain: Some(domain.to_vec()), user: Some(user.to_vec()), mailbox: Some(mailbox.to_vec()) }
        }
        _ => Naive::Unspecified,
    }
}
