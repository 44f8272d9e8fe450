//! Explores an unknown server with one account.
//!
//! Only the right password of the account is sent, and never in plaintext unless asked for. The first refusal of the
//! plainest login ends it, so that a wrong password costs one refused login.

use super::discovery::{
    Candidate, DiscoveredEndpoint, Discovery, DiscoveryError, DiscoveryOptions, LoginResult, TriedLogin,
};
use super::refused_login::{RefusedLogin, is_about_credentials};
use crate::axes::{Mechanism, Protocol, Security};
use crate::identity::{Account, escape};
use crate::protocol::{Login, Outcome, Proof, Redactor, Session};
use crate::runner::advice::{self, answer};
use crate::runner::connection::{From, OpenError, open};
use crate::runner::fresh::fresh;
use crate::runner::sanity::NOBODY;
use crate::runner::survey::unreachable;
use crate::scenario::describe;
use crate::secret::Password;
use crate::target::{Endpoint, Target};
use crate::transport::Conversation;

/// The mechanisms that a password is enough for, the plainest first.
const MECHANISMS: &[Mechanism] = &[
    Mechanism::Login,
    Mechanism::Plain,
    Mechanism::SaslLogin,
    Mechanism::Apop,
    Mechanism::CramMd5,
    Mechanism::DigestMd5,
    Mechanism::ScramSha1,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha256,
    Mechanism::ScramSha256Plus,
    Mechanism::Ntlm,
];

/// Explores a server: `target` says how TLS is spoken and holds the account, whose user is the whole login name.
///
/// # Errors
///
/// Nothing answers, TLS fails, passwords could be sent in plaintext only, or no login works.
pub async fn discover(
    target: &Target,
    account: &Account,
    candidates: &[Candidate],
    options: DiscoveryOptions,
) -> Result<Discovery, DiscoveryError> {
    let mut explorer =
        Explorer { target, account, options, found: Discovery::default(), answered: Vec::new(), absent: Vec::new() };
    for candidate in candidates {
        if !explorer.answered.contains(&candidate.address) {
            explorer.look_at(candidate).await?;
        }
    }
    if explorer.found.endpoints.is_empty() {
        return Err(if explorer.found.left_out.is_empty() {
            DiscoveryError::Unreachable(explorer.absent)
        } else {
            DiscoveryError::Unprotected(explorer.found.left_out)
        });
    }
    for protocol in [Protocol::Imap, Protocol::Pop3] {
        explorer.log_in_over(protocol).await?;
    }
    if !explorer.found.logins.iter().any(|login| login.result.is_accepted()) {
        return Err(DiscoveryError::NoLogin(explorer.in_words()));
    }
    explorer.time_refusal().await?;
    explorer.see_lock().await?;
    Ok(explorer.found)
}

struct Explorer<'t> {
    target: &'t Target,
    account: &'t Account,
    options: DiscoveryOptions,
    found: Discovery,
    /// The addresses at which something answered.
    answered: Vec<String>,
    /// Why nothing answers at the addresses where nothing does.
    absent: Vec<String>,
}

impl Explorer<'_> {
    /// Asks one address what it offers, without logging in.
    async fn look_at(&mut self, candidate: &Candidate) -> Result<(), DiscoveryError> {
        let Candidate { protocol, address, implicit_tls } = candidate;
        let endpoint = |security| Endpoint { protocol: *protocol, address: address.clone(), security };
        let wanted = self.options.security;
        if *implicit_tls {
            let endpoint = endpoint(Security::Tls);
            return match self.survey(&endpoint).await {
                Ok(Some(offers)) => {
                    self.found.endpoints.push(DiscoveredEndpoint { endpoint, before_tls: None, offers });
                    Ok(())
                }
                Ok(None) => Ok(()),
                // Where plaintext is asked for, a certificate that is not trusted is no obstacle.
                Err(DiscoveryError::Tls(reason)) if wanted == Some(Security::Plaintext) => {
                    self.found.left_out.push(reason);
                    Ok(())
                }
                Err(error) => Err(error),
            };
        }
        let Some(before_tls) = self.survey(&endpoint(Security::Plaintext)).await? else { return Ok(()) };
        if wanted == Some(Security::Plaintext) {
            let offers = before_tls.clone();
            let endpoint = endpoint(Security::Plaintext);
            self.found.endpoints.push(DiscoveredEndpoint { endpoint, before_tls: Some(before_tls), offers });
            return Ok(());
        }
        if wanted == Some(Security::Tls) {
            return Ok(());
        }
        let word = if *protocol == Protocol::Imap { "STARTTLS" } else { "STLS" };
        if !before_tls.iter().any(|offered| offered == word) {
            self.found.left_out.push(format!(
                "{protocol} {address} does not offer {word}, so a login there would send the password in plaintext: \
                 --security plaintext asks for that"
            ));
            return Ok(());
        }
        let endpoint = endpoint(Security::Starttls);
        if let Some(offers) = self.survey(&endpoint).await? {
            self.found.endpoints.push(DiscoveredEndpoint { endpoint, before_tls: Some(before_tls), offers });
        }
        Ok(())
    }

    /// The capabilities at an endpoint; `None` if nothing of this protocol answers there.
    async fn survey(&mut self, endpoint: &Endpoint) -> Result<Option<Vec<String>>, DiscoveryError> {
        let session = Session::survey(endpoint.protocol, endpoint.security);
        let conversation = match self.converse(endpoint, session).await? {
            Ok(conversation) => conversation,
            Err(reason) => {
                self.absent.push(reason);
                return Ok(None);
            }
        };
        if let Some(reason) = unreachable(endpoint, &conversation.outcome) {
            if matches!(conversation.outcome, Outcome::TlsFailed(_)) {
                return Err(DiscoveryError::Tls(reason));
            }
            self.absent.push(reason);
            return Ok(None);
        }
        self.answered.push(endpoint.address.clone());
        for turn in conversation.transcript.turns() {
            self.found.server_text.extend_from_slice(turn.received);
        }
        Ok(Some(match conversation.outcome {
            Outcome::Surveyed(words) => words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
            // A server that does not say what it offers may take a login all the same.
            _ => Vec::new(),
        }))
    }

    /// Logs in once with each offered mechanism over the first endpoint of a protocol.
    async fn log_in_over(&mut self, protocol: Protocol) -> Result<(), DiscoveryError> {
        let of_protocol = |found: &&DiscoveredEndpoint| found.endpoint.protocol == protocol;
        let Some(DiscoveredEndpoint { endpoint, offers, .. }) = self.found.endpoints.iter().find(of_protocol).cloned()
        else {
            return Ok(());
        };
        let has_logged_in = |found: &Discovery| found.logins.iter().any(|login| login.result.is_accepted());
        for mechanism in offered(&endpoint, &offers) {
            let is_first_ever = !has_logged_in(&self.found);
            let result = self.log_in(&endpoint, mechanism).await?;
            let is_accepted = result.is_accepted();
            self.found.logins.push(TriedLogin { protocol, mechanism, result: result.clone() });
            if is_accepted {
                continue;
            }
            let LoginResult::Refused(said) = result else { continue };
            if is_first_ever {
                return Err(DiscoveryError::Refused(Box::new(self.refused(&endpoint, said))));
            }
            let works_here =
                self.found.logins.iter().any(|login| login.protocol == protocol && login.result.is_accepted());
            if !works_here {
                // The account is not served by this protocol: every mechanism would be one wrong password more.
                return Ok(());
            }
            // A good login ends the row of refused ones, which may lock an account.
            if let Some(plainest) = self.accepted(protocol) {
                self.log_in(&endpoint, plainest).await?;
            }
        }
        Ok(())
    }

    /// The plainest mechanism that was accepted over a protocol.
    fn accepted(&self, protocol: Protocol) -> Option<Mechanism> {
        let works = |login: &&TriedLogin| login.protocol == protocol && login.result.is_accepted();
        self.found.logins.iter().find(works).map(|login| login.mechanism)
    }

    async fn log_in(&mut self, endpoint: &Endpoint, mechanism: Mechanism) -> Result<LoginResult, DiscoveryError> {
        let login = self.login(endpoint, mechanism, &self.account.user, self.account.password.clone())?;
        let conversation = match self.converse(endpoint, Session::login(login)).await? {
            Ok(conversation) => conversation,
            Err(reason) => return Ok(LoginResult::Other(reason)),
        };
        let redactor = Redactor::new(std::slice::from_ref(&self.account.password));
        let outcome = redactor.redact_outcome(conversation.outcome);
        Ok(match outcome {
            Outcome::Opened { mailbox: Some(mailbox), .. } => {
                self.found.canary = Some(mailbox);
                LoginResult::Opened("canary".to_string())
            }
            Outcome::Opened { proof: Proof::Fingerprint(print), .. } => LoginResult::Opened(escape(&print)),
            Outcome::Opened { .. } => LoginResult::Opened("nothing".to_string()),
            Outcome::Unbound(reply) => LoginResult::Unbound(answer(&reply)),
            Outcome::Rejected(reply) if is_about_credentials(&reply) => LoginResult::Refused(answer(&reply)),
            other => LoginResult::Other(describe(&other)),
        })
    }

    fn login(
        &self,
        endpoint: &Endpoint,
        mechanism: Mechanism,
        name: &[u8],
        password: Password,
    ) -> Result<Login, DiscoveryError> {
        let login = Login::new(endpoint.protocol, mechanism, name, password);
        let fresh = fresh().map_err(DiscoveryError::System)?;
        Ok(Login { security: endpoint.security, fresh, ..login })
    }

    /// A conversation over a connection of its own; the inner error says why nothing answers.
    async fn converse(
        &self,
        endpoint: &Endpoint,
        session: Session,
    ) -> Result<Result<Conversation, String>, DiscoveryError> {
        let deadlines = self.options.deadlines;
        match open(self.target, endpoint, endpoint.security, From::default(), deadlines).await {
            Ok(connection) => Ok(Ok(connection.converse(session, deadlines).await)),
            Err(OpenError::NotThere(reason)) => Ok(Err(reason)),
            Err(OpenError::Tls(reason)) => {
                let advice = advice::on_tls(endpoint, &reason);
                Err(DiscoveryError::Tls(format!("{} ({}): {reason}\n  {advice}", endpoint.address, endpoint.protocol)))
            }
        }
    }

    /// How long a refusal takes, of a name that no account has, so that no account is charged with it.
    async fn time_refusal(&mut self) -> Result<(), DiscoveryError> {
        for protocol in [Protocol::Imap, Protocol::Pop3] {
            let found = self.found.endpoints.iter().find(|found| found.endpoint.protocol == protocol);
            let (Some(endpoint), Some(mechanism)) =
                (found.map(|found| found.endpoint.clone()), self.accepted(protocol))
            else {
                continue;
            };
            let login = self.login(&endpoint, mechanism, NOBODY, Password::new(NOBODY))?;
            if let Ok(conversation) = self.converse(&endpoint, Session::login(login)).await? {
                self.found.refusal = conversation.transcript.slowest_answer();
            }
            return Ok(());
        }
        Ok(())
    }

    /// Whether a second POP3 session is refused while the mailbox is open (RFC 1939 §4).
    async fn see_lock(&mut self) -> Result<(), DiscoveryError> {
        let found = self.found.endpoints.iter().find(|found| found.endpoint.protocol == Protocol::Pop3);
        let (Some(endpoint), Some(mechanism)) =
            (found.map(|found| found.endpoint.clone()), self.accepted(Protocol::Pop3))
        else {
            return Ok(());
        };
        let password = || self.account.password.clone();
        let first = Session::login(self.login(&endpoint, mechanism, &self.account.user, password())?);
        let second = Session::login(self.login(&endpoint, mechanism, &self.account.user, password())?);
        let deadlines = self.options.deadlines;
        let Ok(connection) = open(self.target, &endpoint, endpoint.security, From::default(), deadlines).await else {
            return Ok(());
        };
        let mut of_second = None;
        let meanwhile = async {
            of_second = self.converse(&endpoint, second).await.ok().and_then(Result::ok);
        };
        let of_first = connection.converse_holding(first, deadlines, meanwhile).await;
        self.found.one_session_per_mailbox = match (of_first.outcome, of_second.map(|second| second.outcome)) {
            (Outcome::Opened { .. }, Some(Outcome::Opened { .. })) => Some(false),
            (Outcome::Opened { .. }, Some(Outcome::Rejected(_) | Outcome::Unbound(_))) => Some(true),
            _ => None,
        };
        Ok(())
    }

    fn refused(&self, endpoint: &Endpoint, said: String) -> RefusedLogin {
        RefusedLogin {
            target: self.target.name.clone(),
            role: self.account.role.clone(),
            login: escape(&self.account.user),
            protocol: endpoint.protocol,
            address: endpoint.address.clone(),
            answer: said,
            password_from: self.target.origins.get(&self.account.role).map(ToString::to_string),
        }
    }

    /// Every login that was tried and what came of it.
    fn in_words(&self) -> String {
        let login = |login: &TriedLogin| format!("{} {}: {}", login.protocol, login.mechanism, login.result);
        let tried: Vec<String> = self.found.logins.iter().map(login).collect();
        if tried.is_empty() {
            "no mechanism is offered that a password is enough for".to_string()
        } else {
            tried.join("; ")
        }
    }
}

/// The mechanisms that an endpoint offers and that fit its security, the plainest first. A server that does not say what
/// it offers is taken to offer the plainest.
fn offered(endpoint: &Endpoint, offers: &[String]) -> Vec<Mechanism> {
    let has = |word: &str| offers.iter().any(|offered| offered == word);
    let fits = |mechanism: &&Mechanism| mechanism.fits(endpoint.protocol) && mechanism.fits_security(endpoint.security);
    let is_offered = |mechanism: &&Mechanism| match (mechanism.sasl_name(), endpoint.protocol) {
        (Some(name), _) => has(&format!("AUTH={name}")),
        (None, Protocol::Imap) => !has("LOGINDISABLED"),
        (None, Protocol::Pop3) if **mechanism == Mechanism::Apop => has("APOP"),
        // CAPA is younger than USER, which a server that has no CAPA may take (RFC 2449 §3).
        (None, Protocol::Pop3) => has("USER") || offers.is_empty(),
    };
    MECHANISMS.iter().filter(fits).filter(is_offered).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plainest_offered_mechanism_comes_first() {
        let of = |protocol, security, offers: &[&str]| {
            let endpoint = Endpoint { protocol, address: "h:1".to_string(), security };
            let offers: Vec<String> = offers.iter().map(ToString::to_string).collect();
            offered(&endpoint, &offers).iter().map(|mechanism| mechanism.word()).collect::<Vec<_>>()
        };
        assert_eq!(
            of(Protocol::Imap, Security::Tls, &["AUTH=PLAIN", "AUTH=SCRAM-SHA-256"]),
            ["login", "plain", "scram-sha-256"]
        );
        assert_eq!(of(Protocol::Imap, Security::Plaintext, &["LOGINDISABLED", "AUTH=CRAM-MD5"]), ["cram-md5"]);
        assert_eq!(of(Protocol::Pop3, Security::Tls, &["SASL", "AUTH=PLAIN", "APOP"]), ["plain", "apop"]);
        assert_eq!(of(Protocol::Pop3, Security::Tls, &[]), ["login"]);
        // Tokens and certificates are not what an account with a password has.
        assert_eq!(of(Protocol::Imap, Security::Tls, &["LOGINDISABLED", "AUTH=XOAUTH2", "AUTH=EXTERNAL"]), [""; 0]);
    }
}
