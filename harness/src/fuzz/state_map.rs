//! Which states of a server were reached, and what it answered there: the map that the fuzzer finds its way by.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::conversation::Conversation;
use super::heard::{Answer, Heard, Opened};
use crate::axes::{Protocol, Security};

/// A state of a connection, as the client sees it, with the command that was said in it and the kind of answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Reached {
    pub state: String,
    pub said: String,
    pub answer: String,
}

/// How often each was reached.
#[derive(Debug, Clone, Default)]
pub struct StateMap {
    reached: BTreeMap<Reached, u64>,
}

/// The states that one conversation went through.
pub(super) fn walk(conversation: &Conversation, heard: &Heard) -> Vec<Reached> {
    let protocol = conversation.protocol;
    let mut state = State { is_secured: conversation.security != Security::Plaintext, word: "greeted" };
    let mut walked = vec![Reached {
        state: format!("{protocol} connected"),
        said: "nothing".to_string(),
        answer: if heard.is_preauth { "PREAUTH".to_string() } else { kind(&heard.greeting) },
    }];
    for (command, answered) in conversation.commands.iter().zip(&heard.answers) {
        if answered.answer == Answer::Unsaid {
            continue;
        }
        let said = command.verb(protocol);
        state.is_secured = answered.is_secured;
        let asked = if answered.challenges.is_empty() { "" } else { "+ then " };
        walked.push(Reached {
            state: state.name(protocol),
            said: said.clone(),
            answer: format!("{asked}{}", kind(&answered.answer)),
        });
        state.word = match (&answered.answer, said.as_str()) {
            (Answer::Ok(_), "USER") => "named",
            (
                Answer::Ok(_),
                "CAPABILITY" | "CAPA" | "NOOP" | "STARTTLS" | "STLS" | "ID" | "LOGOUT" | "QUIT" | "AUTH",
            ) => state.word,
            (Answer::Ok(_), _) => "let in",
            (Answer::No(_) | Answer::Bad(_), _) if state.word != "let in" => "refused",
            _ => state.word,
        };
    }
    if heard.opened != Opened::Unasked {
        let answer = match &heard.opened {
            Opened::Nobody => "nobody is in",
            Opened::Unbound => "no mailbox opens",
            Opened::Mailbox(_) => "a mailbox, named",
            _ => "a mailbox, not named",
        };
        let said = "the mailbox".to_string();
        walked.push(Reached { state: state.name(protocol), said, answer: answer.to_string() });
    }
    walked
}

struct State {
    is_secured: bool,
    word: &'static str,
}

impl State {
    fn name(&self, protocol: Protocol) -> String {
        format!("{protocol} {}{}", self.word, if self.is_secured { " in TLS" } else { "" })
    }
}

/// The kind of an answer: its class, and the response code where it has one.
fn kind(answer: &Answer) -> String {
    let code = answer.reply().and_then(|reply| reply.code.as_ref());
    match code.map(|code| code.word().into_owned()) {
        // A server may put anything there; the map is not to grow with it.
        Some(code) if code.len() <= 24 => format!("{} [{code}]", answer.word()),
        Some(_) => format!("{} [...]", answer.word()),
        None => answer.word().to_string(),
    }
}

impl StateMap {
    /// Takes note of a walk; tells whether something in it is new.
    pub(super) fn note(&mut self, walked: &[Reached]) -> bool {
        let mut is_new = false;
        for reached in walked {
            let count = self.reached.entry(reached.clone()).or_insert(0);
            is_new |= *count == 0;
            *count += 1;
        }
        is_new
    }

    /// The map as rows: state, command, answer, how often.
    pub(super) fn to_rows(&self) -> Vec<(String, String, String, u64)> {
        let row = |(reached, count): (&Reached, &u64)| {
            (reached.state.clone(), reached.said.clone(), reached.answer.clone(), *count)
        };
        self.reached.iter().map(row).collect()
    }

    /// Puts the rows of an earlier campaign back.
    pub(super) fn put_back(&mut self, rows: Vec<(String, String, String, u64)>) {
        for (state, said, answer, count) in rows {
            *self.reached.entry(Reached { state, said, answer }).or_insert(0) += count;
        }
    }

    /// How many states, and how many kinds of answers in them.
    pub fn sizes(&self) -> (usize, usize) {
        let mut states: Vec<&str> = self.reached.keys().map(|reached| reached.state.as_str()).collect();
        states.dedup();
        (states.len(), self.reached.len())
    }

    /// The map as a text: for each state what was said in it, and what came back how often.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let (mut state, mut said) = ("", "");
        for (reached, count) in &self.reached {
            if reached.state != state {
                let _ = write!(text, "{}{}", if text.is_empty() { "" } else { "\n" }, reached.state);
                (state, said) = (&reached.state, "");
            }
            if reached.said != said {
                let _ = write!(text, "\n  {:<28}", reached.said);
                said = &reached.said;
            } else {
                text.push(',');
            }
            let _ = write!(text, " {} {count}", reached.answer);
        }
        text.push('\n');
        text
    }
}
