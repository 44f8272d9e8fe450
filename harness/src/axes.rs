//! The axes of a login besides its identity: protocol, mechanism, encoding, security, and how the client is wrong.
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
            /// Every value's word, in the same order.
            pub const WORDS: &'static [&'static str] = &[$( $word, )+];

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
            #[allow(dead_code)] // Security, Encoding and Fault are never put into sets.
            pub(crate) const fn bit(self) -> u32 {
                1 << self as u32
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
        /// POP3's `APOP`: a digest of the greeting's timestamp and the password (RFC 1939 §7).
        Apop = "apop",
        /// SASL PLAIN (RFC 4616).
        Plain = "plain",
        /// SASL LOGIN (draft-murchison-sasl-login): two prompts, name and password.
        SaslLogin = "sasl-login",
        /// SASL CRAM-MD5 (RFC 2195).
        CramMd5 = "cram-md5",
        /// SASL DIGEST-MD5 (RFC 2831).
        DigestMd5 = "digest-md5",
        /// SASL SCRAM-SHA-1 (RFC 5802).
        ScramSha1 = "scram-sha-1",
        /// SASL SCRAM-SHA-1-PLUS: bound to the TLS connection by `tls-exporter` (RFC 5802, RFC 9266).
        ScramSha1Plus = "scram-sha-1-plus",
        /// SASL SCRAM-SHA-256 (RFC 7677).
        ScramSha256 = "scram-sha-256",
        /// SASL SCRAM-SHA-256-PLUS: bound to the TLS connection by `tls-exporter` (RFC 7677, RFC 9266).
        ScramSha256Plus = "scram-sha-256-plus",
        /// SASL NTLM: domain and user travel apart and the mailbox cannot be named.
        Ntlm = "ntlm",
        /// SASL XOAUTH2: the account travels in the token, the mailbox in `user=`.
        Xoauth2 = "xoauth2",
        /// SASL OAUTHBEARER (RFC 7628): the account travels in the token, the mailbox in `a=`.
        Oauthbearer = "oauthbearer",
        /// SASL EXTERNAL (RFC 4422 appendix A): the TLS client certificate says who it is.
        External = "external",
        /// SASL ANONYMOUS (RFC 4505): nobody in particular, with a trace.
        Anonymous = "anonymous",
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

axis! {
    /// A named way in which the client is wrong on purpose.
    Fault, "fault" {
        /// A response holds a character that is none of BASE64.
        BadBase64 = "bad-base64",
        /// The last character of a response in BASE64 is missing.
        TruncatedBase64 = "truncated-base64",
        /// The first half of the message, in sound BASE64.
        Truncated = "truncated",
        /// The message is followed by 64 KiB of `A`.
        Oversize = "oversize",
        /// The last response is an empty line.
        EmptyResponse = "empty-response",
        /// `*` stands in the place of the last response (RFC 9051 §6.2.2, RFC 5034 §4).
        Cancelled = "cancelled",
        /// PLAIN: only one NUL, before the password's field.
        MissingNul = "missing-nul",
        /// PLAIN: a NUL and another field after the password.
        ExtraNul = "extra-nul",
        /// A digest, proof or response of the right length in which one bit is wrong.
        WrongProof = "wrong-proof",
        /// A nonce or challenge is given back that the server has not sent.
        WrongNonce = "wrong-nonce",
        /// CRAM-MD5 and APOP: the digest's last hexadecimal digit is missing.
        ShortDigest = "short-digest",
        /// DIGEST-MD5: `digest-uri` names another service.
        WrongDigestUri = "wrong-digest-uri",
        /// DIGEST-MD5: `nc` is 00000002 in a first authentication.
        WrongNonceCount = "wrong-nonce-count",
        /// SCRAM: the `c=` attribute holds another header or other channel-binding data than what was begun with.
        WrongChannelBinding = "wrong-channel-binding",
        /// SCRAM: the client says (`y`) that the server offers no `-PLUS`, where it does.
        ChannelBindingDowngrade = "channel-binding-downgrade",
        /// SCRAM: the name holds `=` that begins neither `=2C` nor `=3D`.
        BadEscape = "bad-escape",
        /// SCRAM: the first message begins with the reserved extension `m=`.
        MandatoryExtension = "mandatory-extension",
        /// NTLM: a field of the last message lies outside of it.
        WrongOffset = "wrong-offset",
        /// NTLM: the message does not begin with `NTLMSSP` and NUL.
        WrongSignature = "wrong-signature",
        /// XOAUTH2 and OAUTHBEARER: the last ^A is missing.
        MissingSeparator = "missing-separator",
    }
}

impl Encoding {
    /// Whether a login over `protocol` with `mechanism` can be spelt in this way at all.
    ///
    /// POP3's `USER`, `PASS` and `APOP` take the rest of the line as it is, so no encoding fits them. Where the server
    /// has to speak first there is no initial response.
    pub const fn fits(self, protocol: Protocol, mechanism: Mechanism) -> bool {
        match self {
            Self::Atom | Self::Quoted | Self::QuotedUnescaped | Self::Literal | Self::LiteralPlus => {
                matches!((protocol, mechanism), (Protocol::Imap, Mechanism::Login))
            }
            Self::InitialResponse => {
                mechanism.is_sasl() && !matches!(mechanism, Mechanism::CramMd5 | Mechanism::DigestMd5)
            }
            Self::Continuation => mechanism.is_sasl(),
        }
    }

    /// The encoding that is used where nobody asks for one: the plainest that is always legal.
    pub const fn default_for(protocol: Protocol, mechanism: Mechanism) -> Option<Self> {
        match (protocol, mechanism) {
            (Protocol::Pop3, Mechanism::Login) | (_, Mechanism::Apop) => None,
            (Protocol::Imap, Mechanism::Login) => Some(Self::Quoted),
            _ => Some(Self::Continuation),
        }
    }
}

impl Mechanism {
    /// Whether this is a SASL mechanism, carried by `AUTHENTICATE` (IMAP) or `AUTH` (POP3).
    pub const fn is_sasl(self) -> bool {
        !matches!(self, Self::Login | Self::Apop)
    }

    /// Whether `protocol` has it at all: `APOP` is POP3's.
    pub const fn fits(self, protocol: Protocol) -> bool {
        !matches!((protocol, self), (Protocol::Imap, Self::Apop))
    }

    /// Whether a connection secured in this way can carry it: channel bindings and client certificates are TLS's.
    pub const fn fits_security(self, security: Security) -> bool {
        let needs_tls = matches!(self, Self::ScramSha1Plus | Self::ScramSha256Plus | Self::External);
        !(needs_tls && matches!(security, Security::Plaintext))
    }

    /// Whether the secret is a token instead of a password.
    pub const fn takes_token(self) -> bool {
        matches!(self, Self::Xoauth2 | Self::Oauthbearer)
    }

    /// Whether the password itself never travels, only a proof that it is known.
    pub const fn proves_password(self) -> bool {
        self.is_scram() || matches!(self, Self::Apop | Self::CramMd5 | Self::DigestMd5 | Self::Ntlm)
    }

    /// Whether this is one of the SCRAM family (RFC 5802).
    pub const fn is_scram(self) -> bool {
        matches!(self, Self::ScramSha1 | Self::ScramSha1Plus | Self::ScramSha256 | Self::ScramSha256Plus)
    }

    /// The name in the registry of SASL mechanisms, where this is one.
    pub const fn sasl_name(self) -> Option<&'static str> {
        match self {
            Self::Login | Self::Apop => None,
            Self::Plain => Some("PLAIN"),
            Self::SaslLogin => Some("LOGIN"),
            Self::CramMd5 => Some("CRAM-MD5"),
            Self::DigestMd5 => Some("DIGEST-MD5"),
            Self::ScramSha1 => Some("SCRAM-SHA-1"),
            Self::ScramSha1Plus => Some("SCRAM-SHA-1-PLUS"),
            Self::ScramSha256 => Some("SCRAM-SHA-256"),
            Self::ScramSha256Plus => Some("SCRAM-SHA-256-PLUS"),
            Self::Ntlm => Some("NTLM"),
            Self::Xoauth2 => Some("XOAUTH2"),
            Self::Oauthbearer => Some("OAUTHBEARER"),
            Self::External => Some("EXTERNAL"),
            Self::Anonymous => Some("ANONYMOUS"),
        }
    }
}

/// A way in which a client logs in: protocol, mechanism, and encoding where there is a choice.
pub type Way = (Protocol, Mechanism, Option<Encoding>);

/// Every way there is.
pub fn ways() -> Vec<Way> {
    let mut ways = vec![(Protocol::Pop3, Mechanism::Login, None), (Protocol::Pop3, Mechanism::Apop, None)];
    for &protocol in Protocol::ALL {
        for &mechanism in Mechanism::ALL.iter().filter(|mechanism| mechanism.fits(protocol)) {
            let encodings = Encoding::ALL.iter().filter(|encoding| encoding.fits(protocol, mechanism));
            ways.extend(encodings.map(|encoding| (protocol, mechanism, Some(*encoding))));
        }
    }
    ways
}

impl Fault {
    /// Whether a client can be wrong in this way when it uses `mechanism`.
    pub const fn fits(self, mechanism: Mechanism) -> bool {
        match self {
            Self::BadBase64
            | Self::TruncatedBase64
            | Self::Truncated
            | Self::Oversize
            | Self::EmptyResponse
            | Self::Cancelled => mechanism.is_sasl(),
            Self::MissingNul | Self::ExtraNul => matches!(mechanism, Mechanism::Plain),
            Self::WrongProof => mechanism.proves_password(),
            Self::WrongNonce => mechanism.proves_password() && !matches!(mechanism, Mechanism::Ntlm),
            Self::ShortDigest => matches!(mechanism, Mechanism::CramMd5 | Mechanism::Apop),
            Self::WrongDigestUri | Self::WrongNonceCount => matches!(mechanism, Mechanism::DigestMd5),
            Self::WrongChannelBinding | Self::BadEscape | Self::MandatoryExtension => mechanism.is_scram(),
            Self::ChannelBindingDowngrade => matches!(mechanism, Mechanism::ScramSha1 | Mechanism::ScramSha256),
            Self::WrongOffset | Self::WrongSignature => matches!(mechanism, Mechanism::Ntlm),
            Self::MissingSeparator => mechanism.takes_token(),
        }
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
        for value in Fault::ALL {
            assert_eq!(Fault::from_word(value.word()), Some(*value));
        }
        assert_eq!(Protocol::from_word("IMAP"), None);
    }

    #[test]
    fn the_default_encoding_fits() {
        for &protocol in Protocol::ALL {
            for &mechanism in Mechanism::ALL.iter().filter(|mechanism| mechanism.fits(protocol)) {
                if let Some(encoding) = Encoding::default_for(protocol, mechanism) {
                    assert!(encoding.fits(protocol, mechanism), "{protocol} {mechanism} {encoding}");
                } else {
                    assert!(!Encoding::ALL.iter().any(|e| e.fits(protocol, mechanism)));
                }
            }
        }
    }
}
