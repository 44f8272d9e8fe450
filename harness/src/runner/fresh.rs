//! What makes one login differ from the next: chance and the clock, which sessions do not have.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::protocol::Fresh;

/// Seconds from 1601-01-01 to 1970-01-01 (MS-DTYP §2.3.3).
const FILETIME_EPOCH: u64 = 11_644_473_600;

/// Octets of chance from the system, and the time of its clock.
pub(crate) fn fresh() -> Result<Fresh, String> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| format!("failed to get octets of chance from the system: {error}"))?;
    Ok(Fresh { nonce, filetime: filetime(SystemTime::now()) })
}

/// In steps of 100 ns; a clock before 1970 counts as 1970.
fn filetime(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let steps = u64::from(since.subsec_nanos()) / 100;
    (since.as_secs().saturating_add(FILETIME_EPOCH)).saturating_mul(10_000_000).saturating_add(steps)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_is_counted_as_ntlm_counts_it() {
        assert_eq!(filetime(UNIX_EPOCH), 116_444_736_000_000_000);
        assert_eq!(filetime(UNIX_EPOCH + Duration::from_micros(3)), 116_444_736_000_000_030);
        assert_eq!(filetime(UNIX_EPOCH - Duration::from_secs(1)), 116_444_736_000_000_000);
    }

    #[test]
    fn no_two_logins_are_alike() {
        assert_ne!(fresh().unwrap().nonce, fresh().unwrap().nonce);
    }
}
