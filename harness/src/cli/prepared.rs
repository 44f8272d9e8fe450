//! The target that a command line means: chosen, read, and started when it is time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::exit_code::CliError;
use super::help::{REFERENCE, TARGET};
use super::quick::{QuickArgs, WireArgs};
use super::reading;
use crate::axes::Security;
use crate::identity::{Dialect, Directory, bundled_dialect_names};
use crate::reference::Flaws;
use crate::runner::Plan;
use crate::scenario::{Scenario, Vocabulary};
#[cfg(feature = "containers")]
use crate::source::{nearest, one_of};
use crate::target::{
    Passwords, Records, Target, TargetChoice, find_dialect, read_target, remote_target, start_reference,
};

/// How many connections there are at once to a server that is not ours.
const JOBS_ABROAD: usize = 16;
/// How many to our own; more than this only makes them wait for each other.
const JOBS_AT_HOME: usize = 64;

/// What stands on the command line about the target.
#[derive(Debug, Clone, Args)]
pub(super) struct TargetArgs {
    /// The server under test: reference, reference:DIALECT, container:NAME or FILE.toml.
    ///
    /// `reference` alone runs each scenario in each dialect that it names. A DIALECT may be a file, too.
    #[arg(help_heading = TARGET, long, short, value_name = "TARGET", default_value = "reference")]
    pub target: String,
    #[command(flatten)]
    pub quick: QuickArgs,
    #[command(flatten)]
    pub wire: WireArgs,
    /// The accounts of the reference server, as a directory file [default: the bundled directory].
    #[arg(help_heading = REFERENCE, long, value_name = "FILE")]
    pub directory: Option<PathBuf>,
}

/// A target that is chosen but not started.
pub(super) enum Prepared {
    /// The reference server, in each of these dialects.
    Reference(Vec<Arc<Dialect>>, Arc<Directory>),
    /// A server in a container.
    #[cfg_attr(not(feature = "containers"), allow(dead_code))]
    Container(String, Arc<Dialect>, Arc<Directory>, Records),
    /// A server described by a file or by the command line.
    Remote(Box<Target>),
}

impl TargetArgs {
    /// Those of a container.
    #[cfg(feature = "containers")]
    pub fn container(name: &str) -> Self {
        Self {
            target: format!("container:{name}"),
            directory: None,
            quick: QuickArgs::default(),
            wire: WireArgs::default(),
        }
    }
}

/// Finds out what the target arguments mean, without starting anything.
pub(super) fn prepare(args: &TargetArgs, passwords: Passwords) -> Result<Prepared, CliError> {
    if let Some(target) = args.quick.target(&args.wire, passwords)? {
        return Ok(Prepared::Remote(Box::new(target)));
    }
    let choice = TargetChoice::parse(&args.target)?;
    if args.directory.is_some() && !matches!(choice, TargetChoice::Reference | TargetChoice::ReferenceWith(_)) {
        return Err(CliError::Usage(
            "--directory is for the reference server only; another target's accounts are in its own file".to_string(),
        ));
    }
    if !matches!(choice, TargetChoice::File(_)) {
        args.wire.refuse_abroad()?;
    }
    Ok(match choice {
        TargetChoice::Reference => {
            let dialects = bundled_dialect_names().map(|name| Ok(Arc::new(find_dialect(name)?)));
            let mut dialects = dialects.collect::<Result<Vec<_>, CliError>>()?;
            dialects.push(Arc::new(find_dialect("opaque")?.requiring_tls()));
            Prepared::Reference(dialects, Arc::new(reading::directory(args.directory.as_ref())?))
        }
        TargetChoice::ReferenceWith(name) => {
            let dialect = find_dialect(&name)?;
            let strict = Arc::new(dialect.clone().requiring_tls());
            Prepared::Reference(vec![Arc::new(dialect), strict], Arc::new(reading::directory(args.directory.as_ref())?))
        }
        TargetChoice::Container(name) => prepare_container(name)?,
        TargetChoice::File(path) => {
            let place = path.parent().unwrap_or(Path::new("")).to_path_buf();
            let file = read_target(&reading::source(&path)?, &place, passwords, true)?;
            let dialect = find_dialect(&file.dialect)?;
            let mut target = remote_target(file, dialect);
            args.wire.apply(&mut target)?;
            Prepared::Remote(Box::new(target))
        }
    })
}

#[cfg(feature = "containers")]
fn prepare_container(name: String) -> Result<Prepared, CliError> {
    let known = loginspec_containers::names();
    let Some(file) = crate::target::container_file(&name) else {
        let advice = match nearest(&name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected {}", one_of(known.iter().copied())),
        };
        return Err(CliError::Usage(format!("unknown container `{name}`: {advice}")));
    };
    let file = file?;
    let dialect = crate::target::container_dialect(&file)?;
    Ok(Prepared::Container(name, Arc::new(dialect), Arc::new(file.directory), file.known))
}

#[cfg(not(feature = "containers"))]
fn prepare_container(name: String) -> Result<Prepared, CliError> {
    Err(CliError::Usage(format!(
        "this build has no containers, so `container:{name}` cannot be started; build with `--features containers`"
    )))
}

impl Prepared {
    /// The dialects of the targets, in order.
    pub fn dialects(&self) -> Vec<Arc<Dialect>> {
        match self {
            Self::Reference(dialects, _) => dialects.clone(),
            Self::Container(_, dialect, ..) => vec![Arc::clone(dialect)],
            Self::Remote(target) => vec![Arc::clone(&target.dialect)],
        }
    }

    /// The words that scenarios may use.
    pub fn vocabulary(&self) -> Result<Vocabulary, CliError> {
        let directory = match self {
            Self::Reference(_, directory) | Self::Container(_, _, directory, _) => directory,
            Self::Remote(target) => &target.directory,
        };
        reading::vocabulary(directory, self.dialects().iter().map(|dialect| dialect.name.clone()))
    }

    /// Whether it is one server that is not ours.
    pub const fn is_abroad(&self) -> bool {
        !matches!(self, Self::Reference(..))
    }

    /// Declares that the server never locks an account.
    pub fn assume_no_lockout(&mut self) -> Result<(), CliError> {
        let Self::Remote(target) = self else {
            return Err(CliError::Usage(
                "--no-lockout is for other people's servers: the reference server and the containers never lock an account"
                    .to_string(),
            ));
        };
        if target.limits.lockout.is_some() {
            return Err(CliError::Usage(
                "--no-lockout contradicts `lockout` under [limits] in the target file".to_string(),
            ));
        }
        target.limits.wrong_passwords = None;
        Ok(())
    }

    /// What its file records.
    pub fn records(&self) -> Records {
        match self {
            Self::Reference(..) => Records::default(),
            Self::Container(.., records) => records.clone(),
            Self::Remote(target) => target.known.clone(),
        }
    }

    /// What its file expects of the server besides the cases. Those of containers, whose addresses are not known yet, have
    /// no such expectations.
    pub fn expectations(&self) -> Option<Arc<Scenario>> {
        match self {
            Self::Reference(..) | Self::Container(..) => None,
            Self::Remote(target) => target.expect.scenario.clone(),
        }
    }

    /// How many connections there are at once where nobody says so.
    pub const fn jobs(&self) -> usize {
        match self {
            Self::Reference(..) => JOBS_AT_HOME,
            Self::Container(..) | Self::Remote(_) => JOBS_ABROAD,
        }
    }

    /// Starts every target.
    pub async fn start_all(self, flaws: Flaws, security: Option<Security>) -> Result<Vec<Arc<Target>>, CliError> {
        let Self::Reference(dialects, directory) = self else {
            return Ok(self.start(Plan::default(), flaws, security).await?.1);
        };
        let start = |dialect: Arc<Dialect>| {
            let name = dialect.name.clone();
            let target = start_reference(dialect, Arc::clone(&directory), flaws)
                .map_err(|error| CliError::Start { name: format!("reference:{name}"), reason: error.to_string() })?;
            Ok(Arc::new(with_security(target, security)))
        };
        dialects.into_iter().map(start).collect()
    }

    /// Starts what the plan needs, and no more.
    ///
    /// Cases that ask for no security get `security`, where that is given.
    pub async fn start(
        self,
        mut plan: Plan,
        flaws: Flaws,
        security: Option<Security>,
    ) -> Result<(Plan, Vec<Arc<Target>>), CliError> {
        let failed = |name: String, reason: String| CliError::Start { name, reason };
        match self {
            Self::Remote(target) => Ok((plan, vec![Arc::new(with_security(*target, security))])),
            #[cfg(not(feature = "containers"))]
            Self::Container(name, ..) => Err(failed(name, "this build has no containers".to_string())),
            #[cfg(feature = "containers")]
            Self::Container(name, ..) => {
                let note = format!("starting container:{name}; where its image is missing, it is built first\n");
                std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes())?;
                match crate::target::start_container(&name).await {
                    Ok(target) => Ok((plan, vec![Arc::new(with_security(target, security))])),
                    Err(error) => Err(failed(format!("container:{name}"), error.to_string())),
                }
            }
            Self::Reference(dialects, directory) => {
                let mut targets = Vec::new();
                for (index, dialect) in dialects.into_iter().enumerate() {
                    if !plan.list.iter().any(|planned| planned.target == index) {
                        continue;
                    }
                    let name = dialect.name.clone();
                    let target = start_reference(dialect, Arc::clone(&directory), flaws)
                        .map_err(|error| failed(format!("reference:{name}"), error.to_string()))?;
                    // Targets that are not started leave no gap in the numbering.
                    for planned in plan.list.iter_mut().filter(|planned| planned.target == index) {
                        planned.target = targets.len();
                    }
                    targets.push(Arc::new(with_security(target, security)));
                }
                Ok((plan, targets))
            }
        }
    }
}

fn with_security(target: Target, security: Option<Security>) -> Target {
    Target { default_security: security, ..target }
}
