//! Who plays the roles of a scenario: where the values come from that a template asks for.

use std::borrow::Cow;
use std::cell::RefCell;

use super::template::{Filled, Template, Value};
use crate::secret::Password;

/// A role lacks a value that a template asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// There is no such role.
    #[error("no account for the role `{0}`")]
    Role(String),
    /// The role has no such value.
    #[error("the role `{role}` has no {value}")]
    Value {
        /// The role.
        role: String,
        /// The value.
        value: &'static str,
    },
}

/// Where a template's values come from: who plays which role.
pub trait Cast {
    /// A value of a role.
    fn value(&self, role: &str, value: Value) -> Result<RoleValue<'_>, Lacking>;
}

/// A role's value, which knows whether it is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleValue<'a> {
    /// Octets that anybody may see.
    Plain(Cow<'a, [u8]>),
    /// A password or a token.
    Secret(Password),
}

impl RoleValue<'_> {
    /// The octets, for the wire or for a comparison and for nothing else.
    pub fn expose(&self) -> &[u8] {
        match self {
            Self::Plain(octets) => octets,
            Self::Secret(password) => password.expose(),
        }
    }
}

/// Fills in every text of one case, and keeps the secrets that were put in.
pub struct Filler<'c> {
    cast: &'c dyn Cast,
    role: &'c str,
    secrets: RefCell<Vec<Password>>,
}

impl<'c> Filler<'c> {
    /// Fills in texts of a case whose own role is `role`.
    pub const fn new(cast: &'c dyn Cast, role: &'c str) -> Self {
        Self { cast, role, secrets: RefCell::new(Vec::new()) }
    }

    /// The text with the roles' values in it.
    pub fn fill(&self, text: &Template) -> Result<Filled, Lacking> {
        let filled = text.fill(self.cast, self.role)?;
        self.secrets.borrow_mut().extend(filled.secrets.iter().cloned());
        Ok(filled)
    }

    /// The password or the token of the case's own role.
    pub fn own_secret(&self, value: Value) -> Result<Password, Lacking> {
        let secret = match self.cast.value(self.role, value)? {
            RoleValue::Plain(octets) => Password::new(octets),
            RoleValue::Secret(password) => password,
        };
        self.secrets.borrow_mut().push(secret.clone());
        Ok(secret)
    }

    /// Every secret that was put in so far.
    pub fn into_secrets(self) -> Vec<Password> {
        self.secrets.into_inner()
    }
}
