//! Logins that should work: the one that is tried at the begin and again and again, and those that keep an account from
//! being locked.

use std::sync::atomic::Ordering;

use super::director::Director;
use super::ground::Ground;
use super::ways_in::{WayIn, ways, ways_of};
use crate::protocol::{Login, Outcome, Session};
use crate::runner::{AtRisk, Gate, GoodLogin, NOBODYS_PASSWORD, fresh};
use crate::scenario::describe;
use crate::secret::Password;
use crate::transport::{Conversation, Deadlines, connect, converse};

/// How often a good login that is lost on the way is tried.
const TRIES: usize = 3;

impl Director {
    /// Looks for a good login that works, and remembers it. An error says what the plainest comes to where none does.
    pub async fn find_good_login(&self, target: usize) -> Result<(), String> {
        let Some(((ground, gate), good)) =
            self.grounds.get(target).zip(self.governor.gates.get(target)).zip(self.good.get(target))
        else {
            return Ok(());
        };
        let mut first = None;
        // Where nobody can log in by name and password there is nothing to go by.
        for way in ways(ground) {
            // A right login that is refused counts for its account as a wrong password does.
            let account = ground.target.directory.accounts.iter().position(|account| account.role == way.role);
            let at_risk: Vec<AtRisk> = account.into_iter().map(AtRisk::one).collect();
            let no_better = |_| -> GoodLogin<'_> { Box::pin(async { Err("its good login was refused".to_string()) }) };
            let charges = match gate.lockout.acquire(&at_risk, &no_better).await {
                Ok(charges) => charges,
                Err(reason) => {
                    first = first.or(Some(reason.to_string()));
                    continue;
                }
            };
            match self.take_patiently(ground, gate, &way).await {
                Ok(()) => {
                    for charge in charges {
                        charge.refund();
                    }
                    self.learn_refusal(ground, gate, &way).await;
                    let _ = good.set(way);
                    return Ok(());
                }
                Err(LoginError::Refused(reason) | LoginError::Lost(reason)) => first = first.or(Some(reason)),
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Whether the good login still works; an error says what it came to.
    pub async fn canary(&self, target: usize) -> Result<(), String> {
        let place = self.grounds.get(target).zip(self.governor.gates.get(target));
        match place.zip(self.good.get(target).and_then(|good| good.get())) {
            Some(((ground, gate), way)) => {
                // Whoever is alone with the server may start it anew.
                let _shared = gate.among_others().await;
                self.take_patiently(ground, gate, way).await.map_err(|error| error.to_string())
            }
            None => Ok(()),
        }
    }

    /// Logs an account in as it should be, so that its server forgets its wrong passwords.
    pub(super) async fn log_in_well(&self, ground: &Ground, gate: &Gate, account: usize) -> Result<(), String> {
        let account = ground.target.directory.accounts.get(account);
        let way = account.and_then(|account| ways_of(ground, account, false).into_iter().next());
        let way = way.ok_or("there is no login by name and password that opens its mailbox")?;
        self.take(ground, gate, &way).await.map_err(|error| error.to_string())
    }

    /// What was lost on the way may come another time; a refusal is one, and the next may lock the account.
    async fn take_patiently(&self, ground: &Ground, gate: &Gate, way: &WayIn) -> Result<(), LoginError> {
        for _ in 1..TRIES {
            match self.take(ground, gate, way).await {
                Err(LoginError::Lost(_)) => {}
                other => return other,
            }
        }
        self.take(ground, gate, way).await
    }

    async fn take(&self, ground: &Ground, gate: &Gate, way: &WayIn) -> Result<(), LoginError> {
        let account = ground.target.directory.accounts.iter().find(|account| account.role == way.role);
        let account = account.ok_or_else(|| LoginError::Lost("there is no such account any more".to_string()))?;
        let found = self.log_in(ground, gate, way, &way.name, account.password.clone()).await?;
        match found.outcome {
            Outcome::Opened { .. } => Ok(()),
            refused @ (Outcome::Rejected(_) | Outcome::Bad(_)) => Err(LoginError::Refused(describe(&refused))),
            other => Err(LoginError::Lost(describe(&other))),
        }
    }

    /// Has nobody log in, to see how long the server takes to refuse: some take their time, and that is no silence.
    async fn learn_refusal(&self, ground: &Ground, gate: &Gate, way: &WayIn) {
        let password = Password::new(NOBODYS_PASSWORD);
        let Ok(found) = self.log_in(ground, gate, way, b"nobody-of-this-name", password).await else { return };
        if let (Outcome::Rejected(_), Some(took)) = (&found.outcome, found.transcript.slowest_answer()) {
            gate.learn_refusal(took);
        }
    }

    async fn log_in(
        &self,
        ground: &Ground,
        gate: &Gate,
        way: &WayIn,
        name: &[u8],
        password: Password,
    ) -> Result<Conversation, LoginError> {
        let place = ground
            .place(way.protocol, way.security)
            .ok_or_else(|| LoginError::Lost("its port is not there any more".to_string()))?;
        let login = Login::new(way.protocol, way.mechanism, name, password);
        let login = Login { security: way.security, fresh: fresh().map_err(LoginError::Lost)?, ..login };
        let tls = ground.target.tls_client(&place.endpoint, None).ok();
        let deadlines = gate.deadlines();
        let deadlines = Deadlines { reply: deadlines.reply.max(self.base.reply * 4), ..deadlines };
        let address = &place.endpoint.address;
        let stream = connect(address, None, deadlines.connect).await;
        let stream = stream.map_err(|error| LoginError::Lost(format!("{address}: {error}")))?;
        self.had.fetch_add(1, Ordering::Relaxed);
        Ok(converse(stream, Session::login(login), deadlines, tls.as_ref(), way.security).await)
    }
}

/// Why a good login did not work.
#[derive(Debug, thiserror::Error)]
enum LoginError {
    /// It was refused.
    #[error("{0}")]
    Refused(String),
    /// There was no answer to it.
    #[error("{0}")]
    Lost(String),
}
