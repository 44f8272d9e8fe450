//! The budget of wrong passwords: so many in a row for one account, then a good login, so that no account is locked.

use std::pin::Pin;
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

/// What each account of a target has been given.
pub(crate) struct Ledger {
    /// How many wrong passwords in a row one account is given; nothing where no account is ever locked.
    budget: Option<u64>,
    tallies: Vec<Tally>,
}

/// The wrong passwords of one account.
#[derive(Default)]
struct Tally {
    counts: Mutex<Counts>,
    /// Whoever sees to a good login, so that there is one and not many.
    good: tokio::sync::Mutex<()>,
    /// Told whenever a wrong password has been answered.
    answered: Notify,
    /// Why the account is given no more wrong passwords.
    stopped: OnceLock<String>,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    in_a_row: u64,
    on_their_way: u64,
}

/// A good login under way; an error says why there can be none.
pub(crate) type GoodLogin<'l> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'l>>;

/// A wrong password that may be sent; it counts as answered when this is dropped.
pub(crate) struct Charge<'l> {
    tally: &'l Tally,
}

impl Ledger {
    /// For so many accounts.
    pub fn new(budget: Option<u64>, accounts: usize) -> Self {
        Self { budget, tallies: std::iter::repeat_with(Tally::default).take(accounts).collect() }
    }

    /// Whether no account is ever locked, so that there is nothing to keep count of.
    pub const fn is_unlimited(&self) -> bool {
        self.budget.is_none()
    }

    /// Waits until each of these accounts may be given one more wrong password. Where the budget is used up,
    /// `log_in` sees to a good login first; an error says why there can be none, and then the account is given no more.
    ///
    /// The accounts are in ascending order, so that no two conversations wait for each other.
    pub async fn charge<'l>(
        &self,
        accounts: &[usize],
        log_in: &(dyn Fn(usize) -> GoodLogin<'l> + Sync),
    ) -> Result<Vec<Charge<'_>>, String> {
        let Some(budget) = self.budget else { return Ok(Vec::new()) };
        let mut charges = Vec::new();
        for &account in accounts {
            let Some(tally) = self.tallies.get(account) else { continue };
            charges.push(tally.charge(budget, account, log_in).await?);
        }
        Ok(charges)
    }

    /// The accounts whose last word was a wrong password.
    pub fn unsettled(&self) -> Vec<usize> {
        let is_unsettled =
            |(index, tally): (usize, &Tally)| (tally.lock(|counts| counts.in_a_row) > 0).then_some(index);
        self.tallies.iter().enumerate().filter_map(is_unsettled).collect()
    }

    /// Why accounts are given no more wrong passwords.
    pub fn stops(&self) -> Vec<String> {
        self.tallies.iter().filter_map(|tally| tally.stopped.get().cloned()).collect()
    }
}

impl Tally {
    async fn charge<'l>(
        &self,
        budget: u64,
        account: usize,
        log_in: &(dyn Fn(usize) -> GoodLogin<'l> + Sync),
    ) -> Result<Charge<'_>, String> {
        loop {
            if let Some(reason) = self.stopped.get() {
                return Err(reason.clone());
            }
            let is_within = self.lock(|counts| {
                let is_within = counts.in_a_row < budget;
                counts.in_a_row += u64::from(is_within);
                counts.on_their_way += u64::from(is_within);
                is_within
            });
            if is_within {
                return Ok(Charge { tally: self });
            }
            let _one = self.good.lock().await;
            self.all_answered().await;
            // Somebody else may have seen to it meanwhile.
            if self.stopped.get().is_some() || self.lock(|counts| counts.in_a_row < budget) {
                continue;
            }
            match log_in(account).await {
                Ok(()) => self.lock(|counts| counts.in_a_row = 0),
                Err(reason) => {
                    let _ =
                        self.stopped.set(format!("after {budget} wrong passwords in a row no more are sent: {reason}"));
                }
            }
        }
    }

    /// Waits until no wrong password is on its way: a good login before it would not come between.
    async fn all_answered(&self) {
        loop {
            let mut answered = std::pin::pin!(self.answered.notified());
            answered.as_mut().enable();
            if self.lock(|counts| counts.on_their_way) == 0 {
                return;
            }
            answered.await;
        }
    }

    fn lock<T>(&self, with: impl FnOnce(&mut Counts) -> T) -> T {
        // Two numbers are never half written.
        with(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Charge<'_> {
    /// Takes it back: the server did not look at the password at all.
    pub fn refund(self) {
        self.tally.lock(|counts| counts.in_a_row = counts.in_a_row.saturating_sub(1));
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.tally.lock(|counts| counts.on_their_way = counts.on_their_way.saturating_sub(1));
        self.tally.answered.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// What a server would have counted: the longest row of wrong passwords.
    #[derive(Default)]
    struct Server {
        in_a_row: AtomicU64,
        longest: AtomicU64,
        good: AtomicU64,
    }

    impl Server {
        async fn wrong(&self) {
            tokio::task::yield_now().await;
            let row = self.in_a_row.fetch_add(1, Ordering::SeqCst) + 1;
            self.longest.fetch_max(row, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }

        fn good(&self) {
            self.in_a_row.store(0, Ordering::SeqCst);
            self.good.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_more_in_a_row_than_the_budget_however_many_ask_at_once() {
        let (ledger, server) = (Arc::new(Ledger::new(Some(3), 2)), Arc::new(Server::default()));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let (ledger, server) = (Arc::clone(&ledger), Arc::clone(&server));
            tasks.spawn(async move {
                let log_in = |account| -> GoodLogin<'_> {
                    assert_eq!(account, 1);
                    server.good();
                    Box::pin(async { Ok(()) })
                };
                let charge = ledger.charge(&[1], &log_in).await.unwrap();
                server.wrong().await;
                drop(charge);
            });
        }
        while let Some(result) = tasks.join_next().await {
            result.unwrap();
        }
        assert_eq!(server.longest.load(Ordering::SeqCst), 3);
        assert_eq!(server.good.load(Ordering::SeqCst), 13);
        assert_eq!(ledger.unsettled(), [1]);
    }

    #[tokio::test]
    async fn without_a_good_login_it_stops_for_good() {
        let ledger = Ledger::new(Some(2), 1);
        let asked = AtomicU64::new(0);
        let log_in = |_| -> GoodLogin<'_> {
            asked.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Err("the good login was refused".to_string()) })
        };
        for _ in 0..2 {
            ledger.charge(&[0], &log_in).await.unwrap();
        }
        for _ in 0..3 {
            let reason = ledger.charge(&[0], &log_in).await.err().unwrap();
            let told = "after 2 wrong passwords in a row no more are sent: the good login was refused";
            assert_eq!(reason, told);
        }
        // The account may be locked already: even the good login is not tried again and again.
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert_eq!(ledger.stops().len(), 1);
    }

    #[tokio::test]
    async fn what_was_not_looked_at_does_not_count() {
        let ledger = Ledger::new(Some(1), 1);
        let never = |_| -> GoodLogin<'_> { Box::pin(async { Err("never".to_string()) }) };
        for _ in 0..5 {
            for charge in ledger.charge(&[0], &never).await.unwrap() {
                charge.refund();
            }
        }
        assert_eq!(ledger.unsettled(), Vec::<usize>::new());
        let unlimited = Ledger::new(None, 1);
        for _ in 0..5 {
            assert!(unlimited.charge(&[0], &never).await.unwrap().is_empty());
        }
    }
}
