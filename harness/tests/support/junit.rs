//! A JUnit report as CI systems read it: every rule that one of them, or a schema in use, insists on is checked.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// An element.
#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    pub children: Vec<Element>,
    pub text: String,
}

impl Element {
    pub fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).unwrap_or_else(|| panic!("no {attribute}: {self:?}"))
    }

    pub fn count(&self, attribute: &str) -> usize {
        self.get(attribute).parse().unwrap()
    }

    pub fn all<'e>(&'e self, name: &str) -> Vec<&'e Element> {
        self.children.iter().filter(|child| child.name == name).collect()
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        let properties = self.child("properties")?;
        properties.children.iter().find(|property| property.get("name") == name).map(|property| property.get("value"))
    }

    /// The test cases of all suites.
    pub fn cases(&self) -> Vec<&Element> {
        self.all("testsuite").into_iter().flat_map(|suite| suite.all("testcase")).collect()
    }
}

/// Reads a report and checks it.
pub fn read(xml: &str) -> Element {
    let root = parse(xml);
    assert_eq!(root.name, "testsuites");
    let suites = root.all("testsuite");
    assert_eq!(suites.len(), root.children.len(), "only suites stand in the root");
    // Jenkins takes suites of one name for one.
    let names: BTreeSet<&str> = suites.iter().map(|suite| suite.get("name")).collect();
    assert_eq!(names.len(), suites.len(), "two suites have one name");
    let kinds: [(&str, &[&str]); 4] =
        [("tests", &["testcase"]), ("failures", &["failure"]), ("errors", &["error"]), ("skipped", &["skipped"])];
    for (attribute, _) in kinds {
        let sum: usize = suites.iter().map(|suite| suite.count(attribute)).sum();
        assert_eq!(root.count(attribute), sum, "{attribute} of the root");
    }
    check_head(&root);
    for suite in suites {
        check_head(suite);
        let cases = suite.all("testcase");
        assert_eq!(suite.count("tests"), cases.len(), "{}", suite.get("name"));
        for (attribute, elements) in kinds.iter().skip(1) {
            let found = cases.iter().filter(|case| elements.iter().any(|name| case.child(name).is_some())).count();
            assert_eq!(suite.count(attribute), found, "{attribute} of {}", suite.get("name"));
        }
        let order: Vec<&str> = suite.children.iter().map(|child| child.name.as_str()).collect();
        assert!(order.iter().skip(1).all(|name| *name == "testcase"), "{order:?}");
        cases.into_iter().for_each(check_case);
        assert!(suite.property("loginspec-version").is_some());
    }
    root
}

/// Checks that no two cases have one class and name: GitLab would show one of them only.
pub fn check_names(root: &Element) {
    let all: BTreeSet<(&str, &str)> =
        root.cases().iter().map(|case| (case.get("classname"), case.get("name"))).collect();
    assert_eq!(all.len(), root.cases().len(), "two cases have one name");
}

fn check_head(element: &Element) {
    assert!(is_seconds(element.get("time")), "{element:?}");
    // ISO 8601 without a zone: the pattern of the schema of Ant's JUnit task.
    let shape: String = element.get("timestamp").chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00");
}

fn check_case(case: &Element) {
    let id = case.get("name");
    assert!(!id.is_empty() && !case.get("classname").contains('.'), "{case:?}");
    assert!(is_seconds(case.get("time")), "{id}");
    assert_eq!(case.attributes.contains_key("file"), case.attributes.contains_key("line"), "{id}");
    if case.attributes.contains_key("line") {
        assert!(case.count("line") >= 1, "{id}");
    }
    let results: Vec<&str> = case.children.iter().map(|child| child.name.as_str()).collect();
    let known = ["properties", "failure", "error", "skipped", "rerunFailure", "flakyFailure", "system-out"];
    assert!(results.iter().all(|name| known.contains(name)), "{id}: {results:?}");
    let verdicts = ["failure", "error", "skipped"].into_iter().filter(|name| results.contains(name)).count();
    assert!(verdicts <= 1, "{id}: {results:?}");
    for name in ["failure", "error", "skipped", "rerunFailure", "flakyFailure"] {
        for result in case.all(name) {
            assert!(!result.get("message").is_empty() && !result.get("type").is_empty(), "{id}: {result:?}");
            // GitLab reads XML with Rails, which refuses these types and turns others into something else than text.
            assert!(!["symbol", "yaml", "array", "file", "date"].contains(&result.get("type")), "{id}");
        }
    }
}

/// At most three decimals: the pattern of Surefire's schema.
fn is_seconds(text: &str) -> bool {
    let parts = text.split_once('.');
    parts.is_some_and(|(whole, part)| {
        whole.parse::<u32>().is_ok() && part.len() == 3 && part.bytes().all(|octet| octet.is_ascii_digit())
    })
}

fn parse(xml: &str) -> Element {
    let is_legal = |c: char| matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(is_legal), "a character that XML 1.0 has no place for: {xml:?}");
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        let mut done = None;
        match reader.read_event().expect("well formed") {
            Event::Start(start) => open.push(element(&start)),
            Event::Empty(start) => done = Some(element(&start)),
            Event::End(_) => done = open.pop(),
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text),
            Event::GeneralRef(reference) => {
                let text = quick_xml::escape::unescape(&format!("&{};", &*reference)).unwrap().into_owned();
                open.last_mut().unwrap().text.push_str(&text);
            }
            Event::Eof => break,
            _ => {}
        }
        if let Some(done) = done {
            open.last_mut().unwrap().children.push(done);
        }
    }
    assert_eq!(open.len(), 1, "elements are left open");
    let mut roots = open.pop().unwrap().children;
    assert_eq!(roots.len(), 1);
    roots.pop().unwrap()
}

fn element(start: &BytesStart<'_>) -> Element {
    let mut element = Element { name: start.name().as_ref().to_string(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.unwrap();
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).unwrap().into_owned();
        assert!(element.attributes.insert(attribute.key.as_ref().to_string(), value).is_none(), "twice: {start:?}");
    }
    element
}
