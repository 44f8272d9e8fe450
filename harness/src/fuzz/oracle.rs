//! The oracles: what no sound server does, whatever it is asked.

/// A rule that holds for any server, whatever it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oracle {
    /// A login opens the mailbox of another identity.
    OthersMailbox,
    /// A login is taken without the right password, or where nobody may log in.
    TakenWithoutRight,
    /// A right login is refused.
    RightRefused,
    /// What means the same comes to something else.
    UnequalOutcome,
    /// A reply is not well formed.
    MalformedReply,
    /// A command is not answered in time, or the connection closed instead.
    NoReply,
    /// The grammar is read otherwise than it is written: a legal command is called wrong in form, or more is asked than
    /// was to be said.
    GrammarMisread,
    /// What is said in plaintext counts within TLS.
    PlaintextInTls,
    /// What is advertised does not fit what is so.
    FalseCapability,
    /// A password is repeated before anybody is let in.
    PasswordRepeated,
    /// A refusal tells who exists.
    RefusalTells,
    /// A challenge comes twice.
    StaleChallenge,
    /// A good login works no longer afterwards.
    CanaryDies,
    /// The server's processes, memory or life suffer.
    ServerHarmed,
}

impl Oracle {
    /// Every oracle.
    pub const ALL: [Self; 14] = [
        Self::OthersMailbox,
        Self::TakenWithoutRight,
        Self::RightRefused,
        Self::UnequalOutcome,
        Self::MalformedReply,
        Self::NoReply,
        Self::GrammarMisread,
        Self::PlaintextInTls,
        Self::FalseCapability,
        Self::PasswordRepeated,
        Self::RefusalTells,
        Self::StaleChallenge,
        Self::CanaryDies,
        Self::ServerHarmed,
    ];

    /// Its word in files and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OthersMailbox => "others-mailbox",
            Self::TakenWithoutRight => "taken-without-right",
            Self::RightRefused => "right-refused",
            Self::UnequalOutcome => "unequal-outcome",
            Self::MalformedReply => "malformed-reply",
            Self::NoReply => "no-reply",
            Self::GrammarMisread => "grammar-misread",
            Self::PlaintextInTls => "plaintext-in-tls",
            Self::FalseCapability => "false-capability",
            Self::PasswordRepeated => "password-repeated",
            Self::RefusalTells => "refusal-tells",
            Self::StaleChallenge => "stale-challenge",
            Self::CanaryDies => "canary-dies",
            Self::ServerHarmed => "server-harmed",
        }
    }

    /// How much harm it does: what does most is looked into first.
    pub(super) const fn rank(self) -> u8 {
        match self {
            Self::OthersMailbox | Self::TakenWithoutRight | Self::ServerHarmed => 0,
            Self::PasswordRepeated | Self::PlaintextInTls | Self::NoReply | Self::CanaryDies => 1,
            Self::RefusalTells | Self::StaleChallenge | Self::RightRefused => 2,
            Self::UnequalOutcome | Self::MalformedReply | Self::GrammarMisread | Self::FalseCapability => 3,
        }
    }

    /// The rule in words.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::OthersMailbox => "a login opens the mailbox that it means, or none",
            Self::TakenWithoutRight => "nobody gets in without the right password in the right place",
            Self::RightRefused => "a login that is right by the server's own rules is let in",
            Self::UnequalOutcome => "what means the same comes to the same, however it is spelt, cut or carried",
            Self::MalformedReply => "every reply is well formed",
            Self::NoReply => "every command is answered, in time",
            Self::GrammarMisread => "the grammar is read as it is written",
            Self::PlaintextInTls => "nothing that was said in plaintext counts within TLS",
            Self::FalseCapability => "what is advertised is so, and what is not is not",
            Self::PasswordRepeated => "no password is repeated before somebody is let in",
            Self::RefusalTells => "a refusal does not tell who exists",
            Self::StaleChallenge => "no challenge comes twice",
            Self::CanaryDies => "a good login works afterwards as before",
            Self::ServerHarmed => "no process spins or dies, and no memory grows, for what a client says",
        }
    }

    /// What it rests on.
    pub const fn cites(self) -> &'static str {
        match self {
            Self::OthersMailbox => "KB Q184463",
            Self::TakenWithoutRight | Self::UnequalOutcome | Self::CanaryDies | Self::ServerHarmed => "RFC 4422 §3",
            Self::RightRefused => "RFC 9051 §6.2.3",
            Self::MalformedReply => "RFC 9051 §7",
            Self::NoReply => "RFC 9051 §2.2.2",
            Self::GrammarMisread => "RFC 9051 §9",
            Self::PlaintextInTls => "RFC 9051 §6.2.1",
            Self::FalseCapability => "RFC 9051 §6.1.1",
            Self::PasswordRepeated | Self::RefusalTells => "RFC 9051 §11.7",
            Self::StaleChallenge => "RFC 2195 §2",
        }
    }
}

/// The kind of answer that is OK to what is against the grammar.
pub(super) const ILLEGAL_OK: &str = "illegal OK";

/// What a server did against a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub oracle: Oracle,
    /// The command at which it showed, as an index.
    pub command: Option<usize>,
    /// What happened, in words without secrets.
    pub what: String,
    /// What tells it from other violations of the same oracle: protocol, command, kind of answer.
    pub shape: String,
}
