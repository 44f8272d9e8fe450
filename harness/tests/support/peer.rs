//! A small mail server that is sound until a given command, and then misbehaves in a given way.
//!
//! It shares no code with the reference server: what it says is written down here, line by line.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loginspec::axes::Protocol;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What happens at the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdeed {
    /// The connection is closed.
    Closes,
    /// Nothing is said any more.
    Hangs,
    /// A line without end, one octet at a time.
    Drips,
    /// 10 MB on one line.
    Floods,
    /// 10 MB of lines that never come to an answer.
    Babbles,
    /// The line, with the command's tag for `TAG`; and all goes on.
    Says(&'static str),
    /// The same, and the connection is closed.
    SaysAndCloses(&'static str),
    /// The first line; and the second, whatever the client says to the first. Then nothing.
    SaysTwice(&'static str, &'static str),
}

/// How a server is.
#[derive(Clone)]
pub struct Peer {
    pub protocol: Protocol,
    /// What `CAPABILITY` says beyond the version, and `CAPA`'s lines.
    pub offers: &'static str,
    /// The same within TLS, where that differs.
    pub offers_within_tls: Option<&'static str>,
    /// Every line that clients have sent, and whether it was within TLS.
    pub heard: Arc<Mutex<Vec<(bool, String)>>>,
    /// The challenges of a SASL exchange; `NONCE` is the client's. After the last comes the success.
    pub challenges: Vec<String>,
    /// The command's first letters, as in `LOGIN`; nothing for the greeting.
    pub at: &'static str,
    pub misdeed: Option<Misdeed>,
    /// How TLS is spoken, and whether it is from the first octet.
    pub tls: Option<(TlsAcceptor, bool)>,
}

/// What a server speaks over.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

type Stream = BufReader<Box<dyn Wire>>;

impl Peer {
    /// A server that is sound.
    pub fn new(protocol: Protocol) -> Self {
        let offers = match protocol {
            Protocol::Imap => "AUTH=PLAIN STARTTLS",
            Protocol::Pop3 => "USER\r\nSASL PLAIN\r\nSTLS\r\n",
        };
        Self {
            protocol,
            offers,
            offers_within_tls: None,
            heard: Arc::default(),
            challenges: vec![String::new()],
            at: "",
            misdeed: None,
            tls: None,
        }
    }

    /// The same, misbehaving at this command.
    pub fn at(self, at: &'static str, misdeed: Misdeed) -> Self {
        Self { at, misdeed: Some(misdeed), ..self }
    }

    /// Listens until the test is over.
    pub async fn listen(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = Arc::new(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let peer = Arc::clone(&peer);
                tokio::spawn(async move { peer.serve(stream).await });
            }
        });
        address
    }

    /// One connection; whatever ends it, the client sees it closed.
    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let stream: Box<dyn Wire> = match &self.tls {
            Some((acceptor, true)) => Box::new(acceptor.accept(stream).await.ok()?),
            _ => Box::new(stream),
        };
        let mut is_tls = matches!(self.tls, Some((_, true)));
        let mut stream = BufReader::new(stream);
        let greeting = if self.protocol == Protocol::Imap { "* OK ready\r\n" } else { "+OK ready\r\n" };
        self.answer(&mut stream, "", "", greeting).await?;
        loop {
            let line = self.hear(&mut stream, is_tls).await?;
            let (tag, command) = match self.protocol {
                Protocol::Imap => line.split_once(' ')?,
                Protocol::Pop3 => ("", line.as_str()),
            };
            let word = command.split(' ').next()?;
            match word {
                "AUTHENTICATE" | "AUTH" => {
                    self.exchange(&mut stream, tag, word, is_tls).await?;
                    continue;
                }
                "STARTTLS" | "STLS" => {
                    let done = if tag.is_empty() { "+OK\r\n" } else { "TAG OK\r\n" };
                    self.answer(&mut stream, word, tag, done).await?;
                    if let Some((acceptor, false)) = &self.tls {
                        stream = BufReader::new(Box::new(acceptor.accept(stream.into_inner()).await.ok()?));
                        is_tls = true;
                    }
                    continue;
                }
                _ => {}
            }
            let answer = match self.protocol {
                Protocol::Imap => self.imap(word, is_tls),
                Protocol::Pop3 => self.pop3(word, is_tls),
            };
            self.answer(&mut stream, word, tag, &answer).await?;
            if matches!(word, "LOGOUT" | "QUIT") {
                return None;
            }
        }
    }

    /// The same as `hear`, and it is kept what was heard.
    async fn hear(&self, stream: &mut Stream, is_tls: bool) -> Option<String> {
        let line = hear(stream).await?;
        self.heard.lock().unwrap().push((is_tls, line.clone()));
        Some(line)
    }

    fn offered(&self, is_tls: bool) -> &'static str {
        self.offers_within_tls.filter(|_| is_tls).unwrap_or(self.offers)
    }

    fn imap(&self, word: &str, is_tls: bool) -> String {
        match word {
            "CAPABILITY" => format!("* CAPABILITY IMAP4rev1 {}\r\nTAG OK\r\n", self.offered(is_tls)),
            "EXAMINE" => "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] so\r\nTAG OK\r\n".to_string(),
            "FETCH" => "* 1 FETCH (BODY[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)] {29}\r\n\
                        X-Loginspec-Mailbox: Same\r\n\r\n)\r\nTAG OK\r\n"
                .to_string(),
            "LOGOUT" => "* BYE\r\nTAG OK\r\n".to_string(),
            _ => "TAG OK\r\n".to_string(),
        }
    }

    fn pop3(&self, word: &str, is_tls: bool) -> String {
        match word {
            "CAPA" => format!("+OK\r\n{}.\r\n", self.offered(is_tls)),
            "STAT" => "+OK 1 100\r\n".to_string(),
            "TOP" => "+OK\r\nX-Loginspec-Mailbox: Same\r\n\r\n.\r\n".to_string(),
            _ => "+OK\r\n".to_string(),
        }
    }

    async fn exchange(&self, stream: &mut Stream, tag: &str, word: &str, is_tls: bool) -> Option<()> {
        let mut nonce = String::new();
        for (number, challenge) in self.challenges.iter().enumerate() {
            let told = base64(challenge.replace("NONCE", &nonce).as_bytes());
            let at = if number == 0 { word } else { "RESPONSE" };
            self.answer(stream, at, tag, &format!("+ {told}\r\n")).await?;
            if self.at == at && self.misdeed.is_some() {
                return Some(());
            }
            let response = self.hear(stream, is_tls).await?;
            let response = String::from_utf8(unbase64(&response)).unwrap_or_default();
            if let Some((_, rest)) = response.split_once(",r=").filter(|_| nonce.is_empty()) {
                nonce = rest.to_string();
            }
        }
        let success = if tag.is_empty() { "+OK\r\n" } else { "TAG OK\r\n" };
        self.answer(stream, "SUCCESS", tag, success).await
    }

    /// Answers a command, or does as it does there.
    async fn answer(&self, stream: &mut Stream, word: &str, tag: &str, sound: &str) -> Option<()> {
        let misdeed = self.misdeed.filter(|_| self.at == word);
        let start: &[u8] = if self.protocol == Protocol::Imap { b"* OK " } else { b"+OK " };
        match misdeed {
            None => say(stream, sound.replace("TAG", tag).as_bytes()).await,
            Some(Misdeed::Says(line)) => say(stream, line.replace("TAG", tag).as_bytes()).await,
            Some(Misdeed::SaysAndCloses(line)) => {
                say(stream, line.replace("TAG", tag).as_bytes()).await?;
                // Whoever closes with octets unread resets the connection, and what was said before may be lost.
                let _ = stream.shutdown().await;
                while hear(stream).await.is_some() {}
                None
            }
            Some(Misdeed::SaysTwice(first, second)) => {
                say(stream, first.replace("TAG", tag).as_bytes()).await?;
                stream.fill_buf().await.ok()?;
                say(stream, second.as_bytes()).await?;
                while hear(stream).await.is_some() {}
                None
            }
            Some(Misdeed::Closes) => None,
            Some(Misdeed::Hangs) => {
                while hear(stream).await.is_some() {}
                None
            }
            Some(Misdeed::Drips) => {
                for octet in start.iter().chain(std::iter::repeat(&b'x')) {
                    say(stream, &[*octet]).await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                None
            }
            Some(Misdeed::Floods) => {
                say(stream, start).await?;
                for _ in 0..160 {
                    say(stream, &[b'x'; 65536]).await?;
                }
                say(stream, b"\r\n").await
            }
            Some(Misdeed::Babbles) => {
                say(stream, start).await?;
                for _ in 0..160 {
                    say(stream, &b"* 23 RECENT ...\r\n".repeat(4096)).await?;
                }
                None
            }
        }
    }
}

async fn say(stream: &mut Stream, octets: &[u8]) -> Option<()> {
    stream.write_all(octets).await.ok()?;
    stream.flush().await.ok()
}

async fn hear(stream: &mut Stream) -> Option<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await.ok().filter(|count| *count > 0)?;
    Some(String::from_utf8_lossy(&line).trim_end().to_string())
}

/// BASE64 of our own: the code under test must not judge itself.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn base64(octets: &[u8]) -> String {
    let mut encoded = String::new();
    for chunk in octets.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]);
            encoded.push(if at <= chunk.len() { letter } else { '=' });
        }
    }
    encoded
}

fn unbase64(text: &str) -> Vec<u8> {
    let (mut octets, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for value in text.bytes().filter_map(|letter| LETTERS.iter().position(|known| *known == letter)) {
        (bits, count) = (bits << 6 | value as u32, count + 6);
        if count >= 8 {
            count -= 8;
            octets.push((bits >> count) as u8);
        }
    }
    octets
}
