//! JSON Lines: one object per finished case, written the moment it finishes, then one summary object.

use std::io::{self, Write};

use serde::Serialize;

use crate::runner::{CaseReport, Reporter, RunEvent, Summary};
use crate::scenario::Verdict;

/// Writes JSON Lines.
pub struct JsonLines<W> {
    out: W,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`, one flushed line per case.
    pub const fn new(out: W) -> Self {
        Self { out }
    }

    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        self.out.flush()
    }
}

impl<W: Write> Reporter for JsonLines<W> {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        match event {
            RunEvent::Started { .. } | RunEvent::Surveyed { .. } => Ok(()),
            RunEvent::CaseFinished(case) => self.line(&Case::from(*case)),
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
    expected: &'c str,
    reason: Option<&'c str>,
    account: &'c str,
    login: Option<&'c str>,
    protocol: &'static str,
    mechanism: Option<&'static str>,
    encoding: Option<&'static str>,
    mailbox: Option<&'c str>,
    proof: Option<&'static str>,
    code: Option<&'c str>,
    text: Option<&'c str>,
    cites: &'c [String],
    millis: f64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    deviations: &'c [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript: Option<&'c str>,
}

impl<'c> From<&'c CaseReport> for Case<'c> {
    fn from(case: &'c CaseReport) -> Self {
        Self {
            id: &case.id,
            target: &case.target,
            dialect: &case.dialect,
            verdict: case.verdict.word(),
            outcome: case.outcome,
            expected: &case.expected,
            reason: Some(case.reason.as_str()).filter(|reason| !reason.is_empty()),
            account: &case.role,
            login: case.login.as_deref(),
            protocol: case.protocol.word(),
            mechanism: case.mechanism.map(|mechanism| mechanism.word()),
            encoding: case.encoding.map(|encoding| encoding.word()),
            mailbox: case.mailbox.as_deref(),
            proof: case.proof,
            code: case.code.as_deref(),
            text: case.text.as_deref(),
            cites: &case.cites,
            millis: (case.took.as_secs_f64() * 1e6).round() / 1e3,
            deviations: &case.deviations,
            // The contract: for anything but a pass there is one, if only to say that nothing was sent.
            transcript: match case.verdict {
                Verdict::Pass => None,
                _ => Some(case.transcript.as_deref().unwrap_or("")),
            },
        }
    }
}

/// The last line.
#[derive(Serialize)]
struct Closing {
    summary: Totals,
}

#[derive(Serialize)]
struct Totals {
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
    unreachable: Vec<String>,
    sanity: Vec<SanityLine>,
    insecure: bool,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct SanityLine {
    target: String,
    protocol: &'static str,
    when: &'static str,
    trouble: Option<String>,
}

impl From<&Summary> for Totals {
    fn from(summary: &Summary) -> Self {
        Self {
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
            unreachable: summary.unreachable.clone(),
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
