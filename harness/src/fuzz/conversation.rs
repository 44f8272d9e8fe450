//! What a client says to a server: commands, how they are cut, and who else talks at the same time.
//!
//! Every text in it is a [`Template`]: names, passwords and octets stand in it as scenario files have them, so that a
//! conversation holds no secret and becomes a scenario without loss.

use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};
use crate::scenario::{Piece, Spelling, Template, Value};

/// The commands that have a name of their own in what is told; whatever else begins a line is just that.
const VERBS: &[&str] = &[
    "LOGIN",
    "AUTHENTICATE",
    "CAPABILITY",
    "NOOP",
    "LOGOUT",
    "STARTTLS",
    "ID",
    "EXAMINE",
    "USER",
    "PASS",
    "APOP",
    "AUTH",
    "CAPA",
    "STLS",
    "QUIT",
    "STAT",
];

/// One client's part in a conversation on a fresh connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The target, as an index into those that are fuzzed.
    pub target: usize,
    /// The protocol.
    pub protocol: Protocol,
    /// What protects the connection from the start; STARTTLS is a command like any other.
    pub security: Security,
    /// The role whose client certificate is shown where TLS asks for one.
    pub certified: Option<String>,
    /// What is said, in order.
    pub commands: Vec<Command>,
    /// How what is said is cut into segments.
    pub cut: Cut,
    /// What others say at the same time, each on a connection of its own.
    pub company: Vec<Vec<Command>>,
}

impl Conversation {
    /// Whether there is a handshake in it, from the start or behind STARTTLS.
    pub(super) fn needs_tls(&self) -> bool {
        self.security != Security::Plaintext || self.commands.iter().any(|command| command.said == Said::StartTls)
    }
}

/// A command, and whether the client waits for its reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What is said.
    pub said: Said,
    /// Whether the next command is sent in the same segment.
    pub pipelined: bool,
}

/// What a command says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A login attempt by the rules of its mechanism.
    Login(Box<Attempt>),
    /// Texts of which each is sent when the server asks for more; the first has the command in it. A tag is put before
    /// the first, and a line end after each.
    Lines(Vec<Template>),
    /// `STARTTLS` or `STLS`, and the handshake where the server agrees.
    StartTls,
}

/// A login attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The role that means to log in.
    pub role: String,
    /// How the credentials travel.
    pub mechanism: Mechanism,
    /// How they are spelt; nothing where there is no choice.
    pub encoding: Option<Encoding>,
    /// The login name.
    pub name: Template,
    /// SASL's authorization identity.
    pub authzid: Option<Template>,
    /// The password, or the token where the mechanism takes one.
    pub password: Template,
    /// How the client is wrong on purpose.
    pub fault: Option<Fault>,
}

/// How what is said is cut into segments, and what lies between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Not at all.
    Whole,
    /// After so many octets each.
    Each(usize),
    /// Once, after so many octets of each message, with a pause of so many milliseconds.
    Pause {
        /// Where.
        after: usize,
        /// For how long.
        millis: u64,
    },
}

impl Command {
    /// A command whose reply is waited for.
    pub const fn new(said: Said) -> Self {
        Self { said, pipelined: false }
    }

    /// A line of which nothing is a template.
    pub fn line(text: &str) -> Self {
        Self::new(Said::Lines(vec![octets(text.as_bytes())]))
    }

    /// What the command is called, without what it is called with: `LOGIN`, `AUTHENTICATE PLAIN`.
    pub fn verb(&self, protocol: Protocol) -> String {
        match &self.said {
            Said::Login(attempt) => match (attempt.mechanism.sasl_name(), protocol) {
                (Some(name), Protocol::Imap) => format!("AUTHENTICATE {name}"),
                (Some(name), Protocol::Pop3) => format!("AUTH {name}"),
                (None, _) if attempt.mechanism == Mechanism::Apop => "APOP".to_string(),
                (None, Protocol::Imap) => "LOGIN".to_string(),
                (None, Protocol::Pop3) => "USER and PASS".to_string(),
            },
            Said::StartTls if protocol == Protocol::Imap => "STARTTLS".to_string(),
            Said::StartTls => "STLS".to_string(),
            Said::Lines(lines) => {
                let first = lines.first().and_then(|line| line.pieces().first());
                let Some(Piece::Octets(octets)) = first else { return "a line".to_string() };
                let mut words = octets.split(|octet| *octet == b' ').map(<[u8]>::to_ascii_uppercase);
                let word = words.next().unwrap_or_default();
                let Some(verb) = VERBS.iter().find(|verb| verb.as_bytes() == word) else {
                    return "a line".to_string();
                };
                let mechanism = words.next().and_then(|word| {
                    let mut names = Mechanism::ALL.iter().filter_map(|known| known.sasl_name());
                    names.find(|name| name.as_bytes() == word)
                });
                match mechanism.filter(|_| matches!(*verb, "AUTHENTICATE" | "AUTH")) {
                    Some(mechanism) => format!("{verb} {mechanism}"),
                    None => (*verb).to_string(),
                }
            }
        }
    }
}

impl Attempt {
    /// The same attempt as lines that say nothing that depends on the server: nothing where the mechanism answers a
    /// challenge.
    pub fn lines(&self, protocol: Protocol) -> Option<Vec<Command>> {
        if self.fault.is_some() {
            return None;
        }
        let with = |word: &str, text: &Template| joined(&[octets(word.as_bytes()), text.clone()]);
        match (self.mechanism, protocol) {
            (Mechanism::Login, Protocol::Imap) => Some(vec![Command::new(Said::Lines(login_lines(
                &self.name,
                &self.password,
                self.encoding.unwrap_or(Encoding::Quoted),
            )))]),
            (Mechanism::Login, Protocol::Pop3) => Some(vec![
                Command::new(Said::Lines(vec![with("USER ", &self.name)])),
                Command::new(Said::Lines(vec![with("PASS ", &self.password)])),
            ]),
            (Mechanism::Plain, _) => {
                let nul = octets(b"\0");
                let authzid = self.authzid.clone().unwrap_or_else(|| octets(b""));
                let message = joined(&[authzid, nul.clone(), self.name.clone(), nul, self.password.clone()]);
                Some(vec![self.sasl_lines(protocol, vec![message])])
            }
            (Mechanism::SaslLogin, _) => {
                Some(vec![self.sasl_lines(protocol, vec![self.name.clone(), self.password.clone()])])
            }
            _ => None,
        }
    }

    fn sasl_lines(&self, protocol: Protocol, messages: Vec<Template>) -> Command {
        let verb = if protocol == Protocol::Imap { "AUTHENTICATE" } else { "AUTH" };
        let mut first = octets(format!("{verb} {}", self.mechanism.sasl_name().unwrap_or_default()).as_bytes());
        let mut lines = Vec::new();
        for message in messages {
            let spelt = Template::of_pieces(vec![Piece::Base64(message.clone())]);
            if lines.is_empty() && self.encoding == Some(Encoding::InitialResponse) {
                first.append(octets(b" "));
                first.append(if message.pieces().is_empty() { octets(b"=") } else { spelt });
                lines.push(first.clone());
                continue;
            }
            if lines.is_empty() {
                lines.push(first.clone());
            }
            lines.push(spelt);
        }
        Command::new(Said::Lines(lines))
    }
}

/// `LOGIN` with both arguments spelt alike, cut where the client waits for a continuation.
fn login_lines(name: &Template, password: &Template, encoding: Encoding) -> Vec<Template> {
    let mut lines = Vec::new();
    let mut line = octets(b"LOGIN ");
    for (index, text) in [name, password].into_iter().enumerate() {
        if index == 1 {
            line.append(octets(b" "));
        }
        let length = |tail: &[u8]| {
            Template::of_pieces(vec![
                Piece::Octets(b"{".to_vec()),
                Piece::Length(text.clone()),
                Piece::Octets(tail.to_vec()),
            ])
        };
        match encoding {
            Encoding::Quoted => line.append(joined(&[octets(b"\""), escaped(text), octets(b"\"")])),
            Encoding::QuotedUnescaped => line.append(joined(&[octets(b"\""), text.clone(), octets(b"\"")])),
            Encoding::Literal => {
                line.append(length(b"}"));
                lines.push(std::mem::replace(&mut line, text.clone()));
            }
            Encoding::LiteralPlus => {
                line.append(length(b"+}\r\n"));
                line.append(text.clone());
            }
            Encoding::Atom | Encoding::InitialResponse | Encoding::Continuation => line.append(text.clone()),
        }
    }
    lines.push(line);
    lines
}

/// The text as it stands within quotation marks (RFC 9051 §4.3). A value in another case stays without escapes: there
/// is one spelling to a value.
fn escaped(text: &Template) -> Template {
    let piece = |piece: &Piece| match piece {
        Piece::Octets(octets) => Piece::Octets(crate::protocol::imap::command::quoted_escapes(octets)),
        Piece::Value { role, value, spelling: Spelling::AsItIs } => {
            Piece::Value { role: role.clone(), value: *value, spelling: Spelling::Escaped }
        }
        other => other.clone(),
    };
    Template::of_pieces(text.pieces().iter().map(piece).collect())
}

/// Octets as a text.
pub fn octets(octets: &[u8]) -> Template {
    if octets.is_empty() { Template::of_pieces(Vec::new()) } else { Template::of_octets(octets.to_vec()) }
}

/// A role's value as a text.
pub fn value(role: &str, value: Value) -> Template {
    Template::of_pieces(vec![Piece::Value { role: Some(role.to_string()), value, spelling: Spelling::AsItIs }])
}

/// Texts one behind the other.
pub fn joined(texts: &[Template]) -> Template {
    let mut all = octets(b"");
    texts.iter().for_each(|text| all.append(text.clone()));
    all
}

/// An attempt as lines of octets, where it can be had so.
pub(super) fn plain_lines(command: Command, protocol: Protocol) -> Vec<Command> {
    match &command.said {
        Said::Login(attempt) => attempt.lines(protocol).unwrap_or_else(|| vec![command]),
        _ => vec![command],
    }
}
