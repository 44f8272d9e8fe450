//! One refusal, in all that a stranger could tell it by, and the comparison of many.

use crate::identity::escape;
use crate::protocol::{Redactor, Turn};
use crate::scenario::{describe, reply_of};
use crate::transport::Conversation;

/// What stands in the login name's place, so that an echo of it is no difference.
const NAME: &[u8] = b"{login}";

/// A refusal as a stranger sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The outcome in words.
    outcome: String,
    /// How many times the client had its say until then: POP3 may refuse the name or the password.
    turns: usize,
    code: String,
    /// The text as it came.
    text: Vec<u8>,
    /// The text without the login name.
    nameless: Vec<u8>,
    /// How long the answer is without the login name.
    length: usize,
    /// How many lines came before it.
    lines_before: usize,
    /// Whether the server hangs up of its own accord.
    hangs_up: bool,
    /// From the last octet sent to the first of the answer.
    pub nanos: Option<u64>,
}

/// What the words of many pairs come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// They are the same.
    Same,
    /// They differ in these respects, in every pair in the same way.
    Differ(Vec<&'static str>),
    /// They differ in these respects, but not always in the same way.
    Vary(Vec<String>),
}

impl Refusal {
    /// What a conversation shows of a refusal.
    pub fn of(conversation: &Conversation, name: &[u8]) -> Self {
        let reply = reply_of(&conversation.outcome).cloned().unwrap_or_default();
        let turns = conversation.transcript.turns();
        let answer = turns.iter().rev().find(|turn| !is_goodbye(turn));
        let lines: Vec<&[u8]> =
            answer.map_or_else(Vec::new, |turn| turn.received.split_inclusive(|&o| o == b'\n').collect());
        // In IMAP untagged lines may come before the answer; POP3's answer is the first line.
        let lines_before = lines.iter().take_while(|line| line.starts_with(b"* ")).count();
        let line = lines.get(lines_before).copied().unwrap_or_default();
        let time = answer.and_then(|turn| turn.answered_at?.checked_sub(turn.sent_at?));
        Self {
            outcome: describe(&conversation.outcome),
            turns: turns.iter().filter(|turn| !is_goodbye(turn)).count(),
            code: reply.code.as_ref().map(ToString::to_string).unwrap_or_default(),
            nameless: without_name(&reply.text, name),
            length: without_name(line, name).len(),
            text: reply.text,
            lines_before,
            hangs_up: turns.iter().any(|turn| turn.is_closed),
            nanos: time.and_then(|time| u64::try_from(time.as_nanos()).ok()),
        }
    }

    /// The refusal in words, passwords masked.
    pub fn shown(&self, redactor: &Redactor) -> String {
        let mut shown = self.outcome.clone();
        if !self.code.is_empty() {
            shown.push_str(&format!(" [{}]", redactor.redact_text(&self.code)));
        }
        if !self.text.is_empty() {
            shown.push_str(&format!(" \"{}\"", escape(&redactor.redact(&self.text))));
        }
        if self.lines_before > 0 {
            shown.push_str(&format!(", after {} more lines", self.lines_before));
        }
        if self.hangs_up {
            shown.push_str(", and hangs up");
        }
        if let Some(nanos) = self.nanos {
            shown.push_str(&format!(", after {:.2} ms", nanos as f64 / 1e6));
        }
        shown
    }
}

fn is_goodbye(turn: &Turn<'_>) -> bool {
    turn.sent == b"QUIT\r\n" || turn.sent.ends_with(b" LOGOUT\r\n")
}

fn without_name(octets: &[u8], name: &[u8]) -> Vec<u8> {
    let mut without = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((first, tail)) = rest.split_first() {
        match rest.strip_prefix(name).filter(|_| !name.is_empty()) {
            Some(after) => {
                without.extend_from_slice(NAME);
                rest = after;
            }
            None => {
                without.push(*first);
                rest = tail;
            }
        }
    }
    without
}

/// Compares the words of pairs of refusals; times are left to the statistics.
pub(super) fn compare_words(pairs: &[(Refusal, Refusal)]) -> Words {
    // Where every text is the same there is no echo, and a name that is a part of some word is no matter.
    let all = || pairs.iter().flat_map(|(this, that)| [this, that]);
    let first = pairs.first().map(|(this, _)| &this.text);
    let is_one_text = all().all(|refusal| Some(&refusal.text) == first);
    let aspects: [(&'static str, fn(&Refusal) -> Vec<u8>); 7] = [
        ("the outcome", |refusal| refusal.outcome.clone().into_bytes()),
        ("the command that it answers", |refusal| refusal.turns.to_string().into_bytes()),
        ("the response code", |refusal| refusal.code.clone().into_bytes()),
        ("the text", |refusal| refusal.nameless.clone()),
        ("the length", |refusal| refusal.length.to_string().into_bytes()),
        ("the lines before it", |refusal| refusal.lines_before.to_string().into_bytes()),
        ("hanging up", |refusal| vec![u8::from(refusal.hangs_up)]),
    ];
    let mut differ = Vec::new();
    let mut vary = Vec::new();
    for (name, aspect) in aspects {
        let follows_text = matches!(name, "the text" | "the length");
        if is_one_text && follows_text {
            continue;
        }
        let count = pairs.iter().filter(|(this, that)| aspect(this) != aspect(that)).count();
        let Some((this, that)) = pairs.first().filter(|_| count > 0) else { continue };
        let is_constant = pairs.iter().all(|(a, b)| aspect(a) == aspect(this) && aspect(b) == aspect(that));
        if is_constant {
            differ.push(name);
        } else {
            vary.push(format!("{name} ({count} of {} pairs)", pairs.len()));
        }
    }
    match (differ.is_empty(), vary.is_empty()) {
        (false, _) => Words::Differ(differ),
        (true, false) => Words::Vary(vary),
        (true, true) => Words::Same,
    }
}
