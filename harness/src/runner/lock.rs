//! Whether a server keeps a mailbox to one session at a time, as RFC 1939 §4 has it for POP3: found out by logging in
//! while the mailbox is open, before anything else is asked. A refusal is then no riddle.

use super::connection::{From, open};
use super::fresh::fresh;
use super::governor::Gate;
use super::place::Place;
use super::sanity::{SanityResult, check, mechanism, plainest_login};
use super::survey::Survey;
use crate::protocol::{Login, Outcome, Session};

/// Whether a mailbox is refused as long as another session has it open; nothing where that cannot be told.
pub(super) async fn locks_mailboxes(gate: &Gate, place: Place, survey: &Survey) -> Option<bool> {
    let (target, (_, protocol, security)) = (&gate.target, place);
    let (endpoint, _) = target.endpoint(protocol, Some(security)).ok()?;
    let mechanism = mechanism(target, place, survey)?;
    let (login, account) = plainest_login(target, protocol, mechanism, None)?;
    // Without a mailbox there is nothing to hold.
    account.mailbox.as_ref()?;
    let session = Session::login(Login { security, fresh: fresh().ok()?, ..login });
    let from = || From { source: gate.source(place), certified: None };
    let deadlines = gate.deadlines();
    let connection = open(target, endpoint, security, from(), deadlines).await.ok()?;
    let mut second = None;
    let meanwhile = async {
        second = Some(check(target, place, None, Some(mechanism), &[], from(), deadlines).await);
    };
    let first = connection.converse_holding(session, deadlines, meanwhile).await;
    match (first.outcome, second?) {
        (Outcome::Opened { .. }, SanityResult::Fine | SanityResult::Unnamed(_)) => Some(false),
        (Outcome::Opened { .. }, SanityResult::Refused(..) | SanityResult::Rejected(_)) => Some(true),
        _ => None,
    }
}
