//! A stranger's server without a target file, and what the command line says of security for any target.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::exit_code::CliError;
use super::help::{SERVER, TLS};
use crate::axes::{Protocol, Security};
use crate::identity::UNKNOWN_DIALECT;
use crate::target::{
    Endpoint, Origin, Passwords, QuickTarget, Target, TlsOverrides, quick_target, tls_version, with_usual_port,
};
use crate::transport::{TlsSettings, TlsVersion};

/// The variable that holds the password where nobody names another.
const PASSWORD: &str = "LOGINSPEC_PASSWORD";

/// A server and one account on it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = SERVER)]
pub(super) struct QuickArgs {
    /// Address for IMAP; port 143 by default. STARTTLS is used unless --security says otherwise.
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with_all = ["target", "directory"])]
    pub imap: Option<String>,
    /// Address for IMAP with TLS from the first octet; port 993 by default.
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with_all = ["target", "directory"])]
    pub imaps: Option<String>,
    /// Address for POP3; port 110 by default. STLS is used unless --security says otherwise.
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with_all = ["target", "directory"])]
    pub pop3: Option<String>,
    /// Address for POP3 with TLS from the first octet; port 995 by default.
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with_all = ["target", "directory"])]
    pub pop3s: Option<String>,
    /// User name of the account, which gets the role `same`.
    #[arg(long, value_name = "USER")]
    pub account: Option<String>,
    /// Name of the account's mailbox [default: the user name].
    #[arg(long, value_name = "NAME")]
    pub mailbox: Option<String>,
    /// Domain of the account.
    #[arg(long, value_name = "NAME")]
    pub domain: Option<String>,
    /// Environment variable that holds the password [default: LOGINSPEC_PASSWORD, else a prompt].
    #[arg(long, value_name = "VAR", conflicts_with_all = ["password_file", "password_command"])]
    pub password_env: Option<String>,
    /// File whose first line is the password.
    #[arg(long, value_name = "FILE", conflicts_with = "password_command")]
    pub password_file: Option<PathBuf>,
    /// Shell command whose first line of output is the password.
    #[arg(long, value_name = "COMMAND")]
    pub password_command: Option<String>,
    /// Environment variable that holds the account's bearer token (XOAUTH2, OAUTHBEARER).
    #[arg(long, value_name = "VAR")]
    pub token_env: Option<String>,
    /// How the server reads login names: a bundled dialect or a FILE.toml [default: unknown].
    #[arg(long, value_name = "DIALECT")]
    pub dialect: Option<String>,
}

/// How connections are secured.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = TLS)]
pub(super) struct WireArgs {
    /// Security of cases that ask for none [default: the target file's, else starttls].
    ///
    /// A server that does not offer it fails the run, and gets no password. `plaintext` sends passwords unprotected.
    #[arg(long, value_name = "SECURITY", value_parser = security_parser())]
    pub security: Option<Security>,
    /// Trust only the certificates in this PEM file and what they have signed; the server's own may be one of them.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Expect the server's certificate to be for this name.
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// Oldest version of TLS to offer.
    #[arg(long, value_name = "VERSION", value_parser = version_parser())]
    pub tls_oldest: Option<TlsVersion>,
    /// Newest version of TLS to offer.
    #[arg(long, value_name = "VERSION", value_parser = version_parser())]
    pub tls_newest: Option<TlsVersion>,
    /// Do not verify the server's certificate. Every report says so.
    #[arg(long)]
    pub insecure: bool,
    /// Run cases that want plaintext even where the target asks for TLS: they send passwords unprotected.
    #[arg(long)]
    pub allow_plaintext: bool,
}

impl WireArgs {
    /// The same again, as words of a command line.
    pub fn words(&self) -> Vec<String> {
        let version = |version: TlsVersion| if version == TlsVersion::Tls12 { "1.2" } else { "1.3" };
        let security = self.security.map(|security| security.word().to_string());
        let ca = self.ca.as_ref().map(|path| path.display().to_string());
        let oldest = self.tls_oldest.map(|oldest| version(oldest).to_string());
        let newest = self.tls_newest.map(|newest| version(newest).to_string());
        let mut words = given([
            ("--security", &security),
            ("--ca", &ca),
            ("--server-name", &self.server_name),
            ("--tls-oldest", &oldest),
            ("--tls-newest", &newest),
        ]);
        let flags = [("--insecure", self.insecure), ("--allow-plaintext", self.allow_plaintext)];
        words.extend(flags.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag.to_string()));
        words
    }
}

/// The options that have a value, each followed by it.
fn given<'a>(options: impl IntoIterator<Item = (&'a str, &'a Option<String>)>) -> Vec<String> {
    let words = |(option, value): (&str, &Option<String>)| Some([option.to_string(), value.clone()?]);
    options.into_iter().filter_map(words).flatten().collect()
}

fn security_parser() -> impl TypedValueParser<Value = Security> {
    PossibleValuesParser::new(Security::WORDS).try_map(|word| Security::from_word(&word).ok_or("no such security"))
}

fn version_parser() -> impl TypedValueParser<Value = TlsVersion> {
    PossibleValuesParser::new(["1.2", "1.3"]).try_map(|word| tls_version(&word).ok_or("no such version"))
}

impl QuickArgs {
    /// The same again, as words of a command line; nothing where no address is given.
    pub fn words(&self) -> Vec<String> {
        let addresses =
            [("--imap", &self.imap), ("--imaps", &self.imaps), ("--pop3", &self.pop3), ("--pop3s", &self.pop3s)];
        if addresses.iter().all(|(_, value)| value.is_none()) {
            return Vec::new();
        }
        let file = self.password_file.as_ref().map(|path| path.display().to_string());
        let others = [
            ("--account", &self.account),
            ("--mailbox", &self.mailbox),
            ("--domain", &self.domain),
            ("--password-env", &self.password_env),
            ("--password-file", &file),
            ("--password-command", &self.password_command),
            ("--token-env", &self.token_env),
            ("--dialect", &self.dialect),
        ];
        given(addresses.into_iter().chain(others))
    }

    /// The target that is meant; nothing where no address is given.
    pub fn target(&self, wire: &WireArgs, passwords: Passwords) -> Result<Option<Target>, CliError> {
        let endpoints = self.endpoints(wire)?;
        if endpoints.is_empty() {
            return match self.idle_flag() {
                Some(flag) => Err(CliError::Usage(format!(
                    "{flag} is for a server without a target file: say where it is with --imap, --imaps, --pop3 or \
                     --pop3s"
                ))),
                None => Ok(None),
            };
        }
        let Some(user) = self.account.clone() else {
            return Err(CliError::Usage("--account USER is missing: who logs in?".to_string()));
        };
        let quick = QuickTarget {
            endpoints,
            dialect: self.dialect.clone().unwrap_or_else(|| UNKNOWN_DIALECT.to_string()),
            mailbox: self.mailbox.clone(),
            domain: self.domain.clone(),
            password: self.password(passwords)?,
            token: self.token_env.clone().map(Origin::Env),
            tls: TlsSettings::default(),
            user,
        };
        let mut target = quick_target(quick, passwords)?;
        wire.apply(&mut target)?;
        Ok(Some(target))
    }

    fn endpoints(&self, wire: &WireArgs) -> Result<Vec<Endpoint>, CliError> {
        let mut endpoints = Vec::new();
        for (protocol, address, secure) in
            [(Protocol::Imap, &self.imap, &self.imaps), (Protocol::Pop3, &self.pop3, &self.pop3s)]
        {
            if let Some(address) = address {
                // With a port of its own for TLS, `--security tls` means that one.
                let asked = wire.security.filter(|&security| security != Security::Tls || secure.is_none());
                endpoints.push(endpoint(protocol, address, asked)?);
            }
            if let Some(address) = secure {
                endpoints.push(endpoint(protocol, address, Some(Security::Tls))?);
            }
        }
        Ok(endpoints)
    }

    /// A flag that means nothing without an address.
    fn idle_flag(&self) -> Option<&'static str> {
        let flags = [
            (self.account.is_some(), "--account"),
            (self.mailbox.is_some(), "--mailbox"),
            (self.domain.is_some(), "--domain"),
            (self.password_env.is_some(), "--password-env"),
            (self.password_file.is_some(), "--password-file"),
            (self.password_command.is_some(), "--password-command"),
            (self.token_env.is_some(), "--token-env"),
            (self.dialect.is_some(), "--dialect"),
        ];
        flags.into_iter().find(|(is_given, _)| *is_given).map(|(_, flag)| flag)
    }

    /// Where the password comes from. It never stands on the command line, where every user of the machine can see it.
    pub fn password(&self, passwords: Passwords) -> Result<Origin, CliError> {
        if let Some(variable) = &self.password_env {
            return Ok(Origin::Env(variable.clone()));
        }
        if let Some(path) = &self.password_file {
            return Ok(Origin::File(path.clone()));
        }
        if let Some(command) = &self.password_command {
            return Ok(Origin::Command(command.clone()));
        }
        if std::env::var_os(PASSWORD).is_some() || passwords == Passwords::Ignore {
            return Ok(Origin::Env(PASSWORD.to_string()));
        }
        if !io::stdin().is_terminal() {
            return Err(CliError::NoPassword(format!(
                "there is no password: set {PASSWORD}, or give --password-env VAR, --password-file FILE or \
                 --password-command COMMAND (on a terminal it is asked for)"
            )));
        }
        Ok(Origin::Prompt)
    }
}

/// One endpoint. Passwords travel in plaintext only where the command line asks for it, on this machine too.
fn endpoint(protocol: Protocol, address: &str, security: Option<Security>) -> Result<Endpoint, CliError> {
    let is_tls = security == Some(Security::Tls);
    let address = with_usual_port(address, protocol, is_tls).map_err(CliError::Usage)?;
    Ok(Endpoint { protocol, address, security: security.unwrap_or(Security::Starttls) })
}

impl WireArgs {
    /// Changes a target that is not ours.
    pub fn apply(&self, target: &mut Target) -> Result<(), CliError> {
        let overrides = TlsOverrides {
            ca: self.ca.clone(),
            server_name: self.server_name.clone(),
            oldest: self.tls_oldest,
            newest: self.tls_newest,
            insecure: self.insecure,
        };
        overrides.apply(&mut target.tls).map_err(CliError::Usage)?;
        target.allow_plaintext |= self.allow_plaintext || self.security == Some(Security::Plaintext);
        Ok(())
    }

    /// Refuses what makes sense only for servers that are not ours.
    pub fn refuse_abroad(&self) -> Result<(), CliError> {
        let flags = [
            (self.ca.is_some(), "--ca"),
            (self.server_name.is_some(), "--server-name"),
            (self.tls_oldest.is_some(), "--tls-oldest"),
            (self.tls_newest.is_some(), "--tls-newest"),
            (self.insecure, "--insecure"),
            (self.allow_plaintext, "--allow-plaintext"),
        ];
        match flags.into_iter().find(|(is_given, _)| *is_given) {
            Some((_, flag)) => Err(CliError::Usage(format!(
                "{flag} is for other people's servers: a target file, or --imap, --imaps, --pop3 or --pop3s"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_starttls_on_this_machine_too() {
        let of = |address, security| {
            let found = endpoint(Protocol::Imap, address, security).unwrap();
            (found.address, found.security)
        };
        assert_eq!(of("mail.example.org", None), ("mail.example.org:143".to_string(), Security::Starttls));
        assert_eq!(of("127.0.0.1:1143", None), ("127.0.0.1:1143".to_string(), Security::Starttls));
        assert_eq!(of("[::1]", None), ("[::1]:143".to_string(), Security::Starttls));
        assert_eq!(of("h", Some(Security::Tls)), ("h:993".to_string(), Security::Tls));
        assert_eq!(of("h", Some(Security::Plaintext)), ("h:143".to_string(), Security::Plaintext));
        assert!(endpoint(Protocol::Imap, "::1", None).is_err());
    }
}
