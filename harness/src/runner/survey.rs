//! What each server says it can do, asked once before the cases, without logging in.

use std::collections::HashMap;
use std::sync::Arc;

use super::advice;
use super::connection::{From, OpenError, open};
use super::event::SurveyFacts;
use super::governor::Governor;
use super::place::Place;
use super::plan::Plan;
use crate::axes::{Protocol, Security};
use crate::protocol::{Outcome, Session, Stage};
use crate::scenario::{Case, SkipReason, describe};
use crate::target::{Endpoint, Target};
use crate::transport::Deadlines;

/// What a survey of one place came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// The server said what it can do: words in upper case.
    Offers(Vec<String>),
    /// It does not secure the connection in this way.
    NotSecured(String),
    /// It greets, but does not say what it can do.
    Unknown(String),
    /// Nobody answers there, or TLS fails.
    Unreachable(String),
}

/// What every place that a plan uses is known to offer.
#[derive(Debug, Default)]
pub(super) struct Survey {
    found: HashMap<Place, Found>,
    /// The places in the plan's order.
    places: Vec<Place>,
    /// Why nothing more is asked of a target at all, by its index.
    shut: HashMap<usize, String>,
}

impl Survey {
    /// Asks every place that the plan uses, all at once.
    pub async fn take(plan: &Plan, targets: &[Arc<Target>], deadlines: Deadlines) -> Self {
        let places = used_places(plan, targets);
        let mut asking = Vec::new();
        for &(index, protocol, security) in &places {
            let Some(target) = targets.get(index).map(Arc::clone) else { continue };
            let task = tokio::spawn(async move { ask(&target, protocol, security, From::default(), deadlines).await });
            asking.push(((index, protocol, security), task));
        }
        let mut found = HashMap::new();
        let mut broken_tls: HashMap<usize, String> = HashMap::new();
        for (place, task) in asking {
            // A survey that panics is our own fault, and the panic has been printed; the target is not to blame.
            let Ok((mut one, is_tls)) = task.await else { continue };
            if let (Found::Offers(words), Some(target)) = (&mut one, targets.get(place.0)) {
                words.retain(|word| !target.lacks.contains(word));
            }
            let is_abroad = targets.get(place.0).is_some_and(|target| target.is_abroad());
            if let (Found::Unreachable(reason), true) = (&one, is_tls && is_abroad) {
                broken_tls.entry(place.0).or_insert_with(|| reason.clone());
            }
            found.insert(place, one);
        }
        // Whoever cannot be proven to be the server is told nothing at all, over no connection.
        for (place, one) in &mut found {
            if let Some(reason) = broken_tls.get(&place.0)
                && !matches!(one, Found::Unreachable(_))
            {
                *one = Found::Unreachable(reason.clone());
            }
        }
        Self { found, places, shut: HashMap::new() }
    }

    /// Asks one place of one target.
    pub async fn of_place(target: &Target, place: Place, deadlines: Deadlines) -> Self {
        let (mut found, _) = ask(target, place.1, place.2, From::default(), deadlines).await;
        if let Found::Offers(words) = &mut found {
            words.retain(|word| !target.lacks.contains(word));
        }
        Self { found: HashMap::from([(place, found)]), places: vec![place], ..Self::default() }
    }

    /// Lets connections come from any loopback address, at each place of somebody else's server on this machine that
    /// makes no difference between them. Some do: Dovecot takes a password in plaintext from its own address only.
    pub async fn spread_sources(&self, governor: &Governor, deadlines: Deadlines) {
        for place in &self.places {
            let (Some(gate), Some(Found::Offers(offers))) = (governor.gates.get(place.0), self.found.get(place)) else {
                continue;
            };
            let is_here =
                gate.target.endpoint(place.1, Some(place.2)).is_ok_and(|(endpoint, _)| endpoint.is_loopback());
            if !gate.target.is_abroad() || !is_here {
                continue;
            }
            let from = From { source: Some(gate.another_source()), certified: None };
            if let (Found::Offers(mut found), _) = ask(&gate.target, place.1, place.2, from, deadlines).await {
                found.retain(|word| !gate.target.lacks.contains(word));
                if found == *offers {
                    gate.spread(*place);
                }
            }
        }
    }

    /// The places that were surveyed.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Why nothing can be asked at a place.
    pub fn unreachable(&self, place: Place) -> Option<&str> {
        match self.found.get(&place) {
            Some(Found::Unreachable(reason)) => Some(reason),
            _ => self.shut.get(&place.0).map(String::as_str),
        }
    }

    /// Notes that nothing more is to be asked of a target.
    pub fn shut(&mut self, target: usize, reason: String) {
        self.shut.insert(target, reason);
    }

    /// What a place does not offer that would secure the connection.
    pub fn not_secured(&self, place: Place) -> Option<&str> {
        match self.found.get(&place) {
            Some(Found::NotSecured(what)) => Some(what),
            _ => None,
        }
    }

    /// Notes that a place has turned out not to be there.
    pub fn set_unreachable(&mut self, place: Place, reason: String) {
        self.found.insert(place, Found::Unreachable(reason));
    }

    /// The place at which a target's sanity login is best tried: the first over that protocol that can be asked.
    pub fn place_for(&self, target: usize, protocol: Protocol) -> Option<Place> {
        let is_usable = |place: &&Place| matches!(self.found.get(place), Some(Found::Offers(_) | Found::Unknown(_)));
        let of_target = self.places.iter().filter(|place| (place.0, place.1) == (target, protocol));
        of_target.filter(is_usable).copied().next().filter(|_| !self.shut.contains_key(&target))
    }

    /// Whether a server says that it can do this; nothing where it does not say what it can do.
    pub fn offers(&self, place: Place, word: &str) -> Option<bool> {
        match self.found.get(&place) {
            Some(Found::Offers(words)) if !words.is_empty() => {
                Some(words.iter().any(|known| known.eq_ignore_ascii_case(word)))
            }
            _ => None,
        }
    }

    /// Why a case makes no sense at this place.
    pub fn reason_to_skip(&self, case: &Case, place: Place) -> Option<SkipReason> {
        let security = place.2;
        let words = match self.found.get(&place)? {
            Found::Unreachable(_) => return None,
            Found::NotSecured(what) => return Some(SkipReason::NotOffered { capability: what.clone(), over: None }),
            Found::Unknown(_) if case.needs.is_empty() && case.lacks.is_empty() => return None,
            Found::Unknown(reason) => return Some(SkipReason::CapabilitiesUnknown { reason: reason.clone() }),
            Found::Offers(words) => words,
        };
        let holds = |wanted: &&String| words.iter().any(|known| known.eq_ignore_ascii_case(wanted));
        if let Some(missing) = case.needs.iter().find(|wanted| !holds(wanted)) {
            return Some(SkipReason::NotOffered { capability: missing.clone(), over: Some(security) });
        }
        let unwanted = case.lacks.iter().find(holds)?;
        Some(SkipReason::IsOffered { capability: unwanted.clone(), over: security })
    }

    /// What reports are told.
    pub fn facts(&self, targets: &[Arc<Target>]) -> Vec<SurveyFacts> {
        let facts = |&(index, protocol, security): &Place| {
            let target = targets.get(index)?;
            let (endpoint, _) = target.endpoint(protocol, Some(security)).ok()?;
            let (offers, trouble) = match self.found.get(&(index, protocol, security))? {
                Found::Offers(words) => (words.clone(), None),
                Found::NotSecured(what) => (Vec::new(), Some(format!("does not offer {what}"))),
                Found::Unknown(reason) | Found::Unreachable(reason) => (Vec::new(), Some(reason.clone())),
            };
            let (target, address) = (target.name.clone(), endpoint.address.clone());
            Some(SurveyFacts { target, protocol, address, security, offers, trouble })
        };
        self.places.iter().filter_map(facts).collect()
    }

    /// Servers that greet and do not say what they can do.
    pub fn warnings(&self, targets: &[Arc<Target>]) -> Vec<String> {
        let warning = |place: &Place| match (self.found.get(place)?, targets.get(place.0)?) {
            (Found::Unknown(reason), target) => {
                Some(format!("{} does not say what it offers over {} ({}): {reason}", target.name, place.1, place.2))
            }
            _ => None,
        };
        self.places.iter().filter_map(warning).collect()
    }
}

/// The places that the plan's cases are put to, each once, in the order in which they come.
fn used_places(plan: &Plan, targets: &[Arc<Target>]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for planned in plan.list.iter().chain(&plan.expectations) {
        let (Some(case), Some(target)) = (planned.case(), targets.get(planned.target)) else { continue };
        if let Ok((_, security)) = target.endpoint_for(case.protocol, case.mechanism, case.security) {
            let place = (planned.target, case.protocol, security);
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// Asks one place; tells too whether it is TLS that failed.
async fn ask(
    target: &Target,
    protocol: Protocol,
    security: Security,
    from: From<'_>,
    deadlines: Deadlines,
) -> (Found, bool) {
    let (endpoint, _) = match target.endpoint(protocol, Some(security)) {
        Ok(found) => found,
        Err(reason) => return (Found::NotSecured(reason.to_string()), false),
    };
    let connection = match open(target, endpoint, security, from, deadlines).await {
        Ok(connection) => connection,
        Err(OpenError::NotThere(reason)) => return (Found::Unreachable(reason), false),
        Err(OpenError::Tls(reason)) => return (Found::Unreachable(tls_failure(endpoint, &reason)), true),
    };
    let outcome = connection.converse(Session::survey(protocol, security), deadlines).await.outcome;
    match unreachable(endpoint, &outcome) {
        Some(reason) => (Found::Unreachable(reason), matches!(outcome, Outcome::TlsFailed(_))),
        None => (found(outcome), false),
    }
}

fn found(outcome: Outcome) -> Found {
    match outcome {
        // The words are printable ASCII: the machine has left out what is not.
        Outcome::Surveyed(words) => {
            Found::Offers(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
        }
        Outcome::NotOffered(what) => Found::NotSecured(what),
        other => Found::Unknown(describe(&other)),
    }
}

/// Why a conversation says that nobody is there to talk to.
pub(super) fn unreachable(endpoint: &Endpoint, outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::TlsFailed(reason) => Some(tls_failure(endpoint, reason)),
        Outcome::NoAnswer(Stage::Greeting)
        | Outcome::Closed { stage: Stage::Greeting, .. }
        | Outcome::Garbled { stage: Stage::Greeting, .. } => Some(format!(
            "{} ({}) does not greet: {}\n  {}",
            endpoint.address,
            endpoint.protocol,
            describe(outcome),
            advice::on_greeting(endpoint, outcome)
        )),
        _ => None,
    }
}

/// What went wrong with TLS, and how to go on.
fn tls_failure(endpoint: &Endpoint, reason: &str) -> String {
    let advice = advice::on_tls(endpoint, reason);
    format!("{} ({}): TLS failed: {reason}\n  {advice}", endpoint.address, endpoint.protocol)
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
