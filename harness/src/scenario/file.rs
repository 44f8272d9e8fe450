//! Scenario files: TOML to [`Scenario`], with every mistake shown where it stands.

use std::sync::Arc;

use super::action::{action, against, places_of_each};
use super::axes_of::axes;
use super::expectation::{Expectation, Level};
use super::fields::SCENARIO_FIELDS;
use super::matrix::{Axes, Combination, combinations, idle};
use super::model::{Action, Case, Scenario};
use super::vocabulary::{Vocabulary, check_slug};
use crate::axes::{Mechanism, Protocol};
use crate::source::{Mistake, Mistakes, SourceText, Table, parse};

/// The most characters of a form's label: twenty servers fit beside it.
const LONGEST_FORM: usize = 20;

/// Reads a scenario file; `id` is what the scenario will be called.
pub fn read_scenario(id: &str, source: &SourceText, vocabulary: &Vocabulary) -> Result<Scenario, Mistakes> {
    let shared = Arc::new(source.clone());
    parse(source, SCENARIO_FIELDS, |table| scenario(id, &shared, table, vocabulary))
        .map_err(|list| Mistakes::new(source.clone(), list))
}

fn scenario(id: &str, source: &Arc<SourceText>, table: &Table<'_>, vocabulary: &Vocabulary) -> Option<Scenario> {
    let title = table.required_text("title");
    let dialects = dialects(table, vocabulary);
    if table.has("once") && dialects.is_some() {
        table.mistake(Mistake::new(
            table.span_of("once"),
            "`once` means nothing beside `dialects`, which says where it runs",
            "one or the other",
        ));
    }
    let level = table.word("level", Level::from_word).unwrap_or(Level::Must);
    let cites = texts(table, "cites");
    let matrix_table = table.table("matrix");
    let matrix = matrix_table.as_ref().map(|matrix| axes(matrix, vocabulary)).unwrap_or_default();
    let (needs, lacks) = (capabilities(table, "needs"), capabilities(table, "lacks"));
    let tables = table.tables("case");
    if tables.is_empty() && !table.has("case") {
        table.mistake(
            Mistake::new(table.span(), "a scenario without cases tests nothing", "no [[case]] in this file")
                .with_help("add at least: [[case]] with `id`, `login` and `expect`"),
        );
    }
    let mut cases = Vec::new();
    let mut logins: Vec<(Axes, Vec<Combination>)> = Vec::new();
    let mut are_sound = true;
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
        let (needs, lacks) = (needs.as_deref().unwrap_or_default(), lacks.as_deref().unwrap_or_default());
        let shared = Shared { scenario: id, level, cites: &cites, matrix: &matrix, needs, lacks, vocabulary };
        match read_case(case, group, &shared) {
            Some(read) => {
                if !case.has("dialogue") {
                    logins.push((read.own, read.combinations));
                }
                cases.extend(read.cases);
            }
            None => are_sound = false,
        }
    }
    let heirs: Vec<(&Axes, &[Combination])> = logins.iter().map(|(own, found)| (own, found.as_slice())).collect();
    if are_sound
        && let Some(matrix_table) = &matrix_table
        && let Some((axis, word)) = idle(&matrix, &heirs)
    {
        let reason = format!("the {axis} `{word}` fits nothing in any case of this file");
        matrix_table.mistake(Mistake::new(matrix_table.span_of(axis), reason, "no case comes of it"));
    }
    Some(Scenario {
        id: id.to_string(),
        title: title?.value,
        about: table.multi_line("about").map(|text| text.value).unwrap_or_default(),
        dialects,
        once: table.flag("once").unwrap_or(false),
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
    needs: &'f [String],
    lacks: &'f [String],
    vocabulary: &'f Vocabulary,
}

/// What comes of one `[[case]]`.
struct ReadCase {
    own: Axes,
    combinations: Vec<Combination>,
    cases: Vec<Case>,
}

fn read_case(table: &Table<'_>, group: usize, shared: &Shared<'_>) -> Option<ReadCase> {
    let id = table.required_text("id");
    if let Some(id) = &id {
        check_slug(table, id, "case id");
    }
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
    let is_dialogue = table.has("dialogue");
    let read = action(table, &shared.vocabulary.roles);
    let dialects = dialects(table, shared.vocabulary);
    let code = table.text("code").map(|text| text.value);
    let needs = capabilities(table, "needs").unwrap_or_else(|| shared.needs.to_vec());
    let lacks = capabilities(table, "lacks").unwrap_or_else(|| shared.lacks.to_vec());
    let level = table.word("level", Level::from_word).unwrap_or(shared.level);
    let form = form(table);
    let about = table.multi_line("about").map(|text| text.value.trim().to_string()).unwrap_or_default();
    let (action, expectation) = read?;
    let against = against(table, &expectation, &shared.vocabulary.roles)?;
    let id = id?.value;
    let axes = own.or(shared.matrix, is_dialogue);
    check_each(table, &axes, &own, &action, &expectation);
    let combinations = combinations(&axes, is_dialogue);
    check_combinations(table, &own.or(&Axes::default(), is_dialogue), &axes, &combinations)?;
    check_siblings(table, &expectation, &combinations);
    let eaches = axes.each.unwrap_or_default();
    let filled: Vec<(Action, Expectation)> =
        eaches.iter().map(|each| (action.with_each(&each.text), expectation.with_each(&each.text))).collect();
    let span = table.span_of(if is_dialogue { "dialogue" } else { "expect" });
    let case = |combination: &Combination| {
        let of_each = combination.each.and_then(|index| filled.get(index));
        let (action, expectation) = of_each.cloned().unwrap_or_else(|| (action.clone(), expectation.clone()));
        Case {
            id: format!("{}/{id}[{}]", shared.scenario, combination.suffix),
            group,
            about: about.clone(),
            form: form.clone(),
            cites: cites.clone(),
            level,
            dialects: dialects.clone(),
            protocol: combination.protocol,
            mechanism: combination.mechanism,
            encoding: combination.encoding,
            security: combination.security,
            fault: combination.fault,
            each: combination.each.and_then(|index| eaches.get(index)).map(|each| each.word.clone()),
            needs: needs.clone(),
            lacks: lacks.clone(),
            role: combination.role.clone(),
            action,
            against: against.clone(),
            expectation,
            code: code.clone(),
            span: span.clone(),
        }
    };
    let cases = combinations.iter().map(case).collect();
    Some(ReadCase { own, combinations, cases })
}

/// An axis whose value stands nowhere would ask the same over and over; a place without a value means nothing.
fn check_each(table: &Table<'_>, axes: &Axes, own: &Axes, action: &Action, expectation: &Expectation) {
    let places = places_of_each(table, action, expectation);
    if axes.each.is_some() && places.is_empty() {
        let span = if own.each.is_some() { table.span_of("each") } else { table.span() };
        table.mistake(
            Mistake::new(span, "`each` is named, and `{each}` stands in none of this case's texts", "of no use here")
                .with_help("put it where the value belongs: login = '{login}{each}'"),
        );
    }
    if axes.each.is_none() && !table.has("each") {
        for place in places {
            table.mistake(
                Mistake::new(place, "`{each}` stands for nothing: no `each` is named", "in this text")
                    .with_help("name the values, in the case or the matrix: each = \"specials\""),
            );
        }
    }
}

/// A value that the case names and that fits none of the other values is a mistake; nothing at all is one, too.
fn check_combinations(table: &Table<'_>, own: &Axes, axes: &Axes, found: &[Combination]) -> Option<()> {
    let Some((axis, word)) = idle(own, &[(&Axes::default(), found)]) else {
        if found.is_empty() && !axes.has_empty_axis() {
            let reason = "no combination of the matrix makes sense in this case";
            table.mistake(Mistake::new(table.span(), reason, "nothing is left of it"));
        }
        return (!found.is_empty()).then_some(());
    };
    let protocols: Vec<_> = axes.protocol.as_deref().unwrap_or(Protocol::ALL).iter().map(|one| one.word()).collect();
    let mechanisms = axes.mechanism.as_deref().unwrap_or(&[Mechanism::Login]);
    let mechanisms: Vec<_> = mechanisms.iter().map(|one| one.word()).collect();
    let (protocols, mechanisms) = (protocols.join(", "), mechanisms.join(", "));
    let others = match axis {
        "encoding" => format!("protocols and mechanisms of this case ({protocols} with {mechanisms})"),
        "mechanism" => format!("protocols, securities and faults of this case ({protocols})"),
        _ => format!("mechanisms of this case ({mechanisms})"),
    };
    let reason = format!("the {axis} `{word}` fits none of the {others}");
    table.mistake(Mistake::new(table.span_of(axis), reason, "no case comes of it"));
    None
}

/// What is judged by its siblings needs some.
fn check_siblings(table: &Table<'_>, expectation: &Expectation, found: &[Combination]) {
    let reason = match expectation {
        Expectation::Same => {
            let is_like = |a: &Combination, b: &Combination| (&a.role, a.fault, a.each) == (&b.role, b.fault, b.each);
            let has_sibling = |one: &Combination| found.iter().filter(|other| is_like(other, one)).count() > 1;
            // Beside one that can be compared, lonely ones do no harm.
            if found.iter().any(has_sibling) {
                return;
            }
            match found.len() {
                1 => "`same` compares nothing: the matrix has one combination",
                _ => "`same` compares nothing: no two combinations are of one account, fault and value of `each`",
            }
        }
        Expectation::Distinct => {
            let first = found.first().map(|first| (&first.role, first.each));
            if found.iter().any(|one| Some((&one.role, one.each)) != first) {
                return;
            }
            "`distinct` compares nothing: there is one account, and no `each`"
        }
        _ => return,
    };
    let help = match expectation {
        Expectation::Same => "widen the matrix, for example encoding = [\"quoted\", \"literal\"]",
        _ => "name several accounts or values: each = \"specials\"",
    };
    table.mistake(Mistake::new(table.span_of("expect"), reason, "here").with_help(help));
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

/// The label of a row: it stands at the head of a narrow table, and within backticks where that is Markdown.
fn form(table: &Table<'_>) -> Option<String> {
    let text = table.text("form")?;
    let length = text.value.chars().count();
    if text.value.trim().is_empty() || length > LONGEST_FORM || text.value.contains('`') {
        let reason = format!("the label of a form has 1 to {LONGEST_FORM} characters, and no backtick");
        table.mistake(Mistake::new(text.span, reason, "here").with_help(r"name its parts: form = 'domain\user'"));
        return None;
    }
    Some(text.value)
}

/// Finds capability words that could never be offered: they are compared in upper case.
fn capabilities(table: &Table<'_>, name: &str) -> Option<Vec<String>> {
    let list = table.texts(name)?;
    for text in &list.texts {
        let is_word = !text.value.is_empty()
            && text.value.bytes().all(|octet| octet.is_ascii_graphic() && !octet.is_ascii_lowercase());
        if !is_word {
            let reason = format!("`{}` is not the name of a capability", text.value);
            let mistake = Mistake::new(text.span.clone(), reason, "no server offers this");
            table.mistake(mistake.with_help("write it in upper case and without spaces: `LITERAL+`, `AUTH=PLAIN`"));
        }
    }
    Some(list.texts.into_iter().map(|text| text.value).collect())
}
