//! What should happen.

use super::cast::{Filler, Lacking};
use super::template::Template;
use crate::protocol::MarkedOctets;

/// What a case expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// The login is refused: `NO`, `-ERR`.
    Rejected,
    /// The command is refused as wrong in form: `BAD`; POP3 knows only `-ERR`.
    Bad,
    /// Rejected, bad or not offered.
    Refused,
    /// The connection is closed without an answer.
    Closed,
    /// This mailbox opens, and its canary proves it.
    Opens(Template),
    /// The login is accepted and the mailbox cannot be opened.
    Unbound,
    /// One of these.
    Any(Vec<Expectation>),
    /// The same as in every other combination of the same account, fault and value of `each`.
    Same,
    /// On two connections the server's challenges differ.
    FreshChallenge,
    /// Refused in such a way that the refusal of another login cannot be told from it.
    Indistinguishable,
    /// No mailbox that opens for another account or value of `each` as well; a refusal will do.
    Distinct,
    /// Never another identity's mailbox, never a hang, a crash or a garbled reply.
    Safe,
    /// What the dialect and the directory come to.
    Dialect,
    /// A dialogue runs as it is written.
    Dialogue,
}

/// How binding an expectation is (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Anything else is a failure.
    Must,
    /// Anything else is a warning.
    Should,
    /// Anything else is no fault; the case is skipped.
    May,
}

impl Level {
    /// The words in files.
    pub const WORDS: &'static [&'static str] = &["must", "should", "may"];

    /// The word for it in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::May => "may",
        }
    }

    /// What a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "must" => Some(Self::Must),
            "should" => Some(Self::Should),
            "may" => Some(Self::May),
            _ => None,
        }
    }
}

impl Expectation {
    /// The words that stand alone in files.
    pub const WORDS: &'static [&'static str] = &[
        "rejected",
        "bad",
        "refused",
        "closed",
        "unbound",
        "same",
        "distinct",
        "indistinguishable",
        "fresh-challenge",
        "safe",
        "dialect",
    ];

    /// What a word that stands alone stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "rejected" => Self::Rejected,
            "bad" => Self::Bad,
            "refused" => Self::Refused,
            "closed" => Self::Closed,
            "unbound" => Self::Unbound,
            "same" => Self::Same,
            "indistinguishable" => Self::Indistinguishable,
            "fresh-challenge" => Self::FreshChallenge,
            "distinct" => Self::Distinct,
            "safe" => Self::Safe,
            "dialect" => Self::Dialect,
            _ => return None,
        })
    }

    /// The kinds of outcome that meet it, in short words; several where any of them will do. Values are left out.
    pub fn words(&self) -> Vec<&'static str> {
        let word = match self {
            Self::Rejected => "rejected",
            Self::Bad => "bad",
            Self::Refused => "refused",
            Self::Closed => "closed",
            Self::Opens(_) => "opens",
            Self::Unbound => "unbound",
            Self::Any(list) => return list.iter().flat_map(Self::words).collect(),
            Self::Same => "same",
            Self::FreshChallenge => "fresh-challenge",
            Self::Indistinguishable => "indistinguishable",
            Self::Distinct => "distinct",
            Self::Safe => "safe",
            Self::Dialect => "what the dialect says",
            Self::Dialogue => "the dialogue as written",
        };
        vec![word]
    }

    /// Whether a case can be judged only when its siblings are known.
    pub const fn is_joint(&self) -> bool {
        matches!(self, Self::Same | Self::Distinct)
    }

    /// Whether `{each}` stands in it.
    pub(super) fn uses_each(&self) -> bool {
        match self {
            Self::Opens(text) => text.uses_each(),
            Self::Any(list) => list.iter().any(Self::uses_each),
            _ => false,
        }
    }

    /// The expectation with a value of the axis `each` in its places.
    pub(super) fn with_each(&self, each: &Template) -> Self {
        match self {
            Self::Opens(text) => Self::Opens(text.with_each(each)),
            Self::Any(list) => Self::Any(list.iter().map(|one| one.with_each(each)).collect()),
            other => other.clone(),
        }
    }

    /// The expectation with the values of a role.
    pub fn fill(&self, filler: &Filler<'_>) -> Result<Expected, Lacking> {
        Ok(match self {
            Self::Rejected => Expected::Rejected,
            Self::Bad => Expected::Bad,
            Self::Refused => Expected::Refused,
            Self::Closed => Expected::Closed,
            Self::Unbound => Expected::Unbound,
            Self::Same => Expected::Same,
            Self::Indistinguishable => Expected::Indistinguishable,
            Self::FreshChallenge => Expected::FreshChallenge,
            Self::Distinct => Expected::Distinct,
            Self::Dialogue => Expected::Dialogue,
            Self::Opens(template) => Expected::Opens(filler.fill(template)?.text),
            Self::Any(list) => Expected::Any(list.iter().map(|one| one.fill(filler)).collect::<Result<_, _>>()?),
            // What these two come to depends on the login name and the target; whoever plans fills it in.
            Self::Safe => Expected::Safe(Vec::new()),
            Self::Dialect => Expected::Any(Vec::new()),
        })
    }
}

/// What a planned case expects, in octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// `NO`, `-ERR`.
    Rejected,
    /// `BAD`, `-ERR`.
    Bad,
    /// Rejected, bad or not offered.
    Refused,
    /// Closed without an answer.
    Closed,
    /// This mailbox opens.
    Opens(MarkedOctets),
    /// Accepted, and the mailbox cannot be opened.
    Unbound,
    /// One of these.
    Any(Vec<Expected>),
    /// The same as its siblings.
    Same,
    /// Challenges that differ.
    FreshChallenge,
    /// Not to be told from another login's refusal.
    Indistinguishable,
    /// No mailbox that a sibling opens.
    Distinct,
    /// No mailbox but these opens, and the server keeps its wits.
    Safe(Vec<Vec<u8>>),
    /// The dialogue runs as written.
    Dialogue,
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rejected => f.write_str("rejected"),
            Self::Bad => f.write_str("bad"),
            Self::Refused => f.write_str("refused"),
            Self::Closed => f.write_str("closed"),
            Self::Opens(mailbox) => write!(f, "opens {}", mailbox.shown()),
            Self::Unbound => f.write_str("unbound"),
            Self::Same => f.write_str("same"),
            Self::Indistinguishable => f.write_str("indistinguishable"),
            Self::FreshChallenge => f.write_str("fresh-challenge"),
            Self::Distinct => f.write_str("distinct"),
            Self::Safe(_) => f.write_str("safe"),
            Self::Dialogue => f.write_str("followed"),
            Self::Any(list) => {
                for (index, one) in list.iter().enumerate() {
                    let or = if index == 0 { "" } else { " or " };
                    write!(f, "{or}{one}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_is_called_by_its_word_in_files() {
        for word in Expectation::WORDS.iter().filter(|word| **word != "dialect") {
            assert_eq!(Expectation::from_word(word).map(|found| found.words()), Some(vec![*word]));
        }
        assert_eq!(Expectation::Any(vec![Expectation::Rejected, Expectation::Bad]).words(), ["rejected", "bad"]);
    }
}
