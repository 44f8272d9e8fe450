//! A campaign: conversations one after the other, many at once, until its time is over; what is suspicious is looked
//! into on the way.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::bench::{Bench, Finding, Suspicion};
use super::comparison::Comparison;
use super::conversation::Conversation;
use super::director::{Director, nonce};
use super::event::{CampaignSummary, Ended, FuzzEvent, FuzzReporter, Options, Progress};
use super::ground::Ground;
use super::maker::{Maker, WINDOW};
use super::scene::Scene;
use super::state_map::StateMap;
use super::store::Store;
use crate::panic::{Panicked, catch_panic};

/// How long after the end suspicions are still looked into, at most: no longer than the campaign took, but a little.
const AFTER_THE_END: Duration = Duration::from_secs(60);
const A_LITTLE: Duration = Duration::from_secs(5);
/// How often the server's life is looked at, and the state written down.
const OFTEN: Duration = Duration::from_millis(250);
const SELDOM: Duration = Duration::from_secs(2);
/// So many conversations in a row without a connection, and nobody is there any more.
const GONE: u32 = 64;

/// Fuzzes until time is up, or somebody wants it to end.
pub async fn fuzz(
    grounds: Vec<Ground>,
    options: Options,
    reporter: &mut dyn FuzzReporter,
) -> io::Result<CampaignSummary> {
    let grounds: Vec<Arc<Ground>> = grounds.into_iter().map(Arc::new).collect();
    let store = Store::open(&options.folder)?;
    let mut campaign = Campaign::begin(grounds, options, store)?;
    campaign.run(reporter).await
}

/// Comes to an end when somebody wants the campaign to.
async fn interrupted(interrupt: &mut watch::Receiver<bool>) {
    if interrupt.wait_for(|&is_set| is_set).await.is_err() {
        // Nobody can want that any more.
        std::future::pending::<()>().await;
    }
}

/// The result of a conversation: what was observed, why there was no connection, or a panic of our own code.
type Performed = Result<Result<Scene, String>, Panicked>;

/// The suspicions that are being looked into: the conversation's number, the shape, and what was found.
pub(super) type Looking = JoinSet<(u64, String, Result<Option<Finding>, Panicked>)>;

/// What servers have suffered, by the target's index; and a target's index, and what its good login came to.
pub(super) type Watched = (Vec<(usize, String)>, usize, Result<(), String>);
/// Whoever looks after the servers just now.
pub(super) type Watching = JoinSet<Watched>;

/// A campaign under way.
pub(super) struct Campaign {
    pub(super) options: Options,
    pub(super) store: Store,
    pub(super) director: Arc<Director>,
    pub(super) bench: Arc<Bench>,
    pub(super) maker: Maker,
    pub(super) comparison: Comparison,
    pub(super) map: StateMap,
    pub(super) names: Vec<String>,
    /// The number of the next conversation that is begun, and of the next that is judged.
    pub(super) next: u64,
    pub(super) judged: u64,
    /// The number with which this campaign, or this part of it, has begun.
    pub(super) first: u64,
    pub(super) done: BTreeMap<u64, (Conversation, Performed)>,
    pub(super) suspicions: VecDeque<Suspicion>,
    pub(super) under_way: Vec<Suspicion>,
    pub(super) looked_into: HashMap<String, u32>,
    /// The shapes of what is kept, and whether one of each was proven.
    pub(super) shapes: HashMap<String, bool>,
    pub(super) findings: Vec<(Finding, PathBuf)>,
    pub(super) gone: Vec<String>,
    /// The panics of our own code, each with the number of its conversation.
    pub(super) defects: Vec<String>,
    pub(super) unconnected: u32,
    pub(super) ended: Option<Ended>,
    pub(super) start: Instant,
}

impl Campaign {
    fn begin(grounds: Vec<Arc<Ground>>, options: Options, store: Store) -> io::Result<Self> {
        let names: Vec<String> = grounds.iter().map(|ground| ground.target.name.clone()).collect();
        let director = Arc::new(Director::new(grounds.clone(), options.deadlines, options.jobs));
        let bench = Arc::new(Bench {
            director: Arc::clone(&director),
            deadlines: options.deadlines,
            seed: options.seed,
            twins: grounds.iter().map(|_| OnceCell::new()).collect(),
            nonces: AtomicU64::new(0),
        });
        let mut campaign = Self {
            maker: Maker::new(options.seed, grounds),
            comparison: Comparison::default(),
            map: StateMap::default(),
            names,
            next: 0,
            judged: 0,
            first: 0,
            done: BTreeMap::new(),
            suspicions: VecDeque::new(),
            under_way: Vec::new(),
            looked_into: HashMap::new(),
            shapes: HashMap::new(),
            findings: Vec::new(),
            gone: Vec::new(),
            defects: Vec::new(),
            unconnected: 0,
            ended: None,
            start: Instant::now(),
            options,
            store,
            director,
            bench,
        };
        if campaign.options.resume
            && let Some(state) = campaign.store.read()?
        {
            campaign.go_on(state)?;
        }
        Ok(campaign)
    }

    async fn run(&mut self, reporter: &mut dyn FuzzReporter) -> io::Result<CampaignSummary> {
        // Thousands of logins at a server that does not even let the good one in would show nothing, and lock accounts.
        for (index, target) in self.names.iter().enumerate() {
            if let Err(reason) = self.director.find_good_login(index).await {
                self.ended.get_or_insert(Ended::NoGoodLogin { target: target.clone(), reason });
            }
        }
        self.director.note_baselines().await;
        self.start = Instant::now();
        let mut asking: JoinSet<(u64, Conversation, Performed)> = JoinSet::new();
        let mut looking: Looking = JoinSet::new();
        let mut watching: Watching = JoinSet::new();
        let mut often = interval(OFTEN);
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut last_look, mut last_count, mut last_rate) = (Instant::now(), (Instant::now(), self.judged), 0);
        let mut interrupt = self.options.interrupt.clone();
        let mut is_over = self.is_over();
        loop {
            while !is_over && self.may_begin(asking.len()) {
                let Some(conversation) = self.maker.make(self.next) else {
                    self.ended = Some(Ended::Nobody);
                    break;
                };
                let (index, director) = (self.next, Arc::clone(&self.director));
                let nonce = nonce(self.options.seed, index);
                #[cfg(test)]
                let panics = self.options.seed == tests::SEED_THAT_PANICS && index % 10 == 3;
                asking.spawn(async move {
                    let conversing = async {
                        #[cfg(test)]
                        assert!(!panics, "a test wants it");
                        director.perform(&conversation, nonce).await
                    };
                    let scene = catch_panic(conversing).await;
                    (index, conversation, scene)
                });
                self.next += 1;
            }
            self.look_into_some(&mut looking);
            tokio::select! {
                Some(joined) = asking.join_next() => {
                    // A panic has been caught, so a task ends with an error only when the campaign ends.
                    if let Ok((index, conversation, scene)) = joined {
                        self.done.insert(index, (conversation, scene));
                        self.judge_in_order();
                    }
                }
                Some(joined) = looking.join_next() => {
                    if let Ok((index, shape, finding)) = joined {
                        let finding = finding.unwrap_or_else(|panicked| {
                            self.defects.push(format!("conversation {index}, when it was tried again: {panicked}"));
                            None
                        });
                        self.conclude(index, shape, finding, reporter)?;
                    }
                }
                Some(joined) = watching.join_next() => {
                    if let Ok(watched) = joined {
                        self.take_watch(watched, reporter)?;
                    }
                }
                _ = often.tick() => {
                    let (since, counted) = last_count;
                    if since.elapsed() >= Duration::from_secs(1) {
                        let passed = since.elapsed().as_secs_f64();
                        last_rate = ((self.judged - counted) as f64 / passed) as u64;
                        last_count = (Instant::now(), self.judged);
                    }
                    reporter.event(&FuzzEvent::Progress(&self.progress(last_rate)));
                    if self.ended.is_none() && self.options.stop_file.exists() {
                        self.ended = Some(Ended::Stopped(self.options.stop_file.clone()));
                    }
                    if last_look.elapsed() >= SELDOM && watching.is_empty() {
                        self.begin_watching(&mut watching);
                        last_look = Instant::now();
                    }
                }
                () = interrupted(&mut interrupt), if self.ended.is_none() => {
                    self.ended = Some(Ended::Interrupted);
                }
            }
            if matches!(self.ended, Some(Ended::Interrupted)) {
                // Whatever is under way begins anew when the campaign goes on.
                break;
            }
            is_over = self.is_over();
            let is_patient = !matches!(self.ended, Some(Ended::Enough))
                && self.start.elapsed() < self.options.time + AFTER_THE_END.min(self.options.time.max(A_LITTLE));
            let is_idle = asking.is_empty() && (looking.is_empty() && self.suspicions.is_empty() || !is_patient);
            if is_over && is_idle {
                break;
            }
        }
        // Whoever stops the servers must be the last who holds them.
        asking.shutdown().await;
        looking.shutdown().await;
        watching.shutdown().await;
        match self.ended {
            Some(Ended::NoGoodLogin { .. }) => {}
            Some(Ended::Interrupted) => self.save()?,
            _ => {
                for index in (0..self.names.len()).filter(|&index| !self.is_canary_dead(index)).collect::<Vec<_>>() {
                    let canary = self.director.canary(index).await;
                    self.take_canary(index, canary, reporter)?;
                }
                self.save()?;
            }
        }
        let progress = self.progress(last_rate);
        Ok(CampaignSummary {
            had: self.director.had.load(Ordering::Relaxed),
            findings: std::mem::take(&mut self.findings),
            gone: std::mem::take(&mut self.gone),
            defects: std::mem::take(&mut self.defects),
            waiting: self.suspicions.len() + self.under_way.len(),
            map: self.map.clone(),
            ended: self.ended.take(),
            progress,
        })
    }

    fn may_begin(&self, under_way: usize) -> bool {
        let begun = self.next;
        let is_within_rate = self.options.rate.is_none_or(|rate| {
            ((begun - self.first) as f64) < self.start.elapsed().as_secs_f64() * f64::from(rate) + 1.0
        });
        under_way < self.options.jobs
            && begun < self.judged + WINDOW
            && self.options.conversations.is_none_or(|most| begun < most)
            && self.ended.is_none()
            && is_within_rate
    }

    fn is_over(&self) -> bool {
        self.ended.is_some()
            || self.start.elapsed() >= self.options.time
            || self.options.conversations.is_some_and(|most| self.next >= most)
    }

    /// Judges what has been had, in the order of the numbers.
    fn judge_in_order(&mut self) {
        while let Some((conversation, scene)) = self.done.remove(&self.judged) {
            let index = self.judged;
            self.judged += 1;
            let scene = match scene {
                Err(panicked) => {
                    self.defects.push(format!("conversation {index}: {panicked}"));
                    continue;
                }
                Ok(Ok(scene)) => scene,
                Ok(Err(reason)) => {
                    self.unconnected += 1;
                    if self.unconnected >= GONE {
                        self.ended = Some(Ended::Gone(reason));
                    }
                    continue;
                }
            };
            self.unconnected = 0;
            for violation in scene.violations {
                self.suspect(index, &conversation, None, violation);
            }
            for (violation, earlier) in self.comparison.take(index, scene.observations) {
                self.suspect(index, &conversation, Some(earlier), violation);
            }
            if index % 1024 == 1023 {
                self.compare_times();
            }
            if self.map.note(&scene.walked) {
                self.maker.learn(index, conversation);
            }
        }
    }

    fn progress(&self, rate: u64) -> Progress {
        let elapsed = self.start.elapsed();
        Progress {
            conversations: self.judged,
            rate,
            findings: self.findings.len(),
            waiting: self.suspicions.len() + self.under_way.len(),
            states: self.map.sizes(),
            elapsed,
            left: self.options.time.saturating_sub(elapsed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::bundled_directory;
    use crate::reference::Flaws;
    use crate::target::{find_dialect, start_reference};
    use crate::transport::Deadlines;

    /// Every tenth conversation of a campaign from this seed panics.
    pub(super) const SEED_THAT_PANICS: u64 = 0xdead_beef;

    struct Ignored;

    impl FuzzReporter for Ignored {
        fn event(&mut self, _event: &FuzzEvent<'_>) {}
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_conversation_that_panics_is_our_defect_and_the_campaign_goes_on() {
        let dialect = Arc::new(find_dialect("opaque").unwrap());
        let target = start_reference(dialect, Arc::new(bundled_directory().unwrap()), Flaws::NONE).unwrap();
        let deadlines = Deadlines::from_reply(Duration::from_secs(5));
        let ground = Ground::explore(Arc::new(target), deadlines).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (_sender, interrupt) = watch::channel(false);
        let options = Options {
            seed: SEED_THAT_PANICS,
            conversations: Some(100),
            jobs: 4,
            ..Options::new(folder.path().to_path_buf(), deadlines, interrupt)
        };
        let summary = fuzz(vec![ground], options, &mut Ignored).await.unwrap();
        assert_eq!(summary.progress.conversations, 100);
        assert_eq!(summary.defects.len(), 10);
        let told = "conversation 3: loginspec panicked, which is a defect of loginspec: a test wants it";
        assert_eq!(summary.defects[0], told);
    }
}
