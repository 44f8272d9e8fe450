//! A suspicion becomes a finding: seen again, made small, written as a scenario that fails here and passes on a sound
//! server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::OnceCell;

use super::comparison::Observation;
use super::conversation::Conversation;
use super::director::{Director, nonce};
use super::ground::Ground;
use super::oracle::{Oracle, Violation};
use super::scene::perform;
use super::shape::shape;
use super::simplification::{simpler, steps};
use super::sound::twin;
use crate::axes::Security;
use crate::protocol::Redactor;
use crate::scenario::Verdict;
use crate::transport::Deadlines;

/// How often a finding is looked at again, small as it is, to tell how steady it is.
pub(super) const AGAIN: u32 = 3;
/// For how long a conversation is made smaller at most.
const TO_SHRINK: Duration = Duration::from_secs(20);
/// How many simpler conversations are tried at once.
const AT_ONCE: usize = 8;

/// What a conversation has shown, before it is seen again.
#[derive(Debug, Clone)]
pub(super) struct Suspicion {
    /// The number of the conversation.
    pub index: u64,
    pub conversation: Conversation,
    /// The conversation with which it was compared, and its number.
    pub other: Option<(u64, Conversation)>,
    pub violation: Violation,
    /// How many of its kind came before it.
    pub nth: u32,
    /// Where the server has suffered: the conversations of which one did it, and their numbers.
    pub suspects: Vec<(u64, Conversation)>,
}

/// A violation that was seen again, in its smallest conversation.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The oracle that fired.
    pub oracle: Oracle,
    /// What happened, in words.
    pub what: String,
    /// The target's name.
    pub target: String,
    /// The number of the conversation that showed it first.
    pub conversation: u64,
    /// How many messages the client says in the smallest conversation that shows it.
    pub steps: usize,
    /// What tells it from other findings.
    pub shape: String,
    /// How often it was seen again, of three times; never where two conversations are compared.
    pub seen_again: u32,
    /// How many conversations were had to make it small.
    pub tried: usize,
    /// What the server's processes suffered meanwhile, where they did.
    pub harm: Option<String>,
    /// The scenario, as a file's text.
    pub scenario: Option<String>,
    /// What the scenario comes to on the target, and on a sound server.
    pub verdicts: Option<(Verdict, Verdict)>,
    /// Whether its scenario says something only of servers that lack a capability.
    pub is_of_lacking: bool,
    /// Whether the sound reference server does the same, so that the oracle is wrong and not the server.
    pub is_ours: bool,
    /// Why there is no scenario, or why it proves nothing.
    pub doubt: Option<String>,
    /// The conversation, with passwords masked.
    pub transcript: String,
}

impl Finding {
    /// A finding of which no more is known than this.
    pub(super) fn new(oracle: Oracle, what: String, target: String, conversation: u64, shape: String) -> Self {
        Self {
            oracle,
            what,
            target,
            conversation,
            steps: 0,
            shape,
            seen_again: 0,
            tried: 0,
            harm: None,
            scenario: None,
            verdicts: None,
            is_of_lacking: false,
            is_ours: false,
            doubt: None,
            transcript: String::new(),
        }
    }

    /// Whether its scenario fails on the target and passes on a sound server, or does not apply there: one that takes
    /// what it does not offer has broken a rule that is none for who offers it.
    pub fn is_proven(&self) -> bool {
        match self.verdicts {
            Some((Verdict::Fail | Verdict::Warn, Verdict::Pass)) => true,
            Some((Verdict::Fail | Verdict::Warn, Verdict::Skip)) => self.is_of_lacking,
            _ => false,
        }
    }
}

/// Whoever looks into suspicions.
pub(super) struct Bench {
    pub director: Arc<Director>,
    pub deadlines: Deadlines,
    pub seed: u64,
    /// The sound twins of the targets, as far as they were needed.
    pub twins: Vec<OnceCell<Arc<Ground>>>,
    /// How many nonces were drawn.
    pub nonces: AtomicU64,
}

impl Bench {
    /// Looks into a suspicion; nothing where it is not seen again.
    pub async fn look_into(&self, mut suspicion: Suspicion) -> Option<Finding> {
        let ground = Arc::clone(self.director.grounds.get(suspicion.conversation.target)?);
        if !suspicion.suspects.is_empty() {
            suspicion = self.find_culprit(suspicion).await?;
        }
        let Suspicion { index, conversation, other, violation, .. } = suspicion;
        let is_compared = other.is_some();
        if let Some((doubt, transcript)) = self.is_the_same_with_a_sound_server(&conversation, &violation).await {
            let found = self.finding(&ground, &conversation, &violation, index);
            return Some(Finding { is_ours: true, doubt: Some(doubt), transcript, ..found });
        }
        let mut tried = 0;
        let smallest = if let Some((_, other)) = &other {
            if violation.oracle == Oracle::UnequalOutcome && !self.still_differ(&conversation, other).await {
                return None;
            }
            conversation
        } else {
            if !self.shows_again(&conversation, &violation).await {
                return None;
            }
            self.shrink(&ground, conversation, &violation, &mut tried).await
        };
        // Once with nobody else, to see what becomes of the server, and then to tell how steady it is.
        // Where that fails, as at a server that does not come back, there is still what was seen before.
        let (scenes, harm) = self.director.perform_alone(&[(&smallest, self.nonce())]).await.unwrap_or_default();
        let mut shown = scenes.iter().find_map(|scene| same(&scene.violations, &violation).cloned());
        let mut seen_again = u32::from(shown.is_some() || harm.is_some() && violation.oracle == Oracle::ServerHarmed);
        for _ in 1..AGAIN {
            let found = self.seen(&smallest, &violation).await;
            seen_again += u32::from(found.is_some());
            shown = shown.or(found);
        }
        let passwords = ground.passwords_said(&smallest);
        let transcript = scenes.first().map(|scene| scene.heard.transcript.render(&Redactor::new(&passwords)));
        let transcript = transcript.unwrap_or_default();
        if seen_again == 0 && !is_compared {
            return None;
        }
        let mut shown = shown.unwrap_or(violation);
        if let Some(harm) = &harm {
            shown = harmed(shown, harm);
        }
        let mut finding =
            Finding { seen_again, tried, harm, transcript, ..self.finding(&ground, &smallest, &shown, index) };
        let other = other.as_ref().map(|(_, other)| other);
        self.write(&ground, &smallest, other, &shown, &mut finding).await;
        // One conversation alone shows nothing of a comparison: it is its scenario that compares again.
        let is_gone = is_compared && matches!(finding.verdicts, Some((Verdict::Pass, _)));
        (!is_gone).then_some(finding)
    }

    fn finding(&self, ground: &Ground, conversation: &Conversation, violation: &Violation, index: u64) -> Finding {
        let Violation { oracle, what, .. } = violation;
        let shape = format!("{} {}", oracle.word(), shape(conversation));
        let target = ground.target.name.clone();
        Finding { steps: steps(conversation), ..Finding::new(*oracle, what.clone(), target, index, shape) }
    }

    /// The sound twin of a conversation's target.
    pub(super) async fn twin(&self, conversation: &Conversation) -> Result<Arc<Ground>, String> {
        let found = self.twins.get(conversation.target).zip(self.director.grounds.get(conversation.target));
        let (cell, ground) = found.ok_or("there is no such target")?;
        let made = cell.get_or_try_init(|| async { twin(&ground.target, self.deadlines).await.map(Arc::new) }).await;
        made.cloned()
    }

    /// What a sound server does that is the same, and the conversation with it: then the oracle is wrong, and not the
    /// server.
    async fn is_the_same_with_a_sound_server(
        &self,
        conversation: &Conversation,
        violation: &Violation,
    ) -> Option<(String, String)> {
        let twin = self.twin(conversation).await.ok()?;
        let sound = perform(&twin, conversation, self.deadlines, None, self.nonce()).await.ok()?;
        let own = same(&sound.violations, violation)?;
        let transcript = sound.heard.transcript.render(&Redactor::new(&twin.passwords_said(conversation)));
        Some((format!("the sound reference server does the same: {}", own.what), transcript))
    }

    /// Whether two logins that mean the same come to something else again: the server may have changed between them, as
    /// where an account got locked.
    async fn still_differ(&self, one: &Conversation, other: &Conversation) -> bool {
        let mut outcomes = Vec::new();
        for conversation in [one, other] {
            let Ok(scene) = self.director.perform(conversation, self.nonce()).await else { return false };
            outcomes.extend(scene.observations.into_iter().find_map(|observation| match observation {
                Observation::CameTo { outcome, .. } => Some(outcome),
                Observation::Refused { .. } | Observation::Challenged { .. } => None,
            }));
        }
        matches!(outcomes.as_slice(), [one, other] if one != other)
    }

    /// Whether the violation shows once more, of three times, each on a fresh connection.
    async fn shows_again(&self, conversation: &Conversation, violation: &Violation) -> bool {
        for _ in 0..AGAIN {
            if self.shows(conversation, violation).await {
                return true;
            }
        }
        false
    }

    /// The smallest conversation that still shows the violation: whatever can be left out is.
    async fn shrink(
        &self,
        ground: &Ground,
        mut conversation: Conversation,
        violation: &Violation,
        tried: &mut usize,
    ) -> Conversation {
        let began = Instant::now();
        // Who is not answered may have made a process spin: many of them at once slow down everybody else.
        let at_once = if violation.oracle == Oracle::NoReply && ground.target.is_watched() { 1 } else { AT_ONCE };
        let has_plaintext = ground.place(conversation.protocol, Security::Plaintext).is_some();
        'smaller: loop {
            let candidates = simpler(&conversation, has_plaintext);
            for chunk in candidates.chunks(at_once) {
                if began.elapsed() > TO_SHRINK {
                    return conversation;
                }
                *tried += chunk.len();
                let mut asking = Vec::new();
                for candidate in chunk {
                    asking.push(self.shows(candidate, violation));
                }
                // In the order of the candidates, so that chance has no part in it.
                for (candidate, shows) in chunk.iter().zip(join_all(asking).await) {
                    if shows {
                        conversation = candidate.clone();
                        continue 'smaller;
                    }
                }
            }
            return conversation;
        }
    }

    async fn shows(&self, conversation: &Conversation, violation: &Violation) -> bool {
        self.seen(conversation, violation).await.is_some()
    }

    /// The violation, as it shows in a conversation on a fresh connection.
    async fn seen(&self, conversation: &Conversation, violation: &Violation) -> Option<Violation> {
        if violation.oracle == Oracle::ServerHarmed {
            let (_, harm) = self.director.perform_alone(&[(conversation, self.nonce())]).await.ok()?;
            return Some(Violation { what: harm?, ..violation.clone() });
        }
        let scene = self.director.perform(conversation, self.nonce()).await.ok()?;
        same(&scene.violations, violation).cloned()
    }

    /// Chance for clients' nonces: never the same twice, or a server would be right to refuse. Campaigns count from below.
    pub(super) fn nonce(&self) -> [u8; 16] {
        nonce(self.seed, u64::MAX - self.nonces.fetch_add(1, Ordering::Relaxed))
    }
}

/// The same violation again: by the same oracle, with the same kind of answer, whatever the command.
pub(super) fn same<'v>(found: &'v [Violation], violation: &Violation) -> Option<&'v Violation> {
    let kind = |shape: &str| shape.rsplit_once(": ").map(|(_, kind)| kind.to_string());
    // A process that is ended because it spins closes the connection; left alone it would say nothing.
    let is_same =
        |other: &Violation| violation.oracle == Oracle::NoReply || kind(&other.shape) == kind(&violation.shape);
    found.iter().find(|other| other.oracle == violation.oracle && is_same(other))
}

/// What a violation is where the server suffers for it: a command that is never answered because a process spins is
/// that process's harm.
fn harmed(violation: Violation, harm: &str) -> Violation {
    match violation.oracle {
        Oracle::NoReply => {
            Violation { oracle: Oracle::ServerHarmed, what: format!("{}; {harm}", violation.what), ..violation }
        }
        Oracle::ServerHarmed => Violation { what: harm.to_string(), ..violation },
        _ => violation,
    }
}
