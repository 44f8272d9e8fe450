//! JUnit XML, for CI systems.
//!
//! A wrong answer is a `<failure>`, a question that could not be asked an `<error>`, the rest is passed or
//! `<skipped>`. The counts stand in front of the cases, so the cases wait until the run is over, in a temporary file where
//! there are many: the memory does not grow with them. Octets were made visible before they came here; XML only needs its own escapes.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write};

use quick_xml::escape::escape;
use tempfile::SpooledTempFile;

use super::actual;
use super::finding::{self, Line};
use super::replay::Replay;
use crate::runner::{CaseReport, Reporter, RunEvent, Summary};
use crate::scenario::Verdict;

/// How many octets of cases wait in memory; what is more waits in a file.
const IN_MEMORY: usize = 1 << 16;

/// Writes JUnit XML.
pub struct Junit<W> {
    out: W,
    cases: io::BufWriter<SpooledTempFile>,
    replay: Replay,
}

impl<W: Write> Junit<W> {
    /// Writes to `out` when the run is over.
    pub fn new(out: W) -> Self {
        Self { out, cases: io::BufWriter::new(SpooledTempFile::new(IN_MEMORY)), replay: Replay::default() }
    }

    /// The same, with what of the command line is needed to replay a case.
    #[must_use]
    pub fn with_replay(self, replay: Replay) -> Self {
        Self { replay, ..self }
    }

    fn case(&mut self, case: &CaseReport) -> io::Result<()> {
        let out = &mut self.cases;
        write!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.6}\"",
            clean(&format!("{}@{}", case.scenario.id, case.target)),
            clean(&case.id),
            case.took.as_secs_f64()
        )?;
        let message = clean(&match &case.known {
            Some(known) if case.verdict == Verdict::Known => format!("known: {}", finding::recorded(known)),
            _ => actual(case),
        });
        let replay = &self.replay;
        let whole = || {
            let lines =
                finding::lines(case, replay).into_iter().map(|(Line::Plain(line) | Line::Wire(line))| line + "\n");
            clean(&lines.collect::<String>())
        };
        match case.verdict {
            Verdict::Pass => return writeln!(out, "/>"),
            Verdict::Skip => writeln!(out, ">\n      <skipped message=\"{message}\"/>")?,
            Verdict::Known => {
                writeln!(out, ">\n      <skipped message=\"{message}\"/>")?;
                let happened = case.known.as_ref().map(|known| known.happened.as_str()).unwrap_or_default();
                let seen = [happened, case.process.as_deref().unwrap_or_default()].map(clean);
                writeln!(out, "      <system-out>{}</system-out>", seen.join("\n").trim_end())?;
            }
            // JUnit knows no warnings: the case passes, and says so.
            Verdict::Warn => writeln!(out, ">\n      <system-out>warning: {message}\n{}</system-out>", whole())?,
            Verdict::Fail | Verdict::Fixed | Verdict::Error => {
                let element = if case.verdict == Verdict::Error { "error" } else { "failure" };
                write!(out, ">\n      <{element} type=\"{}\" message=\"{message}\">", case.verdict.word())?;
                writeln!(out, "\n{}</{element}>", whole())?;
            }
        }
        writeln!(out, "    </testcase>")
    }

    /// What everybody who reads the results must know.
    fn properties(&mut self, summary: &Summary) -> io::Result<()> {
        let versions = summary.targets.iter().filter(|target| target.version.is_some());
        if !summary.insecure && summary.warnings.is_empty() && versions.clone().next().is_none() {
            return Ok(());
        }
        writeln!(self.out, "    <properties>")?;
        for target in versions {
            let version = format!("{}: {}", target.name, target.version.as_deref().unwrap_or_default());
            writeln!(self.out, "      <property name=\"version\" value=\"{}\"/>", clean(&version))?;
        }
        if summary.insecure {
            writeln!(self.out, "      <property name=\"insecure\" value=\"true\"/>")?;
        }
        for warning in &summary.warnings {
            writeln!(self.out, "      <property name=\"warning\" value=\"{}\"/>", clean(warning))?;
        }
        writeln!(self.out, "    </properties>")
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let counts = format!(
            "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
            summary.finished() + summary.refused_logins.len(),
            summary.count(Verdict::Fail) + summary.count(Verdict::Fixed),
            summary.count(Verdict::Error) + summary.refused_logins.len(),
            summary.count(Verdict::Skip) + summary.count(Verdict::Known),
            summary.took.as_secs_f64()
        );
        writeln!(self.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(
            self.out,
            "<testsuites name=\"loginspec\" {}>",
            counts.replacen(" skipped", " disabled=\"0\" skipped", 1)
        )?;
        writeln!(self.out, "  <testsuite name=\"loginspec\" {counts}>")?;
        self.properties(summary)?;
        for refused in &summary.refused_logins {
            writeln!(
                self.out,
                "    <testcase classname=\"login\" name=\"{}\">\n      <error type=\"login-refused\" message=\"{}\">{}\
                 </error>\n    </testcase>",
                clean(&format!("login as {} on {}", refused.login, refused.target)),
                clean(&refused.to_string()),
                clean(&refused.next_steps().join("\n"))
            )?;
        }
        self.cases.flush()?;
        let spool = self.cases.get_mut();
        spool.seek(SeekFrom::Start(0))?;
        let mut buffer = [0; 8192];
        loop {
            let count = spool.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            self.out.write_all(buffer.get(..count).unwrap_or_default())?;
        }
        let troubles: Vec<String> = summary
            .unreachable
            .iter()
            .cloned()
            .chain(summary.troubles().filter_map(|sanity| sanity.trouble.clone()))
            .collect();
        if !troubles.is_empty() {
            writeln!(self.out, "    <system-err>{}</system-err>", clean(&troubles.join("\n")))?;
        }
        writeln!(self.out, "  </testsuite>\n</testsuites>")?;
        self.out.flush()
    }
}

impl<W: Write + Send> Reporter for Junit<W> {
    fn event(&mut self, event: &RunEvent<'_>) -> io::Result<()> {
        match event {
            RunEvent::Started { .. } | RunEvent::Surveyed { .. } => Ok(()),
            RunEvent::CaseFinished(case) => self.case(case),
            RunEvent::Finished(summary) => self.finish(summary),
        }
    }
}

/// Escapes for XML; characters that XML 1.0 cannot hold at all are shown as U+FFFD.
fn clean(text: &str) -> String {
    let legal = |character: char| match character {
        '\n' | '\t' => character,
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        _ if character < ' ' => '\u{fffd}',
        _ => character,
    };
    escape(text.chars().map(legal).collect::<String>()).into_owned()
}
