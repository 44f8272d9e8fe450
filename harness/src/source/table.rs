//! TOML tables whose keys and values know their place, read field by field.
//!
//! A mistake never stops the reading: it is noted, the field counts as absent, and the rest is read, so that one
//! run shows every mistake of a file.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::field::{Field, Kind};
use super::mistake::Mistake;
use super::nearest::{nearest, one_of};
use super::text::SourceText;

/// A string value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What the string holds.
    pub value: String,
    /// Its place, quotes included.
    pub span: Range<usize>,
}

/// A list of strings and its place.
#[derive(Debug, Clone)]
pub struct List {
    /// The strings.
    pub texts: Vec<Text>,
    /// The list's place.
    pub span: Range<usize>,
}

/// One table of a file.
pub struct Table<'t> {
    table: &'t DeTable<'t>,
    fields: &'static [Field],
    span: Range<usize>,
    source: &'t str,
    mistakes: Rc<RefCell<Vec<Mistake>>>,
}

/// Parses a file's text and reads it with `read`; gives back what `read` made of it, or every mistake.
pub fn parse<T>(
    source: &SourceText,
    fields: &'static [Field],
    read: impl FnOnce(&Table<'_>) -> Option<T>,
) -> Result<T, Vec<Mistake>> {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    let mistakes = Rc::new(RefCell::new(Vec::new()));
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        mistakes.borrow_mut().push(
            Mistake::new(span, format!("not valid TOML: {}", error.message()), "here")
                .with_help("a login name belongs in single quotes: 'domain\\user'"),
        );
    }
    // After a syntax error the rest of the tree is guesswork: mistakes found in it would mislead.
    if !errors.is_empty() {
        return Err(mistakes.take());
    }
    // A file that is empty, or begins with a byte order mark, has a beginning too.
    let first = source.text.chars().next().map_or(0, char::len_utf8);
    let table = Table::new(root.get_ref(), fields, 0..first, &source.text, Rc::clone(&mistakes));
    let read = read(&table);
    drop(table);
    let mistakes = mistakes.take();
    match read {
        Some(value) if mistakes.is_empty() => Ok(value),
        _ => Err(mistakes),
    }
}

impl<'t> Table<'t> {
    fn new(
        table: &'t DeTable<'t>,
        fields: &'static [Field],
        span: Range<usize>,
        source: &'t str,
        mistakes: Rc<RefCell<Vec<Mistake>>>,
    ) -> Self {
        let this = Self { table, fields, span, source, mistakes };
        for key in table.keys() {
            if !fields.iter().any(|field| field.name == key.get_ref()) {
                this.unknown(key.get_ref(), key.span(), "field", &fields.iter().map(|f| f.name).collect::<Vec<_>>());
            }
        }
        this
    }

    /// Where the table stands: its header, or all of an inline table.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Notes a mistake.
    pub fn mistake(&self, mistake: Mistake) {
        self.mistakes.borrow_mut().push(mistake);
    }

    /// Notes a word that stands for nothing, with the nearest one that does.
    pub fn unknown(&self, word: &str, span: Range<usize>, kind: &str, known: &[&str]) {
        let help = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.len() <= 24 => format!("expected {}", one_of(known.iter().copied())),
            None => format!("there are {} to choose from, none of them near", known.len()),
        };
        self.mistake(Mistake::new(span, format!("unknown {kind} `{word}`"), format!("no such {kind}")).with_help(help));
    }

    /// Whether the field is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Where the field's value stands, or else the table.
    pub fn span_of(&self, name: &str) -> Range<usize> {
        self.get(name).map_or(self.span(), Spanned::span)
    }

    /// A field that must be there; its absence is noted.
    pub fn required_text(&self, name: &str) -> Option<Text> {
        if !self.has(name) {
            self.mistake(Mistake::new(self.span(), format!("missing field `{name}`"), "it belongs here"));
            return None;
        }
        self.text(name)
    }

    /// A string. Control characters in it are a mistake: a double-quoted `"CORP\bob"` holds a backspace.
    pub fn text(&self, name: &str) -> Option<Text> {
        let value = self.get(name)?;
        self.as_text(name, value)
    }

    /// A string of any characters, over several lines.
    pub fn multi_line(&self, name: &str) -> Option<Text> {
        let value = self.get(name)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Text { value: text.to_string(), span: value.span() }),
            other => self.wrong_type(name, value.span(), "a string", other),
        }
    }

    /// A word out of the field's list.
    pub fn word<T>(&self, name: &str, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        self.find(name, &text, &find)
    }

    /// A list of strings.
    pub fn texts(&self, name: &str) -> Option<List> {
        let value = self.get(name)?;
        let Some(array) = value.get_ref().as_array() else {
            return self.wrong_type(name, value.span(), "a list of strings", value.get_ref());
        };
        let texts = array.iter().filter_map(|item| self.as_text(name, item)).collect();
        Some(List { texts, span: value.span() })
    }

    /// One string, or a list of them; a list of one is a list still.
    pub fn text_or_texts(&self, name: &str) -> Option<OneOrMany> {
        match self.get(name)?.get_ref() {
            DeValue::Array(_) => self.texts(name).map(OneOrMany::Many),
            _ => self.text(name).map(OneOrMany::One),
        }
    }

    /// A list of words out of the field's list; an empty list is a mistake, and so is a word said twice.
    pub fn words<T: PartialEq>(&self, name: &str, find: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        let list = self.texts(name)?;
        self.find_all(name, list, find)
    }

    /// One word out of the field's list, or a list of them.
    pub fn word_or_words<T: PartialEq>(&self, name: &str, find: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        match self.text_or_texts(name)? {
            OneOrMany::One(text) => self.find(name, &text, &find).map(|value| vec![value]),
            OneOrMany::Many(list) => self.find_all(name, list, find),
        }
    }

    fn find_all<T: PartialEq>(&self, name: &str, list: List, find: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        if list.texts.is_empty() {
            self.mistake(
                Mistake::new(list.span, format!("`{name}` is empty"), "nothing to choose from")
                    .with_help("leave the field out, or name at least one value"),
            );
            return None;
        }
        let mut found = Vec::new();
        for text in &list.texts {
            if let Some(value) = self.find(name, text, &find) {
                if found.contains(&value) {
                    self.mistake(Mistake::new(
                        text.span.clone(),
                        format!("`{}` stands twice in `{name}`", text.value),
                        "said before",
                    ));
                } else {
                    found.push(value);
                }
            }
        }
        Some(found)
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Option<u64> {
        let value = self.get(name)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok());
        if number.is_none() {
            return self.wrong_type(name, value.span(), "a whole number, not negative", value.get_ref());
        }
        number
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?;
        match value.get_ref().as_bool() {
            Some(flag) => Some(flag),
            None => self.wrong_type(name, value.span(), "`true` or `false`", value.get_ref()),
        }
    }

    /// A table within this one.
    pub fn table(&self, name: &str) -> Option<Table<'t>> {
        let value = self.get(name)?;
        match (value.get_ref(), self.kind(name)) {
            (DeValue::Table(table), Some(Kind::Table(fields))) => Some(self.within(table, fields, value.span())),
            (other, _) => self.wrong_type(name, value.span(), "a table", other),
        }
    }

    /// The tables of a `[[list]]`.
    pub fn tables(&self, name: &str) -> Vec<Table<'t>> {
        let Some(value) = self.get(name) else { return Vec::new() };
        let (Some(array), Some(Kind::Tables(fields))) = (value.get_ref().as_array(), self.kind(name)) else {
            self.wrong_type::<()>(name, value.span(), "a list of tables", value.get_ref());
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array.iter() {
            match item.get_ref() {
                DeValue::Table(table) => tables.push(self.within(table, fields, item.span())),
                other => {
                    self.wrong_type::<()>(name, item.span(), "a table", other);
                }
            }
        }
        tables
    }

    /// A value of several shapes: a string, or a table of one or more keys.
    pub fn either(&self, name: &str, fields: &'static [Field]) -> Option<Either<'t>> {
        let value = self.get(name)?;
        self.as_either(name, value, fields)
    }

    /// The values of a list, each of several shapes.
    pub fn eithers(&self, name: &str, fields: &'static [Field]) -> Vec<Either<'t>> {
        let Some(value) = self.get(name) else { return Vec::new() };
        match value.get_ref().as_array() {
            Some(array) => array.iter().filter_map(|item| self.as_either(name, item, fields)).collect(),
            None => {
                self.wrong_type::<()>(name, value.span(), "a list", value.get_ref());
                Vec::new()
            }
        }
    }

    /// One string, or a table whose keys the file chooses, in the file's order.
    pub fn text_or_named(&self, name: &str) -> Option<OneOrNamed> {
        let value = self.get(name)?;
        let DeValue::Table(table) = value.get_ref() else { return self.text(name).map(OneOrNamed::One) };
        let mut named = Vec::new();
        for (key, value) in table.iter() {
            if let Some(text) = self.as_text(name, value) {
                named.push((Text { value: key.get_ref().to_string(), span: key.span() }, text));
            }
        }
        named.sort_by_key(|(key, _)| key.span.start);
        Some(OneOrNamed::Named(named))
    }

    fn as_either(&self, name: &str, value: &'t Spanned<DeValue<'t>>, fields: &'static [Field]) -> Option<Either<'t>> {
        match value.get_ref() {
            DeValue::String(_) => self.as_text(name, value).map(Either::Text),
            DeValue::Table(table) => Some(Either::Table(self.within(table, fields, value.span()))),
            other => self.wrong_type(name, value.span(), "a word or a table", other),
        }
    }

    fn within(&self, table: &'t DeTable<'t>, fields: &'static [Field], span: Range<usize>) -> Table<'t> {
        Table::new(table, fields, span, self.source, Rc::clone(&self.mistakes))
    }

    fn get(&self, name: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.kind)
    }

    fn as_text(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<Text> {
        let DeValue::String(text) = value.get_ref() else {
            return self.wrong_type(name, value.span(), "a string", value.get_ref());
        };
        if let Some(control) = text.chars().find(|character| character.is_control()) {
            self.control_character(name, value.span(), control);
            return None;
        }
        Some(Text { value: text.to_string(), span: value.span() })
    }

    /// In a double-quoted string TOML takes `\b` for a backspace and `\t` for a tab: `"CORP\bob"` is no login name.
    fn control_character(&self, name: &str, span: Range<usize>, control: char) {
        let code = u32::from(control);
        let reason = format!("`{name}` holds the control character U+{code:04X}");
        let mistake = Mistake::new(span.clone(), reason, "written with a backslash in double quotes?");
        let basic = self.source.get(span.start..).is_some_and(|rest| rest.starts_with('"'));
        self.mistake(if basic {
            mistake.with_help(
                "in double quotes a backslash starts an escape (\\b is a backspace, \\t a tab); use single quotes, \
                 which keep every backslash: 'CORP\\bob'",
            )
        } else {
            mistake.with_help(format!("write the octet as {{x{code:02x}}} if it is meant"))
        });
    }

    fn find<T>(&self, name: &str, text: &Text, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let found = find(&text.value);
        if found.is_none() {
            let known = match self.kind(name) {
                Some(Kind::Word(words) | Kind::WordOrWords(words) | Kind::Words(words)) => words,
                _ => &[],
            };
            let kind = match name {
                "on" => "cause",
                "does" => "manner",
                name => name,
            };
            self.unknown(&text.value, text.span.clone(), kind, known);
        }
        found
    }

    fn wrong_type<T>(&self, name: &str, span: Range<usize>, expected: &str, found: &DeValue<'_>) -> Option<T> {
        let article = if found.type_str().starts_with(['a', 'i']) { "an" } else { "a" };
        self.mistake(Mistake::new(
            span,
            format!("`{name}` must be {expected}"),
            format!("this is {article} {}", found.type_str()),
        ));
        None
    }
}

/// A value that may be a string or a list of strings.
pub enum OneOrMany {
    /// A string.
    One(Text),
    /// A list of strings.
    Many(List),
}

/// A value that may be a string or a table of strings.
pub enum OneOrNamed {
    /// A string.
    One(Text),
    /// Names and what they stand for.
    Named(Vec<(Text, Text)>),
}

/// A value that may be a word or a table.
pub enum Either<'t> {
    /// A string.
    Text(Text),
    /// A table.
    Table(Table<'t>),
}
