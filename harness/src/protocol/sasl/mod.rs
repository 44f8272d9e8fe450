//! SASL from the client's side (RFC 4422): the exchange as the login machines see it, and a file for each mechanism.
//!
//! A response that is empty and no response at all are different things (RFC 4422 §3.4), so [`Sasl::initial_response`]
//! is an `Option`. A client may be wrong on purpose: faults that any mechanism can have befall the last response,
//! the one that carries the secret or what stands for it; the others befall the message that they are named after.

mod anonymous;
mod cram_md5;
mod digest_md5;
mod directive;
mod external;
mod hash;
mod login;
mod ntlm;
mod ntlm_message;
mod oauthbearer;
mod plain;
mod response;
mod scram;
mod scram_message;
mod xoauth2;

#[cfg(test)]
mod fault_tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(super) use hash::{change_last_octet, flip_last_bit, hex, md5};
pub use response::SaslResponse;

use self::digest_md5::DigestMd5;
use self::scram::Scram;
use super::Login;
use super::outgoing::Outgoing;
use super::secured::Secured;
use crate::axes::{Fault, Mechanism};

/// The rule that a challenge breaks to which the mechanism has nothing more to say.
pub const NO_CHALLENGE_DUE: &str =
    "the mechanism has no further challenge (RFC 4422 §3.6, RFC 4616 §2, draft-murchison-sasl-login)";

/// One authentication exchange.
pub struct Sasl {
    login: Login,
    /// How many responses have been given.
    given: usize,
    state: State,
    /// The rule that a success breaks now: the server owes a proof, or has said itself that it refuses.
    unproven: Option<&'static str>,
}

/// What a mechanism remembers from one message to the next.
enum State {
    Stateless,
    SaslLogin {
        /// The name travelled with the command, before anybody asked for it.
        unasked: bool,
    },
    DigestMd5(DigestMd5),
    Scram(Scram),
}

/// What the client answers.
pub struct Turn {
    /// The response.
    pub response: SaslResponse,
    /// A rule that the challenge breaks without harm.
    pub noted: Option<&'static str>,
}

/// Why the client does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The challenge breaks this rule.
    Broken(&'static str),
    /// The server does not offer this within the mechanism.
    NotOffered(String),
}

impl From<&'static str> for Stop {
    fn from(rule: &'static str) -> Self {
        Self::Broken(rule)
    }
}

/// What of this login no server can be asked: an identity or a fault that the mechanism has no place for.
pub(super) fn unfit(login: &Login) -> Option<String> {
    let Login { mechanism, fault, .. } = login;
    if login.authzid.as_ref().is_some_and(|authzid| !authzid.is_empty()) && !carries_authzid(*mechanism) {
        return Some(format!("an authorization identity with {mechanism}"));
    }
    if let Some(fault) = fault.filter(|fault| !fault.fits(*mechanism)) {
        return Some(format!("the fault {fault} with {mechanism}"));
    }
    if *mechanism == Mechanism::Ntlm
        && let Some(unfit) = ntlm::unfit(login)
    {
        return Some(unfit);
    }
    // Nothing can be left out of an empty response.
    let shortens = matches!(fault, Some(Fault::Truncated | Fault::TruncatedBase64 | Fault::EmptyResponse));
    let last_is_empty = match mechanism {
        Mechanism::SaslLogin => login.password.expose().is_empty(),
        Mechanism::External => external::message(login).octets.is_empty(),
        Mechanism::Anonymous => login.name.is_empty(),
        _ => false,
    };
    (shortens && last_is_empty).then(|| format!("a fault in an empty response with {mechanism}"))
}

/// Whether the mechanism can name an identity to act as besides the one that logs in.
const fn carries_authzid(mechanism: Mechanism) -> bool {
    mechanism.is_scram()
        || matches!(mechanism, Mechanism::Plain | Mechanism::DigestMd5 | Mechanism::Oauthbearer | Mechanism::External)
}

impl Sasl {
    /// An exchange for `login`, over a connection of which `secured` is known where it has TLS, with a server that
    /// offers the same mechanism with channel binding or does not.
    ///
    /// Nothing for a mechanism that is none of SASL; what is missing where the mechanism cannot be begun.
    pub fn new(login: &Login, secured: Option<&Secured>, offers_plus: bool) -> Result<Option<Self>, String> {
        let mechanism = login.mechanism;
        if !mechanism.is_sasl() {
            return Ok(None);
        }
        if let Some(unfit) = unfit(login) {
            return Err(unfit);
        }
        let (state, unproven) = match mechanism {
            Mechanism::SaslLogin => (State::SaslLogin { unasked: false }, None),
            Mechanism::DigestMd5 => (State::DigestMd5(DigestMd5::new(login)), Some(digest_md5::UNPROVEN)),
            _ if mechanism.is_scram() => {
                (State::Scram(Scram::new(login, secured, offers_plus)?), Some(scram::UNPROVEN))
            }
            _ => (State::Stateless, None),
        };
        Ok(Some(Self { login: login.clone(), given: 0, state, unproven }))
    }

    /// The response that may travel with the command; nothing where the server has to speak first.
    ///
    /// LOGIN as drafted lets the server speak first; with an initial response the name takes the first prompt's place.
    pub fn initial_response(&mut self) -> Option<SaslResponse> {
        if self.given > 0 || matches!(self.login.mechanism, Mechanism::CramMd5 | Mechanism::DigestMd5) {
            return None;
        }
        let response = self.next(b"").ok().map(|turn| turn.response);
        if let State::SaslLogin { unasked } = &mut self.state {
            *unasked = true;
        }
        response
    }

    /// The response to a challenge, or why there is none.
    ///
    /// Where the client speaks first, the challenge that asks it to is not looked at, and neither are LOGIN's
    /// prompts: their wording differs from server to server, so that only their order counts. The one exception is a
    /// server that has passed over the name in an initial response and asks for it: it must not get the password.
    pub fn next(&mut self, challenge: &[u8]) -> Result<Turn, Stop> {
        let Self { login, state, given, unproven } = self;
        let last = login.mechanism.responses();
        let mut noted = None;
        let message = match (login.mechanism, &mut *state, *given) {
            (Mechanism::Plain, _, 0) => plain::message(login),
            (Mechanism::SaslLogin, _, 0) => login::name(login),
            (Mechanism::SaslLogin, State::SaslLogin { unasked }, 1) if *unasked && login::asks_for_name(challenge) => {
                *unasked = false;
                return Ok(Turn { response: SaslResponse::new(login::name(login), None), noted });
            }
            (Mechanism::SaslLogin, _, 1) => login::password(login),
            (Mechanism::CramMd5, _, 0) => cram_md5::message(login, challenge),
            (Mechanism::External, _, 0) => external::message(login),
            (Mechanism::Anonymous, _, 0) => anonymous::message(login),
            (Mechanism::Ntlm, _, 0) => ntlm::negotiate(),
            (Mechanism::Ntlm, _, 1) => ntlm::authenticate(login, challenge)?,
            (Mechanism::Xoauth2, _, 0) => xoauth2::message(login),
            (Mechanism::Oauthbearer, _, 0) => oauthbearer::message(login),
            // The server says why it refuses, and waits for one more response before it does.
            (Mechanism::Xoauth2, _, 1) => {
                *unproven = Some(xoauth2::REFUSED);
                xoauth2::answer_to_error()
            }
            (Mechanism::Oauthbearer, _, 1) => {
                *unproven = Some(oauthbearer::REFUSED);
                oauthbearer::answer_to_error()
            }
            (_, State::DigestMd5(digest), 0) => digest.respond(login, challenge)?,
            (_, State::DigestMd5(digest), 1) => {
                if login.fault.is_none() {
                    digest.verify(challenge)?;
                }
                *unproven = None;
                Outgoing::default()
            }
            (_, State::Scram(scram), 0) => scram.first(login),
            (_, State::Scram(_), 1 | 2) if scram::is_error(challenge) => {
                *unproven = Some(scram::REFUSED);
                *given = last + 1;
                return Ok(Turn { response: SaslResponse::empty(), noted });
            }
            (_, State::Scram(scram), 1) => {
                let (message, weak) = scram.last(login, challenge)?;
                noted = weak;
                message
            }
            (_, State::Scram(scram), 2) => {
                if login.fault.is_none() {
                    scram.verify(challenge)?;
                }
                *unproven = None;
                Outgoing::default()
            }
            _ => return Err(NO_CHALLENGE_DUE.into()),
        };
        *given += 1;
        let fault = login.fault.filter(|_| *given == last);
        Ok(Turn { response: SaslResponse::new(message, fault), noted })
    }

    /// Whether every response has been given, so that a success can be due.
    pub fn is_complete(&self) -> bool {
        self.given >= self.login.mechanism.responses()
    }

    /// The rule that a success breaks now. Whoever is wrong on purpose asks for no proof: what the server makes of it
    /// is what counts.
    pub fn unproven(&self) -> Option<&'static str> {
        self.unproven.filter(|_| self.login.fault.is_none())
    }
}

impl Mechanism {
    /// How many responses the client gives before the server has what it needs.
    const fn responses(self) -> usize {
        match self {
            Self::SaslLogin | Self::Ntlm => 2,
            _ if self.is_scram() => 2,
            _ => 1,
        }
    }
}

/// The octets of a challenge in BASE64; nothing where it is not BASE64.
pub fn decode_challenge(encoded: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(encoded.trim_ascii()).ok()
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
