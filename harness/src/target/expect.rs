//! The `[expect]` table of a target file: facts about the server that are compared with what is observed, each as a case
//! of its own, and the skip baseline.

use std::ops::Range;
use std::sync::Arc;

use super::Endpoint;
use super::expectations::fits_endpoint;
use super::observed::SessionState;
use super::tls::{VERSIONS, tls_version, version_word};
use crate::axes::{Mechanism, Protocol, Security};
use crate::scenario::{Action, Case, Expectation, Level, Scenario, SkipCode};
use crate::source::{Field, Kind, Mistake, SourceText, Table, Text};
use crate::transport::TlsVersion;

/// The id of the scenario whose cases compare the server with the target file.
pub const EXPECT_SCENARIO: &str = "expect";

/// What each case cites before the clause.
const TARGET_FILE: &str = "target file [expect]";

/// What the table may hold.
pub(super) const EXPECT_FIELDS: &[Field] = &[
    Field::new(
        "observed",
        Kind::Flag,
        "Whether loginspec wrote this table from what the server showed, so that `run --accept` may write it anew.",
    ),
    Field::new(
        "mechanisms",
        Kind::Words(Mechanism::WORDS),
        "Mechanisms that every endpoint must offer, once TLS stands where the endpoint has it.",
    ),
    Field::new("plaintext-passwords", Kind::Flag, "Whether the server takes passwords without TLS."),
    Field::new(
        "oldest-tls",
        Kind::Word(VERSIONS),
        "The oldest version of TLS that the server accepts, of those that loginspec speaks.",
    ),
    Field::new("skips", Kind::Texts, "The codes of the skips that are known: any other skip is a failure."),
    Field::new("endpoint", Kind::Tables(ENDPOINT_FIELDS), "What one endpoint offers in one state."),
];

const ENDPOINT_FIELDS: &[Field] = &[
    Field::new("protocol", Kind::Word(Protocol::WORDS), "The protocol."),
    Field::new("security", Kind::Word(Security::WORDS), "The security that the target file declares for the endpoint."),
    Field::new("state", Kind::Word(SessionState::WORDS), "When the server is asked what it can do."),
    Field::new("required", Kind::Texts, "Capabilities that must be offered: STARTTLS, AUTH=PLAIN."),
    Field::new("forbidden", Kind::Texts, "Capabilities that must not be offered."),
];

/// A fact about a server that a target file expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedFact {
    /// The endpoint offers this mechanism.
    Mechanism(Mechanism),
    /// The endpoint offers this capability in this state, or does not.
    Capability {
        /// The state.
        state: SessionState,
        /// The capability, in upper case.
        word: String,
        /// Whether it must be offered; otherwise it must not.
        is_required: bool,
    },
    /// Whether the server takes passwords without TLS.
    PlaintextPasswords(bool),
    /// The oldest version of TLS that the server accepts.
    OldestTls(TlsVersion),
}

/// A fact, and the endpoint that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The protocol.
    pub protocol: Protocol,
    /// The endpoint's security.
    pub security: Security,
    /// The fact.
    pub fact: ExpectedFact,
}

/// What a target file expects of its server.
#[derive(Debug, Clone, Default)]
pub struct TargetExpectations {
    /// The cases that compare it with what is observed; nothing where no fact is expected.
    pub scenario: Option<Arc<Scenario>>,
    /// What each case compares, in the order of the scenario's cases.
    pub checks: Vec<Check>,
    /// The skip baseline: the codes of the skips that are known. Nothing where there is no baseline.
    pub skips: Option<Vec<SkipCode>>,
    /// Whether loginspec wrote the table from what the server showed.
    pub is_observed: bool,
}

/// What the table says, before the file's text is at hand.
#[derive(Debug, Default)]
pub(super) struct Draft {
    cases: Vec<(Check, Range<usize>)>,
    skips: Option<Vec<SkipCode>>,
    is_observed: bool,
}

impl Draft {
    /// With the file, so that a difference is shown where the expectation stands.
    pub fn with_source(self, source: &Arc<SourceText>) -> TargetExpectations {
        let (skips, is_observed) = (self.skips, self.is_observed);
        let cases: Vec<Case> =
            self.cases.iter().enumerate().map(|(group, (check, span))| case(group, check, span)).collect();
        let scenario = Scenario {
            id: EXPECT_SCENARIO.to_string(),
            title: "The server is as its target file expects".to_string(),
            about: String::new(),
            dialects: None,
            once: false,
            source: Arc::clone(source),
            cases,
        };
        let scenario = (!scenario.cases.is_empty()).then(|| Arc::new(scenario));
        let checks = self.cases.into_iter().map(|(check, _)| check).collect();
        TargetExpectations { scenario, checks, skips, is_observed }
    }
}

/// Reads the table; `endpoints` are those of the target.
pub(super) fn read_expect(table: &Table<'_>, endpoints: &[Endpoint]) -> Draft {
    let mut cases = Vec::new();
    for (mechanism, span) in mechanisms(table) {
        let fitting =
            endpoints.iter().filter(|endpoint| fits_endpoint(endpoint.protocol, endpoint.security, mechanism));
        cases.extend(fitting.map(|endpoint| (check(endpoint, ExpectedFact::Mechanism(mechanism)), span.clone())));
    }
    for inner in table.tables("endpoint") {
        cases.extend(capabilities(&inner, endpoints));
    }
    if let Some(is_allowed) = table.flag("plaintext-passwords") {
        let plaintext = endpoints.iter().filter(|endpoint| SessionState::BeforeTls.fits(endpoint.security));
        let span = table.span_of("plaintext-passwords");
        let fact = ExpectedFact::PlaintextPasswords(is_allowed);
        cases.extend(plaintext.map(|endpoint| (check(endpoint, fact.clone()), span.clone())));
    }
    if let Some(version) = table.word("oldest-tls", tls_version) {
        let within_tls = endpoints.iter().filter(|endpoint| SessionState::WithinTls.fits(endpoint.security));
        let span = table.span_of("oldest-tls");
        cases.extend(within_tls.map(|endpoint| (check(endpoint, ExpectedFact::OldestTls(version)), span.clone())));
    }
    Draft { cases, skips: skips(table), is_observed: table.flag("observed").unwrap_or(false) }
}

const fn check(endpoint: &Endpoint, fact: ExpectedFact) -> Check {
    Check { protocol: endpoint.protocol, security: endpoint.security, fact }
}

fn mechanisms(table: &Table<'_>) -> Vec<(Mechanism, Range<usize>)> {
    let mut found: Vec<(Mechanism, Range<usize>)> = Vec::new();
    for text in table.texts("mechanisms").map(|list| list.texts).unwrap_or_default() {
        match Mechanism::from_word(&text.value) {
            Some(mechanism) if found.iter().any(|(known, _)| *known == mechanism) => said_twice(table, &text),
            Some(mechanism) => found.push((mechanism, text.span)),
            None => table.unknown(&text.value, text.span, "mechanism", Mechanism::WORDS),
        }
    }
    found
}

fn skips(table: &Table<'_>) -> Option<Vec<SkipCode>> {
    let list = table.texts("skips")?;
    let mut codes = Vec::new();
    for text in list.texts {
        match SkipCode::parse(&text.value) {
            Some(code) => codes.push(code),
            None => {
                let kind = text.value.split(':').next().unwrap_or_default();
                table.unknown(kind, text.span, "kind of skip", &SkipCode::KINDS);
            }
        }
    }
    Some(codes)
}

/// The capabilities of one `[[expect.endpoint]]`.
fn capabilities(table: &Table<'_>, endpoints: &[Endpoint]) -> Vec<(Check, Range<usize>)> {
    for name in ["protocol", "security", "state"] {
        if !table.has(name) {
            table.mistake(Mistake::new(table.span(), format!("missing field `{name}`"), "it belongs here"));
        }
    }
    let protocol = table.word("protocol", Protocol::from_word);
    let security = table.word("security", Security::from_word);
    let state = table.word("state", SessionState::from_word);
    let (Some(protocol), Some(security), Some(state)) = (protocol, security, state) else { return Vec::new() };
    if !state.fits(security) {
        let reason = format!("an endpoint with security = \"{security}\" has no state `{}`", state.word());
        table.mistake(Mistake::new(table.span_of("state"), reason, "no such state there"));
        return Vec::new();
    }
    let is_there = endpoints.iter().any(|endpoint| (endpoint.protocol, endpoint.security) == (protocol, security));
    if !is_there {
        let name = if security == Security::Tls { format!("{protocol}s") } else { protocol.to_string() };
        let reason = format!("the target has no {protocol} endpoint with security = \"{security}\"");
        table.mistake(
            Mistake::new(table.span_of("security"), reason, "no such endpoint")
                .with_help(format!("say where it is under [{name}], or take this table out")),
        );
        return Vec::new();
    }
    let mut checks = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for (field, is_required) in [("required", true), ("forbidden", false)] {
        for text in table.texts(field).map(|list| list.texts).unwrap_or_default() {
            let word = text.value.to_ascii_uppercase();
            if word.is_empty() || !word.bytes().all(|octet| octet.is_ascii_graphic()) {
                let reason = format!("`{}` is no capability", text.value.escape_debug());
                table.mistake(Mistake::new(text.span, reason, "one word, such as AUTH=PLAIN"));
            } else if words.contains(&word) {
                said_twice(table, &text);
            } else {
                words.push(word.clone());
                let fact = ExpectedFact::Capability { state, word, is_required };
                checks.push((Check { protocol, security, fact }, text.span));
            }
        }
    }
    checks
}

fn said_twice(table: &Table<'_>, text: &Text) {
    table.mistake(Mistake::new(text.span.clone(), format!("`{}` stands here twice", text.value), "said before"));
}

/// The case that compares one fact.
fn case(group: usize, check: &Check, span: &Range<usize>) -> Case {
    Case {
        id: check.id(),
        group,
        about: String::new(),
        form: None,
        cites: vec![TARGET_FILE.to_string(), check.clause().to_string()],
        level: Level::Must,
        dialects: None,
        protocol: check.protocol,
        mechanism: None,
        encoding: None,
        security: Some(check.security),
        fault: None,
        each: None,
        needs: Vec::new(),
        lacks: Vec::new(),
        role: String::new(),
        // Nothing is asked for such a case: what was observed is compared.
        action: Action::Dialogue(Arc::new(Vec::new())),
        against: None,
        expectation: Expectation::Safe,
        code: None,
        span: span.clone(),
    }
}

impl Check {
    /// The id of the case.
    fn id(&self) -> String {
        let Self { protocol, security, fact } = self;
        let of = EXPECT_SCENARIO;
        match fact {
            ExpectedFact::Mechanism(mechanism) => format!("{of}/mechanisms/{mechanism}[{protocol},{security}]"),
            ExpectedFact::Capability { state, word, is_required } => {
                let not = if *is_required { "" } else { "!" };
                format!("{of}/capabilities/{protocol}-{security}-{}[{not}{word}]", state.word())
            }
            ExpectedFact::PlaintextPasswords(_) => format!("{of}/plaintext-passwords[{protocol}]"),
            ExpectedFact::OldestTls(_) => format!("{of}/oldest-tls[{protocol},{security}]"),
        }
    }

    /// What is expected, in words.
    pub fn expected(&self) -> String {
        match &self.fact {
            ExpectedFact::Mechanism(mechanism) => format!("{mechanism} is offered over {}", self.security),
            ExpectedFact::Capability { state, word, is_required: true } => format!("{word} {}", state.phrase()),
            ExpectedFact::Capability { state, word, is_required: false } => format!("no {word} {}", state.phrase()),
            ExpectedFact::PlaintextPasswords(true) => "passwords are taken without TLS".to_string(),
            ExpectedFact::PlaintextPasswords(false) => "no password is taken without TLS".to_string(),
            ExpectedFact::OldestTls(version) => {
                format!("TLS {} is the oldest version that is accepted", version_word(*version))
            }
        }
    }

    /// The clause that the fact falls under.
    fn clause(&self) -> &'static str {
        let is_imap = self.protocol == Protocol::Imap;
        match &self.fact {
            ExpectedFact::Mechanism(Mechanism::Apop) => "RFC 1939 §7",
            ExpectedFact::Mechanism(mechanism) if mechanism.is_sasl() => of_sasl(is_imap),
            ExpectedFact::Mechanism(_) if is_imap => "RFC 9051 §6.2.3",
            ExpectedFact::Mechanism(_) => "RFC 2449 §6.2",
            ExpectedFact::Capability { word, .. } => match word.as_str() {
                "STARTTLS" => "RFC 9051 §6.2.1",
                "STLS" => "RFC 2595 §4",
                "LOGINDISABLED" => "RFC 9051 §6.2.3",
                "USER" => "RFC 2449 §6.2",
                "APOP" => "RFC 1939 §7",
                word if word.starts_with("AUTH=") => of_sasl(is_imap),
                _ if is_imap => "RFC 9051 §7.2.2",
                _ => "RFC 2449 §5",
            },
            ExpectedFact::PlaintextPasswords(_) if is_imap => "RFC 9051 §6.2.3",
            ExpectedFact::PlaintextPasswords(_) => "RFC 5034 §4",
            ExpectedFact::OldestTls(_) => "RFC 8314 §4.1",
        }
    }
}

/// Where the mechanisms are listed.
const fn of_sasl(is_imap: bool) -> &'static str {
    if is_imap { "RFC 9051 §6.2.2" } else { "RFC 5034 §3" }
}
