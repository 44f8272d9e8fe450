//! The progress bar: on standard error, where that is a terminal.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar that counts finished cases.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shows the bar where standard error is a terminal.
    pub fn new() -> Self {
        let progress = Self::hidden();
        if io::stderr().is_terminal() {
            progress.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        }
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} cases, {elapsed} {msg}") {
            progress.bar.set_style(style);
        }
        progress
    }

    /// Shows nothing.
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden()) }
    }

    /// Says how many cases there are.
    pub fn start(&self, cases: usize) {
        self.bar.set_length(cases as u64);
    }

    /// Counts one finished case.
    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// Shows a message beside the bar: what remains, and the bottleneck.
    #[expect(dead_code, reason = "the runner does not report its progress yet")]
    pub fn set_message(&self, message: &str) {
        self.bar.set_message(message.to_string());
    }

    /// Does something while the bar is not on the screen: whatever is written to the terminal meanwhile stays whole.
    pub fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        self.bar.suspend(work)
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
