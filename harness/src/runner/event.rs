//! What a run tells: the one interface between the runner and the reports.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::harm::Harm;
use super::health::LockedOut;
use super::pacing::{PaceFacts, Progress};
use super::probe::{RefusedLogin, UnmetSecurity};
use crate::axes::{Encoding, Mechanism, Protocol, Security};
use crate::scenario::{Level, Scenario, SkipCode, Verdict};
use crate::target::{EXPECT_SCENARIO, Observed};

/// One thing that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunEvent<'r> {
    /// The run begins.
    Started {
        /// How many cases are planned.
        cases: usize,
        /// How many more combinations there are, whose pairs of values the planned ones try already.
        left_out: usize,
        /// The servers under test.
        targets: &'r [TargetFacts],
        /// How many cases of each scenario are planned, in the order in which they will be asked.
        scenarios: &'r [(Arc<Scenario>, usize)],
        /// What everybody who reads the results must know.
        warnings: &'r [String],
    },
    /// Every server has been asked what it can do, and the logins that must work have been tried.
    Surveyed {
        /// What each of them said, by protocol and security.
        surveys: &'r [SurveyFacts],
        /// What everybody who reads the results must know besides.
        warnings: &'r [String],
    },
    /// It is known which cases run, and how long that takes. The numbers take the place of those in `Started`.
    Scheduled {
        /// How many cases get a verdict.
        cases: usize,
        /// How many cases of each scenario get a verdict.
        scenarios: &'r [(Arc<Scenario>, usize)],
        /// The logins, the wrong passwords for each account and the expected duration.
        pace: &'r PaceFacts,
    },
    /// What is left, once a second while cases run.
    Progress(&'r Progress),
    /// A case is done.
    CaseFinished(&'r CaseReport),
    /// The run is over.
    Finished(&'r Summary),
}

/// What is told of a target.
#[derive(Debug, Clone)]
pub struct TargetFacts {
    /// Its name.
    pub name: String,
    /// Its dialect.
    pub dialect: String,
    /// The software and its version, where somebody knows.
    pub version: Option<String>,
    /// Its addresses, by protocol.
    pub addresses: Vec<(Protocol, String)>,
}

/// What a server says that it can do.
#[derive(Debug, Clone)]
pub struct SurveyFacts {
    /// The target.
    pub target: String,
    /// The protocol.
    pub protocol: Protocol,
    /// Where it was asked.
    pub address: String,
    /// What protected the connection.
    pub security: Security,
    /// Its words, in upper case and printable.
    pub offers: Vec<String>,
    /// Why it said nothing.
    pub trouble: Option<String>,
    /// Why it cannot be reached, if it cannot: one of [`Summary::unreachable`].
    pub unreachable: Option<String>,
}

/// Everything about one finished case. Nothing in it holds a password.
#[derive(Debug, Clone)]
pub struct CaseReport {
    /// The case's id.
    pub id: String,
    /// The scenario that it is from.
    pub scenario: Arc<Scenario>,
    /// What the case shows.
    pub about: String,
    /// The row of the table of forms by servers in which its outcome is shown, where it has one.
    pub form: Option<String>,
    /// The rules that it rests on.
    pub cites: Vec<String>,
    /// How binding they are.
    pub level: Level,
    /// The target.
    pub target: String,
    /// The target's dialect.
    pub dialect: String,
    /// The role that logs in.
    pub role: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The mechanism; a dialogue has none.
    pub mechanism: Option<Mechanism>,
    /// The encoding, where there is one.
    pub encoding: Option<Encoding>,
    /// The login name, in the notation for octets; a dialogue has none.
    pub login: Option<String>,
    /// What was expected, in words.
    pub expected: String,
    /// The outcome's word; nothing where the case was not asked.
    pub outcome: Option<&'static str>,
    /// The outcome's word of the first attempt, where the case was asked again and the outcome changed; `no-connection`
    /// where the first attempt got none. The last outcome is the one that is judged.
    pub first_outcome: Option<&'static str>,
    /// The mailbox that opened, in the notation for octets.
    pub mailbox: Option<String>,
    /// Whether the mailbox that opened is the role's own, or one that the role may open; nothing where none opened, or
    /// nobody can tell which.
    pub is_own: Option<bool>,
    /// What the opened mailbox rests on: `canary`, a fingerprint (`uidvalidity`, `uidl`, `counts`), or `none`.
    pub proof: Option<&'static str>,
    /// The response code of the server's answer.
    pub code: Option<String>,
    /// The text of the server's answer, in the notation for octets, passwords masked.
    pub text: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, where it is not a pass.
    pub reason: String,
    /// Where in the scenario's file the expectation stands.
    pub span: Range<usize>,
    /// The time of the conversations that the verdict rests on: each from the open TCP connection to the end of the
    /// goodbye. What came before is not part of it: waiting for a connection or for the lockout budget, and attempts
    /// that were repeated. Zero where the case was not asked.
    pub took: Duration,
    /// The transcript, for anything but a pass and a skip; a caret stands under each octet that breaks a rule.
    pub transcript: Option<String>,
    /// The rule for which the answer is garbled.
    pub deviation: Option<DeviationReport>,
    /// Rules that the server broke without consequence.
    pub deviations: Vec<DeviationReport>,
    /// Who is at fault, for anything but a pass; nobody where a target merely lacks something.
    pub blame: Option<Blame>,
    /// The combination of the same case that passed and is most like this one.
    pub sibling: Option<Sibling>,
    /// How many combinations of the same case were asked, this one included; known for what went wrong.
    pub combinations: usize,
    /// The answers that were compared, each with the login name that it was given to.
    pub answers: Vec<(String, String)>,
    /// What was seen of the server's processes meanwhile, where that was remarkable.
    pub process: Option<String>,
    /// The record that covers the case, where the verdict is `known` or `fixed`.
    pub known: Option<Recorded>,
    /// What harm it does, where it is not as expected, recorded or not.
    pub harm: Option<Harm>,
    /// The stable code of the reason for which it was skipped, where it was.
    pub skip: Option<SkipCode>,
}

impl CaseReport {
    /// How many octets of a server's it holds, about.
    pub(super) fn size(&self) -> usize {
        let texts = [&self.login, &self.mailbox, &self.code, &self.text, &self.transcript, &self.process];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let answers: usize = self.answers.iter().map(|(name, answer)| name.len() + answer.len()).sum();
        texts + answers + self.expected.len() + self.reason.len()
    }

    /// Whether it compares the server with what its target file expects, in the place of asking something.
    pub fn is_expectation(&self) -> bool {
        self.scenario.id == EXPECT_SCENARIO
    }
}

/// A known deviation, and what happened this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Why it is so, as recorded.
    pub reason: String,
    /// Where it is tracked.
    pub link: Option<String>,
    /// Whether its vendor is to hear of it first.
    pub security: bool,
    /// What happened, in words; empty where the case passes.
    pub happened: String,
}

/// A rule that the server broke, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviationReport {
    /// The rule, with its source.
    pub rule: String,
    /// The octet that breaks it, where it is one octet and no part of a password.
    pub octet: Option<u8>,
    /// The index, from 0, in everything that the server sent.
    pub index: usize,
}

/// Who is at fault where something is not as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The server broke the rule.
    Server,
    /// The target's file says something of the accounts that is not so, or does not say enough.
    TargetFile,
    /// The server could not be reached.
    Network,
    /// This client cannot say it.
    Us,
}

/// A combination of the same case that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Its id.
    pub id: String,
    /// The axes in which it differs, the most telling first.
    pub differs: Vec<&'static str>,
    /// The difference in words.
    pub sentence: String,
}

/// How the run came out.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The servers under test.
    pub targets: Vec<TargetFacts>,
    /// How many cases got each verdict, in the order of [`Verdict::ALL`].
    pub counts: [usize; Verdict::ALL.len()],
    /// How many cases were planned.
    pub planned: usize,
    /// How many logins and dialogues were tried, sanity logins and surveys included.
    pub conversations: usize,
    /// How long it all took.
    pub took: Duration,
    /// Whether the user interrupted the run.
    pub interrupted: bool,
    /// Why the run stopped before every case had a verdict, where an option made it stop.
    pub stopped: Option<Stopped>,
    /// The planned cases that have no verdict, by scenario.
    pub left_out: Vec<LeftOut>,
    /// Targets that could not be reached, and why.
    pub unreachable: Vec<String>,
    /// Servers that no longer let this client in, so that nothing more was asked.
    pub locked_out: Vec<LockedOut>,
    /// Endpoints that do not keep the security which is declared for them; the run fails for each.
    pub unmet: Vec<UnmetSecurity>,
    /// The logins whose refusal ended the run for their target: no case was asked there.
    pub refused_logins: Vec<RefusedLogin>,
    /// The logins that must work, before and after everything else.
    pub sanity: Vec<Sanity>,
    /// Whether a server's certificate was not verified.
    pub insecure: bool,
    /// What everybody who reads the results must know.
    pub warnings: Vec<String>,
    /// What was observed of each server that was looked at besides the cases, by the target's name.
    pub observed: Vec<(String, Observed)>,
}

/// An option that ended a run early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stopped {
    /// So many cases failed or could not be asked.
    MaxFailures(usize),
    /// The time was up.
    TimeLimit(Duration),
}

/// Cases of one scenario that were planned and have no verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The scenario's id.
    pub scenario: String,
    /// How many cases.
    pub cases: usize,
}

/// One login that must work.
#[derive(Debug, Clone)]
pub struct Sanity {
    /// The target.
    pub target: String,
    /// The protocol.
    pub protocol: Protocol,
    /// Whether this is the one after everything else.
    pub is_last: bool,
    /// What went wrong; nothing where the mailbox opened.
    pub trouble: Option<String>,
}

impl std::fmt::Display for DeviationReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.octet {
            Some(octet) => write!(f, "octet 0x{octet:02x} at {}: {}", self.index, self.rule),
            None => write!(f, "at {}: {}", self.index, self.rule),
        }
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MaxFailures(1) => f.write_str("at the first failure"),
            Self::MaxFailures(most) => write!(f, "after {most} failures"),
            Self::TimeLimit(limit) => write!(f, "at the time limit of {} s", limit.as_secs()),
        }
    }
}

impl Blame {
    /// The word for it in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::TargetFile => "target-file",
            Self::Network => "network",
            Self::Us => "us",
        }
    }

    /// What it means for whoever reads the report.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Server => "the server broke the rule",
            Self::TargetFile => "check the accounts, the mailboxes and the dialect that the target's file names",
            Self::Network => "the server could not be reached",
            Self::Us => "this client cannot say it",
        }
    }
}

impl Summary {
    /// How many cases got a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.counts.get(verdict as usize).copied().unwrap_or_default()
    }

    /// How many cases have a verdict.
    pub fn finished(&self) -> usize {
        self.counts.iter().sum()
    }

    /// How many cases were really asked.
    pub fn asked(&self) -> usize {
        self.finished() - self.count(Verdict::Skip)
    }

    /// The sanity logins that failed.
    pub fn troubles(&self) -> impl Iterator<Item = &Sanity> {
        self.sanity.iter().filter(|sanity| sanity.trouble.is_some())
    }

    /// How many cases are not as expected.
    pub fn unexpected(&self) -> usize {
        Verdict::ALL.iter().filter(|verdict| verdict.is_unexpected()).map(|&verdict| self.count(verdict)).sum()
    }

    /// Whether cases are missing that nothing explains: a fault of ours, which must not look like a success.
    pub fn has_lost_cases(&self) -> bool {
        !self.interrupted && self.stopped.is_none() && self.finished() != self.planned
    }

    /// Whether all was as expected.
    pub fn is_success(&self) -> bool {
        self.unexpected() == 0
            && self.unmet.is_empty()
            && self.refused_logins.is_empty()
            && self.troubles().next().is_none()
            && self.unreachable.is_empty()
            && self.locked_out.is_empty()
            && !self.interrupted
            && !self.has_lost_cases()
    }
}

/// Whoever wants to know what happens. What a reporter has been told is safe: it writes it at once.
pub trait Reporter: Send {
    /// Takes one event in.
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()>;
}
