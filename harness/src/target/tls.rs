//! The `[tls]` table of a target file, the files that it names, and what a command line says otherwise.

use std::path::{Path, PathBuf};

use crate::secret::Password;
use crate::source::{Field, Kind, Mistake, ReadError, SourceText, Table, Text};
use crate::transport::{ClientCertificate, Roots, TlsSettings, TlsVersion};

/// The words for the versions of TLS.
pub(super) const VERSIONS: &[&str] = &["1.2", "1.3"];

/// What the table may hold.
pub(super) const TLS_FIELDS: &[Field] = &[
    Field::new(
        "ca",
        Kind::Text,
        "A PEM file beside this one: only its certificates are trusted, and what they have signed.",
    ),
    Field::new("server-name", Kind::Text, "The name that the certificate must be for, where it is not the address's."),
    Field::new("oldest", Kind::Word(VERSIONS), "The oldest version that is spoken."),
    Field::new("newest", Kind::Word(VERSIONS), "The newest version that is spoken."),
    Field::new("verify", Kind::Flag, "Whether the certificate is verified; every report says so where it is not."),
];

/// What an account's `certificate` may hold.
pub(super) const CERTIFICATE_FIELDS: &[Field] = &[
    Field::new("chain", Kind::Text, "A PEM file beside this one: the certificate and what leads up from it."),
    Field::new("key", Kind::Text, "A PEM file beside this one: its private key."),
];

/// What a command line says of TLS; it has the last word.
#[derive(Debug, Clone, Default)]
pub struct TlsOverrides {
    /// A PEM file with the only authorities that are trusted.
    pub ca: Option<PathBuf>,
    /// The name that the certificate must be for.
    pub server_name: Option<String>,
    /// The oldest version.
    pub oldest: Option<TlsVersion>,
    /// The newest version.
    pub newest: Option<TlsVersion>,
    /// Whether nothing is verified.
    pub insecure: bool,
}

/// The version of TLS that `1.2` or `1.3` stands for.
pub fn tls_version(word: &str) -> Option<TlsVersion> {
    match word {
        "1.2" => Some(TlsVersion::Tls12),
        "1.3" => Some(TlsVersion::Tls13),
        _ => None,
    }
}

/// The word for a version of TLS.
pub const fn version_word(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Tls12 => "1.2",
        TlsVersion::Tls13 => "1.3",
    }
}

impl TlsOverrides {
    /// Changes the settings; gives back what is wrong with the two together.
    pub fn apply(&self, settings: &mut TlsSettings) -> Result<(), String> {
        if let Some(path) = &self.ca {
            let pem = read_pem(path, "CERTIFICATE").map_err(|error| error.to_string())?;
            settings.roots = Roots::Own(pem);
        }
        if let Some(name) = &self.server_name {
            if !is_server_name(name) {
                return Err(format!("`{name}` is no server's name"));
            }
            settings.server_name = Some(name.clone());
        }
        settings.oldest = self.oldest.unwrap_or(settings.oldest);
        settings.newest = self.newest.unwrap_or(settings.newest);
        if settings.oldest > settings.newest {
            return Err("the oldest version of TLS is newer than the newest".to_string());
        }
        settings.verified &= !self.insecure;
        Ok(())
    }
}

/// Reads the `[tls]` table.
pub(super) fn tls_settings(table: &Table<'_>, place: &Path) -> TlsSettings {
    let mut settings = TlsSettings::default();
    if let Some(pem) = pem(table, "ca", place, "CERTIFICATE") {
        settings.roots = Roots::Own(pem);
    }
    settings.server_name = table.text("server-name").and_then(|text| server_name(table, text));
    settings.oldest = table.word("oldest", tls_version).unwrap_or(settings.oldest);
    settings.newest = table.word("newest", tls_version).unwrap_or(settings.newest);
    if settings.oldest > settings.newest {
        table.mistake(Mistake::new(
            table.span_of("oldest"),
            "the oldest version of TLS is newer than the newest",
            "nothing is left to speak",
        ));
    }
    settings.verified = table.flag("verify").unwrap_or(true);
    settings
}

/// Reads an account's certificate.
pub(super) fn certificate(table: &Table<'_>, place: &Path) -> Option<ClientCertificate> {
    for name in ["chain", "key"] {
        if !table.has(name) {
            table.mistake(Mistake::new(table.span(), format!("missing field `{name}`"), "it belongs here"));
        }
    }
    let chain = pem(table, "chain", place, "CERTIFICATE");
    let key = pem(table, "key", place, "PRIVATE KEY");
    Some(ClientCertificate { chain: chain?, key: Password::new(key?) })
}

fn pem(table: &Table<'_>, name: &str, place: &Path, holds: &str) -> Option<Vec<u8>> {
    let text = table.text(name)?;
    match read_pem(&place.join(&text.value), holds) {
        Ok(pem) => Some(pem),
        Err(error) => {
            table.mistake(Mistake::new(text.span, error.to_string(), "named here"));
            None
        }
    }
}

/// Why a file is no PEM file of the kind that is wanted.
#[derive(Debug, thiserror::Error)]
enum PemError {
    #[error("{0}")]
    Unreadable(#[from] ReadError),
    #[error("failed to read {}: it holds no `-----BEGIN … {holds}-----`", path.display())]
    Lacks { path: PathBuf, holds: String },
}

/// A file that holds such a block; what is in it, TLS finds out.
fn read_pem(path: &Path, holds: &str) -> Result<Vec<u8>, PemError> {
    let text = SourceText::read(path)?.text;
    let is_begin = |line: &str| {
        let line = line.trim_end();
        line.starts_with("-----BEGIN ") && line.strip_suffix("-----").is_some_and(|line| line.ends_with(holds))
    };
    if !text.lines().any(is_begin) {
        return Err(PemError::Lacks { path: path.to_path_buf(), holds: holds.to_string() });
    }
    Ok(text.into_bytes())
}

fn server_name(table: &Table<'_>, text: Text) -> Option<String> {
    if is_server_name(&text.value) {
        return Some(text.value);
    }
    table.mistake(
        Mistake::new(text.span, format!("`{}` is no server's name", text.value), "a DNS name or an IP address")
            .with_help("for example: server-name = \"mail.example.org\", without a port"),
    );
    None
}

/// A DNS name, or an address without a port.
fn is_server_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    name.parse::<std::net::IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_names() {
        for name in ["mail.example.org", "localhost", "192.0.2.1", "::1"] {
            assert!(is_server_name(name), "{name}");
        }
        for name in ["", "mail.example.org:993", "a b", ".org", "[::1]", "a..b"] {
            assert!(!is_server_name(name), "{name}");
        }
    }

    #[test]
    fn the_command_line_has_the_last_word() {
        let mut settings = TlsSettings::default();
        let overrides = TlsOverrides { oldest: Some(TlsVersion::Tls13), insecure: true, ..TlsOverrides::default() };
        overrides.apply(&mut settings).unwrap();
        assert_eq!((settings.oldest, settings.verified), (TlsVersion::Tls13, false));
        let wrong = TlsOverrides { newest: Some(TlsVersion::Tls12), ..TlsOverrides::default() };
        assert!(wrong.apply(&mut settings).unwrap_err().contains("newer"));
        let missing = TlsOverrides { ca: Some(PathBuf::from("no/such.pem")), ..TlsOverrides::default() };
        assert!(missing.apply(&mut TlsSettings::default()).unwrap_err().starts_with("failed to read no/such.pem"));
    }
}
