//! Where the passwords of a target's accounts come from: never from the command line, and from a file in clear text only
//! for fixtures.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::identity::plain_octets;
use crate::secret::Password;
use crate::source::{Mistake, Table};

/// Whether the passwords are wanted, or only the file's soundness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passwords {
    /// Get them.
    Fetch,
    /// Leave them empty.
    Ignore,
}

/// Where a password comes from.
pub enum Origin {
    /// An environment variable.
    Env(String),
    /// The first line of a file.
    File(PathBuf),
    /// The first line that a shell command prints.
    Command(String),
    /// It is at hand.
    Text(Vec<u8>),
}

impl Origin {
    /// Gets the password. What a file or a command gives is taken up to the first line's end.
    pub fn fetch(self, place: &Path) -> Result<Password, String> {
        let octets = match self {
            Self::Text(octets) => return Ok(Password::new(octets)),
            Self::Env(name) => {
                let value =
                    std::env::var_os(&name).ok_or_else(|| format!("the environment variable {name} is not set"))?;
                return Ok(Password::new(value.into_encoded_bytes()));
            }
            Self::File(path) => {
                let path = if path.is_relative() { place.join(path) } else { path };
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?
            }
            Self::Command(command) => {
                let output = Command::new("sh")
                    .args(["-c", &command])
                    .current_dir(if place.as_os_str().is_empty() { Path::new(".") } else { place })
                    .output()
                    .map_err(|error| format!("`{command}`: {error}"))?;
                if !output.status.success() {
                    return Err(format!("`{command}` ended with {}", output.status));
                }
                output.stdout
            }
        };
        let line = octets.split(|&octet| octet == b'\n').next().unwrap_or_default();
        Ok(Password::new(line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

/// Reads where a password or a token comes from: exactly one place.
pub(super) fn origin(table: &Table<'_>, what: &str) -> Option<Origin> {
    let given: Vec<&str> = ["env", "file", "command", "text"].into_iter().filter(|name| table.has(name)).collect();
    let &[given] = given.as_slice() else {
        table.mistake(Mistake::new(
            table.span(),
            format!("a {what} comes from one of `env`, `file`, `command` and `text`"),
            "not so here",
        ));
        return None;
    };
    let text = table.text(given)?;
    Some(match given {
        "env" => Origin::Env(text.value),
        "file" => Origin::File(PathBuf::from(text.value)),
        "command" => Origin::Command(text.value),
        _ => Origin::Text(plain_octets(table, &text)?),
    })
}
