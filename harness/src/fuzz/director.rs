//! Has conversations had as their target needs it: so many at once, within the budget of wrong passwords, with an eye
//! on the server where we can look into it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::conversation::{Conversation, Said};
use super::course::Course;
use super::ground::Ground;
use super::heard::{Answer, Answered};
use super::scene::{Scene, perform};
use crate::axes::{Mechanism, Protocol, Security};
use crate::protocol::{Login, Outcome, Session};
use crate::runner::{Gate, GoodLogin, Governor, fresh, plainest_login};
use crate::scenario::{Piece, Template, describe};
use crate::transport::{Deadlines, connect, converse};

/// Sees to it that conversations are had.
pub(super) struct Director {
    pub grounds: Vec<Arc<Ground>>,
    governor: Governor,
    base: Deadlines,
    next_source: AtomicU32,
    /// How many conversations were had, whatever for.
    pub had: AtomicU64,
    /// How many conversations are had alone: whoever has one sees to the server.
    alone: AtomicU32,
}

impl Director {
    pub fn new(grounds: Vec<Arc<Ground>>, deadlines: Deadlines, jobs: usize) -> Self {
        let targets: Vec<_> = grounds.iter().map(|ground| Arc::clone(&ground.target)).collect();
        let governor = Governor::new(&targets, deadlines, jobs, true);
        Self {
            grounds,
            governor,
            base: deadlines,
            next_source: AtomicU32::new(0),
            had: AtomicU64::new(0),
            alone: AtomicU32::new(0),
        }
    }

    /// Which processes there are before anything is asked.
    pub async fn note_baselines(&self) {
        for gate in &self.governor.gates {
            gate.note_baseline().await;
        }
    }

    /// One conversation among others.
    pub async fn perform(&self, conversation: &Conversation, nonce: [u8; 16]) -> Result<Scene, String> {
        let (ground, gate) = self.place(conversation)?;
        if gate.is_idle() {
            return self.once(ground, gate, conversation, nonce).await;
        }
        let _turn = gate.enter().await;
        let log_in = |account| -> GoodLogin<'_> { Box::pin(self.log_in_well(ground, gate, account)) };
        let _charges = gate.ledger.charge(&charged(ground, conversation), &log_in).await?;
        self.once(ground, gate, conversation, nonce).await
    }

    /// One conversation with nobody else at the same time; tells what became of the server where that is remarkable.
    pub async fn perform_alone(
        &self,
        conversation: &Conversation,
        nonce: [u8; 16],
    ) -> Result<(Scene, Option<String>), String> {
        let (ground, gate) = self.place(conversation)?;
        if gate.is_idle() {
            return Ok((self.once(ground, gate, conversation, nonce).await?, None));
        }
        let log_in = |account| -> GoodLogin<'_> { Box::pin(self.log_in_well(ground, gate, account)) };
        let _charges = gate.ledger.charge(&charged(ground, conversation), &log_in).await?;
        self.alone.fetch_add(1, Ordering::Relaxed);
        let found = self.watched(ground, gate, conversation, nonce).await;
        self.alone.fetch_sub(1, Ordering::Relaxed);
        found
    }

    async fn watched(
        &self,
        ground: &Arc<Ground>,
        gate: &Gate,
        conversation: &Conversation,
        nonce: [u8; 16],
    ) -> Result<(Scene, Option<String>), String> {
        let _alone = gate.alone().await;
        gate.make_fit().await?;
        let before = gate.look().await;
        let scene = self.once(ground, gate, conversation, nonce).await?;
        let incident = match &before {
            Some(before) => gate.incident(before).await?,
            None => None,
        };
        Ok((scene, incident))
    }

    async fn once(
        &self,
        ground: &Arc<Ground>,
        gate: &Gate,
        conversation: &Conversation,
        nonce: [u8; 16],
    ) -> Result<Scene, String> {
        self.had.fetch_add(1, Ordering::Relaxed);
        let scene = perform(ground, conversation, gate.deadlines(), self.source(ground, conversation), nonce).await?;
        gate.learn(&scene.heard.transcript);
        Ok(scene)
    }

    /// Whether a good login works; an error says what it came to.
    pub async fn canary(&self, target: usize) -> Result<(), String> {
        let (Some(ground), Some(gate)) = (self.grounds.get(target), self.governor.gates.get(target)) else {
            return Ok(());
        };
        for _ in 1..TRIES {
            match self.good_login(ground, gate, None).await {
                // What was lost on the way may come another time; a refusal is one, and the next may lock the account.
                Err(GoodLoginError::Lost(_)) => {}
                // Where nobody can log in by name and password there is nothing to go by.
                Ok(()) | Err(GoodLoginError::NoWay) => return Ok(()),
                Err(GoodLoginError::Refused(reason)) => return Err(reason),
            }
        }
        self.good_login(ground, gate, None).await.map_err(|error| error.to_string())
    }

    /// Sees to it that no account named in a conversation is close to its limit: somebody else keeps count from here on.
    pub async fn settle(&self, conversation: &Conversation) -> Result<(), String> {
        let (ground, gate) = self.place(conversation)?;
        for account in charged(ground, conversation) {
            self.log_in_well(ground, gate, account).await?;
        }
        Ok(())
    }

    /// Sees to servers that we can look into: starts what has ended, ends what spins. Tells how many processes have spun.
    pub async fn see_to_servers(&self) -> Vec<String> {
        let mut told = Vec::new();
        // What spins under somebody's eyes is not to be taken away.
        if self.alone.load(Ordering::Relaxed) > 0 {
            return told;
        }
        for (gate, ground) in self.governor.gates.iter().zip(&self.grounds) {
            if !ground.target.is_watched() {
                continue;
            }
            let before = gate.runaways.load(Ordering::Relaxed);
            gate.end_runaways().await;
            if gate.runaways.load(Ordering::Relaxed) > before {
                told.push(format!("{}: a process spun and was ended", ground.target.name));
            }
            if let Err(reason) = gate.revive().await {
                told.push(format!("{}: {reason}", ground.target.name));
            }
        }
        told
    }

    fn place(&self, conversation: &Conversation) -> Result<(&Arc<Ground>, &Gate), String> {
        let found = self.grounds.get(conversation.target).zip(self.governor.gates.get(conversation.target));
        found.ok_or_else(|| "there is no such target".to_string())
    }

    /// One loopback address after the other, so that neither ports nor a server's patience with one address run out.
    fn source(&self, ground: &Ground, conversation: &Conversation) -> Option<Ipv4Addr> {
        let is_here =
            ground.places.iter().any(|place| place.protocol == conversation.protocol && place.endpoint.is_loopback());
        let number = self.next_source.fetch_add(1, Ordering::Relaxed);
        is_here.then(|| Ipv4Addr::from(0x7f01_0000 + number % 0x00fe_ffff))
    }

    async fn log_in_well(&self, ground: &Ground, gate: &Gate, account: usize) -> Result<(), String> {
        let role = ground.target.directory.accounts.get(account).map(|account| account.role.as_str());
        self.good_login(ground, gate, role).await.map_err(|error| error.to_string())
    }

    /// A login that should work, over the first place and mechanism by which there can be one.
    async fn good_login(&self, ground: &Ground, gate: &Gate, role: Option<&str>) -> Result<(), GoodLoginError> {
        let ways = ground.places.iter().flat_map(|place| [(place, Mechanism::Login), (place, Mechanism::Plain)]);
        let found = ways.into_iter().find_map(|(place, mechanism)| {
            let is_secured = place.security != Security::Plaintext;
            let is_offered = ground.offers(place.protocol, is_secured, mechanism) != Some(false);
            let login = plainest_login(&ground.target, place.protocol, mechanism, role).filter(|_| is_offered)?.0;
            Some((place, login))
        });
        let (place, login) = found.ok_or(GoodLoginError::NoWay)?;
        let login = Login { security: place.security, fresh: fresh().map_err(GoodLoginError::Lost)?, ..login };
        let tls = ground.target.tls_client(&place.endpoint, None).ok();
        let deadlines = Deadlines { reply: gate.deadlines().reply.max(self.base.reply * 4), ..gate.deadlines() };
        let address = &place.endpoint.address;
        let stream = connect(address, None, deadlines.connect).await;
        let stream = stream.map_err(|error| GoodLoginError::Lost(format!("{address}: {error}")))?;
        self.had.fetch_add(1, Ordering::Relaxed);
        let found = converse(stream, Session::login(login), deadlines, tls.as_ref(), place.security).await;
        match found.outcome {
            Outcome::Opened { .. } => Ok(()),
            refused @ (Outcome::Rejected(_) | Outcome::Bad(_)) => Err(GoodLoginError::Refused(describe(&refused))),
            other => Err(GoodLoginError::Lost(describe(&other))),
        }
    }
}

/// How often a good login that is lost is tried.
const TRIES: usize = 3;

/// Why a good login did not work.
#[derive(Debug, thiserror::Error)]
enum GoodLoginError {
    /// Nobody, or not this account, can log in by name and password.
    #[error("there is no login by name and password that opens its mailbox")]
    NoWay,
    /// It was refused.
    #[error("{0}")]
    Refused(String),
    /// There was no answer to it.
    #[error("{0}")]
    Lost(String),
}

/// The accounts, as indices in ascending order, that may be given a wrong password: all that are named in anything but
/// the one right login.
fn charged(ground: &Ground, conversation: &Conversation) -> Vec<usize> {
    if ground.target.limits.wrong_passwords.is_none() || is_right(ground, conversation) {
        return Vec::new();
    }
    let mut roles: Vec<&str> = Vec::new();
    let commands = conversation.commands.iter().chain(conversation.company.iter().flatten());
    for command in commands {
        match &command.said {
            Said::Login(attempt) => {
                roles.push(&attempt.role);
                note_roles(&attempt.name, &mut roles);
                attempt.authzid.iter().for_each(|authzid| note_roles(authzid, &mut roles));
            }
            Said::Lines(lines) => lines.iter().for_each(|line| note_roles(line, &mut roles)),
            Said::StartTls => {}
        }
    }
    let accounts = ground.target.directory.accounts.iter().enumerate();
    accounts.filter(|(_, account)| roles.contains(&account.role.as_str())).map(|(index, _)| index).collect()
}

fn note_roles<'t>(text: &'t Template, roles: &mut Vec<&'t str>) {
    for piece in text.pieces() {
        match piece {
            Piece::Value { role: Some(role), .. } => roles.push(role),
            Piece::Base64(inner) | Piece::Length(inner) => note_roles(inner, roles),
            _ => {}
        }
    }
}

/// Whether it is one login and nothing else, and must be let in.
fn is_right(ground: &Ground, conversation: &Conversation) -> bool {
    let [command] = conversation.commands.as_slice() else { return false };
    let unsaid = Answered {
        answer: Answer::Unsaid,
        challenges: Vec::new(),
        is_secured: conversation.security != Security::Plaintext,
        lines: Vec::new(),
        took: std::time::Duration::ZERO,
    };
    conversation.company.is_empty()
        && Course::new(conversation, ground).step(command, &unsaid).due.is_some_and(|due| due.must_open)
}

/// Keeps a conversation to one login, where each may be held against an account.
pub(super) fn keep_to_budget(ground: &Ground, conversation: &mut Conversation) {
    if ground.target.limits.wrong_passwords.is_none() {
        return;
    }
    conversation.company.clear();
    let protocol = conversation.protocol;
    let mut logins = 0;
    conversation.commands.retain(|command| {
        let is_login = match protocol {
            Protocol::Imap => !matches!(command.verb(protocol).as_str(), "CAPABILITY" | "NOOP" | "STARTTLS" | "ID"),
            Protocol::Pop3 => !matches!(command.verb(protocol).as_str(), "CAPA" | "NOOP" | "STLS" | "USER"),
        };
        logins += usize::from(is_login);
        !is_login || logins == 1
    });
}
