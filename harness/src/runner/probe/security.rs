//! Whether an endpoint keeps the security that is declared for it, and what a server says of STARTTLS before TLS.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::super::place::Place;
use crate::axes::{Protocol, Security};
use crate::target::Target;

/// An endpoint at which STARTTLS is declared, requested or the default, and not as it has to be. It fails the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmetSecurity {
    /// The target's name.
    pub target: String,
    /// The endpoint's protocol.
    pub protocol: Protocol,
    /// The endpoint's host and port.
    pub address: String,
    /// What is wrong.
    pub shortfall: SecurityShortfall,
}

/// What is wrong with STARTTLS at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityShortfall {
    /// The server refuses the command: no login was tried there.
    NotOffered,
    /// The command works, but the capabilities do not list it, so other clients do not find it.
    NotAdvertised,
}

impl UnmetSecurity {
    /// A stable id for reports: `security/starttls-not-offered[imap]`.
    pub fn id(&self) -> String {
        format!("security/{}[{}]", self.shortfall.word(), self.protocol)
    }

    /// What was expected.
    pub fn expected(&self) -> String {
        let command = starttls_word(self.protocol);
        match self.shortfall {
            SecurityShortfall::NotOffered => {
                format!("{command} is offered: logins use it, as security = \"starttls\" says, which is the default")
            }
            SecurityShortfall::NotAdvertised => format!("the capabilities before TLS list {command}"),
        }
    }

    /// What happened instead.
    pub fn seen(&self) -> String {
        let command = starttls_word(self.protocol);
        match self.shortfall {
            SecurityShortfall::NotOffered => {
                format!("the server refuses {command}; no password was sent, and no login was tried there")
            }
            SecurityShortfall::NotAdvertised => {
                format!(
                    "{command} works, but the capabilities do not list it, so clients that look there do not use it"
                )
            }
        }
    }

    /// The rules behind it.
    pub const fn cites(&self) -> &'static [&'static str] {
        match (self.shortfall, self.protocol) {
            (SecurityShortfall::NotOffered, Protocol::Imap) => &["RFC 9051 §11.2", "RFC 9051 §6.1.1"],
            (SecurityShortfall::NotOffered, Protocol::Pop3) => &["RFC 2595 §4", "RFC 8314 §4"],
            (SecurityShortfall::NotAdvertised, Protocol::Imap) => &["RFC 2595 §3", "RFC 9051 §6.1.1"],
            (SecurityShortfall::NotAdvertised, Protocol::Pop3) => &["RFC 2595 §4"],
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> String {
        let protocol = self.protocol;
        match self.shortfall {
            SecurityShortfall::NotOffered => format!(
                "if STARTTLS should be there, mend the server; if it only has a port for TLS from the first octet, name \
                 that one with --{protocol}s or [{protocol}s]; if passwords may travel unprotected, say so with --security \
                 plaintext, or with security = \"plaintext\" under [{protocol}]"
            ),
            SecurityShortfall::NotAdvertised => format!(
                "something on the way may have removed it from the list, or the server leaves it out; lacks = \
                 [\"{}\"] in the target file accepts that",
                starttls_word(protocol)
            ),
        }
    }
}

/// The whole of it in one line, without the advice.
impl fmt::Display for UnmetSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, address, .. } = self;
        write!(f, "{protocol} {address}: expected that {}, but {} ", self.expected(), self.seen())?;
        write!(f, "({})", self.cites().join(", "))
    }
}

impl SecurityShortfall {
    /// The word for it in ids.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotOffered => "starttls-not-offered",
            Self::NotAdvertised => "starttls-not-advertised",
        }
    }
}

/// The command and the capability that begin TLS (RFC 9051 §6.2.1, RFC 2595 §4).
pub(in crate::runner) const fn starttls_word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Imap => "STARTTLS",
        Protocol::Pop3 => "STLS",
    }
}

/// Whether capabilities from before TLS say that TLS can be begun.
pub(in crate::runner) fn advertises_starttls(protocol: Protocol, words: &[String]) -> bool {
    words.iter().any(|word| word == starttls_word(protocol))
}

/// Whether capabilities from before TLS say that no password is taken without it, and how it can be begun.
///
/// IMAP has LOGINDISABLED for that (RFC 9051 §6.2.3). POP3 has no word for it: a server lists neither USER (RFC 2449 §6.2)
/// nor any mechanism.
pub(in crate::runner) fn refuses_plaintext(protocol: Protocol, words: &[String]) -> bool {
    let has = |word: &str| words.iter().any(|known| known == word);
    let takes_password = match protocol {
        Protocol::Imap => !has("LOGINDISABLED"),
        Protocol::Pop3 => has("USER") || has("APOP") || words.iter().any(|word| word.starts_with("AUTH=")),
    };
    advertises_starttls(protocol, words) && !takes_password
}

/// What protects the logins that ask for no security, by the target's index and the protocol.
pub(in crate::runner) fn own_securities(targets: &[Arc<Target>]) -> HashMap<(usize, Protocol), Security> {
    let mut own = HashMap::new();
    for (index, target) in targets.iter().enumerate() {
        for &protocol in Protocol::ALL {
            if let Ok((_, security)) = target.endpoint(protocol, None) {
                own.insert((index, protocol), security);
            }
        }
    }
    own
}

/// Notes on targets of a run whose logins use STARTTLS although plaintext is declared or requested.
pub(in crate::runner) fn upgrade_notes(targets: &[Arc<Target>], places: &[Place]) -> Vec<String> {
    let note = |(index, target): (usize, &Arc<Target>)| {
        let is_upgraded = |protocol: &&Protocol| {
            target.is_upgraded_to_starttls(**protocol)
                && places.iter().any(|place| (place.0, place.1) == (index, **protocol))
        };
        let protocols: Vec<&str> = Protocol::ALL.iter().filter(is_upgraded).map(|protocol| protocol.word()).collect();
        (!protocols.is_empty()).then(|| {
            format!(
                "{} takes no password without TLS over {}, and offers STARTTLS: logins that ask for no security use it",
                target.name,
                protocols.join(" and ")
            )
        })
    };
    targets.iter().enumerate().filter_map(note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &str) -> Vec<String> {
        list.split(' ').map(str::to_string).collect()
    }

    #[test]
    fn what_a_server_says_before_tls() {
        for (protocol, list, advertises, refuses) in [
            (Protocol::Imap, "IMAP4REV1 STARTTLS LOGINDISABLED", true, true),
            (Protocol::Imap, "IMAP4REV1 STARTTLS AUTH=PLAIN", true, false),
            (Protocol::Imap, "IMAP4REV1 LOGINDISABLED", false, false),
            (Protocol::Imap, "STLS LOGINDISABLED", false, false),
            (Protocol::Pop3, "TOP UIDL STLS SASL", true, true),
            (Protocol::Pop3, "TOP STLS USER", true, false),
            (Protocol::Pop3, "TOP STLS AUTH=PLAIN", true, false),
            (Protocol::Pop3, "TOP STLS APOP", true, false),
            (Protocol::Pop3, "TOP", false, false),
        ] {
            let words = words(list);
            assert_eq!(advertises_starttls(protocol, &words), advertises, "{list}");
            assert_eq!(refuses_plaintext(protocol, &words), refuses, "{list}");
        }
    }

    #[test]
    fn each_shortfall_says_what_to_do() {
        let unmet = |shortfall| UnmetSecurity {
            target: "t".to_string(),
            protocol: Protocol::Imap,
            address: "127.0.0.1:143".to_string(),
            shortfall,
        };
        let not_offered = unmet(SecurityShortfall::NotOffered);
        assert_eq!(not_offered.id(), "security/starttls-not-offered[imap]");
        let line = not_offered.to_string();
        for part in ["imap 127.0.0.1:143: ", "security = \"starttls\"", "no password was sent", "(RFC 9051 §11.2"] {
            assert!(line.contains(part), "{line}");
        }
        for choice in ["--imaps", "--security plaintext", "security = \"plaintext\""] {
            assert!(not_offered.advice().contains(choice), "{}", not_offered.advice());
        }
        assert!(unmet(SecurityShortfall::NotAdvertised).to_string().contains("(RFC 2595 §3, RFC 9051 §6.1.1)"));
    }
}
