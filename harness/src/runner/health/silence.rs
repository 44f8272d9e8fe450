//! Whether a server never answers: no conversation over a protocol, or no login that it refuses. Each of them would wait for
//! the whole time limit, and a few say as much as all.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// So many without an answer are certain, if none had one.
const CERTAIN: usize = 8;

/// What was seen of the answers to conversations of one kind.
#[derive(Debug, Default)]
pub(crate) struct SilenceWatch {
    is_answered: AtomicBool,
    unanswered: AtomicUsize,
}

impl SilenceWatch {
    /// Notes a conversation of the kind, and whether it was answered in time.
    pub fn note(&self, is_answered: bool) {
        if is_answered {
            self.is_answered.store(true, Ordering::Relaxed);
        } else {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether it is certain that none is ever answered. One answer is enough that it is not.
    pub fn is_certain(&self) -> bool {
        !self.is_answered.load(Ordering::Relaxed) && self.unanswered.load(Ordering::Relaxed) >= CERTAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_silence_is_certain_until_there_is_one_answer() {
        let watch = SilenceWatch::default();
        for _ in 0..CERTAIN {
            assert!(!watch.is_certain());
            watch.note(false);
        }
        assert!(watch.is_certain());
        watch.note(true);
        assert!(!watch.is_certain());
    }
}
