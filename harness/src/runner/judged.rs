//! For tests and fuzz targets: what a run would tell of a conversation that was had in memory.

use std::sync::Arc;

use super::checks::Prints;
use super::event::CaseReport;
use super::judging::Tested;
use super::plan::Planned;
use super::question::Question;
use super::settle::{Answered, Siblings};
use crate::scenario::Scenario;
use crate::target::Target;
use crate::transport::Conversation;

/// The report on a case, put to this target as this question. Nothing where the case waits for siblings, or is none of the
/// scenario's.
pub(crate) fn judged(
    scenario: &Arc<Scenario>,
    case: usize,
    target: &Arc<Target>,
    question: Question,
    conversation: Conversation,
) -> Option<CaseReport> {
    let planned = Planned::new(Arc::clone(scenario), case, 0);
    let targets = [Arc::clone(target)];
    let tested = Tested::new(&targets, Vec::new());
    let answered = Answered {
        planned,
        question,
        conversation,
        process: None,
        compared: None,
        is_shared: false,
        first_outcome: None,
    };
    let mut siblings = Siblings::new(std::iter::empty(), Prints::default());
    siblings.settle(answered, &tested).pop().map(|settled| settled.report)
}
