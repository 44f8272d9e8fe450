//! The text of a dialogue: lines of `C:`, `S:` and `TLS`.
//!
//! `C: text` sends the text and CR LF; `C| text` sends it as it is; `C> text` sends it and CR LF together with what the
//! next line sends. `S: a NO|BAD` waits for a line that starts with these words, each of them one of several;
//! `S: a BAD || [closed]` also takes the end of the connection. In such a line `...` stands for any number of words,
//! `!WORD` says that the word is none of those that are left, and `word*` may go on. `S: ...` passes over lines until
//! the next `S:` fits. `TLS` begins TLS.

use std::ops::Range;

use super::model::{ScriptAnswer, ScriptLine, ScriptPattern, ScriptStep, ScriptWord};
use super::template::Template;
use crate::source::{Mistake, Text};

/// Reads a dialogue's text; every mistake is handed to `mistake`.
pub fn read_script(text: &Text, roles: &[String], mut mistake: impl FnMut(Mistake)) -> Vec<ScriptLine> {
    let quotes = if text.span.len() >= text.value.len() + 6 { 3 } else { 1 };
    // TOML drops a line break right after the opening quotes.
    let dropped = (text.span.len() - 2 * quotes).saturating_sub(text.value.len());
    let mut at = text.span.start + quotes + dropped;
    let mut lines: Vec<ScriptLine> = Vec::new();
    // What a `C>` line leaves to the next one.
    let mut begun: Option<(Template, Range<usize>)> = None;
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
        let help = "`C: text` sends a line, `S: a NO|BAD` waits for one, `S: [closed]` for the end";
        if let Some((_, open)) = begun.as_ref().filter(|_| !line.starts_with('C')) {
            mistake(left_open(open.clone()));
            begun = None;
        }
        match read_line(line, roles) {
            Ok(ScriptStep::Send(text)) => {
                // One write and one step, so that steps and lines stay in step with each other.
                let (text, span) = match begun.take() {
                    Some((mut before, from)) => {
                        before.append(text);
                        (before, from.start..span.end)
                    }
                    None => (text, span),
                };
                if line.starts_with("C>") {
                    begun = Some((text, span));
                } else {
                    lines.push(ScriptLine { step: ScriptStep::Send(text), span });
                }
            }
            Ok(step) => lines.push(ScriptLine { step, span }),
            Err((reason, within)) => {
                let span = if within.is_empty() { span } else { start + within.start..start + within.end };
                mistake(Mistake::new(span, reason, "in this line").with_help(help));
            }
        }
    }
    if let Some((_, open)) = begun {
        mistake(left_open(open));
    }
    for (index, line) in lines.iter().enumerate() {
        let next = lines.get(index + 1).map(|next| &next.step);
        if matches!(line.step, ScriptStep::PassOver(_)) && !matches!(next, Some(ScriptStep::Expect(_))) {
            let reason = "`S: ...` passes over lines until the next one fits, and there is no next `S:` line";
            mistake(
                Mistake::new(line.span.clone(), reason, "this would never end")
                    .with_help("say which line ends it: S: a OK"),
            );
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
    if let Some(rest) = line.strip_prefix("TLS") {
        return match rest.split_once("||") {
            None if rest.trim().is_empty() => Ok(ScriptStep::StartTls { or_fails: false }),
            Some((before, after)) if before.trim().is_empty() && after.trim() == "[closed]" => {
                Ok(ScriptStep::StartTls { or_fails: true })
            }
            _ => Err(("nothing but ` || [closed]` may stand after `TLS`".to_string(), 0..0)),
        };
    }
    if let Some(text) = line.strip_prefix("C:").or_else(|| line.strip_prefix("C>")) {
        let text = text.strip_prefix(' ').unwrap_or(text);
        let offset = line.len() - text.len();
        // A dialogue's own CR LF is a part of what it sends.
        return Template::parse(&format!("{text}{{crlf}}"), roles)
            .map(ScriptStep::Send)
            .map_err(|error| (error.reason, offset + error.span.start..offset + error.span.end.min(text.len())));
    }
    let Some(text) = line.strip_prefix("S:") else {
        return Err(("a line of a dialogue starts with `C:`, `C|`, `C>` or `S:`, or is `TLS`".to_string(), 0..0));
    };
    let texts: Vec<&str> = text.split(" || ").map(str::trim).collect();
    let mut answers = Vec::new();
    for answer in &texts {
        match *answer {
            "" => return Err(("nothing stands after `S:`".to_string(), 0..0)),
            "[closed]" => answers.push(ScriptAnswer::Closed),
            _ => {
                let patterns = answer.split_ascii_whitespace().map(|word| read_pattern(word, roles));
                let patterns = patterns.collect::<Result<Vec<_>, _>>().map_err(|reason| (reason, 0..0))?;
                if patterns.iter().any(|pattern| matches!(pattern, ScriptPattern::OneOf(_))) {
                    answers.push(ScriptAnswer::Line(in_order(patterns)));
                } else if texts.len() == 1 && patterns.first() == Some(&ScriptPattern::Gap) {
                    return Ok(ScriptStep::PassOver(forbidden(patterns)));
                } else {
                    let reason =
                        "this names no word that the line should have; `S: ... !WORD` stands alone".to_string();
                    return Err((reason, 0..0));
                }
            }
        }
    }
    Ok(ScriptStep::Expect(answers))
}

/// `...`, `!WORD|WORD` or `WORD|WORD`.
fn read_pattern(text: &str, roles: &[String]) -> Result<ScriptPattern, String> {
    if text == "..." {
        return Ok(ScriptPattern::Gap);
    }
    let words = |text: &str| {
        // Within braces a `|` is a template's own.
        let choices: Vec<&str> = if text.contains('{') { vec![text] } else { text.split('|').collect() };
        choices.into_iter().map(|choice| read_word(choice, roles)).collect::<Result<Vec<_>, _>>()
    };
    match text.strip_prefix('!') {
        Some("") => Err("`!` forbids no word; write `{x21}` for the octet itself".to_string()),
        Some(text) => words(text).map(ScriptPattern::NoneOf),
        None => words(text).map(ScriptPattern::OneOf),
    }
}

/// A word; `*` at its end stands for any octets, but alone it is IMAP's own.
fn read_word(text: &str, roles: &[String]) -> Result<ScriptWord, String> {
    let (text, is_prefix) = match text.strip_suffix('*').filter(|start| !start.is_empty()) {
        Some(start) => (start, true),
        None => (text, false),
    };
    let text = Template::parse(text, roles).map_err(|error| error.reason)?;
    Ok(ScriptWord { text, is_prefix })
}

/// After `...` a `!WORD` would forbid nothing, since the gap could take the word in: it holds from the gap on.
fn in_order(patterns: Vec<ScriptPattern>) -> Vec<ScriptPattern> {
    let mut ordered: Vec<ScriptPattern> = Vec::new();
    for pattern in patterns {
        let gaps = ordered.iter().rev().take_while(|before| **before == ScriptPattern::Gap).count();
        match pattern {
            ScriptPattern::NoneOf(_) => ordered.insert(ordered.len() - gaps, pattern),
            _ => ordered.push(pattern),
        }
    }
    ordered
}

fn forbidden(patterns: Vec<ScriptPattern>) -> Vec<ScriptWord> {
    let words = patterns.into_iter().filter_map(|pattern| match pattern {
        ScriptPattern::NoneOf(words) => Some(words),
        ScriptPattern::OneOf(_) | ScriptPattern::Gap => None,
    });
    words.flatten().collect()
}

fn left_open(span: Range<usize>) -> Mistake {
    Mistake::new(span, "`C>` sends together with the next line, and no `C` line follows", "in this line")
        .with_help("write `C:` where a line is sent alone")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<ScriptLine> {
        // As in a file, between quotes of three.
        let text = Text { value: text.to_string(), span: 0..text.len() + 6 };
        read_script(&text, &[], |mistake| panic!("{}", mistake.reason))
    }

    #[test]
    fn steps_and_lines_stay_in_step() {
        let text = "S: * OK\nC> a STARTTLS\nC: b NOOP\nS: a OK\nTLS || [closed]\nS: ... !b\nS: c OK\nTLS";
        let lines = lines(text);
        let shown: Vec<&str> = lines.iter().map(|line| &text[line.span.start - 3..line.span.end - 3]).collect();
        let wanted =
            ["S: * OK", "C> a STARTTLS\nC: b NOOP", "S: a OK", "TLS || [closed]", "S: ... !b", "S: c OK", "TLS"];
        assert_eq!(shown, wanted);
        assert_eq!(lines[3].step, ScriptStep::StartTls { or_fails: true });
        assert_eq!(lines[6].step, ScriptStep::StartTls { or_fails: false });
        assert!(matches!(&lines[4].step, ScriptStep::PassOver(words) if words.len() == 1));
    }

    #[test]
    fn a_word_forbidden_after_a_gap_is_forbidden_in_it() {
        let lines = lines("S: * CAPABILITY ... !STARTTLS LOGINDISABLED");
        let ScriptStep::Expect(answers) = &lines[0].step else { panic!("no expectation") };
        let ScriptAnswer::Line(patterns) = &answers[0] else { panic!("no line") };
        assert!(matches!(
            patterns[..],
            [
                ScriptPattern::OneOf(_),
                ScriptPattern::OneOf(_),
                ScriptPattern::NoneOf(_),
                ScriptPattern::Gap,
                ScriptPattern::OneOf(_)
            ]
        ));
    }
}
