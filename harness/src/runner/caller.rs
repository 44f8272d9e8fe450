//! Conversations with one endpoint of a target, secured as a case wants them and governed as the target needs it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::challenge;
use super::charged::charged;
use super::connection::{From, open};
use super::doubt::Doubt;
use super::fresh::fresh;
use super::governor::Gate;
use super::ledger::{Charge, GoodLogin};
use super::place::Place;
use super::question::Request;
use super::sanity::good_login;
use super::survey::Survey;
use crate::axes::{Mechanism, Security};
use crate::protocol::{Login, Outcome, Session};
use crate::target::{Endpoint, Target};
use crate::transport::{Conversation, Deadlines};

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
    /// It is to be asked again later.
    PutOff(PutOff),
}

/// What came of a case that is to be asked again.
#[derive(Debug, Clone, Copy)]
pub(super) struct PutOff {
    /// The outcome's word, where there was a conversation.
    pub word: Option<&'static str>,
    pub doubt: Doubt,
}

impl std::convert::From<String> for NoAnswer {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
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
        let log_in = |account| -> GoodLogin<'_> { Box::pin(self.log_in_well(account)) };
        let ledger = &self.gate.ledger;
        let accounts = if ledger.is_unlimited() { Vec::new() } else { charged(self.target, request, self.role) };
        let charges = ledger.charge(&accounts, &log_in).await?;
        let answer = match self.pass {
            Pass::First | Pass::InTurn | Pass::Together => self.ask_among_others(request).await?,
            Pass::Briefly | Pass::Alone => self.ask_alone(request).await?,
        };
        // What the server did not even look at is no wrong password.
        if matches!(answer.conversation.outcome, Outcome::Bad(_) | Outcome::NotOffered(_)) {
            charges.into_iter().for_each(Charge::refund);
        }
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
            Request::Login(login) => Session::login(Login { fresh: fresh()?, ..login.clone() }),
            Request::Dialogue(steps) => Session::dialogue(self.endpoint.protocol, self.security, steps.clone()),
        };
        let from = From { source: self.gate.source(self.place), certified: self.certified };
        let connection = open(self.target, self.endpoint, self.security, from, deadlines).await;
        let connection = connection.map_err(|error| error.reason())?;
        self.conversations.fetch_add(1, Ordering::Relaxed);
        let conversation = connection.converse(session, deadlines).await;
        self.gate.learn(&conversation.transcript);
        Ok(conversation)
    }

    /// A good login as an account, so that its next wrong password is the first in a row again.
    async fn log_in_well(&self, account: usize) -> Result<(), String> {
        self.conversations.fetch_add(1, Ordering::Relaxed);
        good_login(self.gate, account, self.place, self.survey).await
    }
}
