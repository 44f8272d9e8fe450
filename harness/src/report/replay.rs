//! The command that puts just one case again: it works when it is pasted into a POSIX shell.

use std::path::Path;

use crate::runner::CaseReport;

/// What of a command line matters for one case of it. Nothing in it is a secret: passwords are never arguments.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// The scenario files and folders that were given, in order.
    pub paths: Vec<String>,
    /// The target.
    pub target: ReplayTarget,
    /// Everything else, word by word.
    pub options: Vec<String>,
}

/// How a command line says which server is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ReplayTarget {
    /// By the name that the case has for it.
    #[default]
    Own,
    /// By this name or file.
    Named(String),
    /// By its addresses, which are among the other options.
    Addressed,
}

impl Replay {
    /// The command for one case.
    pub fn command(&self, case: &CaseReport) -> String {
        let file = Path::new(&case.scenario.source.name);
        let given = self.paths.iter().find(|path| file.starts_with(path));
        let target = match &self.target {
            ReplayTarget::Own => Some(&case.target),
            ReplayTarget::Named(name) => Some(name),
            ReplayTarget::Addressed => None,
        };
        let mut words = vec!["loginspec".to_string(), "run".to_string()];
        match given {
            // What looks like an option is none: a path can say so, an id cannot.
            Some(path) if path.starts_with('-') => words.extend([quoted(&format!("./{path}")), filter(&case.id)]),
            Some(path) => words.extend([quoted(path), filter(&case.id)]),
            None if case.id.starts_with('-') => words.push(filter(&case.id)),
            None => words.push(quoted(&case.id)),
        }
        words.extend(target.into_iter().flat_map(|target| ["--target".to_string(), quoted(target)]));
        words.extend(self.options.iter().map(|option| quoted(option)));
        words.join(" ")
    }
}

fn filter(id: &str) -> String {
    let gap = if id.starts_with('-') { '=' } else { ' ' };
    format!("--filter{gap}{}", quoted(id))
}

/// A word as a POSIX shell takes it unchanged.
fn quoted(word: &str) -> String {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&octet);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell() {
        assert_eq!(quoted("reference:exchange-5.5"), "reference:exchange-5.5");
        assert_eq!(quoted("imap/x[imap,login]"), "'imap/x[imap,login]'");
        assert_eq!(quoted("it's $HOME; `ls`\\\n"), "'it'\\''s $HOME; `ls`\\\n'");
        assert_eq!(quoted(""), "''");
        assert_eq!(filter("-x"), "--filter=-x");
    }
}
