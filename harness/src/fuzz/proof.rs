//! What was found is written as a scenario, and proven: it fails on the target and passes on its sound twin.

use std::sync::Arc;

use super::bench::{AGAIN, Bench, Finding, same};
use super::case_text::{CaseText, Material};
use super::conversation::Conversation;
use super::ground::Ground;
use super::oracle::Violation;
use super::scenario_text::case;
use super::scene::perform;
use super::sound::verdict;
use crate::scenario::Verdict;

impl Bench {
    /// Writes the scenario, and proves it on the target and on its sound twin.
    pub(super) async fn write(
        &self,
        ground: &Arc<Ground>,
        conversation: &Conversation,
        other: Option<&Conversation>,
        violation: &Violation,
        finding: &mut Finding,
    ) {
        let twin = match self.twin(conversation).await {
            Ok(twin) => twin,
            Err(reason) => {
                finding.doubt = Some(reason);
                return;
            }
        };
        let sound = match perform(&twin, conversation, self.deadlines, None, self.nonce()).await {
            Ok(scene) => scene,
            Err(reason) => {
                finding.doubt = Some(reason);
                return;
            }
        };
        if let Some(own) = same(&sound.violations, violation) {
            finding.doubt = Some(format!("the sound reference server does the same: {}", own.what));
            finding.is_ours = true;
            return;
        }
        let material = Material { conversation, other, violation, ground, sound: &sound.heard };
        let Some(CaseText { text, steps, is_of_lacking }) = case(&material) else {
            finding.doubt = Some("no scenario can say it".to_string());
            return;
        };
        (finding.steps, finding.is_of_lacking) = (steps, is_of_lacking);
        if let Err(reason) = self.director.settle(conversation).await {
            finding.doubt = Some(format!("the scenario was not tried: {reason}"));
            return;
        }
        let text = self.scenario(finding, &text);
        // Not where findings are kept: a kill must leave nothing there that is not whole.
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => {
                finding.doubt = Some(format!("failed to make a folder in which to try the scenario: {error}"));
                return;
            }
        };
        let file = folder.path().join("trial.toml");
        if let Err(error) = std::fs::write(&file, &text) {
            finding.doubt = Some(format!("failed to write {}: {error}", file.display()));
            return;
        }
        let here = {
            // What others do to the server must not be held against this one.
            let _alone = match ground.target.is_watched() {
                true => self.director.alone(conversation.target).await.ok(),
                false => None,
            };
            verdict(&file, &ground.target, self.deadlines).await
        };
        let there = verdict(&file, &twin.target, self.deadlines).await;
        finding.scenario = Some(text);
        match (here, there) {
            (Ok((here, why)), Ok((there, why_there))) => {
                finding.verdicts = Some((here, there));
                finding.is_ours = matches!(there, Verdict::Fail | Verdict::Warn);
                if !finding.is_proven() {
                    finding.doubt = Some(format!(
                        "the scenario comes to {} here ({why}) and to {} on the sound reference server ({why_there})",
                        here.word(),
                        there.word()
                    ));
                }
            }
            (Err(reason), _) | (_, Err(reason)) => finding.doubt = Some(reason),
        }
    }

    fn scenario(&self, finding: &Finding, case: &str) -> String {
        let Finding { oracle, what, target, .. } = finding;
        let plain = |text: &str| text.replace(['\n', '\r'], " ");
        let quoted = |text: &str| plain(text).replace('\\', "\\\\").replace('"', "\\\"");
        let steadiness = match finding.seen_again {
            0 => "when it was compared with another".to_string(),
            AGAIN => "each time that it was tried again".to_string(),
            some => format!("{some} times of {AGAIN}: not every time"),
        };
        format!(
            "# Found by `loginspec fuzz --seed {}` as conversation {} with {}; seen {steadiness}.\n\
             # Oracle {}: {}.\n\
             title = \"{}\"\nabout = \"Found by fuzzing: {}.\"\ncites = [\"{}\"]\nonce = true\n\n{case}",
            self.seed,
            finding.conversation,
            plain(target),
            oracle.word(),
            oracle.rule(),
            quoted(oracle.rule()),
            quoted(what),
            oracle.cites(),
        )
    }
}
