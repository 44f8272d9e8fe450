//! Text that others wrote within Markdown: it stays text, whatever is in it.

/// A name for a file, out of any text: lower-case letters, digits, full stops and dashes, and never one that leads
/// elsewhere.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if slug.len() >= 72 {
            break;
        }
        match character {
            'a'..='z' | '0'..='9' | '.' => slug.push(character),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() { "unnamed".to_string() } else { slug.to_string() }
}

/// Words in a line of their own. What stands between backticks stays code; the rest has no markup.
pub(super) fn words(text: &str) -> String {
    let text = text.lines().collect::<Vec<_>>().join(" ");
    let is_paired = text.matches('`').count().is_multiple_of(2);
    let mut shown = String::with_capacity(text.len());
    let mut is_code = false;
    for character in text.chars() {
        match character {
            '`' if is_paired => is_code = !is_code,
            '`' | '<' | '>' | '*' | '_' | '[' | ']' | '\\' | '|' | '#' if !is_code => shown.push('\\'),
            '&' if !is_code => {
                shown.push_str("&amp;");
                continue;
            }
            _ => {}
        }
        shown.push(character);
    }
    shown
}

/// Text as code, within a line.
pub(super) fn code(text: &str) -> String {
    let text = text.lines().collect::<Vec<_>>().join(" ");
    let ticks = "`".repeat(longest_run(&text) + 1);
    // A space on both sides is taken away again, and keeps a backtick at either end apart from these.
    let gap = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) || text.is_empty() { " " } else { "" };
    format!("{ticks}{gap}{text}{gap}{ticks}")
}

/// Text as a block of code.
pub(super) fn block(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_lead_nowhere_else() {
        assert_eq!(slug("container:dovecot-2.4"), "container-dovecot-2.4");
        assert_eq!(slug("imap/quoting/x[imap,*"), "imap-quoting-x-imap");
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        for odd in ["", "..", "///", "ä", "-"] {
            assert_eq!(slug(odd), "unnamed", "{odd}");
        }
        assert!(slug(&"a".repeat(1000)).len() <= 72);
    }

    #[test]
    fn what_others_wrote_stays_text() {
        assert_eq!(words("says `BYE <x>` & <b>[*]"), r"says `BYE <x>` &amp; \<b\>\[\*\]");
        assert_eq!(words("one ` only"), r"one \` only");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(block("text", "S: ```\n"), "````text\nS: ```\n````\n");
    }
}
