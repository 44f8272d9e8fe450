//! Why a login comes to nothing, and how a server of some dialect says so.

use super::access::Applies;
use super::provenance::Source;

/// Declares an enum of words.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $( $(#[$value_about:meta])* $value:ident = $word:literal, )+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[$value_about])* $value, )+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$( Self::$value, )+];
            /// The words of all values.
            pub const WORDS: &'static [&'static str] = &[$( $word, )+];

            /// The word for it in files.
            pub const fn word(self) -> &'static str {
                match self { $( Self::$value => $word, )+ }
            }

            /// What a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $( $word => Some(Self::$value), )+ _ => None }
            }
        }
    };
}

words! {
    /// Why a login comes to nothing.
    Cause {
        /// The domain does not exist.
        NoDomain = "no-domain",
        /// The domain has no such account (Exchange: event 13003).
        NoAccount = "no-account",
        /// The account exists and the password is another.
        WrongPassword = "wrong-password",
        /// The account exists and may not log in.
        Disabled = "disabled",
        /// There is no mailbox of the name given, or the account has none.
        NoMailbox = "no-mailbox",
        /// The mailbox was assumed, and it does not exist or is somebody else's (Exchange: event 13005).
        AssumedMailbox = "assumed-mailbox",
        /// The mailbox exists, was named, and the account may not open it.
        NotPermitted = "not-permitted",
        /// The mailbox is on another server, or the alias is a custom recipient's.
        Elsewhere = "elsewhere",
        /// The name stands for more than one mailbox.
        Ambiguous = "ambiguous",
        /// The server refuses names of this form.
        RefusedForm = "refused-form",
        /// Nobody has written down how the server reads this form.
        Unspecified = "unspecified",
    }
}

words! {
    /// How a server lets a login fail.
    Manner {
        /// A tagged `NO`, a `-ERR`.
        Rejects = "rejects",
        /// A tagged `BAD`; POP3 knows only `-ERR`.
        Bad = "bad",
        /// The connection ends without a word.
        Closes = "closes",
        /// The login is accepted, and the mailbox cannot be opened.
        Unbound = "unbound",
        /// A tagged `NO`, then `* BYE`, and the connection ends.
        SaysBye = "says-bye",
    }
}

impl Cause {
    /// The cause in plain words, to be read after "because".
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoDomain => "there is no such domain",
            Self::NoAccount => "there is no such account",
            Self::WrongPassword => "the password is another",
            Self::Disabled => "the account is disabled",
            Self::NoMailbox => "there is no such mailbox",
            Self::AssumedMailbox => "the mailbox that the server assumes does not exist or is not this account's",
            Self::NotPermitted => "this account may not open that mailbox",
            Self::Elsewhere => "the mailbox is on another server",
            Self::Ambiguous => "the name stands for more than one mailbox",
            Self::RefusedForm => "the server refuses names of this form",
            Self::Unspecified => "nobody has written down how this server reads this form",
        }
    }
}

/// How a dialect's server answers for some causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The causes that it answers for.
    pub causes: Vec<Cause>,
    /// Where it applies.
    pub applies: Applies,
    /// What the server does.
    pub manner: Manner,
    /// The response code, without its brackets.
    pub code: Option<String>,
    /// The text; an empty one is sent as no text at all (KB Q182618).
    pub text: String,
    /// Where this is from.
    pub source: Source,
}
