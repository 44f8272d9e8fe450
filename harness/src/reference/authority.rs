//! Who may log in, and what opens: dialect, directory and flaws together decide about credentials.

use super::flaw::{Flaw, Flaws};
use super::flawed_data::{flawed_dialect, flawed_directory};
use crate::axes::{Mechanism, Protocol};
use crate::identity::{Access, Account, Cause, Dialect, Directory, Manner, Part, resolve};

/// The text for every failure for which the dialect has none. One text for all, so that it does not tell an unknown
/// user from a wrong password (RFC 9051 §11.7).
const GENERIC_TEXT: &str = "Authentication failed.";

/// What a client claims.
#[derive(Clone, Copy)]
pub struct Credentials<'c> {
    /// The login name; with SASL PLAIN, the authentication identity.
    pub name: &'c [u8],
    /// The password.
    pub password: &'c [u8],
    /// SASL PLAIN's authorization identity; empty where there is none (RFC 4422 §3.4.1).
    pub authorization: &'c [u8],
    /// How the name came here.
    pub access: Access,
}

/// What the server makes of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This mailbox opens.
    Open {
        /// Its name.
        mailbox: Vec<u8>,
    },
    /// None does.
    Fail {
        /// Why.
        cause: Cause,
        /// How the server shows it.
        manner: Manner,
        /// The response code, without its brackets.
        code: Option<String>,
        /// The text; an empty one is sent as no text at all (KB Q182618).
        text: String,
    },
}

/// Dialect, directory and flaws: everything that a session needs to know.
#[derive(Debug, Clone)]
pub struct Authority {
    dialect: Dialect,
    directory: Directory,
    flaws: Flaws,
    canaries: bool,
}

impl Authority {
    /// Puts a server's knowledge together.
    pub fn new(dialect: Dialect, directory: Directory, flaws: Flaws) -> Self {
        let dialect = flawed_dialect(dialect, flaws);
        let directory = flawed_directory(directory, &dialect, flaws);
        Self { dialect, directory, flaws, canaries: true }
    }

    /// With or without canaries in the mailboxes.
    #[must_use]
    pub const fn with_canaries(mut self, canaries: bool) -> Self {
        self.canaries = canaries;
        self
    }

    /// Whether each mailbox's message names the mailbox.
    pub const fn canaries(&self) -> bool {
        self.canaries
    }

    /// The rules by which names are read; flaws may have changed them.
    pub const fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Who exists; flaws may have changed it.
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The flaws.
    pub const fn flaws(&self) -> Flaws {
        self.flaws
    }

    /// Whether our server speaks the mechanism and the dialect offers it.
    pub fn offers(&self, access: Access) -> bool {
        super::sasl::speaks(access.mechanism) && self.dialect.offers(access)
    }

    /// Whether the name leads to an account at all. Only a flawed server asks.
    pub(super) fn knows(&self, name: &[u8], access: Access) -> bool {
        resolve(&self.dialect, &self.directory, name, access).1.account.is_some()
    }

    /// Decides, in this order: the form of the name, the account, the password, the mailbox.
    pub fn decide(&self, credentials: &Credentials<'_>) -> Decision {
        let access = credentials.access;
        let rules_for = match access.mechanism {
            Mechanism::Plain if self.flaws.has(Flaw::PlainIgnoresCompositeBan) => {
                Access { mechanism: Mechanism::Login, ..access }
            }
            _ => access,
        };
        let (readings, resolution) = resolve(&self.dialect, &self.directory, credentials.name, rules_for);
        // The comparison is made also for nobody: how long the answer takes must not tell who exists.
        let password_is_right = self.password_is_right(resolution.credentials, credentials.password);
        let (Some(account), Some(asked)) = (resolution.account, resolution.credentials) else {
            return self.fail(resolution.opens.err().unwrap_or(Cause::NoAccount), access);
        };
        if !password_is_right {
            return self.fail(Cause::WrongPassword, access);
        }
        if account.disabled || asked.disabled {
            return self.fail(Cause::Disabled, access);
        }
        if !self.may_act_as(credentials) {
            return not_authorized(access);
        }
        let names_mailbox = readings.chosen().is_some_and(|reading| reading.named(Part::Mailbox).is_some());
        let own = account.mailbox.as_deref();
        let opens = match (resolution.opens, own) {
            (_, Some(own)) if names_mailbox && self.flaws.has(Flaw::IgnoresNamedMailbox) => Ok(own),
            (Err(Cause::AssumedMailbox), Some(own)) if self.flaws.has(Flaw::AssumedMailboxOpensAnyway) => Ok(own),
            (opens, _) => opens,
        };
        match opens {
            Ok(mailbox) => Decision::Open { mailbox: mailbox.to_vec() },
            Err(cause) => self.fail(cause, access),
        }
    }

    fn password_is_right(&self, account: Option<&Account>, given: &[u8]) -> bool {
        let expected = account.map_or(&b"nobody"[..], |account| account.password.expose());
        same_octets(expected, given)
            || self.flaws.has(Flaw::AcceptsAnyPassword)
            || (given.is_empty() && self.flaws.has(Flaw::AcceptsEmptyPassword))
    }

    /// Nobody acts for others by an authorization identity here (RFC 4616 §2 leaves that to the server).
    fn may_act_as(&self, credentials: &Credentials<'_>) -> bool {
        credentials.authorization.is_empty()
            || self.dialect.same(credentials.authorization, credentials.name)
            || self.flaws.has(Flaw::IgnoresAuthorizationIdentity)
    }

    fn fail(&self, cause: Cause, access: Access) -> Decision {
        let (mut manner, code, mut text) = match self.dialect.failure(cause, access) {
            Some(failure) => (failure.manner, failure.code.clone(), failure.text.clone()),
            None => (Manner::Rejects, Some(generic_code(access).to_string()), GENERIC_TEXT.to_string()),
        };
        if self.flaws.has(Flaw::OkBeforeBinding) && is_about_the_mailbox(cause) {
            manner = Manner::Unbound;
        }
        if self.flaws.has(Flaw::RevealsUnknownUsers) {
            match cause {
                Cause::NoAccount | Cause::NoDomain => text = "There is no such user.".to_string(),
                Cause::WrongPassword => text = "The password is wrong.".to_string(),
                _ => {}
            }
        }
        Decision::Fail { cause, manner, code, text }
    }
}

const fn generic_code(access: Access) -> &'static str {
    match access.protocol {
        // RFC 5530 §3 and RFC 3206 §6.
        Protocol::Imap => "AUTHENTICATIONFAILED",
        Protocol::Pop3 => "AUTH",
    }
}

fn not_authorized(access: Access) -> Decision {
    let code = match access.protocol {
        Protocol::Imap => "AUTHORIZATIONFAILED",
        Protocol::Pop3 => "AUTH",
    };
    Decision::Fail {
        cause: Cause::NotPermitted,
        manner: Manner::Rejects,
        code: Some(code.to_string()),
        text: "The authorization identity is another than the authentication identity.".to_string(),
    }
}

const fn is_about_the_mailbox(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::NoMailbox | Cause::AssumedMailbox | Cause::NotPermitted | Cause::Elsewhere | Cause::Ambiguous
    )
}

/// Compares without stopping at the first difference.
fn same_octets(expected: &[u8], given: &[u8]) -> bool {
    let padding = expected.iter().chain(std::iter::repeat(&0));
    let different = given.iter().zip(padding).fold(0, |different, (a, b)| different | (a ^ b));
    different == 0 && expected.len() == given.len()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn decide(authority: &Authority, name: &str, password: &str, authorization: &str) -> Decision {
        authority.decide(&Credentials {
            name: name.as_bytes(),
            password: password.as_bytes(),
            authorization: authorization.as_bytes(),
            access: Access { protocol: Protocol::Imap, mechanism: Mechanism::Plain },
        })
    }

    fn cause(decision: Decision) -> Option<(Cause, Manner)> {
        match decision {
            Decision::Open { .. } => None,
            Decision::Fail { cause, manner, .. } => Some((cause, manner)),
        }
    }

    #[test]
    fn the_checks_come_in_order() {
        let authority = fixture::authority(Flaws::NONE);
        let rejects = |cause| Some((cause, Manner::Rejects));
        for (name, password, expected) in [
            (r"Domain1\User1\Mailbox1", "Secret-User1", None),
            (r"domain1/USER1/mailbox1", "Secret-User1", None),
            (r"Domain1\User1\Mailbox1", "secret-User1", rejects(Cause::WrongPassword)),
            (r"Domain9\User1\Mailbox1", "Secret-User1", rejects(Cause::NoDomain)),
            (r"Mailbox1", "Secret-User1", rejects(Cause::NoAccount)),
            (r"Domain1\Disabled", "wrong", rejects(Cause::WrongPassword)),
            (r"Domain1\Disabled", "Secret-Disabled", rejects(Cause::Disabled)),
            (r"Domain1\User1", "Secret-User1", rejects(Cause::AssumedMailbox)),
            (r"Domain1\User1\Alice", "Secret-User1", rejects(Cause::NotPermitted)),
            (r"Domain1\Ambiguous", "Secret-Ambiguous", rejects(Cause::Ambiguous)),
            (r"Domain1\Moved", "Secret-Moved", Some((Cause::Elsewhere, Manner::Unbound))),
            (r"Domain1\Nobox", "Secret-Nobox", rejects(Cause::NoMailbox)),
            (r"\User1", "Secret-User1", rejects(Cause::RefusedForm)),
            ("", "", rejects(Cause::Unspecified)),
        ] {
            assert_eq!(cause(decide(&authority, name, password, "")), expected, "{name} {password}");
        }
    }

    #[test]
    fn unknown_users_and_wrong_passwords_look_the_same() {
        let authority = fixture::authority(Flaws::NONE);
        let shown = |name| match decide(&authority, name, "wrong", "") {
            Decision::Fail { manner, code, text, .. } => (manner, code, text),
            Decision::Open { .. } => panic!("opened"),
        };
        assert_eq!(shown("Nobody"), shown("Same"));
        assert_eq!(shown("Same").1.as_deref(), Some("AUTHENTICATIONFAILED"));
    }

    #[test]
    fn an_authorization_identity_must_be_the_same() {
        let authority = fixture::authority(Flaws::NONE);
        assert_eq!(cause(decide(&authority, "Same", "Secret-Same", "Same")), None);
        let refused = Some((Cause::NotPermitted, Manner::Rejects));
        assert_eq!(cause(decide(&authority, "Same", "Secret-Same", "Alice")), refused);
        let wrong = Some((Cause::WrongPassword, Manner::Rejects));
        assert_eq!(cause(decide(&authority, "Same", "wrong", "Alice")), wrong);
    }

    #[test]
    fn octets_are_compared_whole() {
        assert!(same_octets(b"", b"") && same_octets(b"ab", b"ab"));
        assert!(!same_octets(b"ab", b"a") && !same_octets(b"a", b"ab") && !same_octets(b"a", b"a\0"));
    }
}
