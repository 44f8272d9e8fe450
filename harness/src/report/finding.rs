//! One case that did not go as expected, with everything that is needed to act on it: the same text in each report that
//! people read.

use annotate_snippets::Renderer;

use super::actual;
use super::replay::Replay;
use crate::runner::{Blame, CaseReport, Recorded};
use crate::source::{Mistake, render};

/// A line of a finding.
pub(super) enum Line {
    /// What it comes to.
    Plain(String),
    /// What the wire looked like.
    Wire(String),
}

/// The rule, expected and actual, who is at fault, the nearest that passed, how to ask again, the place in the
/// scenario, the transcript.
pub(super) fn lines(case: &CaseReport, replay: &Replay) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: &str| lines.push(Line::Plain(format!("{name:<9} {value}")));
    if !case.about.is_empty() {
        line("about", &case.about);
    }
    line("rule", &case.cites.join("; "));
    if let Some(login) = &case.login {
        line("login", login);
    }
    line("expected", &case.expected);
    line("actual", &actual(case));
    let widest = case.answers.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, answer) in &case.answers {
        line("answer", &format!("{name:<widest$}  {answer}"));
    }
    if let Some(deviation) = &case.deviation {
        line("broken", &deviation.to_string());
    }
    for deviation in &case.deviations {
        line("besides", &deviation.to_string());
    }
    if let Some(process) = &case.process {
        line("process", process);
    }
    if let Some(known) = &case.known {
        line("recorded", &recorded(known));
    }
    if let Some(blame) = case.blame.filter(|blame| *blame != Blame::Server) {
        line("at fault", &format!("{}: {}", blame.word(), blame.advice()));
    }
    match &case.sibling {
        Some(sibling) => line("sibling", &sibling.sentence),
        None if case.combinations > 1 => {
            line("sibling", &format!("no combination of this case passed ({} asked)", case.combinations));
        }
        None => {}
    }
    line("replay", &replay.command(case));
    let mistake = Mistake::new(case.span.clone(), "expected here", "this is expected");
    // Without its title: the place and the caret are all that is wanted.
    let snippet = render(&case.scenario.source, &[mistake], &Renderer::plain());
    lines.extend(snippet.lines().skip(1).map(|line| Line::Plain(line.to_string())));
    let transcript = case.transcript.as_deref().unwrap_or_default();
    lines.extend(transcript.lines().map(|line| Line::Wire(line.to_string())));
    lines
}

/// A record in one line.
pub(super) fn recorded(known: &Recorded) -> String {
    let mut text = known.reason.clone();
    if let Some(link) = &known.link {
        text.push_str(&format!(" ({link})"));
    }
    if known.security {
        text.push_str(" [security]");
    }
    text
}
