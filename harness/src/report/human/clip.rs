//! Texts of a readable length: what a server sends may be as long as it likes.

/// The most characters of a line that are shown.
pub(super) const LINE_CHARACTERS: usize = 400;

/// A text of at most `most` characters, and a mark where its end is left out.
pub(super) fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_string(),
        Some((end, _)) => {
            let left_out = text.chars().count() - most;
            format!("{}… ({left_out} more)", text.get(..end).unwrap_or(text))
        }
    }
}

/// The first and the last of many lines, and between them how many are left out.
pub(super) fn head_and_tail<'l>(lines: &[&'l str], head: usize, tail: usize) -> Vec<std::borrow::Cow<'l, str>> {
    let left_out = lines.len().saturating_sub(head + tail);
    if left_out < 2 {
        return lines.iter().map(|line| (*line).into()).collect();
    }
    let first = lines.iter().take(head).map(|line| (*line).into());
    let last = lines.iter().skip(head + left_out).map(|line| (*line).into());
    first.chain([format!("… {left_out} more lines").into()]).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_says_how_much_is_left_out() {
        assert_eq!(clip("grün", 4), "grün");
        assert_eq!(clip("grüner", 4), "grün… (2 more)");
    }

    #[test]
    fn the_middle_of_many_lines_is_left_out() {
        let lines = ["1", "2", "3", "4", "5"];
        assert_eq!(head_and_tail(&lines, 2, 2), lines, "a mark would be as long as the line that it replaces");
        assert_eq!(head_and_tail(&lines, 1, 2), ["1", "… 2 more lines", "4", "5"]);
        assert_eq!(head_and_tail(&[], 1, 2), [""; 0]);
    }
}
