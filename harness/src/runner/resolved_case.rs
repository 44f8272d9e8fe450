//! A planned case with the target's values filled in: what is sent, to which endpoint, and what is expected.

use super::governor::Governor;
use super::place::Place;
use super::plan::Planned;
use super::question::{Question, Request, ask};
use super::survey::Survey;
use crate::axes::{Encoding, Mechanism, Protocol};
use crate::protocol::{Login, Outcome};
use crate::scenario::{Expectation, Judgement, SkipReason, Verdict, judge};

/// A case that can be asked.
pub(super) struct ResolvedCase {
    pub question: Question,
    pub place: Place,
    /// Whether the role's client certificate is shown.
    pub shows_certificate: bool,
}

/// Fills in a case. An error says why it cannot be asked of this target, or why the target cannot be asked at all.
pub(super) fn resolve(planned: &Planned, governor: &Governor, survey: &Survey) -> Result<ResolvedCase, Judgement> {
    let skip = Judgement::skipped;
    let fault = |reason: &str| Judgement::new(Verdict::Error, reason);
    let (Some(case), Some(gate)) = (planned.case(), governor.gates.get(planned.target)) else {
        return Err(fault("the plan names a case or a target that does not exist; this is a fault of loginspec"));
    };
    let target = &*gate.target;
    let question = ask(case, target, planned.scenario.once, planned.role()).map_err(skip)?;
    let (_, security) = target.endpoint_of(case).map_err(skip)?;
    let place = (planned.target, case.protocol, security);
    if let Some(reason) = survey.unreachable(place) {
        return Err(fault(reason));
    }
    if let Some(reason) = survey.reason_to_skip(case, place) {
        return Err(skip(reason));
    }
    // Shown only where the certificate is what logs in: elsewhere it would be one more difference.
    let shows_certificate = case.mechanism == Some(Mechanism::External);
    if shows_certificate && !target.certificates.contains_key(planned.role()) {
        return Err(skip(SkipReason::NoClientCertificate { role: planned.role().to_string() }));
    }
    // The client looks at the capabilities before it sends a login: such a case need not even connect.
    if let Request::Login(login) = &question.request
        && let Some(missing) = not_offered(login, place, survey)
    {
        let outcome = Outcome::NotOffered(missing.as_str().into());
        let judgement = judge(&question.expected, None, case.level, &outcome);
        let is_compared = case.expectation.is_joint() || case.expectation == Expectation::Indistinguishable;
        if judgement.verdict == Verdict::Skip || is_compared {
            return Err(skip(SkipReason::NotOffered { capability: missing, over: Some(security) }));
        }
    }
    Ok(ResolvedCase { question, place, shows_certificate })
}

/// What a login needs and the server says that it does not offer; none if it does not say what it offers.
fn not_offered(login: &Login, place: Place, survey: &Survey) -> Option<String> {
    // A server may offer EXTERNAL only to a client that shows a certificate, and the survey shows none.
    if login.mechanism == Mechanism::External {
        return None;
    }
    let (_, protocol, _) = place;
    let lacks = |word: &str| survey.offers(place, word) == Some(false);
    let missing = |word: String| lacks(&word).then_some(word);
    let of_mechanism = match (login.mechanism.sasl_name(), login.mechanism) {
        (Some(name), _) => missing(format!("AUTH={name}")),
        (None, Mechanism::Apop) => missing("APOP".to_string()),
        (None, _) => None,
    };
    of_mechanism.or_else(|| match (protocol, login.encoding) {
        (Protocol::Imap, Some(Encoding::InitialResponse)) => missing("SASL-IR".to_string()),
        (Protocol::Imap, Some(Encoding::LiteralPlus)) if lacks("LITERAL-") => missing("LITERAL+".to_string()),
        _ => None,
    })
}
