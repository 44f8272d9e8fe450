//! A challenge that comes twice lets whoever has overheard one login repeat it (RFC 1939 §7, RFC 2195 §2, RFC 2831 §2.1.1):
//! two connections, and a look at what the server gave each of them.

use crate::axes::Mechanism;
use crate::protocol::{Deviation, Outcome, Stage, Transcript};
use crate::transport::Conversation;

const REPEATED: &str = "no challenge comes twice (RFC 1939 §7, RFC 2195 §2, RFC 2831 §2.1.1)";

/// The second of two conversations; where it has been given the first one's challenge, that is its outcome.
pub(super) fn compare(first: &Conversation, mut second: Conversation, mechanism: Mechanism) -> Conversation {
    let before = challenge(&first.transcript, mechanism);
    let repeated = challenge(&second.transcript, mechanism)
        .filter(|(_, octets)| before.as_ref().is_some_and(|(_, before)| before == octets));
    if let Some((index, _)) = repeated {
        let deviation = Deviation { rule: REPEATED, octet: None, index };
        second.outcome = Outcome::Garbled { stage: Stage::Login, deviation };
    }
    second
}

/// What the server gave the client to answer, and where in its stream it begins: APOP's timestamp in the greeting, or
/// the first challenge that is not empty.
fn challenge(transcript: &Transcript, mechanism: Mechanism) -> Option<(usize, Vec<u8>)> {
    let mut start = 0;
    for turn in transcript.turns() {
        let received = turn.received;
        if mechanism == Mechanism::Apop {
            let open = received.iter().position(|octet| *octet == b'<')?;
            let length = received.get(open..)?.iter().position(|octet| *octet == b'>')?;
            return Some((open, received.get(open..=open + length)?.to_vec()));
        }
        let line = received.split(|octet| *octet == b'\r').next().unwrap_or_default();
        if let Some(challenge) = line.strip_prefix(b"+ ").filter(|challenge| !challenge.is_empty()) {
            return Some((start + 2, challenge.to_vec()));
        }
        start += received.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::protocol::{Outgoing, Reply};

    fn conversation(greeting: &str, challenge: &str) -> Conversation {
        let mut transcript = Transcript::new();
        for (sent, received) in [("CAPA", greeting), ("AUTH", challenge), ("x", "+OK\r\n")] {
            transcript.received(Duration::ZERO, received.as_bytes());
            transcript.sent(Duration::ZERO, &Outgoing::plain(sent));
        }
        let outcome = Outcome::Rejected(Reply::default());
        Conversation { outcome, dialogue_step: None, transcript, deviations: Vec::new(), took: Duration::ZERO }
    }

    #[test]
    fn a_challenge_that_comes_twice_is_found_where_it_stands() {
        let talk =
            |stamp: &str, challenge: &str| conversation(&format!("+OK <{stamp}>\r\n"), &format!("+ {challenge}\r\n"));
        let index = |second: Conversation| match second.outcome {
            Outcome::Garbled { deviation, .. } => Some(deviation.index),
            _ => None,
        };
        let first = talk("1@x", "QUJD");
        assert_eq!(index(compare(&first, talk("1@x", "QUJE"), Mechanism::Apop)), Some(4));
        assert_eq!(index(compare(&first, talk("2@x", "QUJD"), Mechanism::Apop)), None);
        assert_eq!(index(compare(&first, talk("2@x", "QUJD"), Mechanism::CramMd5)), Some(13));
        assert_eq!(index(compare(&first, talk("1@x", "QUJE"), Mechanism::CramMd5)), None);
        assert_eq!(index(compare(&conversation("", ""), conversation("", ""), Mechanism::CramMd5)), None);
    }
}
