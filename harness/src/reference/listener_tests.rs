//! The server behind sockets.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fixture::authority;
use super::flaw::{Flaw, Flaws};
use super::listener::{Config, Server};
use crate::axes::Protocol;

fn config(flaws: Flaws) -> Config {
    let authority = authority(flaws);
    Config { flaws, ..Config::new(authority.dialect().clone(), authority.directory().clone()) }
}

async fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut got = Vec::new();
    let mut octets = [0; 1024];
    while !got.windows(end.len()).any(|window| window == end) {
        match stream.read(&mut octets).await {
            Ok(read) if read > 0 => got.extend_from_slice(&octets[..read]),
            _ => break,
        }
    }
    got
}

/// 2,000, or fewer where this process may not open so many files: both ends of each connection are its own.
fn connections_possible() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = open_files.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    soft.map_or(2000, |soft| (soft.saturating_sub(200) / 2).min(2000))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_connections_are_greeted_and_answered() {
    let server = Server::start(config(Flaws::NONE)).expect("start");
    let address = server.imap().expect("IMAP");
    let mut clients = JoinSet::new();
    let clients_wanted = connections_possible() / 5;
    for _ in 0..clients_wanted {
        clients.spawn(async move {
            let mut streams = Vec::new();
            for _ in 0..5 {
                let mut stream = TcpStream::connect(address).await.expect("connect");
                assert!(read_until(&mut stream, b"\r\n").await.starts_with(b"* OK "));
                streams.push(stream);
            }
            for stream in &mut streams {
                stream.write_all(b"a LOGIN Same Secret-Same\r\n").await.expect("write");
                assert!(read_until(stream, b"\r\n").await.starts_with(b"a OK "));
            }
            streams
        });
    }
    let open = timeout(Duration::from_secs(60), clients.join_all()).await.expect("in time");
    assert_eq!(open.iter().map(Vec::len).sum::<usize>(), clients_wanted * 5);
    server.stop().await;
}

#[tokio::test]
async fn stopping_frees_the_port_and_ends_connections() {
    let server = Server::start(config(Flaws::NONE)).expect("start");
    let (imap, pop3) = (server.imap().expect("IMAP"), server.pop3().expect("POP3"));
    let mut stream = TcpStream::connect(pop3).await.expect("connect");
    assert!(read_until(&mut stream, b"\r\n").await.starts_with(b"+OK "));
    server.stop().await;
    assert!(read_until(&mut stream, b"\n").await.is_empty());
    assert!(TcpStream::connect(imap).await.is_err());
    let again = Server::start(Config { imap: Some(imap), pop3: Some(pop3), ..config(Flaws::NONE) });
    assert_eq!(again.expect("the ports are free").imap(), Some(imap));
}

#[tokio::test]
async fn last_words_arrive_although_the_client_keeps_talking() {
    let server = Server::start(config(Flaws::NONE)).expect("start");
    let mut stream = TcpStream::connect(server.imap().expect("IMAP")).await.expect("connect");
    stream.write_all(&[b'x'; 20_000]).await.expect("write");
    let got = read_until(&mut stream, b"BYE the line is too long\r\n").await;
    assert!(got.ends_with(b"* BYE the line is too long\r\n"), "{}", String::from_utf8_lossy(&got));
}

#[tokio::test]
async fn a_server_that_hangs_neither_answers_nor_closes() {
    let server = Server::start(config(Flaw::HangsOnUnescapedBackslash.into())).expect("start");
    let mut stream = TcpStream::connect(server.imap().expect("IMAP")).await.expect("connect");
    read_until(&mut stream, b"\r\n").await;
    stream.write_all(b"a LOGIN \"a\\b\" c\r\nb NOOP\r\n").await.expect("write");
    let answer = timeout(Duration::from_millis(200), read_until(&mut stream, b"\n")).await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn an_address_for_a_protocol_that_the_dialect_lacks_is_a_mistake() {
    let mut imap_only = config(Flaws::NONE);
    imap_only.dialect.protocols = vec![Protocol::Imap];
    let server = Server::start(imap_only.clone()).expect("start");
    assert!(server.imap().is_some() && server.pop3().is_none());
    imap_only.pop3 = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let error = Server::start(imap_only).expect_err("no POP3");
    assert_eq!(error.to_string(), "the dialect test does not speak pop3");
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    assert!(Server::start(config(Flaws::NONE)).is_err());
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_named() {
    let first = Server::start(config(Flaws::NONE)).expect("start");
    let address = first.imap().expect("IMAP");
    let second = Server::start(Config { pop3: Some(address), ..config(Flaws::NONE) });
    let reason = second.expect_err("the address is in use").to_string();
    assert!(reason.starts_with(&format!("pop3 cannot listen on {address}: ")), "{reason}");
    drop(first);
}
