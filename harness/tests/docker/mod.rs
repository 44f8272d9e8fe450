//! Trials that need a Docker daemon. Without one they are listed as ignored; with REQUIRE_DOCKER=1 they fail instead.

use libtest_mimic::{Failed, Trial};

/// Whether there is a Docker daemon, and what becomes of trials if there is none.
pub struct Docker {
    /// The reason why there is no daemon, if there is none.
    missing: Option<String>,
    is_required: bool,
}

impl Docker {
    /// Looks for the daemon.
    pub fn find() -> Self {
        let found = runtime().block_on(loginspec_containers::find_daemon());
        let is_required = std::env::var("REQUIRE_DOCKER").is_ok_and(|value| value == "1");
        Self { missing: found.err().map(|error| error.to_string()), is_required }
    }

    /// A trial that needs the daemon.
    pub fn trial(&self, name: impl Into<String>, run: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
        let missing = self.missing.clone();
        let is_ignored = missing.is_some() && !self.is_required;
        let run = move || match missing {
            Some(error) => Err(format!("failed to {error}").into()),
            None => run(),
        };
        Trial::test(name, run).with_kind("docker").with_ignored_flag(is_ignored)
    }
}

/// A runtime for one trial.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}
