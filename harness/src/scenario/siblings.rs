//! Cases that are judged by each other: those that must come to the same, and those that must not.

use super::expectation::Level;
use super::judgement::{Judgement, UNPROVEN, Verdict, by_level, describe};
use super::skip::SkipReason;
use crate::axes::Protocol;
use crate::identity::escape;
use crate::protocol::{Outcome, Proof};

/// One of several cases that are judged by each other.
#[derive(Debug, Clone, Copy)]
pub struct Sibling<'s> {
    /// The case's id.
    pub id: &'s str,
    /// The protocol.
    pub protocol: Protocol,
    /// Who logs in: the account, and the value of `each`.
    pub identity: (&'s str, Option<&'s str>),
    /// Whether the grammar allows the login as it was spelt. Where it does not, BAD is a right answer too.
    pub is_within_grammar: bool,
    /// What happened.
    pub outcome: &'s Outcome,
}

/// Judges combinations of one account, fault and value of `each`: all must have come to the same.
///
/// The measure is the first that came to anything, of IMAP's where there are such, since IMAP tells more refusals
/// apart; it passes itself. A BAD to a login that breaks the grammar (an atom that holds a backslash) says nothing of
/// whose name it is: it passes, and is no measure.
pub fn judge_same(level: Level, siblings: &[Sibling<'_>]) -> Vec<Judgement> {
    let is_syntax_error =
        |sibling: &Sibling<'_>| !sibling.is_within_grammar && matches!(sibling.outcome, Outcome::Bad(_));
    let mut measures = siblings.iter().filter(|sibling| is_measure(sibling.outcome) && !is_syntax_error(sibling));
    let first = measures.clone().next();
    let measure = measures.find(|sibling| sibling.protocol == Protocol::Imap).or(first);
    let judge_one = |sibling: &Sibling<'_>| match (unjudged(level, sibling.outcome), measure) {
        (Some(judgement), _) => judgement,
        (None, _) if is_syntax_error(sibling) => Judgement::pass(),
        (None, Some(measure)) if !is_same(sibling, measure) => {
            let (found, wanted) = (describe(sibling.outcome), describe(measure.outcome));
            by_level(level, format!("{found}, where {} came to: {wanted}", measure.id))
        }
        (None, _) => Judgement::pass(),
    };
    siblings.iter().map(judge_one).collect()
}

/// Judges the combinations of one `[[case]]`: no mailbox may open for two accounts or values of `each`.
///
/// Whoever comes first in the matrix is taken for the mailbox's owner, and passes.
pub fn judge_distinct(level: Level, siblings: &[Sibling<'_>]) -> Vec<Judgement> {
    let judge_one = |(index, sibling): (usize, &Sibling<'_>)| {
        if let Some(judgement) = unjudged(level, sibling.outcome) {
            return judgement;
        }
        let Outcome::Opened { mailbox: Some(mailbox), .. } = sibling.outcome else { return Judgement::pass() };
        let opens_it = |other: &&Sibling<'_>| matches!(other.outcome, Outcome::Opened { mailbox: Some(found), .. } if found == mailbox);
        // Two carriers of one identity open one mailbox, as they should.
        match siblings.iter().take(index).find(opens_it) {
            Some(owner) if owner.identity != sibling.identity => {
                by_level(level, format!("opened {}, which {} opens too", escape(mailbox), owner.id))
            }
            _ => Judgement::pass(),
        }
    };
    siblings.iter().enumerate().map(judge_one).collect()
}

/// What is wrong, or proves nothing, whatever the siblings came to.
fn unjudged(level: Level, outcome: &Outcome) -> Option<Judgement> {
    match outcome {
        Outcome::NotOffered(what) => {
            Some(Judgement::skipped(SkipReason::NotOffered { capability: what.to_string(), over: None }))
        }
        Outcome::Opened { mailbox: None, proof: Proof::None } => Some(Judgement::new(Verdict::Error, UNPROVEN)),
        _ if is_measure(outcome) => None,
        _ => Some(by_level(level, describe(outcome))),
    }
}

/// Whether an outcome says what the server makes of a login.
const fn is_measure(outcome: &Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::NotOffered(_)
            | Outcome::NoAnswer(_)
            | Outcome::Garbled { .. }
            | Outcome::TlsFailed(_)
            | Outcome::Opened { mailbox: None, proof: Proof::None }
    )
}

fn is_same(a: &Sibling<'_>, b: &Sibling<'_>) -> bool {
    match (a.outcome, b.outcome) {
        // Fingerprints of IMAP and of POP3 cannot be compared: there it only counts that both were let in.
        (Outcome::Opened { mailbox: None, .. }, Outcome::Opened { mailbox: None, .. }) if a.protocol != b.protocol => {
            true
        }
        (
            Outcome::Opened { mailbox: None, proof: Proof::Fingerprint(a) },
            Outcome::Opened { mailbox: None, proof: Proof::Fingerprint(b) },
        ) => a == b,
        (Outcome::Opened { mailbox: a, .. }, Outcome::Opened { mailbox: b, .. }) => a == b,
        // POP3's -ERR is IMAP's NO and BAD in one (RFC 1939 §3), and opens the maildrop together with the login.
        (
            Outcome::Rejected(_) | Outcome::Bad(_) | Outcome::Unbound(_),
            Outcome::Rejected(_) | Outcome::Bad(_) | Outcome::Unbound(_),
        ) if a.protocol != b.protocol => true,
        (a, b) => a.word() == b.word(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Reply, Stage};

    fn opened(mailbox: &str) -> Outcome {
        Outcome::Opened { mailbox: Some(mailbox.as_bytes().to_vec()), proof: Proof::Canary }
    }

    fn rejected() -> Outcome {
        Outcome::Rejected(Reply::default())
    }

    fn bad() -> Outcome {
        Outcome::Bad(Reply::default())
    }

    fn unproven() -> Outcome {
        Outcome::Opened { mailbox: None, proof: Proof::None }
    }

    fn closed() -> Outcome {
        Outcome::Closed { stage: Stage::Login, farewell: None }
    }

    fn sibling<'s>(id: &'s str, protocol: Protocol, outcome: &'s Outcome) -> Sibling<'s> {
        Sibling { id, protocol, identity: ("same", None), is_within_grammar: true, outcome }
    }

    fn same(outcomes: &[(Protocol, Outcome)]) -> Vec<Judgement> {
        let ids: Vec<String> = (0..outcomes.len()).map(|index| format!("x/{index}")).collect();
        let siblings: Vec<Sibling<'_>> =
            outcomes.iter().zip(&ids).map(|((protocol, outcome), id)| sibling(id, *protocol, outcome)).collect();
        judge_same(Level::Must, &siblings)
    }

    fn verdicts(outcomes: &[Outcome]) -> Vec<Verdict> {
        let outcomes: Vec<_> = outcomes.iter().map(|outcome| (Protocol::Imap, outcome.clone())).collect();
        same(&outcomes).into_iter().map(|judgement| judgement.verdict).collect()
    }

    #[test]
    fn siblings_must_come_to_the_same() {
        assert_eq!(verdicts(&[rejected(), rejected()]), [Verdict::Pass, Verdict::Pass]);
        assert_eq!(verdicts(&[rejected(), bad()]), [Verdict::Pass, Verdict::Fail]);
        assert_eq!(verdicts(&[opened("Own"), opened("Own")]), [Verdict::Pass, Verdict::Pass]);
        assert_eq!(verdicts(&[opened("Own"), opened("Anothers")]), [Verdict::Pass, Verdict::Fail]);
        assert_eq!(verdicts(&[opened("Own"), rejected(), closed()]), [Verdict::Pass, Verdict::Fail, Verdict::Fail]);
        let not_offered = Outcome::NotOffered("LITERAL+".into());
        assert_eq!(verdicts(&[not_offered, rejected(), rejected()]), [Verdict::Skip, Verdict::Pass, Verdict::Pass]);
        // A hang is no sameness, not even if everything hangs, and no measure; a login without proof proves nothing.
        let hang = Outcome::NoAnswer(Stage::Login);
        assert_eq!(verdicts(&[hang.clone(), hang.clone()]), [Verdict::Fail, Verdict::Fail]);
        assert_eq!(verdicts(&[hang, rejected(), rejected()]), [Verdict::Fail, Verdict::Pass, Verdict::Pass]);
        assert_eq!(verdicts(&[unproven(), unproven()]), [Verdict::Error, Verdict::Error]);
    }

    #[test]
    fn a_refusal_is_the_same_in_both_protocols() {
        let (imap, pop3) = (Protocol::Imap, Protocol::Pop3);
        let verdicts = |outcomes: &[(Protocol, Outcome)]| -> Vec<Verdict> {
            same(outcomes).into_iter().map(|judgement| judgement.verdict).collect()
        };
        assert_eq!(verdicts(&[(imap, bad()), (pop3, rejected())]), [Verdict::Pass, Verdict::Pass]);
        assert_eq!(verdicts(&[(pop3, rejected()), (imap, rejected())]), [Verdict::Pass, Verdict::Pass]);
        assert_eq!(verdicts(&[(imap, closed()), (pop3, rejected())]), [Verdict::Pass, Verdict::Fail]);
        // POP3's word does not make IMAP's two words one.
        let three = [(pop3, rejected()), (imap, rejected()), (imap, bad())];
        assert_eq!(verdicts(&three), [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    }

    /// `DOMAIN\user` in an atom: a server may refuse it, or take it for what it is, but not for another's.
    #[test]
    fn a_login_that_breaks_the_grammar_may_be_refused_as_such() {
        let (bad, own, other, rejected) = (bad(), opened("Own"), opened("Anothers"), rejected());
        let of = |atom, quoted| {
            let atom = Sibling { is_within_grammar: false, ..sibling("atom", Protocol::Imap, atom) };
            let siblings =
                [atom, sibling("quoted", Protocol::Imap, quoted), sibling("literal", Protocol::Imap, quoted)];
            judge_same(Level::Must, &siblings).into_iter().map(|judgement| judgement.verdict).collect::<Vec<_>>()
        };
        assert_eq!(of(&bad, &own), [Verdict::Pass; 3]);
        assert_eq!(of(&own, &own), [Verdict::Pass; 3]);
        assert_eq!(of(&other, &own), [Verdict::Pass, Verdict::Fail, Verdict::Fail]);
        assert_eq!(of(&rejected, &own), [Verdict::Pass, Verdict::Fail, Verdict::Fail]);
        assert_eq!(of(&bad, &bad), [Verdict::Pass; 3]);
    }

    #[test]
    fn the_measure_is_named() {
        let judgements = same(&[(Protocol::Imap, rejected()), (Protocol::Imap, opened("Own"))]);
        assert_eq!(judgements[1].reason, "opened Own, where x/0 came to: rejected without a word of explanation");
    }

    #[test]
    fn no_mailbox_is_two_identities() {
        let distinct = |list: &[(&str, Option<&str>, Outcome)]| -> Vec<(Verdict, String)> {
            let siblings: Vec<Sibling<'_>> = list
                .iter()
                .map(|(role, each, outcome)| Sibling {
                    id: each.unwrap_or(role),
                    protocol: Protocol::Imap,
                    identity: (role, *each),
                    is_within_grammar: true,
                    outcome,
                })
                .collect();
            let judgements = judge_distinct(Level::Must, &siblings).into_iter();
            judgements.map(|judgement| (judgement.verdict, judgement.reason)).collect()
        };
        let pass = (Verdict::Pass, String::new());
        let alias = (Verdict::Fail, "opened Own, which x41 opens too".to_string());
        assert_eq!(
            distinct(&[
                ("same", Some("x41"), opened("Own")),
                ("same", Some("x41"), opened("Own")),
                ("same", Some("x42"), rejected()),
                ("same", Some("x43"), opened("Other")),
                ("same", Some("x61"), opened("Own")),
            ]),
            [pass.clone(), pass.clone(), pass.clone(), pass.clone(), alias]
        );
        assert_eq!(
            distinct(&[("same", None, opened("Own")), ("renamed", None, opened("Own"))])[1],
            (Verdict::Fail, "opened Own, which same opens too".to_string())
        );
        let hang = distinct(&[("same", None, Outcome::NoAnswer(Stage::Login)), ("renamed", None, unproven())]);
        assert_eq!([hang[0].0, hang[1].0], [Verdict::Fail, Verdict::Error]);
    }
}
