//! The matrix as tables: what stands in which cell, whatever the tables look like in the end.

use std::collections::BTreeSet;

use super::matrix::{Matrix, Place, Seen};
use super::sign::Sign;

/// What stands for mechanisms that do not agree.
pub(super) const DIFFERS: char = '≠';

/// Everything that is shown.
pub(super) struct Sheet<'m> {
    pub columns: Vec<Column<'m>>,
    pub tables: Vec<Table<'m>>,
    pub notes: Vec<Note<'m>>,
    /// The rows that need a word, with it.
    pub remarks: Vec<(&'m str, &'m str)>,
    /// The signs that occur.
    pub signs: BTreeSet<Sign>,
    /// Whether a cell tells IMAP and POP3 apart.
    pub has_pairs: bool,
}

/// A server.
pub(super) struct Column<'m> {
    pub name: &'m str,
    pub version: Option<&'m str>,
    pub dialect: &'m str,
    pub protocols: Vec<&'static str>,
}

/// One table: of one role by servers, or, where there is one server only, by roles.
pub(super) struct Table<'m> {
    /// The role, where the columns are servers.
    pub role: Option<&'m str>,
    /// The roles, where they are the columns.
    pub heads: Vec<&'m str>,
    pub rows: Vec<(&'m str, Vec<String>)>,
}

/// What mechanisms do not agree about.
pub(super) struct Note<'m> {
    pub server: &'m str,
    /// `imap and pop3: login ✓, plain ·`
    pub how: String,
    /// Roles, and their forms.
    pub forms: Vec<(&'m str, Vec<&'m str>)>,
}

/// Lays the matrix out.
pub(super) fn sheet(matrix: &Matrix) -> Sheet<'_> {
    let columns = matrix.servers.iter().map(|(name, server)| Column {
        name: short(name),
        version: matrix.version(name),
        dialect: &server.dialect,
        protocols: server.protocols.iter().copied().collect(),
    });
    let mut sheet = Sheet {
        columns: columns.collect(),
        tables: Vec::new(),
        notes: Vec::new(),
        remarks: Vec::new(),
        signs: BTreeSet::new(),
        has_pairs: false,
    };
    let (roles, forms) = (roles(matrix), forms(matrix));
    let servers: Vec<&str> = matrix.servers.keys().map(String::as_str).collect();
    if let [server] = servers[..] {
        let mut rows = Vec::new();
        for &form in &forms {
            rows.push((form, roles.iter().map(|role| sheet.fill(matrix, server, role, form)).collect()));
        }
        sheet.tables.push(Table { role: None, heads: roles.clone(), rows });
    } else {
        for &role in &roles {
            let mut rows = Vec::new();
            for &form in forms.iter().filter(|form| is_asked(matrix, role, form)) {
                rows.push((form, servers.iter().map(|server| sheet.fill(matrix, server, role, form)).collect()));
            }
            sheet.tables.push(Table { role: Some(role), heads: Vec::new(), rows });
        }
    }
    sheet.notes.sort_by(|a, b| (a.server, &a.how).cmp(&(b.server, &b.how)));
    let about = |form: &&str| matrix.forms.get_key_value(*form).map(|(label, form)| (label.as_str(), form));
    let remarks = forms.iter().filter_map(about).map(|(label, form)| (label, form.about.as_str()));
    sheet.remarks = remarks.filter(|(_, about)| !about.is_empty()).collect();
    sheet
}

impl<'m> Sheet<'m> {
    /// The text of one cell; what it needs in the legend and in the notes is noted.
    fn fill(&mut self, matrix: &Matrix, server: &'m str, role: &'m str, form: &'m str) -> String {
        let place = Place { server: server.to_string(), role: role.to_string(), form: form.to_string() };
        // What makes no sense for a role, such as the name of a mailbox that is the user's, is left open.
        if !is_asked(matrix, role, form) {
            return String::new();
        }
        let cell = cell(matrix.seen.get(&place));
        self.signs.extend(cell.signs);
        self.has_pairs |= cell.text.contains('/');
        for how in cell.differs {
            self.note(short(server), how, role, form);
        }
        cell.text
    }

    fn note(&mut self, server: &'m str, how: String, role: &'m str, form: &'m str) {
        let Some(note) = self.notes.iter_mut().find(|note| (note.server, &note.how) == (server, &how)) else {
            self.notes.push(Note { server, how, forms: vec![(role, vec![form])] });
            return;
        };
        match note.forms.iter_mut().find(|(known, _)| *known == role) {
            Some((_, forms)) => forms.push(form),
            None => note.forms.push((role, vec![form])),
        }
    }
}

fn is_asked(matrix: &Matrix, role: &str, form: &str) -> bool {
    matrix.seen.keys().any(|place| place.role == role && place.form == form)
}

/// What a role is there for, where the columns are servers.
pub(super) fn about_role(role: &str) -> &'static str {
    match role {
        "same" => "user and mailbox are called the same",
        "renamed" => "the mailbox is called otherwise than the user, and nothing is called like the user",
        "crossed" => "the user is called like somebody else's mailbox",
        _ => "",
    }
}

/// What stands in a cell.
struct Cell {
    text: String,
    signs: BTreeSet<Sign>,
    /// What its mechanisms do not agree about.
    differs: Vec<String>,
}

/// What one protocol came to.
#[derive(PartialEq, Eq)]
enum Came {
    To(Sign),
    /// Its mechanisms do not agree: which came to what. What is dangerous by one of them is not hidden.
    Apart {
        how: String,
        is_dangerous: bool,
    },
}

fn cell(seen: Option<&BTreeSet<Seen>>) -> Cell {
    let asked = || seen.into_iter().flatten().filter(|seen| seen.sign != Sign::NotAsked);
    let mut signs: BTreeSet<Sign> = asked().map(|seen| seen.sign).collect();
    let mut came: Vec<(&str, Came)> = Vec::new();
    for protocol in asked().map(|seen| seen.protocol).collect::<BTreeSet<_>>() {
        let of_it: Vec<&Seen> = asked().filter(|seen| seen.protocol == protocol).collect();
        let first = of_it.first().map_or(Sign::NotAsked, |seen| seen.sign);
        if of_it.iter().all(|seen| seen.sign == first) {
            came.push((protocol, Came::To(first)));
        } else {
            let parts: Vec<_> =
                of_it.iter().map(|seen| format!("{} {}", seen.carrier, seen.sign.character())).collect();
            let is_dangerous = of_it.iter().any(|seen| seen.sign == Sign::OpensAnothers);
            came.push((protocol, Came::Apart { how: parts.join(", "), is_dangerous }));
        }
    }
    // POP3 has no other word for what IMAP calls BAD.
    if let [(_, Came::To(Sign::Bad)), (_, pop3 @ Came::To(Sign::Rejected))] = &mut came[..] {
        *pop3 = Came::To(Sign::Bad);
        signs.remove(&Sign::Rejected);
    }
    let mut characters: Vec<char> = came.iter().map(|(_, came)| character(came)).collect();
    characters.dedup();
    if characters.is_empty() {
        characters.push(Sign::NotAsked.character());
        signs.insert(Sign::NotAsked);
    }
    let text = characters.iter().map(char::to_string).collect::<Vec<_>>().join("/");
    let differs = match &came[..] {
        [(_, imap @ Came::Apart { how, .. }), (_, pop3)] if imap == pop3 => vec![format!("imap and pop3: {how}")],
        _ => came.iter().filter_map(told_apart).collect(),
    };
    Cell { text, signs, differs }
}

const fn character(came: &Came) -> char {
    match came {
        Came::To(sign) => sign.character(),
        Came::Apart { is_dangerous: true, .. } => Sign::OpensAnothers.character(),
        Came::Apart { .. } => DIFFERS,
    }
}

fn told_apart((protocol, came): &(&str, Came)) -> Option<String> {
    match came {
        Came::To(_) => None,
        Came::Apart { how, .. } => Some(format!("{protocol}: {how}")),
    }
}

/// The roles, the telling ones first; one that no server has is left out, unless that is so of all of them.
fn roles(matrix: &Matrix) -> Vec<&str> {
    let of = |is_wanted: &dyn Fn(&Seen) -> bool| -> BTreeSet<&str> {
        let wanted = matrix.seen.iter().filter(|(_, seen)| seen.iter().any(is_wanted));
        wanted.map(|(place, _)| place.role.as_str()).collect()
    };
    let mut found = of(&|seen| seen.sign != Sign::NotAsked);
    if found.is_empty() {
        found = of(&|_| true);
    }
    const FIRST: [&str; 3] = ["same", "renamed", "crossed"];
    let mut found: Vec<&str> = found.into_iter().collect();
    found.sort_by_key(|role| (FIRST.iter().position(|first| first == role).unwrap_or(FIRST.len()), *role));
    found
}

/// The forms, as the scenario files have them.
fn forms(matrix: &Matrix) -> Vec<&str> {
    let mut forms: Vec<_> = matrix.forms.iter().collect();
    forms.sort_by_key(|(label, form)| (&form.place, *label));
    forms.into_iter().map(|(label, _)| label.as_str()).collect()
}

/// A target's name without what kind of target it is.
fn short(name: &str) -> &str {
    ["reference:", "container:"].into_iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(name)
}
