//! How much the reports of a run hold of what servers said, whatever servers say and however many cases fail.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::elision::elided_text;
use crate::runner::event::CaseReport;

/// How many octets of transcripts all reports of a run hold together: enough for thousands of findings.
const MOST_OF_A_RUN: usize = 64 << 20;
/// What stands in the place of a transcript when that is used up.
const USED_UP: &str =
    "[the reports of this run hold 64 MiB of transcripts already; run this case alone to see its own]\n";
/// How many octets of any other text of a report are shown whole.
const MOST_TEXT: usize = 4096;

/// The room that is left for transcripts in the reports of a run, in octets.
pub(in crate::runner) struct Evidence(AtomicUsize);

impl Default for Evidence {
    fn default() -> Self {
        Self(AtomicUsize::new(MOST_OF_A_RUN))
    }
}

impl Evidence {
    /// The transcript, as long as there is room for it.
    pub fn transcript(&self, transcript: String) -> String {
        let take = |left: usize| left.checked_sub(transcript.len());
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => transcript,
            Err(_) => USED_UP.to_string(),
        }
    }
}

/// Leaves the middle out of every text that a server, or a scenario, made long.
pub(in crate::runner) fn shorten_texts(report: &mut CaseReport) {
    let optional = [&mut report.login, &mut report.mailbox, &mut report.code, &mut report.text];
    let answers = report.answers.iter_mut().flat_map(|(name, answer)| [name, answer]);
    let texts = optional.into_iter().flatten().chain(answers).chain([&mut report.expected, &mut report.reason]);
    texts.for_each(|text| *text = elided_text(std::mem::take(text), MOST_TEXT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_holds_a_bounded_number_of_octets() {
        let evidence = Evidence::default();
        let told: usize = (0..10_000).map(|_| evidence.transcript("x".repeat(16 << 10)).len()).sum();
        assert!(told <= MOST_OF_A_RUN + 10_000 * USED_UP.len(), "{told} octets");
        assert_eq!(evidence.transcript("y".repeat(100)), USED_UP);
    }
}
