//! TLS over real sockets: our client and the reference server, and servers of other kinds that get it wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loginspec::axes::{Mechanism, Protocol, Security};
use loginspec::identity::bundled_directory;
use loginspec::protocol::dialogue::{DialogueStep, Expected, WordPattern};
use loginspec::protocol::{Login, Missing, Outcome, Outgoing, Proof, Redactor, Session, Stage};
use loginspec::reference::{Certificates, Config, Flaw, Flaws, Server, ServerTls};
use loginspec::secret::Password;
use loginspec::target::find_dialect;
use loginspec::transport::{
    ClientCertificate, Conversation, Deadlines, Roots, TlsClient, TlsSettings, TlsVersion, connect, converse,
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{HandshakeKind, ServerConfig, crypto::ring};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const SECURE: [Security; 2] = [Security::Starttls, Security::Tls];

fn server(flaws: Flaws, requires_tls: bool) -> Server {
    Server::start(Config {
        flaws,
        requires_tls,
        tls: Some(ServerTls::new(Certificates::shared().unwrap()).unwrap()),
        ..Config::new(find_dialect("exchange-5.5").unwrap(), bundled_directory().unwrap())
    })
    .unwrap()
}

fn address(server: &Server, protocol: Protocol, security: Security) -> SocketAddr {
    match (protocol, security) {
        (Protocol::Imap, Security::Tls) => server.imaps().unwrap(),
        (Protocol::Pop3, Security::Tls) => server.pop3s().unwrap(),
        (Protocol::Imap, _) => server.imap().unwrap(),
        (Protocol::Pop3, _) => server.pop3().unwrap(),
    }
}

/// Settings that trust the reference server.
fn trusting() -> TlsSettings {
    TlsSettings {
        roots: Roots::Own(Certificates::shared().unwrap().ca_pem()),
        server_name: Some("localhost".to_owned()),
        ..TlsSettings::default()
    }
}

fn client(settings: &TlsSettings) -> TlsClient {
    TlsClient::new(settings, None, "127.0.0.1:1").unwrap()
}

fn login(protocol: Protocol, security: Security) -> Session {
    let login = Login::new(protocol, Mechanism::Login, "Same", Password::new("Secret-Same"));
    Session::login(Login { security, ..login })
}

/// A conversation in which a reply may take this long.
async fn within(
    reply: Duration,
    address: SocketAddr,
    session: Session,
    tls: Option<&TlsClient>,
    security: Security,
) -> Conversation {
    let stream = connect(&address.to_string(), None, Duration::from_secs(5)).await.unwrap();
    let start = Instant::now();
    let conversation = converse(stream, session, Deadlines::from_reply(reply), tls, security).await;
    // Four replies are the whole of it; the rest is for a machine that is busy.
    assert!(start.elapsed() < reply * 4 + Duration::from_secs(5), "took {:?}", start.elapsed());
    conversation
}

async fn log_in(address: SocketAddr, protocol: Protocol, tls: &TlsClient, security: Security) -> Conversation {
    within(Duration::from_secs(5), address, login(protocol, security), Some(tls), security).await
}

fn opened() -> Outcome {
    Outcome::Opened { mailbox: Some(b"Same".to_vec()), proof: Proof::Canary }
}

fn failed(conversation: &Conversation) -> &str {
    match &conversation.outcome {
        Outcome::TlsFailed(reason) => reason,
        other => panic!("not a failure of TLS: {other:?}"),
    }
}

#[tokio::test]
async fn logins_within_tls_in_both_protocols_and_versions() {
    let server = server(Flaws::NONE, false);
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let tls = client(&TlsSettings { oldest: version, newest: version, ..trusting() });
        for &protocol in Protocol::ALL {
            for security in SECURE {
                let address = address(&server, protocol, security);
                let conversation = log_in(address, protocol, &tls, security).await;
                assert_eq!(conversation.outcome, opened(), "{protocol} {security} {version:?}");
                assert_eq!(conversation.deviations, []);
                let shown = conversation.transcript.render(&Redactor::new(&[Password::new("Secret-Same")]));
                let remark = if version == TlsVersion::Tls12 { "[TLS 1.2, TLS_ECDHE_" } else { "[TLS 1.3, TLS13_" };
                assert!(shown.contains(remark), "{shown}");
                assert!(shown.contains("C: ") && shown.contains("Same") && !shown.contains("Secret-Same"), "{shown}");
                assert!(!shown.contains("\\x16"), "decrypted: {shown}");
                let place = shown.find(remark).unwrap();
                let request = shown.find("STARTTLS\n").or_else(|| shown.find("STLS\n")).unwrap_or_default();
                assert!(place >= request && (security == Security::Starttls || place == 0), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_requires_tls_takes_passwords_within_it_only() {
    let server = server(Flaws::NONE, true);
    let tls = client(&trusting());
    for &protocol in Protocol::ALL {
        for security in SECURE {
            let conversation = log_in(address(&server, protocol, security), protocol, &tls, security).await;
            assert_eq!(conversation.outcome, opened(), "{protocol} {security}");
        }
        let plain = address(&server, protocol, Security::Plaintext);
        let refused = log_in(plain, protocol, &tls, Security::Plaintext).await.outcome;
        assert!(matches!(refused, Outcome::NotOffered(_) | Outcome::Rejected(_)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_taken_and_a_strangers_is_refused() {
    let server = server(Flaws::NONE, false);
    let directory = bundled_directory().unwrap();
    let issue = |certificates: &Certificates| {
        let issued = certificates.client_certificate(&directory.accounts[0]).unwrap();
        let certificate = ClientCertificate { chain: issued.chain, key: issued.key };
        TlsClient::new(&trusting(), Some(&certificate), "127.0.0.1:1").unwrap()
    };
    let own = issue(&Certificates::shared().unwrap());
    let imaps = server.imaps().unwrap();
    assert_eq!(log_in(imaps, Protocol::Imap, &own, Security::Tls).await.outcome, opened());
    assert_eq!(log_in(imaps, Protocol::Imap, &own, Security::Tls).await.outcome, opened(), "resumed");
    let strangers = issue(&Certificates::new().unwrap());
    let refused = log_in(imaps, Protocol::Imap, &strangers, Security::Tls).await;
    // In TLS 1.3 the client's handshake is over before the server has looked at its certificate.
    assert!(matches!(refused.outcome, Outcome::Closed { stage: Stage::Greeting, .. }), "{:?}", refused.outcome);
    let shown = refused.transcript.render(&Redactor::new(&[]));
    assert!(shown.contains("[TLS: the server "), "{shown}");
}

/// A listener that hands the handshakes' kinds to whoever asks, and greets with a BYE.
async fn kinds(count: usize, tls: &TlsClient) -> Vec<HandshakeKind> {
    let config = server_config("localhost", 2000, 2100);
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut kinds = Vec::new();
        for _ in 0..count {
            let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
            stream.write_all(b"* BYE\r\n").await.unwrap();
            stream.shutdown().await.unwrap();
        }
        kinds
    });
    for _ in 0..count {
        let outcome = log_in(address, Protocol::Imap, tls, Security::Tls).await.outcome;
        assert!(matches!(outcome, Outcome::Closed { stage: Stage::Greeting, farewell: Some(_) }), "{outcome:?}");
    }
    serving.await.unwrap()
}

#[tokio::test]
async fn handshakes_after_the_first_are_resumed_also_by_clones() {
    let tls = client(&TlsSettings { verified: false, ..trusting() });
    assert_eq!(kinds(3, &tls.clone()).await, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed]);
}

#[tokio::test]
async fn the_reference_server_resumes() {
    let server = server(Flaws::NONE, false);
    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    let ca = Certificates::shared().unwrap().ca_pem();
    roots.add(tokio_rustls::rustls::pki_types::pem::PemObject::from_pem_slice(&ca).unwrap()).unwrap();
    let config = tokio_rustls::rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let stream = TcpStream::connect(server.pop3s().unwrap()).await.unwrap();
        let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        assert!(stream.read(&mut [0; 64]).await.unwrap() > 0);
        kinds.push(stream.get_ref().1.handshake_kind().unwrap());
    }
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
}

/// TLS for a server with a certificate for this name and these years, signed by nobody but itself.
fn server_config(name: &str, from: i32, until: i32) -> ServerConfig {
    certified(name, from, until).0
}

/// The same, with the certificate in PEM.
fn certified(name: &str, from: i32, until: i32) -> (ServerConfig, Vec<u8>) {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(from, 1, 1);
    parameters.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    (config, certificate.pem().into_bytes())
}

/// Why a login fails at a server with such a certificate, where that certificate itself is trusted.
async fn refused(name: &str, from: i32, until: i32, verified: bool) -> Outcome {
    let (config, pem) = certified(name, from, until);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(listener.accept().await.unwrap().0).await {
            let _ = stream.write_all(b"* BYE\r\n").await;
            let _ = stream.read(&mut [0; 64]).await;
        }
    });
    let tls = client(&TlsSettings { roots: Roots::Own(pem), verified, ..trusting() });
    log_in(address, Protocol::Imap, &tls, Security::Tls).await.outcome
}

#[tokio::test]
async fn certificates_that_are_not_good() {
    let reason = |reason: &str| Outcome::TlsFailed(reason.to_owned());
    assert_eq!(refused("localhost", 2000, 2010, true).await, reason("the certificate has expired"));
    assert_eq!(refused("localhost", 2090, 2100, true).await, reason("the certificate is not valid yet"));
    let name = reason("the certificate is not for localhost but for mail.example");
    assert_eq!(refused("mail.example", 2000, 2100, true).await, name);
    let taken = refused("mail.example", 2000, 2010, false).await;
    assert!(matches!(taken, Outcome::Closed { stage: Stage::Greeting, .. }), "{taken:?}");
    let server = server(Flaws::NONE, false);
    let other = TlsSettings { roots: Roots::Own(Certificates::new().unwrap().ca_pem()), ..trusting() };
    for security in SECURE {
        let address = address(&server, Protocol::Pop3, security);
        let conversation = log_in(address, Protocol::Pop3, &client(&other), security).await;
        // Two authorities of the same name: then it is the signature that does not fit.
        let reason = failed(&conversation);
        let signature = "no authority that is trusted has signed the certificate: its signature is wrong";
        assert!(["the certificate's issuer is not trusted", signature].contains(&reason), "{reason}");
        let shown = conversation.transcript.render(&Redactor::new(&[]));
        assert!(shown.ends_with(&format!("[TLS failed: {reason}]\n")), "{shown}");
    }
}

#[tokio::test]
async fn tls_and_plaintext_at_cross_purposes() {
    let server = server(Flaws::NONE, false);
    let tls = client(&trusting());
    let plain = log_in(server.imap().unwrap(), Protocol::Imap, &tls, Security::Tls).await;
    assert_eq!(failed(&plain), "what the server sent is not TLS (it began with `* OK [CAPABI`)");
    let plain = log_in(server.pop3().unwrap(), Protocol::Pop3, &tls, Security::Tls).await;
    assert_eq!(failed(&plain), "what the server sent is not TLS (it began with `+OK loginspe`)");
    // Both wait for the other.
    let short = Duration::from_millis(300);
    for security in [Security::Plaintext, Security::Starttls] {
        let session = login(Protocol::Imap, security);
        let silent = within(short, server.imaps().unwrap(), session, Some(&tls), security).await;
        assert_eq!(silent.outcome, Outcome::NoAnswer(Stage::Greeting));
    }
    let without =
        within(short, server.imaps().unwrap(), login(Protocol::Imap, Security::Tls), None, Security::Tls).await;
    assert_eq!(failed(&without), "this client has no settings for TLS");
}

/// A server that sends this and then does as `closes` says.
async fn says(first: &'static [u8], closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(first).await;
        if !closes {
            std::future::pending::<()>().await;
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_of_the_handshake() {
    let tls = client(&trusting());
    let short = Duration::from_millis(300);
    let begun = b"\x16\x03\x03\x00\x7a\x02\x00";
    for (first, closes, reason) in [
        (&b""[..], false, "no handshake within 0.3 s"),
        (begun, false, "no handshake within 0.3 s"),
        (b"", true, "the server closed the connection without a word"),
        (begun, true, "the server closed the connection in the middle of the handshake"),
        (b"HTTP/1.1 400 Bad Request\r\n", true, "what the server sent is not TLS (it began with `HTTP/1.1 400`)"),
        (b"\x15\x03\x03\x00\x02\x02\x46", true, "the server speaks none of the versions of TLS that are wanted"),
    ] {
        let address = says(first, closes).await;
        let conversation =
            within(short, address, login(Protocol::Imap, Security::Tls), Some(&tls), Security::Tls).await;
        assert_eq!(failed(&conversation), reason);
    }
}

fn line(words: &[&str]) -> DialogueStep {
    let words = words.iter().map(|word| WordPattern::words([*word])).collect();
    DialogueStep::Expect(vec![Expected::Line { words }])
}

fn send(octets: &str) -> DialogueStep {
    DialogueStep::Send(Outgoing::plain(octets))
}

/// `STARTTLS` with a command behind it in the same segment; within TLS only what is said there is answered.
async fn inject(flaws: Flaws, protocol: Protocol) -> Outcome {
    let server = server(flaws, false);
    let steps = match protocol {
        Protocol::Imap => vec![
            line(&["*", "OK"]),
            send("a STARTTLS\r\nb NOOP\r\n"),
            line(&["a", "OK"]),
            DialogueStep::StartTls { or_fails: false },
            send("c NOOP\r\n"),
            line(&["c", "OK"]),
        ],
        Protocol::Pop3 => vec![
            line(&["+OK"]),
            send("STLS\r\nUSER Same\r\n"),
            line(&["+OK"]),
            DialogueStep::StartTls { or_fails: false },
            send("PASS Secret-Same\r\n"),
            line(&["-ERR"]),
        ],
    };
    let session = Session::dialogue(protocol, Security::Plaintext, steps);
    let address = address(&server, protocol, Security::Plaintext);
    let tls = client(&trusting());
    within(Duration::from_secs(5), address, session, Some(&tls), Security::Plaintext).await.outcome
}

#[tokio::test]
async fn injected_commands_are_never_executed() {
    for &protocol in Protocol::ALL {
        assert_eq!(inject(Flaws::NONE, protocol).await, Outcome::Followed, "{protocol}");
        let flawed = inject(Flaw::ExecutesInjectedCommands.into(), protocol).await;
        assert!(matches!(flawed, Outcome::Diverged { step: 5, .. }), "{flawed:?}");
    }
}

/// A command in a segment of its own that comes after the OK is in the place of a handshake: it ends the connection.
#[tokio::test]
async fn a_command_instead_of_a_handshake_is_not_executed() {
    let server = server(Flaw::ExecutesInjectedCommands.into(), false);
    let mut stream = TcpStream::connect(server.imap().unwrap()).await.unwrap();
    let mut octets = [0; 1024];
    assert!(stream.read(&mut octets).await.unwrap() > 0);
    stream.write_all(b"a STARTTLS\r\n").await.unwrap();
    let count = stream.read(&mut octets).await.unwrap();
    assert!(octets[..count].starts_with(b"a OK"));
    stream.write_all(b"b LOGIN Same Secret-Same\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("b OK"));
}

/// What the server adds to its OK in plaintext is noted, and what it claims is not believed.
#[tokio::test]
async fn what_a_server_injects_is_noted_and_dropped() {
    let config = server_config("localhost", 2000, 2100);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"* OK ready\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 64]).await.unwrap() > 0);
        stream.write_all(b"t1 OK begin\r\n* CAPABILITY IMAP4rev1\r\na1 OK\r\na2 OK\r\n").await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
        assert!(stream.read(&mut [0; 64]).await.unwrap() > 0);
        stream.write_all(b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\na1 OK\r\n").await.unwrap();
        let _ = stream.read(&mut [0; 64]).await;
    });
    let tls = client(&TlsSettings { verified: false, ..trusting() });
    let conversation = log_in(address, Protocol::Imap, &tls, Security::Starttls).await;
    assert_eq!(conversation.outcome, Outcome::NotOffered(Missing::LoginDisabled));
    assert_eq!(conversation.deviations.len(), 1);
    assert!(conversation.deviations[0].rule.contains("RFC 2595 §4"), "{:?}", conversation.deviations);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_logins_stay_fast() {
    let server = server(Flaws::NONE, false);
    let tls = client(&trusting());
    let start = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..16_usize {
        let tls = tls.clone();
        let (protocol, security) = (Protocol::ALL[number % 2], SECURE[number / 2 % 2]);
        let address = address(&server, protocol, security);
        clients.spawn(async move {
            for _ in 0..125 {
                let conversation = log_in(address, protocol, &tls, security).await;
                assert_eq!(conversation.outcome, opened(), "{protocol} {security}");
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(60), "2,000 logins took {:?}", start.elapsed());
}
