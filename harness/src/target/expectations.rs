//! What a target file expects of its server besides the cases, as plain data: made from what was observed, and written as
//! the `[expect]` table of a target file.

use std::fmt::Write as _;

use super::observed::{Observation, Observed, ObservedEndpoint, SessionState};
use super::tls::version_word;
use crate::axes::{Mechanism, Protocol, Security};
use crate::scenario::SkipCode;
use crate::transport::TlsVersion;

/// Capabilities by which a server invites a password; in plaintext it is then anyone's.
const INVITE_PASSWORDS: &[&str] = &["AUTH=PLAIN", "AUTH=LOGIN"];
/// The capability by which a server lets anyone in.
const INVITES_ANYONE: &str = "AUTH=ANONYMOUS";

/// What is expected of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectations {
    /// The mechanisms that every endpoint offers, once TLS stands where the endpoint has it.
    pub mechanisms: Vec<Mechanism>,
    /// Whether the server takes passwords without TLS; nothing where that is not said.
    pub plaintext_passwords: Option<bool>,
    /// The oldest version of TLS that the server accepts; nothing where that is not said.
    pub oldest_tls: Option<TlsVersion>,
    /// The codes of the skips that are known; nothing where there is no skip baseline.
    pub skips: Option<Vec<SkipCode>>,
    /// What each endpoint offers in each state.
    pub endpoints: Vec<EndpointExpectations>,
}

/// What one endpoint offers in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointExpectations {
    /// The protocol.
    pub protocol: Protocol,
    /// The endpoint's security.
    pub security: Security,
    /// The state of the session.
    pub state: SessionState,
    /// Capabilities that must be offered, in upper case.
    pub required: Vec<String>,
    /// Capabilities that must not be offered.
    pub forbidden: Vec<String>,
}

/// Whether a server with these capabilities offers a mechanism.
pub fn offers_mechanism(protocol: Protocol, mechanism: Mechanism, capabilities: &[String]) -> bool {
    let has = |word: &str| capabilities.iter().any(|known| known.eq_ignore_ascii_case(word));
    match (mechanism.sasl_name(), protocol) {
        (Some(name), _) => has(&format!("AUTH={name}")),
        (None, Protocol::Imap) => !has("LOGINDISABLED"),
        (None, Protocol::Pop3) if mechanism == Mechanism::Apop => has("APOP"),
        (None, Protocol::Pop3) => has("USER"),
    }
}

/// Whether an endpoint can be expected to offer a mechanism at all.
pub(super) const fn fits_endpoint(protocol: Protocol, security: Security, mechanism: Mechanism) -> bool {
    mechanism.fits(protocol) && mechanism.fits_security(security)
}

impl Expectations {
    /// What the server showed, as what is expected of it from now on.
    ///
    /// A fact that differs between endpoints, or was not observed, is left out of what holds for all of them. `skips` is
    /// the skip baseline, where there is to be one.
    pub fn of(observed: &Observed, skips: Option<Vec<SkipCode>>) -> Self {
        let mechanisms: Vec<Mechanism> =
            Mechanism::ALL.iter().copied().filter(|mechanism| all_offer(observed, *mechanism)).collect();
        let endpoints = observed.endpoints.iter().flat_map(|endpoint| {
            SessionState::ALL.into_iter().filter_map(|state| endpoint_expectations(endpoint, state, &mechanisms))
        });
        Self {
            plaintext_passwords: common(observed.endpoints.iter().map(|endpoint| &endpoint.plaintext_passwords)),
            oldest_tls: common(observed.endpoints.iter().map(|endpoint| &endpoint.oldest_tls)),
            skips,
            endpoints: endpoints.collect(),
            mechanisms,
        }
    }

    /// The `[expect]` table of a target file, with the mark that the tool wrote it (`observed = true`).
    pub fn to_toml(&self) -> String {
        let mut text =
            String::from("[expect]\nobserved            = true   # written by loginspec; --accept writes it anew\n");
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<19} = {value}");
        };
        if !self.mechanisms.is_empty() {
            line("mechanisms", list(self.mechanisms.iter().map(|mechanism| mechanism.word())));
        }
        if let Some(is_allowed) = self.plaintext_passwords {
            line("plaintext-passwords", is_allowed.to_string());
        }
        if let Some(version) = self.oldest_tls {
            line("oldest-tls", quoted(version_word(version)));
        }
        if let Some(skips) = &self.skips {
            line("skips", list_over_lines(skips.iter().map(SkipCode::as_str)));
        }
        for endpoint in &self.endpoints {
            let _ = write!(
                text,
                "\n[[expect.endpoint]]\nprotocol  = {}\nsecurity  = {}\nstate     = {}\n",
                quoted(endpoint.protocol.word()),
                quoted(endpoint.security.word()),
                quoted(endpoint.state.word())
            );
            for (name, words) in [("required ", &endpoint.required), ("forbidden", &endpoint.forbidden)] {
                if !words.is_empty() {
                    let _ = writeln!(text, "{name} = {}", list(words.iter().map(String::as_str)));
                }
            }
        }
        text
    }
}

/// Whether every endpoint that could offer a mechanism was seen to do so, and there is one.
fn all_offer(observed: &Observed, mechanism: Mechanism) -> bool {
    let of_mechanism = |endpoint: &&ObservedEndpoint| fits_endpoint(endpoint.protocol, endpoint.security, mechanism);
    let mut fitting = observed.endpoints.iter().filter(of_mechanism).peekable();
    let offers = |endpoint: &ObservedEndpoint| {
        let words = endpoint.login_capabilities().seen();
        words.is_some_and(|words| offers_mechanism(endpoint.protocol, mechanism, words))
    };
    fitting.peek().is_some() && fitting.all(offers)
}

/// The fact that was seen wherever it applies; nothing where it differs or could not be seen.
fn common<'o, T: Copy + PartialEq + 'o>(observations: impl Iterator<Item = &'o Observation<T>>) -> Option<T> {
    let mut applicable = observations.filter(|observation| !matches!(observation, Observation::NotApplicable));
    let first = *applicable.next()?.seen()?;
    applicable.all(|other| other.seen() == Some(&first)).then_some(first)
}

/// What an endpoint is expected to offer in a state; nothing where that was not seen.
fn endpoint_expectations(
    endpoint: &ObservedEndpoint,
    state: SessionState,
    mechanisms: &[Mechanism],
) -> Option<EndpointExpectations> {
    let ObservedEndpoint { protocol, security, .. } = *endpoint;
    let words = endpoint.capabilities(state).seen()?;
    // What the list of mechanisms says already would be told twice where it is gone.
    let is_told = |word: &String| {
        let only = std::slice::from_ref(word);
        let is_one = |mechanism: &Mechanism| {
            (mechanism.is_sasl() || protocol == Protocol::Pop3) && offers_mechanism(protocol, *mechanism, only)
        };
        (state != SessionState::BeforeTls || security == Security::Plaintext) && mechanisms.iter().any(is_one)
    };
    let required = words.iter().filter(|word| !is_told(word)).cloned().collect();
    let has = |word: &str| words.iter().any(|known| known == word);
    let mut forbidden: Vec<&str> = Vec::new();
    if state == SessionState::BeforeTls {
        forbidden.extend(INVITE_PASSWORDS.iter().filter(|word| !has(word)));
        forbidden.extend(Some("USER").filter(|word| protocol == Protocol::Pop3 && !has(word)));
    }
    if state != SessionState::AfterLogin {
        forbidden.extend(Some(INVITES_ANYONE).filter(|word| !has(word)));
    }
    let forbidden = forbidden.into_iter().map(str::to_string).collect();
    Some(EndpointExpectations { protocol, security, state, required, forbidden })
}

fn list<'w>(words: impl Iterator<Item = &'w str>) -> String {
    format!("[{}]", words.map(quoted).collect::<Vec<_>>().join(", "))
}

/// A list with each word in its own line, as far as it has any: comments fit there.
fn list_over_lines<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let lines: String = words.map(|word| format!("    {},\n", quoted(word))).collect();
    if lines.is_empty() { "[]".to_string() } else { format!("[\n{lines}]") }
}

/// A basic string of TOML. The words are printable; whatever is not is escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            _ if character.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(protocol: Protocol, security: Security, words: &[&str]) -> ObservedEndpoint {
        let words = Observation::Seen(words.iter().map(ToString::to_string).collect());
        ObservedEndpoint {
            protocol,
            security,
            before_tls: Observation::NotApplicable,
            within_tls: words,
            after_login: Observation::Failed("no account".to_string()),
            oldest_tls: Observation::Seen(TlsVersion::Tls12),
            plaintext_passwords: Observation::NotApplicable,
        }
    }

    fn of(endpoints: Vec<ObservedEndpoint>) -> Expectations {
        Expectations::of(&Observed { endpoints }, None)
    }

    #[test]
    fn what_only_one_endpoint_offers_is_expected_of_that_one() {
        let imap = endpoint(Protocol::Imap, Security::Tls, &["AUTH=PLAIN", "AUTH=CRAM-MD5", "ID"]);
        let pop3 = endpoint(Protocol::Pop3, Security::Tls, &["USER", "APOP", "SASL", "AUTH=PLAIN"]);
        let expected = of(vec![imap, pop3]);
        assert_eq!(expected.mechanisms, [Mechanism::Login, Mechanism::Apop, Mechanism::Plain]);
        let required: Vec<&[String]> = expected.endpoints.iter().map(|one| one.required.as_slice()).collect();
        assert_eq!(required, [&["AUTH=CRAM-MD5".to_string(), "ID".to_string()][..], &["SASL".to_string()]]);
    }

    /// Nothing is expected of a state that was not seen.
    #[test]
    fn what_differs_or_was_not_seen_is_left_out() {
        let imap = endpoint(Protocol::Imap, Security::Tls, &[]);
        let pop3 = ObservedEndpoint {
            oldest_tls: Observation::Seen(TlsVersion::Tls13),
            plaintext_passwords: Observation::Seen(false),
            ..endpoint(Protocol::Pop3, Security::Tls, &[])
        };
        let expected = of(vec![imap.clone(), pop3]);
        assert_eq!((expected.oldest_tls, expected.plaintext_passwords), (None, Some(false)));
        assert!(expected.endpoints.iter().all(|one| one.state == SessionState::WithinTls), "{expected:?}");
        assert_eq!(of(vec![imap.clone(), imap]).oldest_tls, Some(TlsVersion::Tls12));
    }
}
