//! Expectation and outcome come to a verdict.

use super::expectation::{Expected, Level};
use super::skip::SkipReason;
use crate::identity::escape;
use crate::protocol::{Outcome, Proof, Reply};

/// The judgement on one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// As expected.
    Pass,
    /// Otherwise than expected.
    Fail,
    /// Otherwise than expected, where the rule is a SHOULD.
    Warn,
    /// Otherwise than expected, as recorded.
    Known,
    /// As expected, although a deviation is recorded.
    Fixed,
    /// Not asked, for a reason.
    Skip,
    /// Could not be asked, or the answer proves nothing.
    Error,
}

impl Verdict {
    /// Every verdict, in the order in which totals show them.
    pub const ALL: [Self; 7] = [Self::Pass, Self::Fail, Self::Warn, Self::Known, Self::Fixed, Self::Skip, Self::Error];

    /// The word for it in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Known => "known",
            Self::Fixed => "fixed",
            Self::Skip => "skip",
            Self::Error => "error",
        }
    }

    /// Whether a run with this verdict is not all as expected (exit code 1).
    pub const fn is_unexpected(self) -> bool {
        matches!(self, Self::Fail | Self::Fixed | Self::Error)
    }
}

/// A verdict and its reason; a pass needs none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, as a lower-case fragment; empty for a pass.
    pub reason: String,
    /// Why it is a skip, where it is one.
    pub skip: Option<SkipReason>,
}

impl Judgement {
    /// A judgement with its reason, for anything but a skip.
    pub fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into(), skip: None }
    }

    /// A skip, for this reason.
    pub fn skipped(reason: SkipReason) -> Self {
        Self { verdict: Verdict::Skip, reason: reason.to_string(), skip: Some(reason) }
    }

    /// As expected.
    pub fn pass() -> Self {
        Self::new(Verdict::Pass, "")
    }
}

/// Judges one outcome. `Expected::Same` and `Expected::Distinct` are judged in `siblings`, once all of them are known.
pub fn judge(expected: &Expected, code: Option<&str>, level: Level, outcome: &Outcome) -> Judgement {
    let met = match met(expected, outcome) {
        Met::Yes => check_code(code, outcome),
        other => other,
    };
    match met {
        Met::Yes => Judgement::pass(),
        Met::Unproven(reason) => Judgement::new(Verdict::Error, reason),
        // A server that lacks a mechanism cannot be judged on it.
        Met::No(_) if matches!(outcome, Outcome::NotOffered(_)) => {
            let Outcome::NotOffered(what) = outcome else { return Judgement::pass() };
            Judgement::skipped(SkipReason::NotOffered { capability: what.to_string(), over: None })
        }
        Met::No(reason) => by_level(level, reason),
    }
}

pub(super) const UNPROVEN: &str = "the login was accepted, but no canary names the mailbox, so nothing is proven";

/// A mailbox without a canary, and the fingerprint by which it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPrint {
    /// The mailbox's name.
    pub mailbox: Vec<u8>,
    /// Its fingerprint, as an earlier login saw it.
    pub print: Vec<u8>,
}

/// Puts a name to a mailbox that is known by its fingerprint only.
///
/// Where several mailboxes have the same one, what is expected has the benefit of the doubt: it is the weaker proof.
/// Where the fingerprint of what is expected is not known, nothing is proven.
pub fn recognize(expected: &Expected, outcome: Outcome, known: &[KnownPrint]) -> Outcome {
    let Outcome::Opened { mailbox: None, proof: Proof::Fingerprint(print) } = outcome else { return outcome };
    let mut wanted = Vec::new();
    wanted_mailboxes(expected, &mut wanted);
    let mut same = known.iter().filter(|known| known.print == print).map(|known| known.mailbox.as_slice());
    let found = same.clone().find(|name| wanted.contains(name)).or_else(|| same.next());
    if let Some(name) = found {
        return Outcome::Opened { mailbox: Some(name.to_vec()), proof: Proof::Fingerprint(print) };
    }
    let is_known = |name: &&[u8]| known.iter().any(|known| known.mailbox == **name);
    let proof = if wanted.iter().all(is_known) { Proof::Fingerprint(print) } else { Proof::None };
    Outcome::Opened { mailbox: None, proof }
}

fn wanted_mailboxes<'e>(expected: &'e Expected, wanted: &mut Vec<&'e [u8]>) {
    match expected {
        Expected::Opens(mailbox) => wanted.push(mailbox.expose()),
        Expected::Safe(own) => wanted.extend(own.iter().map(Vec::as_slice)),
        Expected::Any(list) => list.iter().for_each(|one| wanted_mailboxes(one, wanted)),
        _ => {}
    }
}

enum Met {
    Yes,
    No(String),
    Unproven(&'static str),
}

fn met(expected: &Expected, outcome: &Outcome) -> Met {
    let is = match (expected, outcome) {
        (Expected::Any(list), _) => return any_met(list, outcome),
        // A fingerprint that is none of the mailbox's own is a finding; where nobody knows it, `recognize` has said so.
        (Expected::Opens(_) | Expected::Safe(_), Outcome::Opened { mailbox: None, proof: Proof::Fingerprint(_) }) => {
            false
        }
        (Expected::Opens(_) | Expected::Safe(_), Outcome::Opened { mailbox: None, .. }) => {
            return Met::Unproven(UNPROVEN);
        }
        (Expected::Opens(wanted), Outcome::Opened { mailbox: Some(opened), .. }) => {
            wanted.expose() == opened.as_slice()
        }
        (Expected::Safe(own), Outcome::Opened { mailbox: Some(opened), .. }) => own.contains(opened),
        (
            Expected::Safe(_),
            Outcome::Rejected(_)
            | Outcome::Bad(_)
            | Outcome::NotOffered(_)
            | Outcome::Closed { .. }
            | Outcome::Unbound(_),
        ) => true,
        (Expected::Rejected | Expected::Refused, Outcome::Rejected(_)) => true,
        // POP3's -ERR does not tell a wrong form from a wrong password; a reply of that protocol is `rejected`.
        (Expected::Bad, Outcome::Bad(_)) => true,
        (Expected::Refused, Outcome::Bad(_) | Outcome::NotOffered(_)) => true,
        (Expected::Closed, Outcome::Closed { .. }) => true,
        (Expected::Unbound, Outcome::Unbound(_)) => true,
        (Expected::Dialogue, Outcome::Followed) => true,
        // These are judged by comparing.
        (Expected::Same | Expected::Distinct | Expected::Indistinguishable, _) => true,
        // Whoever compares them makes a repeated challenge a garbled answer; what else the login comes to, other cases say.
        (Expected::FreshChallenge, Outcome::Opened { .. } | Outcome::Rejected(_) | Outcome::Unbound(_)) => true,
        _ => false,
    };
    if is { Met::Yes } else { Met::No(describe(outcome)) }
}

fn any_met(list: &[Expected], outcome: &Outcome) -> Met {
    let mut last = Met::No(describe(outcome));
    for one in list {
        match met(one, outcome) {
            Met::Yes => return Met::Yes,
            Met::Unproven(reason) => last = Met::Unproven(reason),
            Met::No(_) => {}
        }
    }
    last
}

fn check_code(code: Option<&str>, outcome: &Outcome) -> Met {
    let Some(wanted) = code else { return Met::Yes };
    let found = reply_of(outcome).and_then(|reply| reply.code.as_ref()).map(ToString::to_string);
    match found {
        Some(found) if found.eq_ignore_ascii_case(wanted) => Met::Yes,
        Some(found) => Met::No(format!("the response code is [{found}], not [{wanted}]")),
        None => Met::No(format!("there is no response code, where [{wanted}] was expected")),
    }
}

/// What something else than what was expected comes to.
pub(crate) fn by_level(level: Level, reason: String) -> Judgement {
    match level {
        Level::Must => Judgement::new(Verdict::Fail, reason),
        Level::Should => Judgement::new(Verdict::Warn, reason),
        Level::May => Judgement::skipped(SkipReason::Optional { reason }),
    }
}

/// The server's own words, where the outcome has any.
pub(crate) fn reply_of(outcome: &Outcome) -> Option<&Reply> {
    match outcome {
        Outcome::Rejected(reply) | Outcome::Bad(reply) | Outcome::Unbound(reply) => Some(reply),
        Outcome::Closed { farewell, .. } => farewell.as_ref(),
        _ => None,
    }
}

/// An outcome in a few words, without anything that the server said.
pub(crate) fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Opened { mailbox: Some(mailbox), proof: Proof::Canary } => {
            format!("opened {}", escape(mailbox))
        }
        Outcome::Opened { mailbox: Some(mailbox), proof: Proof::Fingerprint(_) } => {
            format!("opened {}, by its fingerprint", escape(mailbox))
        }
        Outcome::Opened { proof: Proof::Fingerprint(print), .. } => {
            format!("opened a mailbox with an unknown fingerprint ({})", escape(print))
        }
        Outcome::Opened { .. } => "opened a mailbox without a canary".to_string(),
        Outcome::Rejected(reply) if reply.text.is_empty() && reply.code.is_none() => {
            "rejected without a word of explanation".to_string()
        }
        Outcome::Rejected(_) => "rejected".to_string(),
        Outcome::Bad(_) => "refused as wrong in form (BAD)".to_string(),
        Outcome::Unbound(_) => "accepted, but the mailbox cannot be opened".to_string(),
        Outcome::TlsFailed(reason) => format!("the TLS handshake failed: {reason}"),
        Outcome::NotOffered(what) => format!("not offered: {what}"),
        Outcome::Surveyed(_) => "said what it can do".to_string(),
        Outcome::Delivered => "took a canary".to_string(),
        Outcome::Undelivered(_) => "did not take a canary".to_string(),
        Outcome::Closed { stage, .. } => format!("connection closed at: {}", stage.word()),
        Outcome::NoAnswer(stage) => format!("no answer in time at: {}", stage.word()),
        Outcome::Garbled { stage, deviation } => {
            format!(
                "garbled answer at: {} ({}, octet {} of the server's)",
                stage.word(),
                deviation.rule,
                deviation.index
            )
        }
        Outcome::Followed => "the dialogue went as written".to_string(),
        Outcome::Diverged { got, .. } if got.is_empty() => "the server said nothing more".to_string(),
        Outcome::Diverged { got, .. } => format!("the server said: {}", escape(got)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Stage;

    fn opened(mailbox: &str) -> Outcome {
        Outcome::Opened { mailbox: Some(mailbox.as_bytes().to_vec()), proof: Proof::Canary }
    }

    fn rejected() -> Outcome {
        Outcome::Rejected(Reply::default())
    }

    fn unproven() -> Outcome {
        Outcome::Opened { mailbox: None, proof: Proof::None }
    }

    fn closed() -> Outcome {
        Outcome::Closed { stage: Stage::Login, farewell: None }
    }

    fn verdict(expected: &Expected, outcome: &Outcome) -> Verdict {
        judge(expected, None, Level::Must, outcome).verdict
    }

    /// Each expectation against each outcome: `P`ass, `F`ail, `S`kip, `E`rror.
    #[test]
    fn every_expectation_meets_every_outcome() {
        let outcomes = [
            opened("Own"),
            opened("Anothers"),
            unproven(),
            rejected(),
            Outcome::Bad(Reply::default()),
            Outcome::Unbound(Reply::default()),
            Outcome::NotOffered("AUTH=PLAIN".into()),
            closed(),
            Outcome::NoAnswer(Stage::Login),
        ];
        let own = b"Own".to_vec();
        for (expected, verdicts) in [
            (Expected::Opens(own.as_slice().into()), "PFEFFFSFF"),
            (Expected::Rejected, "FFFPFFSFF"),
            (Expected::Bad, "FFFFPFSFF"),
            (Expected::Refused, "FFFPPFPFF"),
            (Expected::Closed, "FFFFFFSPF"),
            (Expected::Unbound, "FFFFFPSFF"),
            (Expected::Safe(vec![own.clone()]), "PFEPPPPPF"),
            (Expected::Any(vec![Expected::Rejected, Expected::Closed]), "FFFPFFSPF"),
            (Expected::Any(vec![Expected::Opens(own.into()), Expected::Bad]), "PFEFPFSFF"),
        ] {
            for (outcome, wanted) in outcomes.iter().zip(verdicts.chars()) {
                let found = match verdict(&expected, outcome) {
                    Verdict::Pass => 'P',
                    Verdict::Fail => 'F',
                    Verdict::Skip => 'S',
                    Verdict::Error => 'E',
                    other => panic!("{other:?}"),
                };
                assert_eq!(found, wanted, "{expected} and {}", outcome.word());
            }
        }
    }

    #[test]
    fn levels_and_codes() {
        let by = |level| judge(&Expected::Closed, None, level, &rejected()).verdict;
        assert_eq!([by(Level::Must), by(Level::Should), by(Level::May)], [Verdict::Fail, Verdict::Warn, Verdict::Skip]);
        let coded = Outcome::Rejected(Reply::from_text(b"[AUTHENTICATIONFAILED] no"));
        let with = |code, outcome| judge(&Expected::Rejected, Some(code), Level::Must, outcome).verdict;
        assert_eq!(with("authenticationfailed", &coded), Verdict::Pass);
        assert_eq!(with("EXPIRED", &coded), Verdict::Fail);
        assert_eq!(with("EXPIRED", &rejected()), Verdict::Fail);
    }

    #[test]
    fn a_fingerprint_is_a_proof_for_whoever_knows_it() {
        let known = |mailbox: &str, print: &str| KnownPrint { mailbox: mailbox.into(), print: print.into() };
        let prints = [known("Own", "UIDL 1"), known("Peer", "UIDL 2"), known("Twin", "UIDL 1")];
        let outcome = |print: &str| Outcome::Opened { mailbox: None, proof: Proof::Fingerprint(print.into()) };
        let judged = |expected: &Expected, print: &str, known: &[KnownPrint]| {
            verdict(expected, &recognize(expected, outcome(print), known))
        };
        let opens = |name: &str| Expected::Opens(name.into());
        assert_eq!(judged(&opens("Own"), "UIDL 1", &prints), Verdict::Pass);
        assert_eq!(judged(&opens("Twin"), "UIDL 1", &prints), Verdict::Pass);
        assert_eq!(judged(&opens("Own"), "UIDL 2", &prints), Verdict::Fail);
        assert_eq!(judged(&opens("Own"), "UIDL 3", &prints), Verdict::Fail);
        assert_eq!(judged(&opens("Other"), "UIDL 3", &prints), Verdict::Error);
        assert_eq!(judged(&opens("Other"), "UIDL 2", &prints), Verdict::Fail);
        assert_eq!(judged(&opens("Own"), "UIDL 1", &[]), Verdict::Error);
        assert_eq!(judged(&Expected::Rejected, "UIDL 9", &prints), Verdict::Fail);
        assert_eq!(judged(&Expected::Safe(vec!["Own".into()]), "UIDL 1", &prints), Verdict::Pass);
        assert_eq!(judged(&Expected::Safe(vec!["Own".into()]), "UIDL 3", &prints), Verdict::Fail);
        let any = Expected::Any(vec![Expected::Rejected, opens("Own")]);
        assert_eq!(judged(&any, "UIDL 1", &prints), Verdict::Pass);
        assert_eq!(judged(&any, "UIDL 2", &prints), Verdict::Fail);
    }
}
