//! What a failure does to people: it opens another's mail, lets in who has no password, tells who exists, or takes the
//! server down. Everything else that is not as expected is a fault, and no harm.

use crate::protocol::Outcome;
use crate::scenario::{Action, Case, Expected, PasswordChoice};

/// What harm a finding does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harm {
    /// It opened a mailbox that is not the account's.
    WrongMailbox,
    /// It let somebody in who did not prove who they are.
    LetIn,
    /// Its processes suffered: one spins, grew, left a core dump or ended.
    Process,
    /// It gave no answer.
    NoAnswer,
    /// It hung up without a word.
    HungUp,
    /// It tells who exists.
    TellsWhoExists,
    /// It takes passwords without TLS, or invites clients to send them so.
    PlaintextPassword,
}

impl Harm {
    /// The word for it in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::WrongMailbox => "wrong-mailbox",
            Self::LetIn => "let-in",
            Self::Process => "process",
            Self::NoAnswer => "no-answer",
            Self::HungUp => "hung-up",
            Self::TellsWhoExists => "tells-who-exists",
            Self::PlaintextPassword => "plaintext-password",
        }
    }
}

/// What is known of a case that did not go as expected.
pub(super) struct Failure<'f> {
    pub case: &'f Case,
    pub expected: &'f Expected,
    pub outcome: &'f Outcome,
    /// Whether the mailbox that opened is the account's own, or one that it may open; nothing where nobody can tell.
    pub is_own: Option<bool>,
    pub has_incident: bool,
}

/// What harm a failure does, as far as its outcome tells.
pub(super) fn harm(failure: &Failure<'_>) -> Option<Harm> {
    match failure.outcome {
        Outcome::Opened { .. } if is_anothers(failure) => Some(Harm::WrongMailbox),
        Outcome::Opened { .. } if is_refusal(failure.expected) && proves_nothing(failure.case) => Some(Harm::LetIn),
        _ if failure.has_incident => Some(Harm::Process),
        Outcome::NoAnswer(_) => Some(Harm::NoAnswer),
        Outcome::Closed { farewell: None, .. } => Some(Harm::HungUp),
        Outcome::Rejected(_) | Outcome::Bad(_) | Outcome::Closed { .. } => {
            (*failure.expected == Expected::Indistinguishable).then_some(Harm::TellsWhoExists)
        }
        _ => None,
    }
}

fn is_anothers(failure: &Failure<'_>) -> bool {
    // A mailbox is another's also where two names that must be two open the same one.
    failure.is_own == Some(false) || matches!(failure.expected, Expected::Safe(_) | Expected::Distinct)
}

/// Whether nothing but a refusal is right.
fn is_refusal(expected: &Expected) -> bool {
    match expected {
        Expected::Any(list) => list.iter().all(is_refusal),
        Expected::Rejected | Expected::Bad | Expected::Refused | Expected::Closed | Expected::Indistinguishable => true,
        _ => false,
    }
}

/// Whether the login does not show who it is: by another password than the account's, or by a proof that is wrong.
fn proves_nothing(case: &Case) -> bool {
    let has_password = matches!(&case.action, Action::Login { password: PasswordChoice::Right, .. });
    case.fault.is_some() || !has_password
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Proof, Reply, Stage};
    use crate::scenario::{Vocabulary, read_scenario};
    use crate::source::SourceText;

    fn of(password: &str, expected: &Expected, outcome: &Outcome, is_own: Option<bool>) -> Option<&'static str> {
        let text = format!(
            "title = 'x'\ncites = ['y']\n[[case]]\nid = 'a'\nlogin = 'a'\npassword = '{password}'\nexpect = 'rejected'\n"
        );
        let vocabulary = Vocabulary { roles: vec!["same".to_string()], dialects: Vec::new() };
        let scenario = read_scenario("x", &SourceText::new("x.toml", text), &vocabulary).unwrap();
        let failure = Failure { case: &scenario.cases[0], expected, outcome, is_own, has_incident: false };
        harm(&failure).map(Harm::word)
    }

    #[test]
    fn who_opens_anothers_mailbox_or_lets_anybody_in_does_harm() {
        let opened = Outcome::Opened { mailbox: Some(b"M".to_vec()), proof: Proof::Canary };
        assert_eq!(of("right", &Expected::Rejected, &opened, Some(false)), Some("wrong-mailbox"));
        assert_eq!(of("right", &Expected::Safe(Vec::new()), &opened, None), Some("wrong-mailbox"));
        assert_eq!(of("wrong", &Expected::Rejected, &opened, Some(true)), Some("let-in"));
        // The account's own mailbox with its own password, where the form is wrong: lenient, and no more.
        assert_eq!(of("right", &Expected::Bad, &opened, Some(true)), None);
        assert_eq!(of("right", &Expected::Same, &opened, Some(true)), None);
    }

    #[test]
    fn who_says_nothing_or_too_much_does_harm() {
        let expected = Expected::Rejected;
        assert_eq!(of("wrong", &expected, &Outcome::NoAnswer(Stage::Login), None), Some("no-answer"));
        let closed = |farewell| Outcome::Closed { stage: Stage::Login, farewell };
        assert_eq!(of("wrong", &expected, &closed(None), None), Some("hung-up"));
        assert_eq!(of("wrong", &expected, &closed(Some(Reply::default())), None), None);
        let rejected = Outcome::Rejected(Reply::default());
        assert_eq!(of("wrong", &Expected::Indistinguishable, &rejected, None), Some("tells-who-exists"));
        assert_eq!(of("wrong", &Expected::Bad, &rejected, None), None);
    }
}
