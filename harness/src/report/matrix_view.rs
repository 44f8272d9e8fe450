//! What the matrix looks like: as text for a terminal, and as Markdown.

use std::fmt::Write as _;

use super::matrix::Matrix;
use super::matrix_table::{Column, DIFFERS, Note, Sheet, Table, about_role, sheet};

/// The most columns of a terminal that a table takes.
const WIDTH: usize = 100;

impl Matrix {
    /// The tables for a terminal, at most 100 columns wide for twenty servers; nothing where nothing was seen.
    pub fn text(&self) -> String {
        text(self)
    }

    /// The same as Markdown, as GitHub shows it.
    pub fn markdown(&self) -> String {
        markdown(self)
    }
}

/// For a terminal.
fn text(matrix: &Matrix) -> String {
    if matrix.is_empty() {
        return String::new();
    }
    let sheet = sheet(matrix);
    let heads = heads(&sheet);
    let mut out = match &sheet.columns[..] {
        [one] => format!("How {} reads login names ({})\n", one.name, facts(one).join("; ")),
        several => format!("How {} servers read login names\n", several.len()),
    };
    for table in &sheet.tables {
        out.push('\n');
        if let Some(role) = table.role {
            let _ = writeln!(out, "{role}: {}", about_role(role));
        }
        let heads = if table.heads.is_empty() { heads.clone() } else { owned(&table.heads) };
        text_table(&mut out, table, &heads);
    }
    out.push('\n');
    for note in &sheet.notes {
        wrapped(
            &mut out,
            &format!("{DIFFERS} {}, {}:", note.server, note.how),
            &forms_of(note, |form| form.to_string()),
        );
    }
    for (character, meaning) in legend(&sheet) {
        let _ = writeln!(out, "{character:<3}  {meaning}");
    }
    if !sheet.remarks.is_empty() {
        out.push('\n');
    }
    let width = sheet.remarks.iter().map(|(form, _)| form.chars().count()).max().unwrap_or(0);
    for (form, about) in &sheet.remarks {
        let _ = writeln!(out, "{form:<width$}  {about}");
    }
    if sheet.columns.len() > 1 {
        out.push('\n');
        text_key(&mut out, &sheet, &heads);
    }
    out
}

/// For GitHub.
fn markdown(matrix: &Matrix) -> String {
    if matrix.is_empty() {
        return String::new();
    }
    let sheet = sheet(matrix);
    let heads = heads(&sheet);
    let mut out = String::new();
    for table in &sheet.tables {
        if let Some(role) = table.role {
            let _ = writeln!(out, "### `{role}`: {}\n", about_role(role));
        }
        let heads = if table.heads.is_empty() { heads.clone() } else { owned(&table.heads) };
        let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let centred = vec![":-:".to_string(); heads.len()];
        out.push_str(&row(&with_label("form".to_string(), heads.iter().map(|head| plain(head)).collect())));
        out.push_str(&row(&with_label(":--".to_string(), centred)));
        for (form, cells) in &table.rows {
            out.push_str(&row(&with_label(code(form), cells.clone())));
        }
        out.push('\n');
    }
    for (character, meaning) in legend(&sheet) {
        let _ = writeln!(out, "- `{character}` {meaning}");
    }
    if !sheet.remarks.is_empty() {
        out.push('\n');
    }
    for (form, about) in &sheet.remarks {
        let _ = writeln!(out, "- {}: {}", code(form), plain(about));
    }
    if !sheet.notes.is_empty() {
        let _ = writeln!(out, "\nMechanisms that do not agree (`{DIFFERS}`):\n");
    }
    for note in &sheet.notes {
        let _ = writeln!(out, "- {}, {}: {}", plain(note.server), note.how, forms_of(note, code).join(" "));
    }
    out.push_str("\n| | server | version | dialect | protocols |\n| :-- | :-- | :-- | :-- | :-- |\n");
    for (head, column) in heads.iter().zip(&sheet.columns) {
        let head = if head == column.name { "" } else { head };
        let (name, version) = (plain(column.name), plain(column.version.unwrap_or_default()));
        let _ = writeln!(
            out,
            "| {head} | {name} | {version} | {} | {} |",
            plain(column.dialect),
            column.protocols.join(", ")
        );
    }
    out
}

/// The servers' names, or numbers where these would make the table too wide.
fn heads(sheet: &Sheet<'_>) -> Vec<String> {
    let names: Vec<&str> = sheet.columns.iter().map(|column| column.name).collect();
    let widest = names.iter().map(|name| name.chars().count().max(3) + 2).sum::<usize>();
    if label_width(&sheet.tables) + widest <= WIDTH {
        return owned(&names);
    }
    (1..=names.len()).map(|number| number.to_string()).collect()
}

fn text_table(out: &mut String, table: &Table<'_>, heads: &[String]) {
    let label = label_width(std::slice::from_ref(table));
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(at, head)| {
            let cells = table.rows.iter().filter_map(|(_, cells)| cells.get(at)).map(|cell| cell.chars().count());
            cells.max().unwrap_or(0).max(head.chars().count())
        })
        .collect();
    // Twenty servers fit with one blank between them; a few may have more.
    let is_roomy = label + widths.iter().map(|width| width + 2).sum::<usize>() <= WIDTH;
    let gap = if is_roomy { "  " } else { " " };
    let mut line = |label_text: &str, cells: &[String]| {
        let mut line = format!("{label_text:<label$}");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(line, "{gap}{cell:<width$}");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    };
    line("", heads);
    for (form, cells) in &table.rows {
        line(form, cells);
    }
}

/// Which server is which, and what is known of it.
fn text_key(out: &mut String, sheet: &Sheet<'_>, heads: &[String]) {
    let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let number = longest(&mut heads.iter().map(|head| head.chars().count()));
    let name = longest(&mut sheet.columns.iter().map(|column| column.name.chars().count()));
    for (head, column) in heads.iter().zip(&sheet.columns) {
        let head = if head == column.name { String::new() } else { format!("{head:>number$}  ") };
        let _ = writeln!(out, "{head}{:<name$}  {}", column.name, facts(column).join("; "));
    }
}

fn label_width(tables: &[Table<'_>]) -> usize {
    tables.iter().flat_map(|table| &table.rows).map(|(form, _)| form.chars().count()).max().unwrap_or(0)
}

fn legend(sheet: &Sheet<'_>) -> Vec<(String, &'static str)> {
    let mut legend: Vec<_> = sheet.signs.iter().map(|sign| (sign.character().to_string(), sign.meaning())).collect();
    if sheet.has_pairs {
        legend.push(("a/b".to_string(), "IMAP does a, and POP3 does b"));
    }
    if !sheet.notes.is_empty() {
        legend.push((DIFFERS.to_string(), "mechanisms do not agree"));
    }
    legend
}

/// What is known of a server.
fn facts(column: &Column<'_>) -> Vec<String> {
    let mut facts: Vec<String> = column.version.map(str::to_string).into_iter().collect();
    if column.dialect != column.name {
        facts.push(format!("dialect {}", column.dialect));
    }
    facts.push(if column.protocols.is_empty() { "not asked".to_string() } else { column.protocols.join(", ") });
    facts
}

/// The forms of a note, and for which roles, as words to be put in a row.
fn forms_of(note: &Note<'_>, shown: impl Fn(&str) -> String) -> Vec<String> {
    let mut by_forms: Vec<(&[&str], Vec<&str>)> = Vec::new();
    for (role, forms) in &note.forms {
        match by_forms.iter_mut().find(|(known, _)| *known == forms.as_slice()) {
            Some((_, roles)) => roles.push(role),
            None => by_forms.push((forms, vec![role])),
        }
    }
    let mut words = Vec::new();
    for (forms, roles) in by_forms {
        words.extend(forms.iter().map(|form| format!("{},", shown(form))));
        words.push(format!("for {};", roles.join(", ")));
    }
    // The last word ends the line.
    if let Some(last) = words.last_mut() {
        last.pop();
    }
    words
}

/// Puts words in lines of at most [`WIDTH`], all but the first one indented.
fn wrapped(out: &mut String, head: &str, words: &[String]) {
    let mut line = head.to_string();
    for word in words {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = "   ".to_string();
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

fn with_label(label: String, mut cells: Vec<String>) -> Vec<String> {
    cells.insert(0, label);
    cells
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// Octets as they are. A bar would end the cell even here.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// A text of somebody's in Markdown: no markup of its own, and on its line.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if "\\`*_{}[]<>|#".contains(character) {
            out.push('\\');
        }
        out.push(if character.is_control() { ' ' } else { character });
    }
    out
}
