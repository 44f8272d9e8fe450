//! The response code in brackets at the start of an answer's text.

use std::borrow::Cow;
use std::fmt;

/// Declares the codes that carry nothing but their name.
macro_rules! response_codes {
    ( $( $(#[$about:meta])* $code:ident = $wire:literal, )+ ) => {
        /// A response code of RFC 9051 §7.1, RFC 5530, RFC 2221, RFC 2449 or RFC 3206.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum ResponseCode {
            $( $(#[$about])* $code, )+
            /// `CAPABILITY`, and the capabilities (RFC 9051 §7.1).
            Capability(Vec<Vec<u8>>),
            /// `REFERRAL`, and the URL of the server to ask instead (RFC 2221).
            Referral(Vec<u8>),
            /// Any other code, whole and as it came.
            Other(Vec<u8>),
        }

        impl ResponseCode {
            /// The code without arguments that `name` stands for.
            fn plain(name: &[u8]) -> Option<Self> {
                $( if name.eq_ignore_ascii_case($wire.as_bytes()) { return Some(Self::$code); } )+
                None
            }

            /// The code's name as it stands on the wire, without brackets and arguments.
            pub fn word(&self) -> Cow<'_, str> {
                match self {
                    $( Self::$code => Cow::Borrowed($wire), )+
                    Self::Capability(_) => Cow::Borrowed("CAPABILITY"),
                    Self::Referral(_) => Cow::Borrowed("REFERRAL"),
                    Self::Other(raw) => Cow::Owned(split_word(raw).0.escape_ascii().to_string()),
                }
            }
        }
    };
}

response_codes! {
    /// The text must be shown to the user (RFC 9051 §7.1).
    Alert = "ALERT",
    /// The name or the password is wrong; which one is not said (RFC 5530).
    AuthenticationFailed = "AUTHENTICATIONFAILED",
    /// The credentials are right but may not act as the one asked for (RFC 5530).
    AuthorizationFailed = "AUTHORIZATIONFAILED",
    /// A part of the server is down (RFC 5530).
    Unavailable = "UNAVAILABLE",
    /// The password has expired (RFC 5530).
    Expired = "EXPIRED",
    /// The connection has to be protected first (RFC 5530).
    PrivacyRequired = "PRIVACYREQUIRED",
    /// The user has to see the administrator (RFC 5530).
    ContactAdmin = "CONTACTADMIN",
    /// The access rights do not allow it (RFC 5530).
    NoPerm = "NOPERM",
    /// Someone else holds what is needed (RFC 5530).
    InUse = "INUSE",
    /// Another client expunged messages (RFC 5530).
    ExpungeIssued = "EXPUNGEISSUED",
    /// Stored data is damaged (RFC 5530).
    Corruption = "CORRUPTION",
    /// The server has a bug (RFC 5530).
    ServerBug = "SERVERBUG",
    /// The server thinks that the client has a bug (RFC 5530).
    ClientBug = "CLIENTBUG",
    /// What is asked can never work (RFC 5530).
    Cannot = "CANNOT",
    /// A limit is reached (RFC 5530).
    Limit = "LIMIT",
    /// The quota is reached (RFC 5530).
    OverQuota = "OVERQUOTA",
    /// What is to be made exists (RFC 5530).
    AlreadyExists = "ALREADYEXISTS",
    /// What is asked for does not exist (RFC 5530).
    NonExistent = "NONEXISTENT",
    /// The mailbox is open for reading only (RFC 9051 §7.1).
    ReadOnly = "READ-ONLY",
    /// The mailbox is open for writing (RFC 9051 §7.1).
    ReadWrite = "READ-WRITE",
    /// The mailbox would have to be created first (RFC 9051 §7.1).
    TryCreate = "TRYCREATE",
    /// POP3: the last login was too short a while ago (RFC 2449 §8.1.1).
    LoginDelay = "LOGIN-DELAY",
    /// POP3: the mailbox is locked by another session (RFC 2449 §8.1.2).
    Pop3InUse = "IN-USE",
    /// POP3: the system fails for now (RFC 3206 §4).
    SysTemp = "SYS/TEMP",
    /// POP3: the system fails until someone mends it (RFC 3206 §4).
    SysPerm = "SYS/PERM",
    /// POP3: the credentials are the problem (RFC 3206 §5).
    Auth = "AUTH",
}

impl ResponseCode {
    /// Reads what stands between the brackets. Names are compared without regard to case.
    pub fn from_wire(octets: &[u8]) -> Self {
        let (name, arguments) = split_word(octets);
        if name.eq_ignore_ascii_case(b"CAPABILITY") {
            let words = arguments.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
            return Self::Capability(words.map(<[u8]>::to_vec).collect());
        }
        if name.eq_ignore_ascii_case(b"REFERRAL") {
            return Self::Referral(arguments.to_vec());
        }
        Self::plain(name).or_else(|| Self::pop3_parent(name)).unwrap_or_else(|| Self::Other(octets.to_vec()))
    }

    /// The POP3 code of which `name` is an unknown refinement: such a tail is ignored (RFC 2449 §8).
    fn pop3_parent(name: &[u8]) -> Option<Self> {
        let known = [Self::LoginDelay, Self::Pop3InUse, Self::SysTemp, Self::SysPerm, Self::Auth];
        known.into_iter().find(|code| {
            let word = code.word();
            name.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
                && name.get(word.len()) == Some(&b'/')
        })
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())
    }
}

/// The octets before the first space, and those after it.
pub(crate) fn split_word(octets: &[u8]) -> (&[u8], &[u8]) {
    match octets.iter().position(|octet| *octet == b' ') {
        Some(space) => (octets.get(..space).unwrap_or_default(), octets.get(space + 1..).unwrap_or_default()),
        None => (octets, &[]),
    }
}

/// Splits an answer's text into what its brackets hold and the words after them.
///
/// A closing bracket counts where a space or the end follows, so that a URL with an IPv6 address stays whole;
/// where there is no such bracket the first one counts, and without any the text has no code.
pub(crate) fn split_code(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some(inner) = text.strip_prefix(b"[") else {
        return (None, text);
    };
    let closes = |at: &usize| inner.get(*at) == Some(&b']') && matches!(inner.get(*at + 1), None | Some(b' '));
    let Some(end) = (0..inner.len()).find(closes).or_else(|| inner.iter().position(|octet| *octet == b']')) else {
        return (None, text);
    };
    let rest = inner.get(end + 1..).unwrap_or_default();
    (inner.get(..end), rest.strip_prefix(b" ").unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(ResponseCode::from_wire(b"AuthenticationFailed"), ResponseCode::AuthenticationFailed);
        assert_eq!(ResponseCode::from_wire(b"login-delay"), ResponseCode::LoginDelay);
        assert_eq!(ResponseCode::from_wire(b"INUSE"), ResponseCode::InUse);
        assert_eq!(ResponseCode::from_wire(b"IN-USE"), ResponseCode::Pop3InUse);
        assert_eq!(ResponseCode::PrivacyRequired.to_string(), "PRIVACYREQUIRED");
    }

    #[test]
    fn arguments_are_kept() {
        assert_eq!(
            ResponseCode::from_wire(b"CAPABILITY IMAP4rev2  AUTH=PLAIN"),
            ResponseCode::Capability(vec![b"IMAP4rev2".to_vec(), b"AUTH=PLAIN".to_vec()])
        );
        assert_eq!(
            ResponseCode::from_wire(b"REFERRAL IMAP://MIKE@SERVER2/"),
            ResponseCode::Referral(b"IMAP://MIKE@SERVER2/".to_vec())
        );
        assert_eq!(ResponseCode::from_wire(b"UIDNEXT 17").word(), "UIDNEXT");
        assert_eq!(ResponseCode::from_wire(b"\x1b[2J 17").word(), "\\x1b[2J");
    }

    #[test]
    fn an_unknown_tail_of_a_pop3_code_is_ignored() {
        assert_eq!(ResponseCode::from_wire(b"sys/temp/disk"), ResponseCode::SysTemp);
        assert_eq!(ResponseCode::from_wire(b"AUTH/expired"), ResponseCode::Auth);
        assert_eq!(ResponseCode::from_wire(b"SYS/OTHER"), ResponseCode::Other(b"SYS/OTHER".to_vec()));
        assert_eq!(ResponseCode::from_wire(b"ALERT/X"), ResponseCode::Other(b"ALERT/X".to_vec()));
    }

    #[test]
    fn brackets_are_found() {
        assert_eq!(split_code(b"[ALERT] now"), (Some(&b"ALERT"[..]), &b"now"[..]));
        assert_eq!(split_code(b"[ALERT]"), (Some(&b"ALERT"[..]), &b""[..]));
        assert_eq!(split_code(b"[ALERT]now"), (Some(&b"ALERT"[..]), &b"now"[..]));
        assert_eq!(split_code(b"[REFERRAL imap://[::1]/] x"), (Some(&b"REFERRAL imap://[::1]/"[..]), &b"x"[..]));
        assert_eq!(split_code(b"[ALERT now"), (None, &b"[ALERT now"[..]));
        assert_eq!(split_code(b""), (None, &b""[..]));
    }
}
