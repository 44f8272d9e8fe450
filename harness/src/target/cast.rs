//! A directory plays the roles of a scenario.

use crate::identity::Directory;
use crate::scenario::{Cast, Lacking, Value};

impl Cast for Directory {
    fn value(&self, role: &str, value: Value) -> Result<&[u8], Lacking> {
        let found = self.role(role).ok_or_else(|| Lacking::Role(role.to_string()))?;
        let octets = match value {
            Value::Domain => Some(found.domain.name.as_slice()),
            Value::Dns => found.domain.dns.as_deref(),
            Value::User => found.account.map(|account| account.user.as_slice()),
            Value::Mailbox => found.mailbox,
            Value::Password => found.account.map(|account| account.password.expose()),
        };
        octets.ok_or_else(|| Lacking::Value { role: role.to_string(), value: value.word() })
    }
}
