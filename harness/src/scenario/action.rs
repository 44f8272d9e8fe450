//! What a case does and what it expects, as its table says it.

use std::ops::Range;
use std::sync::Arc;

use super::expectation::Expectation;
use super::fields::EXPECT_FIELDS;
use super::model::{Action, Against, PasswordChoice, ScriptLine};
use super::script::read_script;
use super::template::Template;
use crate::identity::{NotationError, place_within};
use crate::source::{Either, Mistake, Table, Text};

/// Reads what a case does and what should happen then.
pub(super) fn action(table: &Table<'_>, roles: &[String]) -> Option<(Action, Expectation)> {
    if table.has("dialogue") {
        return Some((dialogue(table, roles)?, Expectation::Dialogue));
    }
    let action = login(table, roles);
    let expectation = expectation(table, roles);
    Some((action?, expectation?))
}

/// Where `{each}` stands in a case's texts.
pub(super) fn places_of_each(table: &Table<'_>, action: &Action, expectation: &Expectation) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    match action {
        Action::Login { name, authzid, password } => {
            let uses = |text: Option<&Template>| text.is_some_and(Template::uses_each);
            let password = match password {
                PasswordChoice::Text(text) => Some(text),
                _ => None,
            };
            for (field, text) in [("login", Some(name)), ("authzid", authzid.as_ref()), ("password", password)] {
                if uses(text) {
                    places.push(table.span_of(field));
                }
            }
        }
        Action::Dialogue(lines) => {
            places.extend(lines.iter().filter(|line| line.uses_each()).map(|line| line.span.clone()));
        }
    }
    if expectation.uses_each() {
        places.push(table.span_of("expect"));
    }
    places
}

/// Reads a text with places for a role's values.
pub(super) fn template(table: &Table<'_>, text: &Text, roles: &[String]) -> Option<Template> {
    let mistake =
        |error: NotationError| {
            let shown = Mistake::new(place_within(text, &error.span), error.reason, "here");
            table.mistake(shown.with_help(
                "in braces stand a role's values such as `{user}` and octets such as `{x00}`; see the README",
            ));
        };
    Template::parse(&text.value, roles).map_err(mistake).ok()
}

fn login(table: &Table<'_>, roles: &[String]) -> Option<Action> {
    let name = table.required_text("login").and_then(|text| template(table, &text, roles));
    let authzid = match table.text("authzid") {
        None => Some(None),
        Some(text) => template(table, &text, roles).map(Some),
    };
    let password = password(table, roles);
    Some(Action::Login { name: name?, authzid: authzid?, password: password? })
}

fn password(table: &Table<'_>, roles: &[String]) -> Option<PasswordChoice> {
    let Some(text) = table.text("password") else { return Some(PasswordChoice::Right) };
    match text.value.as_str() {
        "right" => Some(PasswordChoice::Right),
        "wrong" => Some(PasswordChoice::Wrong),
        "empty" => Some(PasswordChoice::Empty),
        _ => template(table, &text, roles).map(PasswordChoice::Text),
    }
}

/// The login to compare with; nothing but a mistake where it is missing, or where nothing is compared.
pub(super) fn against(table: &Table<'_>, expectation: &Expectation, roles: &[String]) -> Option<Option<Against>> {
    let is_compared = *expectation == Expectation::Indistinguishable;
    if is_compared != table.has("against") && *expectation != Expectation::Dialogue {
        let (field, reason) = if is_compared {
            ("expect", "`indistinguishable` needs a login to compare with")
        } else {
            ("against", "`against` means nothing unless `expect` is `indistinguishable`")
        };
        table.mistake(
            Mistake::new(table.span_of(field), reason, "here")
                .with_help("for example: against = { login = 'nobody-{login}', password = \"wrong\" }"),
        );
        return None;
    }
    let Some(other) = table.table("against") else { return Some(None) };
    let name = other.required_text("login").and_then(|text| template(&other, &text, roles));
    let password = password(&other, roles);
    Some(Some(Against { name: name?, password: password? }))
}

fn dialogue(table: &Table<'_>, roles: &[String]) -> Option<Action> {
    for other in ["login", "authzid", "expect", "password", "code", "against", "mechanism", "encoding", "fault", "form"]
    {
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
                    Expectation::Same
                    | Expectation::Distinct
                    | Expectation::Indistinguishable
                    | Expectation::FreshChallenge
                    | Expectation::Safe
                    | Expectation::Dialect
                    | Expectation::Any(_) => {
                        let reason = "`same`, `distinct`, `indistinguishable`, `safe`, `dialect` and `any` cannot be one of several";
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
