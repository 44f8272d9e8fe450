//! How a server is doing, seen from inside, where it is ours to look into: a container.

use std::time::Duration;

use super::{Keeper, Target};

/// A process of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its command's name.
    pub name: String,
    /// The processor time that it has used.
    pub used: Duration,
    /// When it started, in ticks of a clock: with the id it tells it from a later one.
    pub started: u64,
}

/// How a server is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Its processes.
    pub processes: Vec<Process>,
    /// The memory that they hold, in octets.
    pub memory: u64,
    /// The core dumps that lie about, each with the time at which it was written.
    pub core_dumps: Vec<String>,
    /// Why it no longer runs, where it does not.
    pub ended: Option<String>,
}

impl Target {
    /// Whether we can look into it.
    pub const fn is_watched(&self) -> bool {
        match self.keeper {
            #[cfg(feature = "containers")]
            Keeper::Container(_) => true,
            Keeper::Nobody | Keeper::Reference(_) => false,
        }
    }

    /// How it is doing; nothing where we cannot look into it.
    pub async fn vitals(&self) -> Option<Vitals> {
        match &self.keeper {
            #[cfg(feature = "containers")]
            Keeper::Container(running) => super::container::vitals(running).await,
            Keeper::Nobody | Keeper::Reference(_) => None,
        }
    }

    /// The memory that it holds, in octets.
    pub async fn memory(&self) -> Option<u64> {
        match &self.keeper {
            #[cfg(feature = "containers")]
            Keeper::Container(running) => running.memory().await.ok(),
            Keeper::Nobody | Keeper::Reference(_) => None,
        }
    }

    /// Ends some of its processes at once.
    pub async fn kill(&self, processes: &[Process]) {
        #[cfg(feature = "containers")]
        if let Keeper::Container(running) = &self.keeper {
            let pids: Vec<u32> = processes.iter().map(|process| process.pid).collect();
            // One that has ended by itself meanwhile is as good as one that was ended.
            let _ = running.kill(&pids).await;
        }
        #[cfg(not(feature = "containers"))]
        let _ = processes;
    }

    /// Ends it and starts it anew at the same addresses; an error says why it does not come back.
    pub async fn restart(&self) -> Result<(), String> {
        match &self.keeper {
            #[cfg(feature = "containers")]
            Keeper::Container(running) => running.restart().await.map_err(|error| format!("failed to {error}")),
            Keeper::Nobody | Keeper::Reference(_) => Err("it is not ours to restart".to_string()),
        }
    }

    /// What it has logged.
    pub async fn logs(&self) -> Option<String> {
        match &self.keeper {
            #[cfg(feature = "containers")]
            Keeper::Container(running) => Some(running.logs().await),
            Keeper::Nobody | Keeper::Reference(_) => None,
        }
    }
}
