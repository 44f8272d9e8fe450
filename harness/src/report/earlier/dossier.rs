//! Findings written up, one Markdown file each, so that they can be handed to whoever makes the server; and their index.
//!
//! Nothing in them depends on when and where a run was made, as far as that can be told: written anew from another run
//! of the same server, they are the same.

use std::collections::{BTreeMap, BTreeSet};

use super::super::narrow_glob::without_combination;
use super::markdown::{block, code, slug, words};
use super::read::EarlierCase;
use super::server::{Server, happened, one_line};
use super::steady::steady;
use crate::plural::counted;
use crate::scenario::Verdict;

/// How many ids are listed.
const LISTED: usize = 40;

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dossier {
    /// Its path, below the folder for all of them.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The findings of some servers, each a file in its server's folder, and first of all their index.
pub fn dossiers(servers: &[Server<'_>]) -> Vec<Dossier> {
    let mut index = String::from("# Findings\n\nWritten by `loginspec report --findings`.\n");
    let mut files = Vec::new();
    let mut folders = BTreeSet::new();
    for server in servers {
        let findings = findings(server);
        if findings.is_empty() {
            continue;
        }
        let folder = free(&mut folders, &slug(server.name));
        index.push_str(&format!("\n## {}\n\n", words(&server.title())));
        let mut names = BTreeSet::new();
        for finding in findings.values() {
            let path = format!("{folder}/{}.md", free(&mut names, &slug(&finding.name())));
            let security = if finding.is_secret() { "**security** " } else { "" };
            let number = counted(finding.cases.len(), "combination");
            let title = finding.title().replace(['[', ']'], "");
            index.push_str(&format!("- {security}[{}]({path}): {number}\n", words(&title)));
            files.push(Dossier { path, text: finding.text(server) });
        }
    }
    if files.is_empty() {
        index.push_str("\nThere are none.\n");
    }
    files.insert(0, Dossier { path: "README.md".to_string(), text: index });
    files
}

/// What cases have in common that are one finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// The reason with which they are recorded.
    Recorded(String),
    /// The `[[case]]`.
    Unrecorded(String),
}

/// One finding: cases in the order of their ids.
struct Finding<'e> {
    cases: Vec<&'e EarlierCase>,
}

fn findings<'e>(server: &Server<'e>) -> BTreeMap<Key, Finding<'e>> {
    let mut findings: BTreeMap<Key, Finding<'e>> = BTreeMap::new();
    for case in server.cases.values().filter(|case| is_finding(case)) {
        let key = match &case.known {
            Some(known) if case.verdict == Verdict::Known => Key::Recorded(known.reason.clone()),
            _ => Key::Unrecorded(without_combination(&case.id).to_string()),
        };
        findings.entry(key).or_insert_with(|| Finding { cases: Vec::new() }).cases.push(case);
    }
    findings
}

/// Whether a case is worth to be told its vendor: it breaks a MUST, or does harm, and the server is at fault.
fn is_finding(case: &EarlierCase) -> bool {
    let is_servers = case.at_fault.as_deref().is_none_or(|who| who == "server");
    let breaks_a_must = case.verdict != Verdict::Warn && case.level != "should";
    let does_harm = case.harm.is_some() || case.process.is_some() || is_secret(case);
    matches!(case.verdict, Verdict::Fail | Verdict::Warn | Verdict::Known) && is_servers && (breaks_a_must || does_harm)
}

/// Whether its vendor is to hear of it first. Of what is recorded somebody has said so, or has not.
fn is_secret(case: &EarlierCase) -> bool {
    match &case.known {
        Some(known) => known.security,
        None => case.harm.is_some(),
    }
}

impl<'e> Finding<'e> {
    fn is_secret(&self) -> bool {
        self.cases.iter().any(|case| is_secret(case))
    }

    /// The combination that stands for all: the first of those that do the most harm.
    fn example(&self) -> Option<&'e EarlierCase> {
        self.cases.iter().copied().min_by_key(|case| (case.process.is_none(), case.harm.is_none()))
    }

    fn name(&self) -> String {
        let Some(case) = self.cases.first() else { return String::new() };
        match &case.known {
            Some(known) if case.verdict == Verdict::Known => known.reason.clone(),
            _ => without_combination(&case.id).to_string(),
        }
    }

    fn title(&self) -> String {
        let Some(case) = self.cases.first() else { return String::new() };
        match &case.known {
            Some(known) if case.verdict == Verdict::Known => one_line(&known.reason),
            _ => format!("{}: {}", without_combination(&case.id), one_line(&steady(&happened(case)))),
        }
    }

    fn text(&self, server: &Server<'_>) -> String {
        let Some(case) = self.example() else { return String::new() };
        let mut text = format!("# {}\n\n", words(&self.title()));
        if self.is_secret() {
            text.push_str("> **Security.** Report this to the vendor first; publish it when there is a remedy.\n\n");
        }
        text.push_str(&facts(case, server));
        text.push_str(&self.combinations());
        if let Some(replay) = &case.replay {
            text.push_str(&format!("\n## To replay\n\n{}", block("sh", replay)));
        }
        let transcript = case.transcript.as_deref().map(steady).filter(|transcript| !transcript.is_empty());
        if let Some(transcript) = transcript {
            text.push_str(&format!("\n## Transcript\n\nOf {}:\n\n{}", code(&case.id), block("text", &transcript)));
        }
        text
    }

    fn combinations(&self) -> String {
        // How many were asked is told of each `[[case]]`, the same for all of its combinations.
        let mut asked: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for case in &self.cases {
            let of_case = asked.entry(without_combination(&case.id)).or_default();
            *of_case = (of_case.0 + 1, of_case.1.max(case.combinations));
        }
        let mut text = String::from("\n## Where\n\n");
        for (id, (found, asked)) in asked {
            let of = if asked >= found { format!("{found} of ") } else { String::new() };
            text.push_str(&format!("- {}: {of}{}\n", code(id), counted(asked.max(found), "combination")));
        }
        text.push('\n');
        for case in self.cases.iter().take(LISTED) {
            text.push_str(&format!("    {}\n", one_line(&case.id)));
        }
        if self.cases.len() > LISTED {
            text.push_str(&format!("    … and {} more\n", self.cases.len() - LISTED));
        }
        text
    }
}

/// What there is to know of one combination, a line each.
fn facts(case: &EarlierCase, server: &Server<'_>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text.push_str(&format!("- **{name}**: {value}\n"));
    line("server", words(&server.title()));
    line("scenario", format!("{} {}", code(without_combination(&case.id)), words(&case.title)).trim_end().to_string());
    if !case.about.is_empty() {
        line("about", words(&case.about));
    }
    let level = if case.level.is_empty() { String::new() } else { format!(" ({})", case.level.to_uppercase()) };
    line("rule", format!("{}{}", words(&case.cites.join("; ")), words(&level)));
    if let Some(login) = &case.login {
        line("login name", code(login));
    }
    line("expected", words(&steady(&case.expected)));
    line("got", words(&steady(&happened(case))));
    if let Some(deviation) = &case.deviation {
        line("broken", words(&deviation.rule));
    }
    for answer in &case.answers {
        line("answer", format!("{} {}", code(&answer.login), words(&steady(&answer.answer))));
    }
    if let Some(harm) = &case.harm {
        line("harm", words(in_words(harm)));
    }
    if let Some(process) = &case.process {
        line("meanwhile", words(&steady(process)));
    }
    if let Some(known) = case.known.as_ref().filter(|_| case.verdict == Verdict::Known) {
        let link = known.link.as_ref().map(|link| format!(" ({link})")).unwrap_or_default();
        line("recorded", words(&format!("{}{link}", known.reason)));
    }
    if let Some(sibling) = &case.sibling {
        line("sibling", words(&sibling.sentence));
    }
    text
}

fn in_words(harm: &str) -> &str {
    match harm {
        "wrong-mailbox" => "it opened a mailbox that is not the account's",
        "let-in" => "it let in who did not prove who they are",
        "process" => "the server's processes suffered",
        "no-answer" => "it gave no answer: a connection is kept busy",
        "hung-up" => "it hung up without a word: it may have crashed",
        "tells-who-exists" => "it tells who exists",
        other => other,
    }
}

/// The name, or the first one with a number that is not taken.
fn free(taken: &mut BTreeSet<String>, name: &str) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.to_string()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.unwrap_or_default();
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::super::read::read_run;
    use super::super::server::servers;
    use super::*;

    fn written(lines: &[&str]) -> Vec<Dossier> {
        let run = read_run("r", (lines.join("\n") + "\n").as_bytes()).unwrap();
        dossiers(&servers(&[run]))
    }

    const FAILED: &str = r#"{"id":"a/b[imap]","target":"t:1","verdict":"fail","outcome":"opened","expected":"rejected","reason":"opened Bob","level":"must","harm":"wrong-mailbox","at_fault":"server","combinations":4,"version":"T 1","cites":["RFC 1 §2"],"title":"A <title>","replay":"loginspec run 'a/b[imap]'","transcript":"S: * OK 127.0.0.1:4321\n"}"#;

    #[test]
    fn a_finding_is_one_file_whatever_its_combinations() {
        let files = written(&[FAILED, &FAILED.replace("[imap]", "[pop3]")]);
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["README.md", "t-1/a-b.md"]);
        assert!(
            files[0].text.contains("- **security** [a/b: opened Bob](t-1/a-b.md): 2 combinations\n"),
            "{}",
            files[0].text
        );
        let text = &files[1].text;
        for part in [
            "# a/b: opened Bob\n\n> **Security.**",
            "- **server**: t:1, T 1\n",
            r"`a/b` A \<title\>",
            "- **rule**: RFC 1 §2 (MUST)\n",
            "- **expected**: rejected\n- **got**: opened Bob\n",
            "- `a/b`: 2 of 4 combinations\n",
            "```sh\nloginspec run 'a/b[imap]'\n```\n",
            "```text\nS: * OK <address>\n```\n",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
    }

    #[test]
    fn what_is_recorded_is_grouped_by_its_reason() {
        let known = |id: &str, reason: &str| {
            let record = format!(
                r#""known":{{"reason":"{reason}","security":false,"happened":"opened Bob"}},"verdict":"known""#
            );
            FAILED.replace(r#""verdict":"fail""#, &record).replace("a/b", id)
        };
        let files = written(&[&known("a/b", "../x"), &known("a/c", "../x"), &known("a/d", "y")]);
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["README.md", "t-1/x.md", "t-1/y.md"]);
        // Whoever recorded it has looked at it, and says that it does no harm.
        assert!(!files[1].text.contains("Security"), "{}", files[1].text);
        assert!(files[1].text.contains("- **got**: opened Bob\n"), "{}", files[1].text);
    }

    #[test]
    fn what_is_no_fault_of_the_servers_is_not_written_up() {
        let warn = FAILED.replace("\"fail\"", "\"warn\"").replace("\"must\"", "\"should\"");
        let harmless = warn.replace("\"wrong-mailbox\"", "null");
        let ours = FAILED.replace("\"server\"", "\"us\"");
        assert_eq!(written(&[&warn]).len(), 2);
        for line in [harmless, ours, FAILED.replace("\"fail\"", "\"pass\"")] {
            let files = written(&[&line]);
            assert!(files.len() == 1 && files[0].text.contains("There are none."), "{files:?}");
        }
    }
}
