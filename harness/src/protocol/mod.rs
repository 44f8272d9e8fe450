//! IMAP, POP3 and SASL from the client's side, sans-IO: octets in, octets out, no clock and no socket.
//!
//! A [`Session`] is one login attempt or one dialogue. Whoever drives it (the transport, a test, a fuzz target)
//! asks [`Session::poll`] what to do, feeds what arrives with [`Session::receive`], says when the peer has
//! closed or stays silent, and takes the [`Outcome`] at the end. How the peer's octets are cut into reads makes
//! no difference.

mod canary;
mod capability_words;
mod code;
pub mod dialogue;
mod expected;
mod fresh;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod hearing;
pub mod imap;
pub mod line;
mod login;
mod marked_octets;
mod missing;
mod outcome;
mod outgoing;
pub mod pop3;
mod prelude;
mod redaction;
pub mod sasl;
mod secured;
mod session;
mod step;
mod survey;
pub(crate) mod transcript;
mod transcript_text;

#[cfg(test)]
mod session_properties;
#[cfg(test)]
mod trace;

pub use canary::{CANARY_FIELD, canary_mailbox, canary_message};
pub use code::ResponseCode;
pub use dialogue::{DialogueStep, Expected, Word, WordPattern};
pub use fresh::Fresh;
pub use login::Login;
pub use marked_octets::MarkedOctets;
pub use missing::Missing;
pub use outcome::{Deviation, Deviations, Outcome, Proof, Reply, Stage};
pub use outgoing::{Outgoing, PLACEHOLDER};
pub use redaction::{Redactor, SHORTEST as SHORTEST_SECRET};
pub use secured::Secured;
pub use session::{Action, Session};
pub use transcript::{Transcript, Turn};
pub use transcript_text::Mark;
