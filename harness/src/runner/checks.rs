//! The logins that must work, on every endpoint, and the fingerprints of mailboxes without a canary.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::connection::From;
use super::event::{Sanity, Summary};
use super::governor::Governor;
use super::place::Place;
use super::plan::Plan;
use super::probe::{RefusedLogin, redactor};
use super::sanity::{SanityResult, check, good_login, mechanism, offers};
use super::survey::Survey;
use crate::axes::Protocol;
use crate::panic::catch_panic;
use crate::scenario::KnownPrint;
use crate::target::Target;

/// The fingerprints of mailboxes that no canary names, by target and protocol.
pub(super) type Prints = HashMap<(usize, Protocol), Vec<KnownPrint>>;

/// How long a server may take to let go of a mailbox after a session (RFC 1939 §6).
const LETS_GO_WITHIN: Duration = Duration::from_millis(500);

/// What a login without a canary is taken for, and on what grounds.
const NO_CANARY: &str = "no canary in the mailbox: an accepted login is taken for the right mailbox by its UIDVALIDITY \
                         (IMAP) or its first UIDL or STAT (POP3); `loginspec seed` delivers canaries";

/// Tries the login that must work on one protocol of each target, and on the others once that one has worked: a wrong
/// password costs the account one refused login. What it finds of places that are not there goes into the survey.
pub(super) async fn check_first(
    plan: &Plan,
    governor: &Arc<Governor>,
    survey: &mut Survey,
    summary: &mut Summary,
) -> Prints {
    for place in survey.places().to_vec() {
        if let Some(reason) = survey.unreachable(place).map(str::to_string) {
            note_unreachable(summary, reason);
        }
    }
    let mut prints = Prints::new();
    let mut unnamed: Vec<(usize, String)> = Vec::new();
    let (first, others) = by_turn(&login_places(survey));
    let mut results = check_all(governor, survey, &first, &Prints::new(), summary).await;
    results.retain(|(place, target, result)| !stops(survey, *place, target, result, summary));
    let others: Vec<Place> =
        others.into_iter().filter(|place| survey.place_for(place.0, place.1) == Some(*place)).collect();
    results.extend(check_all(governor, survey, &others, &Prints::new(), summary).await);
    for (place, target, result) in results {
        let (index, protocol, _) = place;
        let trouble = match result {
            SanityResult::Fine => None,
            SanityResult::Unnamed(print) => {
                prints.insert((index, protocol), vec![print]);
                if !unnamed.iter().any(|(known, _)| *known == index) {
                    unnamed.push((index, target.name.clone()));
                }
                None
            }
            SanityResult::Trouble(reason) => Some(reason),
            SanityResult::Refused(_, reason) | SanityResult::Rejected(reason) => {
                shut(survey, place, &target, &reason);
                Some(reason)
            }
            SanityResult::Unreachable(reason) => {
                note_unreachable(summary, reason.clone());
                survey.set_unreachable(place, reason);
                continue;
            }
        };
        summary.sanity.push(Sanity { target: target.name.clone(), protocol, is_last: false, trouble });
    }
    see_other_roles(plan, governor, survey, summary, &mut prints).await;
    summary.warnings.extend(unnamed.into_iter().map(|(_, name)| format!("{name}: {NO_CANARY}")));
    prints
}

/// The same once more, after everything else.
pub(super) async fn check_last(governor: &Arc<Governor>, survey: &Survey, prints: &Prints, summary: &mut Summary) {
    // No account is left with a wrong password as its last word.
    for (index, gate) in governor.gates.iter().enumerate() {
        for account in gate.lockout.unsettled() {
            let place = survey.places().iter().copied().find(|place| place.0 == index);
            if let Some(place) = place {
                summary.conversations += 1;
                // One that cannot log in has nothing to be cleared, or was told of already.
                let _ = good_login(gate, account, place, survey).await;
            }
        }
    }
    let places = login_places(survey);
    let mut results = check_all(governor, survey, &places, prints, summary).await;
    let may_be_locked = |(place, _, result): &(Place, Arc<Target>, SanityResult)| {
        place.1 == Protocol::Pop3 && matches!(result, SanityResult::Refused(..) | SanityResult::Rejected(_))
    };
    if results.iter().any(may_be_locked) {
        // The last session has only just said goodbye, and the server may keep the mailbox for it still.
        tokio::time::sleep(LETS_GO_WITHIN).await;
        results = check_all(governor, survey, &places, prints, summary).await;
    }
    for (place, target, result) in results {
        let trouble = match result {
            SanityResult::Fine | SanityResult::Unnamed(_) => None,
            SanityResult::Trouble(reason)
            | SanityResult::Refused(_, reason)
            | SanityResult::Rejected(reason)
            | SanityResult::Unreachable(reason) => Some(reason),
        };
        summary.sanity.push(Sanity { target: target.name.clone(), protocol: place.1, is_last: true, trouble });
    }
}

/// Sees to it that nothing more is asked of a server that takes the target's own password for a wrong one: each good
/// login would be one wrong password more, and lock the account.
fn shut(survey: &mut Survey, place: Place, target: &Target, reason: &str) {
    let may_lock = target.limits.wrong_passwords.is_some();
    if !may_lock || !is_offered(survey, place, target) {
        return;
    }
    let reason = reason.lines().next().unwrap_or_default();
    let told =
        "no more wrong passwords are sent, so as not to lock the account (no-lockout = true under [limits] asks on)";
    survey.shut(place.0, format!("{told}: {reason}"));
}

/// Whether the sanity login uses a mechanism that the server offers. The refusal of another says nothing of the password.
fn is_offered(survey: &Survey, place: Place, target: &Target) -> bool {
    mechanism(target, place, survey).is_some_and(|it| offers(place, it, survey) != Some(false))
}

fn note_unreachable(summary: &mut Summary, reason: String) {
    if !summary.unreachable.contains(&reason) {
        summary.unreachable.push(reason);
    }
}

/// Ends the run for a target that refuses its account's login, and notes why; `false` if the run can go on.
///
/// The reference server is never at fault for a wrong password: one that refuses the login has a flaw, which the cases
/// are to find.
fn stops(survey: &mut Survey, place: Place, target: &Target, result: &SanityResult, summary: &mut Summary) -> bool {
    let SanityResult::Refused(refused, _) = result else { return false };
    if target.is_reference() || !is_offered(survey, place, target) {
        return false;
    }
    survey.shut(place.0, refused.to_string());
    summary.refused_logins.push(RefusedLogin::clone(refused));
    true
}

/// The place of each protocol of each target where its sanity login is tried.
fn login_places(survey: &Survey) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for &(index, protocol, _) in survey.places() {
        if let Some(place) = survey.place_for(index, protocol)
            && !places.contains(&place)
        {
            places.push(place);
        }
    }
    places
}

/// The first place of each target, and the others.
fn by_turn(places: &[Place]) -> (Vec<Place>, Vec<Place>) {
    let is_first = |place: &Place| places.iter().find(|other| other.0 == place.0) == Some(place);
    places.iter().copied().partition(is_first)
}

async fn check_all(
    governor: &Arc<Governor>,
    survey: &Survey,
    places: &[Place],
    prints: &Prints,
    summary: &mut Summary,
) -> Vec<(Place, Arc<Target>, SanityResult)> {
    // Given up together with whoever waits for them.
    let mut checks = JoinSet::new();
    for (at, &place) in places.iter().enumerate() {
        let Some(gate) = governor.gates.get(place.0) else { continue };
        let mechanism = mechanism(&gate.target, place, survey);
        let known = prints.get(&(place.0, place.1)).cloned().unwrap_or_default();
        let theirs = Arc::clone(governor);
        checks.spawn(async move {
            let Some(gate) = theirs.gates.get(place.0) else { return (at, SanityResult::Fine) };
            let from = From { source: gate.source(place), certified: None };
            let start = Instant::now();
            let checked = check(&gate.target, place, None, mechanism, &known, from, gate.deadlines());
            let result = catch_panic(checked).await.unwrap_or_else(|panic| {
                SanityResult::Trouble(panic.with_message(|told| redactor(&gate.target).redact_text(told)).to_string())
            });
            if matches!(result, SanityResult::Fine | SanityResult::Unnamed(_)) {
                gate.learn_login(start.elapsed());
            }
            let is_answered = matches!(
                result,
                SanityResult::Fine | SanityResult::Unnamed(_) | SanityResult::Refused(..) | SanityResult::Rejected(_)
            );
            if is_answered {
                gate.silence(place.1).note(true);
            }
            (at, result)
        });
    }
    let mut results = Vec::new();
    while let Some(done) = checks.join_next().await {
        // A check that panics has been caught.
        let Ok((at, result)) = done else { continue };
        summary.conversations += 1;
        if let Some(place) = places.get(at)
            && let Some(gate) = governor.gates.get(place.0)
        {
            results.push((at, *place, Arc::clone(&gate.target), result));
        }
    }
    results.sort_by_key(|(at, ..)| *at);
    results.into_iter().map(|(_, place, target, result)| (place, target, result)).collect()
}

/// Where no canary names the mailboxes, sees what each other role's own looks like; one login after the other, since
/// there are few. A role that cannot log in stays unknown, and its mailbox unproven.
async fn see_other_roles(
    plan: &Plan,
    governor: &Governor,
    survey: &Survey,
    summary: &mut Summary,
    prints: &mut Prints,
) {
    for ((index, protocol), known) in prints.iter_mut() {
        let (Some(gate), Some(place)) = (governor.gates.get(*index), survey.place_for(*index, *protocol)) else {
            continue;
        };
        let target = &gate.target;
        for account in &target.directory.accounts {
            let is_seen = known.iter().any(|known| account.mailbox.as_deref() == Some(known.mailbox.as_slice()));
            let is_used = plan.list.iter().any(|planned| planned.target == *index && planned.role() == account.role);
            if is_seen || !is_used {
                continue;
            }
            summary.conversations += 1;
            let mechanism = mechanism(target, place, survey);
            let from = From { source: gate.source(place), certified: None };
            let result = check(target, place, Some(&account.role), mechanism, &[], from, gate.deadlines()).await;
            if let SanityResult::Unnamed(print) = result {
                known.push(print);
            }
        }
    }
}
