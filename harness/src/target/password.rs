//! Where the passwords of a target's accounts come from: never from the command line, and from a file in clear text only
//! for fixtures.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::identity::plain_octets;
use crate::plural::counted;
use crate::protocol::SHORTEST_SECRET;
use crate::secret::Password;
use crate::source::{Mistake, Table};

/// How much of a file or of a command's output is read: a password is in the first line.
const READ_LIMIT: u64 = 64 * 1024;

/// How long a command may take: it may ask its own questions on the terminal.
const COMMAND_LIMIT: Duration = Duration::from_secs(300);
/// How long a line may still come after the command has ended: a process that it left behind may hold its output open.
const AFTER_THE_END: Duration = Duration::from_millis(500);

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

/// Where a secret comes from, and where the file says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub origin: Origin,
    /// The value that names the origin, in octets of the file's text.
    pub span: Range<usize>,
}

/// Why a secret could not be had, or is of no use. Reads after "failed to get the password: ".
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// It could not be had.
    #[error("{0}")]
    Unavailable(String),
    /// It is too short for a report to mask it.
    #[error("{}", too_short(*.0))]
    TooShort(usize),
}

/// Why a secret of so many octets is not taken: masking each letter of a report that it is equal to would leave nothing
/// to read, and give it away by the gaps.
fn too_short(octets: usize) -> String {
    format!(
        "it has only {}, too few to be told from other text, so that no report could mask it",
        counted(octets, "octet")
    )
}

impl SecretError {
    /// The same as a mistake in a file, where the secret comes from the value in this range.
    pub(super) fn into_mistake(self, what: &str, span: Range<usize>) -> Result<Mistake, Self> {
        let Self::TooShort(octets) = self else { return Err(self) };
        let reason = format!("the {what} cannot be used: {}", too_short(octets));
        let help = format!("give the account a {what} of at least {SHORTEST_SECRET} octets");
        Ok(Mistake::new(span, reason, "it comes from here").with_help(help))
    }
}

/// The secret, unless it is too short. None at all is a password too.
fn usable(octets: Vec<u8>) -> Result<Password, SecretError> {
    match octets.len() {
        length if (1..SHORTEST_SECRET).contains(&length) => Err(SecretError::TooShort(length)),
        _ => Ok(Password::new(octets)),
    }
}

impl Origin {
    /// Gets the password. What a file or a command gives is taken up to the first line's end; whoever is asked for it
    /// is told `what` it is, and `whose`.
    pub(super) fn fetch(self, place: &Path, what: &str, whose: &str) -> Result<Password, SecretError> {
        let octets = match self {
            Self::Text(password) => password.expose().to_vec(),
            other => other.octets(place, what, whose).map_err(SecretError::Unavailable)?,
        };
        usable(octets)
    }

    fn octets(self, place: &Path, what: &str, whose: &str) -> Result<Vec<u8>, String> {
        // An empty secret is somebody's oversight, and would be one wrong password more for the account.
        let filled = |octets: Vec<u8>, origin: &str| match octets.is_empty() {
            true => Err(format!("{origin} holds nothing")),
            false => Ok(octets),
        };
        match self {
            Self::Text(password) => Ok(password.expose().to_vec()),
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
pub(super) fn origin(table: &Table<'_>, what: &str) -> Option<Placed> {
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
        return is_asked_for.then(|| Placed { origin: Origin::Prompt, span: table.span_of("prompt") });
    }
    let text = table.text(given)?;
    let span = text.span.clone();
    let origin = match given {
        "env" => Origin::Env(text.value),
        "file" => Origin::File(PathBuf::from(text.value)),
        "command" => Origin::Command(text.value),
        _ => match usable(plain_octets(table, &text)?) {
            Ok(password) => Origin::Text(password),
            Err(error) => {
                if let Ok(mistake) = error.into_mistake(what, span) {
                    table.mistake(mistake);
                }
                return None;
            }
        },
    };
    Some(Placed { origin, span })
}

/// Runs a shell command. It may ask its own questions on the terminal, and what it complains of is seen there.
fn run(command: &str, place: &Path) -> Result<Vec<u8>, String> {
    run_within(command, place, COMMAND_LIMIT)
}

fn run_within(command: &str, place: &Path, limit: Duration) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("failed to run `{command}`: {error}");
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(if place.as_os_str().is_empty() { Path::new(".") } else { place })
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (sender, lines) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        // It waits for as long as somebody holds the pipe open, which may be longer than anybody waits for it.
        std::thread::spawn(move || sender.send(first_line(output)));
    }
    let line = first_line_of(&mut child, &lines, limit).transpose().map_err(failed)?;
    let Some(line) = line else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("`{command}` has printed no line within {} s", limit.as_secs_f64()));
    };
    // Reaped whatever became of its output; one that has said its line and goes on is not waited for long.
    let Some(status) = ended(&mut child, AFTER_THE_END).map_err(failed)? else {
        let _ = child.kill();
        let _ = child.wait();
        return Ok(line);
    };
    // One that goes on and on is ended by our not reading on (SIGPIPE), which is no failure.
    if !status.success() && status.code().is_some_and(|code| code != CUT_SHORT) {
        return Err(format!("`{command}` ended with {status}"));
    }
    Ok(line)
}

/// What the command's first line is; nothing where there is none in time. A command that has ended without one has
/// printed an empty one.
fn first_line_of(
    child: &mut Child,
    lines: &mpsc::Receiver<io::Result<Vec<u8>>>,
    limit: Duration,
) -> Option<io::Result<Vec<u8>>> {
    let begin = Instant::now();
    loop {
        match lines.recv_timeout(Duration::from_millis(20)) {
            Ok(line) => return Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Some(Ok(Vec::new())),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        match child.try_wait() {
            Ok(Some(_)) => return Some(lines.recv_timeout(AFTER_THE_END).unwrap_or_else(|_| Ok(Vec::new()))),
            Ok(None) if begin.elapsed() >= limit => return None,
            Ok(None) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

/// How the command ended; nothing where it has not within this time.
fn ended(child: &mut Child, within: Duration) -> io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    loop {
        let status = child.try_wait()?;
        if status.is_some() || begin.elapsed() >= within {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What stands before the first line's end, and nothing after it is waited for.
fn first_line(from: impl io::Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(from.take(READ_LIMIT)).read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(origin: Origin) -> Result<Vec<u8>, String> {
        let place = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fetched = origin.fetch(place, "password", "test1").map_err(|error| error.to_string());
        fetched.map(|password| password.expose().to_vec())
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
    fn a_secret_that_no_report_could_mask_is_refused() {
        let refused = "it has only 2 octets, too few to be told from other text, so that no report could mask it";
        assert_eq!(fetch(Origin::Command("echo pw".into())).unwrap_err(), refused);
        assert_eq!(fetch(Origin::Text(Password::new("pw"))).unwrap_err(), refused);
        assert_eq!(fetch(Origin::Command("echo pwd".into())).unwrap(), b"pwd");
    }

    /// A command may leave a process behind that holds its output open.
    #[test]
    fn a_process_that_a_command_leaves_behind_is_not_waited_for() {
        let begin = Instant::now();
        assert_eq!(fetch(Origin::Command("sleep 30 & echo Secret".into())).unwrap(), b"Secret");
        assert!(fetch(Origin::Command("sleep 30 &".into())).unwrap_err().ends_with("holds nothing"));
        assert!(begin.elapsed() < Duration::from_secs(20), "it was waited for");
        let reason = run_within("sleep 30", Path::new(""), Duration::from_millis(50)).unwrap_err();
        assert_eq!(reason, "`sleep 30` has printed no line within 0.05 s");
    }

    #[test]
    fn a_command_without_end_is_cut_short() {
        let line = fetch(Origin::Command("yes Secret".into()));
        assert_eq!(line.unwrap(), b"Secret");
    }
}
