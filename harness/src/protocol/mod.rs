//! IMAP, POP3 and SASL from the client's side, sans-IO: octets in, octets out, no clock and no socket.
//!
//! A [`Session`] is one login attempt or one dialogue. Whoever drives it (the transport, a test, a fuzz target)
//! asks [`Session::poll`] what to do, feeds what arrives with [`Session::receive`], says when the peer has
//! closed or stays silent, and takes the [`Outcome`] at the end. How the peer's octets are cut into reads makes
//! no difference.

mod outcome;

pub use outcome::{Deviation, Outcome, Proof, Reply, ResponseCode, Stage};
