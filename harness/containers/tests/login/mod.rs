//! Plain logins over raw TCP or TLS, as little as proves which mailbox a login opened.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const HEADER: &str = "X-Loginspec-Mailbox: ";

/// What a login opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// The mailbox that its canary names.
    Mailbox(String),
    /// Nothing: the server's answer.
    Nothing(String),
}

/// Where a server listens, and what protects the connection.
pub struct Way {
    pub server: SocketAddr,
    pub tls: Tls,
}

/// When TLS begins, and the authority that must have signed the server's certificate for `localhost`, in PEM.
pub enum Tls {
    /// There is none.
    None,
    /// This command asks for it.
    After(&'static str, Vec<u8>),
    /// From the first octet.
    AtOnce(Vec<u8>),
}

impl std::fmt::Display for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "in plaintext",
            Self::After(command, _) => command,
            Self::AtOnce(_) => "over TLS from the first octet",
        })
    }
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

type Lines = BufReader<Box<dyn Stream>>;

pub fn over_imap(way: &Way, user: &str, password: &str) -> Opened {
    let mut lines = connect(way);
    let answer = imap_command(&mut lines, "a", &format!("LOGIN \"{user}\" \"{password}\"")).pop().unwrap();
    if !answer.starts_with("a OK") {
        return Opened::Nothing(answer);
    }
    imap_command(&mut lines, "b", "EXAMINE INBOX");
    canary(&imap_command(&mut lines, "c", "FETCH 1:* BODY.PEEK[HEADER]"))
}

pub fn over_pop3(way: &Way, user: &str, password: &str) -> Opened {
    let mut lines = connect(way);
    send(&mut lines, &format!("USER {user}"));
    let answer = receive(&mut lines);
    assert!(answer.starts_with("+OK"), "{answer}");
    send(&mut lines, &format!("PASS {password}"));
    let answer = receive(&mut lines);
    if !answer.starts_with("+OK") {
        return Opened::Nothing(answer);
    }
    send(&mut lines, "RETR 1");
    canary(&receive_until(&mut lines, |line| line == "."))
}

fn connect(way: &Way) -> Lines {
    let stream = TcpStream::connect(way.server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut lines: Lines = match &way.tls {
        Tls::AtOnce(authority) => secured(stream.try_clone().unwrap(), authority),
        Tls::None | Tls::After(..) => BufReader::new(Box::new(stream.try_clone().unwrap())),
    };
    let greeting = receive(&mut lines);
    assert!(greeting.starts_with("* OK") || greeting.starts_with("+OK"), "{greeting}");
    if let Tls::After(command, authority) = &way.tls {
        send(&mut lines, command);
        let answer = receive(&mut lines);
        assert!(answer.contains("OK"), "{answer}");
        assert!(lines.buffer().is_empty(), "{:?}", lines.buffer());
        return secured(stream, authority);
    }
    lines
}

fn secured(stream: TcpStream, authority: &[u8]) -> Lines {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        roots.add(certificate.unwrap()).unwrap();
    }
    assert_eq!(roots.len(), 1);
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    BufReader::new(Box::new(StreamOwned::new(client, stream)))
}

fn imap_command(lines: &mut Lines, tag: &str, command: &str) -> Vec<String> {
    send(lines, &format!("{tag} {command}"));
    let tagged = format!("{tag} ");
    receive_until(lines, |line| line.starts_with(&tagged))
}

fn send(lines: &mut Lines, line: &str) {
    lines.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
}

fn receive(lines: &mut Lines) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.ends_with("\r\n"), "{line:?}");
    line.trim_end().to_owned()
}

fn receive_until(lines: &mut Lines, is_last: impl Fn(&str) -> bool) -> Vec<String> {
    let mut received = vec![receive(lines)];
    while !received.last().is_some_and(|line| is_last(line)) {
        received.push(receive(lines));
    }
    received
}

/// There is one canary in each mailbox, and one only.
fn canary(message: &[String]) -> Opened {
    let names: Vec<&str> = message.iter().filter_map(|line| line.strip_prefix(HEADER)).collect();
    assert_eq!(names.len(), 1, "{message:?}");
    Opened::Mailbox(names[0].to_owned())
}
