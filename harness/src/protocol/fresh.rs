//! What a client must not repeat: nonces and the time. A session has no clock and no source of chance, so whoever
//! begins a login gives it these.

/// What makes one login differ from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fresh {
    /// Octets of chance, for the client's nonces and challenges.
    pub nonce: [u8; 16],
    /// The time, as NTLM counts it: in steps of 100 ns since 1601-01-01 (MS-DTYP §2.3.3).
    pub filetime: u64,
}
