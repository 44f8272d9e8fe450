//! The server refuses the login that must work: the secret or the login name is wrong, and the run ends there.

use std::fmt;

use crate::axes::Protocol;
use crate::protocol::{Reply, ResponseCode};
use crate::runner::judging::is_temporary;

/// The refused login of the account that a run logs in with. Nothing in it holds a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLogin {
    /// The target's name.
    pub target: String,
    /// The role of the account.
    pub role: String,
    /// The login name, in the notation for octets.
    pub login: String,
    /// The protocol.
    pub protocol: Protocol,
    /// Host and port.
    pub address: String,
    /// The server's answer, in the notation for octets, with passwords masked; empty if it gave no reason.
    pub answer: String,
    /// Where the password came from, in words: `the environment variable LOGINSPEC_PASSWORD`. `None` if nothing is known.
    pub password_from: Option<String>,
}

/// Whether a refusal can mean that the password or the login name is wrong. A server that cannot log anyone in just now,
/// or wants TLS first, has not looked at them.
pub(in crate::runner) fn is_about_credentials(reply: &Reply) -> bool {
    let is_other =
        |code: &ResponseCode| is_temporary(code) || matches!(code, ResponseCode::Limit | ResponseCode::SysPerm);
    !reply.wants_protection() && !reply.code.as_ref().is_some_and(is_other)
}

impl RefusedLogin {
    /// What to do about it, a sentence for each step.
    pub fn next_steps(&self) -> Vec<String> {
        let Self { role, login, .. } = self;
        let holds = match &self.password_from {
            Some(origin) => format!("see that {origin} holds the password of this account, and nothing else"),
            None => format!("see that the password of the role `{role}` is right"),
        };
        vec![
            holds,
            format!(
                "see that the server knows the login name `{login}`: many want user@domain; `loginspec check FILE` shows \
                 what a target file leads to"
            ),
            "see that the account is neither locked nor disabled".to_string(),
        ]
    }
}

impl fmt::Display for RefusedLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { login, protocol, address, answer, .. } = self;
        write!(f, "the login as `{login}` over {protocol} ({address}) was refused")?;
        if !answer.is_empty() {
            write!(f, ": {answer}")?;
        }
        match &self.password_from {
            Some(origin) => write!(f, "; the password came from {origin}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_without_a_reason_is_about_the_credentials() {
        let is = |text: &[u8]| is_about_credentials(&Reply::from_text(text));
        for text in [&b""[..], b"no", b"[AUTHENTICATIONFAILED] Authentication failed.", b"[AUTH] no", b"[EXPIRED] old"]
        {
            assert!(is(text), "{}", text.escape_ascii());
        }
        for text in [
            &b"[UNAVAILABLE] later"[..],
            b"[SERVERBUG] oh",
            b"[SYS/TEMP] later",
            b"[IN-USE] mailbox",
            b"[PRIVACYREQUIRED] TLS",
            b"Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
        ] {
            assert!(!is(text), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn the_message_names_the_origin_of_the_password() {
        let refused = RefusedLogin {
            target: "t".to_string(),
            role: "same".to_string(),
            login: "test1".to_string(),
            protocol: Protocol::Imap,
            address: "127.0.0.1:143".to_string(),
            answer: "[AUTHENTICATIONFAILED] no".to_string(),
            password_from: Some("the environment variable PW".to_string()),
        };
        assert_eq!(
            refused.to_string(),
            "the login as `test1` over imap (127.0.0.1:143) was refused: [AUTHENTICATIONFAILED] no; the password came \
             from the environment variable PW"
        );
        assert!(refused.next_steps()[0].contains("the environment variable PW"));
    }
}
