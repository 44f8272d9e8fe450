//! How a server in a container is doing: its processes, their processor time and memory, and what has died.

use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::exec::{StartExecOptions, StartExecResults};
use testcontainers::bollard::models::ExecConfig;

use crate::error::StartError;

/// The kernel counts processor time in hundredths of a second for everybody (USER_HZ).
const TICK: Duration = Duration::from_millis(10);
/// The size of a page of memory, on every machine that these images are for.
const PAGE: u64 = 4096;
/// How long the daemon may take to look.
const LOOKS_WITHIN: Duration = Duration::from_secs(10);

/// A process in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id, inside the container.
    pub pid: u32,
    /// Its parent's id.
    pub parent: u32,
    /// Its command's name.
    pub name: String,
    /// The processor time that it has used.
    pub used: Duration,
    /// The memory that it holds, in octets.
    pub resident: u64,
    /// When it started, in ticks of the kernel's clock: with the id it tells it from a later one.
    pub started: u64,
}

/// Whether a container's main process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Runs,
    /// It has ended, in these words.
    Ended(String),
}

/// The processes of a container, without those that look.
pub(crate) async fn processes(docker: &Docker, container: &str) -> Result<Vec<Process>, StartError> {
    // The shell is itself among them: it is a child of nobody inside (parent 0). It reads by itself, and has no children.
    let script = "for stat in /proc/[0-9]*/stat; do read -r line <$stat && echo \"$line\"; done 2>/dev/null";
    let text = shell(docker, container, script).await?;
    Ok(text.lines().filter_map(process).filter(|process| process.pid == 1 || process.parent != 0).collect())
}

/// Core dumps that lie about in a container, each with the time at which it was written: the next one may have the same
/// name.
pub(crate) async fn core_dumps(docker: &Docker, container: &str) -> Result<Vec<String>, StartError> {
    let script = "find / -xdev -maxdepth 5 -type f \\( -name core -o -name 'core.[0-9]*' \\) -size +8k -printf '%p %T@\\n' 2>/dev/null";
    Ok(shell(docker, container, script).await?.lines().map(str::to_owned).collect())
}

/// Ends processes at once.
pub(crate) async fn kill(docker: &Docker, container: &str, pids: &[u32]) -> Result<(), StartError> {
    let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
    shell(docker, container, &format!("kill -9 {}", list.join(" "))).await.map(drop)
}

pub(crate) async fn state(docker: &Docker, container: &str) -> Result<State, StartError> {
    let inspected = docker.inspect_container(container, None).await;
    let state = inspected.map_err(|error| StartError::daemon("look at a container", error))?.state.unwrap_or_default();
    if state.running == Some(true) {
        return Ok(State::Runs);
    }
    let code = state.exit_code.unwrap_or_default();
    let why = match (state.oom_killed, code) {
        (Some(true), _) => "it ran out of memory".to_owned(),
        (_, 129..=192) => format!("it was ended by signal {}", code - 128),
        _ => format!("it exited with {code}"),
    };
    Ok(State::Ended(why))
}

/// What a shell says when it is done: what comes without it is not the script's, but the runtime's word that the container
/// has ended before it could be looked into.
const DONE: &str = "loginspec has looked inside\n";

/// What a shell inside the container prints; an error where it did not come to its end.
async fn shell(docker: &Docker, container: &str, script: &str) -> Result<String, StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::daemon("look into a container", error.to_string());
    let look = async {
        let config = ExecConfig {
            attach_stdout: Some(true),
            cmd: Some(vec!["sh".to_owned(), "-c".to_owned(), format!("{script}\nprintf '{}'", DONE.escape_default())]),
            user: Some("root".to_owned()),
            ..ExecConfig::default()
        };
        let exec = docker.create_exec(container, config).await.map_err(|error| failed(&error))?;
        let started = docker.start_exec(&exec.id, None::<StartExecOptions>).await.map_err(|error| failed(&error))?;
        let mut printed = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(piece) = output.next().await {
                if let LogOutput::StdOut { message } | LogOutput::Console { message } =
                    piece.map_err(|error| failed(&error))?
                {
                    printed.extend_from_slice(&message);
                }
            }
        }
        printed_by_script(&printed).ok_or_else(|| failed(&"it ended meanwhile"))
    };
    match tokio::time::timeout(LOOKS_WITHIN, look).await {
        Ok(result) => result,
        Err(_) => Err(failed(&format!("no answer in {} s", LOOKS_WITHIN.as_secs()))),
    }
}

/// What the script printed, if it came to its end.
fn printed_by_script(printed: &[u8]) -> Option<String> {
    String::from_utf8_lossy(printed).strip_suffix(DONE).map(str::to_owned)
}

/// Reads a line of /proc/PID/stat (proc(5)).
fn process(line: &str) -> Option<Process> {
    let (before, after) = line.rsplit_once(')')?;
    let (pid, name) = before.split_once(" (")?;
    // The first field after the name is the third of the line.
    let fields: Vec<&str> = after.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)?.checked_add(number(15)?)?;
    Some(Process {
        pid: pid.parse().ok()?,
        parent: number(4)?.try_into().ok()?,
        name: name.to_owned(),
        used: TICK.saturating_mul(ticks.try_into().ok()?),
        resident: number(24)?.saturating_mul(PAGE),
        started: number(22)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // A container that ended between two looks was once said to have left a core dump called "cannot exec in a stopped
    // state".
    #[test]
    fn only_what_the_script_printed_counts() {
        assert_eq!(printed_by_script(b"/core 1\nloginspec has looked inside\n").as_deref(), Some("/core 1\n"));
        assert_eq!(printed_by_script(b"loginspec has looked inside\n").as_deref(), Some(""));
        assert_eq!(printed_by_script(b"cannot exec in a stopped state: unknown\r\n"), None);
        assert_eq!(printed_by_script(b""), None);
    }

    #[test]
    fn a_line_of_stat() {
        let line = "41 (imap4d (x) y) R 1 41 1 0 -1 4194304 183 0 0 0 151 49 0 0 20 0 1 0 98765 9830400 1024 \
                    18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0";
        let found = process(line).unwrap();
        assert_eq!((found.pid, found.parent, found.name.as_str()), (41, 1, "imap4d (x) y"));
        assert_eq!((found.used, found.resident, found.started), (Duration::from_secs(2), 4_194_304, 98765));
        for wrong in ["", "41", "41 (x)", "41 (x) R 1", "x (y) R 1 2 3"] {
            assert_eq!(process(wrong), None, "{wrong}");
        }
    }
}
