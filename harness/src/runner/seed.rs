//! Delivers a canary to the mailbox of each role, where somebody asked for it: the only thing that is ever written to a
//! server under test.
//!
//! One role after the other, so that a mailbox which opens for two of them is found out: the second finds the canary of
//! the first, and delivers nothing.

use std::io;

use super::advice::{self, words};
use super::connection::{From, open};
use super::fresh::fresh;
use super::place::Place;
use super::sanity::{mechanism, plainest_login};
use super::survey::{Survey, unreachable};
use crate::axes::{Protocol, Security};
use crate::identity::{Account, escape};
use crate::protocol::{Login, MarkedOctets, Outcome, Redactor, Session, canary_message};
use crate::scenario::{SkipReason, describe};
use crate::target::{Date, Target};
use crate::transport::{Conversation, Deadlines};

/// How canaries are delivered.
#[derive(Debug, Clone, Copy)]
pub struct SeedOptions {
    /// How long to wait for what.
    pub deadlines: Deadlines,
    /// Whether it is only looked what would be delivered.
    pub dry_run: bool,
}

/// What became of the mailbox of one role. Nothing in it holds a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeded {
    /// The role.
    pub role: String,
    /// The mailbox, in the notation for octets; nothing where the role has none.
    pub mailbox: Option<String>,
    /// What became of it.
    pub result: SeedResult,
}

/// What became of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeedResult {
    /// A canary was delivered, and a second login found it.
    Delivered,
    /// A canary would be delivered, if this were no dry run.
    Wanting,
    /// A canary was there, and the mailbox was left alone.
    AlreadyThere,
    /// Nothing was asked, for a reason that is no fault.
    Skipped(String),
    /// The mailbox has no canary that a run would find, for this reason.
    Failed(String),
}

/// Why no mailbox was asked for at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The target does not say where it speaks IMAP, or not in the way that is asked for.
    #[error("{0}; a canary is delivered over IMAP")]
    NoImap(SkipReason),
    /// Nobody is there to talk to.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// What became of a mailbox could not be told.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Delivers a canary to each role's mailbox that has none; tells what became of each the moment it is known.
pub async fn seed(
    target: &Target,
    options: SeedOptions,
    tell: &mut dyn FnMut(&Seeded) -> io::Result<()>,
) -> Result<(), SeedError> {
    let security = target.default_security.unwrap_or_else(|| strongest(target));
    let (endpoint, security) = target.endpoint(Protocol::Imap, Some(security)).map_err(SeedError::NoImap)?;
    let mut place = (0, Protocol::Imap, security);
    let mut survey = Survey::of_place(target, place, options.deadlines).await;
    if survey.refuses_plaintext(place) {
        place.2 = Security::Starttls;
        survey = Survey::of_place(target, place, options.deadlines).await;
    }
    if let Some(reason) = survey.unreachable(place) {
        return Err(SeedError::Unreachable(reason.to_string()));
    }
    if let Some(missing) = survey.not_secured(place) {
        return Err(SeedError::Unreachable(format!(
            "{} (imap) does not offer {missing}, and no password was sent without it; if it should travel unprotected, \
             say so: security = \"plaintext\" under [imap], or --security plaintext",
            endpoint.address
        )));
    }
    let seeder = Seeder { target, place, survey, options };
    let mut refused: Vec<&Account> = Vec::new();
    for account in &target.directory.accounts {
        let is_same = |other: &&Account| (&other.domain, &other.user) == (&account.domain, &account.user);
        let result = match refused.iter().find(|other| is_same(other)) {
            // One wrong password is enough: the next may lock the account.
            Some(other) => SeedResult::Failed(format!(
                "the same account was refused as the role `{}`, and is not tried again",
                other.role
            )),
            None => {
                let (result, is_refused) = seeder.seed(account).await;
                if is_refused {
                    refused.push(account);
                }
                result
            }
        };
        let mailbox = account.mailbox.as_deref().map(escape);
        tell(&Seeded { role: account.role.clone(), mailbox, result })?;
    }
    for mailbox in &target.directory.mailboxes {
        if let Some(role) = &mailbox.role {
            let reason = "no account has this mailbox, so nobody can log in to deliver there".to_string();
            let (role, mailbox) = (role.clone(), Some(escape(&mailbox.name)));
            tell(&Seeded { role, mailbox, result: SeedResult::Skipped(reason) })?;
        }
    }
    Ok(())
}

/// The strongest security for IMAP that the target names.
fn strongest(target: &Target) -> Security {
    let has = |security: &Security| {
        let mut endpoints = target.endpoints.iter().filter(|endpoint| endpoint.protocol == Protocol::Imap);
        endpoints.any(|endpoint| endpoint.security == *security)
    };
    [Security::Tls, Security::Starttls].into_iter().find(has).unwrap_or(Security::Plaintext)
}

/// What all roles have in common.
struct Seeder<'t> {
    target: &'t Target,
    place: Place,
    survey: Survey,
    options: SeedOptions,
}

impl Seeder<'_> {
    /// Delivers to one role's mailbox; tells too whether the server refused the login.
    async fn seed(&self, account: &Account) -> (SeedResult, bool) {
        let (login, mailbox, message) = match self.prepare(account) {
            Ok(prepared) => prepared,
            Err(result) => return (result, false),
        };
        let redactor = Redactor::new(&self.target.directory.secrets());
        let session = match self.options.dry_run {
            true => Session::login(login.clone()),
            false => Session::delivery(login.clone(), message),
        };
        let conversation = match self.converse(session).await {
            Ok(conversation) => conversation,
            Err(reason) => return (SeedResult::Failed(redactor.redact_text(&reason)), false),
        };
        match &conversation.outcome {
            Outcome::Opened { mailbox: Some(found), .. } if *found == mailbox => (SeedResult::AlreadyThere, false),
            Outcome::Opened { mailbox: Some(found), .. } => (wrong_mailbox(&redactor.redact(found), &mailbox), false),
            Outcome::Opened { mailbox: None, .. } => (SeedResult::Wanting, false),
            Outcome::Delivered => (self.verify(login, account, &redactor).await, false),
            outcome => {
                // Some servers say BAD to a wrong password.
                let is_refused = matches!(outcome, Outcome::Rejected(_) | Outcome::Bad(_));
                let trouble = trouble(&login.name, account, self.place.2, conversation, &redactor);
                (SeedResult::Failed(trouble), is_refused)
            }
        }
    }

    /// Who logs in, which mailbox should open, and the canary for it.
    fn prepare(&self, account: &Account) -> Result<(Login, Vec<u8>, Vec<u8>), SeedResult> {
        let skipped = |reason: &str| Err(SeedResult::Skipped(reason.to_string()));
        let failed = |reason: String| Err(SeedResult::Failed(reason));
        let Some(mailbox) = &account.mailbox else { return skipped("the account has no mailbox") };
        if account.disabled {
            return skipped("the account is disabled");
        }
        if self.target.directory.mailboxes.iter().any(|known| known.name == *mailbox && known.elsewhere) {
            return skipped("another server keeps the mailbox");
        }
        let Target { dialect, .. } = self.target;
        let mechanism = mechanism(self.target, self.place, &self.survey);
        let login =
            mechanism.and_then(|mechanism| plainest_login(self.target, Protocol::Imap, mechanism, Some(&account.role)));
        let Some((login, _)) = login else {
            return failed(format!(
                "no login name is known that opens it in the dialect {}: `loginspec explain NAME --dialect {}` shows how \
                 names are read",
                dialect.name, dialect.name
            ));
        };
        let fresh = match fresh() {
            Ok(fresh) => fresh,
            Err(reason) => return failed(reason),
        };
        let id: String = fresh.nonce.iter().map(|octet| format!("{octet:02x}")).collect();
        let Some(message) = canary_message(mailbox, &Date::today().in_message(), &id) else {
            return skipped("no header can hold the mailbox's name as it is, so no canary can tell it");
        };
        Ok((Login { security: self.place.2, fresh, ..login }, mailbox.clone(), message))
    }

    /// Logs in once more, as a run does: what counts is what a run finds.
    async fn verify(&self, login: Login, account: &Account, redactor: &Redactor) -> SeedResult {
        let again = match fresh() {
            Ok(fresh) => self.converse(Session::login(Login { fresh, ..login.clone() })).await,
            Err(reason) => Err(reason),
        };
        match again {
            Ok(conversation) => match &conversation.outcome {
                Outcome::Opened { mailbox: Some(found), .. } if Some(found) == account.mailbox.as_ref() => {
                    SeedResult::Delivered
                }
                _ => SeedResult::Failed(format!(
                    "a canary was delivered, but a second login does not find it; {}",
                    trouble(&login.name, account, self.place.2, conversation, redactor)
                )),
            },
            Err(reason) => SeedResult::Failed(format!(
                "a canary was delivered, but nobody could look whether it is there: {}",
                redactor.redact_text(&reason)
            )),
        }
    }

    async fn converse(&self, session: Session) -> Result<Conversation, String> {
        let (_, protocol, security) = self.place;
        let (endpoint, _) = self.target.endpoint(protocol, Some(security)).map_err(|reason| reason.to_string())?;
        let deadlines = self.options.deadlines;
        let connection = open(self.target, endpoint, security, From::default(), deadlines).await;
        let conversation = connection.map_err(|error| error.reason())?.converse(session, deadlines).await;
        match unreachable(endpoint, &conversation.outcome) {
            Some(reason) => Err(reason),
            None => Ok(conversation),
        }
    }
}

fn wrong_mailbox(found: &[u8], wanted: &[u8]) -> SeedResult {
    SeedResult::Failed(format!(
        "the canary in the mailbox that opens names {}, not {}: the login opens another mailbox than the target says, or \
         `mailbox` is wrong there; nothing was delivered",
        escape(found),
        escape(wanted)
    ))
}

/// What happened instead, the server's words, and every octet.
fn trouble(
    name: &MarkedOctets,
    account: &Account,
    security: Security,
    conversation: Conversation,
    redactor: &Redactor,
) -> String {
    let outcome = redactor.redact_outcome(conversation.outcome);
    let transcript = conversation.transcript.render(redactor);
    let advice = match &outcome {
        Outcome::Undelivered(reply) => {
            format!("{}; the account must be allowed to read its INBOX and to add messages there", words(reply))
        }
        other => advice::on_login(other, account, security),
    };
    let indented: String = transcript.lines().map(|line| format!("\n    {line}")).collect();
    format!("the login as `{}`: {}{advice}{indented}", name.shown(), describe(&outcome))
}
