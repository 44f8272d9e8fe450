//! Where a rule is from, and how sure it is.

/// How sure a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// The vendor or a standard says so.
    Documented,
    /// Seen in source, on the wire or in a report.
    Observed,
    /// Follows from other rules; nobody has seen it.
    Inferred,
}

impl Confidence {
    /// The words in files.
    pub const WORDS: &'static [&'static str] = &["documented", "observed", "inferred"];

    /// The word for it in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Observed => "observed",
            Self::Inferred => "inferred",
        }
    }

    /// What a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "documented" => Some(Self::Documented),
            "observed" => Some(Self::Observed),
            "inferred" => Some(Self::Inferred),
            _ => None,
        }
    }
}

/// Where a rule is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Documents, source files, reports.
    pub cites: Vec<String>,
    /// How sure it is.
    pub confidence: Confidence,
}
