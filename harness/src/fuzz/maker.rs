//! Makes the conversations of a campaign one after the other, from its seed and from what was learned on the way.

use std::sync::Arc;

use fastrand::Rng;

use super::conversation::Conversation;
use super::director::keep_to_budget;
use super::grammar::Grammar;
use super::ground::Ground;
use super::mutation::mutate;
use super::people::{Person, people};

/// A conversation learns from those that lie at least so far back: those in between may still be under way, and chance
/// must have no part in what is made.
pub(super) const WINDOW: u64 = 4096;

/// How many that reached something new are drawn from.
const POOL: usize = 4096;

/// The maker of a campaign's conversations: with the same seed, targets and answers it makes the same ones.
pub(super) struct Maker {
    seed: u64,
    grounds: Vec<Arc<Ground>>,
    people: Vec<Vec<Person>>,
    /// The conversations that reached something new, and their numbers.
    pool: Vec<(u64, Conversation)>,
}

impl Maker {
    pub fn new(seed: u64, grounds: Vec<Arc<Ground>>) -> Self {
        let people = grounds.iter().map(|ground| people(ground)).collect();
        Self { seed, grounds, people, pool: Vec::new() }
    }

    /// The conversation with this number; nothing where the targets have nobody to speak of.
    pub fn make(&self, index: u64) -> Option<Conversation> {
        let mut rng = Rng::with_seed(self.seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        // The first draws of seeds that lie close together are alike.
        let mut rng = rng.fork();
        let known = self.pool.partition_point(|(number, _)| number + WINDOW <= index);
        let known = self.pool.get(..known).unwrap_or_default();
        let mut conversation = if !known.is_empty() && rng.bool() {
            // What was reached last leads on more often.
            let recent = known.len().saturating_sub(64);
            let mut draw = || if rng.bool() { rng.usize(recent..known.len()) } else { rng.usize(..known.len()) };
            // A handshake costs as much as three conversations without one, and what is new is often so in TLS only.
            let drawn = [draw(), draw(), draw()].map(|at| known.get(at));
            let plain = drawn.into_iter().flatten().find(|(_, conversation)| !conversation.needs_tls());
            let mut conversation = plain.or(drawn[0])?.1.clone();
            mutate(&mut rng, &self.grammar(conversation.target)?, &mut conversation);
            conversation
        } else {
            let target = rng.usize(..self.grounds.len().max(1));
            self.grammar(target)?.conversation(&mut rng)?
        };
        keep_to_budget(self.grounds.get(conversation.target)?, &mut conversation);
        Some(conversation)
    }

    /// Takes note of a conversation that reached something new. They come in the order of their numbers.
    pub fn learn(&mut self, index: u64, conversation: Conversation) {
        if self.pool.len() < POOL {
            self.pool.push((index, conversation));
        }
    }

    /// Makes the pool of an earlier campaign again.
    pub fn learn_again(&mut self, numbers: &[u64]) {
        for &index in numbers {
            if let Some(conversation) = self.make(index) {
                self.learn(index, conversation);
            }
        }
    }

    /// The numbers of the conversations in the pool.
    pub fn pool(&self) -> Vec<u64> {
        self.pool.iter().map(|(index, _)| *index).collect()
    }

    fn grammar(&self, target: usize) -> Option<Grammar<'_>> {
        let (ground, people) = self.grounds.get(target).zip(self.people.get(target))?;
        Some(Grammar { ground, target, people })
    }
}

#[cfg(test)]
#[path = "maker_tests.rs"]
mod tests;
