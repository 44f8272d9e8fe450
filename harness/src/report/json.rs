//! JSON Lines: one object per finished case, written the moment it finishes, then one summary object.

use std::io::{self, Write};

use serde::Serialize;

use super::replay::Replay;
use crate::runner::{
    Blame, CaseReport, DeviationReport, Harm, Recorded, RefusedLogin, Reporter, RunEvent, Stopped, Summary,
    TargetFacts, UnmetSecurity,
};
use crate::scenario::{SkipCode, Verdict};

/// Writes JSON Lines.
pub struct JsonLines<W> {
    out: W,
    replay: Replay,
    /// The versions of the targets, by name: a run that is cut off has no summary that tells them.
    versions: Vec<(String, Option<String>)>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`, one flushed line per case.
    pub fn new(out: W) -> Self {
        Self { out, replay: Replay::default(), versions: Vec::new() }
    }

    /// The same, with what of the command line is needed to replay a case.
    #[must_use]
    pub fn with_replay(self, replay: Replay) -> Self {
        Self { replay, ..self }
    }

    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        self.out.flush()
    }
}

impl<W: Write + Send> Reporter for JsonLines<W> {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        match event {
            RunEvent::Started { targets, .. } => {
                self.versions = targets.iter().map(|target| (target.name.clone(), target.version.clone())).collect();
                Ok(())
            }
            RunEvent::Surveyed { .. } | RunEvent::Scheduled { .. } | RunEvent::Progress(_) => Ok(()),
            RunEvent::CaseFinished(case) => {
                let of_this = self.versions.iter().find(|(name, _)| *name == case.target);
                let version = of_this.and_then(|(_, version)| version.clone());
                self.line(&object(case, &self.replay, version.as_deref()))
            }
            RunEvent::Finished(summary) => self.line(&Closing { summary: Totals::from(*summary) }),
        }
    }
}

/// One finished case. Fields may be added; the ones that are here stay.
#[derive(Serialize)]
struct Case<'c> {
    id: &'c str,
    target: &'c str,
    dialect: &'c str,
    verdict: &'static str,
    outcome: Option<&'static str>,
    /// The outcome of the first attempt, if a retry had another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_outcome: Option<&'static str>,
    expected: &'c str,
    reason: Option<&'c str>,
    /// The stable code of the reason for which a case was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    skip: Option<&'c str>,
    account: &'c str,
    login: Option<&'c str>,
    protocol: &'static str,
    mechanism: Option<&'static str>,
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<&'c str>,
    mailbox: Option<&'c str>,
    /// Whether the mailbox is the account's own, or one that it may open.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<bool>,
    proof: Option<&'static str>,
    code: Option<&'c str>,
    text: Option<&'c str>,
    cites: &'c [String],
    /// The time of the conversations that the verdict rests on, without waiting; see [`CaseReport::took`].
    millis: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deviations: Vec<Deviation<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Answer<'c>>,
    #[serde(flatten)]
    finding: Option<Finding<'c>>,
}

/// What is told of anything but a pass: with it a finding can be written up without the scenario's file.
#[derive(Serialize)]
struct Finding<'c> {
    /// The target's software and its version.
    version: Option<&'c str>,
    /// The scenario's id, its behaviour in one sentence, and what the case shows.
    scenario: &'c str,
    title: &'c str,
    about: &'c str,
    /// `must`, `should` or `may`.
    level: &'static str,
    /// `wrong-mailbox`, `let-in`, `process`, `no-answer`, `hung-up`, `tells-who-exists` or `plaintext-password`.
    harm: Option<&'static str>,
    /// The record that covers it.
    known: Option<Known<'c>>,
    /// What was seen of the server's processes meanwhile.
    process: Option<&'c str>,
    /// How many combinations of the same case were asked.
    combinations: usize,
    /// The rule for which the answer is garbled.
    deviation: Option<Deviation<'c>>,
    /// `server`, `target-file`, `network` or `us`.
    at_fault: Option<&'static str>,
    /// The nearest combination of the same case that passed.
    sibling: Option<Sibling<'c>>,
    /// A command for a POSIX shell.
    replay: String,
    /// The contract: there is one, if only to say that nothing was sent.
    transcript: &'c str,
}

#[derive(Serialize)]
struct Known<'c> {
    reason: &'c str,
    link: Option<&'c str>,
    security: bool,
    happened: &'c str,
}

#[derive(Serialize)]
struct Deviation<'c> {
    rule: &'c str,
    octet: Option<u8>,
    index: usize,
}

#[derive(Serialize)]
struct Sibling<'c> {
    id: &'c str,
    differs: &'c [&'static str],
    sentence: &'c str,
}

#[derive(Serialize)]
struct Answer<'c> {
    login: &'c str,
    answer: &'c str,
}

impl<'c> From<&'c DeviationReport> for Deviation<'c> {
    fn from(DeviationReport { rule, octet, index }: &'c DeviationReport) -> Self {
        Self { rule, octet: *octet, index: *index }
    }
}

impl<'c> From<&'c Recorded> for Known<'c> {
    fn from(Recorded { reason, link, security, happened }: &'c Recorded) -> Self {
        Self { reason, link: link.as_deref(), security: *security, happened }
    }
}

fn finding<'c>(case: &'c CaseReport, replay: &Replay, version: Option<&'c str>) -> Finding<'c> {
    let sibling = case.sibling.as_ref();
    Finding {
        version,
        scenario: &case.scenario.id,
        title: &case.scenario.title,
        about: &case.about,
        level: case.level.word(),
        harm: case.harm.map(Harm::word),
        known: case.known.as_ref().map(Known::from),
        process: case.process.as_deref(),
        combinations: case.combinations,
        deviation: case.deviation.as_ref().map(Deviation::from),
        at_fault: case.blame.map(Blame::word),
        sibling: sibling.map(|found| Sibling { id: &found.id, differs: &found.differs, sentence: &found.sentence }),
        replay: replay.command(case),
        transcript: case.transcript.as_deref().unwrap_or(""),
    }
}

fn object<'c>(case: &'c CaseReport, replay: &Replay, version: Option<&'c str>) -> Case<'c> {
    Case {
        id: &case.id,
        target: &case.target,
        dialect: &case.dialect,
        verdict: case.verdict.word(),
        outcome: case.outcome,
        first_outcome: case.first_outcome,
        expected: &case.expected,
        reason: Some(case.reason.as_str()).filter(|reason| !reason.is_empty()),
        skip: case.skip.as_ref().map(SkipCode::as_str),
        account: &case.role,
        login: case.login.as_deref(),
        protocol: case.protocol.word(),
        mechanism: case.mechanism.map(|mechanism| mechanism.word()),
        encoding: case.encoding.map(|encoding| encoding.word()),
        form: case.form.as_deref(),
        mailbox: case.mailbox.as_deref(),
        own: case.is_own,
        proof: case.proof,
        code: case.code.as_deref(),
        text: case.text.as_deref(),
        cites: &case.cites,
        millis: (case.took.as_secs_f64() * 1e6).round() / 1e3,
        deviations: case.deviations.iter().map(Deviation::from).collect(),
        answers: case.answers.iter().map(|(login, answer)| Answer { login, answer }).collect(),
        finding: (case.verdict != Verdict::Pass).then(|| finding(case, replay, version)),
    }
}

/// The last line.
#[derive(Serialize)]
struct Closing {
    summary: Totals,
}

#[derive(Serialize)]
struct Totals {
    targets: Vec<TargetLine>,
    planned: usize,
    finished: usize,
    pass: usize,
    fail: usize,
    warn: usize,
    known: usize,
    fixed: usize,
    skip: usize,
    error: usize,
    conversations: usize,
    millis: f64,
    interrupted: bool,
    /// Why the run ended early: `max-failures` or `time-limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<&'static str>,
    /// The cases without a verdict, by scenario.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutLine>,
    /// Why the server no longer lets this client in: a ban or a locked account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locked_out: Vec<String>,
    unreachable: Vec<String>,
    unmet: Vec<UnmetLine>,
    /// Refused logins for which no case was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused_logins: Vec<RefusedLoginLine>,
    sanity: Vec<SanityLine>,
    insecure: bool,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct TargetLine {
    name: String,
    dialect: String,
    version: Option<String>,
}

#[derive(Serialize)]
struct LeftOutLine {
    scenario: String,
    cases: usize,
}

#[derive(Serialize)]
struct RefusedLoginLine {
    target: String,
    account: String,
    login: String,
    protocol: &'static str,
    address: String,
    answer: String,
    password_from: Option<String>,
}

#[derive(Serialize)]
struct SanityLine {
    target: String,
    protocol: &'static str,
    when: &'static str,
    trouble: Option<String>,
}

/// An endpoint that does not keep the security which is declared for it.
#[derive(Serialize)]
struct UnmetLine {
    id: String,
    target: String,
    protocol: &'static str,
    address: String,
    expected: String,
    seen: String,
    cites: &'static [&'static str],
    advice: String,
}

impl From<&UnmetSecurity> for UnmetLine {
    fn from(unmet: &UnmetSecurity) -> Self {
        Self {
            id: unmet.id(),
            target: unmet.target.clone(),
            protocol: unmet.protocol.word(),
            address: unmet.address.clone(),
            expected: unmet.expected(),
            seen: unmet.seen(),
            cites: unmet.cites(),
            advice: unmet.advice(),
        }
    }
}

impl From<&RefusedLogin> for RefusedLoginLine {
    fn from(refused: &RefusedLogin) -> Self {
        Self {
            target: refused.target.clone(),
            account: refused.role.clone(),
            login: refused.login.clone(),
            protocol: refused.protocol.word(),
            address: refused.address.clone(),
            answer: refused.answer.clone(),
            password_from: refused.password_from.clone(),
        }
    }
}

impl From<&Summary> for Totals {
    fn from(summary: &Summary) -> Self {
        let target = |target: &TargetFacts| TargetLine {
            name: target.name.clone(),
            dialect: target.dialect.clone(),
            version: target.version.clone(),
        };
        Self {
            targets: summary.targets.iter().map(target).collect(),
            planned: summary.planned,
            finished: summary.finished(),
            pass: summary.count(Verdict::Pass),
            fail: summary.count(Verdict::Fail),
            warn: summary.count(Verdict::Warn),
            known: summary.count(Verdict::Known),
            fixed: summary.count(Verdict::Fixed),
            skip: summary.count(Verdict::Skip),
            error: summary.count(Verdict::Error),
            conversations: summary.conversations,
            millis: (summary.took.as_secs_f64() * 1e6).round() / 1e3,
            interrupted: summary.interrupted,
            stopped: summary.stopped.map(|stopped| match stopped {
                Stopped::MaxFailures(_) => "max-failures",
                Stopped::TimeLimit(_) => "time-limit",
            }),
            left_out: summary
                .left_out
                .iter()
                .map(|left| LeftOutLine { scenario: left.scenario.clone(), cases: left.cases })
                .collect(),
            locked_out: summary.locked_out.iter().map(ToString::to_string).collect(),
            unreachable: summary.unreachable.clone(),
            unmet: summary.unmet.iter().map(UnmetLine::from).collect(),
            refused_logins: summary.refused_logins.iter().map(RefusedLoginLine::from).collect(),
            sanity: summary
                .sanity
                .iter()
                .map(|sanity| SanityLine {
                    target: sanity.target.clone(),
                    protocol: sanity.protocol.word(),
                    when: if sanity.is_last { "last" } else { "first" },
                    trouble: sanity.trouble.clone(),
                })
                .collect(),
            insecure: summary.insecure,
            warnings: summary.warnings.clone(),
        }
    }
}
