//! A target without a file: one account on a stranger's server, as a command line says it.

use std::collections::HashMap;
use std::path::Path;

use super::endpoint::Endpoint;
use super::file::TargetFile;
use super::password::{Origin, Passwords, SecretError};
use super::{ChoiceError, Limits, Records, Target, TargetExpectations, find_dialect, remote_target};
use crate::identity::{Account, Directory, Domain, Mailbox};
use crate::secret::Password;
use crate::transport::TlsSettings;

/// The role that the one account plays.
const ROLE: &str = "same";

/// One account on one server.
pub struct QuickTarget {
    /// Where the server listens.
    pub endpoints: Vec<Endpoint>,
    /// How it reads login names.
    pub dialect: String,
    /// The account's name.
    pub user: String,
    /// Its mailbox; called like the user where nobody says so.
    pub mailbox: Option<String>,
    /// Its domain.
    pub domain: Option<String>,
    /// Where its password comes from.
    pub password: Origin,
    /// Where its token comes from, if it has one.
    pub token: Option<Origin>,
    /// How TLS is spoken.
    pub tls: TlsSettings,
}

/// Why there is no such target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuickError {
    /// The dialect means nothing.
    #[error("{0}")]
    Dialect(#[from] ChoiceError),
    /// The password or the token could not be had.
    #[error("failed to get the {what}: {reason}")]
    Secret {
        /// Which of them.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

/// Makes a target of it.
pub fn quick_target(quick: QuickTarget, passwords: Passwords) -> Result<Target, QuickError> {
    let dialect = find_dialect(&quick.dialect)?;
    let whose = quick.user.escape_debug().to_string();
    let fetch = |origin: Origin, what| match passwords {
        Passwords::Ignore => Ok(Password::new(Vec::new())),
        Passwords::Fetch => {
            let failed = |error: SecretError| QuickError::Secret { what, reason: error.to_string() };
            origin.fetch(Path::new(""), what, &whose).map_err(failed)
        }
    };
    let domain = quick.domain.unwrap_or_default();
    let mailbox = quick.mailbox.unwrap_or_else(|| quick.user.clone()).into_bytes();
    let origin = quick.password.clone();
    let account = Account {
        role: ROLE.to_string(),
        domain: domain.clone().into_bytes(),
        user: quick.user.into_bytes(),
        password: fetch(quick.password, "password")?,
        token: quick.token.map(|origin| fetch(origin, "token")).transpose()?,
        mailbox: Some(mailbox.clone()),
        may_open: Vec::new(),
        disabled: false,
        master: false,
    };
    let directory = Directory {
        domains: vec![Domain {
            dns: Some(&domain).filter(|domain| domain.contains('.')).map(|domain| domain.clone().into_bytes()),
            name: domain.into_bytes(),
        }],
        accounts: vec![account],
        mailboxes: vec![Mailbox { role: None, name: mailbox, aliases: Vec::new(), elsewhere: false }],
    };
    let name = quick.endpoints.first().map_or("nowhere", Endpoint::host).to_string();
    let file = TargetFile {
        name,
        about: String::new(),
        dialect: quick.dialect,
        endpoints: quick.endpoints,
        tls: quick.tls,
        origins: HashMap::from([(ROLE.to_string(), origin)]),
        certificates: HashMap::new(),
        lacks: Vec::new(),
        limits: Limits::default(),
        directory,
        roles: Vec::new(),
        known: Records::default(),
        expect: TargetExpectations::default(),
    };
    Ok(remote_target(file, dialect))
}
