//! What is doubtful about an answer: what the run itself may have caused is asked once more.

use super::governor::Gate;
use super::judging::is_temporary;
use crate::axes::Protocol;
use crate::protocol::{Outcome, ResponseCode, Stage};
use crate::scenario::reply_of;
use crate::transport::Conversation;

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

/// Whether a response code may be another at another time: a temporary failure, or a limit that others have used up.
fn says_busy(code: &ResponseCode) -> bool {
    is_temporary(code) || *code == ResponseCode::Limit
}

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
    let is_busy = || reply_of(outcome).and_then(|reply| reply.code.as_ref()).is_some_and(says_busy);
    match outcome {
        Outcome::Closed { stage: Stage::Greeting, .. }
        | Outcome::NoAnswer(Stage::Greeting)
        | Outcome::Garbled { stage: Stage::Greeting, .. } => Some(Doubt::Full),
        Outcome::NoAnswer(_) => Some(Doubt::Silent),
        _ if protocol == Protocol::Pop3 && says_in_use(outcome) => Some(Doubt::Locked),
        _ if is_busy() => Some(Doubt::Busy),
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

pub(super) fn is_in_use(found: &Result<Conversation, String>) -> bool {
    found.as_ref().is_ok_and(|found| says_in_use(&found.outcome))
}

/// Whether a conversation came to what a lock would have kept it from. A refusal is no proof of a lock, however sure it
/// is by now that there is none.
pub(super) fn got_through(conversation: &Conversation) -> bool {
    matches!(conversation.outcome, Outcome::Opened { .. } | Outcome::Followed)
}

/// Whether a server says that another session has the mailbox (RFC 2449 §8.1.2).
fn says_in_use(outcome: &Outcome) -> bool {
    let in_code = reply_of(outcome).and_then(|reply| reply.code.as_ref()).is_some_and(|code| code.word() == "IN-USE");
    let in_text = |got: &[u8]| got.windows(8).any(|window| window.eq_ignore_ascii_case(b"[IN-USE]"));
    in_code || matches!(outcome, Outcome::Diverged { got, .. } if in_text(got))
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
        let text = "name = 'x'\ndialect = 'opaque'\n[pop3]\naddress = '127.0.0.1:1'\nsecurity = 'plaintext'\n[[account]]\nrole = 'same'\n\
                    user = 'a'\npassword = { text = 'Secret' }\n";
        let file = read_target(&SourceText::new("t.toml", text), std::path::Path::new(""), Passwords::Fetch, true);
        let target = remote_target(file.unwrap(), find_dialect("opaque").unwrap());
        Governor::new(&[Arc::new(target)], Deadlines::from_reply(Duration::from_secs(1)), 16, true)
    }

    fn had(outcome: Outcome) -> Conversation {
        Conversation {
            outcome,
            dialogue_step: None,
            transcript: Transcript::new(),
            deviations: Vec::new(),
            took: Duration::ZERO,
        }
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
