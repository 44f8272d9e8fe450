//! What may be the run's own fault is asked once more: silence, a connection that was not taken, a mailbox that another
//! session held. Only what a server does by itself is a finding.
//!
//! A doubtful case is put off until all others are done. Then the doubtful ones are asked side by side, and where a
//! server that we can look into was seen to spin, to grow or to end meanwhile, each of them alone.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::MutexGuard;

use super::caller::{Answer, Caller, NoAnswer, Pass, PutOff};
use super::charged::is_right;
use super::governor::Gate;
use super::question::Request;
use crate::axes::Protocol;
use crate::protocol::{Outcome, Stage};
use crate::scenario::reply_of;
use crate::transport::{Conversation, Deadlines};

/// How long a server is given, one time after the other, to see that a session is over and let go of its mailbox.
const WAITS: &[Duration] = &[Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(2)];

/// Why an answer is not believed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The server may have had too many connections.
    Full,
    /// It may have been slow, or kept from answering by what others asked.
    Silent,
    /// It hung up, maybe before all that it said had come through; or it crashed.
    HungUp,
    /// It said that it cannot just now.
    Busy,
    /// Another session may have held the mailbox.
    Locked,
    /// Its memory grew meanwhile.
    Grew,
}

/// Response codes that say nothing about the login (RFC 5530 §3, RFC 2449 §8, RFC 3206 §4).
const BUSY: &[&str] = &["UNAVAILABLE", "INUSE", "IN-USE", "LIMIT", "SYS/TEMP", "LOGIN-DELAY"];

/// What is doubtful about an answer. `is_right` says whether the password was right for an account, so that a refusal
/// may be about its mailbox.
pub(super) fn doubt(
    gate: &Gate,
    found: &Result<Conversation, String>,
    protocol: Protocol,
    is_right: impl Fn() -> bool,
) -> Option<Doubt> {
    if gate.is_idle() {
        return None;
    }
    let Ok(conversation) = found else { return Some(Doubt::Full) };
    let outcome = &conversation.outcome;
    let says_busy = || {
        let code = reply_of(outcome).and_then(|reply| reply.code.as_ref());
        code.is_some_and(|code| BUSY.contains(&code.word().as_ref()))
    };
    match outcome {
        Outcome::Closed { stage: Stage::Greeting, .. }
        | Outcome::NoAnswer(Stage::Greeting)
        | Outcome::Garbled { stage: Stage::Greeting, .. } => Some(Doubt::Full),
        Outcome::NoAnswer(_) => Some(Doubt::Silent),
        _ if protocol == Protocol::Pop3 && says_in_use(outcome) => Some(Doubt::Locked),
        _ if says_busy() => Some(Doubt::Busy),
        // A handshake may have taken too long for a server with much to do.
        Outcome::TlsFailed(_) => Some(Doubt::HungUp),
        // Who says why has said all.
        Outcome::Closed { farewell: None, .. } => Some(Doubt::HungUp),
        // A dialogue that fell silent or was hung up on.
        Outcome::Diverged { got, .. } if got.is_empty() => Some(Doubt::Silent),
        Outcome::Rejected(_) | Outcome::Unbound(_) | Outcome::Diverged { .. }
            if protocol == Protocol::Pop3 && gate.may_lock() && is_right() =>
        {
            Some(Doubt::Locked)
        }
        _ => None,
    }
}

fn is_in_use(found: &Result<Conversation, String>) -> bool {
    found.as_ref().is_ok_and(|found| says_in_use(&found.outcome))
}

/// Whether a conversation came to what a lock would have kept it from. A refusal is no proof of a lock, however sure it
/// is by now that there is none.
fn got_through(conversation: &Conversation) -> bool {
    matches!(conversation.outcome, Outcome::Opened { .. } | Outcome::Followed)
}

fn put_off(found: &Result<Conversation, String>, doubt: Doubt) -> NoAnswer {
    NoAnswer::PutOff(PutOff { word: found.as_ref().ok().map(|found| found.outcome.word()), doubt })
}

/// Whether a server says that another session has the mailbox (RFC 2449 §8.1.2).
fn says_in_use(outcome: &Outcome) -> bool {
    let in_code = reply_of(outcome).and_then(|reply| reply.code.as_ref()).is_some_and(|code| code.word() == "IN-USE");
    let in_text = |got: &[u8]| got.windows(8).any(|window| window.eq_ignore_ascii_case(b"[IN-USE]"));
    in_code || matches!(outcome, Outcome::Diverged { got, .. } if in_text(got))
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
        let is_locked = |found: &_| was_alone && doubt(gate, found, protocol, is_right) == Some(Doubt::Locked);
        let found = self.once_free(request, is_locked, deadlines).await;
        drop(only);
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
            (Err(_), Some(doubt)) => Err(NoAnswer::PutOff(PutOff { word: None, doubt })),
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
        self.once(request, deadlines).await
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::protocol::{Proof, Reply, Transcript};
    use crate::runner::governor::Governor;
    use crate::source::SourceText;
    use crate::target::{Passwords, find_dialect, read_target, remote_target};
    use crate::transport::Deadlines;

    fn gate() -> Governor {
        let text = "name = 'x'\ndialect = 'opaque'\n[pop3]\naddress = '127.0.0.1:1'\n[[account]]\nrole = 'same'\n\
                    user = 'a'\npassword = { text = 'b' }\n";
        let file = read_target(&SourceText::new("t.toml", text), std::path::Path::new(""), Passwords::Fetch, true);
        let target = remote_target(file.unwrap(), find_dialect("opaque").unwrap());
        Governor::new(&[Arc::new(target)], Deadlines::from_reply(Duration::from_secs(1)), 16, true)
    }

    fn had(outcome: Outcome) -> Conversation {
        Conversation { outcome, dialogue_step: None, transcript: Transcript::new(), deviations: Vec::new() }
    }

    fn of(governor: &Governor, outcome: Outcome, protocol: Protocol, is_right: bool) -> Option<Doubt> {
        doubt(&governor.gates[0], &Ok(had(outcome)), protocol, || is_right)
    }

    // Dovecot 2.3 was once taken for a server that locks mailboxes, because a refusal was not doubtful any more by the
    // time it came; from then on it was asked one by one.
    #[test]
    fn a_refusal_shows_no_lock() {
        assert!(!got_through(&had(Outcome::Rejected(Reply::default()))));
        assert!(!got_through(&had(Outcome::Closed { stage: Stage::Login, farewell: None })));
        assert!(got_through(&had(Outcome::Opened { mailbox: None, proof: Proof::None })));
    }

    #[test]
    fn only_what_others_may_have_caused_is_doubtful() {
        let governor = gate();
        let no = || Outcome::Rejected(Reply::from_text(b"no"));
        assert_eq!(of(&governor, no(), Protocol::Imap, true), None);
        assert_eq!(of(&governor, no(), Protocol::Pop3, false), None);
        assert_eq!(of(&governor, no(), Protocol::Pop3, true), Some(Doubt::Locked));
        let busy = Outcome::Rejected(Reply::from_text(b"[UNAVAILABLE] later"));
        assert_eq!(of(&governor, busy, Protocol::Imap, false), Some(Doubt::Busy));
        assert_eq!(of(&governor, Outcome::NoAnswer(Stage::Greeting), Protocol::Imap, false), Some(Doubt::Full));
        assert_eq!(of(&governor, Outcome::NoAnswer(Stage::Login), Protocol::Imap, false), Some(Doubt::Silent));
        let closed = Outcome::Closed { stage: Stage::Login, farewell: None };
        assert_eq!(of(&governor, closed, Protocol::Imap, false), Some(Doubt::HungUp));
        assert_eq!(doubt(&governor.gates[0], &Err("refused".to_string()), Protocol::Imap, || false), Some(Doubt::Full));
    }

    #[test]
    fn a_server_that_locks_nothing_is_soon_believed() {
        let governor = gate();
        let no = || Outcome::Rejected(Reply::default());
        for _ in 0..3 {
            assert_eq!(of(&governor, no(), Protocol::Pop3, true), Some(Doubt::Locked));
            governor.gates[0].learn_lock(false);
        }
        assert_eq!(of(&governor, no(), Protocol::Pop3, true), None);
        // Once it was seen to lock, every refusal is looked at again.
        governor.gates[0].learn_lock(true);
        governor.gates[0].learn_lock(false);
        assert_eq!(of(&governor, no(), Protocol::Pop3, true), Some(Doubt::Locked));
    }
}
