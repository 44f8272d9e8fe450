//! How long a run takes: announced before the first case, and what is left of it while it goes on.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::schedule::{Lane, Schedule};
use crate::plural::counted;
use crate::runner::governor::{Gate, Governor};

/// How many conversations of the lane without risk there are at once at least.
const FEWEST: usize = 16;
/// How many times as fast as the slowest lane the lane without risk is meant to be, since both are estimates.
const MARGIN: f64 = 2.0;

/// What a run is going to do, known before its first case.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PaceFacts {
    /// How many conversations are planned, without the good logins between wrong passwords.
    pub logins: usize,
    /// How many more cases share the answer of one of these.
    pub shared: usize,
    /// The accounts that get wrong passwords.
    pub accounts: Vec<AccountPace>,
    /// The longest that a refusal was seen to take; zero if no target is governed.
    pub refusal: Duration,
    /// How long it all takes, as far as that can be known.
    pub expected: Duration,
    /// How much longer it takes at the end if a login gets no answer: it is retried then. Zero if no target is governed.
    pub for_silence: Duration,
    /// How many cases were left out because each costs an account a failed login.
    pub beyond_budget: usize,
    /// How many cases were left out by `--smoke`.
    pub beyond_smoke: usize,
}

/// The wrong passwords for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountPace {
    /// The target.
    pub target: String,
    /// The role that the account has.
    pub role: String,
    /// How many wrong passwords it gets.
    pub wrong_passwords: u64,
    /// How many in a row, before a good login.
    pub in_a_row: u64,
}

/// What is left of a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// How many conversations are left.
    pub left: usize,
    /// How long they take, as far as that can be known.
    pub expected: Duration,
    /// What takes longest.
    pub bottleneck: Option<Bottleneck>,
}

/// The conversations that a run waits for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Bottleneck {
    /// Wrong passwords for one account.
    WrongPasswords {
        /// How many are left.
        left: u64,
        /// The account's role.
        role: String,
        /// How many are sent in a row.
        in_a_row: u64,
        /// How long each takes.
        each: Duration,
    },
    /// Conversations that put no account at risk.
    Logins {
        /// How many are left.
        left: usize,
        /// How many there are at once.
        at_once: usize,
        /// How long each takes.
        each: Duration,
    },
    /// Conversations that are had again, because others may have caused what came of them.
    Retries {
        /// How many are left.
        left: usize,
        /// How long each takes at most.
        at_most: Duration,
    },
}

/// Which part of a run a conversation counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum PartOfRun {
    /// The lane with this index in the schedule.
    Lane(usize),
    /// The comparisons of times.
    Quiet,
    /// What is had again.
    Retries,
}

/// The pace of every lane.
pub(in crate::runner) struct Pace {
    lanes: Vec<LanePace>,
    quiet: LanePace,
    /// How many retries are left, and how long one takes at most, in milliseconds.
    retries_left: AtomicUsize,
    retry: AtomicU64,
}

/// The pace of one lane. Its workers count what they have done.
pub(in crate::runner) struct LanePace {
    /// The account's target and role; none where no account is at risk.
    account: Option<(String, String)>,
    /// How many failed logins in a row the account gets.
    limit: u64,
    jobs: usize,
    items: usize,
    failures: u64,
    /// How long one item takes by what was known before the first, in seconds.
    estimate: f64,
    items_done: AtomicUsize,
    failures_done: AtomicU64,
    /// The time that workers have spent on items, in microseconds.
    busy: AtomicU64,
}

impl Pace {
    /// The pace of a schedule. `jobs` is how many conversations there may be at once.
    pub fn of(schedule: &Schedule, governor: &Governor, jobs: usize) -> Self {
        let mut lanes: Vec<LanePace> = schedule.lanes.iter().map(|lane| LanePace::of(lane, governor, jobs)).collect();
        let at_risk_takes = lanes.iter().skip(1).map(LanePace::seconds_left).fold(0.0, f64::max);
        let reserved: usize = lanes.iter().skip(1).map(|lane| lane.jobs).sum();
        if let Some(at_no_risk) = lanes.first_mut() {
            let free = jobs.saturating_sub(reserved).max(1);
            // As many at once as it takes to be done with the slowest lane: more would only slow that one down.
            let needed = MARGIN * at_no_risk.work() / at_risk_takes.max(0.001);
            let needed = if at_risk_takes > 0.0 { needed.ceil().min(1e6) as usize } else { free };
            at_no_risk.jobs = needed.clamp(FEWEST.min(free), free);
        }
        let quiet = Lane { account: None, items: Vec::new() };
        let mut quiet = LanePace::of(&quiet, governor, 1);
        quiet.items = schedule.quiet.len();
        quiet.estimate = schedule.quiet.iter().map(|item| item_seconds(item, governor)).sum::<f64>()
            / schedule.quiet.len().max(1) as f64;
        Self { lanes, quiet, retries_left: AtomicUsize::new(0), retry: AtomicU64::new(0) }
    }

    /// How many conversations of a lane there are at once; the index is that of the schedule.
    pub fn jobs(&self, lane: usize) -> usize {
        self.lanes.get(lane).map_or(1, |lane| lane.jobs)
    }

    /// Notes that so many conversations are to be had again, and how long one takes at most.
    pub fn begin_retries(&self, number: usize, at_most: Duration) {
        self.retries_left.fetch_add(number, Ordering::Relaxed);
        self.retry.fetch_max(u64::try_from(at_most.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Notes an item that is done, and how long its worker took for it.
    pub fn note(&self, part: PartOfRun, failures: u64, took: Duration) {
        match part {
            PartOfRun::Lane(index) => {
                if let Some(lane) = self.lanes.get(index) {
                    lane.note(failures, took);
                }
            }
            PartOfRun::Quiet => self.quiet.note(failures, took),
            PartOfRun::Retries => {
                // A retry that is put off is noted once more than it was announced.
                let less = |left: usize| Some(left.saturating_sub(1));
                let _ = self.retries_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            }
        }
    }

    /// What is told before the first case.
    pub fn facts(&self, schedule: &Schedule, governor: &Governor) -> PaceFacts {
        let items = || schedule.lanes.iter().flat_map(|lane| &lane.items).chain(&schedule.quiet);
        let account = |lane: &LanePace| {
            let (target, role) = lane.account.clone()?;
            Some(AccountPace { target, role, wrong_passwords: lane.failures, in_a_row: lane.limit })
        };
        PaceFacts {
            logins: items().count(),
            shared: items().map(|item| item.same_octets.len()).sum(),
            accounts: self.lanes.iter().filter_map(account).collect(),
            refusal: governor.gates.iter().map(Gate::refusal).max().unwrap_or_default(),
            expected: self.expected(),
            // Once until it is put off, and once more.
            for_silence: governor
                .gates
                .iter()
                .filter(|gate| !gate.is_idle())
                .map(Gate::unanswered)
                .max()
                .unwrap_or_default(),
            beyond_budget: schedule.beyond_budget,
            beyond_smoke: schedule.beyond_smoke,
        }
    }

    /// What is left.
    pub fn progress(&self) -> Progress {
        let all = || self.lanes.iter().chain([&self.quiet]);
        let left = all().map(LanePace::items_left).sum();
        let retries = self.retries_left.load(Ordering::Relaxed);
        if left == 0 && retries > 0 {
            let at_most = Duration::from_millis(self.retry.load(Ordering::Relaxed));
            let bottleneck = Some(Bottleneck::Retries { left: retries, at_most });
            return Progress { left: retries, expected: at_most, bottleneck };
        }
        let slowest = all().max_by(|one, other| one.seconds_left().total_cmp(&other.seconds_left()));
        Progress {
            left,
            expected: self.expected(),
            bottleneck: slowest.filter(|lane| lane.items_left() > 0).map(LanePace::bottleneck),
        }
    }

    fn expected(&self) -> Duration {
        let lanes = self.lanes.iter().map(LanePace::seconds_left).fold(0.0, f64::max);
        Duration::try_from_secs_f64(lanes + self.quiet.seconds_left()).unwrap_or(Duration::MAX)
    }
}

impl LanePace {
    fn of(lane: &Lane, governor: &Governor, jobs: usize) -> Self {
        let gate = lane.account.and_then(|(target, _)| governor.gates.get(target));
        let account = lane.account.zip(gate).and_then(|((_, account), gate)| {
            let account = gate.target.directory.accounts.get(account)?;
            Some((gate.target.name.clone(), account.role.clone()))
        });
        let limit = gate.and_then(|gate| gate.lockout.limit()).unwrap_or(u64::MAX);
        let failures = lane.items.iter().map(|item| item.failures).sum();
        let seconds: f64 = lane.items.iter().map(|item| item_seconds(item, governor)).sum();
        let most = jobs.saturating_sub(1).max(1);
        Self {
            account,
            limit,
            jobs: usize::try_from(limit).unwrap_or(jobs).min(most),
            items: lane.items.len(),
            failures,
            estimate: seconds / lane.items.len().max(1) as f64,
            items_done: AtomicUsize::new(0),
            failures_done: AtomicU64::new(0),
            busy: AtomicU64::new(0),
        }
    }

    fn note(&self, failures: u64, took: Duration) {
        self.items_done.fetch_add(1, Ordering::Relaxed);
        self.failures_done.fetch_add(failures, Ordering::Relaxed);
        self.busy.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn items_left(&self) -> usize {
        self.items.saturating_sub(self.items_done.load(Ordering::Relaxed))
    }

    /// The time for one item, in seconds: as measured where some are done, else as estimated.
    fn each(&self) -> f64 {
        let done = self.items_done.load(Ordering::Relaxed);
        if done < self.jobs.min(self.items) {
            return self.estimate;
        }
        self.busy.load(Ordering::Relaxed) as f64 / 1e6 / done.max(1) as f64
    }

    /// The time for all that is left, one after the other, in seconds.
    fn work(&self) -> f64 {
        self.items_left() as f64 * self.each()
    }

    fn seconds_left(&self) -> f64 {
        self.work() / self.jobs.max(1) as f64
    }

    fn bottleneck(&self) -> Bottleneck {
        let each = Duration::try_from_secs_f64(self.each()).unwrap_or(Duration::MAX);
        match &self.account {
            Some((_, role)) => {
                let left = self.failures.saturating_sub(self.failures_done.load(Ordering::Relaxed));
                let per_failure = self.items as f64 / self.failures.max(1) as f64;
                Bottleneck::WrongPasswords {
                    left,
                    role: role.clone(),
                    in_a_row: self.limit,
                    each: each.mul_f64(per_failure.min(1.0)),
                }
            }
            None => Bottleneck::Logins { left: self.items_left(), at_once: self.jobs, each },
        }
    }
}

/// How long a conversation takes by what was measured of its target, in seconds.
fn item_seconds(item: &super::schedule::WorkItem, governor: &Governor) -> f64 {
    let Some(gate) = governor.gates.get(item.planned.target) else { return 0.0 };
    let login = gate.login_time().as_secs_f64();
    if !item.is_refusal {
        return login;
    }
    // A refused login takes what a good one does, and the refusal. After each row of them the others of the lane wait for a
    // good login.
    let rows = if gate.lockout.is_unlimited() { 0 } else { item.failures };
    item.failures.max(1) as f64 * (login + gate.refusal().as_secs_f64()) + rows as f64 * login
}

impl fmt::Display for PaceFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", counted(self.logins, "login"))?;
        if self.shared > 0 {
            write!(f, " for {}", counted(self.logins + self.shared, "case"))?;
        }
        for account in &self.accounts {
            let AccountPace { role, wrong_passwords, in_a_row, .. } = account;
            let passwords = counted(usize::try_from(*wrong_passwords).unwrap_or(usize::MAX), "wrong password");
            write!(f, "; {passwords} for role {role}, {in_a_row} in a row")?;
        }
        if !self.refusal.is_zero() {
            write!(f, "; a refusal takes {}", seconds(self.refusal))?;
        }
        write!(f, "; about {}", rounded(self.expected))?;
        if !self.for_silence.is_zero() {
            write!(f, ", up to {} more if a login gets no answer", rounded(self.for_silence))?;
        }
        if self.beyond_budget > 0 {
            let cases = counted(self.beyond_budget, "case");
            write!(f, "\n{cases} left out that cost an account a failed login each; --full or --no-lockout runs them")?;
        }
        if self.beyond_smoke > 0 {
            write!(f, "\n{} left out by --smoke", counted(self.beyond_smoke, "case"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(retries @ Bottleneck::Retries { .. }) = &self.bottleneck {
            return write!(f, "{retries}");
        }
        write!(f, "{} left, about {}", counted(self.left, "login"), rounded(self.expected))?;
        match &self.bottleneck {
            Some(bottleneck) => write!(f, " ({bottleneck})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPasswords { left, role, in_a_row, each } => {
                let left = counted(usize::try_from(*left).unwrap_or(usize::MAX), "wrong password");
                write!(f, "{left} left for role {role}, {in_a_row} in a row, {} each", seconds(*each))
            }
            Self::Logins { left, at_once, each } => {
                write!(f, "{} left, {at_once} at once, {} each", counted(*left, "login"), seconds(*each))
            }
            Self::Retries { left, at_most } => {
                let logins = counted(*left, "login");
                write!(
                    f,
                    "{logins} left to retry: the first answer was missing or doubtful; up to {} each",
                    rounded(*at_most)
                )
            }
        }
    }
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_millis(100) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// `8 s`, `4 min 30 s`, `1 h 5 min`.
fn rounded(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    match seconds {
        0..90 => format!("{seconds} s"),
        90..3600 => format!("{} min {} s", seconds / 60, seconds % 60 / 10 * 10),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(account: Option<&str>, limit: u64, jobs: usize, items: usize, estimate: f64) -> LanePace {
        LanePace {
            account: account.map(|role| ("t".to_string(), role.to_string())),
            limit,
            jobs,
            items,
            failures: if account.is_some() { items as u64 } else { 0 },
            estimate,
            items_done: AtomicUsize::new(0),
            failures_done: AtomicU64::new(0),
            busy: AtomicU64::new(0),
        }
    }

    fn of(lanes: Vec<LanePace>) -> Pace {
        let quiet = lane(None, u64::MAX, 1, 0, 0.0);
        Pace { lanes, quiet, retries_left: AtomicUsize::new(0), retry: AtomicU64::new(0) }
    }

    #[test]
    fn the_slowest_lane_is_the_bottleneck() {
        let lanes = vec![lane(None, u64::MAX, 64, 3000, 0.3), lane(Some("same"), 3, 3, 612, 2.1)];
        let pace = of(lanes);
        let told = "3612 logins left, about 7 min 0 s (612 wrong passwords left for role same, 3 in a row, 2.1 s each)";
        assert_eq!(pace.progress().to_string(), told);
    }

    #[test]
    fn what_was_measured_takes_the_place_of_the_estimate() {
        let lanes = vec![lane(None, u64::MAX, 2, 100, 0.3), lane(Some("same"), 3, 3, 9, 2.0)];
        for _ in 0..50 {
            lanes[0].note(0, Duration::from_secs(1));
        }
        let pace = of(lanes);
        assert_eq!(pace.progress().to_string(), "59 logins left, about 25 s (50 logins left, 2 at once, 1.0 s each)");
    }

    #[test]
    fn retries_are_told_when_nothing_else_is_left() {
        let pace = of(vec![lane(None, u64::MAX, 1, 1, 0.3)]);
        pace.begin_retries(2, Duration::from_secs(21));
        assert!(pace.progress().to_string().starts_with("1 login left, "), "{}", pace.progress());
        pace.note(PartOfRun::Lane(0), 0, Duration::from_secs(5));
        pace.note(PartOfRun::Retries, 0, Duration::from_secs(21));
        let told = "1 login left to retry: the first answer was missing or doubtful; up to 21 s each";
        assert_eq!(pace.progress().to_string(), told);
    }

    #[test]
    fn times_are_rounded_for_people() {
        let of = |seconds: f64| rounded(Duration::from_secs_f64(seconds));
        assert_eq!([of(0.2), of(89.0), of(274.0), of(3900.0)], ["1 s", "89 s", "4 min 30 s", "1 h 5 min"]);
    }
}
