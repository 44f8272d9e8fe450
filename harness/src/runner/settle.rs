//! From outcomes to reports: each case by itself, or with its siblings where they must come to the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::checks::Prints;
use super::event::CaseReport;
use super::plan::{Plan, Planned};
use super::question::{Question, Request};
use crate::identity::escape;
use crate::protocol::{Outcome, Proof, Redactor};
use crate::scenario::{
    Action, Case, Expectation, Expected, Judgement, Verdict, judge, judge_same, recognize, reply_of,
};
use crate::secret::Password;
use crate::target::Target;
use crate::transport::Conversation;

/// A case that has been asked.
pub(super) struct Answered {
    pub planned: Planned,
    pub question: Question,
    pub conversation: Conversation,
    pub took: Duration,
}

/// Cases that wait for their siblings, by scenario, group and target.
#[derive(Default)]
pub(super) struct Siblings {
    waiting: HashMap<(usize, usize, usize), Vec<Answered>>,
    awaited: HashMap<(usize, usize, usize), usize>,
    /// The mailboxes that are known by their fingerprints only.
    prints: Prints,
}

impl Siblings {
    /// Counts the siblings that will come.
    pub fn new(plan: &Plan, prints: Prints) -> Self {
        let mut awaited = HashMap::new();
        for planned in &plan.list {
            if planned.case().is_some_and(|case| case.expectation == Expectation::Same) {
                *awaited.entry(key(planned)).or_insert(0) += 1;
            }
        }
        Self { waiting: HashMap::new(), awaited, prints }
    }

    /// Takes an answer in; gives back what can be reported now.
    pub fn settle(&mut self, mut answered: Answered, targets: &[Arc<Target>]) -> Vec<CaseReport> {
        let planned = answered.planned.clone();
        let Some(case) = planned.case() else { return Vec::new() };
        let known = self.prints.get(&(planned.target, case.protocol)).map(Vec::as_slice).unwrap_or_default();
        let outcome = answered.conversation.outcome;
        answered.conversation.outcome = recognize(&answered.question.expected, outcome, known);
        if case.expectation != Expectation::Same {
            let judgement =
                judge(&answered.question.expected, case.code.as_deref(), case.level, &answered.conversation.outcome);
            return report(answered, judgement, targets).into_iter().collect();
        }
        let key = key(&answered.planned);
        self.waiting.entry(key).or_default().push(answered);
        self.one_less(key, targets)
    }

    /// A sibling that will not come: skipped, or not to be asked.
    pub fn drop_out(&mut self, planned: &Planned, targets: &[Arc<Target>]) -> Vec<CaseReport> {
        self.one_less(key(planned), targets)
    }

    /// What is left when the run is cut short, judged by the siblings that did come.
    pub fn rest(&mut self, targets: &[Arc<Target>]) -> Vec<CaseReport> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().flat_map(|siblings| settle_siblings(siblings, targets)).collect()
    }

    fn one_less(&mut self, key: (usize, usize, usize), targets: &[Arc<Target>]) -> Vec<CaseReport> {
        let Some(left) = self.awaited.get_mut(&key) else { return Vec::new() };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return Vec::new();
        }
        self.waiting.remove(&key).map(|siblings| settle_siblings(siblings, targets)).unwrap_or_default()
    }
}

/// A report on a case that was not asked.
pub(super) fn unasked(planned: &Planned, target: &Target, verdict: Verdict, reason: String) -> Option<CaseReport> {
    let case = planned.case()?;
    Some(CaseReport { verdict, reason, ..blank(planned, case, target) })
}

fn settle_siblings(mut siblings: Vec<Answered>, targets: &[Arc<Target>]) -> Vec<CaseReport> {
    // In the matrix's order, so that the measure does not depend on who came first.
    siblings.sort_by_key(|answered| answered.planned.case);
    let level = siblings.first().and_then(|first| first.planned.case()).map(|case| case.level);
    let Some(level) = level else { return Vec::new() };
    let outcomes: Vec<Outcome> = siblings.iter().map(|answered| answered.conversation.outcome.clone()).collect();
    let judgements = judge_same(level, &outcomes);
    siblings.into_iter().zip(judgements).filter_map(|(answered, one)| report(answered, one, targets)).collect()
}

fn report(answered: Answered, judgement: Judgement, targets: &[Arc<Target>]) -> Option<CaseReport> {
    let Answered { planned, question, conversation, took } = answered;
    let case = planned.case()?;
    let target = targets.get(planned.target)?;
    let judgement = crate::target::apply_known(&target.known, &case.id, &conversation.outcome, judgement);
    let mut report = CaseReport {
        login: match &question.request {
            Request::Login(login) => Some(shown_name(&login.name, &question.passwords)),
            Request::Dialogue(_) => None,
        },
        expected: describe_expected(&question.expected, case),
        outcome: Some(conversation.outcome.word()),
        verdict: judgement.verdict,
        took,
        deviations: conversation.deviations,
        ..blank(&planned, case, target)
    };
    if conversation.outcome != Outcome::Followed
        && let Action::Dialogue(lines) = &case.action
        && let Some(line) = conversation.dialogue_step.and_then(|step| lines.get(step))
    {
        report.span = line.span.clone();
        report.expected = planned.scenario.source.text.get(line.span.clone()).unwrap_or_default().to_string();
    }
    if let Outcome::Opened { mailbox, proof } = &conversation.outcome {
        report.mailbox = mailbox.as_ref().map(|mailbox| escape(mailbox));
        report.proof = Some(match proof {
            Proof::Canary => "canary",
            Proof::Fingerprint(_) => "fingerprint",
            Proof::None => "none",
        });
    }
    // Nearly every case passes, says nothing that could hold a password, and needs no redactor.
    let says_something = reply_of(&conversation.outcome).is_some();
    if judgement.verdict == Verdict::Pass && !says_something {
        return Some(report);
    }
    let redactor = Redactor::new(&question.passwords);
    if let Some(reply) = reply_of(&conversation.outcome) {
        report.code = reply.code.as_ref().map(|code| redactor.redact_text(&code.to_string()));
        report.text = Some(escape(&redactor.redact(&reply.text)));
    }
    report.reason = redactor.redact_text(&judgement.reason);
    report.mailbox = report.mailbox.map(|mailbox| redactor.redact_text(&mailbox));
    if !matches!(judgement.verdict, Verdict::Pass | Verdict::Skip) {
        report.transcript = Some(conversation.transcript.render(&redactor));
    }
    Some(report)
}

fn blank(planned: &Planned, case: &Case, target: &Target) -> CaseReport {
    CaseReport {
        id: case.id.clone(),
        scenario: Arc::clone(&planned.scenario),
        about: case.about.clone(),
        cites: case.cites.clone(),
        target: target.name.clone(),
        dialect: target.dialect.name.clone(),
        role: case.role.clone(),
        protocol: case.protocol,
        mechanism: case.mechanism,
        encoding: case.encoding,
        login: None,
        expected: String::new(),
        outcome: None,
        mailbox: None,
        proof: None,
        code: None,
        text: None,
        verdict: Verdict::Skip,
        reason: String::new(),
        span: case.span.clone(),
        took: Duration::ZERO,
        transcript: None,
        deviations: Vec::new(),
    }
}

/// A login name for reports. A scenario may put the password into it, so even this is looked through.
fn shown_name(name: &[u8], passwords: &[Password]) -> String {
    let holds = |password: &Password| {
        let octets = password.expose();
        !octets.is_empty() && name.windows(octets.len()).any(|window| window == octets)
    };
    if passwords.iter().any(holds) { escape(&Redactor::new(passwords).redact(name)) } else { escape(name) }
}

fn describe_expected(expected: &Expected, case: &Case) -> String {
    match &case.code {
        Some(code) => format!("{expected} with [{code}]"),
        None => expected.to_string(),
    }
}

fn key(planned: &Planned) -> (usize, usize, usize) {
    let group = planned.case().map_or(0, |case| case.group);
    (Arc::as_ptr(&planned.scenario) as usize, group, planned.target)
}
