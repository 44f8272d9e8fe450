//! Several servers side by side: how the same cases came out for each of them.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use super::Matrix;
use crate::runner::{CaseReport, Reporter, RunEvent, Summary};
use crate::scenario::Verdict;

/// How many of one server's unexpected cases are shown.
const SHOWN: usize = 12;

/// What one server did.
#[derive(Debug, Clone)]
pub struct Column {
    name: String,
    version: Option<String>,
    summary: Summary,
    /// Its unexpected cases, by their ids, each with the reason.
    unexpected: Vec<(String, String)>,
    /// What was seen of its processes, with the cases at which it was.
    incidents: Vec<(String, String)>,
    matrix: Matrix,
}

/// What several servers did.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    columns: Vec<Column>,
    /// How many servers were not started any more.
    unasked: usize,
}

impl Column {
    /// A server that has not been asked anything yet.
    pub fn new(name: &str, version: Option<String>) -> Self {
        Self {
            name: name.to_string(),
            version,
            summary: Summary::default(),
            unexpected: Vec::new(),
            incidents: Vec::new(),
            matrix: Matrix::default(),
        }
    }

    /// A server that could not be started.
    pub fn unreachable(name: &str, reason: String) -> Self {
        let summary = Summary { unreachable: vec![reason], ..Summary::default() };
        Self { summary, ..Self::new(name, None) }
    }

    /// A server that was not waited for.
    pub fn interrupted(name: &str) -> Self {
        let summary = Summary { interrupted: true, ..Summary::default() };
        Self { summary, ..Self::new(name, None) }
    }

    /// How it came out, in a line.
    pub fn line(&self) -> String {
        if let Some(reason) = self.summary.unreachable.first() {
            return format!("{}: {}", self.name, reason.lines().next().unwrap_or_default());
        }
        let counts: Vec<String> = Verdict::ALL
            .into_iter()
            .filter(|verdict| self.summary.count(*verdict) > 0)
            .map(|verdict| format!("{} {}", self.summary.count(verdict), verdict.word()))
            .collect();
        let cut = if self.summary.interrupted { ", interrupted" } else { "" };
        format!("{}: {}{cut} in {}", self.name, counts.join(", "), seconds(self.summary.took))
    }

    fn case_finished(&mut self, case: &CaseReport) {
        if case.verdict.is_unexpected() {
            self.unexpected.push((case.id.clone(), case.reason.clone()));
        }
        if let Some(process) = &case.process {
            self.incidents.push((case.id.clone(), process.clone()));
        }
    }
}

impl Reporter for Column {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        self.matrix.event(event)?;
        match event {
            RunEvent::CaseFinished(case) => self.case_finished(case),
            RunEvent::Finished(summary) => self.summary = Summary::clone(summary),
            _ => {}
        }
        Ok(())
    }
}

impl Comparison {
    /// Adds a server.
    pub fn add(&mut self, column: Column) {
        let at = self.columns.partition_point(|known| known.name < column.name);
        self.columns.insert(at, column);
    }

    /// The same, with so many servers that were not started any more.
    #[must_use]
    pub fn with_unasked(self, unasked: usize) -> Self {
        Self { unasked, ..self }
    }

    /// Whether it was cut short.
    pub fn is_interrupted(&self) -> bool {
        self.unasked > 0 || self.columns.iter().any(|column| column.summary.interrupted)
    }

    /// Whether some server could not be asked.
    pub fn is_unreachable(&self) -> bool {
        self.columns.iter().any(|column| !column.summary.unreachable.is_empty())
    }

    /// Whether all was as expected.
    pub fn is_success(&self) -> bool {
        self.unasked == 0 && self.columns.iter().all(|column| column.summary.is_success())
    }

    /// What each server makes of each form of a login name.
    pub fn matrix(&self) -> Matrix {
        let mut matrix = Matrix::default();
        self.columns.iter().for_each(|column| matrix.merge(column.matrix.clone()));
        matrix
    }

    /// The comparison for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let width = self.columns.iter().map(|column| column.name.len()).max().unwrap_or_default().max("server".len());
        let _ = write!(text, "{:width$}", "server");
        Verdict::ALL.into_iter().for_each(|verdict| {
            let _ = write!(text, " {:>6}", verdict.word());
        });
        text.push_str("    time  version\n");
        for column in &self.columns {
            let _ = write!(text, "{:width$}", column.name);
            for verdict in Verdict::ALL {
                let _ = write!(text, " {:>6}", column.summary.count(verdict));
            }
            let version = column.version.as_deref().unwrap_or("not known");
            let _ = writeln!(text, " {:>7}  {version}", seconds(column.summary.took));
        }
        for column in &self.columns {
            text.push_str(&column.details());
        }
        let matrix = self.matrix();
        if !matrix.is_empty() {
            let _ = write!(text, "\n{}", matrix.text());
        }
        if self.unasked > 0 {
            let _ = writeln!(text, "\n{} more servers were not started any more", self.unasked);
        }
        text
    }
}

impl Column {
    /// What is not as expected, and what was seen of the server's processes.
    fn details(&self) -> String {
        let troubles = self.summary.troubles().filter_map(|sanity| sanity.trouble.clone());
        let reasons: Vec<String> = self
            .summary
            .unreachable
            .iter()
            .cloned()
            .chain(self.summary.refused_logins.iter().map(ToString::to_string))
            .chain(troubles)
            .collect();
        if self.unexpected.is_empty() && self.incidents.is_empty() && reasons.is_empty() {
            return String::new();
        }
        let mut text = format!("\n{}\n", self.name);
        let mut list = |title: &str, entries: &[(String, String)]| {
            if entries.is_empty() {
                return;
            }
            let _ = writeln!(text, "  {title}: {}", entries.len());
            for (id, reason) in entries.iter().take(SHOWN) {
                let _ = writeln!(text, "    {id}: {reason}");
            }
            if entries.len() > SHOWN {
                let _ = writeln!(text, "    and {} more", entries.len() - SHOWN);
            }
        };
        list("not as expected", &self.unexpected);
        list("spun, grew, dumped core or ended", &self.incidents);
        reasons.iter().for_each(|reason| {
            let _ = writeln!(text, "  {reason}");
        });
        text
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, verdicts: &[(Verdict, usize)]) -> Column {
        let mut column = Column::new(name, Some(format!("{name} 1.0")));
        for (verdict, count) in verdicts {
            column.summary.counts[*verdict as usize] = *count;
        }
        column.summary.took = Duration::from_millis(12_340);
        column
    }

    #[test]
    fn servers_stand_in_the_order_of_their_names() {
        let mut comparison = Comparison::default();
        comparison.add(column("zeta", &[(Verdict::Pass, 7), (Verdict::Known, 2)]));
        let mut alpha = column("alpha", &[(Verdict::Pass, 5), (Verdict::Fail, 1)]);
        alpha.unexpected.push(("imap/x".to_string(), "opened nothing".to_string()));
        assert_eq!(alpha.line(), "alpha: 5 pass, 1 fail in 12.3 s");
        comparison.add(alpha);
        let told = "\
server   pass   fail   warn  known  fixed   skip  error    time  version
alpha       5      1      0      0      0      0      0  12.3 s  alpha 1.0
zeta        7      0      0      2      0      0      0  12.3 s  zeta 1.0

alpha
  not as expected: 1
    imap/x: opened nothing
";
        assert_eq!(comparison.text(), told);
        assert!(!comparison.is_success() && !comparison.is_unreachable() && !comparison.is_interrupted());
    }

    #[test]
    fn who_could_not_be_started_is_no_success() {
        let mut comparison = Comparison::default();
        comparison.add(Column::unreachable("alpha", "no daemon answers\nlog".to_string()));
        assert!(comparison.is_unreachable() && !comparison.is_success());
        assert!(comparison.text().ends_with("\nalpha\n  no daemon answers\nlog\n"), "{}", comparison.text());
        assert!(Comparison::default().with_unasked(2).is_interrupted());
    }
}
