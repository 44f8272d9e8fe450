//! What is said where, when a server is other than it should be.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

use super::super::conversation::{Attempt, value};
use super::super::fixture::target;
use super::*;
use crate::axes::Mechanism;
use crate::reference::Flaws;
use crate::scenario::Value;

fn login() -> Command {
    Command::new(Said::Login(Box::new(Attempt {
        role: "same".to_string(),
        mechanism: Mechanism::Login,
        encoding: None,
        name: value("same", Value::User),
        authzid: None,
        password: value("same", Value::Password),
        fault: None,
    })))
}

fn equipment(security: Security) -> Equipment {
    let target = target(Flaws::NONE);
    let endpoint = target.endpoint(Protocol::Imap, Some(Security::Plaintext)).unwrap().0.clone();
    Equipment {
        tls: Some(target.tls_client(&endpoint, None).unwrap()),
        target,
        protocol: Protocol::Imap,
        security,
        offers_plus: false,
        fresh: Fresh::default(),
        deadlines: Deadlines::from_reply(Duration::from_secs(20)),
        cut: Cut::Whole,
    }
}

/// A server that has these answers, one for each line; gives back the lines that it was told.
async fn serve(stream: DuplexStream, answers: &[&str]) -> Vec<String> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    let mut told = Vec::new();
    for answer in answers {
        writer.write_all(answer.as_bytes()).await.unwrap();
        match lines.next_line().await {
            Ok(Some(line)) => told.push(line),
            _ => break,
        }
    }
    told
}

#[tokio::test]
async fn nothing_is_said_in_plaintext_where_starttls_comes_first() {
    let equipment = equipment(Security::Starttls);
    let address = equipment.target.endpoint(Protocol::Imap, Some(Security::Starttls)).unwrap().0.address.clone();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let heard = play(stream, &equipment, &[login()], &[false]).await;
    assert!(heard.answers[0].is_secured, "{:?}", heard.answers);
    assert_eq!(heard.opened, Opened::Mailbox(b"Same".to_vec()));
}

#[tokio::test]
async fn nothing_is_said_at_all_where_starttls_is_not_to_be_had() {
    let (client, server) = tokio::io::duplex(4096);
    let equipment = equipment(Security::Starttls);
    let login = [login()];
    let (heard, told) = tokio::join!(
        async { play(client, &equipment, &login, &[false]).await },
        serve(server, &["* OK hello\r\n", "A1 NO not today\r\n"])
    );
    assert_eq!(told, ["A1 STARTTLS"]);
    assert_eq!(heard.answers[0].answer, Answer::Unsaid);
}
