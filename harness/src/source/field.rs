//! What a table of a file may hold: the one list that the reader checks and the schema shows.

use std::fmt::Write as _;

/// One field of a table.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// What it is for, for editors.
    pub about: &'static str,
}

impl Field {
    /// A field.
    pub const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, about }
    }
}

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any string.
    Text,
    /// Any string, which no message shows: a password.
    Secret,
    /// One of the words.
    Word(&'static [&'static str]),
    /// A list of any strings.
    Texts,
    /// One of the words, or a list of them.
    WordOrWords(&'static [&'static str]),
    /// A list of words.
    Words(&'static [&'static str]),
    /// A whole number, not negative.
    Number,
    /// Yes or no.
    Flag,
    /// A table with these fields.
    Table(&'static [Field]),
    /// A list of tables with these fields.
    Tables(&'static [Field]),
    /// A value of several shapes, described by a JSON Schema fragment.
    Custom(&'static str),
}

/// The JSON Schema (draft 2020-12) of a file whose top level holds `fields`, for editors.
pub fn schema(title: &str, fields: &[Field]) -> String {
    let mut out = String::from("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n");
    let _ = writeln!(out, "  \"title\": {},", json(title));
    object(&mut out, fields, 1);
    out.push_str("\n}\n");
    out
}

fn object(out: &mut String, fields: &[Field], depth: usize) {
    let pad = "  ".repeat(depth);
    let _ = write!(out, "{pad}\"type\": \"object\",\n{pad}\"additionalProperties\": false,\n{pad}\"properties\": {{");
    for (index, field) in fields.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = writeln!(out, "{comma}\n{pad}  {}: {{", json(field.name));
        let _ = writeln!(out, "{pad}    \"description\": {},", json(field.about));
        value(out, field.kind, depth + 2);
        let _ = write!(out, "\n{pad}  }}");
    }
    let _ = write!(out, "\n{pad}}}");
}

fn value(out: &mut String, kind: Kind, depth: usize) {
    let pad = "  ".repeat(depth);
    let words = |words: &[&str]| words.iter().map(|word| json(word)).collect::<Vec<_>>().join(", ");
    let _ = match kind {
        Kind::Text | Kind::Secret => write!(out, "{pad}\"type\": \"string\""),
        Kind::Word(list) => write!(out, "{pad}\"enum\": [{}]", words(list)),
        Kind::WordOrWords(list) => {
            let list = words(list);
            let many = format!("{{ \"type\": \"array\", \"items\": {{ \"enum\": [{list}] }} }}");
            write!(out, "{pad}\"oneOf\": [\n{pad}  {{ \"enum\": [{list}] }},\n{pad}  {many}\n{pad}]")
        }
        Kind::Texts => write!(out, "{pad}\"type\": \"array\",\n{pad}\"items\": {{ \"type\": \"string\" }}"),
        Kind::Words(list) => {
            write!(out, "{pad}\"type\": \"array\",\n{pad}\"items\": {{ \"enum\": [{}] }}", words(list))
        }
        Kind::Number => write!(out, "{pad}\"type\": \"integer\",\n{pad}\"minimum\": 0"),
        Kind::Flag => write!(out, "{pad}\"type\": \"boolean\""),
        Kind::Custom(fragment) => write!(out, "{pad}{fragment}"),
        Kind::Table(fields) => {
            object(out, fields, depth);
            Ok(())
        }
        Kind::Tables(fields) => {
            let _ = writeln!(out, "{pad}\"type\": \"array\",\n{pad}\"items\": {{");
            object(out, fields, depth + 1);
            write!(out, "\n{pad}}}")
        }
    };
}

/// A JSON string. Field lists are ours and ASCII, so quotes and backslashes are all there is to escape.
fn json(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
