//! What may be the run's own fault is asked once more: silence, a connection that was not taken, a mailbox that another
//! session held. Only what a server does by itself is a finding.
//!
//! A doubtful case is put off until all others are done. Then the doubtful ones are asked side by side, and where a
//! server that we can look into was seen to spin, to grow or to end meanwhile, each of them alone.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::MutexGuard;

use super::caller::{Answer, Caller, NoAnswer, Pass, PutOff};
use super::doubt::{Doubt, doubt, got_through, is_in_use};
use super::pacing::is_right;
use super::question::Request;
use crate::protocol::Outcome;
use crate::transport::{Conversation, Deadlines};

/// How long a server is given, one time after the other, to see that a session is over and let go of its mailbox.
const WAITS: &[Duration] = &[Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(2)];

fn put_off(found: &Result<Conversation, String>, doubt: Doubt) -> NoAnswer {
    let found = found.as_ref().ok();
    let was_answered = found.is_some_and(|found| found.transcript.slowest_answer().is_some());
    NoAnswer::PutOff(PutOff { word: found.map(|found| found.outcome.word()), doubt, was_answered })
}

impl Caller<'_> {
    /// While others ask, too: what they may have caused is put off, or told.
    pub async fn ask_among_others(&self, request: &Request) -> Result<Answer, NoAnswer> {
        let gate = self.gate;
        // Only where a server may lock mailboxes does it matter whose mailbox this is: to find out takes a while.
        let is_right = || is_right(self.target, &gate.secrets, request);
        let account = || self.target.directory.accounts.iter().position(|account| account.role == self.role);
        // A server that we can look into has shown already how long it takes.
        let is_long = self.pass == Pass::Together && !gate.target.is_watched();
        let deadlines = if is_long { gate.long_deadlines() } else { gate.deadlines() };
        let growths = gate.growths.load(Ordering::Relaxed);
        let only = match self.pass {
            Pass::InTurn => self.only_session(account()).await,
            _ => gate.mailbox(|| account().filter(|_| is_right())).await,
        };
        let began = Instant::now();
        let was_alone = only.is_some();
        let protocol = self.endpoint.protocol;
        let why_silent = |found: &Result<Conversation, String>| gate.is_silent(protocol).filter(|_| found.is_err());
        let is_locked = |found: &_| was_alone && doubt(gate, found, protocol, is_right) == Some(Doubt::Locked);
        let found = self.once_free(request, is_locked, deadlines).await;
        drop(only);
        if let Some(reason) = why_silent(&found) {
            return Err(NoAnswer::Reason(reason));
        }
        let has_grown = growths != gate.growths.load(Ordering::Relaxed);
        let doubt = match doubt(gate, &found, protocol, is_right) {
            None if has_grown && self.pass == Pass::First => Doubt::Grew,
            None => {
                if was_alone && self.pass == Pass::InTurn && found.as_ref().is_ok_and(got_through) {
                    gate.learn_lock(true);
                }
                gate.learn_taken();
                return Ok(found.map(Answer::from)?);
            }
            // Without any other session of the mailbox, and not in use by one that is not ours: refused.
            Some(Doubt::Locked) if self.pass != Pass::First && !is_in_use(&found) => {
                if was_alone {
                    gate.learn_lock(false);
                }
                return Ok(Answer::from(found?));
            }
            Some(doubt) => doubt,
        };
        if matches!(self.pass, Pass::First | Pass::InTurn) {
            match doubt {
                Doubt::Full => {
                    gate.shrink(began);
                    gate.revive().await?;
                }
                Doubt::Silent => gate.end_runaways().await,
                _ => {}
            }
            return Err(put_off(&found, doubt));
        }
        if doubt == Doubt::Silent {
            gate.learn_silence();
        }
        // What is too much side by side may not be too much one by one.
        if matches!(doubt, Doubt::Full | Doubt::Busy | Doubt::Locked) {
            return Err(put_off(&found, doubt));
        }
        // Nobody who could tell more of it can look into the server: this is what it does.
        let doubt = Some(doubt).filter(|_| gate.target.is_watched());
        match (found, doubt) {
            (Ok(conversation), doubt) => Ok(Answer { doubt, ..Answer::from(conversation) }),
            (Err(_), Some(doubt)) => Err(NoAnswer::PutOff(PutOff { word: None, doubt, was_answered: false })),
            (Err(reason), None) => Err(NoAnswer::Reason(reason)),
        }
    }

    /// Keeps the mailbox to this session, as long as the server may be one that locks it.
    async fn only_session(&self, account: Option<usize>) -> Option<MutexGuard<'_, ()>> {
        let only = self.gate.only_mailbox(account?).await;
        // Others may have found out meanwhile that it does not.
        only.filter(|_| self.gate.may_lock())
    }

    /// One conversation, and in turn more, where the server may not be done yet with the session before: it lets go of the
    /// mailbox only after it has said goodbye (RFC 1939 §6).
    async fn once_free(
        &self,
        request: &Request,
        is_locked: impl Fn(&Result<Conversation, String>) -> bool,
        deadlines: Deadlines,
    ) -> Result<Conversation, String> {
        let waits = if self.pass == Pass::InTurn { WAITS } else { &[] };
        for (at, wait) in waits.iter().enumerate() {
            let found = self.once_entered(request, deadlines).await;
            // Who does not say that it is in use may just mean to refuse.
            if !is_in_use(&found) && (at > 0 || !is_locked(&found)) {
                return found;
            }
            tokio::time::sleep(*wait).await;
        }
        self.once_entered(request, deadlines).await
    }

    async fn once_entered(&self, request: &Request, deadlines: Deadlines) -> Result<Conversation, String> {
        let _turn = self.gate.enter().await;
        // Others may have found it out while this one waited for its turn.
        match self.gate.is_silent(self.endpoint.protocol) {
            Some(reason) => Err(reason),
            None => self.once(request, deadlines).await,
        }
    }

    /// While nobody else asks, and with an eye on the server.
    pub async fn ask_alone(&self, request: &Request) -> Result<Answer, NoAnswer> {
        let gate = self.gate;
        let _alone = gate.alone().await;
        if gate.is_gone() {
            return Err(NoAnswer::Reason(
                "the server takes no connection any more, not even one at a time".to_string(),
            ));
        }
        gate.make_fit().await?;
        // Whoever spins shows it at once; the others get all the time that they need below.
        let before = gate.look().await;
        let mut found = self.once(request, gate.short_deadlines()).await;
        gate.learn_gone(doubt(gate, &found, self.endpoint.protocol, || false) == Some(Doubt::Full));
        let Some(before) = before else { return Ok(found.map(Answer::from)?) };
        let mut process = gate.incident(&before).await?;
        let is_silent = |found: &Result<Conversation, String>| {
            found.as_ref().is_ok_and(|found| matches!(found.outcome, Outcome::NoAnswer(_) | Outcome::Diverged { .. }))
        };
        if process.is_none() && is_silent(&found) {
            if self.pass == Pass::Briefly {
                return Err(put_off(&found, Doubt::Silent));
            }
            found = self.once(request, gate.deadlines()).await;
            process = gate.incident(&before).await?;
        }
        if process.is_some() && found.is_err() {
            // It was gone by then; now that it is back it can be asked what it does, and is seen doing it.
            found = self.once(request, gate.short_deadlines()).await;
            let _ = gate.incident(&before).await?;
        }
        Ok(Answer { conversation: found?, process, doubt: None })
    }
}
