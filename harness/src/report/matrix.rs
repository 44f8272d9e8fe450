//! The table of forms by servers: what each server makes of each form of a login name.
//!
//! Whatever names a `form` in its scenario is a row. A [`Matrix`] takes the events of one run after the other, or the
//! matrices of several runs are merged; what it shows does not depend on the order in which they came.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::sign::Sign;
use crate::runner::{CaseReport, Reporter, RunEvent};

/// What was seen of forms, by server, role and form.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    pub(super) servers: BTreeMap<String, Server>,
    pub(super) forms: BTreeMap<String, Form>,
    pub(super) seen: BTreeMap<Place, BTreeSet<Seen>>,
    versions: BTreeMap<String, String>,
}

/// A column.
#[derive(Debug, Clone, Default)]
pub(super) struct Server {
    pub dialect: String,
    /// The protocols in which anything was asked.
    pub protocols: BTreeSet<&'static str>,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    /// Where the scenario files have it: rows come in this order.
    pub place: (String, usize),
    /// What is to be said of it.
    pub about: String,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub server: String,
    pub role: String,
    pub form: String,
}

/// What one login came to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub protocol: &'static str,
    /// The mechanism, and the encoding where it is not the usual one.
    pub carrier: String,
    pub sign: Sign,
}

impl Matrix {
    /// Takes a case in, where it names a form.
    pub fn case(&mut self, case: &CaseReport) {
        let (Some(form), Some(mechanism)) = (&case.form, case.mechanism) else { return };
        let sign = Sign::of(case);
        let protocol = case.protocol.word();
        let server = self.servers.entry(case.target.clone()).or_default();
        server.dialect.clone_from(&case.dialect);
        if sign != Sign::NotAsked {
            server.protocols.insert(protocol);
        }
        if let Some(first) = case.scenario.cases.iter().find(|one| one.form.as_ref() == Some(form)) {
            let place = (case.scenario.id.clone(), first.group);
            self.add_form(form, Form { place, about: first.about.clone() });
        }
        let usual = ["quoted", "continuation"];
        let encoding = case.encoding.map(|encoding| encoding.word()).filter(|word| !usual.contains(word));
        let carrier = [Some(mechanism.word()), encoding].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let place = Place { server: case.target.clone(), role: case.role.clone(), form: form.clone() };
        self.seen.entry(place).or_default().insert(Seen { protocol, carrier, sign });
    }

    /// Says which software a server is, and its version; a run says so by itself where the target knows.
    pub fn set_version(&mut self, server: &str, version: &str) {
        self.versions.insert(server.to_string(), version.to_string());
    }

    /// Adds what another matrix has seen, of other servers or of the same.
    pub fn merge(&mut self, other: Self) {
        for (name, server) in other.servers {
            let own = self.servers.entry(name).or_default();
            own.dialect = server.dialect;
            own.protocols.extend(server.protocols);
        }
        for (label, form) in other.forms {
            self.add_form(&label, form);
        }
        for (place, seen) in other.seen {
            self.seen.entry(place).or_default().extend(seen);
        }
        self.versions.extend(other.versions);
    }

    /// Whether no case has named a form.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    pub(super) fn version(&self, server: &str) -> Option<&str> {
        self.versions.get(server).map(String::as_str)
    }

    /// Of two scenarios with the same form the first one says where its row stands.
    fn add_form(&mut self, label: &str, form: Form) {
        let known = self.forms.entry(label.to_string()).or_insert_with(|| form.clone());
        if form < *known {
            *known = form;
        }
    }
}

impl Reporter for Matrix {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        match event {
            RunEvent::Started { targets, .. } => {
                for target in *targets {
                    if let Some(version) = &target.version {
                        self.set_version(&target.name, version);
                    }
                }
            }
            RunEvent::CaseFinished(case) => self.case(case),
            RunEvent::Surveyed { .. } | RunEvent::Scheduled { .. } | RunEvent::Progress(_) | RunEvent::Finished(_) => {}
        }
        Ok(())
    }
}

/// Writes the matrix of one run as Markdown when the run is over. [`super::Human`] shows it on a terminal.
pub struct MatrixReport<W> {
    out: W,
    matrix: Matrix,
}

impl<W: io::Write> MatrixReport<W> {
    /// Writes to `out`.
    pub fn markdown(out: W) -> Self {
        Self { out, matrix: Matrix::default() }
    }
}

impl<W: io::Write + Send> Reporter for MatrixReport<W> {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        self.matrix.event(event)?;
        let RunEvent::Finished(_) = event else { return Ok(()) };
        if self.matrix.is_empty() {
            self.out.write_all(b"No case of this run names a form.\n")?;
        } else {
            self.out.write_all(self.matrix.markdown().as_bytes())?;
        }
        self.out.flush()
    }
}
