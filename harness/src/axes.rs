//! The axes of a login besides its identity: protocol, mechanism, encoding and security.
//!
//! Each axis is a closed list of words, and the words are the same in files, messages, ids and code. This
//! module knows nothing of the others; `identity`, `protocol` and `scenario` all speak in its words.

/// Declares one axis: an enum, the word of each value, and the look-ups between them.
macro_rules! axis {
    (
        $(#[$about:meta])*
        $axis:ident, $kind:literal {
            $( $(#[$value_about:meta])* $value:ident = $word:literal, )+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $axis {
            $( $(#[$value_about])* $value, )+
        }

        impl $axis {
            /// What one value of this axis is called in messages.
            pub const KIND: &'static str = $kind;
            /// Every value, in the order in which cases are laid out.
            pub const ALL: &'static [Self] = &[$( Self::$value, )+];

            /// The word for this value in files, ids and reports.
            pub const fn word(self) -> &'static str {
                match self {
                    $( Self::$value => $word, )+
                }
            }

            /// The value that `word` stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $( $word => Some(Self::$value), )+
                    _ => None,
                }
            }

            /// This value's place in a set of flags of its axis.
            #[allow(dead_code)] // Security and Encoding are never put into sets.
            pub(crate) const fn bit(self) -> u16 {
                1 << self as u16
            }
        }

        impl std::fmt::Display for $axis {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

axis! {
    /// The protocol in which a client logs in.
    Protocol, "protocol" {
        /// IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051).
        Imap = "imap",
        /// POP3 (RFC 1939).
        Pop3 = "pop3",
    }
}

axis! {
    /// How the credentials travel.
    Mechanism, "mechanism" {
        /// IMAP's `LOGIN` command, POP3's `USER` and `PASS`.
        Login = "login",
        /// SASL PLAIN (RFC 4616).
        Plain = "plain",
        /// SASL LOGIN (draft-murchison-sasl-login): two prompts, name and password.
        SaslLogin = "sasl-login",
        /// SASL NTLM: domain and user travel apart and the mailbox cannot be named.
        Ntlm = "ntlm",
        /// SASL XOAUTH2: the account travels in the token, the mailbox in `user=`.
        Xoauth2 = "xoauth2",
    }
}

axis! {
    /// How the octets of the name (and of the password) are spelt on the wire.
    Encoding, "encoding" {
        /// A bare word, also when the grammar would not allow it (RFC 9051 §9, `ASTRING-CHAR`).
        Atom = "atom",
        /// A quoted string with `"` and `\` escaped (RFC 9051 §4.3).
        Quoted = "quoted",
        /// A quoted string in which nothing is escaped: what many clients send.
        QuotedUnescaped = "quoted-unescaped",
        /// `{n}`, then the octets after the server's continuation (RFC 9051 §4.3).
        Literal = "literal",
        /// `{n+}`, the octets at once (RFC 7888).
        LiteralPlus = "literal-plus",
        /// SASL: the first response travels with the command (RFC 4959, RFC 5034).
        InitialResponse = "initial-response",
        /// SASL: the first response waits for the server's continuation.
        Continuation = "continuation",
    }
}

axis! {
    /// What protects the connection.
    Security, "security" {
        /// Nothing.
        Plaintext = "plaintext",
        /// `STARTTLS` or `STLS` before the login (RFC 9051 §6.2.1, RFC 2595).
        Starttls = "starttls",
        /// TLS from the first octet (RFC 8314).
        Tls = "tls",
    }
}

impl Encoding {
    /// Whether a login over `protocol` with `mechanism` can be spelt in this way at all.
    ///
    /// POP3's `USER` and `PASS` take the rest of the line as it is, so no encoding fits them.
    pub const fn fits(self, protocol: Protocol, mechanism: Mechanism) -> bool {
        match self {
            Self::Atom | Self::Quoted | Self::QuotedUnescaped | Self::Literal | Self::LiteralPlus => {
                matches!((protocol, mechanism), (Protocol::Imap, Mechanism::Login))
            }
            Self::InitialResponse | Self::Continuation => mechanism.is_sasl(),
        }
    }

    /// The encoding that is used where nobody asks for one: the plainest that is always legal.
    pub const fn default_for(protocol: Protocol, mechanism: Mechanism) -> Option<Self> {
        match (protocol, mechanism) {
            (Protocol::Pop3, Mechanism::Login) => None,
            (Protocol::Imap, Mechanism::Login) => Some(Self::Quoted),
            _ => Some(Self::Continuation),
        }
    }
}

impl Mechanism {
    /// Whether this is a SASL mechanism, carried by `AUTHENTICATE` (IMAP) or `AUTH` (POP3).
    pub const fn is_sasl(self) -> bool {
        !matches!(self, Self::Login)
    }

    /// The name in the registry of SASL mechanisms, where this is one.
    pub const fn sasl_name(self) -> Option<&'static str> {
        match self {
            Self::Login => None,
            Self::Plain => Some("PLAIN"),
            Self::SaslLogin => Some("LOGIN"),
            Self::Ntlm => Some("NTLM"),
            Self::Xoauth2 => Some("XOAUTH2"),
        }
    }

    /// Whether our client can log in with it. Dialects have rules for more mechanisms than that.
    pub const fn is_spoken(self) -> bool {
        matches!(self, Self::Login | Self::Plain | Self::SaslLogin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_finds_its_value() {
        for value in Protocol::ALL {
            assert_eq!(Protocol::from_word(value.word()), Some(*value));
        }
        for value in Mechanism::ALL {
            assert_eq!(Mechanism::from_word(value.word()), Some(*value));
        }
        for value in Encoding::ALL {
            assert_eq!(Encoding::from_word(value.word()), Some(*value));
        }
        for value in Security::ALL {
            assert_eq!(Security::from_word(value.word()), Some(*value));
        }
        assert_eq!(Protocol::from_word("IMAP"), None);
    }

    #[test]
    fn the_default_encoding_fits() {
        for &protocol in Protocol::ALL {
            for &mechanism in Mechanism::ALL {
                if let Some(encoding) = Encoding::default_for(protocol, mechanism) {
                    assert!(encoding.fits(protocol, mechanism), "{protocol} {mechanism} {encoding}");
                } else {
                    assert!(!Encoding::ALL.iter().any(|e| e.fits(protocol, mechanism)));
                }
            }
        }
    }
}
