//! Which dialect a server may speak, by what it says of itself and by a login name that it took.

use super::access::Access;
use super::advice::{advise, split_user_name};
use super::bundled::{UNKNOWN_DIALECT, bundled_dialect};
use super::dialect::Dialect;
use super::directory::{Account, Directory, Domain, Mailbox};
use crate::secret::Password;

/// Words of greetings and of POP3's `IMPLEMENTATION` (RFC 2449 §6.9), in lower case, and the bundled dialects to try in
/// this order. Proxies and gateways come first: they may name what stands behind them.
const WORDS: &[(&str, &[&str])] = &[
    ("perdition", &["perdition"]),
    ("davmail", &["davmail"]),
    ("proton", &["proton-bridge"]),
    ("dovecot", &["dovecot", "dovecot-unrestricted"]),
    ("cyrus", &["cyrus", "cyrus-virtdomains"]),
    ("courier", &["courier"]),
    ("microsoft exchange 2000", &["exchange-2000"]),
    ("microsoft exchange server 2003", &["exchange-2003"]),
    ("microsoft exchange imap4rev1 server version 5.5", &["exchange-5.5"]),
    ("microsoft exchange", &["exchange-2007"]),
    ("gimap", &["gmail"]),
    ("zimbra", &["zimbra"]),
    ("stalwart", &["stalwart"]),
    ("kerio", &["kerio"]),
    ("kopano", &["kopano"]),
    ("groupwise", &["groupwise"]),
    ("domino", &["domino"]),
    ("james imap", &["james"]),
    ("solid pop3", &["solid-pop3d"]),
];

/// A dialect by which an account has the login name that its server took.
#[derive(Debug, Clone)]
pub struct RecognizedDialect {
    /// The dialect's name or file.
    pub dialect: String,
    /// The word by which the server was recognized; `None` if it said nothing of the kind, or if its dialect does not lead
    /// to the login name.
    pub word: Option<&'static str>,
    /// The account's name.
    pub user: Vec<u8>,
    /// Its domain.
    pub domain: Option<Vec<u8>>,
    /// Its domain's DNS name.
    pub dns: Option<Vec<u8>>,
    /// Its mailbox.
    pub mailbox: Vec<u8>,
}

/// Finds the dialect of a server that says `server_text`, in which the account's login name is `name` by each access.
///
/// `mailbox` is what a canary in the mailbox names, if there is one. A server that is not recognized, or whose dialect
/// leads to another login name, gets the dialect `opaque`, in which every name is right as it is.
pub fn recognize_dialect(
    server_text: &[u8],
    name: &[u8],
    mailbox: Option<&[u8]>,
    accesses: &[Access],
) -> Option<RecognizedDialect> {
    let said = String::from_utf8_lossy(server_text).to_lowercase();
    let recognized = WORDS.iter().find(|(word, _)| said.contains(word));
    let candidates =
        recognized.into_iter().flat_map(|(word, dialects)| dialects.iter().map(|name| (*name, Some(*word))));
    candidates.chain([(UNKNOWN_DIALECT, None)]).find_map(|(dialect_name, word)| {
        let dialect = bundled_dialect(dialect_name)?.ok()?;
        Some(RecognizedDialect { word, ..account_fields(&dialect, dialect_name, name, mailbox, accesses)? })
    })
}

/// The fields of an account whose login name in a dialect is `name` by each access; `None` if no fields lead to it.
pub fn account_fields(
    dialect: &Dialect,
    dialect_name: &str,
    name: &[u8],
    mailbox: Option<&[u8]>,
    accesses: &[Access],
) -> Option<RecognizedDialect> {
    let whole = Account {
        role: String::new(),
        domain: Vec::new(),
        user: name.to_vec(),
        password: Password::new(Vec::new()),
        token: None,
        mailbox: Some(mailbox.unwrap_or(name).to_vec()),
        may_open: Vec::new(),
        disabled: false,
        master: false,
    };
    let mut candidates = vec![(whole.clone(), None)];
    let first = accesses.first()?;
    if let Some(parts) = split_user_name(dialect, &directory(&whole, None), &whole, *first) {
        let mut account = whole;
        account.user = parts.user?;
        let named = parts.mailbox.as_deref().or(mailbox);
        account.mailbox = Some(named.unwrap_or(&account.user).to_vec());
        let dns = parts.domain.clone().filter(|_| name.contains(&b'@'));
        account.domain = parts.domain.unwrap_or_default();
        candidates.push((account, dns));
    }
    candidates.into_iter().find_map(|(account, dns)| {
        let directory = directory(&account, dns.clone());
        let account = directory.accounts.first()?;
        let leads_to_name =
            |access: &Access| advise(dialect, &directory, account, *access).is_some_and(|(_, found)| found == name);
        accesses.iter().all(leads_to_name).then(|| RecognizedDialect {
            dialect: dialect_name.to_string(),
            word: None,
            user: account.user.clone(),
            domain: Some(account.domain.clone()).filter(|domain| !domain.is_empty()),
            dns,
            mailbox: account.mailbox.clone().unwrap_or_else(|| account.user.clone()),
        })
    })
}

fn directory(account: &Account, dns: Option<Vec<u8>>) -> Directory {
    let name = account.mailbox.clone().unwrap_or_else(|| account.user.clone());
    Directory {
        domains: vec![Domain { name: account.domain.clone(), dns }],
        accounts: vec![account.clone()],
        mailboxes: vec![Mailbox { role: None, name, aliases: Vec::new(), elsewhere: false }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::{Mechanism, Protocol};

    fn recognized(said: &str, name: &str) -> (String, String, Option<String>) {
        let accesses =
            [Mechanism::Login, Mechanism::Plain].map(|mechanism| Access { protocol: Protocol::Imap, mechanism });
        let found = recognize_dialect(said.as_bytes(), name.as_bytes(), None, &accesses).unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        assert_eq!(found.dns.is_some(), found.domain.is_some() && name.contains('@'), "{found:?}");
        (found.dialect, text(found.user), found.domain.map(text))
    }

    #[test]
    fn a_server_is_recognized_by_what_it_says() {
        let of = |said: &str, name: &str| recognized(said, name).0;
        assert_eq!(of("* OK [CAPABILITY IMAP4rev1 ID] Dovecot (Debian) ready.", "test1"), "dovecot");
        assert_eq!(of("* OK mail Cyrus IMAP 3.10.2 server ready", "test1"), "cyrus");
        assert_eq!(of("* OK ready", "test1"), "unknown");
        assert_eq!(of("* OK \u{fffd}", "jdoe@example.org"), "unknown");
    }

    #[test]
    fn the_fields_lead_to_the_login_name_that_worked() {
        let jdoe = || "jdoe".to_string();
        let example = || Some("example.org".to_string());
        assert_eq!(recognized("* OK Dovecot ready.", "jdoe@example.org"), ("dovecot".to_string(), jdoe(), example()));
        let whole = "jdoe@example.org".to_string();
        assert_eq!(recognized("* OK ready", "jdoe@example.org"), ("unknown".to_string(), whole, None));
        // A name that the stock dialect refuses was taken all the same.
        let odd = recognized("* OK Dovecot ready.", "j doe");
        assert_eq!((odd.0.as_str(), odd.1.as_str()), ("dovecot-unrestricted", "j doe"));
        let nt = recognized("* OK Microsoft Exchange ready", r"CORP\jdoe");
        assert_eq!(nt.0, "unknown", "exchange-2007 leads to another name than the one that worked");
    }
}
