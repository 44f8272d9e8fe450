//! How a campaign that ended, however it did, goes on: what is written down, and what is made of it.

use std::io;

use super::bench::Suspicion;
use super::campaign::Campaign;
use super::oracle::{Oracle, Violation};
use super::store::{State, Waiting};

impl Campaign {
    /// Takes up where an earlier campaign was.
    pub(super) fn go_on(&mut self, state: State) -> io::Result<()> {
        let other = |what: &str| Err(io::Error::other(format!("the campaign in this folder has {what}")));
        if state.seed != self.options.seed {
            return other(&format!("the seed {}", state.seed));
        }
        if state.targets != self.names {
            return other(&format!("other targets: {}", state.targets.join(", ")));
        }
        self.maker.learn_again(&state.pool);
        (self.next, self.judged, self.first) = (state.next, state.next, state.next);
        self.shapes = state.found.into_iter().collect();
        self.looked_into = state.looked_into.into_iter().collect();
        self.map.put_back(state.map);
        for waiting in state.suspicions {
            let oracle = Oracle::ALL.into_iter().find(|oracle| oracle.word() == waiting.oracle);
            let other = waiting.compared_with.and_then(|index| Some((index, self.maker.make(index)?)));
            if let (Some(oracle), Some(conversation)) = (oracle, self.maker.make(waiting.conversation)) {
                let violation = Violation { oracle, command: None, what: waiting.what, shape: waiting.shape };
                let index = waiting.conversation;
                let suspects = waiting.suspects.into_iter().filter_map(|index| Some((index, self.maker.make(index)?)));
                let suspects = suspects.collect();
                self.suspicions.push_back(Suspicion { index, conversation, other, violation, nth: 0, suspects });
            }
        }
        Ok(())
    }

    /// Writes down how far it has come: what was not judged by then is had again by a campaign that goes on, so that
    /// nothing is lost between two times.
    pub(super) fn save(&self) -> io::Result<()> {
        let waiting = |suspicion: &Suspicion| Waiting {
            conversation: suspicion.index,
            compared_with: suspicion.other.as_ref().map(|(index, _)| *index),
            oracle: suspicion.violation.oracle.word().to_string(),
            what: suspicion.violation.what.clone(),
            shape: suspicion.violation.shape.clone(),
            suspects: suspicion.suspects.iter().map(|(index, _)| *index).collect(),
        };
        self.store.write(&State {
            seed: self.options.seed,
            targets: self.names.clone(),
            next: self.judged,
            pool: self.maker.pool(),
            suspicions: self.under_way.iter().chain(&self.suspicions).map(waiting).collect(),
            found: self.shapes.iter().map(|(shape, is_proven)| (shape.clone(), *is_proven)).collect(),
            looked_into: self.looked_into.iter().map(|(kind, count)| (kind.clone(), *count)).collect(),
            map: self.map.to_rows(),
        })
    }
}
