//! From outcomes to reports: each case by itself, or with its siblings where they must come to the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::checks::Prints;
use super::event::{Blame, CaseReport, DeviationReport, Recorded};
use super::findings::Settled;
use super::harm::{Failure, harm};
use super::judging::{Tested, shorten_texts, temporary_failure};
use super::paired::Compared;
use super::plan::Planned;
use super::question::{Question, Request};
use crate::axes::Fault;
use crate::identity::escape;
use crate::panic::Panicked;
use crate::protocol::{Deviation, Mark, MarkedOctets, Outcome, Proof, Redactor};
use crate::scenario::{
    Action, Case, Expectation, Expected, Judgement, Level, Sibling, SkipCode, SkipReason, SkippedCase, Verdict,
    describe, judge, judge_distinct, judge_same, recognize, reply_of,
};
use crate::target::Target;
use crate::transport::Conversation;

/// How many octets those conversations take at most that wait for their siblings, and how many are kept of each
/// direction of one that waits when they take more.
const MOST_WAITING: usize = 16 << 20;
const KEPT_WAITING: usize = 1024;

/// A case that has been asked.
pub(super) struct Answered {
    pub planned: Planned,
    pub question: Question,
    pub conversation: Conversation,
    /// What was seen of the server meanwhile, where that was remarkable.
    pub process: Option<String>,
    /// What the comparison of refusals came to, where the case asks for one.
    pub compared: Option<Compared>,
    /// Whether the conversation was another case's, which sent the same octets.
    pub is_shared: bool,
    /// The outcome of the first attempt, where the case was asked again and the outcome changed.
    pub first_outcome: Option<&'static str>,
}

/// Cases that wait for their siblings.
#[derive(Default)]
pub(super) struct Siblings {
    waiting: HashMap<Key, Vec<Answered>>,
    /// How many octets the conversations of those that wait take.
    waiting_octets: usize,
    awaited: HashMap<Key, usize>,
    /// The mailboxes that are known by their fingerprints only.
    prints: Prints,
}

/// Which cases are judged by each other: those of one scenario, group and target, and, where they must come to the
/// same, of one account, fault and value of `each`: these are no carriers of one name.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    scenario: usize,
    group: usize,
    target: usize,
    identity: Option<(String, Option<Fault>, Option<String>)>,
}

impl Siblings {
    /// Counts the siblings that will come.
    pub fn new<'p>(planned: impl Iterator<Item = &'p Planned>, prints: Prints) -> Self {
        let mut awaited = HashMap::new();
        for planned in planned {
            if planned.case().is_some_and(|case| case.expectation.is_joint()) {
                *awaited.entry(key(planned)).or_insert(0) += 1;
            }
        }
        Self { waiting: HashMap::new(), waiting_octets: 0, awaited, prints }
    }

    /// Takes an answer in; gives back what can be reported now.
    pub fn settle(&mut self, mut answered: Answered, tested: &Tested<'_>) -> Vec<Settled> {
        let planned = answered.planned.clone();
        let Some(case) = planned.case() else { return Vec::new() };
        let known = self.prints.get(&(planned.target, case.protocol)).map(Vec::as_slice).unwrap_or_default();
        let outcome = recognize(&answered.question.expected, answered.conversation.outcome, known);
        // A refusal that is about the connection says nothing of the password, unless its code is what the case is about.
        answered.conversation.outcome = match case.code {
            Some(_) => outcome,
            None => outcome.without_refusals_for_protection(answered.question.security),
        };
        let expected = &answered.question.expected;
        if let Some(code) = temporary_failure(expected, case.code.as_deref(), &answered.conversation.outcome) {
            let reason = format!("the server failed temporarily ([{code}]), so nothing is known about this login");
            let mut settled = self.drop_out(&planned, tested);
            settled.extend(report(answered, Judgement::new(Verdict::Error, reason), tested));
            return settled;
        }
        if !case.expectation.is_joint() {
            let judgement = match &answered.compared {
                Some(compared) => compared.judgement.clone(),
                None => {
                    let outcome = &answered.conversation.outcome;
                    judge(&answered.question.expected, case.code.as_deref(), case.level, outcome)
                }
            };
            let is_told = |documented: &Expected| !matches!(documented, Expected::Rejected | Expected::Refused);
            let judgement = match answered.question.documented.as_ref().filter(|documented| is_told(documented)) {
                Some(documented) => excused(judgement, documented, &answered.conversation.outcome),
                None => judgement,
            };
            return report(answered, judgement, tested).into_iter().collect();
        }
        if self.waiting_octets + answered.conversation.transcript.size() > MOST_WAITING {
            answered.conversation.transcript.shorten(KEPT_WAITING);
        }
        self.waiting_octets += answered.conversation.transcript.size();
        let key = key(&answered.planned);
        self.waiting.entry(key.clone()).or_default().push(answered);
        self.one_less(&key, tested)
    }

    /// A sibling that will not come: skipped, or not to be asked.
    pub fn drop_out(&mut self, planned: &Planned, tested: &Tested<'_>) -> Vec<Settled> {
        self.one_less(&key(planned), tested)
    }

    /// What is left when the run is cut short, judged by the siblings that did come.
    pub fn rest(&mut self, tested: &Tested<'_>) -> Vec<Settled> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().flat_map(|siblings| settle_siblings(siblings, tested)).collect()
    }

    fn one_less(&mut self, key: &Key, tested: &Tested<'_>) -> Vec<Settled> {
        let Some(left) = self.awaited.get_mut(key) else { return Vec::new() };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return Vec::new();
        }
        let siblings = self.waiting.remove(key).unwrap_or_default();
        let octets: usize = siblings.iter().map(|answered| answered.conversation.transcript.size()).sum();
        self.waiting_octets = self.waiting_octets.saturating_sub(octets);
        settle_siblings(siblings, tested)
    }
}

/// A report on a case that was not asked.
pub(super) fn unasked(planned: Planned, tested: &Tested<'_>, judgement: Judgement) -> Option<Settled> {
    let (case, target) = (planned.case()?, tested.targets.get(planned.target)?);
    let Judgement { verdict, reason, skip } = judgement;
    let blame = Some(if verdict == Verdict::Error { Blame::Network } else { Blame::TargetFile });
    let skip = skip.map(|reason| skip_code(&reason, case, target));
    let report = CaseReport { verdict, reason, blame, skip, ..blank(&planned, case, target) };
    Some(Settled { planned, report })
}

/// What becomes of a case in which our own code panicked.
pub(super) fn panicked(planned: Planned, tested: &Tested<'_>, panicked: &Panicked) -> Option<Settled> {
    let settled = unasked(planned, tested, Judgement::new(Verdict::Error, panicked.to_string()))?;
    Some(Settled { report: CaseReport { blame: Some(Blame::Us), ..settled.report }, ..settled })
}

fn settle_siblings(mut siblings: Vec<Answered>, tested: &Tested<'_>) -> Vec<Settled> {
    // In the matrix's order, so that the measure does not depend on who came first.
    siblings.sort_by_key(|answered| answered.planned.case);
    let Some(case) = siblings.first().and_then(|first| first.planned.case()) else { return Vec::new() };
    let seen: Vec<Sibling<'_>> = siblings.iter().filter_map(sibling).collect();
    let judgements = match case.expectation {
        Expectation::Distinct => judge_distinct(case.level, &seen),
        _ => judge_same(case.level, &seen),
    };
    // A dialect may tell mechanisms apart by its own rules. Where it does not, nothing excuses a difference.
    let first = siblings.first().and_then(|answered| answered.question.documented.clone());
    let tells_apart = siblings.iter().any(|answered| answered.question.documented != first);
    let settled = |(answered, judgement): (Answered, Judgement)| {
        let judgement = match &answered.question.documented {
            Some(documented) if tells_apart => excused(judgement, documented, &answered.conversation.outcome),
            _ => judgement,
        };
        report(answered, judgement, tested)
    };
    siblings.into_iter().zip(judgements).filter_map(settled).collect()
}

/// What a server's dialect says of a name is no fault, also where most servers read it otherwise.
fn excused(judgement: Judgement, documented: &Expected, outcome: &Outcome) -> Judgement {
    let by_dialect = judge(documented, None, Level::Must, outcome);
    let is_fault = matches!(judgement.verdict, Verdict::Fail | Verdict::Warn);
    if is_fault && by_dialect.verdict == Verdict::Pass { by_dialect } else { judgement }
}

fn sibling(answered: &Answered) -> Option<Sibling<'_>> {
    let case = answered.planned.case()?;
    Some(Sibling {
        id: &case.id,
        protocol: case.protocol,
        identity: (answered.planned.role(), case.each.as_deref()),
        is_within_grammar: match &answered.question.request {
            Request::Login(login) => login.is_within_grammar(),
            Request::Dialogue(_) => true,
        },
        outcome: &answered.conversation.outcome,
    })
}

fn report(answered: Answered, judgement: Judgement, tested: &Tested<'_>) -> Option<Settled> {
    let Answered { planned, question, conversation, process, compared, is_shared: _, first_outcome } = answered;
    let case = planned.case()?;
    let target = tested.targets.get(planned.target)?;
    let redactor = Redactor::extended(tested.redactors.get(planned.target)?, &question.secrets);
    // Whatever a server answers, it must be well afterwards.
    let judgement = match &process {
        Some(process) => Judgement::new(Verdict::Fail, format!("{}; {process}", describe(&conversation.outcome))),
        None => judgement,
    };
    let expected = &question.expected;
    let is_fault = matches!(judgement.verdict, Verdict::Fail | Verdict::Warn);
    let is_own = is_own(target, planned.role(), &conversation.outcome);
    let failure = Failure { case, expected, outcome: &conversation.outcome, is_own, has_incident: process.is_some() };
    let harm = if is_fault { harm(&failure) } else { None };
    let happened = judgement.reason.clone();
    let (judgement, record) =
        crate::target::apply_known(&target.known.list, &case.id, &conversation.outcome, judgement);
    let is_troubled = tested.troubled.contains(&(planned.target, case.protocol));
    let mut report = CaseReport {
        login: match &question.request {
            Request::Login(login) => Some(shown_name(&login.name, &redactor)),
            Request::Dialogue(_) => None,
        },
        expected: describe_expected(&question, case, &redactor),
        outcome: Some(conversation.outcome.word()),
        verdict: judgement.verdict,
        blame: blame(&judgement, &conversation, is_troubled),
        took: compared.as_ref().map_or(conversation.took, |compared| compared.took),
        first_outcome,
        process,
        harm,
        skip: judgement.skip.as_ref().map(|reason| skip_code(reason, case, target)),
        known: record.map(|record| Recorded {
            reason: record.reason.clone(),
            link: record.link.clone(),
            security: record.security,
            happened,
        }),
        ..blank(&planned, case, target)
    };
    if conversation.outcome != Outcome::Followed
        && let Action::Dialogue(lines) = &case.action
        && let Some(line) = conversation.dialogue_step.and_then(|step| lines.get(step))
    {
        report.span = line.span.clone();
        let text = planned.scenario.source.text.get(line.span.clone()).unwrap_or_default();
        report.expected = redactor.redact_text(text);
    }
    if let Outcome::Opened { mailbox, proof } = &conversation.outcome {
        report.mailbox = mailbox.as_ref().map(|mailbox| escape(mailbox));
        report.is_own = is_own;
        report.proof = Some(match proof {
            Proof::Canary => "canary",
            Proof::Fingerprint(print) if print.starts_with(b"UIDVALIDITY ") => "uidvalidity",
            Proof::Fingerprint(print) if print.starts_with(b"UIDL ") => "uidl",
            Proof::Fingerprint(_) => "counts",
            Proof::None => "none",
        });
    }
    // Nearly every case passes and says nothing that could hold a secret.
    let says_something = reply_of(&conversation.outcome).is_some() || !conversation.deviations.is_empty();
    if judgement.verdict == Verdict::Pass && !says_something && compared.is_none() {
        shorten_texts(&mut report);
        return Some(Settled { planned, report });
    }
    if let Some(reply) = reply_of(&conversation.outcome) {
        report.code = reply.code.as_ref().map(|code| redactor.redact_text(&code.to_string()));
        report.text = Some(escape(&redactor.redact(&reply.text)));
    }
    report.reason = redactor.redact_text(&judgement.reason);
    if let Some(known) = &mut report.known {
        let texts = [&mut known.reason, &mut known.happened];
        texts.into_iter().chain(&mut known.link).for_each(|text| *text = redactor.redact_text(text));
    }
    report.mailbox = report.mailbox.map(|mailbox| redactor.redact_text(&mailbox));
    let told = |deviation: &Deviation| told(deviation, &conversation, &redactor);
    report.deviations = conversation.deviations.iter().map(told).collect();
    if let Outcome::Garbled { deviation, .. } = &conversation.outcome {
        report.deviation = Some(told(deviation));
    }
    if !matches!(judgement.verdict, Verdict::Pass | Verdict::Skip) {
        let marks = marks(&report, &conversation.outcome);
        let mut transcript = conversation.transcript.render_marked(&redactor, &marks);
        if let Some(compared) = &compared {
            transcript.push_str(&compared.rendered(&redactor));
        }
        report.transcript = Some(tested.evidence.transcript(transcript));
    }
    if let Some(compared) = compared {
        report.answers = compared.answers(&redactor);
    }
    shorten_texts(&mut report);
    Some(Settled { planned, report })
}

/// Whether the mailbox that opened is the role's own, or one that its account may open; nothing where none opened, or
/// nobody can tell which.
fn is_own(target: &Target, role: &str, outcome: &Outcome) -> Option<bool> {
    let Outcome::Opened { mailbox: Some(mailbox), .. } = outcome else { return None };
    let found = target.directory.role(role)?;
    let may_open = found.account.is_some_and(|account| account.may_open.contains(mailbox));
    Some(found.mailbox == Some(mailbox.as_slice()) || may_open)
}

/// What is pointed at in the transcript.
fn marks(report: &CaseReport, outcome: &Outcome) -> Vec<Mark> {
    let broken = report.deviation.iter().chain(&report.deviations);
    let mut marks: Vec<Mark> =
        broken.map(|deviation| Mark { index: deviation.index, remark: deviation.to_string() }).collect();
    if let Outcome::Diverged { index, .. } = outcome {
        marks.insert(0, Mark { index: *index, remark: "this line was not expected".to_string() });
    }
    marks
}

/// A deviation for reports. An octet of a password is not told, not even one that breaks a rule.
fn told(deviation: &Deviation, conversation: &Conversation, redactor: &Redactor) -> DeviationReport {
    let octet = deviation.octet.filter(|_| !conversation.transcript.is_secret(deviation.index, redactor));
    DeviationReport { rule: deviation.rule.to_string(), octet, index: deviation.index }
}

fn blame(judgement: &Judgement, conversation: &Conversation, is_troubled: bool) -> Option<Blame> {
    // What this client cannot spell it does not even begin.
    let cannot_say = matches!(conversation.outcome, Outcome::NotOffered(_)) && conversation.transcript.is_empty();
    let misbehaved = matches!(conversation.outcome, Outcome::Garbled { .. } | Outcome::NoAnswer(_));
    match judgement.verdict {
        Verdict::Pass => None,
        Verdict::Skip | Verdict::Fail | Verdict::Warn | Verdict::Known if cannot_say => Some(Blame::Us),
        Verdict::Skip => None,
        // Nothing is proven without a canary, and a record that no longer holds is to be removed.
        Verdict::Error | Verdict::Fixed => Some(Blame::TargetFile),
        Verdict::Fail | Verdict::Warn | Verdict::Known if is_troubled && !misbehaved => Some(Blame::TargetFile),
        Verdict::Fail | Verdict::Warn | Verdict::Known => Some(Blame::Server),
    }
}

/// A report that says nothing yet.
pub(super) fn blank(planned: &Planned, case: &Case, target: &Target) -> CaseReport {
    CaseReport {
        id: case.id.clone(),
        scenario: Arc::clone(&planned.scenario),
        about: case.about.clone(),
        form: case.form.clone(),
        cites: case.cites.clone(),
        level: case.level,
        target: target.name.clone(),
        dialect: target.dialect.name.clone(),
        role: planned.role().to_string(),
        protocol: case.protocol,
        mechanism: case.mechanism,
        encoding: case.encoding,
        login: None,
        expected: String::new(),
        outcome: None,
        first_outcome: None,
        mailbox: None,
        is_own: None,
        proof: None,
        code: None,
        text: None,
        verdict: Verdict::Skip,
        reason: String::new(),
        span: case.span.clone(),
        took: Duration::ZERO,
        transcript: None,
        deviation: None,
        deviations: Vec::new(),
        blame: None,
        sibling: None,
        combinations: 0,
        answers: Vec::new(),
        process: None,
        known: None,
        harm: None,
        skip: None,
    }
}

/// The code of a skip.
fn skip_code(reason: &SkipReason, case: &Case, target: &Target) -> SkipCode {
    let found = target.endpoint_of(case);
    let security = found.ok().map(|(_, security)| security).or(case.security);
    reason.code(SkippedCase { id: &case.id, protocol: case.protocol, security })
}

/// A login name for reports. A scenario may spell a secret out, so it is looked through besides.
fn shown_name(name: &MarkedOctets, redactor: &Redactor) -> String {
    name.masked(|octets| escape(&redactor.redact(octets)))
}

fn describe_expected(question: &Question, case: &Case, redactor: &Redactor) -> String {
    let expected = match (&question.expected, &question.against, &case.code) {
        (Expected::Indistinguishable, Some(against), _) => {
            format!("indistinguishable from the login as `{}`", shown_name(&against.name, redactor))
        }
        (expected, _, Some(code)) => format!("{expected} with [{code}]"),
        (expected, _, None) => expected.to_string(),
    };
    redactor.redact_text(&expected)
}

fn key(planned: &Planned) -> Key {
    let case = planned.case();
    Key {
        scenario: Arc::as_ptr(&planned.scenario) as usize,
        group: case.map_or(0, |case| case.group),
        target: planned.target,
        identity: case
            .filter(|case| case.expectation == Expectation::Same)
            .map(|case| (planned.role().to_string(), case.fault, case.each.clone())),
    }
}
