//! Compares what was observed of a server with what its target file expects: one case report for each fact.

use std::sync::Arc;
use std::time::Duration;

use crate::axes::Protocol;
use crate::runner::event::{Blame, CaseReport};
use crate::runner::governor::Governor;
use crate::runner::harm::Harm;
use crate::runner::plan::Planned;
use crate::runner::probe::observe;
use crate::runner::settle::blank;
use crate::runner::survey::Survey;
use crate::scenario::{Judgement, Verdict};
use crate::target::{
    Check, ExpectedFact, Observation, Observed, ObservedEndpoint, SessionState, Target, offers_mechanism, version_word,
};

/// The outcome of a comparison with what the target file expects.
pub const OBSERVED: &str = "observed";

/// What was observed of each target that was looked at, by its index.
#[derive(Debug, Default)]
pub(in crate::runner) struct Observations(Vec<(usize, Observed)>);

impl Observations {
    /// Observes the targets with these indices.
    pub async fn make(targets: impl IntoIterator<Item = usize>, governor: &Arc<Governor>, survey: &Survey) -> Self {
        let mut observations = Vec::new();
        for target in targets {
            observations.push((target, observe(governor, target, survey).await));
        }
        Self(observations)
    }

    /// What was observed, with the names of the targets.
    pub fn named(&self, targets: &[Arc<Target>]) -> Vec<(String, Observed)> {
        let named = |(index, observed): &(usize, Observed)| Some((targets.get(*index)?.name.clone(), observed.clone()));
        self.0.iter().filter_map(named).collect()
    }

    /// The reports on the planned comparisons.
    pub fn compare(&self, planned: &[Planned], targets: &[Arc<Target>]) -> Vec<CaseReport> {
        planned.iter().filter_map(|planned| self.compare_one(planned, targets)).collect()
    }

    fn compare_one(&self, planned: &Planned, targets: &[Arc<Target>]) -> Option<CaseReport> {
        let target = targets.get(planned.target)?;
        let (case, check) = (planned.case()?, target.expect.checks.get(planned.case)?);
        let observed = self.0.iter().find(|(index, _)| *index == planned.target).map(|(_, observed)| observed)?;
        let endpoint = observed.endpoint(check.protocol, check.security);
        let missing = || Judgement::new(Verdict::Error, "the target has no such endpoint");
        let judgement = endpoint.map_or_else(missing, |endpoint| judge(check, endpoint));
        let is_exposed = judgement.verdict == Verdict::Fail && exposes_passwords(check);
        // What is behind STARTTLS cannot be seen where there is none: all of that is one cause.
        let needs = endpoint.and_then(|endpoint| not_offered(check, endpoint));
        Some(CaseReport {
            expected: needs.map_or_else(|| check.expected(), |what| format!("{what} is offered")),
            outcome: (judgement.verdict != Verdict::Error).then_some(OBSERVED),
            blame: match judgement.verdict {
                Verdict::Pass => None,
                Verdict::Error => Some(Blame::Network),
                _ => Some(Blame::Server),
            },
            verdict: judgement.verdict,
            reason: judgement.reason,
            took: Duration::ZERO,
            combinations: 1,
            harm: is_exposed.then_some(Harm::PlaintextPassword),
            ..blank(planned, case, target)
        })
    }
}

/// What the server does not offer although it leads to the state that a check is about.
fn not_offered<'o>(check: &Check, endpoint: &'o ObservedEndpoint) -> Option<&'o str> {
    let of_capabilities = match &check.fact {
        ExpectedFact::Mechanism(_) => endpoint.login_capabilities(),
        ExpectedFact::Capability { state, .. } => endpoint.capabilities(*state),
        ExpectedFact::PlaintextPasswords(_) => return endpoint.plaintext_passwords.not_offered(),
        ExpectedFact::OldestTls(_) => return endpoint.oldest_tls.not_offered(),
    };
    of_capabilities.not_offered()
}

/// Judges one fact by what was observed of its endpoint.
fn judge(check: &Check, endpoint: &ObservedEndpoint) -> Judgement {
    let protocol = check.protocol;
    match &check.fact {
        ExpectedFact::Mechanism(mechanism) => by_observation(endpoint.login_capabilities(), |words| {
            let is_offered = offers_mechanism(protocol, *mechanism, words);
            (!is_offered).then(|| format!("{mechanism} is not offered; the server offers {}", listed(words)))
        }),
        ExpectedFact::Capability { state, word, is_required } => {
            by_observation(endpoint.capabilities(*state), |words| {
                let is_offered = words.contains(word);
                let not = if is_offered { "" } else { "not " };
                (is_offered != *is_required)
                    .then(|| format!("{word} is {not}offered {}; the server offers {}", state.phrase(), listed(words)))
            })
        }
        ExpectedFact::PlaintextPasswords(is_expected) => by_observation(&endpoint.plaintext_passwords, |is_allowed| {
            (is_allowed != is_expected).then(|| match is_allowed {
                true => format!("the server takes passwords without TLS over {protocol}"),
                false => format!("the server takes no password without TLS over {protocol}"),
            })
        }),
        ExpectedFact::OldestTls(expected) => by_observation(&endpoint.oldest_tls, |oldest| {
            (oldest != expected).then(|| match oldest < expected {
                true => format!("the server accepts TLS {} as well", version_word(*oldest)),
                false => format!("the server accepts nothing older than TLS {}", version_word(*oldest)),
            })
        }),
    }
}

/// A pass, or a failure with the difference. What could not be observed is an error, unless the server does not offer what
/// leads there.
fn by_observation<T>(observation: &Observation<T>, difference: impl Fn(&T) -> Option<String>) -> Judgement {
    match observation {
        Observation::Seen(fact) => match difference(fact) {
            Some(difference) => Judgement::new(Verdict::Fail, difference),
            None => Judgement::pass(),
        },
        Observation::NotOffered(what) => Judgement::new(Verdict::Fail, format!("the server does not offer {what}")),
        Observation::NotApplicable => Judgement::new(Verdict::Error, "the endpoint has no such state"),
        Observation::Failed(reason) => {
            Judgement::new(Verdict::Error, format!("what the server shows could not be observed: {reason}"))
        }
    }
}

/// Whether a difference in this fact lets passwords travel without TLS, or makes clients send them so.
fn exposes_passwords(check: &Check) -> bool {
    match &check.fact {
        ExpectedFact::PlaintextPasswords(is_expected) => !is_expected,
        ExpectedFact::Capability { state: SessionState::BeforeTls, word, is_required } => {
            let keeps_them = ["STARTTLS", "STLS", "LOGINDISABLED"].contains(&word.as_str());
            let invites_them = ["AUTH=PLAIN", "AUTH=LOGIN"].contains(&word.as_str())
                || (check.protocol == Protocol::Pop3 && word == "USER");
            (*is_required && keeps_them) || (!is_required && invites_them)
        }
        ExpectedFact::Capability { .. } | ExpectedFact::Mechanism(_) | ExpectedFact::OldestTls(_) => false,
    }
}

fn listed(words: &[String]) -> String {
    if words.is_empty() { "nothing".to_string() } else { words.join(" ") }
}
