//! Independent judges: our client and our server must not agree on the same mistake.
//!
//! What the client calls well formed must mean the same to imap-codec, and what imap-codec calls a good LOGIN must be
//! taken by the reference server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_codec::encode::{Encoder, Fragment};
use imap_codec::imap_types::command::{Command, CommandBody};
use imap_codec::imap_types::core::{AString, IString, Literal, Quoted};
use imap_codec::imap_types::secret::Secret;
use loginspec::axes::{Encoding, Mechanism, Protocol};
use loginspec::identity::bundled_directory;
use loginspec::protocol::{Action, Login, Session};
use loginspec::reference::{Config, Flaws, Server};
use loginspec::secret::Password;
use loginspec::target::find_dialect;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Everything that the client sends for one LOGIN, continuations granted.
fn sent(name: &[u8], password: &[u8], encoding: Encoding) -> Vec<u8> {
    let mut session = Session::login(Login {
        encoding: Some(encoding),
        ..Login::new(Protocol::Imap, Mechanism::Login, name, Password::new(password))
    });
    session.receive(b"* OK [CAPABILITY IMAP4rev1 LITERAL+] ready\r\n");
    let mut sent = Vec::new();
    for _ in 0..8 {
        match session.poll() {
            Action::Send(outgoing) => sent.extend_from_slice(&outgoing.octets),
            Action::Receive if sent.ends_with(b"}\r\n") => session.receive(b"+ go on\r\n"),
            Action::Receive | Action::StartTls | Action::Finished => break,
        }
    }
    sent
}

/// What imap-codec reads in a command.
fn read_by_imap_codec(command: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (rest, command) = CommandCodec::default().decode(command).ok()?;
    let CommandBody::Login { username, password } = command.body else { return None };
    rest.is_empty().then(|| (username.as_ref().to_vec(), password.declassify().as_ref().to_vec()))
}

proptest! {
    #[test]
    fn a_quoted_login_means_the_same_to_imap_codec(name in "[ -~]{0,40}", password in "[ -~]{0,40}") {
        let read = read_by_imap_codec(&sent(name.as_bytes(), password.as_bytes(), Encoding::Quoted));
        prop_assert_eq!(read, Some((name.into_bytes(), password.into_bytes())));
    }

    #[test]
    fn an_atom_login_means_the_same_to_imap_codec(name in "[a-zA-Z0-9/@.+_=!#$&',:;<>?^|~-]{1,40}") {
        let read = read_by_imap_codec(&sent(name.as_bytes(), b"pw", Encoding::Atom));
        prop_assert_eq!(read, Some((name.into_bytes(), b"pw".to_vec())));
    }

    #[test]
    fn an_unescaped_backslash_is_an_error_to_imap_codec_too(user in "[A-Z][a-z]{1,8}") {
        prop_assert_eq!(read_by_imap_codec(&sent(format!("D\\{user}").as_bytes(), b"pw", Encoding::QuotedUnescaped)), None);
        prop_assert_eq!(read_by_imap_codec(&sent(format!("D\\{user}").as_bytes(), b"pw", Encoding::Atom)), None);
    }
}

#[test]
fn a_literal_login_means_the_same_to_imap_codec() {
    for encoding in [Encoding::Literal, Encoding::LiteralPlus] {
        for name in [&br"Domain1\User1\Mailbox1"[..], b"", b"\xff\x01\r\n\"", "J\u{fc}rgen".as_bytes()] {
            let command = sent(name, b"p\\w\"", encoding);
            let read = read_by_imap_codec(&command);
            assert_eq!(read, Some((name.to_vec(), b"p\\w\"".to_vec())), "{}", command.escape_ascii());
        }
    }
}

/// Every spelling that imap-codec has for a login name, to the reference server.
#[tokio::test]
async fn the_reference_server_takes_what_imap_codec_writes() {
    let config = Config {
        dialect: find_dialect("exchange-5.5").unwrap(),
        directory: bundled_directory().unwrap(),
        flaws: Flaws::NONE,
        imap: None,
        pop3: None,
        canaries: true,
    };
    let server = Arc::new(Server::start(config).unwrap());
    let name = r"Domain1\User1\Mailbox1";
    let spellings = [
        AString::String(IString::Quoted(Quoted::try_from(name).unwrap())),
        AString::String(IString::Literal(Literal::try_from(name).unwrap())),
        AString::String(IString::Literal(Literal::try_from(name).unwrap().into_non_sync())),
    ];
    for username in spellings {
        let command = Command::new(
            "tag",
            CommandBody::Login { username, password: Secret::new(AString::try_from("Secret-User1").unwrap()) },
        )
        .unwrap();
        let mut stream = TcpStream::connect(server.imap().unwrap()).await.unwrap();
        read_until(&mut stream, "\r\n").await;
        for fragment in CommandCodec::default().encode(&command) {
            match fragment {
                Fragment::Line { data } => {
                    stream.write_all(&data).await.unwrap();
                    if data.ends_with(b"}\r\n") && !data.ends_with(b"+}\r\n") {
                        assert!(read_until(&mut stream, "\r\n").await.starts_with('+'));
                    }
                }
                Fragment::Literal { data, .. } => stream.write_all(&data).await.unwrap(),
            }
        }
        let answer = read_until(&mut stream, "tag ").await;
        assert!(answer.contains("tag OK"), "{command:?}: {answer}");
    }
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 1024];
    while !text.contains(end) || !text.ends_with('\n') {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "closed after: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}
