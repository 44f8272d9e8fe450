//! A target's directory plays the roles of a scenario, by the login names that its dialect understands.

use std::borrow::Cow;

use super::Target;
use crate::axes::{Mechanism, Protocol};
use crate::identity::{Access, advise, name_of_account, resolve};
use crate::scenario::{Cast, Lacking, RoleValue, Value};

/// The accounts of a target, as they log in with one protocol and mechanism.
pub struct Players<'t> {
    target: &'t Target,
    access: Access,
    /// Whether a name for PLAIN is preferred, if LOGIN takes it as well: a dialogue may use either.
    for_both: bool,
}

impl Target {
    /// Who plays the roles where cases come with this protocol and mechanism.
    pub const fn players(&self, access: Access) -> Players<'_> {
        Players { target: self, access, for_both: false }
    }

    /// Who plays the roles in a dialogue, which may send a name in any way.
    pub const fn players_of_dialogue(&self, protocol: Protocol) -> Players<'_> {
        Players { target: self, access: Access { protocol, mechanism: Mechanism::Login }, for_both: true }
    }
}

impl Cast for Players<'_> {
    fn value(&self, role: &str, value: Value) -> Result<RoleValue<'_>, Lacking> {
        let Target { directory, dialect, .. } = self.target;
        let found = directory.role(role).ok_or_else(|| Lacking::Role(role.to_string()))?;
        let lacking = || Lacking::Value { role: role.to_string(), value: value.word() };
        let octets = match value {
            Value::Domain => Some(found.domain.name.as_slice()),
            Value::Dns => found.domain.dns.as_deref(),
            Value::User => found.account.map(|account| account.user.as_slice()),
            Value::Mailbox => found.mailbox,
            Value::Password => {
                let password = found.account.map(|account| account.password.clone());
                return password.map(RoleValue::Secret).ok_or_else(lacking);
            }
            Value::Token => {
                let token = found.account.and_then(|account| account.token.clone());
                return token.map(RoleValue::Secret).ok_or_else(lacking);
            }
            Value::OtherLogin => {
                let name = found.account.and_then(|account| name_of_account(dialect, directory, account, self.access));
                let lacking = || Lacking::Value { role: role.to_string(), value: "login name" };
                return name.map(owned).ok_or_else(lacking);
            }
            Value::Login => {
                let advised = found.account.and_then(|account| {
                    let plain = Access { mechanism: Mechanism::Plain, ..self.access };
                    let of_both = advise(dialect, directory, account, plain).filter(|(_, name)| {
                        let opens = resolve(dialect, directory, name, self.access).1.opens;
                        self.for_both && opens.ok().is_some_and(|opened| Some(opened) == account.mailbox.as_deref())
                    });
                    of_both.or_else(|| advise(dialect, directory, account, self.access))
                });
                return match advised {
                    Some((_, name)) => Ok(owned(name)),
                    None => Err(Lacking::Value { role: role.to_string(), value: "login name that opens its mailbox" }),
                };
            }
        };
        octets.map(|octets| RoleValue::Plain(Cow::Borrowed(octets))).ok_or_else(lacking)
    }
}

const fn owned<'a>(name: Vec<u8>) -> RoleValue<'a> {
    RoleValue::Plain(Cow::Owned(name))
}
