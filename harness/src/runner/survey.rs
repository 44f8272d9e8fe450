//! What each server says it can do, asked once before the cases, without logging in.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::advice;
use super::connection::{From, OpenError, open};
use super::event::SurveyFacts;
use super::governor::Governor;
use super::place::Place;
use super::plan::Plan;
use super::probe::{
    BrokenTls, SecurityShortfall, UnmetSecurity, advertises_starttls, own_securities, refuses_plaintext, upgrade_notes,
};
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
    /// What protects the logins that ask for nothing, by target and protocol.
    own_security: HashMap<(usize, Protocol), Security>,
    /// Why nothing more is asked of a target at all, by its index.
    shut: HashMap<usize, String>,
}

impl Survey {
    /// Asks every place that the plan uses, all at once. Where a server takes no password without TLS and offers
    /// STARTTLS, logins that ask for no security are given STARTTLS, and that is asked too.
    pub async fn take(plan: &Plan, targets: &[Arc<Target>], deadlines: Deadlines) -> Self {
        let mut survey = Self::default();
        survey.ask_places(plan, targets, deadlines).await;
        if survey.upgrade_to_starttls(targets) {
            survey.ask_places(plan, targets, deadlines).await;
        }
        survey
    }

    /// Asks every place that the plan uses and that has not been asked yet, and what is said before STARTTLS.
    async fn ask_places(&mut self, plan: &Plan, targets: &[Arc<Target>], deadlines: Deadlines) {
        self.places = used_places(plan, targets);
        self.own_security = own_securities(targets);
        let before_tls = self.places.iter().filter(|place| self.is_own_starttls(**place));
        let before_tls: Vec<Place> = before_tls.map(|place| (place.0, place.1, Security::Plaintext)).collect();
        // Whoever gives the survey up gives these up too, and with them the targets.
        let mut asking = JoinSet::new();
        let mut asked: Vec<Place> = Vec::new();
        for place in self.places.iter().copied().chain(before_tls) {
            let is_asked = self.found.contains_key(&place) || asked.contains(&place);
            let Some(target) = targets.get(place.0).map(Arc::clone).filter(|_| !is_asked) else { continue };
            asked.push(place);
            let at = asked.len();
            asking.spawn(async move { (at, place, ask(&target, place.1, place.2, From::default(), deadlines).await) });
        }
        let mut broken_tls: Vec<BrokenTls> = Vec::new();
        let mut found = Vec::new();
        while let Some(joined) = asking.join_next().await {
            // A survey that panics is our own fault, and the panic has been printed; the target is not to blame.
            found.extend(joined);
        }
        found.sort_by_key(|(at, ..)| *at);
        for (_, place, one) in found {
            let Some(target) = targets.get(place.0) else { continue };
            let one = match one {
                Asked::Found(Found::Offers(mut words)) => {
                    words.retain(|word| !target.lacks.contains(word));
                    Found::Offers(words)
                }
                Asked::Found(other) => other,
                Asked::TlsFailed { reason, advice } => {
                    BrokenTls::new(place, reason, advice).add_to(&mut broken_tls);
                    continue;
                }
            };
            self.found.insert(place, one);
        }
        for broken in broken_tls {
            self.give_up_on(broken, targets);
        }
    }

    /// Notes that TLS fails in one way at some places of a target. A server that cannot be proven to be the right one is
    /// told nothing at all, over no connection but those for which plaintext is asked for: nothing is proven there.
    fn give_up_on(&mut self, broken: BrokenTls, targets: &[Arc<Target>]) {
        let Some(target) = targets.get(broken.target) else { return };
        let reason = broken.in_words(target);
        if target.is_abroad() {
            for (place, found) in &mut self.found {
                let needs_proof = place.2 != Security::Plaintext
                    || self.own_security.get(&(place.0, place.1)) != Some(&Security::Plaintext);
                if place.0 == broken.target && needs_proof && !matches!(found, Found::Unreachable(_)) {
                    *found = Found::Unreachable(reason.clone());
                }
            }
        }
        self.found.extend(broken.places.iter().map(|place| (*place, Found::Unreachable(reason.clone()))));
    }

    /// Gives STARTTLS to logins that ask for no security, where someone else's server takes no password without it.
    /// Tells whether that changes anything.
    fn upgrade_to_starttls(&self, targets: &[Arc<Target>]) -> bool {
        let mut is_changed = false;
        for &place in self.found.keys().filter(|place| self.refuses_plaintext(**place)) {
            let Some(target) = targets.get(place.0).filter(|target| target.is_abroad()) else { continue };
            if self.own_security.get(&(place.0, place.1)) == Some(&Security::Plaintext) {
                target.upgrade_to_starttls(place.1);
                is_changed = true;
            }
        }
        is_changed
    }

    /// Whether the server takes no password in plaintext at this place and offers STARTTLS there.
    pub fn refuses_plaintext(&self, place: Place) -> bool {
        let found = self.found.get(&place);
        place.2 == Security::Plaintext
            && matches!(found, Some(Found::Offers(words)) if refuses_plaintext(place.1, words))
    }

    /// Whether logins that ask for no security begin with STARTTLS at this place.
    fn is_own_starttls(&self, place: Place) -> bool {
        place.2 == Security::Starttls && self.own_security.get(&(place.0, place.1)) == Some(&Security::Starttls)
    }

    /// How many places were asked.
    pub fn conversations(&self) -> usize {
        self.found.len()
    }

    /// Where the server does not keep the security that is declared for it.
    pub fn unmet(&self, targets: &[Arc<Target>]) -> Vec<UnmetSecurity> {
        let unmet = |&(index, protocol, security): &Place| {
            let target = targets.get(index)?;
            let before_tls = self.found.get(&(index, protocol, Security::Plaintext));
            let shortfall = match (self.found.get(&(index, protocol, security))?, before_tls) {
                (Found::NotSecured(_), _) => SecurityShortfall::NotOffered,
                (Found::Offers(_), Some(Found::Offers(words)))
                    if !advertises_starttls(protocol, words) && !advertises_starttls(protocol, &target.lacks) =>
                {
                    SecurityShortfall::NotAdvertised
                }
                _ => return None,
            };
            let (endpoint, _) = target.endpoint(protocol, Some(security)).ok()?;
            let (target, address) = (target.name.clone(), endpoint.address.clone());
            Some(UnmetSecurity { target, protocol, address, shortfall })
        };
        self.places.iter().filter(|place| self.is_own_starttls(**place)).filter_map(unmet).collect()
    }

    /// Asks one place of one target.
    pub async fn of_place(target: &Target, place: Place, deadlines: Deadlines) -> Self {
        let found = match ask(target, place.1, place.2, From::default(), deadlines).await {
            Asked::Found(Found::Offers(mut words)) => {
                words.retain(|word| !target.lacks.contains(word));
                Found::Offers(words)
            }
            Asked::Found(other) => other,
            Asked::TlsFailed { reason, advice } => {
                Found::Unreachable(BrokenTls::new(place, reason, advice).in_words(target))
            }
        };
        Self {
            found: HashMap::from([(place, found)]),
            places: vec![place],
            own_security: HashMap::from([((place.0, place.1), place.2)]),
            ..Self::default()
        }
    }

    /// Lets connections come from any loopback address, at each place of somebody else's server on this machine that
    /// makes no difference between them. Some do: Dovecot takes a password in plaintext from its own address only.
    pub async fn spread_sources(&self, governor: &Governor, deadlines: Deadlines) {
        for place in &self.places {
            let (Some(gate), Some(Found::Offers(offers))) = (governor.gates.get(place.0), self.found.get(place)) else {
                continue;
            };
            let is_here =
                gate.target.endpoint_without_secrets(place.1, Some(place.2)).is_ok_and(|(it, _)| it.is_loopback());
            if !gate.target.is_abroad() || !is_here {
                continue;
            }
            let from = From { source: Some(gate.another_source()), certified: None };
            if let Asked::Found(Found::Offers(mut found)) = ask(&gate.target, place.1, place.2, from, deadlines).await {
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

    /// The place for logins of the program's own over that protocol: one that can be asked and is secured as logins are
    /// that ask for nothing, or else by TLS. Passwords travel in plaintext only where that is what the target declares.
    pub fn place_for(&self, target: usize, protocol: Protocol) -> Option<Place> {
        let is_usable = |place: &&Place| matches!(self.found.get(place), Some(Found::Offers(_) | Found::Unknown(_)));
        let of_target = self.places.iter().filter(|place| (place.0, place.1) == (target, protocol));
        let mut usable = of_target.filter(is_usable).copied().filter(|_| !self.shut.contains_key(&target));
        let own = usable.clone().find(|place| self.own_security.get(&(target, protocol)) == Some(&place.2));
        own.or_else(|| usable.find(|place| place.2 != Security::Plaintext))
    }

    /// The place for a login of the program's own that is best made at this place: this one if it may be, else another.
    pub fn place_for_login_near(&self, place: Place) -> Option<Place> {
        let may_log_in =
            place.2 != Security::Plaintext || self.own_security.get(&(place.0, place.1)) == Some(&Security::Plaintext);
        if may_log_in && self.unreachable(place).is_none() {
            return Some(place);
        }
        self.place_for(place.0, place.1)
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

    /// The capabilities at a place, with spaces between them; `None` if the server does not say what it offers.
    pub fn capabilities(&self, place: Place) -> Option<Arc<[u8]>> {
        match self.found.get(&place) {
            Some(Found::Offers(words)) if !words.is_empty() => Some(words.join(" ").into_bytes().into()),
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
            let (endpoint, _) = target.endpoint_without_secrets(protocol, Some(security)).ok()?;
            let found = self.found.get(&(index, protocol, security))?;
            let unreachable = match found {
                Found::Unreachable(reason) => Some(reason.clone()),
                _ => None,
            };
            let (offers, trouble) = match found {
                Found::Offers(words) => (words.clone(), None),
                Found::NotSecured(what) => (Vec::new(), Some(format!("does not offer {what}"))),
                Found::Unknown(reason) => (Vec::new(), Some(reason.clone())),
                // The summary says why, once for all places.
                Found::Unreachable(_) => (Vec::new(), Some("unreachable".to_string())),
            };
            let (target, address) = (target.name.clone(), endpoint.address.clone());
            Some(SurveyFacts { target, protocol, address, security, offers, trouble, unreachable })
        };
        self.places.iter().filter_map(facts).collect()
    }

    /// Servers that greet and do not say what they can do, and those whose logins were given STARTTLS.
    pub fn warnings(&self, targets: &[Arc<Target>]) -> Vec<String> {
        let warning = |place: &Place| match (self.found.get(place)?, targets.get(place.0)?) {
            (Found::Unknown(reason), target) => {
                Some(format!("{} does not say what it offers over {} ({}): {reason}", target.name, place.1, place.2))
            }
            _ => None,
        };
        self.places.iter().filter_map(warning).chain(upgrade_notes(targets, &self.places)).collect()
    }
}

/// What became of asking one place.
enum Asked {
    Found(Found),
    /// The server is there, and TLS fails.
    TlsFailed {
        reason: String,
        advice: String,
    },
}

/// The places that the plan's cases are put to, each once, in the order in which they come.
fn used_places(plan: &Plan, targets: &[Arc<Target>]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for planned in plan.list.iter().chain(&plan.expectations) {
        let (Some(case), Some(target)) = (planned.case(), targets.get(planned.target)) else { continue };
        if let Ok((_, security)) = target.endpoint_of(case) {
            let place = (planned.target, case.protocol, security);
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// Asks one place what it offers. Nothing secret is sent, so it may be in plaintext.
async fn ask(target: &Target, protocol: Protocol, security: Security, from: From<'_>, deadlines: Deadlines) -> Asked {
    let (endpoint, _) = match target.endpoint_without_secrets(protocol, Some(security)) {
        Ok(found) => found,
        Err(reason) => return Asked::Found(Found::NotSecured(reason.to_string())),
    };
    let tls_failed = |reason: String| {
        let advice = advice::on_tls(endpoint, &reason);
        Asked::TlsFailed { reason, advice }
    };
    let connection = match open(target, endpoint, security, from, deadlines).await {
        Ok(connection) => connection,
        Err(OpenError::NotThere(reason)) => return Asked::Found(Found::Unreachable(reason)),
        Err(OpenError::Tls(reason)) => return tls_failed(reason),
    };
    match connection.converse(Session::survey(protocol, security), deadlines).await.outcome {
        Outcome::TlsFailed(reason) => tls_failed(reason),
        outcome => Asked::Found(match unreachable(endpoint, &outcome) {
            Some(reason) => Found::Unreachable(reason),
            None => found(outcome),
        }),
    }
}

fn found(outcome: Outcome) -> Found {
    match outcome {
        // The words are printable ASCII: the machine has left out what is not.
        Outcome::Surveyed(words) => {
            Found::Offers(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
        }
        Outcome::NotOffered(what) => Found::NotSecured(what.to_string()),
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
