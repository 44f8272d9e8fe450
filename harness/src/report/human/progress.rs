//! The progress bar: on standard error, where that is a terminal.

use std::io::{self, IsTerminal as _};

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::runner;

/// How often a log line says what is left, where there is no terminal for a bar.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// A progress bar that counts finished cases.
pub(super) struct Progress {
    bar: ProgressBar,
    /// When the last log line was given back.
    logged: Instant,
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
        Self { bar: ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden()), logged: Instant::now() }
    }

    /// Says how many cases there are.
    pub fn start(&self, cases: usize) {
        self.bar.set_length(cases as u64);
    }

    /// Counts one finished case.
    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// Shows what is left beside the bar. Without a bar it gives back a line for the log, one in every [`LOG_EVERY`].
    pub fn tell(&mut self, left: &runner::Progress) -> Option<String> {
        if !self.bar.is_hidden() {
            self.bar.set_message(left.to_string());
            return None;
        }
        if left.left == 0 || self.logged.elapsed() < LOG_EVERY {
            return None;
        }
        self.logged = Instant::now();
        Some(left.to_string())
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
