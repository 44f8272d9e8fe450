//! Earlier runs, from their JSON Lines: what they came to, what has changed since another, and what is to be written up.

mod change;
mod dossier;
mod markdown;
mod read;
mod server;
mod steady;

pub use change::{Changes, changes};
pub use dossier::{Dossier, dossiers};
pub use read::{EarlierCase, EarlierError, EarlierRun, Ending, read_run};
pub use server::{Server, servers};
pub(super) use steady::steady;
