//! Writes what a run has shown into a target file: known deviations, `[expect]` and the skip baseline. Everything else in the
//! file stays as it is, comments and order included.

use toml_edit::{Array, DocumentMut, Item, Table, TomlError, Value};

use super::expectations::{Expectations, quoted};
use super::known::UNEXPLAINED;
use crate::scenario::SkipCode;

/// A known deviation that is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// The cases that it covers, as a glob.
    pub case: String,
    /// The outcome, as a word.
    pub outcome: String,
    /// What was expected and what happened; someone has to say why.
    pub happened: String,
    /// Whether it does harm.
    pub is_security: bool,
}

/// What is written into a target file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetUpdate {
    /// The records to add.
    pub records: Vec<NewRecord>,
    /// What the server showed; nothing where `[expect]` is to stay as it is, but for the skips.
    pub expectations: Option<Expectations>,
    /// The skip baseline.
    pub skips: Vec<SkipCode>,
}

/// Why a target file cannot be updated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// It is not valid TOML.
    #[error("it is not valid TOML: {0}")]
    Toml(#[from] TomlError),
    /// `expect` is something else than a table.
    #[error("`expect` is not a table")]
    NotATable,
}

impl TargetUpdate {
    /// The text for a file of its own, to be put into a target file by hand.
    pub fn to_toml(&self) -> String {
        let mut parts: Vec<String> = self.records.iter().map(NewRecord::to_toml).collect();
        parts.extend(self.expectations.as_ref().map(|expectations| self.expect_table(expectations)));
        if parts.is_empty() { "# Nothing failed: there is nothing to record.\n".to_string() } else { parts.join("\n") }
    }

    /// The text of a target file with the update in it.
    ///
    /// An `[expect]` that loginspec wrote (`observed = true`) is replaced where it stands. Of one that someone has written,
    /// only the skips are added to. Records are added at the end.
    pub fn apply(&self, text: &str) -> Result<String, UpdateError> {
        let mut document: DocumentMut = text.parse()?;
        let mut appended: Vec<String> = self.records.iter().map(NewRecord::to_toml).collect();
        match (document.get_mut("expect"), &self.expectations) {
            (None, Some(expectations)) => appended.push(self.expect_table(expectations)),
            (None, None) => appended.push(self.expect_table(&Expectations::default())),
            (Some(Item::Table(table)), Some(expectations)) if is_observed(table) => {
                replace(table, &self.expect_table(expectations))?;
            }
            (Some(Item::Table(table)), _) => add_skips(table, &self.skips),
            (Some(_), _) => return Err(UpdateError::NotATable),
        }
        let mut text = document.to_string();
        for part in appended {
            let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            text.push_str(&format!("{end}{gap}{part}"));
        }
        Ok(text)
    }

    fn expect_table(&self, expectations: &Expectations) -> String {
        Expectations { skips: Some(self.skips.clone()), ..expectations.clone() }.to_toml()
    }
}

impl NewRecord {
    fn to_toml(&self) -> String {
        let security = if self.is_security { "security = true\n" } else { "" };
        format!(
            "[[known]]\ncase    = {}\noutcome = {}\nreason  = {}\n{security}",
            quoted(&visible(&self.case)),
            quoted(&self.outcome),
            quoted(&visible(&format!("{UNEXPLAINED}: {}", self.happened)))
        )
    }
}

/// A target file takes no control characters in its strings, so they are made visible.
fn visible(text: &str) -> String {
    let mut visible = String::new();
    for character in text.chars() {
        match character {
            '\n' | '\t' => visible.push(' '),
            _ if character.is_control() => visible.extend(character.escape_unicode().filter(|part| *part != '\\')),
            _ => visible.push(character),
        }
    }
    visible
}

/// Whether loginspec wrote the table.
fn is_observed(table: &Table) -> bool {
    table.get("observed").and_then(Item::as_bool) == Some(true)
}

/// Puts a table in the place of another, with the comments before that.
fn replace(table: &mut Table, text: &str) -> Result<(), UpdateError> {
    let mut document: DocumentMut = text.parse()?;
    let Some(Item::Table(mut fresh)) = document.remove("expect") else { return Err(UpdateError::NotATable) };
    *fresh.decor_mut() = table.decor().clone();
    let position = table.position();
    fresh.set_position(position);
    for (_, item) in fresh.iter_mut() {
        if let Item::ArrayOfTables(inner) = item {
            // Tables with the same position keep their order.
            inner.iter_mut().for_each(|inner| inner.set_position(position));
        }
    }
    *table = fresh;
    Ok(())
}

/// Adds to the skip baseline of a table that someone has written. What is listed stays, with its comments.
fn add_skips(table: &mut Table, skips: &[SkipCode]) {
    let Some(list) = table.get_mut("skips").and_then(Item::as_array_mut) else {
        table.insert("skips", Item::Value(Value::Array(skips.iter().map(SkipCode::as_str).collect::<Array>())));
        return;
    };
    let is_new = |code: &&SkipCode| !list.iter().any(|value| value.as_str() == Some(code.as_str()));
    let new: Vec<&SkipCode> = skips.iter().filter(is_new).collect();
    for code in new {
        // A comment behind the last code stays there, and the next one gets a line of its own.
        let behind_last = list.trailing().as_str().unwrap_or_default().trim_end().to_string();
        list.push_formatted(Value::from(code.as_str()).decorated(format!("{behind_last}\n    "), ""));
        list.set_trailing("\n");
        list.set_trailing_comma(true);
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
