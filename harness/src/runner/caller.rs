//! Conversations with one endpoint of a target, secured as a case wants them and governed as the target needs it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::challenge;
use super::connection::{From, open};
use super::doubt::Doubt;
use super::fresh::fresh;
use super::governor::Gate;
use super::health::LockedOut;
use super::pacing::{BudgetError, GoodLogin, accounts_at_risk};
use super::place::Place;
use super::question::{Request, opens_by_dialect};
use super::sanity::{GoodLoginError, good_login};
use super::survey::Survey;
use crate::axes::{Mechanism, Security};
use crate::protocol::{Login, Outcome, Session, Stage};
use crate::scenario::describe;
use crate::target::{Endpoint, Target};
use crate::transport::{Conversation, Deadlines};

/// The pauses between the attempts that confirm a ban.
const CONFIRMATION: &[Duration] = &[Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3)];

/// Has conversations with one endpoint, each on a connection of its own.
pub(super) struct Caller<'c> {
    pub target: &'c Target,
    pub endpoint: &'c Endpoint,
    pub security: Security,
    pub place: Place,
    /// The role that logs in.
    pub role: &'c str,
    /// The role whose client certificate is shown, where one is.
    pub certified: Option<&'c str>,
    pub gate: &'c Gate,
    pub pass: Pass,
    pub survey: &'c Survey,
    pub conversations: &'c AtomicUsize,
}

/// How much is done to make sure that an answer is the server's own doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Many ask at once, and what is doubtful is put off.
    First,
    /// One asks at a time, only for as long as it takes to see whether the server spins.
    Briefly,
    /// What another session may have kept from its mailbox is asked again, one session of a mailbox at a time.
    InTurn,
    /// Only what was doubtful is asked again, side by side, when nobody else asks any more.
    Together,
    /// One asks at a time, with an eye on the server where we can look into it.
    Alone,
}

/// A conversation, and what is to be thought of it.
pub(super) struct Answer {
    pub conversation: Conversation,
    /// What was seen of the server meanwhile, where that was remarkable.
    pub process: Option<String>,
    /// What may be the fault of others still.
    pub doubt: Option<Doubt>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// There was no conversation at all, for this reason.
    Reason(String),
    /// The case is not asked because its conversation would break the lockout budget.
    BeyondBudget {
        /// How many wrong passwords it would send in a row.
        failures: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// It is to be asked again later.
    PutOff(PutOff),
}

/// What came of a case that is to be asked again.
#[derive(Debug, Clone, Copy)]
pub(super) struct PutOff {
    /// The outcome's word, where there was a conversation.
    pub word: Option<&'static str>,
    pub doubt: Doubt,
    /// Whether the server answered anything after its greeting.
    pub was_answered: bool,
}

impl std::convert::From<String> for NoAnswer {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
    }
}

impl std::convert::From<BudgetError> for NoAnswer {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::TooMany { failures, limit } => Self::BeyondBudget { failures, limit },
            BudgetError::Stopped(reason) => Self::Reason(reason),
        }
    }
}

impl std::convert::From<Conversation> for Answer {
    fn from(conversation: Conversation) -> Self {
        Self { conversation, process: None, doubt: None }
    }
}

impl Caller<'_> {
    /// One conversation that can be believed, as far as this pass goes.
    pub async fn ask(&self, request: &Request) -> Result<Answer, NoAnswer> {
        if self.gate.is_idle() {
            return Ok(self.once(request, self.gate.deadlines()).await.map(Answer::from)?);
        }
        let lockout = &self.gate.lockout;
        let at_risk = match lockout.is_unlimited() {
            true => Vec::new(),
            false => accounts_at_risk(self.target, request, self.role),
        };
        let log_in = |account| -> GoodLogin<'_> { Box::pin(self.log_in_well(account)) };
        let permits = lockout.acquire(&at_risk, &log_in).await?;
        let answer = match self.pass {
            Pass::First | Pass::InTurn | Pass::Together => self.ask_among_others(request).await,
            Pass::Briefly | Pass::Alone => self.ask_alone(request).await,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(no_answer) => {
                self.confirm_ban().await?;
                return Err(no_answer);
            }
        };
        // The server had no password to count: it does not offer the mechanism, or takes none over this connection.
        let outcome = answer.conversation.outcome.clone().without_refusals_for_protection(self.security);
        if matches!(outcome, Outcome::NotOffered(_)) {
            permits.into_iter().for_each(|permit| permit.refund());
        } else {
            drop(permits);
        }
        self.confirm_lock(request, &answer.conversation.outcome).await?;
        Ok(answer)
    }

    /// The same on two connections, for a look at the challenges.
    pub async fn ask_twice(&self, request: &Request, mechanism: Mechanism) -> Result<Answer, NoAnswer> {
        let first = self.ask(request).await?;
        let second = self.ask(request).await?;
        let mut conversation = challenge::compare(&first.conversation, second.conversation, mechanism);
        conversation.took += first.conversation.took;
        Ok(Answer { conversation, process: first.process.or(second.process), doubt: first.doubt.or(second.doubt) })
    }

    /// One conversation as it comes, with nonces of its own.
    pub async fn once(&self, request: &Request, deadlines: Deadlines) -> Result<Conversation, String> {
        let session = match request {
            Request::Login(login) => {
                // The survey asked already: one round trip less, where the greeting does not say it either.
                let known_capabilities = if self.gate.is_idle() { None } else { self.survey.capabilities(self.place) };
                Session::login(Login { fresh: fresh()?, known_capabilities, ..login.clone() })
            }
            Request::Dialogue(steps) => Session::dialogue(self.endpoint.protocol, self.security, steps.clone()),
        };
        let from = From { source: self.gate.source(self.place), certified: self.certified };
        let connection = match open(self.target, self.endpoint, self.security, from, deadlines).await {
            Ok(connection) => connection,
            Err(error) => {
                self.gate.access.note_refused();
                return Err(error.reason());
            }
        };
        self.conversations.fetch_add(1, Ordering::Relaxed);
        let conversation = connection.converse(session, deadlines).await;
        match self.is_greeted(&conversation.outcome) {
            true => self.gate.access.note_accepted(),
            false => _ = self.gate.access.note_refused(),
        }
        self.gate.learn(&conversation.transcript);
        Ok(conversation)
    }

    /// Whether the server talked to us at all: before the greeting it may also end a TLS handshake.
    fn is_greeted(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Closed { stage: Stage::Greeting, .. } | Outcome::NoAnswer(Stage::Greeting) => false,
            Outcome::TlsFailed(_) => self.security != Security::Tls,
            _ => true,
        }
    }

    /// A good login as an account, so that its next failed login is the first in a row again.
    async fn log_in_well(&self, account: usize) -> Result<(), String> {
        self.conversations.fetch_add(1, Ordering::Relaxed);
        match good_login(self.gate, account, self.place, self.survey).await {
            Ok(()) => Ok(()),
            Err(error) => {
                if let GoodLoginError::Refused(refusal) = &error {
                    self.note_locked(account, refusal);
                }
                Err(error.to_string())
            }
        }
    }

    /// Finds out whether the server bans this address, if it refused several connections in a row: tries a few more, with
    /// no other connection open, and stops asking if none is accepted.
    async fn confirm_ban(&self) -> Result<(), NoAnswer> {
        let access = &self.gate.access;
        if access.is_suspicious() && access.locked_out().is_none() {
            let _one = access.confirming.lock().await;
            // Another worker may have found out meanwhile.
            if access.is_suspicious() && access.locked_out().is_none() {
                let _alone = self.gate.alone().await;
                self.try_to_connect().await;
            }
        }
        match access.locked_out() {
            Some(why) => Err(NoAnswer::Reason(why.to_string())),
            None => Ok(()),
        }
    }

    async fn try_to_connect(&self) {
        let access = &self.gate.access;
        let mut last = String::new();
        for pause in CONFIRMATION {
            tokio::time::sleep(*pause).await;
            self.conversations.fetch_add(1, Ordering::Relaxed);
            let from = From { source: self.gate.source(self.place), certified: None };
            let deadlines = self.gate.deadlines();
            last = match open(self.target, self.endpoint, self.security, from, deadlines).await {
                Err(error) => error.reason().lines().next().unwrap_or_default().to_string(),
                Ok(connection) => {
                    let session = Session::survey(self.endpoint.protocol, self.security);
                    let outcome = connection.converse(session, deadlines).await.outcome;
                    if self.is_greeted(&outcome) {
                        return access.note_accepted();
                    }
                    describe(&outcome)
                }
            };
        }
        let address = self.endpoint.address.clone();
        access.stop(LockedOut::Banned { address, accepted: access.accepted(), last });
    }

    /// Finds out whether an account is locked, if a login that must work was refused after wrong passwords: tries the
    /// login that worked before, and stops asking if it is refused.
    async fn confirm_lock(&self, request: &Request, outcome: &Outcome) -> Result<(), NoAnswer> {
        let lockout = &self.gate.lockout;
        let is_suspicious = match (request, outcome) {
            (Request::Login(login), Outcome::Rejected(_)) => opens_by_dialect(self.target, login),
            (Request::Dialogue(_), Outcome::Diverged { .. }) => true,
            _ => false,
        };
        let account = self.target.directory.accounts.iter().position(|account| account.role == self.role);
        if let Some(account) = account.filter(|account| is_suspicious && lockout.may_be_locked(*account)) {
            let _one = self.gate.access.confirming.lock().await;
            if self.gate.access.locked_out().is_none() {
                // An error that is no refusal says nothing of a lock.
                let _ = self.log_in_well(account).await;
            }
        }
        match self.gate.access.locked_out() {
            Some(why @ LockedOut::AccountLocked { .. }) if is_suspicious => Err(NoAnswer::Reason(why.to_string())),
            _ => Ok(()),
        }
    }

    fn note_locked(&self, account: usize, refusal: &str) {
        let role = self.target.directory.accounts.get(account).map(|account| account.role.clone());
        self.gate.access.stop(LockedOut::AccountLocked {
            role: role.unwrap_or_default(),
            wrong_passwords: self.gate.lockout.sent(account),
            refusal: refusal.to_string(),
        });
    }
}
