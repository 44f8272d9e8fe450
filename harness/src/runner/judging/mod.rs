//! From outcomes to verdicts, and what is judged besides the answers of cases: the facts that a target file expects, and
//! its skip baseline.

mod evidence;
mod expect;
mod skip_baseline;
mod temporary;
mod tested;

pub(super) use evidence::shorten_texts;
pub use expect::OBSERVED;
pub(super) use expect::Observations;
pub(super) use skip_baseline::SkipBaselines;
pub(super) use temporary::{is_temporary, temporary_failure};
pub(super) use tested::Tested;
