//! Mistakes in a file, and how they are shown: file, line, caret, reason and what to do.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::secrets::masked;
use super::text::SourceText;

/// One mistake in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong, as a lower-case fragment.
    pub reason: String,
    /// Where, in octets of the file's text.
    pub span: Range<usize>,
    /// What to read at the caret.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake without advice.
    pub fn new(span: Range<usize>, reason: impl Into<String>, label: impl Into<String>) -> Self {
        Self { reason: reason.into(), span, label: label.into(), help: None }
    }

    /// Adds advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Every mistake in one file, in the order of their places. Never empty where it is an error.
#[derive(Debug)]
pub struct Mistakes {
    /// The file.
    pub source: SourceText,
    /// What is wrong with it.
    pub list: Vec<Mistake>,
}

impl Mistakes {
    /// Sorts the mistakes by place and drops what is said twice.
    pub fn new(source: SourceText, mut list: Vec<Mistake>) -> Self {
        list.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        list.dedup();
        Self { source, list }
    }
}

impl std::fmt::Display for Mistakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&render(&self.source, &self.list, &Renderer::plain()))
    }
}

impl std::error::Error for Mistakes {}

/// How many mistakes are shown: the whole text is looked through for each, and nobody reads thousands.
const MOST_SHOWN: usize = 100;

/// Renders mistakes as `rustc` does.
pub fn render(source: &SourceText, list: &[Mistake], renderer: &Renderer) -> String {
    render_as(&Level::ERROR, source, list, renderer)
}

/// Renders what is no mistake in itself, and may still not be what was meant.
pub fn render_warnings(source: &SourceText, list: &[Mistake]) -> String {
    render_as(&Level::WARNING, source, list, &Renderer::plain())
}

fn render_as(level: &Level<'static>, source: &SourceText, list: &[Mistake], renderer: &Renderer) -> String {
    let text = match source.fields_with_secrets {
        Some(fields) => masked(&source.text, fields),
        None => source.text.clone(),
    };
    let mut shown = Vec::new();
    for mistake in list.iter().take(MOST_SHOWN) {
        let span = within(&text, &mistake.span);
        let snippet = Snippet::source(text.as_str())
            .path(source.name.as_str())
            .annotation(AnnotationKind::Primary.span(span).label(mistake.label.as_str()));
        let group: Group<'_> = level.clone().primary_title(mistake.reason.as_str()).element(snippet);
        let group = match &mistake.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        };
        shown.push(renderer.render(&[group]));
    }
    if list.len() > MOST_SHOWN {
        shown.push(format!("… and {} more", list.len() - MOST_SHOWN));
    }
    shown.join("\n\n")
}

/// A span that lies within the text and on its character boundaries, whatever was asked.
fn within(text: &str, span: &Range<usize>) -> Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Field, Kind};

    #[test]
    fn a_mistake_shows_file_line_caret_reason_and_help() {
        let source = SourceText::new("x.toml", "a = 1\nexpct = 'bad'\n");
        let mistake = Mistake::new(6..11, "unknown field `expct`", "no such field").with_help("did you mean `expect`?");
        assert_eq!(
            Mistakes::new(source, vec![mistake]).to_string(),
            "error: unknown field `expct`\n --> x.toml:2:1\n  |\n2 | expct = 'bad'\n  | ^^^^^ no such field\n  |\n  = help: did you mean `expect`?"
        );
    }

    #[test]
    fn a_mistake_in_a_file_with_secrets_shows_its_line_without_the_secret() {
        const FIELDS: &[Field] = &[Field::new("user", Kind::Text, ""), Field::new("password", Kind::Secret, "")];
        let mut source = SourceText::new("t.toml", "user = 'a', password = 'geheim'\n");
        source.fields_with_secrets = Some(FIELDS);
        let shown = Mistakes::new(source, vec![Mistake::new(0..4, "r", "l")]).to_string();
        assert!(shown.contains("user = 'a', password = '******'"), "{shown}");
    }

    #[test]
    fn thousands_of_mistakes_are_counted_and_not_shown() {
        let mistakes: Vec<Mistake> = (0..5000).map(|at| Mistake::new(at..at + 1, format!("r{at}"), "l")).collect();
        let shown = Mistakes::new(SourceText::new("x", "a".repeat(5000)), mistakes).to_string();
        assert!(
            shown.contains("r99\n") && !shown.contains("r100") && shown.ends_with("\n\n… and 4900 more"),
            "{shown}"
        );
    }

    #[test]
    fn no_span_can_leave_the_text() {
        let source = SourceText::new("x", "ä");
        for span in [0..9, 1..1, 7..9, 1..2] {
            Mistakes::new(source.clone(), vec![Mistake::new(span, "r", "l")]).to_string();
        }
    }
}
