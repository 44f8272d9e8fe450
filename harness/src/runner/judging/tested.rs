//! What judging needs to know of the servers under test.

use std::sync::Arc;

use super::evidence::Evidence;
use crate::axes::Protocol;
use crate::protocol::Redactor;
use crate::target::Target;

/// What the reports need to know of the servers under test.
pub(in crate::runner) struct Tested<'t> {
    pub targets: &'t [Arc<Target>],
    /// Where even the login does not work that must: what goes wrong there is no finding about the server yet.
    pub troubled: Vec<(usize, Protocol)>,
    /// What masks the secrets of each target's accounts.
    pub redactors: Vec<Arc<Redactor>>,
    pub evidence: Evidence,
}

impl<'t> Tested<'t> {
    pub fn new(targets: &'t [Arc<Target>], troubled: Vec<(usize, Protocol)>) -> Self {
        let redactor = |target: &Arc<Target>| Arc::new(Redactor::new(&target.directory.secrets()));
        Self { targets, troubled, redactors: targets.iter().map(redactor).collect(), evidence: Evidence::default() }
    }
}
