//! The login bugs that the reference server can be told to have.

use crate::axes::Protocol;

/// Declares the flaws: the enum, and for each its name, the protocols in which it exists, the rule that it
/// breaks, and what it is about.
macro_rules! flaws {
    ($( $flaw:ident = $name:literal, $protocols:ident, $breaks:literal, $about:literal; )+) => {
        /// A named login bug. What it does wrong is what [`Flaw::about`] says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Flaw {
            $( #[doc = $about] $flaw, )+
        }

        impl Flaw {
            /// Every flaw.
            pub const ALL: &'static [Self] = &[$( Self::$flaw, )+];

            /// Its name on the command line and in reports.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$flaw => $name, )+ }
            }

            /// The flaw that a name stands for.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $( $name => Some(Self::$flaw), )+ _ => None }
            }

            /// What the server does wrong, in one sentence.
            pub const fn about(self) -> &'static str {
                match self { $( Self::$flaw => $about, )+ }
            }

            /// The rule that it breaks, as scenarios cite it.
            pub const fn breaks(self) -> &'static str {
                match self { $( Self::$flaw => $breaks, )+ }
            }

            /// The protocols in which it exists.
            pub const fn protocols(self) -> &'static [Protocol] {
                match self { $( Self::$flaw => $protocols, )+ }
            }
        }
    };
}

const BOTH: &[Protocol] = Protocol::ALL;
const IMAP: &[Protocol] = &[Protocol::Imap];
const POP3: &[Protocol] = &[Protocol::Pop3];

flaws! {
    AcceptsAnyPassword = "accepts-any-password", BOTH, "RFC 4422 §3",
        "Takes any password for an account that exists.";
    AcceptsEmptyPassword = "accepts-empty-password", BOTH, "RFC 4422 §3",
        "Takes the empty password for an account that exists.";
    IgnoresNamedMailbox = "ignores-named-mailbox", BOTH, "KB Q184463",
        "Opens the account's own mailbox, whichever one the login name names.";
    IgnoresPermissions = "ignores-permissions", BOTH, "KB Q184463",
        "Opens any mailbox that exists and is named or assumed, whoever asks.";
    AssumedMailboxOpensAnyway = "assumed-mailbox-opens-anyway", BOTH, "KB Q184463",
        "Opens the account's own mailbox where the mailbox that it assumes cannot be opened.";
    IgnoresDomain = "ignores-domain", BOTH, "KB Q184463",
        "Looks up every user in the home domain, whichever domain the login name names.";
    FirstSeparatorOnly = "first-separator-only", BOTH, "KB Q184463",
        "Takes everything after the first separator for the user, so that a mailbox cannot be named.";
    LastSeparatorSplits = "last-separator-splits", BOTH, "KB Q156063 §2.8.2",
        "Takes only what follows the last separator for the mailbox, and what precedes it for the user.";
    BackslashOnly = "backslash-only", BOTH, "KB Q189326",
        "Does not take a slash for a separator, only a backslash.";
    CaseSensitive = "case-sensitive", BOTH, "KB Q184463",
        "Compares names octet by octet, where the dialect disregards case.";
    OpensFirstOfAmbiguous = "opens-first-of-ambiguous", BOTH, "KB Q181917",
        "Opens the first of several mailboxes that a name stands for.";
    DisabledMayLogIn = "disabled-may-log-in", BOTH, "KB Q184463",
        "Lets disabled accounts log in.";
    OkBeforeBinding = "ok-before-binding", BOTH, "KB Q184463",
        "Accepts the login before it looks for the mailbox, and fails only when the mailbox is opened.";
    ClosesOnWrongPassword = "closes-on-wrong-password", BOTH, "RFC 4422 §3",
        "Closes the connection on a wrong password instead of answering.";
    SilentFailure = "silent-failure", BOTH, "RFC 4422 §3",
        "Never answers a login that fails.";
    RevealsUnknownUsers = "reveals-unknown-users", BOTH, "RFC 9051 §11.7",
        "Answers differently for an unknown user than for a wrong password; POP3's USER fails for unknown users.";
    SlowForKnownUsers = "slow-for-known-users", BOTH, "RFC 9051 §11.7",
        "Verifies the password only for users that exist, which takes three milliseconds.";
    PlainSwapsFields = "plain-swaps-fields", BOTH, "RFC 4616 §2",
        "SASL PLAIN: takes the password for the name and the name for the password.";
    PlainIgnoresCompositeBan = "plain-ignores-composite-ban", BOTH, "thunderbird-android#899",
        "SASL PLAIN: reads names by the rules for LOGIN, also where the dialect refuses or reads them otherwise.";
    IgnoresAuthorizationIdentity = "ignores-authorization-identity", BOTH, "RFC 4616 §2",
        "SASL: logs in as the authentication identity although another authorization identity is given.";
    IgnoresInitialResponse = "ignores-initial-response", BOTH, "RFC 4959 §3",
        "SASL: asks for the first response although it came with the command.";
    ExecutesInjectedCommands = "executes-injected-commands", BOTH, "RFC 9051 §6.2.1",
        "STARTTLS, STLS: executes within TLS what came in plaintext behind the command.";
    AdvertisesStarttlsInTls = "advertises-starttls-in-tls", BOTH, "RFC 9051 §6.2.1",
        "Lists STARTTLS or STLS among its capabilities within TLS.";
    LoginWithoutTls = "login-without-tls", BOTH, "RFC 9051 §11.7",
        "Requires TLS before a login and says so, and takes a password in plaintext nonetheless.";
    RevealsPasswordBeforeTls = "reveals-password-before-tls", BOTH, "RFC 9051 §11.7",
        "Requires TLS before a login, and refuses a right password in plaintext otherwise than a wrong one.";
    PreauthBeforeTls = "preauth-before-tls", IMAP, "RFC 9051 §7.1.4",
        "Greets with PREAUTH in plaintext, so that STARTTLS is no longer to be had.";
    KeepsLoginNameAcrossTls = "keeps-login-name-across-tls", POP3, "RFC 2595 §4",
        "STLS: a USER from before TLS is still in force within it.";
    KeepsQuotedEscapes = "keeps-quoted-escapes", IMAP, "RFC 9051 §4.3",
        "Does not undo the escapes of backslash and quotation mark in quoted strings.";
    DropsUnescapedBackslash = "drops-unescaped-backslash", IMAP, "RFC 9051 §9 (quoted)",
        "Drops a lone backslash in a quoted string, so that Domain1\\User1 becomes Domain1User1.";
    KeepsUnescapedBackslash = "keeps-unescaped-backslash", IMAP, "RFC 9051 §9 (quoted)",
        "Takes a lone backslash in a quoted string as it is instead of answering BAD.";
    HangsOnUnescapedBackslash = "hangs-on-unescaped-backslash", IMAP, "RFC 9051 §9 (quoted)",
        "Never answers a quoted string with a lone backslash, nor anything after it.";
    TruncatesAtNul = "truncates-at-nul", BOTH, "RFC 9051 §9 (literal)",
        "Takes a name only as far as its first NUL.";
    DropsPercent = "drops-percent", BOTH, "RFC 9051 §9 (astring)",
        "Drops every percent sign from a name.";
    TrimsNames = "trims-names", BOTH, "RFC 4422 §3.4.1",
        "Drops the spaces before and behind a name.";
    NormalisesNames = "normalises-names", BOTH, "RFC 4013 §2",
        "Applies SASLprep to a name before it is taken apart, so that a fullwidth backslash separates.";
    ComparesEightOctets = "compares-eight-octets", BOTH, "RFC 1939 §7",
        "Compares only the first eight octets of a password.";
    RefusesAfterFailure = "refuses-after-failure", BOTH, "RFC 1939 §7",
        "Refuses the right password, too, after a login that failed on the same connection.";
    DropsPipelined = "drops-pipelined", BOTH, "RFC 9051 §5.5",
        "Drops what has come behind a login in the same segment.";
    RefusesAdvertisedPlain = "refuses-advertised-plain", BOTH, "RFC 9051 §6.2.2",
        "Advertises SASL PLAIN and refuses it as a mechanism that is not offered.";
    HiddenPlain = "hidden-plain", BOTH, "RFC 9051 §6.2.2",
        "Takes SASL PLAIN although it is not advertised.";
    UnescapesNameOnly = "unescapes-name-only", IMAP, "RFC 9051 §4.3",
        "Undoes the escapes of a quoted name and not those of a quoted password.";
    RefusesLegalAtoms = "refuses-legal-atoms", IMAP, "RFC 9051 §9 (ASTRING-CHAR)",
        "Answers BAD to a tilde, a right brace or a left bracket in an atom.";
    RunsLiteralOctets = "runs-literal-octets", IMAP, "RFC 7888 §4",
        "Answers BAD to a non-synchronizing literal and takes its octets for commands.";
    LowerCasesTags = "lower-cases-tags", IMAP, "RFC 9051 §2.2.1",
        "Gives tags back in lower case.";
    ClosesOnHighOctets = "closes-on-high-octets", IMAP, "RFC 6855 §5",
        "Closes the connection on an octet beyond ASCII in a name.";
    TruncatesLiteral = "truncates-literal", IMAP, "RFC 9051 §4.3",
        "Loses the last octet of a literal.";
    RefusesLiterals = "refuses-literals", IMAP, "RFC 9051 §4.3",
        "Answers BAD to a literal.";
    AcceptsBackslashAtom = "accepts-backslash-atom", IMAP, "RFC 9051 §9 (atom-specials)",
        "Takes an atom with a backslash instead of answering BAD.";
    WrongTag = "wrong-tag", IMAP, "RFC 9051 §2.2.1",
        "Answers a login that fails with another tag.";
    UntaggedFailure = "untagged-failure", IMAP, "RFC 9051 §2.2.1",
        "Answers a login that fails with an untagged NO and nothing else.";
    AcceptsBadBase64 = "accepts-bad-base64", BOTH, "RFC 4648 §3.3",
        "SASL: passes over characters that are none of BASE64.";
    EmptyInitialResponseIsAbsent = "empty-initial-response-is-absent", BOTH, "RFC 4959 §3",
        "SASL: reads = as no initial response instead of an empty one.";
    SaslCancelIgnored = "sasl-cancel-ignored", BOTH, "RFC 9051 §6.2.2",
        "SASL: answers * with the same challenge again.";
    AcceptsMissingNul = "accepts-missing-nul", BOTH, "RFC 4616 §2",
        "SASL PLAIN: takes a message with one NUL for name and password.";
    AcceptsExtraNul = "accepts-extra-nul", BOTH, "RFC 4616 §2",
        "SASL PLAIN: drops a third NUL and what follows it.";
    CramSplitsAtFirstSpace = "cram-splits-at-first-space", BOTH, "RFC 2195 §2",
        "SASL CRAM-MD5: ends the name at the first space instead of the last.";
    CramSameChallenge = "cram-same-challenge", BOTH, "RFC 2195 §2",
        "SASL CRAM-MD5: sends the same challenge on every connection.";
    DigestIgnoresUri = "digest-ignores-uri", BOTH, "RFC 2831 §2.1.2",
        "SASL DIGEST-MD5: takes a response that was made for another service.";
    DigestIgnoresNonce = "digest-ignores-nonce", BOTH, "RFC 2831 §2.1.2",
        "SASL DIGEST-MD5: takes a response to a nonce that it has not sent.";
    ScramNonceNotExtended = "scram-nonce-not-extended", BOTH, "RFC 5802 §5.1",
        "SASL SCRAM: gives back the client's nonce without one of its own.";
    ScramWrongServerSignature = "scram-wrong-server-signature", BOTH, "RFC 5802 §3",
        "SASL SCRAM: proves with a wrong signature that it knows the password.";
    ScramSkipsClientProof = "scram-skips-client-proof", BOTH, "RFC 5802 §3",
        "SASL SCRAM: takes any proof for an account that exists.";
    ScramKeepsEscapes = "scram-keeps-escapes", BOTH, "RFC 5802 §5.1",
        "SASL SCRAM: does not undo =2C and =3D in names.";
    ScramIgnoresChannelBinding = "scram-ignores-channel-binding", BOTH, "RFC 5802 §5.1 (c=)",
        "SASL SCRAM: does not look at what the client says the exchange is bound to.";
    ScramAllowsDowngrade = "scram-allows-downgrade", BOTH, "RFC 5802 §6",
        "SASL SCRAM: believes that the client has seen no -PLUS mechanism although one is offered.";
    NtlmDropsDomain = "ntlm-drops-domain", BOTH, "MS-NLMP §2.2.1.3",
        "SASL NTLM: looks up every user without the domain.";
    TokenForAnybody = "token-for-anybody", BOTH, "RFC 7628 §3.1",
        "SASL XOAUTH2 and OAUTHBEARER: opens whatever is named, whosever the token is.";
    ExternalTrustsAuthzid = "external-trusts-authzid", BOTH, "RFC 4422 Appendix A",
        "SASL EXTERNAL: logs in as the authorization identity, whomever the certificate names.";
    UserStopsAtSpace = "user-stops-at-space", POP3, "RFC 1939 §3",
        "USER: takes only the first word for the name.";
    KeepsUserAfterFailure = "keeps-user-after-failure", POP3, "RFC 1939 §7",
        "PASS may be tried again after it has failed, without a USER before it.";
    FirstUserCounts = "first-user-counts", POP3, "RFC 1939 §7",
        "Of several USER before a PASS, takes the first one's name.";
    PassStopsAtSpace = "pass-stops-at-space", POP3, "RFC 1939 §7",
        "PASS: takes only the first word for the password.";
    ApopRepeatsTimestamp = "apop-repeats-timestamp", POP3, "RFC 1939 §7",
        "APOP: greets every connection with the same timestamp.";
    ApopAcceptsPrefix = "apop-accepts-prefix", POP3, "RFC 1939 §7",
        "APOP: compares only as many digits as the client has sent.";
}

/// A set of flaws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flaws(u128);

// Each flaw has one bit.
const _: () = assert!(Flaw::ALL.len() <= u128::BITS as usize);

impl Flaws {
    /// No flaw: the sound server.
    pub const NONE: Self = Self(0);

    /// This set and one more flaw.
    #[must_use]
    pub const fn with(self, flaw: Flaw) -> Self {
        Self(self.0 | 1 << flaw as u128)
    }

    /// Whether the set has the flaw.
    pub const fn has(self, flaw: Flaw) -> bool {
        self.0 & (1 << flaw as u128) != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The flaws of the set.
    pub fn iter(self) -> impl Iterator<Item = Flaw> {
        Flaw::ALL.iter().copied().filter(move |&flaw| self.has(flaw))
    }
}

impl From<Flaw> for Flaws {
    fn from(flaw: Flaw) -> Self {
        Self::NONE.with(flaw)
    }
}

impl FromIterator<Flaw> for Flaws {
    fn from_iter<I: IntoIterator<Item = Flaw>>(flaws: I) -> Self {
        flaws.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_flaw_and_every_flaw_says_what_it_is() {
        for &flaw in Flaw::ALL {
            assert_eq!(Flaw::from_name(flaw.name()), Some(flaw));
            assert!(flaw.about().ends_with('.'), "{}", flaw.name());
            assert!(!flaw.protocols().is_empty());
        }
        assert_eq!(Flaw::from_name("Wrong-Tag"), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let all: Flaws = Flaw::ALL.iter().copied().collect();
        assert_eq!(all.iter().count(), Flaw::ALL.len());
        let two = Flaws::from(Flaw::WrongTag).with(Flaw::PassStopsAtSpace);
        assert_eq!(two.iter().collect::<Vec<_>>(), [Flaw::WrongTag, Flaw::PassStopsAtSpace]);
        assert!(Flaws::default().is_empty() && !two.has(Flaw::CaseSensitive));
    }
}
