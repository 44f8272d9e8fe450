//! Dialect files: TOML to [`Dialect`], with every mistake shown where it stands.

use std::ops::Range;

use super::access::Applies;
use super::case::Case;
use super::dialect::{Assume, Dialect, Effect, MasterSplit, Rule};
use super::dialect_fields::{DIALECT_FIELDS, ENDS, PARTS, UNSPECIFIED};
use super::failure::{Cause, Failure, Manner};
use super::form::{Form, FormError};
use super::octet_set::OctetSet;
use super::part::Part;
use super::provenance::{Confidence, Source};
use super::restriction::{Restricted, Restriction};
use crate::axes::{Mechanism, Protocol};
use crate::notation::{NotationError, Token, tokens};
use crate::source::{List, Mistake, Mistakes, SourceText, Table, Text, parse};

/// Reads a dialect file; `name` is what the dialect will be called.
pub fn read_dialect(name: &str, source: &SourceText) -> Result<Dialect, Mistakes> {
    parse(source, DIALECT_FIELDS, |table| dialect(name, table)).map_err(|list| Mistakes::new(source.clone(), list))
}

fn dialect(name: &str, table: &Table<'_>) -> Option<Dialect> {
    let title = table.required_text("title");
    let separators = octets(table, "separators").unwrap_or_default();
    let master = table.table("master").and_then(|master| master_split(&master));
    let restrictions = table.tables("restriction").iter().filter_map(restriction).collect();
    let rules: Vec<Rule> = table.tables("rule").iter().filter_map(rule).collect();
    let failures = table.tables("failure").iter().filter_map(failure).collect();
    if rules.is_empty() && table.tables("rule").is_empty() {
        table.mistake(
            Mistake::new(table.span(), "a dialect without rules reads nothing", "no [[rule]] in this file")
                .with_help("add at least: [[rule]] with form = '{user..}' and cites = [\"…\"]"),
        );
    }
    Some(Dialect {
        name: name.to_string(),
        title: title?.value,
        about: table.text("about").map(|text| text.value).unwrap_or_default(),
        separators,
        case: table.word("case", case).unwrap_or(Case::Preserved),
        protocols: table.words("protocols", Protocol::from_word).unwrap_or_else(|| Protocol::ALL.to_vec()),
        leaves_other_names_open: table.word("other-names", |word| Some(word == UNSPECIFIED)).unwrap_or(false),
        requires_tls: table.flag("requires-tls").unwrap_or(false),
        mechanisms: table
            .words("mechanisms", Mechanism::from_word)
            .unwrap_or_else(|| vec![Mechanism::Login, Mechanism::Plain, Mechanism::SaslLogin]),
        master,
        restrictions,
        rules,
        failures,
    })
}

fn case(word: &str) -> Option<Case> {
    match word {
        "preserved" => Some(Case::Preserved),
        "insensitive" => Some(Case::Insensitive),
        "lower" => Some(Case::Lower),
        "lower-unicode" => Some(Case::LowerUnicode),
        _ => None,
    }
}

fn master_split(table: &Table<'_>) -> Option<MasterSplit> {
    let text = table.required_text("separator")?;
    let is_last = |name| table.word(name, |word| ENDS.contains(&word).then(|| word == "last")).unwrap_or(false);
    let mut separator = octet_set(table, &text)?.iter().collect::<Vec<_>>().into_iter();
    let (Some(separator), None) = (separator.next(), separator.next()) else {
        table.mistake(Mistake::new(text.span, "the master separator must be one octet", "this is not"));
        return None;
    };
    Some(MasterSplit {
        separator,
        account_ends_last: is_last("account-ends"),
        master_starts_last: is_last("master-starts"),
        source: source(table)?,
    })
}

fn restriction(table: &Table<'_>) -> Option<Restriction> {
    let about = table.required_text("about")?.value;
    let allows = table.has("allows").then(|| alphabet(table, "allows"));
    if !table.has("longest") && !table.has("allows") && !table.has("forbids") {
        table.mistake(
            Mistake::new(table.span(), "this restriction restricts nothing", "it belongs here")
                .with_help("say `longest`, `allows` or `forbids`"),
        );
    }
    Some(Restriction {
        about,
        applies: applies(table),
        restricted: table.word("part", Restricted::from_word).unwrap_or(Restricted::Name),
        longest: table.number("longest").and_then(|number| usize::try_from(number).ok()),
        allows,
        forbids: alphabet(table, "forbids"),
        source: source(table)?,
    })
}

fn rule(table: &Table<'_>) -> Option<Rule> {
    let source = source(table);
    let form = form(table)?;
    let holds = table.table("holds").and_then(|holds| {
        let mut parts = Part::ALL.into_iter().filter(|part| holds.has(part.word()));
        let part = parts.next()?;
        if parts.next().is_some() || !form.parts().any(|captured| captured == part) {
            holds.mistake(
                Mistake::new(holds.span(), "`holds` must name one part that the form captures", "not so here")
                    .with_help("for example: holds = { mailbox = '@' }"),
            );
        }
        Some((part, octets(&holds, part.word())?))
    });
    let assume = table.table("assume").map(|assume| assumptions(&assume, &form)).unwrap_or_default();
    Some(Rule {
        applies: applies(table),
        separators: octets(table, "separators"),
        lacks: octets(table, "lacks").unwrap_or_default(),
        holds,
        assume,
        effect: effect(table),
        form,
        source: source?,
    })
}

fn form(table: &Table<'_>) -> Option<Form> {
    let text = table.required_text("form")?;
    let mistake = match Form::parse(&text.value) {
        Ok(form) => return Some(form),
        Err(FormError::Notation(error)) => notation_mistake(&text, &error),
        Err(FormError::UnknownPart(name)) => {
            table.unknown(&name, text.span, "part", &[PARTS, &["ignored", "sep"]].concat());
            return None;
        }
        Err(error) => Mistake::new(text.span, error.to_string(), "in this form"),
    };
    table.mistake(mistake);
    None
}

fn assumptions(table: &Table<'_>, form: &Form) -> Assume {
    let captured = |part: Part| form.parts().any(|captured| captured == part);
    for part in [Part::Domain, Part::User, Part::Mailbox] {
        if table.has(part.word()) && captured(part) {
            let reason = format!("`{}` is assumed although the form captures it", part.word());
            table.mistake(Mistake::new(table.span_of(part.word()), reason, "one or the other"));
        }
    }
    for (part, from) in [(Part::User, Part::Mailbox), (Part::Mailbox, Part::User)] {
        if table.has(part.word()) && !captured(from) {
            let reason = format!("the {} cannot be taken from the {}: the form has none", part.word(), from.word());
            table.mistake(Mistake::new(table.span_of(part.word()), reason, "nothing to copy"));
        }
    }
    Assume {
        home_domain: table.word("domain", |word| (word == "home").then_some(())).is_some(),
        user_is_mailbox: table.word("user", |word| (word == "mailbox").then_some(())).is_some(),
        mailbox_is_user: table.word("mailbox", |word| (word == "user").then_some(())).is_some(),
    }
}

fn effect(table: &Table<'_>) -> Effect {
    let said = ["refuses", "unspecified", "ambiguous"].into_iter().filter(|name| table.has(name)).collect::<Vec<_>>();
    if let [_, second, ..] = said.as_slice() {
        let reason = format!("`{}` and `{}` exclude each other", said.first().unwrap_or(second), second);
        table.mistake(Mistake::new(table.span_of(second), reason, "one of them is enough"));
    }
    let text = |name| table.text(name).map(|text| text.value);
    match (text("refuses"), text("unspecified"), text("ambiguous")) {
        (Some(reason), _, _) => Effect::Refuses(reason),
        (None, Some(reason), _) => Effect::Unspecified(reason),
        (None, None, ambiguous) => Effect::Reads { ambiguous },
    }
}

fn failure(table: &Table<'_>) -> Option<Failure> {
    let causes = table.words("on", Cause::from_word);
    let does = table.word("does", Manner::from_word);
    for name in ["on", "does"] {
        if !table.has(name) {
            table.mistake(Mistake::new(table.span(), format!("missing field `{name}`"), "it belongs here"));
        }
    }
    Some(Failure {
        causes: causes?,
        applies: applies(table),
        manner: does?,
        code: table.text("code").map(|text| text.value),
        text: table.text("text").map(|text| text.value).unwrap_or_default(),
        source: source(table)?,
    })
}

fn applies(table: &Table<'_>) -> Applies {
    Applies::only(
        table.words("protocol", Protocol::from_word).as_deref(),
        table.words("mechanism", Mechanism::from_word).as_deref(),
    )
}

/// Every rule says where it is from and how sure it is; one that does not is a rumour.
fn source(table: &Table<'_>) -> Option<Source> {
    let cites = table.texts("cites");
    let confidence = table.word("confidence", Confidence::from_word);
    match &cites {
        Some(List { texts, span }) if texts.is_empty() => {
            table.mistake(Mistake::new(span.clone(), "`cites` is empty", "a rule without a source is a rumour"))
        }
        None if !table.has("cites") => table.mistake(
            Mistake::new(table.span(), "missing field `cites`", "a rule without a source is a rumour")
                .with_help("say where it is from: cites = [\"KB Q184463\"]"),
        ),
        _ => {}
    }
    Some(Source {
        cites: cites?.texts.into_iter().map(|text| text.value).collect(),
        confidence: confidence.unwrap_or(Confidence::Inferred),
    })
}

fn octets(table: &Table<'_>, name: &str) -> Option<OctetSet> {
    octet_set(table, &table.text(name)?)
}

fn octet_set(table: &Table<'_>, text: &Text) -> Option<OctetSet> {
    OctetSet::from_text(&text.value).map_err(|error| table.mistake(notation_mistake(text, &error))).ok()
}

fn alphabet(table: &Table<'_>, name: &str) -> OctetSet {
    let mut set = OctetSet::default();
    for text in table.texts(name).map(|list| list.texts).unwrap_or_default() {
        if let Err(error) = set.insert_entry(&text.value) {
            table.mistake(notation_mistake(&text, &error));
        }
    }
    set
}

/// A mistake in the notation for octets, shown at its place within the string.
pub(crate) fn notation_mistake(text: &Text, error: &NotationError) -> Mistake {
    Mistake::new(place_within(text, &error.span), error.reason.clone(), "here")
        .with_help("`{x00ff}` stands for octets in hex, `{{` and `}}` for the braces themselves")
}

/// The place of a part of a string in its file. Within a string that needs escapes this is a guess.
pub(crate) fn place_within(text: &Text, span: &Range<usize>) -> Range<usize> {
    let quotes = if text.span.len() >= text.value.len() + 6 { 3 } else { 1 };
    let start = text.span.start + quotes;
    let end = text.span.end.saturating_sub(quotes).max(start);
    (start + span.start).min(end)..(start + span.end).min(end)
}

/// What octets a text in the notation stands for; names in braces are a mistake there.
pub(crate) fn plain_octets(table: &Table<'_>, text: &Text) -> Option<Vec<u8>> {
    let found = match tokens(&text.value) {
        Ok(found) => found,
        Err(error) => {
            table.mistake(notation_mistake(text, &error));
            return None;
        }
    };
    let mut octets = Vec::new();
    for (token, span) in found {
        match token {
            Token::Octets(more) => octets.extend(more),
            Token::Name(name) => {
                let reason = format!("`{{{name}}}` stands for nothing here");
                table.mistake(Mistake::new(place_within(text, &span), reason, "unknown name"));
                return None;
            }
        }
    }
    Some(octets)
}
