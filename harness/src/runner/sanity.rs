//! The login that must work, before and after everything else: it tells a broken set-up from a finding.

use std::time::Duration;

use super::advice;
use super::connection::{From, OpenError, open};
use super::fresh::fresh;
use super::governor::Gate;
use super::place::Place;
use super::probe::{RefusedLogin, is_about_credentials};
use super::survey::{Survey, unreachable};
use crate::axes::{Mechanism, Protocol, Security};
use crate::identity::{Access, Account, advise, escape};
use crate::protocol::{Login, Outcome, Proof, Redactor, Session};
use crate::scenario::{KnownPrint, describe};
use crate::secret::Password;
use crate::target::Target;
use crate::transport::Deadlines;

/// What became of a sanity login.
pub(super) enum SanityResult {
    /// The mailbox opened, or there is no login that must work.
    Fine,
    /// A mailbox opened that no canary names; this is its fingerprint.
    Unnamed(KnownPrint),
    /// The server is there, but the login did not work.
    Trouble(String),
    /// The server is there, and refused the login: the login name or the password is wrong, or the account is closed.
    Refused(Box<RefusedLogin>, String),
    /// The server is there, and refused the login for a reason that says nothing of the name and the password.
    Rejected(String),
    /// The server is not there, or does not greet.
    Unreachable(String),
}

/// The mechanisms that a sanity login may use, the plainest first.
pub(super) const MECHANISMS: &[Mechanism] = &[
    Mechanism::Login,
    Mechanism::Plain,
    Mechanism::SaslLogin,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::CramMd5,
    Mechanism::DigestMd5,
];

/// Logs in with the account that is plainest to name, or with the one that plays `role`. `known` are the fingerprints
/// that an earlier login saw: a mailbox without a canary must have its own still.
pub(super) async fn check(
    target: &Target,
    place: Place,
    role: Option<&str>,
    mechanism: Option<Mechanism>,
    known: &[KnownPrint],
    from: From<'_>,
    deadlines: Deadlines,
) -> SanityResult {
    let (_, protocol, security) = place;
    let Ok((endpoint, _)) = target.endpoint(protocol, Some(security)) else { return SanityResult::Fine };
    let Some((login, account)) = mechanism.and_then(|mechanism| plainest_login(target, protocol, mechanism, role))
    else {
        return SanityResult::Fine;
    };
    let fresh = match fresh() {
        Ok(fresh) => fresh,
        Err(reason) => return SanityResult::Trouble(reason),
    };
    let connection = match open(target, endpoint, security, from, deadlines).await {
        Ok(connection) => connection,
        Err(OpenError::NotThere(reason) | OpenError::Tls(reason)) => return SanityResult::Unreachable(reason),
    };
    let redactor = Redactor::new(&target.directory.secrets());
    let name = login.name.shown();
    let session = Session::login(Login { security, fresh, ..login });
    let conversation = connection.converse(session, deadlines).await;
    if let Some(reason) = unreachable(endpoint, &conversation.outcome) {
        return SanityResult::Unreachable(reason);
    }
    match (&conversation.outcome, &account.mailbox) {
        (Outcome::Opened { mailbox: Some(opened), .. }, Some(mailbox)) if opened == mailbox => {
            return SanityResult::Fine;
        }
        (Outcome::Opened { mailbox: None, proof: Proof::Fingerprint(print) }, Some(mailbox)) => {
            let before = known.iter().find(|known| known.mailbox == *mailbox);
            if before.is_none_or(|before| before.print == *print) {
                return SanityResult::Unnamed(KnownPrint { mailbox: mailbox.clone(), print: print.clone() });
            }
        }
        _ => {}
    }
    let outcome = redactor.redact_outcome(conversation.outcome);
    let transcript = conversation.transcript.render(&redactor);
    let indented: String = transcript.lines().map(|line| format!("\n    {line}")).collect();
    let reason = format!(
        "the sanity login as `{name}` over {protocol} should have opened {}: {}{}{indented}",
        escape(account.mailbox.as_deref().unwrap_or_default()),
        describe(&outcome),
        advice::on_login(&outcome, account, security),
    );
    match outcome {
        // A refusal of the unprotected connection says nothing of the password.
        Outcome::Rejected(reply) if security == Security::Plaintext && reply.wants_protection() => {
            SanityResult::Trouble(reason)
        }
        Outcome::Rejected(reply) if is_about_credentials(&reply) => {
            let refused = RefusedLogin {
                target: target.name.clone(),
                role: account.role.clone(),
                login: name,
                protocol,
                address: endpoint.address.clone(),
                answer: advice::answer(&reply),
                password_from: target.origins.get(&account.role).map(ToString::to_string),
            };
            SanityResult::Refused(Box::new(refused), reason)
        }
        Outcome::Rejected(_) => SanityResult::Rejected(reason),
        _ => SanityResult::Trouble(reason),
    }
}

/// Why a good login was not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum GoodLoginError {
    /// No name, password and mechanism are known with which the account can log in.
    #[error("no good login is known for the role `{0}` that could come between")]
    Unknown(String),
    /// No endpoint is left at which to log in.
    #[error("no endpoint is left for the good login that should come between")]
    NoEndpoint,
    /// The server refused it.
    #[error("the good login that should come between failed: {0}")]
    Refused(String),
    /// It ended in another way.
    #[error("the good login that should come between failed: {0}")]
    Failed(String),
}

/// The pauses before a good login is tried again that failed without being refused.
const GOOD_LOGIN_RETRIES: &[Duration] = &[Duration::from_millis(250), Duration::from_secs(1)];

/// A good login as an account, over the place at hand or any other: what resets its row of failed logins. It is retried
/// unless it was refused, because an account that cannot get one gets no more wrong passwords.
pub(super) async fn good_login(
    gate: &Gate,
    account: usize,
    place: Place,
    survey: &Survey,
) -> Result<(), GoodLoginError> {
    let mut last = try_good_login(gate, account, place, survey).await;
    for pause in GOOD_LOGIN_RETRIES {
        if !matches!(last, Err(GoodLoginError::Failed(_))) || gate.is_silent(place.1).is_some() {
            break;
        }
        tokio::time::sleep(*pause).await;
        last = try_good_login(gate, account, place, survey).await;
    }
    last
}

async fn try_good_login(gate: &Gate, account: usize, place: Place, survey: &Survey) -> Result<(), GoodLoginError> {
    let target = &gate.target;
    let Some(role) = target.directory.accounts.get(account).map(|account| account.role.as_str()) else { return Ok(()) };
    let Some(place) = survey.place_for_login_near(place) else {
        return Err(GoodLoginError::NoEndpoint);
    };
    let found = mechanism(target, place, survey)
        .and_then(|mechanism| plainest_login(target, place.1, mechanism, Some(role)))
        .zip(target.endpoint(place.1, Some(place.2)).ok());
    let Some(((login, _), (endpoint, security))) = found else {
        return Err(GoodLoginError::Unknown(role.to_string()));
    };
    let failed = |reason: String| GoodLoginError::Failed(reason.lines().next().unwrap_or_default().to_string());
    let redactor = Redactor::new(&target.directory.secrets());
    // The login alone resets the server's count: no mailbox is opened, and nothing is asked that is known.
    let login = Login {
        security,
        fresh: fresh().map_err(failed)?,
        known_capabilities: survey.capabilities(place),
        ends_after_login: true,
        ..login
    };
    let from = From { source: gate.source(place), certified: None };
    let connection = open(target, endpoint, security, from, gate.deadlines()).await;
    let connection = connection.map_err(|error| failed(error.reason()))?;
    let outcome = connection.converse(Session::login(login), gate.deadlines()).await.outcome;
    match redactor.redact_outcome(outcome) {
        Outcome::Opened { .. } => Ok(()),
        Outcome::Rejected(reply) if is_about_credentials(&reply) => {
            Err(GoodLoginError::Refused(format!("rejected: {}", advice::answer(&reply))))
        }
        outcome => Err(failed(describe(&outcome))),
    }
}

/// A name that is nobody's, so that no account is charged with it; any server looks it up.
pub(super) const NOBODY: &[u8] = b"loginspec-nobody";
/// One that is nobody's either; Dovecot refuses it for its characters, with a delay of its own.
pub(super) const NOBODY_ODD: &[u8] = b"loginspec/nobody";

/// How long it takes until somebody is refused, when nobody else asks; nothing where there was no answer.
pub(super) async fn time_refusal(gate: &Gate, place: Place, survey: &Survey, name: &[u8]) -> Option<Duration> {
    let (target, (_, protocol, security)) = (&gate.target, place);
    let (endpoint, _) = target.endpoint(protocol, Some(security)).ok()?;
    let login = Login {
        security,
        fresh: fresh().ok()?,
        ..Login::new(protocol, mechanism(target, place, survey)?, name, Password::new(NOBODY))
    };
    let from = From { source: gate.source(place), certified: None };
    let deadlines = gate.long_deadlines();
    let connection = open(target, endpoint, security, from, deadlines).await.ok()?;
    let conversation = connection.converse(Session::login(login), deadlines).await;
    conversation.transcript.slowest_answer()
}

/// The plainest mechanism that the dialect has and the server says that it offers; where it does not say, the
/// plainest that the dialect has.
pub(super) fn mechanism(target: &Target, place: Place, survey: &Survey) -> Option<Mechanism> {
    let (_, protocol, security) = place;
    let spoken = MECHANISMS.iter().copied().filter(|mechanism| {
        target.dialect.mechanisms.contains(mechanism) && mechanism.fits(protocol) && mechanism.fits_security(security)
    });
    let is_offered = |mechanism: &Mechanism| offers(place, *mechanism, survey) == Some(true);
    spoken.clone().find(is_offered).or_else(|| spoken.clone().next())
}

/// Whether the server says that it offers a mechanism; nothing where it does not say.
pub(super) fn offers(place: Place, mechanism: Mechanism, survey: &Survey) -> Option<bool> {
    match (mechanism.sasl_name(), place.1) {
        (Some(name), _) => survey.offers(place, &format!("AUTH={name}")),
        (None, Protocol::Imap) => survey.offers(place, "LOGINDISABLED").map(|is_disabled| !is_disabled),
        (None, Protocol::Pop3) => survey.offers(place, "USER"),
    }
}

/// A login that works if anything does: the role for whom every assumption is right, else the first that can be named.
pub(crate) fn plainest_login<'t>(
    target: &'t Target,
    protocol: Protocol,
    mechanism: Mechanism,
    role: Option<&str>,
) -> Option<(Login, &'t Account)> {
    let access = Access { protocol, mechanism };
    let accounts = &target.directory.accounts;
    let chosen: Vec<&Account> = match role {
        Some(role) => accounts.iter().filter(|account| account.role == role && !account.disabled).collect(),
        None => {
            let same = accounts.iter().filter(|account| account.role == "same");
            same.chain(accounts.iter().filter(|account| account.role != "same" && !account.disabled)).collect()
        }
    };
    let (account, name) = chosen
        .into_iter()
        .find_map(|account| Some((account, advise(&target.dialect, &target.directory, account, access)?.1)))?;
    let login = Login::new(protocol, mechanism, name, account.password.clone());
    Some((login, account))
}
