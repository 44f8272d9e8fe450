//! Decisions without a password: bearer tokens, client certificates, nobody in particular.

use super::authority::{Authority, Decision, not_authorized};
use super::connection::CertificateIdentity;
use super::crypto::same_octets;
use super::flaw::Flaw;
use crate::axes::Mechanism;
use crate::identity::{Access, Account, Cause, resolve};

impl Authority {
    /// The account is the token's, and the name says which mailbox is meant: what the name comes to opens if the
    /// account may open it. Without a name (RFC 7628 §3.1 has it optional) the account's own mailbox does.
    pub(super) fn decide_by_token(&self, token: &[u8], name: &[u8], access: Access) -> Decision {
        let (readings, resolution) = resolve(self.dialect(), self.directory(), name, access);
        let Some(account) = self.owner_of_token(token) else {
            return self.fail(Cause::WrongPassword, access);
        };
        if account.disabled {
            return self.fail(Cause::Disabled, access);
        }
        if name.is_empty() && access.mechanism == Mechanism::Oauthbearer {
            return self.open_own(account, access);
        }
        let (Some(named), Some(asked)) = (resolution.account, resolution.credentials) else {
            return self.fail(resolution.opens.err().unwrap_or(Cause::NoAccount), access);
        };
        if named.disabled {
            return self.fail(Cause::Disabled, access);
        }
        if std::ptr::eq(asked, account) || self.flaws().has(Flaw::TokenForAnybody) {
            return self.open(&readings, &resolution, named, access);
        }
        match resolution.opens {
            Ok(mailbox) if std::ptr::eq(asked, named) && may_open(account, mailbox) => {
                Decision::Open { mailbox: mailbox.to_vec() }
            }
            Ok(_) => self.not_permitted(access),
            Err(cause) => self.fail(cause, access),
        }
    }

    /// The certificate says who it is; an authorization identity, where there is one, must be a login name of the
    /// same account (RFC 4422 appendix A).
    pub(super) fn decide_by_certificate(
        &self,
        identity: &CertificateIdentity,
        authorization: &[u8],
        access: Access,
    ) -> Decision {
        let domain = self.domain_called(&identity.domain);
        let account = self.directory().accounts.iter().find(|account| {
            Some(account.domain.as_slice()) == domain && self.dialect().same(&account.user, &identity.user)
        });
        let Some(account) = account else {
            return self.fail(Cause::NoAccount, access);
        };
        if account.disabled {
            return self.fail(Cause::Disabled, access);
        }
        if authorization.is_empty() || self.flaws().has(Flaw::IgnoresAuthorizationIdentity) {
            return self.open_own(account, access);
        }
        let (readings, resolution) = resolve(self.dialect(), self.directory(), authorization, access);
        match (resolution.account, resolution.credentials) {
            (Some(named), Some(asked))
                if std::ptr::eq(asked, account) || self.flaws().has(Flaw::ExternalTrustsAuthzid) =>
            {
                self.open(&readings, &resolution, named, access)
            }
            _ => not_authorized(access),
        }
    }

    /// The mailbox that is there for everybody (RFC 4505).
    pub(super) fn decide_anonymous(&self, access: Access) -> Decision {
        match self.anonymous_account() {
            Some(account) if account.disabled => self.fail(Cause::Disabled, access),
            Some(account) => self.open_own(account, access),
            None => self.fail(Cause::NoAccount, access),
        }
    }

    /// Every token is compared, whichever it is.
    fn owner_of_token(&self, token: &[u8]) -> Option<&Account> {
        let is_its = |account: &&Account| {
            account.token.as_ref().is_some_and(|own| !token.is_empty() && same_octets(own.expose(), token))
        };
        let owners: Vec<&Account> = self.directory().accounts.iter().filter(is_its).collect();
        owners.first().copied()
    }

    fn open_own(&self, account: &Account, access: Access) -> Decision {
        let Some(own) = &account.mailbox else {
            return self.fail(Cause::NoMailbox, access);
        };
        if self.directory().mailboxes.iter().any(|mailbox| mailbox.name == *own && mailbox.elsewhere) {
            return self.fail(Cause::Elsewhere, access);
        }
        Decision::Open { mailbox: own.clone() }
    }

    /// As the dialect has it, or as an authorization identity that is refused.
    fn not_permitted(&self, access: Access) -> Decision {
        match self.dialect().failure(Cause::NotPermitted, access) {
            Some(_) => self.fail(Cause::NotPermitted, access),
            None => not_authorized(access),
        }
    }
}

fn may_open(account: &Account, mailbox: &[u8]) -> bool {
    account.mailbox.as_deref() == Some(mailbox) || account.may_open.iter().any(|other| other == mailbox)
}

#[cfg(test)]
mod tests {
    use super::super::authority::{Credentials, Evidence};
    use super::super::fixture;
    use super::super::flaw::Flaws;
    use super::*;
    use crate::axes::Protocol;

    /// The mailbox that opens, or why none does.
    fn opened(decision: Decision) -> Result<String, (Cause, Option<String>)> {
        match decision {
            Decision::Open { mailbox } => Ok(String::from_utf8(mailbox).expect("UTF-8")),
            Decision::Fail { cause, code, .. } => Err((cause, code)),
        }
    }

    fn by_token(
        flaws: Flaws,
        mechanism: Mechanism,
        token: &str,
        name: &str,
    ) -> Result<String, (Cause, Option<String>)> {
        opened(fixture::authority(flaws).decide(&Credentials {
            name: name.as_bytes(),
            evidence: Evidence::Token(token.as_bytes()),
            authorization: b"",
            access: Access { protocol: Protocol::Imap, mechanism },
        }))
    }

    fn by_certificate(
        flaws: Flaws,
        domain: &str,
        user: &str,
        authzid: &str,
    ) -> Result<String, (Cause, Option<String>)> {
        let identity = CertificateIdentity { domain: domain.into(), user: user.into() };
        opened(fixture::authority(flaws).decide(&Credentials {
            name: b"",
            evidence: Evidence::Certificate(&identity),
            authorization: authzid.as_bytes(),
            access: Access { protocol: Protocol::Imap, mechanism: Mechanism::External },
        }))
    }

    fn code(code: &str) -> Option<String> {
        Some(code.to_string())
    }

    #[test]
    fn the_account_is_the_tokens_and_the_mailbox_is_the_names() {
        let open = |token, name| by_token(Flaws::NONE, Mechanism::Xoauth2, token, name);
        let wrong = Err((Cause::WrongPassword, code("AUTHENTICATIONFAILED")));
        let refused = Err((Cause::NotPermitted, code("AUTHORIZATIONFAILED")));
        for (token, name, expected) in [
            ("Token-Domain1-Same", "Same", Ok("Same")),
            ("Token-Domain1-Same", r"Domain1\Same\Same", Ok("Same")),
            ("Token-Domain1-Delegate", "Principal", Ok("Principal")),
            ("Token-Domain1-Delegate", r"Domain1\Delegate\Principal", Ok("Principal")),
            ("Token-Domain1-Principal", "Delegate", refused.clone()),
            ("Token-Domain1-Alice", r"Domain1\Bob\Alice", refused.clone()),
            ("Token-Domain1-Sam", "Same", wrong.clone()),
            ("", "Same", wrong.clone()),
            ("Token-Domain1-Same", "Nobody", Err((Cause::NoAccount, code("AUTHENTICATIONFAILED")))),
            ("Token-Domain1-Disabled", "Disabled", Err((Cause::Disabled, None))),
            ("Token-Domain1-Same", "", Err((Cause::Unspecified, code("AUTHENTICATIONFAILED")))),
        ] {
            assert_eq!(open(token, name), expected.map(str::to_string), "{token} {name}");
        }
        let own = by_token(Flaws::NONE, Mechanism::Oauthbearer, "Token-Domain1-Alice", "");
        assert_eq!(own.as_deref(), Ok("Bob"));
        let anybody = by_token(Flaw::TokenForAnybody.into(), Mechanism::Xoauth2, "Token-Domain1-Same", "Principal");
        assert_eq!(anybody.as_deref(), Ok("Principal"));
    }

    #[test]
    fn a_certificate_is_its_account_and_no_other() {
        let open = |domain, user, authzid| by_certificate(Flaws::NONE, domain, user, authzid);
        let refused = Err((Cause::NotPermitted, code("AUTHORIZATIONFAILED")));
        for (domain, user, authzid, expected) in [
            ("Domain1", "Same", "", Ok("Same")),
            ("domain1.example", "same", "Same", Ok("Same")),
            ("Domain2", "Twin", "", Ok("Twin2")),
            ("Domain1", "Delegate", r"Domain1\Delegate\Principal", Ok("Principal")),
            ("Domain1", "Delegate", "Principal", refused.clone()),
            ("Domain1", "Same", "Nobody", refused.clone()),
            ("Domain1", "Nobody", "", Err((Cause::NoAccount, code("AUTHENTICATIONFAILED")))),
            ("Domain9", "Same", "", Err((Cause::NoAccount, code("AUTHENTICATIONFAILED")))),
            ("Domain1", "Nobox", "", Err((Cause::NoMailbox, code("AUTHENTICATIONFAILED")))),
            ("Domain1", "Disabled", "", Err((Cause::Disabled, None))),
        ] {
            assert_eq!(open(domain, user, authzid), expected.map(str::to_string), "{domain} {user} {authzid}");
        }
        let flawed = by_certificate(Flaw::ExternalTrustsAuthzid.into(), "Domain1", "Same", "Principal");
        assert_eq!(flawed.as_deref(), Ok("Principal"));
    }

    #[test]
    fn nobody_in_particular_has_a_mailbox_if_the_directory_says_so() {
        let authority = fixture::authority(Flaws::NONE);
        let access = Access { protocol: Protocol::Pop3, mechanism: Mechanism::Anonymous };
        assert_eq!(opened(authority.decide_anonymous(access)).as_deref(), Ok("Anonymous"));
        let mut directory = authority.directory().clone();
        directory.accounts.retain(|account| account.role != "anonymous");
        let without = Authority::new(authority.dialect().clone(), directory, Flaws::NONE);
        assert!(opened(without.decide_anonymous(access)).is_err());
    }
}
