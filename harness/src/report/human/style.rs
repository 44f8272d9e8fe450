//! The colours of the report for people; none where the output is no terminal.

use anstyle::{AnsiColor, Style};

use crate::scenario::Verdict;

pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const BOLD: Style = Style::new().bold();

/// The colour of a case that is not as expected.
pub(super) fn of_verdict(verdict: Verdict) -> Style {
    if verdict == Verdict::Warn { YELLOW } else { RED }
}
