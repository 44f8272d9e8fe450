//! Has conversations had as their target needs it: so many at once, within the budget of wrong passwords, with an eye
//! on the server where we can look into it.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::future::join_all;
use tokio::sync::{RwLockWriteGuard, Semaphore};

use super::conversation::{Conversation, Said};
use super::course::Course;
use super::ground::Ground;
use super::heard::{Answer, Answered};
use super::scene::{Scene, perform};
use super::ways_in::WayIn;
use crate::axes::{Protocol, Security};
use crate::runner::{AtRisk, Gate, GoodLogin, Governor};
use crate::scenario::{Piece, Template};
use crate::transport::Deadlines;

/// Sees to it that conversations are had.
pub(super) struct Director {
    pub grounds: Vec<Arc<Ground>>,
    pub governor: Governor,
    pub base: Deadlines,
    next_source: AtomicU32,
    /// How many conversations were had, whatever for.
    pub had: AtomicU64,
    /// How many conversations are had alone: whoever has one sees to the server.
    alone: AtomicU32,
    /// What servers have suffered that nobody was told of yet, by the target's index.
    harm: Mutex<Vec<(usize, String)>>,
    /// The good login of each target that was let in at the begin.
    pub good: Vec<OnceLock<WayIn>>,
}

impl Director {
    pub fn new(grounds: Vec<Arc<Ground>>, deadlines: Deadlines, jobs: usize) -> Self {
        let targets: Vec<_> = grounds.iter().map(|ground| Arc::clone(&ground.target)).collect();
        let governor = Governor::new(&targets, deadlines, jobs, true);
        let good = grounds.iter().map(|_| OnceLock::new()).collect();
        Self {
            grounds,
            governor,
            base: deadlines,
            next_source: AtomicU32::new(0),
            had: AtomicU64::new(0),
            alone: AtomicU32::new(0),
            harm: Mutex::default(),
            good,
        }
    }

    /// Which processes there are before anything is asked.
    pub async fn note_baselines(&self) {
        for gate in &self.governor.gates {
            gate.note_baseline().await;
        }
    }

    /// One conversation among others. A silence is not waited for as long where we can look into the server, for there it
    /// is seen in the end who is silent for ever.
    pub async fn perform(&self, conversation: &Conversation, nonce: [u8; 16]) -> Result<Scene, String> {
        let (ground, gate) = self.place(conversation)?;
        if gate.is_idle() {
            return self.once(ground, gate, conversation, nonce, gate.deadlines()).await;
        }
        let _turn = gate.enter().await;
        let is_known = self.had.load(Ordering::Relaxed) >= ACQUAINTED;
        let is_short = is_known && ground.target.is_watched();
        let deadlines = if is_short { gate.short_deadlines() } else { gate.deadlines() };
        self.charged_once(ground, gate, conversation, nonce, deadlines).await
    }

    /// Conversations with nobody else at the same time, all at once; tells what became of the server where that is
    /// remarkable. They have the same target.
    pub async fn perform_alone(
        &self,
        conversations: &[(&Conversation, [u8; 16])],
    ) -> Result<(Vec<Scene>, Option<String>), String> {
        let [(first, _), ..] = conversations else { return Ok((Vec::new(), None)) };
        let (ground, gate) = self.place(first)?;
        let room = Semaphore::new(gate.room().max(1));
        let had = async |deadlines: Deadlines| {
            let had = conversations.iter().map(async |(conversation, nonce)| {
                // It is never closed, so there is no error.
                let _room = room.acquire().await.ok();
                self.charged_once(ground, gate, conversation, *nonce, deadlines).await
            });
            join_all(had).await.into_iter().collect::<Result<Vec<_>, _>>()
        };
        if gate.is_idle() {
            return Ok((had(gate.deadlines()).await?, None));
        }
        let _alone = self.alone(first.target).await?;
        let Some(before) = gate.look().await else { return Ok((had(gate.deadlines()).await?, None)) };
        // Whoever spins shows it at once; the others get all the time that they need below.
        let mut scenes = had(gate.short_deadlines()).await?;
        let mut incident = gate.incident(&before).await?;
        if incident.is_none() && scenes.iter().any(|scene| scene.unanswered().is_some()) {
            scenes = had(gate.deadlines()).await?;
            incident = gate.incident(&before).await?;
        }
        Ok((scenes, incident))
    }

    /// Keeps everybody else from a target, and makes it fit.
    pub async fn alone(&self, target: usize) -> Result<Alone<'_>, String> {
        let gate = self.governor.gates.get(target).ok_or(NO_TARGET)?;
        let guard = gate.alone().await;
        self.alone.fetch_add(1, Ordering::Relaxed);
        let alone = Alone { count: &self.alone, _guard: guard };
        if let Some(harm) = gate.make_fit().await? {
            // Others did it, and somebody has to find out who.
            self.harm.lock().unwrap_or_else(PoisonError::into_inner).push((target, harm));
        }
        Ok(alone)
    }

    /// One conversation, as soon as the budgets of those who are named in it have room for it.
    async fn charged_once(
        &self,
        ground: &Arc<Ground>,
        gate: &Gate,
        conversation: &Conversation,
        nonce: [u8; 16],
        deadlines: Deadlines,
    ) -> Result<Scene, String> {
        let log_in = |account| -> GoodLogin<'_> { Box::pin(self.log_in_well(ground, gate, account)) };
        let at_risk: Vec<AtRisk> = charged(ground, conversation).into_iter().map(AtRisk::one).collect();
        let _permits = gate.lockout.acquire(&at_risk, &log_in).await.map_err(|error| error.to_string())?;
        self.once(ground, gate, conversation, nonce, deadlines).await
    }

    async fn once(
        &self,
        ground: &Arc<Ground>,
        gate: &Gate,
        conversation: &Conversation,
        nonce: [u8; 16],
        deadlines: Deadlines,
    ) -> Result<Scene, String> {
        self.had.fetch_add(1, Ordering::Relaxed);
        let scene = perform(ground, conversation, deadlines, self.source(ground, conversation), nonce).await?;
        gate.learn(&scene.heard.transcript);
        Ok(scene)
    }

    /// Sees to it that no account named in a conversation is close to its limit: somebody else keeps count from here on.
    pub async fn settle(&self, conversation: &Conversation) -> Result<(), String> {
        let (ground, gate) = self.place(conversation)?;
        for account in charged(ground, conversation) {
            self.log_in_well(ground, gate, account).await?;
        }
        Ok(())
    }

    /// Sees to servers that we can look into: starts what has ended, ends what spins. Tells what they have suffered, by
    /// the target's index.
    pub async fn see_to_servers(&self) -> Vec<(usize, String)> {
        let mut told = std::mem::take(&mut *self.harm.lock().unwrap_or_else(PoisonError::into_inner));
        // What spins under somebody's eyes is not to be taken away.
        if self.alone.load(Ordering::Relaxed) > 0 {
            return told;
        }
        for (index, (gate, ground)) in self.governor.gates.iter().zip(&self.grounds).enumerate() {
            if !ground.target.is_watched() {
                continue;
            }
            let before = gate.runaways.load(Ordering::Relaxed);
            gate.end_runaways().await;
            if gate.runaways.load(Ordering::Relaxed) > before {
                told.push((index, "a process spun and was ended".to_string()));
            }
            match gate.revive().await {
                Ok(false) => {}
                Ok(true) => told.push((index, "the server ended and was started anew".to_string())),
                Err(reason) => told.push((index, reason)),
            }
        }
        told
    }

    fn place(&self, conversation: &Conversation) -> Result<(&Arc<Ground>, &Gate), String> {
        let found = self.grounds.get(conversation.target).zip(self.governor.gates.get(conversation.target));
        found.ok_or_else(|| NO_TARGET.to_string())
    }

    /// One loopback address after the other, so that neither ports nor a server's patience with one address run out.
    fn source(&self, ground: &Ground, conversation: &Conversation) -> Option<Ipv4Addr> {
        let is_here =
            ground.places.iter().any(|place| place.protocol == conversation.protocol && place.endpoint.is_loopback());
        let number = self.next_source.fetch_add(1, Ordering::Relaxed);
        is_here.then(|| Ipv4Addr::from(0x7f01_0000 + number % 0x00fe_ffff))
    }
}

/// After so many conversations it is known how long a server takes to refuse.
const ACQUAINTED: u64 = 200;

const NO_TARGET: &str = "there is no such target";

/// Nobody else has a conversation with a target as long as this is kept.
pub(super) struct Alone<'d> {
    count: &'d AtomicU32,
    _guard: RwLockWriteGuard<'d, ()>,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Chance for clients' nonces, the same for the same seed and number.
pub(super) fn nonce(seed: u64, number: u64) -> [u8; 16] {
    fastrand::Rng::with_seed(seed.rotate_left(17) ^ number).u128(..).to_le_bytes()
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
