//! The governor: so many connections at once as a server takes, deadlines that grow with what it was seen to need, and
//! a source address of its own for each connection where that is possible. A server that is slow to refuse, locks a
//! mailbox or takes few connections must not look as if it broke a rule.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit};

use super::health::{AccessWatch, SilenceWatch};
use super::pacing::{LockoutBudget, Secrets};
use super::place::Place;
use crate::axes::Protocol;
use crate::protocol::Transcript;
use crate::target::Target;
use crate::transport::Deadlines;

/// A server that takes at least so long to refuse does so on purpose.
pub(super) const ON_PURPOSE: Duration = Duration::from_millis(250);
/// For each such delay of a refusal there is room for as many connections again.
const IDLE: Duration = Duration::from_millis(50);
/// How many connections at once a server on this machine gets where nobody says otherwise.
const AT_HOME: usize = 100;
/// How many second looks at one another's heels must agree with the first before it is believed that the server does not
/// lock mailboxes, that its silence is no penalty, or that it is gone.
pub(super) const AGREE: u8 = 3;

/// There are never fewer connections at once than these because a server did not take one.
const FEW: usize = 4;
/// After so many connections that were taken there is room for one more at once.
const MANY: usize = 20;

/// One gate for each target.
pub(crate) struct Governor {
    pub gates: Vec<Gate>,
}

/// Through which every conversation with one target goes.
pub(crate) struct Gate {
    pub target: Arc<Target>,
    pub(super) base: Deadlines,
    permits: Semaphore,
    /// How many permits there are, and how many there may be at most.
    given: AtomicUsize,
    most: usize,
    crowd: Mutex<Crowd>,
    /// Conversations share it; a second look has it for itself.
    alone: RwLock<()>,
    /// How long a refusal takes by itself, and the longest that any answer took, in nanoseconds.
    refusal: AtomicU64,
    slowest: AtomicU64,
    pub lockout: LockoutBudget,
    pub access: AccessWatch,
    /// Whether the server answers logins that it refuses.
    pub refusals: SilenceWatch,
    /// Whether it answers anything after its greeting, over IMAP and over POP3.
    silence: [SilenceWatch; 2],
    /// How long a good login takes, in nanoseconds.
    login: AtomicU64,
    /// Whether a retry after a silence waits no longer than the first attempt: a smoke run has no time for more.
    pub retries_are_brief: bool,
    pub secrets: Secrets,
    /// One for each account: a server may keep a mailbox to one session.
    mailboxes: Vec<tokio::sync::Mutex<()>>,
    locks: AtomicU8,
    /// How many silences lasted through a second look.
    pub(super) silences: AtomicU8,
    /// How many connections in a row the server did not take though there was no other.
    refused_alone: AtomicU8,
    /// The places at which a connection may come from any loopback address.
    spread: Mutex<HashSet<Place>>,
    next_source: AtomicU32,
    /// How many conversations were had again, and how many then came to something else.
    pub looked_again: AtomicUsize,
    pub changed: AtomicUsize,
    /// How many processes were ended because they computed without end, before it was known for whom.
    pub runaways: AtomicUsize,
    /// Whoever sees to the server while others ask.
    pub reviving: tokio::sync::Mutex<()>,
    /// The processes of the server before anything was asked.
    pub baseline: Mutex<HashSet<(u32, u64)>>,
    /// How many times the memory was seen to grow: whoever asks meanwhile may have done it.
    pub growths: AtomicUsize,
}

/// Whether a server locks mailboxes: it does, or so many second looks say that it does not.
const LOCKS: u8 = u8::MAX;

/// What became of connections that a server did not take.
#[derive(Default)]
struct Crowd {
    /// When there were made fewer at once for the last time.
    shrunk: Option<Instant>,
    /// How many fewer there are than there were.
    missing: usize,
    /// How many were taken since.
    taken: usize,
}

/// Leave to have a conversation.
pub(crate) struct Turn<'g> {
    _permit: Option<SemaphorePermit<'g>>,
    _shared: Option<RwLockReadGuard<'g, ()>>,
}

impl Governor {
    /// Gates for all targets. `jobs` is how many connections there are at once at first; with `may_grow` there may be
    /// more where a server is slow to refuse.
    pub fn new(targets: &[Arc<Target>], base: Deadlines, jobs: usize, may_grow: bool) -> Self {
        Self { gates: targets.iter().map(|target| Gate::new(Arc::clone(target), base, jobs, may_grow)).collect() }
    }

    /// How many connections there can be at once to all targets together.
    pub fn most(&self, jobs: usize) -> usize {
        self.gates.iter().map(|gate| if gate.is_idle() { jobs } else { gate.most }).max().unwrap_or(1)
    }
}

impl Gate {
    fn new(target: Arc<Target>, base: Deadlines, jobs: usize, may_grow: bool) -> Self {
        let limits = target.limits;
        let is_at_home = target.endpoints.iter().all(|endpoint| endpoint.is_loopback());
        // What the target file declares is never exceeded, whatever `--jobs` says.
        let declared = limits.connections.unwrap_or(usize::MAX).max(1);
        let most = match limits.connections {
            Some(connections) if may_grow => connections,
            None if may_grow && is_at_home => jobs.max(AT_HOME),
            _ => jobs.min(declared),
        };
        let given = jobs.min(declared).max(1);
        let accounts = target.directory.accounts.len();
        let mut chance = [0; 4];
        // Without chance the addresses are those of the run before: a penalty may still lie on them, and no more.
        let _ = getrandom::fill(&mut chance);
        Self {
            base,
            permits: Semaphore::new(given),
            given: AtomicUsize::new(given),
            most: most.max(given),
            crowd: Mutex::default(),
            alone: RwLock::new(()),
            refusal: AtomicU64::new(0),
            slowest: AtomicU64::new(0),
            lockout: LockoutBudget::new(limits.wrong_passwords, accounts),
            access: AccessWatch::default(),
            refusals: SilenceWatch::default(),
            silence: Default::default(),
            login: AtomicU64::new(0),
            retries_are_brief: false,
            secrets: Secrets::of(&target.directory),
            mailboxes: std::iter::repeat_with(Default::default).take(accounts).collect(),
            locks: AtomicU8::new(if limits.one_session_per_mailbox { LOCKS } else { 0 }),
            silences: AtomicU8::new(0),
            refused_alone: AtomicU8::new(0),
            spread: Mutex::default(),
            next_source: AtomicU32::new(u32::from_ne_bytes(chance)),
            looked_again: AtomicUsize::new(0),
            changed: AtomicUsize::new(0),
            runaways: AtomicUsize::new(0),
            reviving: tokio::sync::Mutex::default(),
            baseline: Mutex::default(),
            growths: AtomicUsize::new(0),
            target,
        }
    }

    /// Whether there is nothing to govern: our own server has no limits.
    pub fn is_idle(&self) -> bool {
        self.target.is_reference()
    }

    /// Whether the server answers anything after its greeting over a protocol.
    pub const fn silence(&self, protocol: Protocol) -> &SilenceWatch {
        let [imap, pop3] = &self.silence;
        match protocol {
            Protocol::Imap => imap,
            Protocol::Pop3 => pop3,
        }
    }

    /// Why nothing more is asked over a protocol: the server greets there, and answers nothing.
    pub fn is_silent(&self, protocol: Protocol) -> Option<String> {
        let address = self.target.endpoint(protocol, None).ok().map(|(endpoint, _)| endpoint.address.clone());
        let limit = self.base.reply.as_secs_f64();
        self.silence(protocol).is_certain().then(|| {
            format!(
                "{} ({protocol}) greets, but answers nothing within {limit} s (--timeout)",
                address.unwrap_or_default()
            )
        })
    }

    /// Waits for leave to have a conversation.
    pub async fn enter(&self) -> Turn<'_> {
        if self.is_idle() {
            return Turn { _permit: None, _shared: None };
        }
        // It is never closed, so there is no error.
        let permit = self.permits.acquire().await.ok();
        Turn { _permit: permit, _shared: Some(self.alone.read().await) }
    }

    /// How many connections there may be at once just now.
    pub fn room(&self) -> usize {
        self.given.load(Ordering::Relaxed)
    }

    /// Waits until nobody has the server for himself, and keeps it so: for what is asked besides conversations.
    pub async fn among_others(&self) -> RwLockReadGuard<'_, ()> {
        self.alone.read().await
    }

    /// Waits until nobody else has a conversation, and keeps it so.
    pub async fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.alone.write().await
    }

    /// Notes how long a refusal takes when nobody else asks.
    pub fn learn_refusal(&self, took: Duration) {
        self.refusal.fetch_max(nanos(took), Ordering::Relaxed);
        self.make_room(took);
    }

    /// A server that takes its time, for some names at least, leaves us room.
    pub fn make_room(&self, took: Duration) {
        self.slowest.fetch_max(nanos(took), Ordering::Relaxed);
        let room = 1 + usize::try_from(took.as_nanos() / IDLE.as_nanos()).unwrap_or(usize::MAX / 2);
        let given = self.given.load(Ordering::Relaxed);
        let wanted = given.saturating_mul(room).min(self.most);
        if wanted > given {
            self.given.store(wanted, Ordering::Relaxed);
            self.permits.add_permits(wanted - given);
        }
    }

    /// Notes how long the answers of a conversation took.
    pub fn learn(&self, transcript: &Transcript) {
        if !self.is_idle()
            && let Some(slowest) = transcript.slowest_answer()
        {
            self.slowest.fetch_max(nanos(slowest), Ordering::Relaxed);
        }
    }

    /// How long a refusal takes when nobody else asks.
    pub fn refusal(&self) -> Duration {
        Duration::from_nanos(self.refusal.load(Ordering::Relaxed))
    }

    /// Notes how long a good login took.
    pub fn learn_login(&self, took: Duration) {
        self.login.fetch_max(nanos(took), Ordering::Relaxed);
    }

    /// How long a good login takes; zero if none was made.
    pub fn login_time(&self) -> Duration {
        Duration::from_nanos(self.login.load(Ordering::Relaxed))
    }

    /// Whether the server is slow to refuse, on purpose.
    pub fn is_slow(&self) -> bool {
        self.refusal() >= ON_PURPOSE
    }

    pub(super) fn slowest(&self) -> Duration {
        Duration::from_nanos(self.slowest.load(Ordering::Relaxed))
    }

    /// Half as many connections at once from now on: the server did not take one that was asked for at `began`. Those
    /// that were asked for before the last time tell nothing new.
    pub fn shrink(&self, began: Instant) {
        let mut crowd = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        let given = self.given.load(Ordering::Relaxed);
        if crowd.shrunk.is_some_and(|shrunk| began < shrunk) || given <= FEW {
            return;
        }
        let forgotten = self.permits.forget_permits(given / 2);
        self.given.fetch_sub(forgotten, Ordering::Relaxed);
        *crowd = Crowd { shrunk: Some(Instant::now()), missing: crowd.missing + forgotten, taken: 0 };
    }

    /// Notes that the server took a connection; after many of them it gets one more at once again, if it had more before.
    pub fn learn_taken(&self) {
        let mut crowd = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        if crowd.missing == 0 {
            return;
        }
        crowd.taken += 1;
        if crowd.taken >= MANY {
            crowd.taken = 0;
            crowd.missing -= 1;
            self.given.fetch_add(1, Ordering::Relaxed);
            self.permits.add_permits(1);
        }
    }

    /// Lets connections to a place come from any loopback address.
    pub fn spread(&self, place: Place) {
        self.spread.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
    }

    /// Whether connections to a place come from more than one address.
    pub fn is_spread(&self, place: Place) -> bool {
        self.spread.lock().unwrap_or_else(PoisonError::into_inner).contains(&place)
    }

    /// Whether connections to some place come from more than one address.
    pub(super) fn is_any_spread(&self) -> bool {
        !self.spread.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The address from which the next connection to a place comes; nothing where the system chooses.
    ///
    /// A server that makes an address wait for its failures (Dovecot's penalty) has nothing to hold against the next.
    pub fn source(&self, place: Place) -> Option<Ipv4Addr> {
        self.is_spread(place).then(|| self.another_source())
    }

    /// One loopback address after the other, none of 127.0.0.0/16 and never the broadcast address.
    pub fn another_source(&self) -> Ipv4Addr {
        const FIRST: u32 = 0x7f01_0000;
        const COUNT: u32 = 0x00fe_ffff;
        Ipv4Addr::from(FIRST + self.next_source.fetch_add(1, Ordering::Relaxed) % COUNT)
    }

    /// Keeps an account's mailbox to this session, where the server wants it so.
    pub async fn mailbox(&self, account: impl FnOnce() -> Option<usize>) -> Option<MutexGuard<'_, ()>> {
        if self.locks.load(Ordering::Relaxed) != LOCKS {
            return None;
        }
        Some(self.mailboxes.get(account()?)?.lock().await)
    }

    /// The same, whether or not it is known that the server wants it so.
    pub async fn only_mailbox(&self, account: usize) -> Option<MutexGuard<'_, ()>> {
        Some(self.mailboxes.get(account)?.lock().await)
    }

    /// Whether the server may be one that locks mailboxes.
    pub fn may_lock(&self) -> bool {
        let locks = self.locks.load(Ordering::Relaxed);
        locks == LOCKS || locks < AGREE
    }

    /// Settles whether the server locks mailboxes: it was seen while one was open.
    pub fn set_lock(&self, locks: bool) {
        self.locks.store(if locks { LOCKS } else { AGREE }, Ordering::Relaxed);
    }

    /// Notes that a silence lasted through a second look.
    pub fn learn_silence(&self) {
        let next = |silences: u8| Some(silences.saturating_add(1));
        let _ = self.silences.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// Notes whether the server did not take the only connection there was.
    pub fn learn_gone(&self, is_refused: bool) {
        let next = |refused: u8| Some(if is_refused { refused.saturating_add(1) } else { 0 });
        let _ = self.refused_alone.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// Whether there is no use in asking the server anything more.
    pub fn is_gone(&self) -> bool {
        self.refused_alone.load(Ordering::Relaxed) >= AGREE
    }

    /// Notes whether a mailbox that was not open for two was open for one.
    pub fn learn_lock(&self, was_locked: bool) {
        if was_locked {
            self.locks.store(LOCKS, Ordering::Relaxed);
        } else {
            let agree = |locks: u8| (locks != LOCKS).then(|| locks.saturating_add(1).min(AGREE));
            let _ = self.locks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, agree);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
