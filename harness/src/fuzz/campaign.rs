//! A campaign: conversations one after the other, many at once, until its time is over; what is suspicious is looked
//! into on the way.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::bench::{Bench, Finding, Suspicion};
use super::comparison::Comparison;
use super::conversation::Conversation;
use super::director::Director;
use super::ground::Ground;
use super::maker::{Maker, WINDOW};
use super::oracle::{Oracle, Violation};
use super::scene::Scene;
use super::state_map::StateMap;
use super::store::{State, Store, Waiting};
use crate::transport::Deadlines;

/// How many suspicions of one kind are looked into: behind one kind there may be more than one bug.
const OF_A_KIND: u32 = 4;
/// How many suspicions are looked into at once.
const LOOKED_INTO_AT_ONCE: usize = 2;
/// How long after the end suspicions are still looked into.
const AFTER_THE_END: Duration = Duration::from_secs(60);
/// How often the server's life is looked at, and the state written down.
const OFTEN: Duration = Duration::from_millis(250);
const SELDOM: Duration = Duration::from_secs(2);
/// So many conversations in a row without a connection, and nobody is there any more.
const GONE: u32 = 64;

/// What a campaign is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// What every conversation follows from.
    pub seed: u64,
    /// For how long.
    pub time: Duration,
    /// How many conversations at most.
    pub conversations: Option<u64>,
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

/// What happens in a campaign.
#[derive(Debug)]
pub enum FuzzEvent<'e> {
    /// How far it is.
    Progress(&'e Progress),
    /// Something was found, and where it is kept.
    Found(&'e Finding, &'e std::path::Path),
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

/// What came of a campaign.
#[derive(Debug)]
pub struct Outcome {
    /// How far it came.
    pub progress: Progress,
    /// Every conversation that was had, for whatever reason.
    pub had: u64,
    /// What was found, and in which files.
    pub findings: Vec<(Finding, PathBuf)>,
    /// Suspicions that came to nothing: not seen again, or the same with a sound server.
    pub gone: Vec<String>,
    /// Suspicions that nobody has looked into yet; a campaign that goes on will.
    pub waiting: usize,
    /// What was reached.
    pub map: StateMap,
    /// Why it ended, where it was not time.
    pub ended: Option<String>,
}

/// Fuzzes until time is up, or somebody wants it to end.
pub async fn fuzz(grounds: Vec<Ground>, options: Options, reporter: &mut dyn FuzzReporter) -> io::Result<Outcome> {
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

struct Campaign {
    options: Options,
    store: Store,
    director: Arc<Director>,
    bench: Arc<Bench>,
    maker: Maker,
    comparison: Comparison,
    map: StateMap,
    names: Vec<String>,
    /// The number of the next conversation that is begun, and of the next that is judged.
    next: u64,
    judged: u64,
    /// The number with which this campaign, or this part of it, has begun.
    first: u64,
    done: BTreeMap<u64, (Conversation, Result<Scene, String>)>,
    suspicions: VecDeque<Suspicion>,
    under_way: Vec<Suspicion>,
    looked_into: HashMap<String, u32>,
    shapes: HashSet<String>,
    findings: Vec<(Finding, PathBuf)>,
    gone: Vec<String>,
    numbered: usize,
    unconnected: u32,
    ended: Option<String>,
    start: Instant,
}

/// Why a campaign ended that somebody interrupted.
pub const INTERRUPTED: &str = "interrupted";

type Looking = JoinSet<(u64, String, Option<Finding>)>;

impl Campaign {
    fn begin(grounds: Vec<Arc<Ground>>, options: Options, store: Store) -> io::Result<Self> {
        let names: Vec<String> = grounds.iter().map(|ground| ground.target.name.clone()).collect();
        let director = Arc::new(Director::new(grounds.clone(), options.deadlines, options.jobs));
        let scratch = store.folder().to_path_buf();
        let bench = Arc::new(Bench {
            director: Arc::clone(&director),
            deadlines: options.deadlines,
            seed: options.seed,
            scratch,
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
            shapes: HashSet::new(),
            findings: Vec::new(),
            gone: Vec::new(),
            numbered: 0,
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

    /// Takes up where an earlier campaign was.
    fn go_on(&mut self, state: State) -> io::Result<()> {
        let other = |what: &str| Err(io::Error::other(format!("the campaign in this folder has {what}")));
        if state.seed != self.options.seed {
            return other(&format!("the seed {}", state.seed));
        }
        if state.targets != self.names {
            return other(&format!("other targets: {}", state.targets.join(", ")));
        }
        self.maker.learn_again(&state.pool);
        (self.next, self.judged, self.first) = (state.next, state.next, state.next);
        self.numbered = state.found.len();
        self.shapes = state.found.into_iter().collect();
        self.looked_into = state.looked_into.into_iter().collect();
        self.map.put_back(state.map);
        for waiting in state.suspicions {
            let oracle = Oracle::ALL.into_iter().find(|oracle| oracle.word() == waiting.oracle);
            let other = waiting.compared_with.and_then(|index| self.maker.make(index));
            if let (Some(oracle), Some(conversation)) = (oracle, self.maker.make(waiting.conversation)) {
                let violation = Violation { oracle, command: None, what: waiting.what, shape: waiting.shape };
                let index = waiting.conversation;
                self.suspicions.push_back(Suspicion { index, conversation, other, violation });
            }
        }
        Ok(())
    }

    async fn run(&mut self, reporter: &mut dyn FuzzReporter) -> io::Result<Outcome> {
        self.director.note_baselines().await;
        self.start = Instant::now();
        let mut asking: JoinSet<(u64, Conversation, Result<Scene, String>)> = JoinSet::new();
        let mut looking: Looking = JoinSet::new();
        let mut often = interval(OFTEN);
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut last_look, mut last_count, mut last_rate) = (Instant::now(), (Instant::now(), self.judged), 0);
        let mut interrupt = self.options.interrupt.clone();
        let mut is_over = false;
        loop {
            while !is_over && self.may_begin(asking.len()) {
                let Some(conversation) = self.maker.make(self.next) else {
                    self.ended = Some("the targets have no account to speak of".to_string());
                    break;
                };
                let (index, director) = (self.next, Arc::clone(&self.director));
                let nonce = self.nonce(index);
                asking.spawn(async move {
                    let scene = director.perform(&conversation, nonce).await;
                    (index, conversation, scene)
                });
                self.next += 1;
            }
            self.look_into_some(&mut looking);
            tokio::select! {
                Some(joined) = asking.join_next() => {
                    // A conversation that panics is our own fault; the panic has been printed.
                    if let Ok((index, conversation, scene)) = joined {
                        self.done.insert(index, (conversation, scene));
                        self.judge_in_order()?;
                    }
                }
                Some(joined) = looking.join_next() => {
                    if let Ok((index, shape, finding)) = joined {
                        self.conclude(index, shape, finding, reporter)?;
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
                        self.ended = Some(format!("{} is there", self.options.stop_file.display()));
                    }
                    if last_look.elapsed() >= SELDOM {
                        self.see_to_it(reporter).await?;
                        last_look = Instant::now();
                    }
                }
                () = interrupted(&mut interrupt), if self.ended.is_none() => {
                    self.ended = Some(INTERRUPTED.to_string());
                }
            }
            is_over = self.is_over();
            let is_patient =
                self.ended.as_deref() != Some(INTERRUPTED) && self.start.elapsed() < self.options.time + AFTER_THE_END;
            let is_idle = asking.is_empty() && (looking.is_empty() && self.suspicions.is_empty() || !is_patient);
            if is_over && is_idle {
                break;
            }
        }
        for index in 0..self.names.len() {
            self.check_canary(index, reporter).await?;
        }
        self.save()?;
        let progress = self.progress(last_rate);
        Ok(Outcome {
            had: self.director.had.load(Ordering::Relaxed),
            findings: std::mem::take(&mut self.findings),
            gone: std::mem::take(&mut self.gone),
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
    fn judge_in_order(&mut self) -> io::Result<()> {
        while let Some((conversation, scene)) = self.done.remove(&self.judged) {
            let index = self.judged;
            self.judged += 1;
            let scene = match scene {
                Ok(scene) => scene,
                Err(reason) => {
                    self.unconnected += 1;
                    if self.unconnected >= GONE {
                        self.ended = Some(format!("{GONE} conversations in a row had no connection: {reason}"));
                    }
                    continue;
                }
            };
            self.unconnected = 0;
            let mut suspicious = false;
            for violation in scene.violations {
                suspicious |= self.suspect(index, &conversation, None, violation);
            }
            for (violation, earlier) in self.comparison.take(index as usize, scene.observations) {
                suspicious |= self.suspect(index, &conversation, Some(earlier as u64), violation);
            }
            if index % 1024 == 1023 {
                suspicious |= self.compare_times();
            }
            if self.map.note(&scene.walked) {
                self.maker.learn(index, conversation);
            }
            if suspicious {
                self.save()?;
            }
        }
        Ok(())
    }

    fn compare_times(&mut self) -> bool {
        let mut is_new = false;
        for (place, known, stranger) in self.comparison.telling_times() {
            let what = "refusals take longer for a name that somebody has than for one that nobody has, or less long";
            let violation = Violation {
                oracle: Oracle::RefusalTells,
                command: Some(0),
                what: what.to_string(),
                shape: format!("{place}: time"),
            };
            if let Some(conversation) = self.maker.make(known as u64) {
                is_new |= self.suspect(known as u64, &conversation, Some(stranger as u64), violation);
            }
        }
        is_new
    }

    /// Takes a suspicion up, if there are not enough of its kind already.
    fn suspect(&mut self, index: u64, conversation: &Conversation, other: Option<u64>, violation: Violation) -> bool {
        let kind = format!("{} {}", violation.oracle.word(), violation.shape);
        let count = self.looked_into.entry(kind).or_insert(0);
        if *count >= OF_A_KIND {
            return false;
        }
        *count += 1;
        let other = other.and_then(|index| self.maker.make(index));
        self.suspicions.push_back(Suspicion { index, conversation: conversation.clone(), other, violation });
        true
    }

    fn look_into_some(&mut self, looking: &mut Looking) {
        while looking.len() < LOOKED_INTO_AT_ONCE
            && self.ended.as_deref() != Some(INTERRUPTED)
            && let Some(suspicion) = self.suspicions.pop_front()
        {
            let bench = Arc::clone(&self.bench);
            let (index, shape) = (suspicion.index, suspicion.violation.shape.clone());
            self.under_way.push(suspicion.clone());
            looking.spawn(async move { (index, shape, bench.look_into(suspicion).await) });
        }
    }

    fn conclude(
        &mut self,
        index: u64,
        shape: String,
        finding: Option<Finding>,
        reporter: &mut dyn FuzzReporter,
    ) -> io::Result<()> {
        let at = self.under_way.iter().position(|known| known.index == index && known.violation.shape == shape);
        let suspicion = at.map(|at| self.under_way.swap_remove(at));
        match finding {
            None => {
                if let Some(Suspicion { violation, .. }) = suspicion {
                    self.gone.push(format!("conversation {index}, {}: {}", violation.oracle.word(), violation.what));
                }
            }
            Some(finding) if finding.is_ours => {
                let doubt = finding.doubt.unwrap_or_default();
                self.gone.push(format!("conversation {index}, {}: {doubt}", finding.oracle.word()));
            }
            Some(finding) => {
                if self.shapes.insert(finding.shape.clone()) {
                    self.numbered += 1;
                    let path = self.store.keep(self.numbered, &finding)?;
                    reporter.event(&FuzzEvent::Found(&finding, &path));
                    self.findings.push((finding, path));
                }
            }
        }
        self.save()
    }

    /// Whether the servers are well.
    async fn see_to_it(&mut self, reporter: &mut dyn FuzzReporter) -> io::Result<()> {
        for note in self.director.see_to_servers().await {
            reporter.event(&FuzzEvent::Note(&note));
        }
        let index = (self.start.elapsed().as_secs() as usize / 2) % self.names.len().max(1);
        self.check_canary(index, reporter).await?;
        self.save()
    }

    async fn check_canary(&mut self, index: usize, reporter: &mut dyn FuzzReporter) -> io::Result<()> {
        let Err(reason) = self.director.canary(index).await else { return Ok(()) };
        let name = self.names.get(index).cloned().unwrap_or_default();
        let what = format!(
            "a good login at {name} worked before, and comes to this after conversation {}: {reason}",
            self.judged
        );
        let kind = format!("{} {name}", Oracle::CanaryDies.word());
        if self.looked_into.insert(kind.clone(), 1).is_some() {
            return Ok(());
        }
        let finding = Finding {
            oracle: Oracle::CanaryDies,
            what: what.clone(),
            target: name,
            conversation: self.judged,
            steps: 0,
            shape: kind,
            seen_again: 0,
            tried: 0,
            harm: None,
            scenario: None,
            verdicts: None,
            is_ours: false,
            doubt: Some("which conversation did it is not known".to_string()),
            transcript: String::new(),
        };
        self.numbered += 1;
        let path = self.store.keep(self.numbered, &finding)?;
        reporter.event(&FuzzEvent::Found(&finding, &path));
        self.findings.push((finding, path));
        Ok(())
    }

    fn save(&self) -> io::Result<()> {
        let waiting = |suspicion: &Suspicion| Waiting {
            conversation: suspicion.index,
            compared_with: None,
            oracle: suspicion.violation.oracle.word().to_string(),
            what: suspicion.violation.what.clone(),
            shape: suspicion.violation.shape.clone(),
        };
        self.store.write(&State {
            seed: self.options.seed,
            targets: self.names.clone(),
            next: self.judged,
            pool: self.maker.pool(),
            suspicions: self.under_way.iter().chain(&self.suspicions).map(waiting).collect(),
            found: self.shapes.iter().cloned().collect(),
            looked_into: self.looked_into.iter().map(|(kind, count)| (kind.clone(), *count)).collect(),
            map: self.map.to_rows(),
        })
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

    fn nonce(&self, index: u64) -> [u8; 16] {
        let mut rng = fastrand::Rng::with_seed(self.options.seed.rotate_left(17) ^ index);
        rng.u128(..).to_le_bytes()
    }
}
