//! What a sound server may do with a login: whose mailbox may open, whether it must, and how it may refuse.

use crate::axes::{Fault, Mechanism, Protocol};
use crate::identity::{Access, Part, resolve};
use crate::runner::by_dialect;
use crate::scenario::Expected;
use crate::secret::Password;
use crate::target::Target;

/// What may come of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// The mailboxes that may open.
    pub opens: Vec<Vec<u8>>,
    /// Whether one of them must.
    pub must_open: bool,
    /// Whether a mailbox may open that the target file does not know: there is none of the role `anonymous` in it.
    pub opens_unknown: bool,
    /// How the server may refuse.
    pub refusals: Refusals,
    /// Whether it is known that the account does not exist, or that it does and the password is wrong; nothing where
    /// neither is.
    pub stranger: Option<bool>,
}

/// How a server may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusals {
    /// `NO`, `-ERR`.
    pub no: bool,
    /// `BAD`.
    pub bad: bool,
    /// It may close the connection.
    pub closed: bool,
    /// It may let the login in and open nothing.
    pub unbound: bool,
}

impl Refusals {
    const NO: Self = Self { no: true, bad: false, closed: false, unbound: false };
    const NO_OR_BAD: Self = Self { no: true, bad: true, closed: false, unbound: false };
    /// In whatever way it likes.
    pub const ANY: Self = Self { no: true, bad: true, closed: true, unbound: true };
}

/// What is claimed.
#[derive(Clone, Copy)]
pub(super) struct Claim<'c> {
    pub access: Access,
    pub name: &'c [u8],
    pub authzid: &'c [u8],
    pub password: &'c [u8],
    pub fault: Option<Fault>,
    /// The role whose certificate was shown, where one was and TLS stands.
    pub certified: Option<&'c str>,
    /// Whether the server says that it takes this mechanism now; nothing where it says nothing.
    pub is_offered: Option<bool>,
    /// Whether the same mechanism bound to the channel is to be had.
    pub offers_plus: bool,
}

impl Due {
    /// Nobody gets in.
    pub const fn nobody(refusals: Refusals) -> Self {
        Self { opens: Vec::new(), must_open: false, opens_unknown: false, refusals, stranger: None }
    }

    /// What is due to a command that the grammar does not have.
    pub const fn illegal() -> Self {
        Self::nobody(Refusals { no: true, bad: true, closed: true, unbound: false })
    }

    /// By the target's dialect and directory.
    pub fn of(target: &Target, claim: &Claim<'_>) -> Self {
        if claim.is_offered == Some(false) {
            return Self::nobody(Refusals::NO_OR_BAD);
        }
        match claim.access.mechanism {
            Mechanism::Anonymous => return Self::anonymous(target),
            Mechanism::External => return Self::by_certificate(target, claim),
            _ => {}
        }
        if claim.fault.is_some_and(|fault| is_wrong(fault, claim)) {
            return Self::nobody(Refusals::ANY);
        }
        // What the dialect says nothing of, and the server offers, it may take from whoever knows the password.
        if !target.dialect.mechanisms.contains(&claim.access.mechanism) {
            return Self::maybe(own_mailboxes(target, claim));
        }
        let by_name = Self::by_name(target, claim);
        if claim.authzid.is_empty() {
            return by_name;
        }
        Self::acting_for(target, claim, by_name)
    }

    fn by_name(target: &Target, claim: &Claim<'_>) -> Self {
        let Claim { access, .. } = *claim;
        // NTLM carries domain and user apart, so that an empty domain is none.
        let name = match claim.name {
            [b'\\', user @ ..] if access.mechanism == Mechanism::Ntlm => user,
            name => name,
        };
        // Where only the token says who it is, it opens its own; the name of APOP is a word, or it is not (RFC 1939 §7).
        let is_open = access.mechanism.takes_token() && name.is_empty()
            || access.mechanism == Mechanism::Apop && name.contains(&b' ');
        if is_open {
            return Self::maybe(own_mailboxes(target, claim));
        }
        let password = Password::new(claim.password);
        let mut due = match by_dialect(target, name, &password, access) {
            Expected::Opens(mailbox) => {
                Self { opens: vec![mailbox.expose().to_vec()], must_open: true, ..Self::nobody(Refusals::NO) }
            }
            Expected::Rejected => Self::nobody(Refusals::NO),
            Expected::Bad | Expected::Refused => Self::nobody(Refusals::NO_OR_BAD),
            Expected::Closed => Self::nobody(Refusals { closed: true, ..Refusals::NO }),
            Expected::Unbound => Self::nobody(Refusals { unbound: true, ..Refusals::NO }),
            // Nobody knows how the name is read: only harm would be wrong.
            _ => Self::maybe(own_mailboxes(target, claim)),
        };
        // What stands in a name that no account has, a server may call wrong in form.
        let said = || name.iter().chain(claim.password);
        if !said().all(|octet| (b' '..0x7f).contains(octet)) || name.is_empty() || claim.password.is_empty() {
            due.refusals.bad = true;
            // Whether LOGIN takes more than ASCII hangs on more than the login (RFC 9051 §6.3.1, RFC 6855).
            let is_login = access.mechanism == Mechanism::Login;
            due.must_open &= !said().any(|octet| octet.is_ascii_control() || is_login && !octet.is_ascii());
        }
        // The token says who it is, and how a mailbox is refused to its account the name does not tell.
        if access.mechanism.takes_token() && due.opens.is_empty() {
            due.refusals = Refusals::ANY;
        }
        // A server may have bounds of its own (RFC 1939 §3, RFC 4616 §2).
        if name.len() > 255 || claim.password.len() > 255 {
            due.refusals = Refusals::ANY;
        }
        let is_plain = |octets: &[u8]| !octets.is_empty() && octets.iter().all(u8::is_ascii_graphic);
        if due.opens.is_empty() && is_plain(name) && is_plain(claim.password) {
            due.stranger = stranger(target, claim);
        }
        due
    }

    /// One acts for another only where the directory says so, and never as oneself when another is named (RFC 4616 §2).
    fn acting_for(target: &Target, claim: &Claim<'_>, by_name: Self) -> Self {
        if target.dialect.same(claim.authzid, claim.name) {
            return Self { must_open: false, refusals: Refusals::NO_OR_BAD, stranger: None, ..by_name };
        }
        let (_, asked) = resolve(&target.dialect, &target.directory, claim.authzid, claim.access);
        let (_, asking) = resolve(&target.dialect, &target.directory, claim.name, claim.access);
        let own = asking.credentials.filter(|_| !by_name.opens.is_empty());
        let opens = match (own, asked.opens) {
            (Some(account), Ok(mailbox)) => {
                let may = account.mailbox.as_deref() == Some(mailbox)
                    || account.may_open.iter().any(|other| other == mailbox)
                    || account.master;
                may.then(|| mailbox.to_vec()).into_iter().collect()
            }
            _ => Vec::new(),
        };
        Self { opens, ..Self::nobody(Refusals::NO_OR_BAD) }
    }

    /// EXTERNAL: the certificate says who it is, whatever the client says (RFC 4422 appendix A).
    fn by_certificate(target: &Target, claim: &Claim<'_>) -> Self {
        let own = claim.certified.map_or_else(Vec::new, |role| mailbox_of(target, role));
        let is_own = |authzid: &[u8]| {
            let resolution = resolve(&target.dialect, &target.directory, authzid, claim.access).1;
            resolution.opens.ok().is_some_and(|mailbox| own.iter().any(|own| own == mailbox))
        };
        // With a fault it says something else, or nothing.
        if claim.fault.is_some() || claim.authzid.is_empty() || is_own(claim.authzid) {
            Self::maybe(own)
        } else {
            Self::nobody(Refusals::ANY)
        }
    }

    /// The mailbox of anonymous users may open (RFC 4505), which is no account's own.
    pub fn anonymous(target: &Target) -> Self {
        Self {
            opens_unknown: target.directory.role("anonymous").is_none(),
            ..Self::maybe(mailbox_of(target, "anonymous"))
        }
    }

    /// Whether this mailbox may open.
    pub fn may_open(&self, mailbox: &[u8], target: &Target) -> bool {
        let is_known = || target.directory.mailboxes.iter().any(|known| known.name == mailbox);
        self.opens.iter().any(|opens| opens == mailbox) || self.opens_unknown && !is_known()
    }

    /// Whether nobody may get in.
    pub const fn is_for_nobody(&self) -> bool {
        self.opens.is_empty() && !self.opens_unknown
    }

    fn maybe(opens: Vec<Vec<u8>>) -> Self {
        Self { opens, ..Self::nobody(Refusals::ANY) }
    }
}

/// Whether nobody may get in with a message that is wrong in this way.
fn is_wrong(fault: Fault, claim: &Claim<'_>) -> bool {
    match fault {
        // Where no -PLUS is offered the client is right to say so.
        Fault::ChannelBindingDowngrade => claim.offers_plus,
        // A first response in the wrong form says nothing about the last one.
        Fault::TruncatedBase64 => claim.name.len() + claim.password.len() > 2,
        _ => true,
    }
}

fn mailbox_of(target: &Target, role: &str) -> Vec<Vec<u8>> {
    let account = target.directory.role(role).and_then(|role| role.account).filter(|account| !account.disabled);
    account.and_then(|account| account.mailbox.clone()).into_iter().collect()
}

/// Every mailbox that some reading of the name comes to, for who knows the password.
fn own_mailboxes(target: &Target, claim: &Claim<'_>) -> Vec<Vec<u8>> {
    let takes_token = claim.access.mechanism.takes_token();
    let knows = target.directory.accounts.iter().filter(|account| {
        let secret = if takes_token { account.token.as_ref() } else { Some(&account.password) };
        secret.is_some_and(|secret| secret.expose() == claim.password)
    });
    knows.flat_map(|account| account.mailbox.iter().chain(&account.may_open).cloned()).collect()
}

/// Whether the name is nobody's, where it is known whose it would be; or somebody's whose password is another.
fn stranger(target: &Target, claim: &Claim<'_>) -> Option<bool> {
    let (readings, resolution) = resolve(&target.dialect, &target.directory, claim.name, claim.access);
    let reading = readings.chosen()?;
    // Who names a master is refused for the master's sake.
    if reading.named(Part::Master).is_some() {
        return None;
    }
    match resolution.account {
        None if resolution.opens == Err(crate::identity::Cause::NoAccount) => Some(true),
        Some(account) if !account.disabled && account.password.expose() != claim.password => Some(false),
        _ => None,
    }
}

/// The access of a command's mechanism.
pub(super) const fn access(protocol: Protocol, mechanism: Mechanism) -> Access {
    Access { protocol, mechanism }
}
