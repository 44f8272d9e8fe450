//! What a machine wants after it has seen a frame.

use super::outcome::Outcome;
use super::outgoing::Outgoing;

/// The next thing to do.
pub(crate) enum Step {
    /// Wait for the next frame.
    Wait,
    /// Send this, then wait.
    Send(Outgoing),
    /// Begin TLS; what has come in plaintext behind the last frame is nobody's.
    StartTls,
    /// The outcome is known; take leave politely. What the server says to that changes nothing.
    Conclude {
        /// What it came to.
        outcome: Outcome,
        /// `LOGOUT` or `QUIT`.
        goodbye: Outgoing,
    },
    /// The outcome is known and there is nothing more to say.
    Finish(Outcome),
}
