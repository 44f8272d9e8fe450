//! Which servers there are. Their files are embedded (see `build.rs`), so that the binary stands alone.

/// A server: the files its image is built from, and what is known of it.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// Paths in the build context; one is `Dockerfile`.
    pub(crate) files: &'static [(&'static str, &'static [u8])],
    pub(crate) target_file: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/servers.rs"));

/// The file in every image that tells the software and its version, in a line.
pub(crate) const VERSION_FILE: &str = "/srv/version";
/// The file that holds the authority of a server's certificate, in PEM.
const AUTHORITY_FILE: &str = "/srv/tls/ca.pem";

/// What a server listens for; in every image on the usual port (RFC 8314 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// IMAP over TLS from the first octet.
    Imaps,
    /// POP3 over TLS from the first octet.
    Pop3s,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Imap, Self::Pop3, Self::Imaps, Self::Pop3s];

    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Imaps => 993,
            Self::Pop3s => 995,
        }
    }

    /// How a greeting begins; nothing where TLS comes first.
    pub(crate) const fn greeting(self) -> Option<&'static str> {
        match self {
            Self::Imap => Some("* OK"),
            Self::Pop3 => Some("+OK"),
            Self::Imaps | Self::Pop3s => None,
        }
    }
}

impl Server {
    /// What it listens for, as its `Dockerfile` exposes it.
    pub(crate) fn services(&self) -> impl Iterator<Item = Service> + use<> {
        let dockerfile = self.files.iter().find(|(path, _)| *path == "Dockerfile").map_or(&b""[..], |file| file.1);
        let dockerfile = String::from_utf8_lossy(dockerfile).into_owned();
        let exposed: Vec<u16> = dockerfile
            .lines()
            .filter_map(|line| line.strip_prefix("EXPOSE "))
            .flat_map(|ports| ports.split_whitespace().filter_map(|port| port.parse().ok()))
            .collect();
        Service::ALL.into_iter().filter(move |service| exposed.contains(&service.port()))
    }

    /// The file inside the container that holds the authority of its certificate; none where it has no TLS.
    pub(crate) fn authority(&self) -> Option<&'static str> {
        self.target_file.lines().any(|line| line.trim_end() == "[tls]").then_some(AUTHORITY_FILE)
    }
}

/// The names that [`start`](crate::start) takes.
pub fn names() -> &'static [&'static str] {
    NAMES
}

/// The target file of a server: its dialect and accounts. It has no addresses: those are [`Running`](crate::Running)'s.
pub fn target_file(name: &str) -> Option<&'static str> {
    find(name).map(|server| server.target_file)
}

pub(crate) fn find(name: &str) -> Option<&'static Server> {
    SERVERS.iter().find(|server| server.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_has_what_an_image_needs() {
        assert!(names().iter().all(|name| find(name).is_some()));
        for server in SERVERS {
            assert!(server.files.iter().any(|(path, _)| *path == "Dockerfile"), "{}", server.name);
            let greets = server.services().any(|service| service.greeting().is_some());
            assert!(greets, "{}: nothing greets", server.name);
            let has_tls = server.services().any(|service| service.greeting().is_none());
            assert!(!has_tls || server.authority().is_some(), "{}", server.name);
            let own_name = format!("name = \"{}\"", server.name);
            let has_name = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") == own_name;
            assert!(server.target_file.lines().any(has_name), "{}", server.name);
        }
    }
}
