//! ANONYMOUS (RFC 4505): nobody in particular, with a trace.

use super::super::authority::Evidence;
use super::{Context, Step};
use crate::axes::Mechanism;

/// The longest trace, in characters (RFC 4505 §2).
const LONGEST_TRACE: usize = 255;

pub(super) fn answer(trace: &[u8], context: Context<'_>) -> Result<Step, &'static str> {
    check(trace)?;
    Ok(Step::Decided(context.decide(Mechanism::Anonymous, b"", b"", Evidence::Anonymous)))
}

fn check(trace: &[u8]) -> Result<(), &'static str> {
    let Ok(trace) = std::str::from_utf8(trace) else {
        return Err("a trace is UTF-8 (RFC 4505 section 2)");
    };
    if trace.chars().count() > LONGEST_TRACE {
        return Err("a trace has at most 255 characters (RFC 4505 section 2)");
    }
    // The profile "trace" of RFC 4505 §3 prohibits the control characters of RFC 3454 C.2.
    if trace.chars().any(char::is_control) {
        return Err("a trace holds no control characters (RFC 4505 section 3)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_short_texts() {
        for good in ["", "sirhc", "somebody@example.org", &"ü".repeat(255)] {
            assert_eq!(check(good.as_bytes()), Ok(()), "{good}");
        }
        for wrong in [&b"\xff"[..], b"a\0b", b"a\r\n", &[b'a'; 256]] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }
}
