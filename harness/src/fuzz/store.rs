//! Where a campaign keeps what it must not lose: its findings, each in a file of its own, and how far it has come.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bench::Finding;

/// The name of the file that says how far a campaign has come.
const STATE: &str = "campaign.json";

/// How far a campaign has come. Conversations are made anew from the seed, so that no secret is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The seed.
    pub seed: u64,
    /// The targets' names.
    pub targets: Vec<String>,
    /// The number of the first conversation that has not been had.
    pub next: u64,
    /// The conversations that reached something new, in order.
    pub pool: Vec<u64>,
    /// What was suspicious and has not been looked into: the conversation, the one it was compared with, and why.
    pub suspicions: Vec<Waiting>,
    /// The shapes of what is kept, and whether one of each was proven.
    pub found: Vec<(String, bool)>,
    /// What was looked into already: the oracle and the kind of answer, and how often.
    pub looked_into: Vec<(String, u32)>,
    /// The states that were reached, and how often: state, command, answer.
    pub map: Vec<(String, String, String, u64)>,
}

/// A suspicion that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    pub conversation: u64,
    pub compared_with: Option<u64>,
    pub oracle: String,
    pub what: String,
    pub shape: String,
    /// The conversations of which one has harmed the server.
    pub suspects: Vec<u64>,
}

/// A campaign's folder.
#[derive(Debug, Clone)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    /// Makes the folder where it is missing.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// How far an earlier campaign came; nothing where there was none.
    pub fn read(&self) -> io::Result<Option<State>> {
        let text = match std::fs::read_to_string(self.folder.join(STATE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        serde_json::from_str(&text).map(Some).map_err(io::Error::other)
    }

    /// Keeps how far the campaign has come. A kill leaves the old file or the new one, never half of one.
    pub fn write(&self, state: &State) -> io::Result<()> {
        let text = serde_json::to_string(state).map_err(io::Error::other)?;
        self.replace(STATE, &text)
    }

    /// Keeps a finding: the scenario where there is one, else what is known.
    pub fn keep(&self, finding: &Finding) -> io::Result<PathBuf> {
        let number = self.last_number()? + 1;
        let ending = if finding.scenario.is_some() { "toml" } else { "txt" };
        // What a sound server does as well is the oracle's fault, and kept for whoever mends it.
        let kind = if finding.is_ours { "doubtful" } else { "finding" };
        let name = format!("{kind}-{number:03}-{}.{ending}", finding.oracle.word());
        let mut text = finding.scenario.clone().unwrap_or_else(|| {
            format!(
                "Oracle {}: {}.\nConversation {} with {}: {}.\nNo scenario: {}.\n",
                finding.oracle.word(),
                finding.oracle.rule(),
                finding.conversation,
                finding.target,
                finding.what,
                finding.doubt.as_deref().unwrap_or("none was written")
            )
        });
        let notes = [
            finding.harm.as_ref().map(|harm| format!("The server suffered: {harm}.")),
            finding.doubt.as_ref().filter(|_| finding.scenario.is_some()).map(|doubt| format!("Not proven: {doubt}.")),
        ];
        text.push('\n');
        for line in notes.iter().flatten().flat_map(|note| note.lines()).chain(finding.transcript.lines()) {
            text.push_str(format!("# {line}").trim_end());
            text.push('\n');
        }
        self.replace(&name, &text)?;
        Ok(self.folder.join(name))
    }

    /// The highest number of what is kept: a kill may come between a finding and the writing down of how far it is.
    fn last_number(&self) -> io::Result<u32> {
        let mut last = 0;
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.split('-').nth(1)?.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(last)
    }

    fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        let whole = self.folder.join(name);
        let half = self.folder.join(format!(".{name}.half"));
        std::fs::write(&half, text)?;
        std::fs::rename(half, whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_finding_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let keep = || {
            let finding = Finding::new(super::super::Oracle::NoReply, String::new(), String::new(), 1, String::new());
            Store::open(folder.path()).unwrap().keep(&finding).unwrap()
        };
        let kept = [keep(), keep(), keep()];
        let names: Vec<_> = kept.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["finding-001-no-reply.txt", "finding-002-no-reply.txt", "finding-003-no-reply.txt"]);
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("new")).unwrap();
        assert_eq!(store.read().unwrap(), None);
        let waiting = Waiting {
            conversation: 9,
            compared_with: Some(2),
            oracle: "server-harmed".to_string(),
            what: "it spun".to_string(),
            shape: "imap: harm".to_string(),
            suspects: vec![8, 9],
        };
        let state = State { seed: 7, next: 12, pool: vec![1, 5], suspicions: vec![waiting], ..State::default() };
        store.write(&state).unwrap();
        assert_eq!(store.read().unwrap(), Some(state));
        std::fs::write(store.folder.join(STATE), "{").unwrap();
        assert!(store.read().is_err());
    }
}
