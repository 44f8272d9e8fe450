//! From outcomes to verdicts.

mod temporary;

pub(super) use temporary::{is_temporary, temporary_failure};
