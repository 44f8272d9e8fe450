//! What varies from run to run, taken out of a text: addresses, ports, times, challenges and what answers them. What is
//! written up from two runs of the same server is then the same.

use crate::varying::{is_number, steady_word};

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
