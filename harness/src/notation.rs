//! The notation for octets in files: text that stands for itself, and braces for everything else.
//!
//! TOML's literal strings keep every backslash, so a login name can be written as it is typed. What cannot be
//! typed is written in braces: `{x00ff}` (octets in hex), `{nul}` `{tab}` `{lf}` `{cr}` `{crlf}` `{sp}`, `{a*300}`
//! (an octet, so often), `{{` and `}}` (the braces themselves). Every other name in braces is left to whoever
//! reads the text: a capture of a form, a field of a role.

use std::ops::Range;

/// The most octets that one text may stand for: a hundred times the longest line that a server must take.
const LONGEST: usize = 1 << 20;

/// A piece of a text in the notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'t> {
    /// Octets that stand for themselves.
    Octets(Vec<u8>),
    /// A name in braces that the notation itself does not know.
    Name(&'t str),
}

/// A mistake in the notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotationError {
    /// What is wrong.
    pub reason: String,
    /// Where, in octets of the text.
    pub span: Range<usize>,
}

/// Splits a text into octets and names, each with its place.
pub fn tokens(text: &str) -> Result<Vec<(Token<'_>, Range<usize>)>, NotationError> {
    let mut found: Vec<(Token<'_>, Range<usize>)> = Vec::new();
    let mut length = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (token, end) = next(text, rest, at)?;
        if let Token::Octets(octets) = &token {
            length += octets.len();
            if length > LONGEST {
                let reason = format!("stands for more than {LONGEST} octets");
                return Err(NotationError { reason, span: at..end });
            }
        }
        match (found.last_mut(), token) {
            (Some((Token::Octets(before), span)), Token::Octets(octets)) => {
                before.extend_from_slice(&octets);
                span.end = end;
            }
            (_, token) => found.push((token, at..end)),
        }
        at = end;
    }
    Ok(found)
}

/// Octets in the notation, so that [`tokens`] gives them back: printable text as it is, the rest made visible.
pub fn escape(octets: &[u8]) -> String {
    let mut text = String::new();
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '{' => text.push_str("{{"),
                '}' => text.push_str("}}"),
                '\0' => text.push_str("{nul}"),
                _ if character.is_control() => {
                    let mut buffer = [0; 4];
                    for octet in character.encode_utf8(&mut buffer).bytes() {
                        text.push_str(&format!("{{x{octet:02x}}}"));
                    }
                }
                _ => text.push(character),
            }
        }
        for octet in chunk.invalid() {
            text.push_str(&format!("{{x{octet:02x}}}"));
        }
    }
    text
}

fn next<'t>(text: &'t str, rest: &'t str, at: usize) -> Result<(Token<'t>, usize), NotationError> {
    if rest.starts_with("{{") {
        return Ok((Token::Octets(vec![b'{']), at + 2));
    }
    if rest.starts_with("}}") {
        return Ok((Token::Octets(vec![b'}']), at + 2));
    }
    if rest.starts_with('}') {
        let reason = "a closing brace without an opening one; write `}}` for the brace itself".to_string();
        return Err(NotationError { reason, span: at..at + 1 });
    }
    if !rest.starts_with('{') {
        let end = rest.find(['{', '}']).unwrap_or(rest.len());
        let plain = rest.get(..end).unwrap_or_default();
        return Ok((Token::Octets(plain.as_bytes().to_vec()), at + end));
    }
    let Some(close) = matching_brace(rest) else {
        let reason = "an opening brace without a closing one; write `{{` for the brace itself".to_string();
        return Err(NotationError { reason, span: at..text.len() });
    };
    let name = rest.get(1..close).unwrap_or_default();
    let span = at..at + close + 1;
    let token = match octets_by_name(name) {
        Some(Ok(octets)) => Token::Octets(octets),
        Some(Err(reason)) => return Err(NotationError { reason, span }),
        None => Token::Name(name),
    };
    Ok((token, span.end))
}

/// The place of the brace that closes the one at the start; names may hold texts with braces of their own.
fn matching_brace(rest: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, octet) in rest.bytes().enumerate() {
        match octet {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn octets_by_name(name: &str) -> Option<Result<Vec<u8>, String>> {
    Some(Ok(match name {
        "nul" => vec![0],
        "tab" => vec![b'\t'],
        "lf" => vec![b'\n'],
        "cr" => vec![b'\r'],
        "crlf" => b"\r\n".to_vec(),
        "sp" => vec![b' '],
        _ => {
            // What has a text of its own within, `{base64:a*b}`, may hold an asterisk.
            let is_repeated =
                |(octet, _): &(&str, &str)| !octet.is_empty() && (octet.len() == 1 || !octet.contains(':'));
            if let Some((octet, count)) = name.rsplit_once('*').filter(is_repeated) {
                return Some(repeated(octet, count));
            }
            let digits = name.strip_prefix('x')?;
            if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            return Some(hex(digits));
        }
    }))
}

fn repeated(octet: &str, count: &str) -> Result<Vec<u8>, String> {
    let octet = match octet.as_bytes() {
        [octet] => *octet,
        _ => match octets_by_name(octet) {
            Some(Ok(octets)) if octets.len() == 1 => octets.first().copied().unwrap_or_default(),
            _ => {
                return Err(format!("`{octet}` is not one octet: expected `{{a*300}}` or `{{x00*300}}`"));
            }
        },
    };
    match count.parse() {
        Ok(count) if count <= LONGEST => Ok(vec![octet; count]),
        _ => Err(format!("`{count}` is not a count from 0 to {LONGEST}")),
    }
}

fn hex(digits: &str) -> Result<Vec<u8>, String> {
    if digits.len() % 2 == 1 {
        return Err(format!("`x{digits}` has an odd number of hex digits"));
    }
    let octet = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    digits.as_bytes().chunks(2).map(|pair| octet(pair).ok_or_else(|| format!("`x{digits}` is not hex"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(text: &str) -> Vec<u8> {
        match tokens(text).expect("valid").as_slice() {
            [] => Vec::new(),
            [(Token::Octets(octets), _)] => octets.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn text_stands_for_itself() {
        assert_eq!(octets(r"Domain1\User1\Mailbox1"), br"Domain1\User1\Mailbox1");
        assert_eq!(octets("a{{b}}c"), b"a{b}c");
        assert_eq!(octets("a{x00FF}{nul}{crlf}{b*3}{x01*2}"), b"a\x00\xff\x00\r\nbbb\x01\x01");
        assert_eq!(octets("{**2}"), b"**");
    }

    #[test]
    fn other_names_are_left_alone_with_their_places() {
        assert_eq!(
            tokens(r"{domain}\{len:{user}}").expect("valid"),
            [(Token::Name("domain"), 0..8), (Token::Octets(b"\\".to_vec()), 8..9), (Token::Name("len:{user}"), 9..21)]
        );
    }

    #[test]
    fn mistakes_have_places() {
        for (text, span) in
            [("a{b", 1..3), ("a}b", 1..2), ("{x123}", 0..6), ("{ab*3}", 0..6), ("{a*x}", 0..5), ("{a*99999999}", 0..12)]
        {
            assert_eq!(tokens(text).expect_err(text).span, span, "{text}");
        }
    }

    #[test]
    fn escape_gives_a_text_that_reads_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(octets(&escape(&all)), all);
        assert_eq!(octets(&escape("Jürgen\\{x}".as_bytes())), "Jürgen\\{x}".as_bytes());
    }
}
