//! What is judged besides the answers of cases: the facts that a target file expects, and its skip baseline.

mod expect;
mod skip_baseline;

pub(super) use expect::Observations;
pub(super) use skip_baseline::SkipBaselines;
