//! Renders the commands of an IMAP login, in whatever spelling a case asks for: also in spellings that the grammar
//! forbids, since how a server takes those is what cases are about.

use crate::axes::{Encoding, Mechanism};
use crate::protocol::MarkedOctets;
use crate::protocol::outgoing::Outgoing;
use crate::protocol::sasl::Sasl;
use crate::secret::Password;

/// The largest non-synchronising literal where a server offers only `LITERAL-` (RFC 7888 §5).
pub const LITERAL_MINUS_LIMIT: usize = 4096;

/// A command without secrets that is sent in one piece.
pub fn simple(tag: &str, command: &str) -> Outgoing {
    let mut octets = Vec::with_capacity(tag.len() + command.len() + 3);
    octets.extend_from_slice(tag.as_bytes());
    octets.push(b' ');
    octets.extend_from_slice(command.as_bytes());
    octets.extend_from_slice(b"\r\n");
    Outgoing::plain(octets)
}

/// `LOGIN` with both arguments spelt in `encoding`, cut where the client has to wait for a continuation.
///
/// There is always at least one piece.
pub fn login(tag: &str, name: &MarkedOctets, password: &Password, encoding: Encoding) -> Vec<Outgoing> {
    let mut pieces = Vec::new();
    let mut piece = Outgoing::default();
    piece.push(tag.as_bytes());
    piece.push(b" LOGIN ");
    push_astring(&mut piece, &mut pieces, name, encoding);
    piece.push(b" ");
    push_astring(&mut piece, &mut pieces, &MarkedOctets::from(password), encoding);
    piece.push(b"\r\n");
    pieces.push(piece);
    pieces
}

/// `AUTHENTICATE`, with the initial response (RFC 4959) where `initial_response` asks for it and there is one.
pub fn authenticate(tag: &str, mechanism: Mechanism, sasl: &mut Sasl, initial_response: bool) -> Outgoing {
    let mut piece = Outgoing::default();
    piece.push(tag.as_bytes());
    piece.push(b" AUTHENTICATE ");
    piece.push(mechanism.sasl_name().unwrap_or_default().as_bytes());
    if let Some(response) = initial_response.then(|| sasl.initial_response()).flatten() {
        piece.push(b" ");
        response.push_initial_to(&mut piece);
    }
    piece.push(b"\r\n");
    piece
}

/// Adds one argument. A synchronising literal ends the piece that announces it and begins the next one.
fn push_astring(piece: &mut Outgoing, pieces: &mut Vec<Outgoing>, text: &MarkedOctets, encoding: Encoding) {
    match encoding {
        Encoding::Quoted => {
            piece.push(b"\"");
            piece.push_marked(&text.spelt(push_quoted));
            piece.push(b"\"");
        }
        Encoding::QuotedUnescaped => {
            piece.push(b"\"");
            piece.push_marked(text);
            piece.push(b"\"");
        }
        Encoding::Literal => {
            piece.push(format!("{{{}}}\r\n", text.len()).as_bytes());
            pieces.push(std::mem::take(piece));
            piece.push_marked(text);
        }
        Encoding::LiteralPlus => {
            piece.push(format!("{{{}+}}\r\n", text.len()).as_bytes());
            piece.push_marked(text);
        }
        // The last two are no spellings of an argument; a session does not begin with them.
        Encoding::Atom | Encoding::InitialResponse | Encoding::Continuation => piece.push_marked(text),
    }
}

/// Whether an octet may stand in an argument without quotes (RFC 9051 §9, `ASTRING-CHAR`).
pub(crate) fn is_astring_char(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"(){%*\"\\".contains(&octet)
}

/// The octets with a backslash before every `"` and `\` (RFC 9051 §4.3).
pub(crate) fn quoted_escapes(octets: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(octets.len() + 2);
    octets.iter().for_each(|&octet| push_quoted(octet, &mut escaped));
    escaped
}

fn push_quoted(octet: u8, quoted: &mut Vec<u8>) {
    if matches!(octet, b'"' | b'\\') {
        quoted.push(b'\\');
    }
    quoted.push(octet);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::axes::Protocol;
    use crate::protocol::Login;

    fn rendered(name: &str, password: &str, encoding: Encoding) -> Vec<String> {
        let pieces = login("a1", &name.into(), &Password::new(password), encoding);
        pieces.iter().map(|piece| piece.octets.escape_ascii().to_string().replace("\\\\", "\\")).collect()
    }

    #[test]
    fn every_spelling_of_a_login() {
        let name = r"Domain1\User1";
        let password = r#"p"w"#;
        let cases = [
            (Encoding::Atom, vec![r#"a1 LOGIN Domain1\User1 p\"w\r\n"#]),
            (Encoding::Quoted, vec![r#"a1 LOGIN \"Domain1\\User1\" \"p\\"w\"\r\n"#]),
            (Encoding::QuotedUnescaped, vec![r#"a1 LOGIN \"Domain1\User1\" \"p\"w\"\r\n"#]),
            (Encoding::Literal, vec![r"a1 LOGIN {13}\r\n", r"Domain1\User1 {3}\r\n", r#"p\"w\r\n"#]),
            (Encoding::LiteralPlus, vec![r#"a1 LOGIN {13+}\r\nDomain1\User1 {3+}\r\np\"w\r\n"#]),
        ];
        for (encoding, expected) in cases {
            assert_eq!(rendered(name, password, encoding), expected, "{encoding}");
        }
    }

    #[test]
    fn illegal_octets_are_sent_as_asked() {
        assert_eq!(rendered("a b\r\nx", "", Encoding::Atom), [r"a1 LOGIN a b\r\nx \r\n"]);
        assert_eq!(rendered("", "", Encoding::Literal), [r"a1 LOGIN {0}\r\n", r" {0}\r\n", r"\r\n"]);
    }

    #[test]
    fn the_password_is_marked_in_every_spelling() {
        for encoding in
            [Encoding::Atom, Encoding::Quoted, Encoding::QuotedUnescaped, Encoding::Literal, Encoding::LiteralPlus]
        {
            let pieces = login("a1", &"User1".into(), &Password::new("Secret\\1"), encoding);
            let last = pieces.last().unwrap();
            let marked = last.octets.get(last.secrets.first().unwrap().clone()).unwrap();
            let expected = if encoding == Encoding::Quoted { &b"Secret\\\\1"[..] } else { b"Secret\\1" };
            assert_eq!(marked, expected, "{encoding}");
        }
    }

    #[test]
    fn authenticate_with_and_without_an_initial_response() {
        let login = Login::new(Protocol::Imap, Mechanism::Plain, "test", Password::new("test"));
        let sasl = || Sasl::new(&login, None, false).unwrap().unwrap();
        let without = authenticate("a1", Mechanism::Plain, &mut sasl(), false);
        assert_eq!(without, Outgoing::plain("a1 AUTHENTICATE PLAIN\r\n"));
        let with = authenticate("a1", Mechanism::Plain, &mut sasl(), true);
        assert_eq!(with.octets, b"a1 AUTHENTICATE PLAIN AHRlc3QAdGVzdA==\r\n");
        assert_eq!(with.secrets.first(), Some(&(22..38)));
    }
}
