//! Long lines for people: their head, their tail and what is pointed at, and how much is left out between.

use std::ops::Range;

/// How many characters are kept of a line's beginning, of its end, and on each side of what is pointed at.
const HEAD: usize = 120;
const TAIL: usize = 60;
const AROUND: usize = 40;
/// What is left out is longer than the words that say so.
const SHORTEST_GAP: usize = 40;

/// A line of which parts are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elided {
    /// What is left, with the number of what is left out between.
    pub text: String,
    /// The parts that are kept: where they stood, and where they stand now.
    kept: Vec<(Range<usize>, usize)>,
}

impl Elided {
    /// The column in the shortened line of a column of the whole line; `None` if that part is left out.
    pub fn column(&self, column: usize) -> Option<usize> {
        let part = self.kept.iter().find(|(part, _)| part.contains(&column) || part.end == column);
        part.map(|(part, now)| now + column - part.start)
    }
}

/// Leaves out of a line what is neither its head nor its tail nor near to one of the columns `marked`.
///
/// `starts` are the columns at which the units of the line begin, in order; no unit is cut in two, and the number of
/// those left out is told with `unit`, their name in the plural.
pub(crate) fn elide(line: &str, starts: &[usize], unit: &str, marked: &[usize]) -> Elided {
    let end = line.len();
    let snapped = |column: usize| starts.get(starts.partition_point(|start| *start < column)).copied().unwrap_or(end);
    let mut marked = marked.to_vec();
    marked.sort_unstable();
    let around = marked.into_iter().map(|column| column.saturating_sub(AROUND)..(column + AROUND).min(end));
    let wanted = std::iter::once(0..HEAD.min(end)).chain(around).chain(std::iter::once(end.saturating_sub(TAIL)..end));
    let mut parts: Vec<Range<usize>> = Vec::new();
    for part in wanted {
        let part = if part.start == 0 { 0 } else { snapped(part.start) }..snapped(part.end);
        match parts.last_mut() {
            Some(last) if part.start < last.end + SHORTEST_GAP => last.end = last.end.max(part.end),
            _ => parts.push(part),
        }
    }
    let mut elided = Elided { text: String::new(), kept: Vec::new() };
    let mut at = 0;
    for part in parts {
        if part.start > at {
            let left_out = starts.iter().filter(|start| (at..part.start).contains(*start)).count();
            elided.text.push_str(&format!("[... {left_out} {unit} ...]"));
        }
        at = part.end;
        let now = elided.text.len();
        elided.text.push_str(line.get(part.clone()).unwrap_or_default());
        elided.kept.push((part, now));
    }
    elided
}

/// A text of at most so many octets as it is, a longer one without its middle.
#[cfg(any(feature = "net", test))]
pub(crate) fn elided_text(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    elide(&text, &starts, "characters", &[]).text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_tail_and_what_is_pointed_at_stay() {
        let line = "S: ".to_string() + &"\\x00".repeat(1000) + "!" + &"b".repeat(500);
        let starts: Vec<usize> = (0..1000).map(|at| 3 + at * 4).chain(4003..4504).collect();
        let elided = elide(&line, &starts, "octets", &[4003]);
        let (head, tail) = ("\\x00".repeat(30), "b".repeat(60));
        let around = "\\x00".repeat(10) + "!" + &"b".repeat(39);
        let shown = format!("S: {head}[... 960 octets ...]{around}[... 401 octets ...]{tail}");
        assert_eq!(elided.text, shown);
        let column = elided.column(4003).unwrap();
        assert_eq!(elided.text.get(column..=column), Some("!"));
        assert_eq!((elided.column(0), elided.column(2000)), (Some(0), None));
    }

    #[test]
    fn a_short_gap_is_shown() {
        let text = "x".repeat(HEAD + TAIL + SHORTEST_GAP - 1);
        assert_eq!(elided_text(text.clone(), 10), text);
        let long = "ä".repeat(400);
        assert!(elided_text(long, 10).contains("ä[... 310 characters ...]ä"));
    }
}
