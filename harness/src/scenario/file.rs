//! Scenario files: TOML to [`Scenario`], with every mistake shown where it stands.

use std::sync::Arc;

use super::expectation::{Expectation, Level};
use super::fields::{EXPECT_FIELDS, SCENARIO_FIELDS};
use super::matrix::{Accounts, Axes, Combination, combinations};
use super::model::{Action, Case, PasswordChoice, Scenario, ScriptLine};
use super::script::read_script;
use super::template::Template;
use crate::axes::{Encoding, Mechanism, Protocol, Security};
use crate::identity::{NotationError, place_within};
use crate::source::{Either, Mistake, Mistakes, OneOrMany, SourceText, Table, Text, parse};

/// The words that a scenario file may use besides the format's own.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// The roles of the directory.
    pub roles: Vec<String>,
    /// The dialects.
    pub dialects: Vec<String>,
}

/// Reads a scenario file; `id` is what the scenario will be called.
pub fn read_scenario(id: &str, source: &SourceText, vocabulary: &Vocabulary) -> Result<Scenario, Mistakes> {
    let shared = Arc::new(source.clone());
    parse(source, SCENARIO_FIELDS, |table| scenario(id, &shared, table, vocabulary))
        .map_err(|list| Mistakes::new(source.clone(), list))
}

fn scenario(id: &str, source: &Arc<SourceText>, table: &Table<'_>, vocabulary: &Vocabulary) -> Option<Scenario> {
    let title = table.required_text("title");
    let dialects = dialects(table, vocabulary);
    let level = table.word("level", Level::from_word).unwrap_or(Level::Must);
    let cites = texts(table, "cites");
    let matrix = table.table("matrix").map(|matrix| axes(&matrix, vocabulary)).unwrap_or_default();
    let tables = table.tables("case");
    if tables.is_empty() && !table.has("case") {
        table.mistake(
            Mistake::new(table.span(), "a scenario without cases tests nothing", "no [[case]] in this file")
                .with_help("add at least: [[case]] with `id`, `login` and `expect`"),
        );
    }
    let mut cases = Vec::new();
    let mut ids: Vec<String> = Vec::new();
    for (group, case) in tables.iter().enumerate() {
        if let Some(text) = case.text("id") {
            if ids.contains(&text.value) {
                case.mistake(
                    Mistake::new(text.span, format!("the case id `{}` is given twice", text.value), "given before")
                        .with_help("ids name cases in reports and known deviations: each needs its own"),
                );
            } else {
                ids.push(text.value);
            }
        }
        let shared = Shared { scenario: id, level, cites: &cites, matrix: &matrix, vocabulary };
        cases.extend(read_case(case, group, &shared).unwrap_or_default());
    }
    Some(Scenario {
        id: id.to_string(),
        title: title?.value,
        about: table.multi_line("about").map(|text| text.value).unwrap_or_default(),
        dialects,
        source: Arc::clone(source),
        cases,
    })
}

/// What the cases of a file have from it.
struct Shared<'f> {
    scenario: &'f str,
    level: Level,
    cites: &'f [String],
    matrix: &'f Axes,
    vocabulary: &'f Vocabulary,
}

fn read_case(table: &Table<'_>, group: usize, shared: &Shared<'_>) -> Option<Vec<Case>> {
    let id = table.required_text("id");
    if let Some(id) = &id {
        check_slug(table, id);
    }
    let roles = &shared.vocabulary.roles;
    let own = axes(table, shared.vocabulary);
    let mut cites = texts(table, "cites");
    if cites.is_empty() {
        cites.extend_from_slice(shared.cites);
    }
    if cites.is_empty() {
        table.mistake(
            Mistake::new(table.span(), "this case does not say what it rests on", "nor does its file")
                .with_help("name the rule: cites = [\"RFC 9051 §6.2.3\"]"),
        );
    }
    let (action, expectation) = if table.has("dialogue") {
        (dialogue(table, roles), Some(Expectation::Dialogue))
    } else {
        (login(table, roles), expectation(table, roles))
    };
    let is_dialogue = table.has("dialogue");
    let action = action?;
    let expectation = expectation?;
    let dialects = dialects(table, shared.vocabulary);
    let code = table.text("code").map(|text| text.value);
    let id = id?.value;
    let combinations = match combinations(shared.matrix, &own, is_dialogue) {
        Ok(combinations) => combinations,
        Err(reason) => {
            let field = if own.encoding.is_some() { "encoding" } else { "mechanism" };
            table.mistake(Mistake::new(table.span_of(field), reason, "nothing is left of this case"));
            return None;
        }
    };
    if expectation == Expectation::Same && combinations.len() < 2 {
        table.mistake(
            Mistake::new(table.span_of("expect"), "`same` compares nothing: the matrix has one combination", "here")
                .with_help("widen the matrix, for example encoding = [\"quoted\", \"literal\"]"),
        );
    }
    let span = table.span_of(if is_dialogue { "dialogue" } else { "expect" });
    let case = |combination: Combination| Case {
        id: format!("{}/{id}[{}]", shared.scenario, combination.suffix),
        group,
        about: table.multi_line("about").map(|text| text.value.trim().to_string()).unwrap_or_default(),
        cites: cites.clone(),
        level: table.word("level", Level::from_word).unwrap_or(shared.level),
        dialects: dialects.clone(),
        protocol: combination.protocol,
        mechanism: combination.mechanism,
        encoding: combination.encoding,
        security: combination.security,
        needs: Vec::new(),
        lacks: Vec::new(),
        role: combination.role,
        action: action.clone(),
        expectation: expectation.clone(),
        code: code.clone(),
        span: span.clone(),
    };
    Some(combinations.into_iter().map(case).collect())
}

fn login(table: &Table<'_>, roles: &[String]) -> Option<Action> {
    let name = table.required_text("login").and_then(|text| template(table, &text, roles));
    let password = match table.text("password") {
        None => Some(PasswordChoice::Right),
        Some(text) => match text.value.as_str() {
            "right" => Some(PasswordChoice::Right),
            "wrong" => Some(PasswordChoice::Wrong),
            "empty" => Some(PasswordChoice::Empty),
            _ => template(table, &text, roles).map(PasswordChoice::Text),
        },
    };
    Some(Action::Login { name: name?, password: password? })
}

fn dialogue(table: &Table<'_>, roles: &[String]) -> Option<Action> {
    for other in ["login", "expect", "password", "code", "mechanism", "encoding"] {
        if table.has(other) {
            let reason = format!("`{other}` means nothing beside `dialogue`, which says it all itself");
            table.mistake(Mistake::new(table.span_of(other), reason, "one or the other"));
        }
    }
    let text = table.multi_line("dialogue")?;
    let lines: Vec<ScriptLine> = read_script(&text, roles, |mistake| table.mistake(mistake));
    Some(Action::Dialogue(Arc::new(lines)))
}

fn expectation(table: &Table<'_>, roles: &[String]) -> Option<Expectation> {
    if !table.has("expect") {
        table.mistake(
            Mistake::new(table.span(), "missing field `expect`", "it belongs here")
                .with_help("for example: expect = \"rejected\" or expect = { opens = \"{mailbox}\" }"),
        );
        return None;
    }
    one_expectation(table, &table.either("expect", EXPECT_FIELDS)?, roles)
}

fn one_expectation(table: &Table<'_>, value: &Either<'_>, roles: &[String]) -> Option<Expectation> {
    match value {
        Either::Text(text) => {
            let found = Expectation::from_word(&text.value);
            if found.is_none() {
                let known = [Expectation::WORDS, &["opens", "any"]].concat();
                table.unknown(&text.value, text.span.clone(), "expectation", &known);
            }
            found
        }
        Either::Table(inner) => {
            if inner.has("opens") == inner.has("any") {
                table.mistake(
                    Mistake::new(inner.span(), "an expectation is one of `opens` and `any`", "not so here")
                        .with_help("for example: { opens = \"{mailbox}\" } or { any = [\"rejected\", \"bad\"] }"),
                );
                return None;
            }
            if let Some(text) = inner.text("opens") {
                return template(table, &text, roles).map(Expectation::Opens);
            }
            let list = inner.eithers("any", EXPECT_FIELDS);
            let mut any = Vec::new();
            for one in &list {
                match one_expectation(table, one, roles)? {
                    Expectation::Same | Expectation::Safe | Expectation::Dialect | Expectation::Any(_) => {
                        let reason = "`same`, `safe`, `dialect` and `any` cannot be one of several";
                        table.mistake(Mistake::new(inner.span_of("any"), reason, "in this list"));
                        return None;
                    }
                    one => any.push(one),
                }
            }
            if any.is_empty() && inner.has("any") {
                table.mistake(Mistake::new(inner.span_of("any"), "`any` is empty", "nothing would do"));
                return None;
            }
            Some(Expectation::Any(any))
        }
    }
}

fn axes(table: &Table<'_>, vocabulary: &Vocabulary) -> Axes {
    Axes {
        account: accounts(table, vocabulary),
        protocol: table.words("protocol", Protocol::from_word),
        mechanism: table.words("mechanism", |word| spoken(table, word)),
        encoding: table.words("encoding", Encoding::from_word),
        security: table.words("security", |word| available(table, word)),
    }
}

/// Dialects have rules for mechanisms that the client cannot log in with.
fn spoken(table: &Table<'_>, word: &str) -> Option<Mechanism> {
    let mechanism = Mechanism::from_word(word)?;
    if !matches!(mechanism, Mechanism::Login | Mechanism::Plain | Mechanism::SaslLogin) {
        let reason = format!("the client cannot log in with `{word}` yet");
        table.mistake(Mistake::new(table.span_of("mechanism"), reason, "login, plain and sasl-login are spoken"));
    }
    Some(mechanism)
}

fn available(table: &Table<'_>, word: &str) -> Option<Security> {
    let security = Security::from_word(word)?;
    if security != Security::Plaintext {
        let reason = format!("the client cannot connect with `{word}` yet");
        table.mistake(Mistake::new(table.span_of("security"), reason, "plaintext is all there is so far"));
    }
    Some(security)
}

/// One role is the case's own, and needs no mention in its id; a list of them is an axis.
fn accounts(table: &Table<'_>, vocabulary: &Vocabulary) -> Option<Accounts> {
    let (texts, is_axis) = match table.text_or_texts("account")? {
        OneOrMany::One(text) => (vec![text], false),
        OneOrMany::Many(list) => (list.texts, true),
    };
    if texts.is_empty() {
        table.mistake(Mistake::new(table.span_of("account"), "`account` is empty", "nobody to log in"));
    }
    let known: Vec<&str> = vocabulary.roles.iter().map(String::as_str).collect();
    for text in &texts {
        if !known.contains(&text.value.as_str()) {
            table.unknown(&text.value, text.span.clone(), "role", &known);
        }
    }
    Some(Accounts { roles: texts.into_iter().map(|text| text.value).collect(), is_axis })
}

fn dialects(table: &Table<'_>, vocabulary: &Vocabulary) -> Option<Vec<String>> {
    let list = table.texts("dialects")?;
    let known: Vec<&str> = vocabulary.dialects.iter().map(String::as_str).collect();
    if list.texts.is_empty() {
        table.mistake(
            Mistake::new(list.span, "`dialects` is empty, so this would never run", "no dialect")
                .with_help("leave it out for every dialect"),
        );
    }
    for text in &list.texts {
        if !known.contains(&text.value.as_str()) {
            table.unknown(&text.value, text.span.clone(), "dialect", &known);
        }
    }
    Some(list.texts.into_iter().map(|text| text.value).collect())
}

fn texts(table: &Table<'_>, name: &str) -> Vec<String> {
    table.texts(name).map(|list| list.texts.into_iter().map(|text| text.value).collect()).unwrap_or_default()
}

fn template(table: &Table<'_>, text: &Text, roles: &[String]) -> Option<Template> {
    let mistake =
        |error: NotationError| {
            let shown = Mistake::new(place_within(text, &error.span), error.reason, "here");
            table.mistake(shown.with_help(
                "in braces stand a role's values such as `{user}` and octets such as `{x00}`; see the README",
            ));
        };
    Template::parse(&text.value, roles).map_err(mistake).ok()
}

fn check_slug(table: &Table<'_>, id: &Text) {
    let is_slug = !id.value.is_empty()
        && id.value.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-');
    if !is_slug {
        table.mistake(
            Mistake::new(id.span.clone(), format!("the case id `{}` is not a slug", id.value), "in this id")
                .with_help("use lower-case letters, digits and hyphens: `mailbox-alone`"),
        );
    }
}
