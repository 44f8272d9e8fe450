//! The login that must work, before and after everything else: it tells a broken set-up from a finding.

use crate::axes::{Mechanism, Protocol, Security};
use crate::identity::{Access, advise, escape};
use crate::protocol::{Login, Outcome, Redactor, Session};
use crate::scenario::describe;
use crate::target::Target;
use crate::transport::{Deadlines, connect, converse};

/// What became of a sanity login.
pub(super) enum SanityResult {
    /// A mailbox opened, or the greeting came where there is no login that must work.
    Fine,
    /// The server is there, but the login did not work.
    Trouble(String),
    /// The server is not there, or does not greet.
    Unreachable(String),
}

/// Logs in with the account that is plainest to name. Before the run a server that does not greet is unreachable;
/// after it, that is trouble.
pub(super) async fn check(target: &Target, protocol: Protocol, deadlines: Deadlines) -> SanityResult {
    let Some(endpoint) = target.endpoint(protocol) else { return SanityResult::Fine };
    let stream = match connect(&endpoint.address, deadlines.connect).await {
        Ok(stream) => stream,
        Err(error) => {
            return SanityResult::Unreachable(format!(
                "failed to connect to {} ({protocol}): {error}",
                endpoint.address
            ));
        }
    };
    let Some((login, mailbox)) = plainest_login(target, protocol) else { return SanityResult::Fine };
    let redactor = Redactor::new(std::slice::from_ref(&login.password));
    let name = escape(&login.name);
    let conversation = converse(stream, Session::login(login), deadlines, None, Security::Plaintext).await;
    let outcome = redactor.redact_outcome(conversation.outcome);
    match &outcome {
        Outcome::Opened { mailbox: Some(opened), .. } if Some(opened) == mailbox.as_ref() => SanityResult::Fine,
        Outcome::NoAnswer(stage) | Outcome::Closed { stage, .. } | Outcome::Garbled { stage, .. }
            if *stage == crate::protocol::Stage::Greeting =>
        {
            SanityResult::Unreachable(format!(
                "{} ({protocol}) does not greet: {}",
                endpoint.address,
                describe(&outcome)
            ))
        }
        _ => {
            let transcript = conversation.transcript.render(&redactor);
            let indented: String = transcript.lines().map(|line| format!("\n    {line}")).collect();
            SanityResult::Trouble(format!(
                "the sanity login as `{name}` over {protocol} should have opened {}: {}{indented}",
                escape(mailbox.as_deref().unwrap_or_default()),
                describe(&outcome),
            ))
        }
    }
}

/// A login that works if anything does: the role for whom every assumption is right, else the first that can be named.
fn plainest_login(target: &Target, protocol: Protocol) -> Option<(Login, Option<Vec<u8>>)> {
    let mechanism = [Mechanism::Login, Mechanism::Plain, Mechanism::SaslLogin]
        .into_iter()
        .find(|mechanism| target.dialect.mechanisms.contains(mechanism))?;
    let access = Access { protocol, mechanism };
    let accounts = &target.directory.accounts;
    let same = accounts.iter().filter(|account| account.role == "same");
    let others = accounts.iter().filter(|account| account.role != "same" && !account.disabled);
    let (account, name) = same
        .chain(others)
        .find_map(|account| Some((account, advise(&target.dialect, &target.directory, account, access)?.1)))?;
    let login = Login::new(protocol, mechanism, name, account.password.clone());
    Some((login, account.mailbox.clone()))
}
