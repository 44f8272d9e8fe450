//! A server has suffered while many asked: which conversation did it is found out by having ever fewer of them at once,
//! with nobody else.

use super::bench::{Bench, Suspicion};
use super::conversation::Conversation;
use super::oracle::Violation;

impl Bench {
    /// The suspicion with the one conversation that does it; nothing where none does by itself.
    pub(super) async fn find_culprit(&self, mut suspicion: Suspicion) -> Option<Suspicion> {
        let mut suspects = std::mem::take(&mut suspicion.suspects);
        let mut sign = self.harm_of(&suspects).await?;
        // Whoever was not answered is most likely the one.
        let silent = std::mem::take(&mut sign.silent);
        if !silent.is_empty() && silent.len() < suspects.len() {
            let (first, others) = suspects.into_iter().partition(|(index, _)| silent.contains(index));
            (suspects, sign) = self.guilty(first, others).await?;
        }
        while suspects.len() > 1 {
            let others = suspects.split_off(suspects.len() / 2);
            (suspects, sign) = self.guilty(suspects, others).await?;
        }
        let (index, conversation) = suspects.pop()?;
        let violation = match sign.unanswered {
            // What shows among others, too, is seen again sooner.
            Some(violation) => violation,
            None => Violation { what: sign.harm, ..suspicion.violation },
        };
        Some(Suspicion { index, conversation, violation, ..suspicion })
    }

    /// Those of two halves that do it.
    async fn guilty(&self, first: Vec<Suspect>, others: Vec<Suspect>) -> Option<(Vec<Suspect>, Sign)> {
        if let Some(sign) = self.harm_of(&first).await {
            return Some((first, sign));
        }
        let sign = self.harm_of(&others).await?;
        Some((others, sign))
    }

    /// What becomes of the server when these conversations are had and nothing else.
    async fn harm_of(&self, suspects: &[Suspect]) -> Option<Sign> {
        let asked: Vec<_> = suspects.iter().map(|(_, conversation)| (conversation, self.nonce())).collect();
        let (scenes, harm) = self.director.perform_alone(&asked).await.ok()?;
        let silent = suspects.iter().zip(&scenes).filter(|(_, scene)| scene.unanswered().is_some());
        Some(Sign {
            harm: harm?,
            silent: silent.map(|((index, _), _)| *index).collect(),
            unanswered: scenes.iter().find_map(|scene| scene.unanswered().cloned()),
        })
    }
}

type Suspect = (u64, Conversation);

/// That the server suffers.
struct Sign {
    /// What it suffers, in words.
    harm: String,
    /// The numbers of the conversations in which something was not answered.
    silent: Vec<u64>,
    /// What was not answered.
    unanswered: Option<Violation>,
}
