//! What varies from run to run, taken out of a text: addresses, ports, times, challenges and what answers them. What is
//! written up from two runs of the same server is then the same.

/// How long a token of letters and digits is that nobody made up: a nonce, a session's id.
const TOKEN: usize = 16;
/// How many digits a number has that is a moment or an id, not a size.
const LONG_NUMBER: usize = 9;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Mon,", "Tue,", "Wed,", "Thu,", "Fri,", "Sat,", "Sun,"];
/// What a transcript's line begins with that says what the line before means.
const MEANING: &str = "   = ";

/// The text without what varies.
pub(in crate::report) fn steady(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut shown = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let meaning = lines.get(at + 1).and_then(|next| next.strip_prefix(MEANING));
        shown.push(match (line.strip_prefix(MEANING), meaning) {
            (Some(meaning), _) => format!("{MEANING}{}", steady_meaning(meaning)),
            // Where what BASE64 means varies, so does the BASE64.
            (None, Some(meaning)) if steady_meaning(meaning) != meaning => without_last_word(line),
            _ => steady_line(line),
        });
    }
    shown.join("\n")
}

/// What a challenge or a response means. In those of NTLM nearly everything is binary.
fn steady_meaning(meaning: &str) -> String {
    if meaning.starts_with("NTLMSSP") {
        return "NTLMSSP <challenge>".to_string();
    }
    let parts = meaning.split(',').enumerate().map(|(at, part)| match part.split_once('=') {
        // A GS2 header begins with the type of the channel's binding (RFC 5802 §7), and a proof stands at the end.
        Some(("p", _)) if at == 0 => part.to_string(),
        Some((name @ ("r" | "s" | "v" | "p"), value)) if value.len() > 8 && !value.contains('<') => {
            format!("{name}=<varies>")
        }
        Some((name @ ("nonce" | "cnonce" | "response" | "rspauth"), _)) => format!("{name}=<varies>"),
        _ => steady_line(part),
    });
    parts.collect::<Vec<_>>().join(",")
}

fn without_last_word(line: &str) -> String {
    let (start, _) = line.rsplit_once(' ').unwrap_or((line, ""));
    format!("{start} <varies>")
}

fn steady_line(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut left = line.split(' ').peekable();
    while let Some(word) = left.next() {
        let next = left.peek().copied().unwrap_or_default();
        if is_amount(word) && ["ms", "s", "MiB"].contains(&next.trim_end_matches([',', ';', ')', '.', '"'])) {
            words.push(about(word));
        } else if MONTHS.contains(&word) && words.last().is_some_and(|day| is_number(day)) && is_number(next) {
            words.pop();
            words.pop_if(|day| DAYS.contains(&day.as_str()));
            left.next();
            words.push("<date>".to_string());
        } else {
            words.push(steady_word(word));
        }
    }
    words.join(" ")
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit())
}

/// `0.52`, `(10.00`: a whole number counts something that does not vary.
fn is_amount(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '"', '-']);
    is_number(word) || word.split_once('.').is_some_and(|(whole, part)| is_number(whole) && is_number(part))
}

/// An amount to the next of 1, 2, 5, 10 …: enough to tell a second from a millisecond, and the same the next time.
fn about(word: &str) -> String {
    let start = word.find(|character: char| character.is_ascii_digit()).unwrap_or(0);
    let (before, number) = word.split_at(start);
    let Some(number) = number.parse::<f64>().ok().filter(|number| *number > 0.0) else { return word.to_string() };
    let power = 10f64.powf(number.log10().floor());
    let rounded = [(1.0, 1.4), (2.0, 3.2), (5.0, 7.1), (10.0, f64::MAX)];
    let step = rounded.into_iter().find(|(_, most)| number / power < *most).map_or(10.0, |(step, _)| step);
    let value = step * power;
    let digits =
        (0..9).find(|digits| value * 10f64.powi(*digits) > 0.9).and_then(|digits| usize::try_from(digits).ok());
    format!("{before}~{value:.*}", digits.unwrap_or(9))
}

fn steady_word(word: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_times_and_ids_go() {
        for (text, shown) in [
            ("S: * OK 127.0.0.1:41233 ready", "S: * OK <address> ready"),
            ("cannot reach localhost:41233: refused", "cannot reach <address>: refused"),
            ("S: +OK POP3 <1896.697170952@host>", "S: +OK POP3 <challenge>"),
            ("S: * OK [UIDVALIDITY 1764057600] ok", "S: * OK [UIDVALIDITY <varies>] ok"),
            ("at Wed, 25 Nov 2026 07:54:30 +0000", "at <date> <time> +0000"),
            ("median 0.52 s against 10.00 ms, p < 0.0001", "median ~0.5 s against ~10 ms, p < 0.0001"),
            ("it computed for 0.7 of 0.7 s after", "it computed for 0.7 of ~0.5 s after"),
            ("S: * OK f3a9c0d1e2b4 at your service", "S: * OK <varies> at your service"),
            ("S: * BYE [x] session=<aGk3Pz9ZbA8sQx4T>", "S: * BYE [x] session=<<varies>>"),
        ] {
            assert_eq!(steady(text), shown);
        }
    }

    #[test]
    fn what_does_not_vary_stays() {
        for text in [
            "S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR AUTH=SCRAM-SHA-256-PLUS] Dovecot 2.4.1 ready",
            "C: a1 LOGIN \"Domain1\\\\User1\\\\Mailbox1\" <password>",
            "[TLS 1.3, TLS13_AES_256_GCM_SHA384]",
            "S: X-Loginspec-Mailbox: Mailbox1",
            "S: a1 NO [ALERT] after 65536 octets, version 2.4.1-4+deb13u1",
            "C: AFNhbWUA\n   = {nul}Same{nul}",
            "",
        ] {
            assert_eq!(steady(text), text);
        }
    }

    #[test]
    fn how_long_something_took_stays_readable() {
        for (word, shown) in [
            ("0.52", "~0.5"),
            ("(10.00", "(~10"),
            ("0.0312", "~0.02"),
            ("-8.00", "-~10"),
            ("18.5", "~20"),
            ("1300", "~1000"),
            ("0.00", "0.00"),
            ("0.96", "~1"),
        ] {
            assert_eq!(about(word), shown);
        }
    }

    /// What kind of channel binding a client asks for is what some findings are about.
    #[test]
    fn the_type_of_a_channel_binding_stays() {
        let text = "C: x\n   = p=tls-exporter,,n=Same,r=abc1234567890";
        assert_eq!(steady(text), "C: <varies>\n   = p=tls-exporter,,n=Same,r=<varies>");
        assert_eq!(
            steady("C: x\n   = c=eSws,r=abc1234567890,p=YWJjZGVmZ2g="),
            "C: <varies>\n   = c=eSws,r=<varies>,p=<varies>"
        );
    }

    #[test]
    fn a_challenge_goes_with_its_base64() {
        let text =
            "S: + cj1hYmMxMjM0NTY3ODkwLHM9c2FsdHlzYWx0LGk9NDA5Ng==\n   = r=abc1234567890,s=saltysalt,i=4096\nC: x";
        assert_eq!(steady(text), "S: + <varies>\n   = r=<varies>,s=<varies>,i=4096\nC: x");
        assert_eq!(steady("S: + VXNlcg==\n   = User"), "S: + VXNlcg==\n   = User");
        assert_eq!(steady("S: + PDE=\n   = <1.2@host>"), "S: + <varies>\n   = <challenge>");
        assert_eq!(steady("S: + TlR\n   = NTLMSSP{nul}x"), "S: + <varies>\n   = NTLMSSP <challenge>");
    }
}
