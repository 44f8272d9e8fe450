//! DIGEST-MD5's lists of directives (RFC 2831 §7.1): `name=value` with commas between them, values bare or quoted.

/// One directive. A quoted value stands here without quotes and backslashes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
}

/// Reads a list; nothing where it is none.
pub(super) fn parse(text: &[u8]) -> Option<Vec<Directive>> {
    let mut directives = Vec::new();
    let mut rest = skip_space(text);
    while !rest.is_empty() {
        // Empty elements are allowed (RFC 2831 §7.1, `#rule`).
        if let Some(after) = rest.strip_prefix(b",") {
            rest = skip_space(after);
            continue;
        }
        let equals = rest.iter().position(|octet| matches!(octet, b'=' | b',' | b'"'))?;
        let name = rest.get(..equals)?.trim_ascii();
        let value = skip_space(rest.get(equals..)?.strip_prefix(b"=")?);
        let (value, after) = match value.strip_prefix(b"\"") {
            Some(quoted) => unquote(quoted)?,
            None => bare(value),
        };
        if name.is_empty() {
            return None;
        }
        directives.push(Directive { name: name.to_ascii_lowercase(), value });
        rest = skip_space(after);
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
    Some(directives)
}

/// A value in quotes, with a backslash before every `"` and `\`.
pub(super) fn quote(value: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for &octet in value {
        if matches!(octet, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(octet);
    }
    quoted.push(b'"');
    quoted
}

fn bare(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let end = text.iter().position(|octet| *octet == b',').unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    (value.trim_ascii_end().to_vec(), rest)
}

/// What stands before the closing quote, and what comes after it.
fn unquote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut octets = text.iter().enumerate();
    while let Some((at, &octet)) = octets.next() {
        match octet {
            b'"' => return Some((value, text.get(at + 1..)?)),
            b'\\' => value.push(*octets.next()?.1),
            _ => value.push(octet),
        }
    }
    None
}

fn skip_space(text: &[u8]) -> &[u8] {
    text.trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Vec<(String, String)>> {
        let text_of = |octets| String::from_utf8(octets).unwrap();
        let pairs = parse(text.as_bytes())?.into_iter().map(|one| (text_of(one.name), text_of(one.value)));
        Some(pairs.collect())
    }

    #[test]
    fn lists_are_read() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parsed(""), Some(Vec::new()));
        assert_eq!(
            parsed(r#"realm="a,\"b\\",Nonce = "" , ,qop=auth"#),
            Some(vec![pair("realm", r#"a,"b\"#), pair("nonce", ""), pair("qop", "auth")])
        );
        for wrong in ["x", "x,y=1", "=1", r#"a="b"#, r#"a="b\"#, r#"a="b"c"#, r#""a"=b"#] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_quoted_is_read_again() {
        assert_eq!(quote(br#"D\u"x"#), br#""D\\u\"x""#);
        assert_eq!(unquote(br#"D\\u\"x" rest"#), Some((br#"D\u"x"#.to_vec(), &b" rest"[..])));
    }
}
