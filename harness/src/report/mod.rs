//! Reports: each takes the runner's events in and writes them in its own form, the moment it is told.

mod accept;
mod cause;
mod comparison;
pub mod earlier;
mod finding;
mod human;
mod json;
mod junit;
mod matrix;
mod matrix_table;
mod matrix_view;
mod narrow_glob;
mod offers;
mod replay;
mod sign;

use std::io;

pub use accept::{Accept, Accepted, AcceptedRecord};
pub use cause::{Cause, CauseKind};
pub use comparison::{Column, Comparison};
pub use human::Human;
pub use json::JsonLines;
pub use junit::Junit;
pub use matrix::{Matrix, MatrixReport};
pub(crate) use offers::offers;
pub use replay::{Replay, ReplayTarget};
pub use sign::Sign;

use crate::runner::{CaseReport, Reporter, RunEvent};

/// Several reports at once. Each is told of every event, whatever becomes of the others.
#[derive(Default)]
pub struct Reports(Vec<Box<dyn Reporter>>);

impl Reports {
    /// Adds a report.
    pub fn add(&mut self, report: impl Reporter + 'static) {
        self.0.push(Box::new(report));
    }
}

impl Reporter for Reports {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        // A full disk under one report must not cost the others their last lines.
        let results: Vec<io::Result<()>> = self.0.iter_mut().map(|report| report.event(event)).collect();
        results.into_iter().collect()
    }
}

/// What happened, in a few words, with what the server said.
fn actual(case: &CaseReport) -> String {
    let mut words = if case.reason.is_empty() { "as expected".to_string() } else { case.reason.clone() };
    if case.code.is_none() && case.text.as_deref().is_none_or(str::is_empty) {
        return words;
    }
    words.push_str(" (");
    if let Some(code) = &case.code {
        words.push_str(&format!("[{code}]"));
    }
    if let Some(text) = case.text.as_deref().filter(|text| !text.is_empty()) {
        let gap = if case.code.is_some() { " " } else { "" };
        words.push_str(&format!("{gap}\"{text}\""));
    }
    words.push(')');
    words
}
