//! Where the passwords of a target's accounts come from: never from the command line, and from a file in clear text only
//! for fixtures.

use std::fmt;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::identity::plain_octets;
use crate::secret::Password;
use crate::source::{Mistake, Table};

/// How much of a file or of a command's output is read: a password is in the first line.
const READ_LIMIT: u64 = 64 * 1024;

/// What a shell ends with whose command wrote to where nobody reads: 128 and SIGPIPE.
const CUT_SHORT: i32 = 141;

/// The fields of which exactly one says where a secret comes from.
const FIELDS: [&str; 5] = ["env", "file", "command", "prompt", "text"];

/// Whether the passwords are wanted, or only the file's soundness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passwords {
    /// Get them.
    Fetch,
    /// Leave them empty.
    Ignore,
}

/// Where a password comes from. Its display reads after "came from": `the environment variable PW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable.
    Env(String),
    /// The first line of a file.
    File(PathBuf),
    /// The first line that a shell command prints.
    Command(String),
    /// A question on the terminal.
    Prompt,
    /// It stands in the target file.
    Text(Password),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Command(command) => write!(f, "the command `{command}`"),
            Self::Prompt => f.write_str("the terminal"),
            Self::Text(_) => f.write_str("the target file"),
        }
    }
}

impl Origin {
    /// Gets the password. What a file or a command gives is taken up to the first line's end; whoever is asked for it
    /// is told `what` it is, and `whose`.
    pub fn fetch(self, place: &Path, what: &str, whose: &str) -> Result<Password, String> {
        // An empty secret is somebody's oversight, and would be one wrong password more for the account.
        let filled = |octets: Vec<u8>, origin: &str| match octets.is_empty() {
            true => Err(format!("{origin} holds nothing")),
            false => Ok(Password::new(octets)),
        };
        match self {
            Self::Text(password) => Ok(password),
            Self::Env(name) => {
                let value = std::env::var_os(&name);
                let value = value.ok_or_else(|| format!("the environment variable {name} is not set"))?;
                filled(value.into_encoded_bytes(), &format!("the environment variable {name}"))
            }
            Self::File(path) => {
                let path = if path.is_relative() { place.join(path) } else { path };
                let failed = |error: io::Error| format!("failed to read {}: {error}", path.display());
                let file = std::fs::File::open(&path).map_err(failed)?;
                filled(first_line(file).map_err(failed)?, &format!("the first line of {}", path.display()))
            }
            Self::Command(command) => run(&command, place)
                .and_then(|line| filled(line, &format!("the first line that `{command}` prints"))),
            Self::Prompt if !io::stdin().is_terminal() => Err(
                "there is no terminal on which to ask for it: take it from an environment variable, a file or a command"
                    .to_string(),
            ),
            Self::Prompt => {
                let failed = |error: io::Error| format!("failed to ask for it: {error}");
                let typed = rpassword::prompt_password(format!("The {what} of {whose}: ")).map_err(failed)?;
                filled(typed.into_bytes(), "what was typed")
            }
        }
    }
}

/// Reads where a password or a token comes from: exactly one place.
pub(super) fn origin(table: &Table<'_>, what: &str) -> Option<Origin> {
    let given: Vec<&str> = FIELDS.into_iter().filter(|name| table.has(name)).collect();
    let &[given] = given.as_slice() else {
        table.mistake(Mistake::new(
            table.span(),
            format!("a {what} comes from one of `env`, `file`, `command`, `prompt` and `text`"),
            "not so here",
        ));
        return None;
    };
    if given == "prompt" {
        let is_asked_for = table.flag("prompt")?;
        if !is_asked_for {
            let reason = format!("a {what} that is not asked for comes from somewhere else");
            table.mistake(
                Mistake::new(table.span_of("prompt"), reason, "this says only where it does not come from")
                    .with_help("`prompt = true` asks for it on the terminal; else `env`, `file` or `command`"),
            );
        }
        return is_asked_for.then_some(Origin::Prompt);
    }
    let text = table.text(given)?;
    Some(match given {
        "env" => Origin::Env(text.value),
        "file" => Origin::File(PathBuf::from(text.value)),
        "command" => Origin::Command(text.value),
        _ => Origin::Text(Password::new(plain_octets(table, &text)?)),
    })
}

/// Runs a shell command. It may ask its own questions on the terminal, and what it complains of is seen there.
fn run(command: &str, place: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("failed to run `{command}`: {error}");
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(if place.as_os_str().is_empty() { Path::new(".") } else { place })
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let line = child.stdout.take().map(first_line).transpose();
    // Reaped whatever became of its output.
    let status = child.wait().map_err(failed)?;
    // One that goes on and on is ended by our not reading on (SIGPIPE), which is no failure.
    if !status.success() && status.code().is_some_and(|code| code != CUT_SHORT) {
        return Err(format!("`{command}` ended with {status}"));
    }
    Ok(line.map_err(failed)?.unwrap_or_default())
}

fn first_line(from: impl io::Read) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    from.take(READ_LIMIT).read_to_end(&mut octets)?;
    let line = octets.split(|&octet| octet == b'\n').next().unwrap_or_default();
    Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(origin: Origin) -> Result<Vec<u8>, String> {
        let place = Path::new(env!("CARGO_MANIFEST_DIR"));
        origin.fetch(place, "password", "test1").map(|password| password.expose().to_vec())
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_first_line_counts() {
        for text in ["Secret 1", "Secret 1\n", "Secret 1\r\nmore\n"] {
            assert_eq!(fetch(Origin::File(file(text).path().into())).unwrap(), b"Secret 1");
        }
        assert_eq!(fetch(Origin::File("Cargo.toml".into())).unwrap(), b"[workspace]", "beside the target file");
        assert_eq!(fetch(Origin::Command("printf 'Secret 1\\nmore'".into())).unwrap(), b"Secret 1");
        assert_eq!(fetch(Origin::Command("head -n 1 Cargo.toml".into())).unwrap(), b"[workspace]");
        assert_eq!(fetch(Origin::Env("CARGO_PKG_NAME".into())).unwrap(), b"loginspec");
        assert_eq!(fetch(Origin::Text(Password::new(Vec::new()))).unwrap(), b"");
    }

    #[test]
    fn what_cannot_be_had_is_said() {
        let reason = |origin| fetch(origin).unwrap_err();
        assert_eq!(
            reason(Origin::Env("NO_SUCH_VARIABLE".into())),
            "the environment variable NO_SUCH_VARIABLE is not set"
        );
        assert!(reason(Origin::File("no/such".into())).starts_with("failed to read "));
        let empty = file("\nSecret 1");
        assert!(reason(Origin::File(empty.path().into())).ends_with("holds nothing"));
        assert_eq!(reason(Origin::Command("exit 3".into())), "`exit 3` ended with exit status: 3");
        assert_eq!(reason(Origin::Command("true".into())), "the first line that `true` prints holds nothing");
    }

    #[test]
    fn a_command_without_end_is_cut_short() {
        let line = fetch(Origin::Command("yes Secret".into()));
        assert_eq!(line.unwrap(), b"Secret");
    }
}
