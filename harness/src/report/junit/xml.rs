//! XML for reports: elements with attributes and text, legal whatever stands in them.

use std::borrow::Cow;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

/// The longest text of an element, in octets. What is longer loses its middle: GitLab reads no report above 30 MB, and
/// a server may send 64 KiB in each conversation.
const LONGEST_TEXT: usize = 32 << 10;
/// The longest attribute, in octets: CI systems show a `message` in a table.
const LONGEST_ATTRIBUTE: usize = 1 << 10;

/// A writer of XML, indented by two spaces for each level.
pub(super) struct Xml<W> {
    writer: Writer<W>,
}

impl<W: io::Write> Xml<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { writer: Writer::new_with_indent(out, b' ', 2) }
    }

    /// Where it writes to, for what is XML already.
    pub fn out(&mut self) -> &mut W {
        self.writer.get_mut()
    }

    /// Writes any other event.
    pub fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        self.writer.write_event(event)
    }

    /// Begins an element.
    pub fn start(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.event(Event::Start(element(name, attributes)))
    }

    /// Ends the element that was begun last.
    pub fn end(&mut self, name: &str) -> io::Result<()> {
        self.event(Event::End(BytesEnd::new(name)))
    }

    /// Writes an element that holds nothing.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.event(Event::Empty(element(name, attributes)))
    }

    /// Writes an element that holds text.
    pub fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> io::Result<()> {
        self.start(name, attributes)?;
        self.event(Event::Text(BytesText::new(&legal(&shortened(text, LONGEST_TEXT)))))?;
        self.end(name)
    }

    /// Writes `<properties>`, unless there are none.
    pub fn properties<'p>(&mut self, properties: impl IntoIterator<Item = (&'p str, &'p str)>) -> io::Result<()> {
        let mut properties = properties.into_iter().peekable();
        if properties.peek().is_none() {
            return Ok(());
        }
        self.start("properties", &[])?;
        for (name, value) in properties {
            self.empty("property", &[("name", name), ("value", value)])?;
        }
        self.end("properties")
    }
}

fn element<'e>(name: &'e str, attributes: &[(&str, &str)]) -> BytesStart<'e> {
    let mut element = BytesStart::new(name);
    for (name, value) in attributes {
        element.push_attribute((*name, &*legal(&shortened(value, LONGEST_ATTRIBUTE))));
    }
    element
}

/// The text with U+FFFD for each character that XML 1.0 cannot hold, not even escaped (§2.2). Octets of a server were
/// made visible before they came here.
fn legal(text: &str) -> Cow<'_, str> {
    let is_illegal = |character: char| {
        character < ' ' && !matches!(character, '\t' | '\n') || matches!(character, '\u{fffe}' | '\u{ffff}')
    };
    if text.contains(is_illegal) { text.replace(is_illegal, "\u{fffd}").into() } else { text.into() }
}

/// The text without its middle, where it has more than `longest` octets.
fn shortened(text: &str, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest {
        return text.into();
    }
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=longest / 2).rev().find(is_boundary).unwrap_or(0);
    let tail = (text.len() - longest / 2..=text.len()).find(is_boundary).unwrap_or(text.len());
    let (before, after) = text.split_at(tail);
    let before = before.get(..head).unwrap_or(before);
    format!("{before} [... {} octets left out ...] {after}", tail - head).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut xml = Xml::new(Vec::new());
        xml.text("a", &[("b", text)], text).unwrap();
        String::from_utf8(std::mem::take(xml.out())).unwrap()
    }

    #[test]
    fn markup_and_line_ends_are_escaped() {
        let wanted = "<a b=\"&lt;x&gt; &amp;&#10;&quot;\">&lt;x&gt; &amp;\n&quot;</a>";
        assert_eq!(written("<x> &\n\""), wanted);
        assert!(!written("]]>").contains("]]>"));
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(
            written("a\0\u{1b}\r\u{ffff}\tb"),
            "<a b=\"a\u{fffd}\u{fffd}\u{fffd}\u{fffd}&#9;b\">a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\tb</a>"
        );
    }

    #[test]
    fn a_long_text_loses_its_middle() {
        let long = format!("begin{}end", "ä".repeat(500));
        let short = shortened(&long, 100);
        assert!(short.len() < 140, "{short}");
        assert!(
            short.starts_with("begin") && short.ends_with("end") && short.contains(" [... 910 octets left out ...] "),
            "{short}"
        );
        assert_eq!(shortened(&long, long.len()), long);
    }
}
