//! What only several conversations together show: refusals that tell who exists, challenges that come twice, and what
//! means the same and comes to something else.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

use super::conversation::{Command, Conversation, Said};
use super::course::Course;
use super::ground::Ground;
use super::heard::{Answer, Answered, Heard, Opened};
use super::oracle::{Oracle, Violation};
use crate::axes::{Mechanism, Protocol};
use crate::identity::escape;
use crate::varying::steady_words;

/// What one conversation adds to what is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Observation {
    /// A login was refused in these words.
    Refused {
        /// Where the words of such refusals are compared with each other, and where their times are: how long a
        /// refusal takes does not hang on the spelling.
        place: String,
        carrier: String,
        who: Who,
        words: String,
        took: Duration,
    },
    /// A challenge.
    Challenged { place: String, challenge: Vec<u8> },
    /// What a login came to that means this.
    CameTo { meaning: Vec<u8>, outcome: String },
}

/// Who was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Who {
    /// Nobody of that name exists.
    Stranger,
    /// Somebody does, and the password is wrong.
    Known,
    /// The password is right, and nobody may log in.
    Right,
}

/// What a conversation shows that is compared with others'. `clean` ones only: one login attempt, and nobody else.
pub(super) fn observe(conversation: &Conversation, ground: &Ground, heard: &Heard) -> Vec<Observation> {
    let mut seen = Vec::new();
    let protocol = conversation.protocol;
    if protocol == Protocol::Pop3
        && let Answer::Ok(reply) = &heard.greeting
        && let Some(stamp) = crate::protocol::pop3::apop::timestamp(&reply.text)
    {
        seen.push(Observation::Challenged { place: "APOP".to_string(), challenge: stamp.to_vec() });
    }
    // Where it is not clear which answer belongs to what, a challenge may be another command's.
    let course = Course::new(conversation, ground);
    let is_clear = !conversation.commands.iter().any(|command| course.is_unclear(command));
    for (command, answered) in conversation.commands.iter().zip(&heard.answers).filter(|_| is_clear) {
        if let Said::Login(attempt) = &command.said
            && matches!(attempt.mechanism, Mechanism::CramMd5 | Mechanism::DigestMd5)
            && let Some(challenge) = answered.challenges.first().filter(|challenge| !challenge.is_empty())
        {
            let place = format!("{protocol} {}", attempt.mechanism);
            seen.push(Observation::Challenged { place, challenge: challenge.clone() });
        }
    }
    let Some((command, answered)) = only_login(conversation, heard) else { return seen };
    let step = Course::new(conversation, ground).step(command, answered);
    let verb = command.verb(protocol);
    let Said::Login(attempt) = &command.said else { return seen };
    // How many challenges there are hangs on the encoding.
    let encoding = attempt.encoding.map_or("", |encoding| encoding.word());
    let secured = if answered.is_secured { " in TLS" } else { "" };
    let carrier = format!("{} {protocol} {verb}{secured}", ground.target.name);
    let place = format!("{carrier} {encoding}");
    if let (Some(who), Some(words)) =
        (who(command, answered, &step.due, conversation, ground), words(command, answered, conversation, ground))
    {
        seen.push(Observation::Refused { place, carrier, who, words, took: answered.took });
    }
    if let (Some(meaning), Some(due)) = (meaning(command, answered, conversation, ground), &step.due)
        && due.must_open | !due.refusals.bad
    {
        let outcome = match &heard.opened {
            Opened::Mailbox(mailbox) => format!("opens {}", escape(mailbox)),
            _ => answered.answer.word().to_string(),
        };
        seen.push(Observation::CameTo { meaning, outcome });
    }
    seen
}

/// The one login attempt of a conversation that has no other command and no company.
fn only_login<'c>(conversation: &'c Conversation, heard: &'c Heard) -> Option<(&'c Command, &'c Answered)> {
    let ([command], [answered]) = (conversation.commands.as_slice(), heard.answers.as_slice()) else { return None };
    let is_login =
        matches!(&command.said, Said::Login(attempt) if attempt.fault.is_none() && attempt.authzid.is_none());
    (is_login && conversation.company.is_empty()).then_some((command, answered))
}

fn who(
    command: &Command,
    answered: &Answered,
    due: &Option<super::due::Due>,
    conversation: &Conversation,
    ground: &Ground,
) -> Option<Who> {
    let Said::Login(attempt) = &command.said else { return None };
    if matches!(attempt.mechanism, Mechanism::Anonymous | Mechanism::External) || attempt.mechanism.takes_token() {
        return None;
    }
    let protocol = conversation.protocol;
    // Where the server's own documents tell two causes apart there is nothing to compare.
    let access = super::due::access(protocol, attempt.mechanism);
    let told = |cause| {
        ground.target.dialect.failure(cause, access).map(|failure| (failure.manner, &failure.code, &failure.text))
    };
    if told(crate::identity::Cause::NoAccount) != told(crate::identity::Cause::WrongPassword) {
        return None;
    }
    // NTLM takes a name apart before the server sees it.
    if attempt.mechanism == Mechanism::Ntlm
        && !ground.filled(protocol, attempt)?.name.iter().all(u8::is_ascii_alphanumeric)
    {
        return None;
    }
    if let Some(is_stranger) = due.as_ref().and_then(|due| due.stranger) {
        return Some(if is_stranger { Who::Stranger } else { Who::Known });
    }
    if ground.offers(protocol, answered.is_secured, attempt.mechanism) != Some(false) {
        return None;
    }
    let filled = ground.filled(protocol, attempt)?;
    // In every spelling it is a legal command.
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
    if filled.password.is_empty() || !filled.name.iter().chain(&filled.password).all(is_plain) {
        return None;
    }
    let same = ground.target.directory.accounts.iter().find(|account| account.user == filled.name)?;
    Some(if same.password.expose() == filled.password { Who::Right } else { Who::Known })
}

/// A refusal in words, without the name and the password that it may repeat.
fn words(command: &Command, answered: &Answered, conversation: &Conversation, ground: &Ground) -> Option<String> {
    let reply = match &answered.answer {
        Answer::No(reply) | Answer::Bad(reply) => reply,
        _ => return None,
    };
    let Said::Login(attempt) = &command.said else { return None };
    let name = ground.filled(conversation.protocol, attempt)?.name;
    let code = reply.code.as_ref().map_or_else(String::new, |code| format!("[{code}] "));
    let redactor = ground.redactor(conversation);
    let code = redactor.as_ref().map_or_else(|| code.clone(), |redactor| redactor.redact_text(&code));
    let text = redactor.map_or_else(|| escape(&reply.text), |redactor| escape(&redactor.redact(&reply.text)));
    let name = escape(&name);
    // Short names stand in any text.
    let text = if name.len() < 3 { text } else { text.replace(&name, "NAME") };
    // An id that each connection has of its own tells nothing of who exists.
    let text = steady_words(&text);
    // How often the server was asked for more tells as well.
    Some(format!("{} {code}{text}; {} challenges", answered.answer.word(), answered.challenges.len()))
}

/// What a login means, spelling and cuts left out; nothing where that is not plain.
fn meaning(command: &Command, answered: &Answered, conversation: &Conversation, ground: &Ground) -> Option<Vec<u8>> {
    let Said::Login(attempt) = &command.said else { return None };
    let filled = ground.filled(conversation.protocol, attempt)?;
    let is_plain = |octets: &[u8]| !octets.is_empty() && octets.iter().all(|octet| (b' '..0x7f).contains(octet));
    if !is_plain(&filled.name) || !is_plain(&filled.password) {
        return None;
    }
    let head =
        format!("{} {} {} {}", ground.target.name, conversation.protocol, attempt.mechanism, answered.is_secured);
    Some([head.as_bytes(), &filled.name, &filled.password].join(&0))
}

/// What all conversations so far have shown.
#[derive(Default)]
pub(super) struct Comparison {
    refused: HashMap<String, Vec<Refused>>,
    /// By a hash of the place and the challenge.
    challenged: HashMap<u64, u64>,
    /// By a hash of what the login means.
    came_to: HashMap<u64, (String, u64)>,
    /// How long refusals took, and the number of a conversation that is one of them.
    times: HashMap<(String, Who), (Vec<Duration>, u64)>,
}

/// In which words somebody was refused at one place.
struct Refused {
    who: Who,
    /// A hash of all words.
    hash: u64,
    /// As many of them as people read.
    shown: String,
    /// The conversation's number.
    number: u64,
}

/// How many different refusals of each kind are remembered of one place, and how many characters of each.
const REMEMBERED_REFUSALS: usize = 16;
const SHOWN_WORDS: usize = 400;
/// How many challenges and meanings are remembered at most.
const REMEMBERED: usize = 200_000;
/// How many times of each kind are kept, and how many are enough to compare.
const KEPT_TIMES: usize = 256;
const ENOUGH: usize = 12;

impl Comparison {
    /// Takes the observations of a conversation in; gives back what they violate together with an earlier one, and the
    /// number of that one.
    pub fn take(&mut self, number: u64, seen: Vec<Observation>) -> Vec<(Violation, u64)> {
        let mut found = Vec::new();
        for observation in seen {
            match observation {
                Observation::Refused { place, carrier, who, words, took } => {
                    let (times, latest) = self.times.entry((carrier, who)).or_default();
                    if times.len() < KEPT_TIMES {
                        times.push(took);
                    }
                    *latest = number;
                    let known = self.refused.entry(place.clone()).or_default();
                    let hash = hash(&words);
                    let shown: String = words.chars().take(SHOWN_WORDS).collect();
                    if let Some(other) = known.iter().find(|other| other.who != who && other.hash != hash) {
                        let what = format!("{}: {shown}. {}: {}", who.word(), other.who.word(), other.shown);
                        found.push((violation(Oracle::RefusalTells, &place, "words", what), other.number));
                    } else if !known.iter().any(|other| other.who == who && other.hash == hash)
                        && known.iter().filter(|other| other.who == who).count() < REMEMBERED_REFUSALS
                    {
                        known.push(Refused { who, hash, shown, number });
                    }
                }
                Observation::Challenged { place, challenge } => {
                    if self.challenged.len() > REMEMBERED {
                        continue;
                    }
                    if let Some(earlier) = self.challenged.insert(hash(&(&place, challenge)), number)
                        && earlier != number
                    {
                        let what = "the same challenge came on two connections".to_string();
                        found.push((violation(Oracle::StaleChallenge, &place, "same", what), earlier));
                    }
                }
                Observation::CameTo { meaning, outcome } => match self.came_to.get(&hash(&meaning)) {
                    Some((before, earlier)) if *before != outcome => {
                        let place =
                            String::from_utf8_lossy(meaning.split(|octet| *octet == 0).next().unwrap_or_default());
                        let what = format!("the same login {outcome} here and came to `{before}` in another spelling");
                        found.push((violation(Oracle::UnequalOutcome, &place, "unequal", what), *earlier));
                    }
                    Some(_) => {}
                    None if self.came_to.len() < REMEMBERED => {
                        self.came_to.insert(hash(&meaning), (outcome, number));
                    }
                    None => {}
                },
            }
        }
        found
    }

    /// The places at which who exists is refused more slowly or faster than who does not, with the numbers of a
    /// conversation of either kind.
    ///
    /// The shortest times are compared: others that talk at the same time make refusals longer, and never shorter.
    pub fn telling_times(&self) -> Vec<(String, u64, u64)> {
        let mut places: Vec<&String> = self.times.keys().map(|(place, _)| place).collect();
        places.sort_unstable();
        places.dedup();
        let shortest = |place: &String, who| {
            let (times, latest) = self.times.get(&(place.clone(), who)).filter(|(times, _)| times.len() >= ENOUGH)?;
            let mut times = times.clone();
            times.sort_unstable();
            // One may be a mistake.
            Some((times.get(1).copied()?, *latest))
        };
        let tells = |place: &String| {
            let (stranger, of_stranger) = shortest(place, Who::Stranger)?;
            let (known, of_known) = shortest(place, Who::Known)?;
            let (less, more) = (stranger.min(known), stranger.max(known));
            let is_told = more - less > Duration::from_millis(2) && more > less * 2;
            is_told.then(|| (place.clone(), of_known, of_stranger))
        };
        places.into_iter().filter_map(tells).collect()
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn violation(oracle: Oracle, place: &str, kind: &str, what: String) -> Violation {
    Violation { oracle, command: Some(0), what, shape: format!("{place}: {kind}") }
}

impl Who {
    const fn word(self) -> &'static str {
        match self {
            Self::Stranger => "for a name that nobody has",
            Self::Known => "for a wrong password",
            Self::Right => "for the right password",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(who: Who, words: String) -> Vec<Observation> {
        let (place, carrier) = ("x imap LOGIN".to_string(), "x imap LOGIN".to_string());
        vec![Observation::Refused { place, carrier, who, words, took: Duration::ZERO }]
    }

    /// A server may say something else to everybody.
    #[test]
    fn refusals_that_are_all_different_take_no_memory() {
        let mut comparison = Comparison::default();
        for number in 0..10_000 {
            comparison.take(number, refused(Who::Known, format!("no, for the {number}th time {}", "x".repeat(5_000))));
        }
        let kept: usize = comparison.refused.values().flatten().map(|refused| refused.shown.len()).sum();
        assert!(kept <= REMEMBERED_REFUSALS * SHOWN_WORDS, "{kept} octets are kept");
    }

    #[test]
    fn other_words_for_who_exists_are_found() {
        let mut comparison = Comparison::default();
        assert_eq!(comparison.take(1, refused(Who::Known, "no".to_string())), []);
        assert_eq!(comparison.take(2, refused(Who::Known, "not now".to_string())), []);
        assert_eq!(
            comparison.take(3, refused(Who::Stranger, "no".to_string())).first().map(|(_, other)| *other),
            Some(2)
        );
    }
}
