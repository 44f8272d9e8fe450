//! One refusal, in all that a stranger could tell it by, and the comparison of many.

use crate::identity::escape;
use crate::plural::counted;
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
            shown.push_str(&format!(", after {}", counted(self.lines_before, "more line")));
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

/// What is compared of a refusal, as octets.
type Aspect = fn(&Refusal) -> Vec<u8>;

/// Compares the words of pairs of refusals; times are left to the statistics.
pub(super) fn compare_words(pairs: &[(Refusal, Refusal)]) -> Words {
    // Where every text is the same there is no echo, and a name that is a part of some word is no matter.
    let all = || pairs.iter().flat_map(|(this, that)| [this, that]);
    let first = pairs.first().map(|(this, _)| &this.text);
    let is_one_text = all().all(|refusal| Some(&refusal.text) == first);
    let aspects: [(&'static str, Aspect); 7] = [
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

#[cfg(test)]
impl Refusal {
    /// A refusal with this text after this time.
    pub fn made(text: &str, name: &str, nanos: u64) -> Self {
        Self {
            outcome: "rejected".to_string(),
            turns: 2,
            code: String::new(),
            text: text.as_bytes().to_vec(),
            nameless: without_name(text.as_bytes(), name.as_bytes()),
            length: without_name(text.as_bytes(), name.as_bytes()).len(),
            lines_before: 0,
            hangs_up: false,
            nanos: Some(nanos),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Outcome, Outgoing, Reply, Transcript};
    use crate::secret::Password;
    use std::time::Duration;

    fn conversation(outcome: Outcome, pieces: &[&str]) -> Conversation {
        let mut transcript = Transcript::new();
        for (at, piece) in pieces.iter().enumerate() {
            let at = Duration::from_micros(at as u64 * 100);
            match piece.split_at(2) {
                ("C:", sent) => transcript.sent(at, &Outgoing::plain(sent)),
                ("S:", "") => transcript.closed(at),
                (_, received) => transcript.received(at, received.as_bytes()),
            }
        }
        Conversation { outcome, dialogue_step: None, transcript, deviations: Vec::new(), took: Duration::ZERO }
    }

    fn rejected(text: &str) -> Outcome {
        Outcome::Rejected(Reply::from_text(text.as_bytes()))
    }

    #[test]
    fn the_answer_is_what_came_before_the_goodbye() {
        let pieces = [
            "S:* OK\r\n",
            "C:a1 LOGIN x y\r\n",
            "S:* 1 EXISTS\r\na1 NO [ALERT] no x\r\n",
            "C:a2 LOGOUT\r\n",
            "S:* BYE\r\na2 OK\r\n",
        ];
        let refusal = Refusal::of(&conversation(rejected("[ALERT] no x"), &pieces), b"x");
        assert_eq!((refusal.code.as_str(), refusal.nameless.as_slice()), ("ALERT", &b"no {login}"[..]));
        assert_eq!((refusal.length, refusal.lines_before, refusal.turns), (26, 1, 2));
        assert_eq!((refusal.hangs_up, refusal.nanos), (false, Some(100_000)));
        let shown = "rejected [ALERT] \"no x\", after 1 more line, after 0.10 ms";
        assert_eq!(refusal.shown(&Redactor::new(&[])), shown);
        let masked = Refusal::of(&conversation(rejected("no Secret"), &pieces), b"x");
        assert!(masked.shown(&Redactor::new(&[Password::new("Secret")])).starts_with("rejected \"no <password>\""));
        let pieces = ["S:+OK\r\n", "C:USER x\r\n", "S:-ERR\r\n", "C:QUIT\r\n", "S:"];
        let refusal = Refusal::of(&conversation(rejected(""), &pieces), b"x");
        assert_eq!((refusal.turns, refusal.hangs_up, refusal.length), (2, true, 6));
        let silent = Refusal::of(&conversation(rejected(""), &["S:+OK\r\n", "C:PASS x\r\n", "S:"]), b"x");
        assert_eq!((silent.nanos, silent.hangs_up), (None, true));
    }

    fn words(pairs: &[(&str, &str)]) -> Words {
        let made =
            |(this, that): &(&str, &str)| (Refusal::made(this, "Same", 1), Refusal::made(that, "nobody-Same", 1));
        compare_words(&pairs.iter().map(made).collect::<Vec<_>>())
    }

    #[test]
    fn words_are_compared_without_the_login_name() {
        assert_eq!(words(&[("no", "no"), ("no", "no")]), Words::Same);
        assert_eq!(words(&[("no Same here", "no nobody-Same here")]), Words::Same);
        // A text that happens to hold the shorter name is the same text all the same.
        assert_eq!(words(&[("The Same as ever", "The Same as ever")]), Words::Same);
        assert_eq!(words(&[("yes", "no"), ("yes", "no")]), Words::Differ(vec!["the text", "the length"]));
        assert_eq!(words(&[("no", "on")]), Words::Differ(vec!["the text"]));
    }

    #[test]
    fn what_comes_and_goes_is_told_as_such() {
        let vary = |text: &str| Words::Vary(vec![text.to_string()]);
        assert_eq!(words(&[("no", "no"), ("no", "on")]), vary("the text (1 of 2 pairs)"));
        assert_eq!(words(&[("id 1", "id 2"), ("id 3", "id 4")]), vary("the text (2 of 2 pairs)"));
    }

    #[test]
    fn every_aspect_counts() {
        let same = Refusal::made("no", "x", 1);
        for (other, name) in [
            (Refusal { outcome: "x".to_string(), ..same.clone() }, "the outcome"),
            (Refusal { turns: 3, ..same.clone() }, "the command that it answers"),
            (Refusal { code: "X".to_string(), ..same.clone() }, "the response code"),
            (Refusal { lines_before: 1, ..same.clone() }, "the lines before it"),
            (Refusal { hangs_up: true, ..same.clone() }, "hanging up"),
        ] {
            assert_eq!(compare_words(&[(same.clone(), other)]), Words::Differ(vec![name]));
        }
        assert_eq!(compare_words(&[(same.clone(), Refusal { nanos: Some(9), ..same })]), Words::Same);
    }
}
