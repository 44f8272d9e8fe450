//! What several tests of this room need.

use std::sync::Arc;
use std::time::Duration;

use super::ground::Ground;
use crate::identity::{bundled_dialect, bundled_directory};
use crate::reference::Flaws;
use crate::target::{Target, start_reference};
use crate::transport::Deadlines;

/// So long that only what never comes is waited for in vain.
pub(super) const PATIENT: Duration = Duration::from_secs(20);

/// The reference server of the dialect `opaque`, with these flaws.
pub(super) fn target(flaws: Flaws) -> Arc<Target> {
    let (dialect, directory) = (bundled_dialect("opaque").unwrap().unwrap(), bundled_directory().unwrap());
    Arc::new(start_reference(Arc::new(dialect), Arc::new(directory), flaws).unwrap())
}

/// The same, explored.
pub(super) async fn ground(flaws: Flaws) -> Arc<Ground> {
    Arc::new(Ground::explore(target(flaws), Deadlines::from_reply(PATIENT)).await.unwrap())
}
