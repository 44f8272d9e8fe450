//! What was put off is asked again: side by side when nobody else asks any more, and where a server that we can look
//! into was seen to spin, to grow or to end meanwhile, each case alone.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::caller::{Pass, PutOff};
use super::doubt::Doubt;
use super::governor::Gate;
use super::plan::Planned;
use super::watch::Look;
use super::workers::{Found, Workers};
use crate::scenario::{Judgement, Verdict};

/// How many are asked side by side: few enough for any server.
const TOGETHER: usize = 16;

/// Asks what was put off, each with what came of it the first time; tells whether all were asked.
pub(super) async fn ask_again(
    workers: &mut Workers,
    put_off: Vec<(Planned, PutOff)>,
    take: &mut (dyn FnMut(Found) -> io::Result<()> + Send),
) -> io::Result<bool> {
    if put_off.is_empty() {
        return Ok(true);
    }
    let governor = Arc::clone(&workers.governor);
    let words: HashMap<(usize, usize, usize), Option<&'static str>> =
        put_off.iter().map(|(planned, why)| (planned.place(), why.word)).collect();
    let mut note = |found: Found| {
        let (planned, word) = match &found {
            Found::Answered(answered, _) => (&answered.planned, Some(answered.conversation.outcome.word())),
            Found::Unasked { planned, .. } | Found::PutOff(planned, _) => (planned, None),
        };
        if let (Some(gate), Some(first)) = (governor.gates.get(planned.target), words.get(&planned.place())) {
            gate.looked_again.fetch_add(1, Ordering::Relaxed);
            gate.changed.fetch_add(usize::from(word != *first), Ordering::Relaxed);
        }
        take(found)
    };

    // How each server is doing before; an error where one is gone and does not come back.
    let mut before: Vec<Result<Option<Look>, String>> = Vec::new();
    for (index, gate) in governor.gates.iter().enumerate() {
        let is_concerned = put_off.iter().any(|(planned, _)| planned.target == index);
        before.push(if is_concerned { fit_for_it(gate).await } else { Ok(None) });
    }
    let (mut brief, mut in_turn, mut together) = (Vec::new(), Vec::new(), Vec::new());
    let (mut alone, mut held) = (Vec::new(), Vec::new());
    for (planned, why) in put_off {
        let has_spun = governor.gates.get(planned.target).is_some_and(|gate| gate.runaways.load(Ordering::Relaxed) > 0);
        match before.get(planned.target) {
            Some(Err(reason)) => {
                note(Found::Unasked { planned, judgement: Judgement::new(Verdict::Error, reason.clone()) })?;
            }
            // There is one to be found that spins. Who was hung up on may have been it: what spins is ended for all.
            _ if has_spun && matches!(why.doubt, Doubt::Silent | Doubt::HungUp) => brief.push(planned),
            _ if why.doubt == Doubt::Locked => in_turn.push(planned),
            _ => together.push(planned),
        }
    }
    for (list, jobs, pass) in [(brief, 1, Pass::Briefly), (in_turn, TOGETHER, Pass::InTurn)] {
        let mut part = |found: Found| match found {
            Found::PutOff(planned, _) => {
                together.push(planned);
                Ok(())
            }
            found => note(found),
        };
        if !workers.ask_all(list, jobs, pass, &mut part).await? {
            return Ok(false);
        }
    }
    let mut sort = |found: Found| match found {
        Found::Answered(answered, Some(_)) => {
            held.push(answered);
            Ok(())
        }
        Found::PutOff(planned, _) => {
            alone.push(planned);
            Ok(())
        }
        found => note(found),
    };
    if !workers.ask_all(together, TOGETHER, Pass::Together, &mut sort).await? {
        return Ok(false);
    }
    let mut is_well = Vec::new();
    for (gate, before) in governor.gates.iter().zip(&before) {
        is_well.push(match before {
            Ok(Some(before)) => gate.incident(before).await == Ok(None),
            _ => true,
        });
    }
    for answered in held {
        if is_well.get(answered.planned.target) == Some(&false) {
            alone.push(answered.planned);
        } else {
            note(Found::Answered(answered, None))?;
        }
    }
    workers.ask_all(alone, 1, Pass::Alone, &mut note).await
}

/// Makes a server fit to be asked, and looks how it is doing then.
async fn fit_for_it(gate: &Gate) -> Result<Option<Look>, String> {
    gate.make_fit().await?;
    Ok(gate.look().await)
}
