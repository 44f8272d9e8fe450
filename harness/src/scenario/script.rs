//! The text of a dialogue: lines of `C:` and `S:`.
//!
//! `C: text` sends the text and CR LF; `C| text` sends it as it is. `S: a NO|BAD` waits for a line that starts with
//! these words, each of them one of several; `S: a BAD || [closed]` also takes the end of the connection.

use std::ops::Range;

use super::model::{ScriptAnswer, ScriptLine, ScriptStep};
use super::template::Template;
use crate::source::{Mistake, Text};

/// Reads a dialogue's text; every mistake is handed to `mistake`.
pub fn read_script(text: &Text, roles: &[String], mut mistake: impl FnMut(Mistake)) -> Vec<ScriptLine> {
    let quotes = if text.span.len() >= text.value.len() + 6 { 3 } else { 1 };
    // TOML drops a line break right after the opening quotes.
    let dropped = (text.span.len() - 2 * quotes).saturating_sub(text.value.len());
    let mut at = text.span.start + quotes + dropped;
    let mut lines = Vec::new();
    for line in text.value.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let indent = line.len() - line.trim_start().len();
        let (start, line) = (start + indent, line.trim_start());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let span = start..start + line.len();
        match read_line(line, roles) {
            Ok(step) => lines.push(ScriptLine { step, span }),
            Err((reason, within)) => {
                let span = if within.is_empty() { span } else { start + within.start..start + within.end };
                mistake(
                    Mistake::new(span, reason, "in this line")
                        .with_help("`C: text` sends a line, `S: a NO|BAD` waits for one, `S: [closed]` for the end"),
                );
            }
        }
    }
    if lines.is_empty() {
        mistake(Mistake::new(text.span.clone(), "the dialogue says nothing", "no `C:` and no `S:` line"));
    } else if !lines.iter().any(|line| matches!(line.step, ScriptStep::Expect(_))) {
        mistake(
            Mistake::new(text.span.clone(), "the dialogue expects nothing, so it could not fail", "no `S:` line")
                .with_help("say what the server answers: S: a NO|BAD"),
        );
    }
    lines
}

fn read_line(line: &str, roles: &[String]) -> Result<ScriptStep, (String, Range<usize>)> {
    let template = |offset: usize, text: &str| {
        Template::parse(text, roles).map_err(|error| (error.reason, offset + error.span.start..offset + error.span.end))
    };
    if let Some(text) = line.strip_prefix("C| ") {
        return template(3, text).map(ScriptStep::Send);
    }
    if let Some(text) = line.strip_prefix("C:") {
        let text = text.strip_prefix(' ').unwrap_or(text);
        let offset = line.len() - text.len();
        // A dialogue's own CR LF is a part of what it sends.
        return Template::parse(&format!("{text}{{crlf}}"), roles)
            .map(ScriptStep::Send)
            .map_err(|error| (error.reason, offset + error.span.start..offset + error.span.end.min(text.len())));
    }
    let Some(text) = line.strip_prefix("S:") else {
        return Err(("a line of a dialogue starts with `C:`, `C|` or `S:`".to_string(), 0..0));
    };
    let mut answers = Vec::new();
    for answer in text.split(" || ") {
        let answer = answer.trim();
        match answer {
            "" => return Err(("nothing stands after `S:`".to_string(), 0..0)),
            "[closed]" => answers.push(ScriptAnswer::Closed),
            _ => {
                let mut words = Vec::new();
                for word in answer.split_ascii_whitespace() {
                    // Within braces a `|` is a template's own.
                    let choices: Vec<&str> = if word.contains('{') { vec![word] } else { word.split('|').collect() };
                    let choices = choices.into_iter().map(|choice| template(0, choice));
                    words.push(choices.collect::<Result<Vec<_>, _>>().map_err(|(reason, _)| (reason, 0..0))?);
                }
                answers.push(ScriptAnswer::Line(words));
            }
        }
    }
    Ok(ScriptStep::Expect(answers))
}
