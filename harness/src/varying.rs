//! What varies from one connection to the next in what a server says: addresses, times, nonces, ids of sessions.

/// How long a token of letters and digits is that nobody made up: a nonce, a session's id.
const TOKEN: usize = 16;
/// How many digits a number has that is a moment or an id, not a size.
const LONG_NUMBER: usize = 9;

/// A text without what varies, word by word.
pub(crate) fn steady_words(text: &str) -> String {
    text.split(' ').map(steady_word).collect::<Vec<_>>().join(" ")
}

/// A word without what varies in it.
pub(crate) fn steady_word(word: &str) -> String {
    // The challenge of APOP and CRAM-MD5 is a message id (RFC 1939 §7).
    if let (Some(start), Some(end)) = (word.find('<'), word.rfind('>'))
        && word.get(start..end).is_some_and(|within| within.contains('@'))
    {
        let around = |text: Option<&str>| text.unwrap_or_default().to_string();
        return around(word.get(..start)) + "<challenge>" + &around(word.get(end + 1..));
    }
    let is_of_word = |character: char| character.is_ascii_alphanumeric() || "+/_.:".contains(character);
    let mut shown = String::new();
    let mut rest = word;
    while let Some(begin) = rest.find(is_of_word) {
        let (before, tail) = rest.split_at(begin);
        let (piece, tail) = tail.split_at(tail.find(|character| !is_of_word(character)).unwrap_or(tail.len()));
        shown.push_str(before);
        shown.push_str(&steady_piece(piece));
        rest = tail;
    }
    shown + rest
}

fn steady_piece(piece: &str) -> String {
    let core = piece.trim_end_matches(['.', ':']);
    let tail = piece.get(core.len()..).unwrap_or_default();
    let shown = if is_address(core) {
        "<address>"
    } else if is_clock(core) {
        "<time>"
    } else if is_token(core) {
        "<varies>"
    } else {
        return piece.to_string();
    };
    format!("{shown}{tail}")
}

/// `127.0.0.1`, `127.0.0.1:143`, `localhost:143`.
fn is_address(word: &str) -> bool {
    let (host, port) = word.split_once(':').map_or((word, None), |(host, port)| (host, Some(port)));
    let is_ip = host.parse::<std::net::Ipv4Addr>().is_ok();
    match port {
        Some(port) => (is_ip || host == "localhost") && is_number(port),
        None => is_ip,
    }
}

/// `07:54:30`, with or without parts of a second.
fn is_clock(word: &str) -> bool {
    let mut parts = word.splitn(3, ':');
    let mut two_digits = || parts.next().is_some_and(|part| part.len() == 2 && is_number(part));
    two_digits() && two_digits() && parts.next().is_some_and(|part| part.split('.').all(is_number))
}

fn is_token(word: &str) -> bool {
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    let (digits, small, large) =
        (count(u8::is_ascii_digit), count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
    if is_number(word) {
        return word.len() >= LONG_NUMBER;
    }
    let is_hex = word.len() >= 12 && digits > 0 && word.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
    let is_mixed = word.len() >= TOKEN && digits > 1 && small > 0 && (large > 0 || digits > 4);
    is_hex || is_mixed && !word.contains('.')
}

/// Whether a word is digits and nothing else.
pub(crate) fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_sessions_go_and_words_stay() {
        let said = "Authentication failed (session=<aGk3Pz9ZbA8sQx4T>) at 07:54:30, 127.0.0.1:41233";
        assert_eq!(steady_words(said), "Authentication failed (session=<<varies>>) at <time>, <address>");
        assert_eq!(steady_words("[AUTHENTICATIONFAILED] no such user2"), "[AUTHENTICATIONFAILED] no such user2");
    }
}
