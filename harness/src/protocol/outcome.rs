//! What a login attempt or a dialogue came to.

use super::code::{ResponseCode, split_code};
use super::missing::Missing;

/// What did happen, as far as the wire can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The login was accepted and a mailbox is open.
    Opened {
        /// The mailbox that the canary names; nothing where no canary was found.
        mailbox: Option<Vec<u8>>,
        /// What the claim rests on.
        proof: Proof,
    },
    /// The login was accepted, but the mailbox cannot be opened or read.
    Unbound(Reply),
    /// The login was refused: IMAP's `NO`, POP3's `-ERR`.
    Rejected(Reply),
    /// The command was refused as wrong in form: IMAP's `BAD`.
    Bad(Reply),
    /// The TLS handshake failed, for this reason.
    TlsFailed(String),
    /// The server does not offer what the case needs, so it was not asked.
    NotOffered(Missing),
    /// The server closed the connection instead of answering.
    Closed {
        /// What it was asked when it closed.
        stage: Stage,
        /// What it said before (a `BYE`, say), where it said anything.
        farewell: Option<Reply>,
    },
    /// No (whole) answer came in time.
    NoAnswer(Stage),
    /// The server said what it can do: the words in upper case. Nobody logged in.
    Surveyed(Vec<Vec<u8>>),
    /// There was no canary in the mailbox, and the server took one.
    Delivered,
    /// The login was accepted and the mailbox is open, but the server did not take the canary, or did not let us look
    /// whether there is one.
    Undelivered(Reply),
    /// What came is not an answer of this protocol.
    Garbled {
        /// What the server was asked.
        stage: Stage,
        /// The rule that the answer breaks.
        deviation: Deviation,
    },
    /// A dialogue ran to its end as written.
    Followed,
    /// A dialogue left its script.
    Diverged {
        /// The step (index into the dialogue's steps) that was not met.
        step: usize,
        /// What the server sent instead.
        got: Vec<u8>,
        /// The index of its first octet, from 0, in everything that the server sent.
        index: usize,
    },
}

impl Outcome {
    /// The word for this outcome in files and reports.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Unbound(_) => "unbound",
            Self::Rejected(_) => "rejected",
            Self::Bad(_) => "bad",
            Self::TlsFailed(_) => "tls-failed",
            Self::NotOffered(_) => "not-offered",
            Self::Closed { .. } => "closed",
            Self::NoAnswer(_) => "no-answer",
            Self::Garbled { .. } => "garbled",
            Self::Surveyed(_) => "surveyed",
            Self::Delivered => "delivered",
            Self::Undelivered(_) => "undelivered",
            Self::Followed => "followed",
            Self::Diverged { .. } => "diverged",
        }
    }
}

/// What the claim that a mailbox is open rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The canary message names the mailbox.
    Canary,
    /// The mailbox holds no canary; this is what tells it from others: IMAP's `UIDVALIDITY n`, POP3's `UIDL id` of the
    /// first message, or else `STAT count size`. It is a proof for whoever has seen the mailbox before.
    Fingerprint(Vec<u8>),
    /// Only the server's word: nothing tells the mailbox from others.
    None,
}

/// Where in the conversation something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Waiting for the greeting.
    Greeting,
    /// `STARTTLS` or `STLS`, and the TLS handshake.
    Tls,
    /// `CAPABILITY` or `CAPA`.
    Capabilities,
    /// `LOGIN`, `AUTHENTICATE`, `USER`, `PASS` or `AUTH`.
    Login,
    /// `EXAMINE` or `STAT`.
    Open,
    /// Reading the canary message.
    Canary,
    /// `APPEND`.
    Delivery,
    /// `LOGOUT` or `QUIT`.
    Logout,
    /// A step of a dialogue.
    Dialogue,
}

impl Stage {
    /// The stage in words that read after "while" or "in answer to".
    pub const fn word(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Tls => "starting TLS",
            Self::Capabilities => "capabilities",
            Self::Login => "login",
            Self::Open => "opening the mailbox",
            Self::Canary => "reading the canary",
            Self::Delivery => "delivering the canary",
            Self::Logout => "logout",
            Self::Dialogue => "dialogue",
        }
    }
}

/// A server's answer in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// The response code, where the answer has one.
    pub code: Option<ResponseCode>,
    /// The text after it, as it came. Nothing at all is a finding of its own (KB Q182618).
    pub text: Vec<u8>,
}

impl Reply {
    /// Reads an answer's text: the code in brackets, where there is one, and the words.
    pub fn from_text(text: &[u8]) -> Self {
        let (code, text) = split_code(text);
        Self { code: code.map(ResponseCode::from_wire), text: text.to_vec() }
    }
}

/// Which rule the server broke, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// The rule in words, with its source: `a line ends in CR LF (RFC 9051 §2.2)`.
    pub rule: &'static str,
    /// The octet that breaks it, where it is one octet.
    pub octet: Option<u8>,
    /// The index, from 0, in everything that the server sent.
    pub index: usize,
}

/// How many tolerated deviations are kept: a server that breaks a rule in every line must not fill the memory.
const KEPT_DEVIATIONS: usize = 32;

/// The first deviations that were tolerated in a session.
#[derive(Debug, Clone, Default)]
pub struct Deviations(Vec<Deviation>);

impl Deviations {
    /// Takes note of one more; beyond the first few it is dropped.
    pub fn note(&mut self, deviation: Deviation) {
        if self.0.len() < KEPT_DEVIATIONS {
            self.0.push(deviation);
        }
    }

    /// Those that were kept, in the order in which they came.
    pub fn as_slice(&self) -> &[Deviation] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_has_a_code_and_words() {
        let reply = Reply::from_text(b"[AUTHENTICATIONFAILED] no such luck");
        assert_eq!(reply.code, Some(ResponseCode::AuthenticationFailed));
        assert_eq!(reply.text, b"no such luck");
        assert_eq!(Reply::from_text(b""), Reply::default());
    }

    #[test]
    fn only_the_first_deviations_are_kept() {
        let mut deviations = Deviations::default();
        for index in 0..1000 {
            deviations.note(Deviation { rule: "", octet: None, index });
        }
        assert_eq!(deviations.as_slice().len(), KEPT_DEVIATIONS);
    }
}
