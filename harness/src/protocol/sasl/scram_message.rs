//! SCRAM's grammar (RFC 5802 §7): names with escapes, and the server's two messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::protocol::MarkedOctets;

const FIRST_FORM: &str = "the server's first message is r=, s= and i= in this order (RFC 5802 §7)";
const EXTENSION: &str = "the server asks for an extension that nobody knows (RFC 5802 §5.1, m=)";
const NONCE: &str = "the server's nonce is the client's, followed by printable ASCII of its own (RFC 5802 §5.1)";
const SALT: &str = "the salt is BASE64 (RFC 5802 §5.1)";
const ITERATIONS: &str = "the iteration count is a number from 1 on (RFC 5802 §7), to 1000000 (our bound)";
const FEW_ITERATIONS: &str = "the iteration count is at least 4096 (RFC 5802 §5.1, RFC 7677 §4)";
const NO_SALT: &str = "the salt is a random octet string (RFC 5802 §2.1), and here there is none of it";
const FINAL_FORM: &str = "the server's last message is v= and BASE64, or e= (RFC 5802 §7)";

/// More would let a server keep us busy, and with us every conversation that waits for the same processor: this many
/// take 0.2 s where the processor knows SHA-256, and about 1 s where it does not.
const MOST_ITERATIONS: u32 = 1_000_000;

/// `server-first-message`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerFirst<'a> {
    pub nonce: &'a [u8],
    pub salt: Vec<u8>,
    pub iterations: u32,
}

impl<'a> ServerFirst<'a> {
    /// Reads the message in answer to one that held `client_nonce`; where it is wrong, the rule that it breaks.
    pub(super) fn parse(message: &'a [u8], client_nonce: &[u8]) -> Result<Self, &'static str> {
        if message.starts_with(b"m=") {
            return Err(EXTENSION);
        }
        let mut attributes = message.split(|octet| *octet == b',');
        let mut value = |name: &[u8]| attributes.next().and_then(|attribute| attribute.strip_prefix(name));
        let (Some(nonce), Some(salt), Some(iterations)) = (value(b"r="), value(b"s="), value(b"i=")) else {
            return Err(FIRST_FORM);
        };
        let own = nonce.strip_prefix(client_nonce).unwrap_or_default();
        if own.is_empty() || !own.iter().all(u8::is_ascii_graphic) {
            return Err(NONCE);
        }
        let salt = STANDARD.decode(salt).map_err(|_| SALT)?;
        let digits = iterations.iter().all(u8::is_ascii_digit) && iterations.first() != Some(&b'0');
        let iterations = std::str::from_utf8(iterations).ok().filter(|_| digits).and_then(|text| text.parse().ok());
        let iterations = iterations.filter(|count| (1..=MOST_ITERATIONS).contains(count)).ok_or(ITERATIONS)?;
        Ok(Self { nonce, salt, iterations })
    }

    /// The rule that the message breaks without harm.
    pub(super) const fn weakness(&self) -> Option<&'static str> {
        // The grammar lets a salt be empty; then one table of proofs fits every account (RFC 5802 §9).
        if self.salt.is_empty() {
            Some(NO_SALT)
        } else if self.iterations < 4096 {
            Some(FEW_ITERATIONS)
        } else {
            None
        }
    }
}

/// The signature in `server-final-message`.
pub(super) fn verifier(message: &[u8]) -> Result<Vec<u8>, &'static str> {
    let first = message.split(|octet| *octet == b',').next().unwrap_or_default();
    first.strip_prefix(b"v=").and_then(|encoded| STANDARD.decode(encoded).ok()).ok_or(FINAL_FORM)
}

/// A name with `,` as `=2C` and `=` as `=3D` (RFC 5802 §5.1).
pub(super) fn saslname(name: &MarkedOctets) -> MarkedOctets {
    name.spelt(push_escaped)
}

fn push_escaped(octet: u8, escaped: &mut Vec<u8>) {
    match octet {
        b',' => escaped.extend_from_slice(b"=2C"),
        b'=' => escaped.extend_from_slice(b"=3D"),
        _ => escaped.push(octet),
    }
}

/// A name in which `=` begins an escape that there is not. It spells the name's first plain octet, so that a
/// server that decodes whatever follows a `=` finds the account, and is found out.
pub(super) fn bad_saslname(name: &MarkedOctets) -> MarkedOctets {
    let mut is_spelt = false;
    let mut spelt = name.spelt(|octet, escaped| {
        if is_spelt || matches!(octet, b',' | b'=') {
            push_escaped(octet, escaped);
        } else {
            is_spelt = true;
            escaped.extend_from_slice(format!("={octet:02X}").as_bytes());
        }
    });
    if !is_spelt {
        spelt = MarkedOctets::new([spelt.expose(), b"="].concat(), spelt.secrets().to_vec());
    }
    spelt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(message: &str) -> Option<&'static str> {
        ServerFirst::parse(message.as_bytes(), b"abc").err()
    }

    #[test]
    fn each_rule_of_the_first_message() {
        let good = ServerFirst::parse(b"r=abcX,s=QSXCR+Q6sek8bf92,i=4096,x=ext", b"abc");
        assert!(good.is_ok_and(|first| first.nonce == b"abcX" && first.iterations == 4096));
        assert_eq!(broken(""), Some(FIRST_FORM));
        assert_eq!(broken("s=,r=abcX,i=4096"), Some(FIRST_FORM));
        assert_eq!(broken("r=abcX,s=QQ=="), Some(FIRST_FORM));
        assert_eq!(broken("m=x,r=abcX,s=QQ==,i=4096"), Some(EXTENSION));
        for nonce in ["abc", "abX", "", "Xabc", "abc\u{1}", "abc X"] {
            assert_eq!(broken(&format!("r={nonce},s=QQ==,i=4096")), Some(NONCE), "{nonce}");
        }
        assert_eq!(broken("r=abcX,s=Q,i=4096"), Some(SALT));
        for count in ["", "0", "-1", "+5", "04096", "1000001", "99999999999999999999", "x"] {
            assert_eq!(broken(&format!("r=abcX,s=QQ==,i={count}")), Some(ITERATIONS), "{count}");
        }
        assert_eq!(broken("r=abcX,s=QQ==,i=1000000"), None);
    }

    #[test]
    fn few_iterations_are_noted() {
        let weakness = |count| ServerFirst { nonce: b"", salt: vec![1], iterations: count }.weakness();
        assert_eq!((weakness(4095), weakness(4096)), (Some(FEW_ITERATIONS), None));
    }

    #[test]
    fn a_salt_that_is_none_is_noted() {
        let first = ServerFirst::parse(b"r=abcX,s=,i=1", b"abc").expect("the grammar allows it");
        assert_eq!(first.weakness(), Some(NO_SALT));
    }

    #[test]
    fn each_rule_of_the_last_message() {
        assert_eq!(verifier(b"v=QUI="), Ok(b"AB".to_vec()));
        assert_eq!(verifier(b"v=QUI=,x=y"), Ok(b"AB".to_vec()));
        for wrong in [&b""[..], b"v=Q", b"x=y,v=QUI=", b"\xff"] {
            assert_eq!(verifier(wrong), Err(FINAL_FORM));
        }
    }

    #[test]
    fn names_are_escaped() {
        let escaped = |name: &str, spell: fn(&MarkedOctets) -> MarkedOctets| {
            String::from_utf8(spell(&name.into()).expose().to_vec()).unwrap_or_default()
        };
        assert_eq!(escaped("a,b=c", saslname), "a=2Cb=3Dc");
        assert_eq!(escaped("User1", bad_saslname), "=55ser1");
        assert_eq!(escaped(",a=", bad_saslname), "=2C=61=3D");
        assert_eq!(escaped("", bad_saslname), "=");
    }

    #[test]
    fn a_secret_in_a_name_stays_marked() {
        let name = MarkedOctets::new(b"a=Secret,x".to_vec(), std::iter::once(2..9).collect());
        assert_eq!(saslname(&name).shown(), "a=3D<password>x");
        assert_eq!(bad_saslname(&name).shown(), "=61=3D<password>x");
    }
}
