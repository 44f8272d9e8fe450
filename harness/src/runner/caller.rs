//! Conversations with one endpoint of a target, secured as a case wants them.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::challenge;
use super::connection::open;
use super::fresh::fresh;
use super::question::Request;
use crate::axes::{Mechanism, Security};
use crate::protocol::{Login, Session};
use crate::target::{Endpoint, Target};
use crate::transport::{Conversation, Deadlines};

/// Has conversations with one endpoint, each on a connection of its own.
pub(super) struct Caller<'c> {
    pub target: &'c Target,
    pub endpoint: &'c Endpoint,
    pub security: Security,
    /// The role whose client certificate is shown, where one is.
    pub certified: Option<&'c str>,
    pub deadlines: Deadlines,
    pub conversations: &'c AtomicUsize,
}

impl Caller<'_> {
    /// One conversation; an error says why there was none.
    pub async fn ask(&self, request: &Request) -> Result<Conversation, String> {
        match request {
            Request::Login(login) => self.log_in(login).await,
            Request::Dialogue(steps) => {
                self.call(Session::dialogue(self.endpoint.protocol, self.security, steps.clone())).await
            }
        }
    }

    /// The same on two connections, for a look at the challenges.
    pub async fn ask_twice(&self, request: &Request, mechanism: Mechanism) -> Result<Conversation, String> {
        let first = self.ask(request).await?;
        Ok(challenge::compare(&first, self.ask(request).await?, mechanism))
    }

    /// One login, with nonces of its own.
    pub async fn log_in(&self, login: &Login) -> Result<Conversation, String> {
        self.call(Session::login(Login { fresh: fresh()?, ..login.clone() })).await
    }

    async fn call(&self, session: Session) -> Result<Conversation, String> {
        let connection = open(self.target, self.endpoint, self.security, self.certified, self.deadlines).await;
        let connection = connection.map_err(|error| error.reason())?;
        self.conversations.fetch_add(1, Ordering::Relaxed);
        Ok(connection.converse(session, self.deadlines).await)
    }
}
