//! Keeps an eye on the memory of servers that we can look into, while they are asked.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use super::governor::Governor;

/// How often the memory is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How much more than before is worth a second look, in octets.
const GROWTH: u64 = 96 << 20;

/// Looks until it is told to end.
pub(super) struct GrowthWatch {
    looking: JoinSet<()>,
}

impl GrowthWatch {
    /// Begins to look.
    pub fn begin(governor: &Arc<Governor>) -> Self {
        let mut looking = JoinSet::new();
        for index in 0..governor.gates.len() {
            let governor = Arc::clone(governor);
            if governor.gates.get(index).is_some_and(|gate| gate.target.is_watched()) {
                looking.spawn(async move { look(&governor, index).await });
            }
        }
        Self { looking }
    }

    /// Ends it, so that nobody holds on to the targets.
    pub async fn end(mut self) {
        self.looking.shutdown().await;
    }
}

async fn look(governor: &Governor, index: usize) {
    let Some(gate) = governor.gates.get(index) else { return };
    let mut before = None;
    loop {
        if let Some(memory) = gate.target.memory().await {
            // Processes come and go with connections, so it is the growth from one second to the next that counts.
            if before.is_some_and(|before| memory > before + GROWTH) {
                gate.growths.fetch_add(1, Ordering::Relaxed);
            }
            before = Some(memory);
        }
        tokio::time::sleep(EVERY).await;
    }
}
