//! `FETCH` as a server reads it (RFC 9051 §6.4.5 and §9), as far as the canary's readers need it.

use std::borrow::Cow;

use super::grammar::{Cursor, Read, is_atom_octet, upper_case};

/// What `FETCH` is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'b> {
    Flags,
    Uid,
    Size,
    InternalDate,
    Section(Section<'b>),
    /// A legal item that the canary's readers do not need.
    Unsupported,
}

/// A part of the message, with the label under which it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Section<'b> {
    Whole(&'static str),
    Header(&'static str),
    Text(&'static str),
    /// `HEADER.FIELDS` with these names.
    Fields(Vec<Cow<'b, [u8]>>),
}

/// The most header names that one `HEADER.FIELDS` may hold.
const MOST_FIELDS: usize = 64;

/// The arguments of `FETCH` or `UID FETCH`: whether they include the one message, and what is asked for.
pub(super) fn fetch<'b>(cursor: &mut Cursor<'b>, by_uid: bool) -> Read<(bool, Vec<Item<'b>>)> {
    cursor.space()?;
    let includes_first = sequence_set_includes_first(cursor)?;
    cursor.space()?;
    let mut items = Vec::new();
    if cursor.takes(b'(') {
        loop {
            item(cursor, &mut items)?;
            if cursor.takes(b')') {
                break;
            }
            cursor.space()?;
        }
    } else {
        item(cursor, &mut items)?;
    }
    if by_uid && !items.contains(&Item::Uid) {
        items.insert(0, Item::Uid);
    }
    Ok((includes_first, items))
}

/// Every mailbox holds one message, number and UID 1, so only that one matters; `*` is that one too.
fn sequence_set_includes_first(cursor: &mut Cursor<'_>) -> Read<bool> {
    let mut includes_first = false;
    loop {
        let from = sequence_number(cursor)?;
        let to = if cursor.takes(b':') { sequence_number(cursor)? } else { from };
        includes_first |= from.min(to) == 1;
        if !cursor.takes(b',') {
            return Ok(includes_first);
        }
    }
}

fn sequence_number(cursor: &mut Cursor<'_>) -> Read<usize> {
    if cursor.takes(b'*') {
        return Ok(1);
    }
    match cursor.number()? {
        0 => cursor.bad("message numbers begin with 1 (RFC 9051 section 9, nz-number)"),
        number => Ok(number),
    }
}

fn item<'b>(cursor: &mut Cursor<'b>, items: &mut Vec<Item<'b>>) -> Read<()> {
    let word = cursor.while_octets(|octet| is_atom_octet(octet) && octet != b'[');
    let mut upper = [0; 12];
    let found = match (upper_case(word, &mut upper), cursor.next_octet()) {
        (b"BODY" | b"BODY.PEEK", Some(b'[')) => Item::Section(section(cursor)?),
        (b"FLAGS", _) => Item::Flags,
        (b"UID", _) => Item::Uid,
        (b"RFC822.SIZE", _) => Item::Size,
        (b"INTERNALDATE", _) => Item::InternalDate,
        (b"RFC822", _) => Item::Section(Section::Whole("RFC822")),
        (b"RFC822.TEXT", _) => Item::Section(Section::Text("RFC822.TEXT")),
        (b"FAST", _) => {
            items.extend([Item::Flags, Item::InternalDate, Item::Size]);
            return Ok(());
        }
        (b"ALL" | b"FULL" | b"ENVELOPE" | b"BODY", _) => Item::Unsupported,
        _ if word.eq_ignore_ascii_case(b"RFC822.HEADER") => Item::Section(Section::Header("RFC822.HEADER")),
        _ if word.eq_ignore_ascii_case(b"BODYSTRUCTURE") => Item::Unsupported,
        _ => return cursor.bad("unknown FETCH item (RFC 9051 section 6.4.5)"),
    };
    items.push(found);
    Ok(())
}

fn section<'b>(cursor: &mut Cursor<'b>) -> Read<Section<'b>> {
    cursor.takes(b'[');
    let word = cursor.while_octets(is_atom_octet);
    let section = if word.is_empty() {
        Section::Whole("BODY[]")
    } else if word.eq_ignore_ascii_case(b"HEADER") {
        Section::Header("BODY[HEADER]")
    } else if word.eq_ignore_ascii_case(b"TEXT") {
        Section::Text("BODY[TEXT]")
    } else if word.eq_ignore_ascii_case(b"HEADER.FIELDS") {
        Section::Fields(field_names(cursor)?)
    } else {
        return cursor.bad("unknown section (RFC 9051 section 6.4.5)");
    };
    cursor.expect(b']', "a section ends with ] (RFC 9051 section 9)")?;
    Ok(section)
}

fn field_names<'b>(cursor: &mut Cursor<'b>) -> Read<Vec<Cow<'b, [u8]>>> {
    cursor.space()?;
    cursor.expect(b'(', "HEADER.FIELDS takes names in parentheses (RFC 9051 section 9)")?;
    let mut names = Vec::new();
    loop {
        let name = cursor.astring()?;
        // RFC 5322 §3.6.8. Names are sent back, so this keeps strange octets out of the reply too.
        if name.is_empty() || !name.iter().all(|&octet| matches!(octet, 0x21..=0x7e) && octet != b':') {
            return cursor.bad("a header name has printable octets and no colon (RFC 5322 section 3.6.8)");
        }
        if names.len() == MOST_FIELDS {
            return cursor.bad("too many header names");
        }
        names.push(name);
        if cursor.takes(b')') {
            return Ok(names);
        }
        cursor.space()?;
    }
}
