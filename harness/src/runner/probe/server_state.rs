//! Observes a server: its capabilities before TLS, within TLS and after the login, the versions of TLS that it accepts, and
//! whether it takes passwords without TLS.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::plaintext_passwords::plaintext_passwords;
use super::tls_versions::oldest_tls;
use crate::axes::{Mechanism, Security};
use crate::protocol::{Login, Outcome, Redactor, Session};
use crate::runner::connection::{From, open};
use crate::runner::fresh::fresh;
use crate::runner::governor::{Gate, Governor};
use crate::runner::sanity::{MECHANISMS, plainest_login};
use crate::runner::survey::Survey;
use crate::scenario::describe;
use crate::secret::Password;
use crate::target::{Endpoint, Observation, Observed, ObservedEndpoint, SessionState, Target, offers_mechanism};
use crate::transport::Deadlines;

/// Observes one target. Endpoints are asked side by side, and only then the logins are made, one after the other: a server
/// may keep a mailbox to one session. A place of the survey at which nothing can be asked is left alone.
pub(in crate::runner) async fn observe(governor: &Arc<Governor>, target: usize, survey: &Survey) -> Observed {
    let Some(gate) = governor.gates.get(target) else { return Observed::default() };
    let mut asking = JoinSet::new();
    for (at, endpoint) in gate.target.endpoints.iter().cloned().enumerate() {
        let unreachable = survey.unreachable((target, endpoint.protocol, endpoint.security)).map(first_line);
        let governor = Arc::clone(governor);
        asking.spawn(async move {
            let gate = governor.gates.get(target)?;
            Some((at, before_login(gate, &endpoint, unreachable).await))
        });
    }
    let mut found: Vec<(usize, ObservedEndpoint)> = asking.join_all().await.into_iter().flatten().collect();
    found.sort_by_key(|(at, _)| *at);
    let mut observed = Observed::default();
    for ((_, mut seen), endpoint) in found.into_iter().zip(&gate.target.endpoints) {
        seen.after_login = after_login(gate, endpoint, seen.login_capabilities()).await;
        observed.endpoints.push(seen);
    }
    observed
}

/// What can be observed of an endpoint without a login that succeeds.
async fn before_login(gate: &Gate, endpoint: &Endpoint, unreachable: Option<String>) -> ObservedEndpoint {
    let Endpoint { protocol, security, .. } = *endpoint;
    if let Some(reason) = unreachable {
        return ObservedEndpoint {
            protocol,
            security,
            before_tls: Observation::Failed(reason.clone()),
            within_tls: Observation::Failed(reason.clone()),
            after_login: Observation::Failed(reason.clone()),
            oldest_tls: Observation::Failed(reason.clone()),
            plaintext_passwords: Observation::Failed(reason),
        };
    }
    let from = From { source: source(endpoint), certified: None };
    let deadlines = gate.deadlines();
    let state = |state: SessionState, over: Security| async move {
        if !state.fits(security) {
            return Observation::NotApplicable;
        }
        capabilities(&gate.target, endpoint, over, from, deadlines).await
    };
    let (before_tls, within_tls, oldest_tls) = tokio::join!(
        state(SessionState::BeforeTls, Security::Plaintext),
        state(SessionState::WithinTls, security),
        oldest_tls(&gate.target, endpoint, deadlines),
    );
    let plaintext_passwords =
        plaintext_passwords(&gate.target, endpoint, &before_tls, from, gate.long_deadlines()).await;
    let after_login = Observation::NotApplicable;
    ObservedEndpoint { protocol, security, before_tls, within_tls, after_login, oldest_tls, plaintext_passwords }
}

/// The source address of the connections: always the same, and on this machine another than the server's own. Dovecot, for
/// example, takes a password in plaintext from its own address, and from no other.
fn source(endpoint: &Endpoint) -> Option<Ipv4Addr> {
    endpoint.is_loopback().then_some(Ipv4Addr::new(127, 0, 0, 2))
}

/// What an endpoint says that it can do before the login, over a connection with this security.
async fn capabilities(
    target: &Target,
    endpoint: &Endpoint,
    over: Security,
    from: From<'_>,
    deadlines: Deadlines,
) -> Observation<Vec<String>> {
    match open(target, endpoint, over, from, deadlines).await {
        Ok(connection) => {
            let session = Session::survey(endpoint.protocol, over);
            surveyed(connection.converse(session, deadlines).await.outcome, target)
        }
        Err(error) => Observation::Failed(first_line(&error.reason())),
    }
}

/// The same after a login with the account of the sanity login. The password travels as the target file declares.
async fn after_login(gate: &Gate, endpoint: &Endpoint, offered: &Observation<Vec<String>>) -> Observation<Vec<String>> {
    let Endpoint { protocol, security, .. } = *endpoint;
    let offered = match offered {
        Observation::Seen(words) => words,
        other => return other.clone(),
    };
    let is_usable = |mechanism: &Mechanism| {
        gate.target.dialect.mechanisms.contains(mechanism)
            && mechanism.fits(protocol)
            && offers_mechanism(protocol, *mechanism, offered)
    };
    let mechanism = MECHANISMS.iter().copied().find(is_usable);
    let Some((login, _)) = mechanism.and_then(|mechanism| plainest_login(&gate.target, protocol, mechanism, None))
    else {
        return Observation::Failed("no account can log in by a mechanism that is offered".to_string());
    };
    let fresh = match fresh() {
        Ok(fresh) => fresh,
        Err(reason) => return Observation::Failed(reason),
    };
    let from = From { source: source(endpoint), certified: None };
    let deadlines = gate.long_deadlines();
    match open(&gate.target, endpoint, security, from, deadlines).await {
        Ok(connection) => {
            let session = Session::survey_after_login(Login { security, fresh, ..login });
            surveyed(connection.converse(session, deadlines).await.outcome, &gate.target)
        }
        Err(error) => Observation::Failed(first_line(&error.reason())),
    }
}

fn surveyed(outcome: Outcome, target: &Target) -> Observation<Vec<String>> {
    match outcome {
        // The words are printable ASCII: the machine has left out what is not.
        Outcome::Surveyed(words) => {
            let words = words.iter().map(|word| String::from_utf8_lossy(word).into_owned());
            let redactor = redactor(target);
            let is_clean = |word: &String| redactor.redact_text(word) == *word;
            Observation::Seen(words.filter(|word| !target.lacks.contains(word) && is_clean(word)).collect())
        }
        Outcome::NotOffered(what) => Observation::NotOffered(what.to_string()),
        other => Observation::Failed(describe(&other)),
    }
}

/// Finds every password of a target, as it is and in upper case: in capabilities, a server may repeat one so.
pub(in crate::runner) fn redactor(target: &Target) -> Redactor {
    let mut secrets = target.directory.secrets();
    let upper: Vec<Password> =
        secrets.iter().map(|secret| Password::new(secret.expose().to_ascii_uppercase())).collect();
    secrets.extend(upper);
    Redactor::new(&secrets)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}
