//! What a campaign is to be, what happens in it, and what comes of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;

use super::bench::Finding;
use super::state_map::StateMap;
use crate::transport::Deadlines;

/// What a campaign is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// What every conversation follows from.
    pub seed: u64,
    /// For how long.
    pub time: Duration,
    /// How many conversations at most.
    pub conversations: Option<u64>,
    /// After how many findings that are proven it may end.
    pub findings: Option<usize>,
    /// How many connections at once.
    pub jobs: usize,
    /// How long to wait for what.
    pub deadlines: Deadlines,
    /// How many conversations in a second at most.
    pub rate: Option<u32>,
    /// Where findings go.
    pub folder: PathBuf,
    /// Whether an earlier campaign in that folder goes on.
    pub resume: bool,
    /// The campaign ends when this file is there.
    pub stop_file: PathBuf,
    /// Set to end the campaign early.
    pub interrupt: watch::Receiver<bool>,
}

impl Options {
    /// A campaign of one minute, from seed 1 on, with 64 connections at once, that nothing ends sooner but a file `stop`
    /// in its folder.
    pub fn new(folder: PathBuf, deadlines: Deadlines, interrupt: watch::Receiver<bool>) -> Self {
        Self {
            seed: 1,
            time: Duration::from_secs(60),
            conversations: None,
            findings: None,
            jobs: 64,
            deadlines,
            rate: None,
            stop_file: folder.join("stop"),
            folder,
            resume: false,
            interrupt,
        }
    }
}

/// What happens in a campaign.
#[derive(Debug)]
pub enum FuzzEvent<'e> {
    /// How far it is.
    Progress(&'e Progress),
    /// Something was found, and where it is kept.
    Found(&'e Finding, &'e Path),
    /// Something that has to be known.
    Note(&'e str),
}

/// Takes what happens in a campaign.
pub trait FuzzReporter: Send {
    /// Takes one event.
    fn event(&mut self, event: &FuzzEvent<'_>);
}

/// How far a campaign is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// How many conversations have been had and judged.
    pub conversations: u64,
    /// How many of them in the last second.
    pub rate: u64,
    /// How many findings there are.
    pub findings: usize,
    /// How many suspicions wait.
    pub waiting: usize,
    /// How many states were reached, and how many answers in them.
    pub states: (usize, usize),
    /// How long it has been going on, and how long it will.
    pub elapsed: Duration,
    /// How much time is left.
    pub left: Duration,
}

/// Why a campaign ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// Somebody interrupted it.
    #[error("interrupted")]
    Interrupted,
    /// As much was found as was to be found.
    #[error("enough was found")]
    Enough,
    /// The file that ends it is there.
    #[error("{} is there", .0.display())]
    Stopped(PathBuf),
    /// Nobody answers any more, for this reason.
    #[error("nobody answers any more: {0}")]
    Gone(String),
    /// A login that should work does not: the target, and what it comes to.
    #[error("the good login at {target} comes to this: {reason}")]
    NoGoodLogin {
        /// The target's name.
        target: String,
        /// What it comes to.
        reason: String,
    },
    /// The targets have no account to speak of.
    #[error("the targets have no account to speak of")]
    Nobody,
}

/// What came of a campaign.
#[derive(Debug)]
pub struct CampaignSummary {
    /// How far it came.
    pub progress: Progress,
    /// Every conversation that was had, for whatever reason.
    pub had: u64,
    /// What was found, and in which files.
    pub findings: Vec<(Finding, PathBuf)>,
    /// Suspicions that came to nothing: not seen again, or the same with a sound server.
    pub gone: Vec<String>,
    /// The panics of our own code, each with the number of its conversation: no finding about a server.
    pub defects: Vec<String>,
    /// Suspicions that nobody has looked into yet; a campaign that goes on will.
    pub waiting: usize,
    /// What was reached.
    pub map: StateMap,
    /// Why it ended, where it was not time.
    pub ended: Option<Ended>,
}
