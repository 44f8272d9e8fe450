//! TLS that fails: one message for all endpoints of a target at which it fails in the same way.

use super::super::place::Place;
use crate::target::Target;

/// One way in which TLS fails at some places of a target.
pub(in crate::runner) struct BrokenTls {
    /// The target's index.
    pub target: usize,
    reason: String,
    advice: String,
    /// Where it fails in this way.
    pub places: Vec<Place>,
}

impl BrokenTls {
    pub fn new(place: Place, reason: String, advice: String) -> Self {
        Self { target: place.0, reason, advice, places: vec![place] }
    }

    /// Adds this failure to a list: to the one of the same target that reads the same, where there is one.
    pub fn add_to(self, list: &mut Vec<Self>) {
        let is_same = |known: &&mut Self| {
            (known.target, &known.reason, &known.advice) == (self.target, &self.reason, &self.advice)
        };
        match list.iter_mut().find(is_same) {
            Some(known) => known.places.extend(self.places),
            None => list.push(self),
        }
    }

    /// Where it fails and why; in the second line, how to go on.
    pub fn in_words(&self, target: &Target) -> String {
        let mut addresses: Vec<String> = Vec::new();
        for &(_, protocol, security) in &self.places {
            if let Ok((endpoint, _)) = target.endpoint_without_secrets(protocol, Some(security)) {
                addresses.push(format!("{} ({protocol})", endpoint.address));
            }
        }
        addresses.dedup();
        format!("{}: TLS failed: {}\n  {}", addresses.join(", "), self.reason, self.advice)
    }
}
