//! Scenarios and cases as plain data.

use std::ops::Range;
use std::sync::Arc;

use super::expectation::{Expectation, Level};
use super::template::Template;
use crate::axes::{Encoding, Mechanism, Protocol, Security};
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
    /// Capabilities without which the case makes no sense, as words: `SASL-IR`, `AUTH=PLAIN`, `STLS`.
    pub needs: Vec<String>,
    /// Capabilities with which it makes none: `LOGINDISABLED`.
    pub lacks: Vec<String>,
    /// The role that logs in.
    pub role: String,
    /// What the client does.
    pub action: Action,
    /// What should happen.
    pub expectation: Expectation,
    /// The response code that the refusal should carry.
    pub code: Option<String>,
    /// Where in the file the expectation stands.
    pub span: Range<usize>,
}

/// What the client does.
#[derive(Debug, Clone)]
pub enum Action {
    /// It logs in.
    Login {
        /// The login name.
        name: Template,
        /// The password.
        password: PasswordChoice,
    },
    /// It follows a script.
    Dialogue(Arc<Vec<ScriptLine>>),
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
}

/// One answer that a dialogue accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptAnswer {
    /// A line that starts with these words, each one of several.
    Line(Vec<Vec<Template>>),
    /// The end of the connection.
    Closed,
}
