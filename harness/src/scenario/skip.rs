//! Why a case was skipped: a sentence for people, and a stable code by which two runs, and the skip baseline of a target
//! file, are compared.

use std::fmt;

use super::cast::Lacking;
use crate::axes::{Mechanism, Protocol, Security};

/// The kind of a measurement that decides nothing.
const INCONCLUSIVE: &str = "inconclusive";

/// Why a case was not asked, or why its answer decides nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// The target has no account for a role.
    NoRole {
        /// The role.
        role: String,
    },
    /// A role has no such value.
    NoValue {
        /// The role.
        role: String,
        /// The value, in words.
        value: &'static str,
    },
    /// The target names no address for this protocol, or none with this security.
    NoEndpoint {
        /// The target's name.
        target: String,
        /// The protocol.
        protocol: Protocol,
        /// The security that the case asks for; nothing where the protocol has no address at all.
        security: Option<Security>,
    },
    /// The mechanism rests on TLS, and the case asks for a connection without it.
    NeedsTls {
        /// The mechanism.
        mechanism: Mechanism,
        /// The security that is asked for.
        security: Security,
    },
    /// The mechanism rests on TLS, and the target names no address with TLS for the protocol.
    NoTlsEndpoint {
        /// The mechanism.
        mechanism: Mechanism,
        /// The target's name.
        target: String,
        /// The protocol.
        protocol: Protocol,
    },
    /// The case would send a password in plaintext to a server that is meant to be asked within TLS.
    WouldSendPlaintext,
    /// The case sends more wrong passwords in a row than the account's lockout budget allows.
    BeyondLockoutBudget {
        /// How many it sends.
        failures: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// The case's login is to be refused, and the server has shown that it answers no such login.
    RefusalsUnanswered,
    /// The role has no TLS client certificate.
    NoClientCertificate {
        /// The role.
        role: String,
    },
    /// The server does not offer what the case needs, as its capabilities or the login itself have shown.
    NotOffered {
        /// A capability, or what the client would need in words.
        capability: String,
        /// The security of the connection, where the capabilities are those of such a connection.
        over: Option<Security>,
    },
    /// The server offers what must be missing for the case to say anything.
    IsOffered {
        /// The capability.
        capability: String,
        /// The security of the connection.
        over: Security,
    },
    /// The server does not say what it offers, and the case depends on it.
    CapabilitiesUnknown {
        /// What happened instead.
        reason: String,
    },
    /// The rule is optional, and the server does not follow it.
    Optional {
        /// What happened instead.
        reason: String,
    },
    /// The measurement decides nothing.
    Inconclusive {
        /// What was measured.
        measured: Measured,
        /// What was missing.
        reason: String,
    },
}

/// What a measurement looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// The words of answers.
    Words,
    /// The time until an answer came.
    Time,
}

/// The case that was skipped, as far as codes name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedCase<'c> {
    /// The case's id, with or without its combination.
    pub id: &'c str,
    /// Its protocol.
    pub protocol: Protocol,
    /// The security of its connection; nothing where the target has no such address.
    pub security: Option<Security>,
}

/// The stable code of a skip, as in `not-offered:AUTH=SCRAM-SHA-256:imap:starttls`: the kind of reason, then its
/// parameters, with colons between them. `scenarios/README.md` lists the kinds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SkipCode(String);

impl SkipCode {
    /// Every kind of code.
    pub const KINDS: [&'static str; 14] = [
        "no-role",
        "no-value",
        "no-endpoint",
        "needs-tls",
        "no-tls-endpoint",
        "would-send-plaintext",
        "beyond-lockout-budget",
        "refusals-unanswered",
        "no-client-certificate",
        "not-offered",
        "offered",
        "capabilities-unknown",
        "optional",
        INCONCLUSIVE,
    ];

    /// Takes a code that was written down; nothing where no skip has a code of this kind, or it holds anything but
    /// printable ASCII without spaces.
    pub fn parse(text: &str) -> Option<Self> {
        let is_known = text.split(':').next().is_some_and(|kind| Self::KINDS.contains(&kind));
        (is_known && text.bytes().all(|octet| octet.is_ascii_graphic())).then(|| Self(text.to_string()))
    }

    /// Whether such a skip may be there in one run and not in the next although neither the server nor the target file has
    /// changed: it depends on how busy the machine and the network are. It is no part of a baseline.
    pub fn varies_by_run(&self) -> bool {
        self.0.split(':').next() == Some(INCONCLUSIVE)
    }

    /// The code's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SkipCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SkipReason {
    /// The stable code of this reason for a case.
    pub fn code(&self, of: SkippedCase<'_>) -> SkipCode {
        let protocol = of.protocol.word();
        let case = of.id.split('[').next().unwrap_or(of.id);
        let security = |over: Option<Security>| over.or(of.security).map(Security::word);
        let parts: Vec<&str> = match self {
            Self::NoRole { role } => vec!["no-role", role],
            Self::NoValue { role, value } => vec!["no-value", role, value],
            Self::NoEndpoint { security: None, .. } => vec!["no-endpoint", protocol],
            Self::NoEndpoint { security: Some(security), .. } => vec!["no-endpoint", protocol, security.word()],
            Self::NeedsTls { mechanism, security } => {
                vec!["needs-tls", mechanism.word(), protocol, security.word()]
            }
            Self::NoTlsEndpoint { mechanism, .. } => vec!["no-tls-endpoint", mechanism.word(), protocol],
            Self::WouldSendPlaintext => vec!["would-send-plaintext", protocol],
            Self::BeyondLockoutBudget { .. } => vec!["beyond-lockout-budget", case],
            Self::RefusalsUnanswered => vec!["refusals-unanswered", protocol],
            Self::NoClientCertificate { role } => vec!["no-client-certificate", role],
            Self::NotOffered { capability, over } => {
                ["not-offered", capability, protocol].into_iter().chain(security(*over)).collect()
            }
            Self::IsOffered { capability, over } => vec!["offered", capability, protocol, over.word()],
            Self::CapabilitiesUnknown { .. } => {
                ["capabilities-unknown", protocol].into_iter().chain(security(None)).collect()
            }
            Self::Optional { .. } => vec!["optional", case],
            Self::Inconclusive { measured, .. } => vec![INCONCLUSIVE, measured.word(), case],
        };
        SkipCode(parts.into_iter().map(parameter).collect::<Vec<_>>().join(":"))
    }
}

impl Measured {
    const fn word(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Time => "time",
        }
    }
}

/// A parameter as codes have it: printable ASCII but the colon, and one hyphen for each run of anything else.
fn parameter(text: &str) -> String {
    let mut parameter = String::new();
    for character in text.chars() {
        let is_plain = character.is_ascii_graphic() && !matches!(character, ':' | '(' | ')' | '`' | '"' | '\\');
        if is_plain {
            parameter.push(character);
        } else if !parameter.ends_with('-') {
            parameter.push('-');
        }
    }
    parameter.trim_matches('-').to_string()
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRole { role } => write!(f, "no account for the role `{role}`"),
            Self::NoValue { role, value } => write!(f, "the role `{role}` has no {value}"),
            Self::NoEndpoint { target, protocol, security: None } => write!(f, "{target} does not speak {protocol}"),
            Self::NoEndpoint { target, protocol, security: Some(Security::Tls) } => {
                write!(f, "{target} has no implicit-TLS port for {protocol}; say where it is under [{protocol}s]")
            }
            Self::NoEndpoint { target, protocol, security: Some(_) } => {
                write!(f, "{target} has no port for {protocol} without TLS; say where it is under [{protocol}]")
            }
            Self::NeedsTls { mechanism, security } => write!(f, "{mechanism} needs TLS, and {security} is asked for"),
            Self::NoTlsEndpoint { mechanism, target, protocol } => write!(
                f,
                "{mechanism} needs TLS, and {target} has none for {protocol}: say where it is under [{protocol}s], or \
                 security = \"starttls\" under [{protocol}]"
            ),
            Self::WouldSendPlaintext => {
                f.write_str("would send a password over an unprotected connection; --allow-plaintext asks it anyway")
            }
            Self::BeyondLockoutBudget { failures, limit } => write!(
                f,
                "sends {failures} wrong passwords in a row, and the lockout budget is {limit} (`wrong-passwords` or \
                 `lockout` under [limits])"
            ),
            Self::RefusalsUnanswered => f.write_str(
                "the login is to be refused, and the server answers no login that it refuses: the failures show the first ones",
            ),
            Self::NoClientCertificate { role } => {
                write!(f, "there is no client certificate for the role `{role}`")
            }
            Self::NotOffered { capability, over: None } => write!(f, "the target does not offer {capability}"),
            Self::NotOffered { capability, over: Some(security) } => {
                write!(f, "the target does not offer {capability} over {security}")
            }
            Self::IsOffered { capability, over } => {
                write!(f, "the target offers {capability} over {over}, so this cannot be asked")
            }
            Self::CapabilitiesUnknown { reason } => write!(f, "the target does not say what it offers: {reason}"),
            Self::Optional { reason } => write!(f, "optional, and not so here: {reason}"),
            Self::Inconclusive { reason, .. } => write!(f, "inconclusive: {reason}"),
        }
    }
}

impl From<Lacking> for SkipReason {
    fn from(lacking: Lacking) -> Self {
        match lacking {
            Lacking::Role(role) => Self::NoRole { role },
            Lacking::Value { role, value } => Self::NoValue { role, value },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: SkippedCase<'_> =
        SkippedCase { id: "imap/x/y[imap,plain]", protocol: Protocol::Imap, security: Some(Security::Starttls) };

    fn code(reason: &SkipReason) -> String {
        reason.code(CASE).to_string()
    }

    fn not_offered(capability: &str, over: Option<Security>) -> SkipReason {
        SkipReason::NotOffered { capability: capability.to_string(), over }
    }

    #[test]
    fn a_code_names_the_kind_and_its_parameters() {
        assert_eq!(code(&SkipReason::NoRole { role: "renamed".to_string() }), "no-role:renamed");
        assert_eq!(code(&not_offered("AUTH=NTLM", None)), "not-offered:AUTH=NTLM:imap:starttls");
        assert_eq!(code(&not_offered("AUTH=NTLM", Some(Security::Tls))), "not-offered:AUTH=NTLM:imap:tls");
        let optional = SkipReason::Optional { reason: "rejected".to_string() };
        assert_eq!(code(&optional), "optional:imap/x/y");
    }

    /// What stands in a sentence may vary, a code may not.
    #[test]
    fn what_varies_is_no_part_of_a_code() {
        let inconclusive =
            |reason: &str| SkipReason::Inconclusive { measured: Measured::Time, reason: reason.to_string() };
        assert_eq!(code(&inconclusive("after 48 pairs")), code(&inconclusive("after 40 pairs")));
        assert!(inconclusive("").code(CASE).varies_by_run() && !not_offered("X", None).code(CASE).varies_by_run());
    }

    #[test]
    fn every_code_can_be_read_again() {
        for capability in ["AUTH PLAIN (no CAPA)", "a login: the greeting is PREAUTH", "x\u{1b}[2J", "LITERAL+"] {
            let code = not_offered(capability, None).code(CASE);
            assert_eq!(SkipCode::parse(code.as_str()), Some(code));
        }
        assert_eq!(code(&not_offered("AUTH PLAIN (no CAPA)", None)), "not-offered:AUTH-PLAIN-no-CAPA:imap:starttls");
        for wrong in ["", "no-rule:renamed", "no-role: renamed", "NO-ROLE:x"] {
            assert_eq!(SkipCode::parse(wrong), None, "{wrong}");
        }
    }
}
