//! Who may log in, and what opens: dialect, directory and flaws together decide about credentials.

use std::borrow::Cow;
use std::sync::Arc;

use super::connection::CertificateIdentity;
use super::crypto::{Hash, same_octets};
use super::flaw::{Flaw, Flaws};
use super::flawed_data::{flawed_dialect, flawed_directory};
use super::flawed_names::flawed_name;
use super::secrets::{ScramKeys, Secrets};
use crate::axes::{Mechanism, Protocol};
use crate::identity::{
    Access, Account, Case, Cause, Dialect, Directory, Failure, Manner, Part, Readings, Resolution, resolve,
};
use crate::secret::Password;

/// The text for every failure for which the dialect has none. One text for all, so that it does not tell an unknown
/// user from a wrong password (RFC 9051 §11.7).
const GENERIC_TEXT: &str = "Authentication failed.";

/// The role of the account whose mailbox opens for nobody in particular (RFC 4505).
pub(super) const ANONYMOUS_ROLE: &str = "anonymous";

/// What a client claims.
#[derive(Clone, Copy)]
pub struct Credentials<'c> {
    /// The login name; with SASL, the authentication identity. Empty where a token or a certificate says it all.
    pub name: &'c [u8],
    /// What shows that the claim is true.
    pub evidence: Evidence<'c>,
    /// SASL's authorization identity; empty where there is none (RFC 4422 §3.4.1).
    pub authorization: &'c [u8],
    /// How the name came here.
    pub access: Access,
}

/// What shows that a claim is true.
#[derive(Clone, Copy)]
pub enum Evidence<'c> {
    /// The password itself.
    Password(&'c [u8]),
    /// A proof that the client knows the account's password. It is asked once, also where there is no such account.
    Proof(&'c dyn Fn(&Account) -> bool),
    /// A bearer token. The account is the token's; the name says which mailbox is meant.
    Token(&'c [u8]),
    /// The client's TLS certificate.
    Certificate(&'c CertificateIdentity),
    /// Nothing: nobody in particular.
    Anonymous,
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
    secrets: Arc<Secrets>,
    /// Takes the place of an account that does not exist, so that the same work is done for it.
    nobody: Account,
    time: u64,
    offers_tls: bool,
    requires_tls: bool,
    canaries: bool,
}

impl Authority {
    /// Puts a server's knowledge together. Its nonces are the same every time until it is given a seed.
    pub fn new(dialect: Dialect, directory: Directory, flaws: Flaws) -> Self {
        let dialect = flawed_dialect(dialect, flaws);
        let directory = flawed_directory(directory, &dialect, flaws);
        let nobody = Account {
            role: String::new(),
            domain: Vec::new(),
            user: Vec::new(),
            password: Password::new("nobody"),
            token: None,
            mailbox: None,
            may_open: Vec::new(),
            disabled: true,
            master: false,
        };
        Self {
            dialect,
            directory,
            flaws,
            secrets: Arc::new(Secrets::new([0; 32])),
            nobody,
            time: 0,
            offers_tls: false,
            requires_tls: false,
            canaries: true,
        }
    }

    /// Makes nonces and salts from these random octets.
    #[must_use]
    pub fn with_seed(self, seed: [u8; 32]) -> Self {
        Self { secrets: Arc::new(Secrets::new(seed)), ..self }
    }

    /// Gives this time where a mechanism has the server tell the time: in tenths of microseconds since 1601.
    #[must_use]
    pub fn with_time(self, time: u64) -> Self {
        Self { time, ..self }
    }

    /// The same where TLS is to be had on plaintext connections, and perhaps required before any password.
    #[must_use]
    pub fn with_tls(self, offers_tls: bool, requires_tls: bool) -> Self {
        Self { offers_tls, requires_tls, ..self }
    }

    /// Whether TLS is to be had on a plaintext connection.
    pub const fn offers_tls(&self) -> bool {
        self.offers_tls
    }

    /// Whether no password is taken in plaintext.
    pub const fn requires_tls(&self) -> bool {
        self.requires_tls
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

    /// The time that mechanisms tell.
    pub(super) const fn time(&self) -> u64 {
        self.time
    }

    /// Where nonces come from.
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Whether the dialect offers the mechanism, and there is what the mechanism needs.
    pub fn offers(&self, access: Access) -> bool {
        let has_account = access.mechanism != Mechanism::Anonymous || self.anonymous_account().is_some();
        self.dialect.offers(access) && access.mechanism.fits(access.protocol) && has_account
    }

    /// The account that nobody in particular may use.
    pub(super) fn anonymous_account(&self) -> Option<&Account> {
        self.directory.accounts.iter().find(|account| account.role == ANONYMOUS_ROLE)
    }

    /// SCRAM's salt for a login name. Who does not exist has one too, by the same rule (RFC 5802 §9).
    pub(super) fn scram_salt(&self, name: &[u8], access: Access) -> [u8; 16] {
        let home = self.directory.home();
        let (readings, resolution) = resolve(&self.dialect, &self.directory, name, access);
        if let Some(account) = resolution.credentials {
            return self.secrets.salt(&self.folded(&account.domain), &self.folded(&account.user));
        }
        let chosen = readings.chosen();
        let (domain, user) = match chosen.and_then(|reading| reading.named(Part::Master)) {
            Some(master) => (home, Some(master)),
            None => (
                chosen.and_then(|reading| reading.part(Part::Domain, home)).unwrap_or(home),
                chosen.and_then(|reading| reading.part(Part::User, home).or(reading.named(Part::Mailbox))),
            ),
        };
        let domain = self.domain_called(domain).unwrap_or(domain);
        self.secrets.salt(&self.folded(domain), &self.folded(user.unwrap_or(name)))
    }

    /// What a server keeps of an account's password for SCRAM.
    pub(super) fn scram_keys(&self, account: &Account, hash: Hash) -> Arc<ScramKeys> {
        let (domain, user) = (self.folded(&account.domain), self.folded(&account.user));
        self.secrets.keys(&domain, &user, &account.password, hash)
    }

    /// The name of the domain that is called so, by its name or its DNS name.
    pub(super) fn domain_called(&self, name: &[u8]) -> Option<&[u8]> {
        let domain = self.directory.domains.iter().find(|domain| {
            self.dialect.same(&domain.name, name)
                || domain.dns.as_deref().is_some_and(|dns| dns.eq_ignore_ascii_case(name))
        });
        domain.map(|domain| domain.name.as_slice())
    }

    /// Names that are the same to the dialect become the same octets.
    fn folded<'n>(&self, name: &'n [u8]) -> Cow<'n, [u8]> {
        match self.dialect.case {
            Case::Preserved => Cow::Borrowed(name),
            Case::Insensitive => Cow::Owned(name.to_ascii_lowercase()),
            Case::Lower | Case::LowerUnicode => self.dialect.folded(name),
        }
    }

    /// Whether the name leads to an account at all. Only a flawed server asks.
    pub(super) fn knows(&self, name: &[u8], access: Access) -> bool {
        resolve(&self.dialect, &self.directory, name, access).1.account.is_some()
    }

    /// Decides, in this order: the form of the name, the account, the evidence, the mailbox.
    pub fn decide(&self, credentials: &Credentials<'_>) -> Decision {
        let access = credentials.access;
        match credentials.evidence {
            Evidence::Password(_) | Evidence::Proof(_) => self.decide_by_password(credentials),
            Evidence::Token(token) => self.decide_by_token(token, credentials.name, access),
            Evidence::Certificate(identity) => self.decide_by_certificate(identity, credentials.authorization, access),
            Evidence::Anonymous => self.decide_anonymous(access),
        }
    }

    fn decide_by_password(&self, credentials: &Credentials<'_>) -> Decision {
        let access = credentials.access;
        let name = flawed_name(credentials.name, self.flaws);
        let rules_for = match access.mechanism {
            Mechanism::Plain if self.flaws.has(Flaw::PlainIgnoresCompositeBan) => {
                Access { mechanism: Mechanism::Login, ..access }
            }
            _ => access,
        };
        let (readings, resolution) = resolve(&self.dialect, &self.directory, &name, rules_for);
        // The comparison is made also for nobody: how long the answer takes must not tell who exists.
        let evidence_is_right = self.evidence_is_right(resolution.credentials, credentials.evidence);
        let (Some(account), Some(asked)) = (resolution.account, resolution.credentials) else {
            return self.fail(resolution.opens.err().unwrap_or(Cause::NoAccount), access);
        };
        if !evidence_is_right {
            return self.fail(Cause::WrongPassword, access);
        }
        if account.disabled || asked.disabled {
            return self.fail(Cause::Disabled, access);
        }
        if !self.may_act_as(credentials) {
            return not_authorized(access);
        }
        self.open(&readings, &resolution, account, access)
    }

    /// Opens what a name has come to, for an account that may log in.
    pub(super) fn open(
        &self,
        readings: &Readings<'_, '_>,
        resolution: &Resolution<'_>,
        account: &Account,
        access: Access,
    ) -> Decision {
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

    /// Whether a decision took the time that it takes to verify a password. Only a flawed server lets it show.
    pub(super) fn takes_time(&self, decision: &Decision) -> bool {
        let is_unverified = matches!(
            decision,
            Decision::Fail { cause: Cause::NoAccount | Cause::NoDomain | Cause::RefusedForm | Cause::Unspecified, .. }
        );
        self.flaws.has(Flaw::SlowForKnownUsers) && !is_unverified
    }

    /// Whether every refusal of a login bears the code for it: only then may POP3 announce `AUTH-RESP-CODE` (RFC 3206 §6).
    pub(super) fn codes_refusals(&self, access: Access) -> bool {
        [Cause::NoAccount, Cause::WrongPassword].into_iter().all(|cause| {
            let failure = self.dialect.failure(cause, access);
            failure.is_none_or(|failure| failure.code.as_deref() == Some(generic_code(access)))
        })
    }

    /// The decision on a password that is wrong.
    pub(super) fn refusal(&self, access: Access) -> Decision {
        self.fail(Cause::WrongPassword, access)
    }

    fn evidence_is_right(&self, account: Option<&Account>, evidence: Evidence<'_>) -> bool {
        let account = account.unwrap_or(&self.nobody);
        let is_right = match evidence {
            Evidence::Password(given) => {
                let expected = account.password.expose();
                let first = |octets: &'_ [u8]| octets.len().min(8);
                same_octets(expected, given)
                    || (self.flaws.has(Flaw::ComparesEightOctets)
                        && expected.get(..first(expected)) == given.get(..first(given)))
                    || (given.is_empty() && self.flaws.has(Flaw::AcceptsEmptyPassword))
            }
            Evidence::Proof(holds) => holds(account),
            Evidence::Token(_) | Evidence::Certificate(_) | Evidence::Anonymous => false,
        };
        is_right || self.flaws.has(Flaw::AcceptsAnyPassword)
    }

    /// Nobody acts for others by an authorization identity here (RFC 4616 §2 leaves that to the server).
    fn may_act_as(&self, credentials: &Credentials<'_>) -> bool {
        credentials.authorization.is_empty()
            || self.dialect.same(credentials.authorization, credentials.name)
            || self.flaws.has(Flaw::IgnoresAuthorizationIdentity)
    }

    pub(super) fn fail(&self, cause: Cause, access: Access) -> Decision {
        let (mut manner, code, mut text) = match self.dialect.failure(cause, access) {
            Some(failure) => (failure.manner, code_of(failure, access.protocol), failure.text.clone()),
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

/// The response codes that POP3 has for a login (RFC 2449 §8, RFC 3206).
const POP3_CODES: [&str; 5] = ["AUTH", "SYS/PERM", "SYS/TEMP", "IN-USE", "LOGIN-DELAY"];

/// The code of a failure over a protocol. One that is given for both protocols may be IMAP's alone.
fn code_of(failure: &Failure, protocol: Protocol) -> Option<String> {
    let code = failure.code.as_ref()?;
    let is_sent = protocol == Protocol::Imap
        || failure.applies.is_only_for(Protocol::Pop3)
        || POP3_CODES.iter().any(|known| known.eq_ignore_ascii_case(code));
    is_sent.then(|| code.clone())
}

const fn generic_code(access: Access) -> &'static str {
    match access.protocol {
        // RFC 5530 §3 and RFC 3206 §6.
        Protocol::Imap => "AUTHENTICATIONFAILED",
        Protocol::Pop3 => "AUTH",
    }
}

pub(super) fn not_authorized(access: Access) -> Decision {
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

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn decide(authority: &Authority, name: &str, password: &str, authorization: &str) -> Decision {
        authority.decide(&Credentials {
            name: name.as_bytes(),
            evidence: Evidence::Password(password.as_bytes()),
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
    fn salts_do_not_tell_who_exists() {
        let authority = fixture::authority(Flaws::NONE);
        let access = Access { protocol: Protocol::Imap, mechanism: Mechanism::ScramSha256 };
        let salt = |name: &str| authority.scram_salt(name.as_bytes(), access);
        for (known, unknown) in [("Same", "Nobody"), (r"Domain1\Alice\Bob", r"Domain1\Nobody\Bob")] {
            for name in [known, unknown] {
                assert_eq!(salt(name), salt(name), "{name}");
                assert_eq!(salt(name), salt(&name.to_ascii_uppercase()), "{name}");
            }
            assert_ne!(salt(known), salt(unknown));
        }
        for user in ["Alice", "Nobody"] {
            let whole = salt(&format!(r"Domain1\{user}\Bob"));
            assert_eq!(whole, salt(&format!("{user}@domain1.example/Bob")), "{user}");
            assert_ne!(whole, salt(&format!(r"Domain2\{user}\Bob")), "{user}");
        }
    }

    #[test]
    fn a_proof_is_asked_once_whoever_it_is_for() {
        let authority = fixture::authority(Flaws::NONE);
        for (name, expected) in [("Same", None), ("Nobody", Some((Cause::NoAccount, Manner::Rejects)))] {
            let asked = std::cell::Cell::new(0);
            let holds = |_: &Account| {
                asked.set(asked.get() + 1);
                true
            };
            let decision = authority.decide(&Credentials {
                name: name.as_bytes(),
                evidence: Evidence::Proof(&holds),
                authorization: b"",
                access: Access { protocol: Protocol::Imap, mechanism: Mechanism::CramMd5 },
            });
            assert_eq!((cause(decision), asked.get()), (expected, 1), "{name}");
        }
    }
}
