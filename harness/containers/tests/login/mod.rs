//! Plain logins over raw TCP, as little as proves which mailbox a login opened.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const HEADER: &str = "X-Loginspec-Mailbox: ";

/// What a login opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// The mailbox that its canary names.
    Mailbox(String),
    /// Nothing: the server's answer.
    Nothing(String),
}

pub fn over_imap(server: SocketAddr, user: &str, password: &str) -> Opened {
    let mut lines = connect(server);
    let answer = imap_command(&mut lines, "a", &format!("LOGIN \"{user}\" \"{password}\"")).pop().unwrap();
    if !answer.starts_with("a OK") {
        return Opened::Nothing(answer);
    }
    imap_command(&mut lines, "b", "EXAMINE INBOX");
    canary(&imap_command(&mut lines, "c", "FETCH 1:* BODY.PEEK[HEADER]"))
}

pub fn over_pop3(server: SocketAddr, user: &str, password: &str) -> Opened {
    let mut lines = connect(server);
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

fn connect(server: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut lines = BufReader::new(stream);
    let greeting = receive(&mut lines);
    assert!(greeting.starts_with("* OK") || greeting.starts_with("+OK"), "{greeting}");
    lines
}

fn imap_command(lines: &mut BufReader<TcpStream>, tag: &str, command: &str) -> Vec<String> {
    send(lines, &format!("{tag} {command}"));
    let tagged = format!("{tag} ");
    receive_until(lines, |line| line.starts_with(&tagged))
}

fn send(lines: &mut BufReader<TcpStream>, line: &str) {
    lines.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
}

fn receive(lines: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.ends_with("\r\n"), "{line:?}");
    line.trim_end().to_owned()
}

fn receive_until(lines: &mut BufReader<TcpStream>, is_last: impl Fn(&str) -> bool) -> Vec<String> {
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
