//! Which servers there are. Their files are embedded, so that the binary stands alone.

/// A server: the files its image is built from, and where it listens inside the container.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// Paths in the build context; one is `Dockerfile`.
    pub(crate) files: &'static [(&'static str, &'static [u8])],
    pub(crate) target_file: &'static str,
    pub(crate) imap_port: Option<u16>,
    pub(crate) pop3_port: Option<u16>,
    /// Where it speaks IMAP and POP3 over TLS from the first octet.
    pub(crate) imaps_port: Option<u16>,
    pub(crate) pop3s_port: Option<u16>,
    /// The file inside the container that holds the authority of its certificate, in PEM; none where it has no TLS.
    pub(crate) authority: Option<&'static str>,
}

impl Server {
    /// Every port, each once.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        [self.imap_port, self.pop3_port, self.imaps_port, self.pop3s_port].into_iter().flatten()
    }
}

static SERVERS: [Server; 1] = [Server {
    name: "dovecot-2.4",
    files: &[
        ("Dockerfile", include_bytes!("../dovecot-2.4/Dockerfile")),
        ("accounts", include_bytes!("../dovecot-2.4/accounts")),
        ("deliver-canaries.sh", include_bytes!("../dovecot-2.4/deliver-canaries.sh")),
        ("dovecot.conf", include_bytes!("../dovecot-2.4/dovecot.conf")),
        ("make-certificate.sh", include_bytes!("../dovecot-2.4/make-certificate.sh")),
    ],
    target_file: include_str!("../dovecot-2.4/target.toml"),
    imap_port: Some(143),
    pop3_port: Some(110),
    imaps_port: Some(993),
    pop3s_port: Some(995),
    authority: Some("/etc/dovecot/tls/ca.pem"),
}];

// The names once more, for names() to borrow: a test keeps them the same.
static NAMES: [&str; 1] = ["dovecot-2.4"];

/// The names that [`start`](crate::start) takes.
pub fn names() -> &'static [&'static str] {
    &NAMES
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
    fn names_are_the_servers() {
        assert!(SERVERS.iter().map(|server| server.name).eq(names().iter().copied()));
    }

    #[test]
    fn every_server_has_what_an_image_needs() {
        for server in &SERVERS {
            assert!(server.files.iter().any(|(path, _)| *path == "Dockerfile"), "{}", server.name);
            assert!(server.imap_port.is_some() || server.pop3_port.is_some(), "{}: nothing greets", server.name);
            let has_tls = server.imaps_port.is_some() || server.pop3s_port.is_some();
            assert_eq!(has_tls, server.authority.is_some(), "{}", server.name);
            let own_name = format!("\"{}\"", server.name);
            assert!(server.target_file.contains(&own_name), "{}", server.name);
        }
    }
}
