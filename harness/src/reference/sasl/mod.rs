//! The server's side of every SASL mechanism, as IMAP and POP3 sessions see it (RFC 4422).
//!
//! An [`Exchange`] has a challenge for the client, takes its answer, and comes to a [`Step`]: the next exchange, or
//! what the authority has decided. Each mechanism has a file of its own.

mod anonymous;
mod base64;
mod cram_md5;
mod digest_md5;
mod external;
mod gs2;
mod login;
mod ntlm;
mod ntlm_message;
mod oauthbearer;
mod plain;
mod scram;
mod xoauth2;

#[cfg(test)]
mod client;
#[cfg(test)]
mod exchange_tests;
#[cfg(test)]
pub(super) mod flaw_tests;

pub(super) use self::base64::{Line, encode, read_initial, read_line};

use super::authority::{Authority, Credentials, Decision, Evidence};
use super::connection::Connection;
use super::crypto::Hash;
use crate::axes::{Mechanism, Protocol};
use crate::identity::{Access, Manner};

/// The longest line of an exchange, in octets: PLAIN with three fields of more than 2 KiB each.
pub(super) const LONGEST_LINE: usize = 12 * 1024;

/// What a mechanism needs to know of the session.
#[derive(Clone, Copy)]
pub(super) struct Context<'s> {
    pub(super) authority: &'s Authority,
    pub(super) connection: &'s Connection,
    pub(super) protocol: Protocol,
}

/// An exchange that waits for the client's answer.
pub(super) struct Exchange {
    mechanism: Mechanism,
    challenge: Vec<u8>,
    stage: Stage,
}

/// What the answer will be.
enum Stage {
    /// The first message of the client.
    First,
    /// LOGIN: the password for this name.
    LoginPassword(Vec<u8>),
    /// SCRAM: the proof.
    ScramProof(Box<scram::Begun>),
    /// NTLM: the Authenticate message, after this Negotiate message.
    NtlmAuthenticate(Vec<u8>),
    /// An empty answer to the server's own proof; then this is said.
    Acknowledgement(Decision),
    /// Whatever the client says to the details of a failure; then this is said.
    FailureTaken(Decision),
}

/// What a client's answer leads to.
pub(super) enum Step {
    /// One more challenge.
    Ask(Exchange),
    /// Everything has been said, and this is the decision.
    Decided(Decision),
    /// The answer is none of this mechanism, for this reason.
    Malformed(&'static str),
}

/// The mechanism of a name; names have no case (RFC 4422 §3.1).
pub(super) fn mechanism(name: &[u8]) -> Option<Mechanism> {
    let is_called =
        |mechanism: &&Mechanism| mechanism.sasl_name().is_some_and(|known| known.as_bytes().eq_ignore_ascii_case(name));
    Mechanism::ALL.iter().find(is_called).copied()
}

/// Whether the first message is the server's, so that there can be no initial response (RFC 4959 §3).
///
/// LOGIN's clients do send the name with the command, and its servers take it.
pub(super) const fn server_speaks_first(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::CramMd5 | Mechanism::DigestMd5)
}

impl Exchange {
    /// Begins an exchange.
    pub(super) fn begin(mechanism: Mechanism, context: Context<'_>) -> Self {
        let challenge = match mechanism {
            Mechanism::SaslLogin => login::NAME.to_vec(),
            Mechanism::CramMd5 => cram_md5::challenge(context),
            Mechanism::DigestMd5 => digest_md5::challenge(context),
            _ => Vec::new(),
        };
        Self { mechanism, challenge, stage: Stage::First }
    }

    /// What the server says, in base64.
    pub(super) fn challenge(&self) -> Vec<u8> {
        encode(&self.challenge)
    }

    /// Takes the answer.
    pub(super) fn answer(self, answer: &[u8], context: Context<'_>) -> Step {
        let mechanism = self.mechanism;
        let stepped = match self.stage {
            Stage::First => match mechanism {
                Mechanism::SaslLogin => {
                    Ok(Self::ask(mechanism, login::PASSWORD, Stage::LoginPassword(answer.to_vec())))
                }
                Mechanism::CramMd5 => cram_md5::answer(&self.challenge, answer, context),
                Mechanism::DigestMd5 => digest_md5::answer(&self.challenge, answer, context),
                Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => scram::begin(mechanism, Hash::Sha1, answer, context),
                Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                    scram::begin(mechanism, Hash::Sha256, answer, context)
                }
                Mechanism::Ntlm => ntlm::negotiate(answer, context),
                Mechanism::Xoauth2 => xoauth2::answer(answer, context),
                Mechanism::Oauthbearer => oauthbearer::answer(answer, context),
                Mechanism::External => external::answer(answer, context),
                Mechanism::Anonymous => anonymous::answer(answer, context),
                Mechanism::Plain | Mechanism::Login | Mechanism::Apop => plain::answer(answer, context),
            },
            Stage::LoginPassword(name) => Ok(login::answer(&name, answer, context)),
            Stage::ScramProof(begun) => scram::finish(mechanism, &begun, answer, context),
            Stage::NtlmAuthenticate(negotiate) => ntlm::authenticate(&negotiate, &self.challenge, answer, context),
            Stage::Acknowledgement(decision) if answer.is_empty() => Ok(Step::Decided(decision)),
            Stage::Acknowledgement(_) => Err("an empty response is expected after the server's proof"),
            Stage::FailureTaken(decision) => Ok(Step::Decided(decision)),
        };
        stepped.unwrap_or_else(Step::Malformed)
    }

    fn ask(mechanism: Mechanism, challenge: impl Into<Vec<u8>>, stage: Stage) -> Step {
        Step::Ask(Self { mechanism, challenge: challenge.into(), stage })
    }

    /// Shows the server's proof before an accepted login is: IMAP and POP3 have no data along with success
    /// (RFC 4422 §3.6). A refused login is refused at once.
    fn prove(mechanism: Mechanism, proof: Vec<u8>, decision: Decision) -> Step {
        match decision {
            Decision::Open { .. } | Decision::Fail { manner: Manner::Unbound, .. } => {
                Self::ask(mechanism, proof, Stage::Acknowledgement(decision))
            }
            Decision::Fail { .. } => Step::Decided(decision),
        }
    }

    /// Shows the details of a failure before the failure; what is accepted is accepted at once.
    fn explain_failure(mechanism: Mechanism, details: &[u8], decision: Decision) -> Step {
        match decision {
            Decision::Open { .. } | Decision::Fail { manner: Manner::Unbound, .. } => Step::Decided(decision),
            Decision::Fail { .. } => Self::ask(mechanism, details, Stage::FailureTaken(decision)),
        }
    }
}

impl Context<'_> {
    const fn access(&self, mechanism: Mechanism) -> Access {
        Access { protocol: self.protocol, mechanism }
    }

    /// Whether the mechanism can be used here and now.
    pub(super) fn offers(&self, mechanism: Mechanism) -> bool {
        self.authority.offers(self.access(mechanism)) && self.connection.allows(mechanism)
    }

    fn decide(&self, mechanism: Mechanism, name: &[u8], authorization: &[u8], evidence: Evidence<'_>) -> Decision {
        self.authority.decide(&Credentials { name, evidence, authorization, access: self.access(mechanism) })
    }
}
