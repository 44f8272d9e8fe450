//! Temporary failures: answers with which a server says that it cannot tell now. They prove nothing about a login.

use crate::protocol::{Outcome, ResponseCode};
use crate::scenario::{Expected, reply_of};

/// The codes of a server that fails for a while (RFC 5530 §3, RFC 3206 §4), and of a mailbox that another session keeps
/// (RFC 2449 §8.1.2). LIMIT is none of them: a name may be too long for good. Neither is SYS/PERM: Cyrus refuses an account
/// without a mailbox with it.
const TEMPORARY: &[ResponseCode] = &[
    ResponseCode::Unavailable,
    ResponseCode::ServerBug,
    ResponseCode::InUse,
    ResponseCode::Pop3InUse,
    ResponseCode::SysTemp,
    ResponseCode::LoginDelay,
];

/// Whether a response code says that the server cannot tell now.
pub(in crate::runner) fn is_temporary(code: &ResponseCode) -> bool {
    TEMPORARY.contains(code)
}

/// The code of a temporary failure that takes the place of the answer to a case; none if the outcome is another one, or if
/// the case is about such an answer.
pub(in crate::runner) fn temporary_failure(
    expected: &Expected,
    expected_code: Option<&str>,
    outcome: &Outcome,
) -> Option<String> {
    // A case of this kind only forbids harm, and a refusal of any kind does none.
    if matches!(expected, Expected::Safe(_)) {
        return None;
    }
    let code = match outcome {
        Outcome::Diverged { got, .. } => TEMPORARY.iter().find(|code| stands_in(code, got)),
        Outcome::Rejected(_) | Outcome::Bad(_) | Outcome::Unbound(_) | Outcome::Closed { .. } => {
            reply_of(outcome)?.code.as_ref().filter(|code| is_temporary(code))
        }
        _ => None,
    }?;
    let word = code.word();
    (!expected_code.is_some_and(|expected| expected.eq_ignore_ascii_case(&word))).then(|| word.into_owned())
}

/// Whether a code stands in brackets in the line that a dialogue did not expect.
fn stands_in(code: &ResponseCode, line: &[u8]) -> bool {
    let bracketed = format!("[{}]", code.word());
    line.windows(bracketed.len()).any(|window| window.eq_ignore_ascii_case(bracketed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Reply;

    #[test]
    fn a_temporary_failure_is_no_refusal() {
        let refused = |text: &str| Outcome::Rejected(Reply::from_text(text.as_bytes()));
        let of = |text: &str| temporary_failure(&Expected::Rejected, None, &refused(text));
        assert_eq!(of("[UNAVAILABLE] later"), Some("UNAVAILABLE".to_string()));
        assert_eq!(of("[serverbug] oops"), Some("SERVERBUG".to_string()));
        assert_eq!(of("[SYS/TEMP] later"), Some("SYS/TEMP".to_string()));
        assert_eq!(of("[AUTHENTICATIONFAILED] no"), None);
        assert_eq!(of("[LIMIT] too long"), None);
        assert_eq!(of("unavailable"), None);
    }

    #[test]
    fn a_case_about_the_code_gets_it() {
        let busy = Outcome::Rejected(Reply::from_text(b"[IN-USE] locked"));
        assert_eq!(temporary_failure(&Expected::Rejected, Some("IN-USE"), &busy), None);
        assert_eq!(temporary_failure(&Expected::Safe(Vec::new()), None, &busy), None);
        assert!(temporary_failure(&Expected::Same, None, &busy).is_some());
    }

    #[test]
    fn the_line_of_a_dialogue_is_looked_at() {
        let diverged = |got: &[u8]| Outcome::Diverged { step: 1, got: got.to_vec(), index: 0 };
        let of = |got| temporary_failure(&Expected::Dialogue, None, &diverged(got));
        assert_eq!(of(b"a NO [UNAVAILABLE] Temporary authentication failure"), Some("UNAVAILABLE".to_string()));
        assert_eq!(of(b"a NO UNAVAILABLE"), None);
    }
}
