//! How long a server is waited for, by what was learned of it so far.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::runner::governor::{AGREE, Gate, ON_PURPOSE};
use crate::transport::Deadlines;

/// How many times as long as its slowest answer so far a server that delays its answers may take for the next: penalties
/// grow (Dovecot's from 2 s to 6, 10 and 15).
const GROWS: u32 = 4;
/// The same where each connection comes from an address of its own: no penalty for an address can grow then.
const GROWS_WITHOUT_PENALTY: u32 = 2;
/// How many times as long as the deadline is waited of a server that was not seen to delay its answers: it may begin to.
const LONGER: u32 = 4;
/// The same where each connection comes from an address of its own.
const LONGER_WITHOUT_PENALTY: u32 = 2;
/// What is waited for where a server has shown that it answers no refused login: so many times its slowest answer so far,
/// and at least this. The time limit of the run is what the first ones have waited.
const WAY_LONGER: u32 = 8;
const SILENT_ON_PURPOSE: Duration = Duration::from_millis(500);
/// What is waited for at most.
const PATIENCE: Duration = Duration::from_secs(120);

impl Gate {
    /// How long to wait for what, by all that was learned.
    pub fn deadlines(&self) -> Deadlines {
        let slowest = self.slowest();
        if self.refusals.is_certain() {
            let reply = SILENT_ON_PURPOSE.max(slowest * WAY_LONGER).min(self.base.reply);
            return Deadlines { connect: self.base.connect, ..Deadlines::from_reply(reply) };
        }
        if slowest < ON_PURPOSE {
            return self.base;
        }
        self.patient(self.base.reply + slowest * self.growth())
    }

    /// How long to wait in a second look: much longer than the longest that any answer took, until it is known that the
    /// server's silence is not for a while only.
    pub fn long_deadlines(&self) -> Deadlines {
        if self.retries_are_brief
            || self.is_slow()
            || self.refusals.is_certain()
            || self.silences.load(Ordering::Relaxed) >= AGREE
        {
            return self.deadlines();
        }
        let longer = if self.is_any_spread() { LONGER_WITHOUT_PENALTY } else { LONGER };
        self.patient(self.base.reply * longer + self.slowest() * self.growth())
    }

    /// How long a login takes that gets no answer, with its retry.
    pub fn unanswered(&self) -> Duration {
        self.deadlines().reply + self.long_deadlines().reply
    }

    fn growth(&self) -> u32 {
        if self.is_any_spread() { GROWS_WITHOUT_PENALTY } else { GROWS }
    }

    /// Deadlines that are short for a second look at a server which we can look into.
    pub fn short_deadlines(&self) -> Deadlines {
        let reply = self.base.reply.min(Duration::from_secs(2)) + self.slowest();
        Deadlines { connect: self.base.connect, ..Deadlines::from_reply(reply.min(self.deadlines().reply)) }
    }

    fn patient(&self, reply: Duration) -> Deadlines {
        let reply = reply.min(PATIENCE.max(self.base.reply));
        Deadlines { connect: self.base.connect, reply, whole: self.base.whole + reply }
    }
}
