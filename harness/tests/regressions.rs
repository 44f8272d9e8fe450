//! Changes to a mail server that a pipeline must notice. Each is made to a Dovecot in a container, whose unchanged state was
//! accepted before; the program must end with another exit code than 0, and the first line of its answer must name the cause.
//!
//! Without a Docker daemon the trials are listed as ignored; with REQUIRE_DOCKER=1 they fail instead.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![expect(clippy::print_stdout, reason = "a log of CI shows how each change is noticed")]

mod docker;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use libtest_mimic::{Arguments, Failed};
use loginspec_containers::{Running, Service, start_with};
use tempfile::TempDir;

use crate::docker::{Docker, runtime};

const SERVER: &str = "dovecot-2.3-packaged";
/// How many servers run at once: a run waits most of the time.
const AT_ONCE: usize = 6;
/// The login name and the password of the account that runs log in with (harness/containers/dovecot-2.3-packaged/accounts).
const LOGIN: &str = "jdoe@example.org";
const PASSWORD: (&str, &str) = ("LOGINSPEC_PASSWORD", "Sommer-Regen-7");
/// Somebody else, whose mailbox the account must not open.
const OTHER_PASSWORD: (&str, &str) = ("LOGINSPEC_OTHER_PASSWORD", "Winter-Sonne-9");
const OTHER_ACCOUNT: &str = r#"
[[account]]
role     = "renamed"
user     = "mroe"
domain   = "example.org"
dns      = "example.org"
mailbox  = "mroe"
password = { env = "LOGINSPEC_OTHER_PASSWORD" }
"#;
/// What a smoke run takes at most where a refusal takes 2 s, as it does with Debian's packaged settings.
const SMOKE: Duration = Duration::from_secs(60);

/// A change to the server, and how a run ends with it.
struct Regression {
    /// Its name in harness/containers/dovecot-2.3-packaged/start.sh.
    change: &'static str,
    exit_code: i32,
    /// How the first line of the answer begins.
    verdict: &'static str,
    /// What the first line holds.
    cause: &'static [&'static str],
}

const REGRESSIONS: &[Regression] = &[
    Regression {
        change: "scram-sha-256-removed",
        exit_code: 1,
        verdict: "FAILED",
        cause: &["SCRAM-SHA-256", "is not offered"],
    },
    Regression {
        change: "starttls-removed",
        exit_code: 1,
        verdict: "FAILED",
        cause: &["STARTTLS is offered", "the server refuses STARTTLS"],
    },
    Regression {
        change: "starttls-stripped",
        exit_code: 1,
        verdict: "FAILED",
        cause: &["STARTTLS works, but the capabilities do not list it"],
    },
    Regression {
        change: "plaintext-passwords-allowed",
        exit_code: 1,
        verdict: "FAILED",
        cause: &["a password may travel without TLS"],
    },
    Regression {
        change: "names-lower-cased",
        exit_code: 1,
        verdict: "FAILED",
        cause: &["a recorded deviation no longer happens", "login-names/other-case"],
    },
    Regression {
        change: "domain-dropped",
        exit_code: 1,
        verdict: "FAILED",
        cause: &["login as `", "expected rejected, got opened"],
    },
    Regression {
        change: "percent-translated",
        exit_code: 1,
        verdict: "FAILED",
        cause: &["%example.org`", "got opened", "user-percent-dns"],
    },
    Regression {
        change: "master-user-separator-enabled",
        exit_code: 1,
        verdict: "FAILED",
        cause: &["login as `jdoe@example.org*jdoe@example.org`", "got opened"],
    },
    Regression {
        change: "other-mailbox-granted",
        exit_code: 1,
        verdict: "FAILED",
        cause: &["a login opened a mailbox of another account", "sasl/authzid/somebody-else"],
    },
    Regression { change: "auth-backend-down", exit_code: 1, verdict: "INCONCLUSIVE", cause: &["[UNAVAILABLE]"] },
    Regression {
        change: "ban-after-five-failures",
        exit_code: 3,
        verdict: "INCONCLUSIVE",
        cause: &["this address appears to be banned"],
    },
];

/// The unchanged server, and the target file with what was accepted of it.
struct Baseline {
    folder: TempDir,
    target_file: String,
    addresses: [SocketAddr; 4],
}

/// What every trial starts from. The first one that needs it makes it, and the others wait.
fn baseline() -> Result<&'static Baseline, Failed> {
    static BASELINE: LazyLock<Result<Baseline, String>> = LazyLock::new(|| {
        runtime().block_on(accept_the_server()).map_err(|failed| failed.message().unwrap_or_default().to_string())
    });
    BASELINE.as_ref().map_err(Failed::from)
}

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(AT_ONCE).min(AT_ONCE));

    let docker = Docker::find();
    // The longest one first.
    let mut trials = vec![docker.trial("the_unchanged_server_passes_with_the_packaged_delays", || {
        runtime().block_on(passes_with_the_packaged_delays(baseline()?))
    })];
    trials.extend(REGRESSIONS.iter().map(|regression| {
        let name = format!("{}_is_noticed", regression.change.replace('-', "_"));
        docker.trial(name, || runtime().block_on(is_noticed(regression, baseline()?)))
    }));
    trials.push(docker.trial("the_unchanged_server_passes", || baseline().map(drop)));
    libtest_mimic::run(&arguments, trials).exit();
}

/// Makes a target file as a user does: `init`, another account by hand, and `run --accept`.
async fn accept_the_server() -> Result<Baseline, Failed> {
    let server = start_with(SERVER, &[("DELAYS", "none")]).await?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("ca.pem"), server.authority().ok_or("the server has no certificate")?)?;
    let addresses = addresses(&server)?;
    let [imap, pop3, imaps, pop3s] = addresses.map(|address| address.to_string());
    let init = ["init", "localhost", "--account", LOGIN, "--ca", "ca.pem", "--server-name", "localhost"];
    let at = ["--imap", &*imap, "--pop3", &*pop3, "--imaps", &*imaps, "--pop3s", &*pop3s, "--output", "target.toml"];
    ends_with(0, &loginspec(folder.path(), &[&init[..], &at].concat()))?;

    let path = folder.path().join("target.toml");
    std::fs::write(&path, std::fs::read_to_string(&path)? + OTHER_ACCOUNT)?;
    let accept = [&run("target.toml")[..], &["--accept", "--accept-security"]].concat();
    ends_with(1, &loginspec(folder.path(), &accept))?;
    let text = ends_with(0, &loginspec(folder.path(), &run("target.toml")))?;
    if !text.lines().last().unwrap_or_default().starts_with("PASSED: ") {
        return Err(text.into());
    }
    server.stop().await;
    Ok(Baseline { target_file: std::fs::read_to_string(&path)?, folder, addresses })
}

/// The short run that every trial makes. It waits less for a reply than by default: to one tag Dovecot never replies.
fn run(target_file: &str) -> [&str; 7] {
    ["run", "--target", target_file, "--smoke", "--quiet", "--timeout", "3s"]
}

async fn passes_with_the_packaged_delays(baseline: &Baseline) -> Result<(), Failed> {
    let server = start_with(SERVER, &[]).await?;
    let file = baseline.target_file_of(&server, "packaged.toml")?;
    let start = Instant::now();
    let output = loginspec(baseline.folder.path(), &["run", "--target", &file, "--smoke", "--quiet"]);
    let took = start.elapsed();
    server.stop().await;
    let text = ends_with(0, &output)?;
    println!("packaged delays: {took:?}");
    assert!(took < SMOKE, "{took:?}: {text}");
    Ok(())
}

async fn is_noticed(regression: &Regression, baseline: &Baseline) -> Result<(), Failed> {
    let server = start_with(SERVER, &[("DELAYS", "none"), ("CHANGE", regression.change)]).await?;
    let file = baseline.target_file_of(&server, &format!("{}.toml", regression.change))?;
    let start = Instant::now();
    let output = loginspec(baseline.folder.path(), &run(&file));
    let text = ends_with(regression.exit_code, &output)?;
    let first = text.lines().next().unwrap_or_default();
    let names_cause = regression.cause.iter().all(|words| first.contains(words));
    println!("{}: exit code {}, {:?}: {first}", regression.change, regression.exit_code, start.elapsed());
    if !first.starts_with(&format!("{}: ", regression.verdict)) || !names_cause {
        return Err(text.into());
    }
    server.stop().await;
    Ok(())
}

impl Baseline {
    /// Writes the target file anew with the addresses of another server.
    fn target_file_of(&self, server: &Running, name: &str) -> Result<String, Failed> {
        let mut text = self.target_file.clone();
        for (old, new) in self.addresses.iter().zip(addresses(server)?) {
            text = text.replace(&format!("'{old}'"), &format!("'{new}'"));
        }
        std::fs::write(self.folder.path().join(name), text)?;
        Ok(name.to_string())
    }
}

fn addresses(server: &Running) -> Result<[SocketAddr; 4], Failed> {
    let address = |service| server.address(service).ok_or_else(|| format!("{service:?} is not published"));
    let [imap, pop3, imaps, pop3s] = Service::ALL;
    Ok([address(imap)?, address(pop3)?, address(imaps)?, address(pop3s)?])
}

fn loginspec(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("loginspec").unwrap();
    let secrets = [PASSWORD, OTHER_PASSWORD];
    command.current_dir(folder).envs(secrets).args(arguments).timeout(Duration::from_secs(150)).output().unwrap()
}

/// What the program printed, where it ended with this exit code; no password is in it.
fn ends_with(code: i32, output: &Output) -> Result<String, Failed> {
    let text = String::from_utf8(output.stdout.clone())? + &String::from_utf8(output.stderr.clone())?;
    if output.status.code() != Some(code) {
        return Err(format!("{:?} instead of {code}\n{text}", output.status.code()).into());
    }
    for (_, password) in [PASSWORD, OTHER_PASSWORD] {
        assert!(!text.contains(password), "a password is in the output");
    }
    Ok(text)
}
