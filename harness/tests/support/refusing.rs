//! A mail server that refuses every login. It shares no code with the reference server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A mail server that refuses every login, and counts them.
pub struct RefusingServer {
    pub imap: String,
    pub pop3: String,
    logins: Arc<AtomicUsize>,
}

impl RefusingServer {
    /// `refusal` is the answer to a login, after `NO` or `-ERR`.
    pub fn start(refusal: &'static str) -> Self {
        let logins = Arc::new(AtomicUsize::new(0));
        let listen = |serve: fn(&mut TcpStream, &str, &'static str) -> bool, greeting: &'static str| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let logins = Arc::clone(&logins);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let (mut stream, logins) = (stream.unwrap(), Arc::clone(&logins));
                    std::thread::spawn(move || {
                        let _ = stream.write_all(greeting.as_bytes());
                        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                        for line in lines.map_while(Result::ok) {
                            if serve(&mut stream, &line, refusal) {
                                logins.fetch_add(1, Ordering::SeqCst);
                            }
                        }
                    });
                }
            });
            address
        };
        Self { imap: listen(imap, "* OK ready\r\n"), pop3: listen(pop3, "+OK ready\r\n"), logins }
    }

    pub fn logins(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }
}

/// Answers a command; `true` if it was a login.
fn imap(stream: &mut TcpStream, line: &str, refusal: &'static str) -> bool {
    let (tag, command) = line.split_once(' ').unwrap_or((line, ""));
    let is_login = command.starts_with("LOGIN") || command.starts_with("AUTHENTICATE");
    let answer = match command {
        "CAPABILITY" => format!("* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),
        "LOGOUT" => format!("* BYE\r\n{tag} OK\r\n"),
        _ if is_login => format!("{tag} NO {refusal}\r\n"),
        _ => format!("{tag} BAD\r\n"),
    };
    let _ = stream.write_all(answer.as_bytes());
    is_login
}

fn pop3(stream: &mut TcpStream, line: &str, refusal: &'static str) -> bool {
    let is_login = line.starts_with("PASS") || line.starts_with("AUTH");
    let answer = match line {
        "CAPA" => "+OK\r\nUSER\r\n.\r\n".to_string(),
        _ if is_login => format!("-ERR {refusal}\r\n"),
        _ if line.starts_with("USER") || line == "QUIT" => "+OK\r\n".to_string(),
        _ => "-ERR\r\n".to_string(),
    };
    let _ = stream.write_all(answer.as_bytes());
    is_login
}
