//! What a second look sees of a server that we can look into: processes that spin, memory that grows, core dumps, an end.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::governor::Gate;
use crate::target::{Process, Vitals};

/// How much of the time a process must have computed to count as spinning, in percent: others may want the processors,
/// too, and whoever waits computes next to nothing.
const SPINS: u32 = 15;
/// For how long a process that is taken for spinning is looked at once more, with nobody asking it anything.
const CONFIRM: Duration = Duration::from_millis(700);
/// What counts as computing at all: the clock of processes ticks a hundred times a second.
const TICKS: Duration = Duration::from_millis(50);
/// The processor time that no login takes.
const RUNAWAY: Duration = Duration::from_secs(1);
/// The memory that one conversation may cost, in octets: below, it may be buffers and caches.
const GROWTH: u64 = 64 << 20;

/// How a server was doing at a moment.
pub(crate) struct Look {
    vitals: Vitals,
    at: Instant,
}

impl Gate {
    /// How the server is doing; nothing where we cannot look into it.
    pub async fn look(&self) -> Option<Look> {
        // A daemon with much to do may fail once.
        let vitals = match self.target.vitals().await {
            Some(vitals) => vitals,
            None => self.target.vitals().await?,
        };
        Some(Look { vitals, at: Instant::now() })
    }

    /// Notes which processes there are before anything is asked.
    pub async fn note_baseline(&self) {
        if let Some(look) = self.look().await {
            let known = look.vitals.processes.iter().map(|process| (process.pid, process.started)).collect();
            *self.baseline.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
    }

    /// Makes the server fit for a second look: starts it anew where it has ended, and ends what spins while nobody asks
    /// anything. Tells what it had suffered; an error says why it does not come back.
    pub async fn make_fit(&self) -> Result<Option<String>, String> {
        let Some(first) = self.look().await else { return Ok(None) };
        if let Some(why) = &first.vitals.ended {
            self.start_anew().await?;
            return Ok(Some(format!("the server has ended: {why}")));
        }
        // Most of the time nothing spins, and one more look is enough to see it.
        tokio::time::sleep(CONFIRM / 2).await;
        let Some(second) = self.look().await else { return Ok(None) };
        let spinning = spinning(&first, &second);
        self.end(&spinning).await?;
        Ok(spinning.first().map(|(process, ..)| format!("the process {} spun and was ended", process.name)))
    }

    /// Starts the server anew where it has ended, while others ask. Tells whether it had.
    pub async fn revive(&self) -> Result<bool, String> {
        if !self.target.is_watched() {
            return Ok(false);
        }
        let _one = self.reviving.lock().await;
        match self.look().await {
            Some(look) if look.vitals.ended.is_some() => self.start_anew().await.map(|()| true),
            _ => Ok(false),
        }
    }

    /// Ends what has computed for longer than any login takes, so that it does not slow down whoever asks meanwhile.
    /// Which case did it is found out later.
    pub async fn end_runaways(&self) {
        if !self.target.is_watched() {
            return;
        }
        let _one = self.reviving.lock().await;
        let Some(look) = self.look().await else { return };
        let baseline = self.baseline.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_runaway = |process: &&Process| {
            process.used >= RUNAWAY && process.pid != 1 && !baseline.contains(&(process.pid, process.started))
        };
        let runaways: Vec<Process> = look.vitals.processes.iter().filter(is_runaway).cloned().collect();
        if !runaways.is_empty() {
            self.runaways.fetch_add(runaways.len(), Ordering::Relaxed);
            self.target.kill(&runaways).await;
        }
    }

    /// What has become of the server since `before`, in words; nothing where it is well. What spins is ended, and what
    /// has ended is started anew.
    pub async fn incident(&self, before: &Look) -> Result<Option<String>, String> {
        let Some(after) = self.look().await else { return Ok(None) };
        let mut words = Vec::new();
        if let Some(why) = &after.vitals.ended {
            words.push(format!("the server has ended: {why}"));
            self.start_anew().await?;
        }
        let is_new = |dump: &&String| !before.vitals.core_dumps.contains(dump);
        let dumps = after.vitals.core_dumps.iter().filter(is_new);
        words.extend(dumps.map(|dump| {
            let (path, _) = dump.rsplit_once(' ').unwrap_or((dump.as_str(), ""));
            format!("a core dump was left: {path}")
        }));
        let grown = after.vitals.memory.saturating_sub(before.vitals.memory);
        if grown >= GROWTH && after.vitals.ended.is_none() {
            words.push(format!("its memory grew by {} MiB", grown >> 20));
        }
        let suspects = spinning(before, &after);
        if !suspects.is_empty() {
            // The client has gone: whoever computes still does so for nobody.
            tokio::time::sleep(CONFIRM).await;
            if let Some(later) = self.look().await {
                let still = spinning(&after, &later);
                words.extend(still.iter().map(|(process, ..)| {
                    format!("the process {} spins: it goes on computing after the client has gone", process.name)
                }));
                self.end(&still).await?;
            }
        }
        if words.is_empty() {
            return Ok(None);
        }
        Ok(Some(words.join("; ")))
    }

    /// Ends processes that spin; a server that is itself among them is started anew.
    async fn end(&self, spinning: &[(Process, Duration, Duration)]) -> Result<(), String> {
        if spinning.is_empty() {
            return Ok(());
        }
        let baseline = self.baseline.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_basic = |process: &Process| process.pid == 1 || baseline.contains(&(process.pid, process.started));
        if spinning.iter().any(|(process, ..)| is_basic(process)) {
            return self.start_anew().await;
        }
        let processes: Vec<Process> = spinning.iter().map(|(process, ..)| process.clone()).collect();
        self.target.kill(&processes).await;
        Ok(())
    }

    async fn start_anew(&self) -> Result<(), String> {
        *self.baseline.lock().unwrap_or_else(PoisonError::into_inner) = HashSet::new();
        self.target.restart().await?;
        self.note_baseline().await;
        Ok(())
    }
}

/// The processes that computed most of the time between two looks, or so long that no login can be the reason: how long,
/// and of how long. A long time between the looks must not hide who began late in it.
fn spinning(before: &Look, after: &Look) -> Vec<(Process, Duration, Duration)> {
    let wall = after.at.saturating_duration_since(before.at);
    let used = |process: &Process| {
        let same = |known: &&Process| (known.pid, known.started) == (process.pid, process.started);
        process.used.saturating_sub(before.vitals.processes.iter().find(same).map_or(Duration::ZERO, |same| same.used))
    };
    let spins = |process: &Process| {
        let used = used(process);
        (used >= RUNAWAY || used >= wall * SPINS / 100 && used >= TICKS).then(|| (process.clone(), used, wall))
    };
    after.vitals.processes.iter().filter_map(spins).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, started: u64, used: u64) -> Process {
        Process { pid, name: format!("p{pid}"), used: Duration::from_millis(used), started }
    }

    fn look(at: Instant, millis: u64, processes: Vec<Process>) -> Look {
        let vitals = Vitals { processes, ..Vitals::default() };
        Look { vitals, at: at + Duration::from_millis(millis) }
    }

    #[test]
    fn who_computes_most_of_the_time_spins() {
        let start = Instant::now();
        let before = look(start, 0, vec![process(1, 5, 9000), process(2, 6, 100)]);
        let later = [process(1, 5, 9010), process(2, 6, 1090), process(3, 70, 500), process(4, 71, 100)];
        let found = spinning(&before, &look(start, 1000, later.to_vec()));
        let names: Vec<&str> = found.iter().map(|(process, ..)| process.name.as_str()).collect();
        // The first has a long past, the last too little to show.
        assert_eq!(names, ["p2", "p3"]);
        assert_eq!(found[0].1, Duration::from_millis(990));
    }

    // GNU mailutils' loops were missed where the look before lay a minute back.
    #[test]
    fn who_began_to_spin_late_is_not_missed() {
        let start = Instant::now();
        let before = look(start, 0, vec![process(1, 5, 9000)]);
        let found = spinning(&before, &look(start, 60_000, vec![process(1, 5, 9600), process(2, 6, 5000)]));
        let names: Vec<&str> = found.iter().map(|(process, ..)| process.name.as_str()).collect();
        assert_eq!(names, ["p2"]);
    }

    #[test]
    fn an_id_that_came_back_is_another_process() {
        let start = Instant::now();
        let before = look(start, 0, vec![process(2, 6, 5000)]);
        let found = spinning(&before, &look(start, 1000, vec![process(2, 90, 800)]));
        assert_eq!(found[0].1, Duration::from_millis(800));
        let idle = spinning(&before, &look(start, 0, vec![process(2, 6, 5000)]));
        assert_eq!(idle.len(), 0);
    }
}
