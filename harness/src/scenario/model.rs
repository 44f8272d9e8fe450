//! Scenarios and cases as plain data.

use std::ops::Range;
use std::sync::Arc;

use super::expectation::{Expectation, Level};
use super::template::Template;
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};
use crate::source::SourceText;

/// A scenario: one file, one behaviour.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its id: the path of its file below `scenarios/`, without the ending.
    pub id: String,
    /// The behaviour in one sentence.
    pub title: String,
    /// More about it.
    pub about: String,
    /// The dialects to which it applies; nothing is every dialect.
    pub dialects: Option<Vec<String>>,
    /// Whether one dialect is enough where several are at hand: what it tests does not depend on how names are read.
    pub once: bool,
    /// The file.
    pub source: Arc<SourceText>,
    /// Its cases, in the file's order.
    pub cases: Vec<Case>,
}

/// One login or one dialogue, fully expanded over the matrix.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its id: `exchange/kb-q184463/all-three[imap,plain]`.
    pub id: String,
    /// The `[[case]]` that it is from, as an index: cases of one group differ only by the matrix.
    pub group: usize,
    /// What it shows.
    pub about: String,
    /// The row of the table of forms by servers in which its outcome is shown, where it has one.
    pub form: Option<String>,
    /// The rules that it rests on.
    pub cites: Vec<String>,
    /// How binding they are.
    pub level: Level,
    /// The dialects to which it applies, where it narrows the scenario's.
    pub dialects: Option<Vec<String>>,
    /// The protocol.
    pub protocol: Protocol,
    /// The mechanism; a dialogue has none.
    pub mechanism: Option<Mechanism>,
    /// The encoding, where there is one.
    pub encoding: Option<Encoding>,
    /// The security of the connection; nothing where the target's own will do.
    pub security: Option<Security>,
    /// How the client is wrong on purpose, where it is.
    pub fault: Option<Fault>,
    /// The word for the value of `each`, where the case has that axis.
    pub each: Option<String>,
    /// Capabilities that the target has to offer, in upper case: without them the case says nothing.
    pub needs: Vec<String>,
    /// Capabilities that the target must not offer, in upper case.
    pub lacks: Vec<String>,
    /// The role that logs in.
    pub role: String,
    /// What the client does.
    pub action: Action,
    /// The login whose refusal must look the same.
    pub against: Option<Against>,
    /// What should happen.
    pub expectation: Expectation,
    /// The response code that the refusal should carry.
    pub code: Option<String>,
    /// Where in the file the expectation stands.
    pub span: Range<usize>,
}

impl Case {
    /// Whether it sends no password and no token before TLS stands: a dialogue that begins in plaintext and speaks of a
    /// secret within TLS at most.
    pub fn is_harmless_in_plaintext(&self) -> bool {
        let Action::Dialogue(lines) = &self.action else { return false };
        let before_tls = lines.iter().take_while(|line| !matches!(line.step, ScriptStep::StartTls { .. }));
        before_tls.into_iter().all(|line| match &line.step {
            ScriptStep::Send(template) => !template.holds_secret(),
            ScriptStep::Expect(_) | ScriptStep::PassOver(_) | ScriptStep::StartTls { .. } => true,
        })
    }
}

/// What the client does.
#[derive(Debug, Clone)]
pub enum Action {
    /// It logs in.
    Login {
        /// The login name.
        name: Template,
        /// SASL's authorization identity, where one is given.
        authzid: Option<Template>,
        /// The password.
        password: PasswordChoice,
    },
    /// It follows a script.
    Dialogue(Arc<Vec<ScriptLine>>),
}

/// A second login, to be compared with the case's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Against {
    /// The login name.
    pub name: Template,
    /// The password.
    pub password: PasswordChoice,
}

/// Which password is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordChoice {
    /// The role's own.
    Right,
    /// One that nobody has.
    Wrong,
    /// None at all: the empty string.
    Empty,
    /// Another role's, or a text of its own.
    Text(Template),
}

/// One line of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptLine {
    /// What it says.
    pub step: ScriptStep,
    /// Where it stands in the file.
    pub span: Range<usize>,
}

/// What a line of a dialogue says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptStep {
    /// `C:` the client sends this, and CR LF unless the line says otherwise.
    Send(Template),
    /// `S:` the server says one of these.
    Expect(Vec<ScriptAnswer>),
    /// `S: ...` the server says what it likes, but none of these words, until the next line fits.
    PassOver(Vec<ScriptWord>),
    /// `TLS` both begin TLS.
    StartTls {
        /// Whether a handshake that fails, or the end of the connection, will do as well.
        or_fails: bool,
    },
}

/// One answer that a dialogue accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptAnswer {
    /// A line that starts with words like these.
    Line(Vec<ScriptPattern>),
    /// The end of the connection.
    Closed,
}

/// What may stand in a line at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptPattern {
    /// `NO|BAD`: one of these words.
    OneOf(Vec<ScriptWord>),
    /// `...`: any number of words.
    Gap,
    /// `!STARTTLS`: from here on none of these words.
    NoneOf(Vec<ScriptWord>),
}

/// A word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptWord {
    /// The word.
    pub text: Template,
    /// `word*`: whether any octets may follow.
    pub is_prefix: bool,
}

impl Action {
    /// The action with a value of the axis `each` in its places.
    pub(super) fn with_each(&self, each: &Template) -> Self {
        match self {
            Self::Login { name, authzid, password } => Self::Login {
                name: name.with_each(each),
                authzid: authzid.as_ref().map(|authzid| authzid.with_each(each)),
                password: match password {
                    PasswordChoice::Text(text) => PasswordChoice::Text(text.with_each(each)),
                    other => other.clone(),
                },
            },
            Self::Dialogue(lines) => Self::Dialogue(Arc::new(lines.iter().map(|line| line.with_each(each)).collect())),
        }
    }
}

impl ScriptLine {
    fn with_each(&self, each: &Template) -> Self {
        let step = match &self.step {
            ScriptStep::Send(text) => ScriptStep::Send(text.with_each(each)),
            ScriptStep::Expect(answers) => {
                ScriptStep::Expect(answers.iter().map(|answer| answer.with_each(each)).collect())
            }
            ScriptStep::PassOver(words) => ScriptStep::PassOver(words_with_each(words, each)),
            ScriptStep::StartTls { or_fails } => ScriptStep::StartTls { or_fails: *or_fails },
        };
        Self { step, span: self.span.clone() }
    }

    /// Whether `{each}` stands in it.
    pub(super) fn uses_each(&self) -> bool {
        let any = |words: &[ScriptWord]| words.iter().any(|word| word.text.uses_each());
        match &self.step {
            ScriptStep::Send(text) => text.uses_each(),
            ScriptStep::PassOver(words) => any(words),
            ScriptStep::StartTls { .. } => false,
            ScriptStep::Expect(answers) => answers.iter().any(|answer| match answer {
                ScriptAnswer::Closed => false,
                ScriptAnswer::Line(patterns) => patterns.iter().any(|pattern| match pattern {
                    ScriptPattern::OneOf(words) | ScriptPattern::NoneOf(words) => any(words),
                    ScriptPattern::Gap => false,
                }),
            }),
        }
    }
}

impl ScriptAnswer {
    fn with_each(&self, each: &Template) -> Self {
        let Self::Line(patterns) = self else { return Self::Closed };
        let patterns = patterns.iter().map(|pattern| match pattern {
            ScriptPattern::OneOf(words) => ScriptPattern::OneOf(words_with_each(words, each)),
            ScriptPattern::NoneOf(words) => ScriptPattern::NoneOf(words_with_each(words, each)),
            ScriptPattern::Gap => ScriptPattern::Gap,
        });
        Self::Line(patterns.collect())
    }
}

fn words_with_each(words: &[ScriptWord], each: &Template) -> Vec<ScriptWord> {
    let word = |word: &ScriptWord| ScriptWord { text: word.text.with_each(each), is_prefix: word.is_prefix };
    words.iter().map(word).collect()
}
