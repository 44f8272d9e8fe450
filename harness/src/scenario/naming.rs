//! How a scenario names accounts: `{user}` is a part of a login name, and the whole of it on few servers.
//!
//! Most servers know an account as `user@domain`. A case that logs in by `{user}` alone fails there, and a case that
//! expects a refusal gets it for the wrong reason; both mean `{login}`. A scenario means `{user}` where
//!
//! - it stands in a form: beside `\`, `/`, `@`, `%` or an octet outside ASCII, as in `{domain}\{user}`;
//! - the case has a `form`, and is a row of the table of forms;
//! - it is a value of `each` in a case that expects `same`, `safe` or `dialect`, which compare names and assume nothing;
//! - the scenario or the case names `dialects`, whose rules say what `{user}` is.
//!
//! A name that is built of parts opens a mailbox by the rules of a dialect only, so a case for every dialect cannot
//! expect that it does.

use std::ops::Range;

use super::fields::{EXPECT_FIELDS, SCENARIO_FIELDS};
use crate::identity::{Token, place_within, tokens};
use crate::source::{Either, Mistake, OneOrNamed, SourceText, Table, Text, parse};

/// What a scenario takes for granted of login names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamingProblem {
    /// What and where.
    pub mistake: Mistake,
    /// Whether the case is for named dialects only, whose rules may say that it is right.
    pub names_dialects: bool,
}

/// Finds where a scenario takes it for granted how a server calls its accounts. A file with other mistakes has none.
pub fn naming_problems(source: &SourceText) -> Vec<NamingProblem> {
    parse(source, SCENARIO_FIELDS, |table| Some(of_scenario(table))).unwrap_or_default()
}

fn of_scenario(table: &Table<'_>) -> Vec<NamingProblem> {
    let matrix = table.table("matrix");
    let of_case = |case: &Table<'_>| {
        let names_dialects = table.has("dialects") || case.has("dialects");
        let each = named(case).or_else(|| matrix.as_ref().and_then(named)).unwrap_or_default();
        let found = of_case(case, &each);
        found.into_iter().map(|mistake| NamingProblem { mistake, names_dialects }).collect::<Vec<_>>()
    };
    let mut problems: Vec<NamingProblem> = table.tables("case").iter().flat_map(of_case).collect();
    // The matrix's values of `each` are looked at for each case.
    problems.sort_by_key(|problem| (problem.mistake.span.start, problem.names_dialects));
    problems.dedup_by(|later, first| later.mistake == first.mistake);
    problems
}

/// The named values of `each`.
fn named(table: &Table<'_>) -> Option<Vec<Text>> {
    match table.text_or_named("each")? {
        OneOrNamed::Named(named) => Some(named.into_iter().map(|(_, text)| text).collect()),
        OneOrNamed::One(_) => None,
    }
}

fn of_case(case: &Table<'_>, each: &[Text]) -> Vec<Mistake> {
    let against = case.table("against").and_then(|against| against.text("login"));
    let names: Vec<Text> = ["login", "authzid"].iter().filter_map(|field| case.text(field)).chain(against).collect();
    let expect = if case.has("expect") { case.either("expect", EXPECT_FIELDS) } else { None };
    let assumes_nothing =
        matches!(&expect, Some(Either::Text(word)) if ["same", "safe", "dialect"].contains(&word.value.as_str()));
    let opens = matches!(&expect, Some(Either::Table(table)) if table.has("opens"));
    let mut found = Vec::new();
    if !case.has("form") {
        let each = each.iter().filter(|_| !assumes_nothing);
        for text in names.iter().chain(each) {
            found.extend(alone(&text.value).into_iter().map(|span| user_alone(place_within(text, &span))));
        }
        if let Some(text) = case.multi_line("dialogue") {
            found.extend(alone_in_dialogue(&text).into_iter().map(user_alone));
        }
    }
    if opens {
        for text in
            names.iter().take(1).chain(each).filter(|text| is_of_parts(&text.value) && alone(&text.value).is_empty())
        {
            found.push(
                Mistake::new(text.span.clone(), "this form is expected to open the mailbox in every dialect", "a form")
                    .with_help("expect `dialect`, `same` or `safe`, or name the `dialects` that read it so"),
            );
        }
    }
    found
}

fn user_alone(span: Range<usize>) -> Mistake {
    Mistake::new(span, "`{user}` is not the login name of every account", "stands alone").with_help(
        "write `{login}`, or `{login|escaped}` within quotes: the name by which the server knows the account",
    )
}

/// Where `{user}` stands alone in what a dialogue sends.
fn alone_in_dialogue(text: &Text) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    // TOML drops a line break right after the opening quotes.
    let quotes = if text.span.len() >= text.value.len() + 6 { 3 } else { 1 };
    let dropped = (text.span.len() - 2 * quotes).saturating_sub(text.value.len());
    for line in text.value.split_inclusive('\n') {
        if line.trim_start().starts_with('C') {
            let start = text.span.start + quotes + dropped + at;
            found.extend(alone(line).into_iter().map(|span| start + span.start..start + span.end));
        }
        at += line.len();
    }
    found
}

/// Where `{user}` stands alone in a text, also within `{base64:…}` and `{len:…}`.
fn alone(text: &str) -> Vec<Range<usize>> {
    let Ok(tokens) = tokens(text) else { return Vec::new() };
    let octet_of = |token: Option<&(Token<'_>, Range<usize>)>, is_before: bool| match token {
        Some((Token::Octets(octets), _)) if is_before => octets.last().copied(),
        Some((Token::Octets(octets), _)) => octets.first().copied(),
        _ => None,
    };
    let mut found = Vec::new();
    for (index, (token, span)) in tokens.iter().enumerate() {
        let Token::Name(name) = token else { continue };
        if let Some(colon) = name.find(':') {
            let start = span.start + colon + 2;
            let inner = alone(name.get(colon + 1..).unwrap_or_default());
            found.extend(inner.into_iter().map(|inner| start + inner.start..start + inner.end));
        } else if value_of(name) == "user" {
            let before = octet_of(index.checked_sub(1).and_then(|before| tokens.get(before)), true);
            let after = octet_of(tokens.get(index + 1), false);
            if ![before, after].into_iter().flatten().any(joins_parts) {
                found.push(span.clone());
            }
        }
    }
    found
}

/// Whether an octet beside a part makes a form of it. Fullwidth separators are UTF-8.
fn joins_parts(octet: u8) -> bool {
    matches!(octet, b'\\' | b'/' | b'@' | b'%') || !octet.is_ascii()
}

/// Whether a name is built of a role's parts.
fn is_of_parts(text: &str) -> bool {
    let Ok(tokens) = tokens(text) else { return false };
    let is_part = |name: &str| ["user", "domain", "dns", "mailbox"].contains(&value_of(name));
    tokens.iter().any(|(token, _)| matches!(token, Token::Name(name) if is_part(name)))
}

/// The value that a name in braces asks for, whoever's it is and however it is spelt.
fn value_of(name: &str) -> &str {
    let name = name.split('|').next().unwrap_or(name);
    name.split_once('.').map_or(name, |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled;
    use crate::source::Mistakes;

    fn problems(case: &str) -> Vec<String> {
        let source = SourceText::new("s.toml", format!("title = 'x'\ncites = ['y']\n[[case]]\nid = 'one'\n{case}\n"));
        let found = naming_problems(&source);
        found.iter().map(|problem| source.text[problem.mistake.span.clone()].to_string()).collect()
    }

    /// Those about dialects say `{user}` by the rules of theirs.
    #[test]
    fn no_bundled_scenario_takes_a_login_name_for_granted() {
        let mut found = Vec::new();
        let general = |path: &str| !["dialects/", "exchange/"].iter().any(|folder| path.starts_with(folder));
        for (path, text) in bundled::FILES.iter().filter(|(path, _)| general(path) && *path != "directory.toml") {
            let source = SourceText::new(format!("scenarios/{path}"), *text);
            let list: Vec<Mistake> = naming_problems(&source).into_iter().map(|problem| problem.mistake).collect();
            if !list.is_empty() {
                found.push(Mistakes::new(source, list).to_string());
            }
        }
        assert!(found.is_empty(), "{}", found.join("\n\n"));
    }

    #[test]
    fn the_user_alone_is_found_wherever_a_name_stands() {
        assert_eq!(problems("login = '{user}'\nexpect = 'rejected'"), ["{user}"]);
        assert_eq!(problems("login = 'x{twin.user|upper}'\nexpect = 'same'"), ["{twin.user|upper}"]);
        assert_eq!(problems("login = '{login}'\nauthzid = '{twin.user}'\nexpect = 'rejected'"), ["{twin.user}"]);
        let against = "login = '{login}'\nagainst = { login = 'no-{user}' }\nexpect = 'indistinguishable'";
        assert_eq!(problems(against), ["{user}"]);
        assert_eq!(
            problems("each = { a = '{user}', b = '{login}x' }\nlogin = '{each}'\nexpect = 'rejected'"),
            ["{user}"]
        );
        let dialogue = "dialogue = '''\nS: * OK\nC: a LOGIN \"{user}\" {password}\nC> {base64:{nul}{user}{nul}x}\nC| {len:{user}}\n\
                        S: {user}\n'''";
        assert_eq!(problems(dialogue), ["{user}", "{user}", "{user}"]);
    }

    #[test]
    fn a_part_of_a_form_is_meant() {
        for login in
            [r"{domain}\{user}", "{user}@{dns}", "{user}%x", "{user}/wm", "{domain}{xefbcbc}{user}", r"\{user}"]
        {
            assert_eq!(problems(&format!("login = '{login}'\nexpect = 'rejected'")), [""; 0], "{login}");
        }
        assert_eq!(problems("login = '{user}'\nform = 'user'\nexpect = 'dialect'"), [""; 0]);
        assert_eq!(problems("each = { user = '{user}' }\nlogin = '{each}'\nexpect = 'same'"), [""; 0]);
        assert_eq!(problems("login = '{login}'\npassword = '{user}'\nexpect = 'rejected'"), [""; 0]);
        assert_eq!(problems("dialogue = '''\nS: * OK\nC: a LOGIN \"{domain}\\{user}\" x\nS: a BAD\n'''"), [""; 0]);
    }

    #[test]
    fn no_form_opens_a_mailbox_in_every_dialect() {
        let case = "login = '{user}@{dns}'\nexpect = { opens = '{mailbox}' }";
        assert_eq!(problems(case), ["'{user}@{dns}'"]);
        assert_eq!(problems("login = '{login}'\nexpect = { opens = '{mailbox}' }"), [""; 0]);
        let of_dialects = SourceText::new(
            "s.toml",
            format!("title = 'x'\ncites = ['y']\ndialects = ['z']\n[[case]]\nid = 'one'\n{case}\n"),
        );
        assert!(naming_problems(&of_dialects)[0].names_dialects);
    }
}
