//! The lockout budget: how many failed logins in a row each account gets before a good login resets the server's count.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

/// An account that a request may lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtRisk {
    /// The account, as an index into the target's directory.
    pub account: usize,
    /// How many failed logins the server may count.
    pub failures: u64,
}

impl AtRisk {
    /// One failed login.
    pub const fn one(account: usize) -> Self {
        Self { account, failures: 1 }
    }
}

/// The failed logins of every account of a target.
pub(crate) struct LockoutBudget {
    /// How many failed logins in a row one account gets; none if the server never locks an account.
    limit: Option<u64>,
    accounts: Vec<AccountBudget>,
}

/// The failed logins of one account.
#[derive(Default)]
struct AccountBudget {
    counts: Mutex<Counts>,
    /// Held during a good login, so that there is one at a time.
    good_login: tokio::sync::Mutex<()>,
    /// Notified whenever a failed login has been answered, and after each good login.
    changed: Notify,
    /// Why the account gets no more failed logins.
    stopped: OnceLock<String>,
    /// How many failed logins the account has got.
    sent: AtomicU64,
}

/// The failed logins that the server may count in a row: at most `pending + answered` at any moment.
#[derive(Default, Clone, Copy)]
struct Counts {
    /// Sent and not answered: the server may count them now or later.
    pending: u64,
    /// Answered since the last good login began.
    answered: u64,
}

/// Why failed logins must not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BudgetError {
    /// One conversation would send more failed logins in a row than the budget allows.
    #[error(
        "it sends {failures} wrong passwords in a row, and the lockout budget is {limit} (wrong-passwords or lockout under \
         [limits])"
    )]
    TooMany {
        /// How many failed logins the conversation is.
        failures: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// The account gets no more failed logins.
    #[error("{0}")]
    Stopped(String),
}

/// A good login under way; an error says why it failed.
pub(crate) type GoodLogin<'l> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'l>>;

/// Permission to send failed logins to one account. They count as answered when this is dropped.
pub(crate) struct FailedLoginPermit<'l> {
    account: &'l AccountBudget,
    failures: u64,
}

impl LockoutBudget {
    /// A budget for `accounts` accounts, each with `limit` failed logins in a row.
    pub fn new(limit: Option<u64>, accounts: usize) -> Self {
        Self { limit, accounts: std::iter::repeat_with(AccountBudget::default).take(accounts).collect() }
    }

    /// How many failed logins in a row an account gets; none if there is no limit.
    pub const fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Whether the server never locks an account, so that nothing is counted.
    pub const fn is_unlimited(&self) -> bool {
        self.limit.is_none()
    }

    /// Waits until each of these accounts may get its failed logins. Where an account's budget is used up, `log_in` makes
    /// a good login; if that fails, the account gets no more failed logins, and the error says why.
    ///
    /// The accounts are in ascending order, so that no two conversations wait for each other.
    pub async fn acquire<'l>(
        &self,
        at_risk: &[AtRisk],
        log_in: &(dyn Fn(usize) -> GoodLogin<'l> + Sync),
    ) -> Result<Vec<FailedLoginPermit<'_>>, BudgetError> {
        let Some(limit) = self.limit else { return Ok(Vec::new()) };
        let mut permits = Vec::new();
        for risk in at_risk {
            let Some(account) = self.accounts.get(risk.account) else { continue };
            permits.push(account.acquire(limit, *risk, log_in).await?);
        }
        Ok(permits)
    }

    /// The accounts that got failed logins after their last good login.
    pub fn unsettled(&self) -> Vec<usize> {
        let is_unsettled = |(index, account): (usize, &AccountBudget)| account.counts().sum_exceeds(0).then_some(index);
        self.accounts.iter().enumerate().filter_map(is_unsettled).collect()
    }

    /// Whether an account got failed logins after its last good login, so that a refusal may mean that it is locked.
    pub fn may_be_locked(&self, account: usize) -> bool {
        self.accounts.get(account).is_some_and(|account| account.counts().sum_exceeds(0))
    }

    /// Why accounts get no more failed logins.
    pub fn stops(&self) -> Vec<String> {
        self.accounts.iter().filter_map(|account| account.stopped.get().cloned()).collect()
    }

    /// How many failed logins an account has got so far.
    pub fn sent(&self, account: usize) -> u64 {
        self.accounts.get(account).map_or(0, |account| account.sent.load(Ordering::Relaxed))
    }
}

impl Counts {
    const fn sum_exceeds(self, number: u64) -> bool {
        self.pending.saturating_add(self.answered) > number
    }
}

impl AccountBudget {
    async fn acquire<'l>(
        &self,
        limit: u64,
        risk: AtRisk,
        log_in: &(dyn Fn(usize) -> GoodLogin<'l> + Sync),
    ) -> Result<FailedLoginPermit<'_>, BudgetError> {
        let failures = risk.failures;
        if failures > limit {
            return Err(BudgetError::TooMany { failures, limit });
        }
        loop {
            // Registered before the counts are read, so that no change between is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(reason) = self.stopped.get() {
                return Err(BudgetError::Stopped(reason.clone()));
            }
            if self.take(limit, failures) {
                self.sent.fetch_add(failures, Ordering::Relaxed);
                return Ok(FailedLoginPermit { account: self, failures });
            }
            let Ok(_one) = self.good_login.try_lock() else {
                changed.await;
                continue;
            };
            // Only what has been answered before the good login begins is reset by it: the server may count what is
            // pending afterwards.
            let Counts { answered, .. } = self.counts();
            if answered == 0 {
                changed.await;
                continue;
            }
            match log_in(risk.account).await {
                Ok(()) => self.with_counts(|counts| counts.answered = counts.answered.saturating_sub(answered)),
                Err(reason) => {
                    let told = format!("after {limit} failed logins in a row no more are sent: {reason}");
                    // The first reason stays.
                    let _ = self.stopped.set(told);
                }
            }
            self.changed.notify_waiters();
        }
    }

    /// Counts failed logins as pending if there is room for them.
    fn take(&self, limit: u64, failures: u64) -> bool {
        self.with_counts(|counts| {
            let has_room = !counts.sum_exceeds(limit - failures);
            counts.pending += if has_room { failures } else { 0 };
            has_room
        })
    }

    fn counts(&self) -> Counts {
        self.with_counts(|counts| *counts)
    }

    fn with_counts<T>(&self, with: impl FnOnce(&mut Counts) -> T) -> T {
        // Two numbers are never half written.
        with(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FailedLoginPermit<'_> {
    /// Takes it back: nothing was sent that a server could count.
    pub fn refund(self) {
        self.account.with_counts(|counts| counts.pending = counts.pending.saturating_sub(self.failures));
        self.account.sent.fetch_sub(self.failures, Ordering::Relaxed);
        self.account.changed.notify_waiters();
        std::mem::forget(self);
    }
}

impl Drop for FailedLoginPermit<'_> {
    fn drop(&mut self) {
        self.account.with_counts(|counts| {
            counts.pending = counts.pending.saturating_sub(self.failures);
            counts.answered += self.failures;
        });
        self.account.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A server as it counts: the longest row of failed logins.
    #[derive(Default)]
    struct Server {
        in_a_row: AtomicU64,
        longest: AtomicU64,
        good: AtomicU64,
    }

    impl Server {
        async fn fail(&self) {
            tokio::task::yield_now().await;
            let row = self.in_a_row.fetch_add(1, Ordering::SeqCst) + 1;
            self.longest.fetch_max(row, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }

        fn succeed(&self) {
            self.in_a_row.store(0, Ordering::SeqCst);
            self.good.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn one(account: usize) -> [AtRisk; 1] {
        [AtRisk::one(account)]
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_more_in_a_row_than_the_limit_however_many_ask_at_once() {
        let (budget, server) = (Arc::new(LockoutBudget::new(Some(3), 2)), Arc::new(Server::default()));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let (budget, server) = (Arc::clone(&budget), Arc::clone(&server));
            tasks.spawn(async move {
                let log_in = |account| -> GoodLogin<'_> {
                    assert_eq!(account, 1);
                    server.succeed();
                    Box::pin(async { Ok(()) })
                };
                let permits = budget.acquire(&one(1), &log_in).await.unwrap();
                server.fail().await;
                drop(permits);
            });
        }
        while let Some(result) = tasks.join_next().await {
            result.unwrap();
        }
        assert!(server.longest.load(Ordering::SeqCst) <= 3);
        // A good login may come while others are pending, so there may be more than 13 of them, and never 40.
        let good = server.good.load(Ordering::SeqCst);
        assert!((13..40).contains(&good), "{good}");
        assert_eq!((budget.unsettled(), budget.sent(1)), (vec![1], 40));
    }

    #[tokio::test]
    async fn a_pending_login_is_not_reset() {
        let budget = LockoutBudget::new(Some(2), 1);
        let good = AtomicU64::new(0);
        let log_in = |_| -> GoodLogin<'_> {
            good.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(()) })
        };
        let pending = budget.acquire(&one(0), &log_in).await.unwrap();
        drop(budget.acquire(&one(0), &log_in).await.unwrap());
        // One is pending and one answered: the good login frees one place, and not two.
        let second = budget.acquire(&one(0), &log_in).await.unwrap();
        assert_eq!(good.load(Ordering::SeqCst), 1);
        let at_risk = one(0);
        let third = budget.acquire(&at_risk, &log_in);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), third).await.is_err());
        assert_eq!(good.load(Ordering::SeqCst), 1);
        drop((pending, second));
    }

    #[tokio::test]
    async fn several_failed_logins_of_one_conversation_count_each() {
        let budget = LockoutBudget::new(Some(3), 1);
        let good = AtomicU64::new(0);
        let log_in = |_| -> GoodLogin<'_> {
            good.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(()) })
        };
        drop(budget.acquire(&one(0), &log_in).await.unwrap());
        let three = [AtRisk { account: 0, failures: 3 }];
        drop(budget.acquire(&three, &log_in).await.unwrap());
        assert_eq!((good.load(Ordering::SeqCst), budget.sent(0)), (1, 4));
        // More than the limit are never sent.
        let five = [AtRisk { account: 0, failures: 5 }];
        let error = budget.acquire(&five, &log_in).await.err().unwrap();
        assert_eq!(error, BudgetError::TooMany { failures: 5, limit: 3 });
        assert_eq!((good.load(Ordering::SeqCst), budget.sent(0)), (1, 4));
    }

    #[tokio::test]
    async fn without_a_good_login_it_stops_for_good() {
        let budget = LockoutBudget::new(Some(2), 1);
        let asked = AtomicU64::new(0);
        let log_in = |_| -> GoodLogin<'_> {
            asked.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Err("the good login was refused".to_string()) })
        };
        for _ in 0..2 {
            budget.acquire(&one(0), &log_in).await.unwrap();
        }
        for _ in 0..3 {
            let reason = budget.acquire(&one(0), &log_in).await.err().unwrap().to_string();
            assert_eq!(reason, "after 2 failed logins in a row no more are sent: the good login was refused");
        }
        // The account may be locked already: even the good login is not tried again and again.
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert_eq!(budget.stops().len(), 1);
    }

    #[tokio::test]
    async fn what_was_not_sent_does_not_count() {
        let budget = LockoutBudget::new(Some(1), 1);
        let never = |_| -> GoodLogin<'_> { Box::pin(async { Err("never".to_string()) }) };
        for _ in 0..5 {
            for permit in budget.acquire(&one(0), &never).await.unwrap() {
                permit.refund();
            }
        }
        assert_eq!((budget.unsettled(), budget.sent(0)), (Vec::new(), 0));
        let unlimited = LockoutBudget::new(None, 1);
        for _ in 0..5 {
            assert!(unlimited.acquire(&one(0), &never).await.unwrap().is_empty());
        }
    }
}
