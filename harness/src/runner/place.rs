//! Where a target is asked.

use crate::axes::{Protocol, Security};

/// One way to talk to a target: its index, the protocol, and what protects the connection.
pub(crate) type Place = (usize, Protocol, Security);
