//! Why a server did not start, in words that read after "failed to" and say what to do about it.

use std::time::Duration;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No server has this name.
    #[error("find a container called '{name}'; there are: {known}")]
    UnknownName {
        /// The name that was asked for.
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
    /// No daemon listens where one should.
    #[error("reach a Docker daemon ({reason}); start one, or set DOCKER_HOST to where one listens")]
    NoDaemon {
        /// What the attempt to connect met.
        reason: String,
    },
    /// The daemon could not build the image.
    #[error(
        "build the image of '{name}' ({reason}); where its base image cannot be pulled, make it with \
         harness/containers/make-base-images.sh; the end of the build's output:\n{output}"
    )]
    ImageBuild {
        /// The server's name.
        name: String,
        /// What the daemon says.
        reason: String,
        /// The last lines of the build's output.
        output: String,
    },
    /// The container runs, but its server has not greeted.
    #[error(
        "get a greeting from '{name}' in {} s (last try: {last_try}); is the machine overloaded? its log ends:\n{log}",
        waited.as_secs()
    )]
    TimedOut {
        /// The server's name.
        name: String,
        /// How long it was waited for.
        waited: Duration,
        /// What the last attempt met.
        last_try: String,
        /// The last lines of the server's log.
        log: String,
    },
    /// The server ended before it greeted.
    #[error("keep '{name}' running: its server ended at once; see why in the end of its log:\n{log}")]
    Ended {
        /// The server's name.
        name: String,
        /// The last lines of the server's log.
        log: String,
    },
    /// The daemon answers, but refused something else that was asked of it.
    #[error("{asked} ({reason}); see the Docker daemon's log")]
    Daemon {
        /// What the daemon was asked to do, as a verb phrase.
        asked: String,
        /// What it says.
        reason: String,
    },
}

impl StartError {
    pub(crate) fn daemon(asked: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Daemon { asked: asked.into(), reason: reason.to_string() }
    }
}

/// The end of an output that may be long, for an error to show.
pub(crate) fn last_lines(output: &str) -> String {
    const LINES: usize = 20;
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_are_the_last_ones() {
        let output: String = (1..=30).map(|n| format!("{n}\n\n")).collect();
        let end = last_lines(&output);
        assert!(end.starts_with("11\n12"), "{end}");
        assert!(end.ends_with("\n30"), "{end}");
        assert_eq!(last_lines(""), "");
    }
}
