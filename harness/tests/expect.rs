//! A server that changes between two runs: what was accepted is expected, and every regression is red.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/program.rs"]
mod program;

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};

use program::{file, folder, loginspec, stderr, stdout};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, version};

/// What an IMAP server shows. Its one account is `Same` with the password `Secret-Same`, and its mailbox has a canary.
#[derive(Clone)]
struct Shown {
    before_tls: &'static str,
    within_tls: &'static str,
    after_login: &'static str,
    /// Whether STARTTLS works, advertised or not.
    has_starttls: bool,
    /// Whether passwords are looked at without TLS.
    takes_plaintext: bool,
    versions: &'static [&'static SupportedProtocolVersion],
}

static BOTH_VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];
static NEW_VERSION: [&SupportedProtocolVersion; 1] = [&version::TLS13];

static SOUND: Shown = Shown {
    before_tls: "STARTTLS LOGINDISABLED",
    within_tls: "SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-256",
    after_login: "QUOTA",
    has_starttls: true,
    takes_plaintext: false,
    versions: &NEW_VERSION,
};

/// A server whose behaviour can be changed while it runs.
struct TestServer {
    address: SocketAddr,
    ca: String,
    shown: Arc<RwLock<Shown>>,
    _runtime: Runtime,
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

impl TestServer {
    fn start(shown: Shown) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let key = Arc::new(KeyPair::generate().unwrap());
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&*key).unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let ca = certificate.pem();
        let shown = Arc::new(RwLock::new(shown));
        let of_server = Arc::clone(&shown);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shown = of_server.read().unwrap().clone();
                let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                    .with_protocol_versions(shown.versions)
                    .unwrap()
                    .with_no_client_auth()
                    .with_single_cert(
                        vec![certificate.der().clone()],
                        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
                    )
                    .unwrap();
                tokio::spawn(serve(stream, shown, TlsAcceptor::from(Arc::new(config))));
            }
        });
        Self { address, ca, shown, _runtime: runtime }
    }

    fn change(&self, change: impl FnOnce(&mut Shown)) {
        let mut shown = SOUND.clone();
        change(&mut shown);
        *self.shown.write().unwrap() = shown;
    }
}

/// One connection; whatever ends it, the client sees it closed.
async fn serve(stream: TcpStream, shown: Shown, acceptor: TlsAcceptor) -> Option<()> {
    let mut stream: BufReader<Box<dyn Wire>> = BufReader::new(Box::new(stream));
    let (mut is_secure, mut is_in) = (false, false);
    say(&mut stream, "* OK ready\r\n").await?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
        let (tag, command) = line.trim_end().split_once(' ')?;
        let said = match command.split(' ').next()? {
            "CAPABILITY" => {
                let words = match (is_in, is_secure) {
                    (true, _) => shown.after_login,
                    (false, true) => shown.within_tls,
                    (false, false) => shown.before_tls,
                };
                format!("* CAPABILITY IMAP4rev1 {words}\r\n{tag} OK done\r\n")
            }
            "STARTTLS" if shown.has_starttls && !is_secure => {
                say(&mut stream, &format!("{tag} OK now\r\n")).await?;
                stream = BufReader::new(Box::new(acceptor.accept(stream.into_inner()).await.ok()?));
                is_secure = true;
                continue;
            }
            "LOGIN" if !is_secure && !shown.takes_plaintext => format!("{tag} NO [PRIVACYREQUIRED] not here\r\n"),
            "LOGIN" if command == "LOGIN \"Same\" \"Secret-Same\"" => {
                is_in = true;
                format!("{tag} OK in\r\n")
            }
            "EXAMINE" if is_in => format!("* 1 EXISTS\r\n* OK [UIDVALIDITY 7] so\r\n{tag} OK done\r\n"),
            "FETCH" if is_in => format!(
                "* 1 FETCH (BODY[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)] {{29}}\r\nX-Loginspec-Mailbox: Same\r\n\r\n)\r\n\
                 {tag} OK done\r\n"
            ),
            "LOGOUT" => {
                say(&mut stream, &format!("* BYE\r\n{tag} OK\r\n")).await?;
                return None;
            }
            "LOGIN" => format!("{tag} NO [AUTHENTICATIONFAILED] no\r\n"),
            _ => format!("{tag} BAD what\r\n"),
        };
        say(&mut stream, &said).await?;
    }
}

async fn say(stream: &mut BufReader<Box<dyn Wire>>, text: &str) -> Option<()> {
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

/// One login that works, one that needs what the server may not have, and one for a role without an account.
const SCENARIO: &str = "title = 'x'\ncites = ['y']\n[matrix]\nprotocol = ['imap']\n\
    [[case]]\nid = 'opens'\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }\n\
    [[case]]\nid = 'needs'\nneeds = ['SASL-IR']\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }\n\
    [[case]]\nid = 'renamed'\naccount = 'renamed'\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }\n";

struct Fixture {
    server: TestServer,
    folder: TempDir,
    scenario: String,
    target: String,
}

impl Fixture {
    /// A sound server and a target file that knows nothing of it yet.
    fn new() -> Self {
        let (server, folder) = (TestServer::start(SOUND.clone()), folder());
        let scenario = file(&folder, "s.toml", SCENARIO);
        file(&folder, "ca.pem", &server.ca);
        let text = format!(
            "# Our server.\nname = 'mine'\ndialect = 'opaque'\n[imap]\naddress = '{}'   # here\nsecurity = 'starttls'\n\
             [tls]\nca = 'ca.pem'\nserver-name = 'localhost'\n[[account]]\nrole = 'same'\nuser = 'Same'\n\
             mailbox = 'Same'\npassword = {{ text = 'Secret-Same' }}\n",
            server.address
        );
        let target = file(&folder, "t.toml", text);
        Self { server, folder, scenario, target }
    }

    /// One whose target file holds what the sound server shows.
    fn accepted() -> Self {
        let fixture = Self::new();
        fixture.run(0, &["--accept"]);
        fixture
    }

    /// Runs the scenario, and gives back what was printed, where it ended with this code.
    fn run(&self, code: i32, options: &[&str]) -> String {
        let arguments = [&["run", &self.scenario, "--target", &self.target, "--timeout", "2s"], options].concat();
        let output = loginspec(&arguments);
        let text = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}:\n{text}\n{}", self.text());
        assert!(!text.contains("panicked"), "{text}");
        text
    }

    /// The ids and reasons of what is not as expected after a run, in the order in which it was told.
    fn failures(&self, options: &[&str]) -> Vec<(String, String)> {
        let json = self.folder.path().join("o.jsonl").display().to_string();
        self.run(1, &[options, &["--json", &json]].concat());
        let text = std::fs::read_to_string(&json).unwrap();
        let objects = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let failed = objects.filter(|object| ["fail", "error"].contains(&object["verdict"].as_str().unwrap_or("")));
        failed.map(|case| (case["id"].as_str().unwrap().into(), case["reason"].as_str().unwrap().into())).collect()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.target).unwrap()
    }
}

#[test]
fn what_was_accepted_is_green_the_next_time() {
    let fixture = Fixture::new();
    let before = fixture.text();
    let told = fixture.run(0, &["--accept"]);
    assert!(told.contains("accepted into") && told.contains("0 known deviations, 1 kind of skips"), "{told}");
    let text = fixture.text();
    assert!(text.starts_with(&before), "{text}");
    for part in [
        "observed            = true",
        "mechanisms          = [\"login\", \"plain\", \"scram-sha-256\"]",
        "plaintext-passwords = false",
        "oldest-tls          = \"1.3\"",
        "\"no-role:renamed\"",
        "state     = \"before-tls\"\nrequired  = [\"IMAP4REV1\", \"STARTTLS\", \"LOGINDISABLED\"]\n\
         forbidden = [\"AUTH=PLAIN\", \"AUTH=LOGIN\", \"AUTH=ANONYMOUS\"]",
        "state     = \"within-tls\"\nrequired  = [\"IMAP4REV1\", \"SASL-IR\"]\nforbidden = [\"AUTH=ANONYMOUS\"]",
        "state     = \"after-login\"\nrequired  = [\"IMAP4REV1\", \"QUOTA\"]",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let told = fixture.run(0, &[]);
    // Comparisons are cases: they are counted, and they pass.
    assert!(told.contains("expect  The server is as its target file expects"), "{told}");
    let check = loginspec(&["check", "--strict", &fixture.target]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    // Nothing has changed, so accepting again changes nothing.
    fixture.run(0, &["--accept", &fixture.target]);
    assert_eq!(fixture.text(), text);
}

#[test]
fn a_mechanism_that_is_gone_is_red() {
    let fixture = Fixture::accepted();
    fixture.server.change(|shown| shown.within_tls = "SASL-IR AUTH=PLAIN");
    let failures = fixture.failures(&[]);
    let reason = "scram-sha-256 is not offered; the server offers IMAP4REV1 SASL-IR AUTH=PLAIN";
    assert_eq!(failures, [("expect/mechanisms/scram-sha-256[imap,starttls]".to_string(), reason.to_string())]);
    let text = fixture.run(1, &[]);
    for part in ["target file [expect]; RFC 9051 §6.2.2", "t.toml:18:42", "^^^ this is expected"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[test]
fn starttls_that_is_not_advertised_is_red() {
    let fixture = Fixture::accepted();
    fixture.server.change(|shown| shown.before_tls = "LOGINDISABLED");
    assert_eq!(fixture.failures(&[])[0].0, "expect/capabilities/imap-starttls-before-tls[STARTTLS]");
}

#[test]
fn starttls_that_is_gone_is_red() {
    let fixture = Fixture::accepted();
    fixture.server.change(|shown| (shown.before_tls, shown.has_starttls) = ("LOGINDISABLED", false));
    let failures = fixture.failures(&[]);
    let first = failures.iter().find(|(id, _)| id.contains("before-tls")).unwrap();
    assert_eq!(first.0, "expect/capabilities/imap-starttls-before-tls[STARTTLS]");
    assert!(failures.iter().any(|(id, reason)| id.starts_with("s/") && reason.contains("STARTTLS")), "{failures:?}");
}

#[test]
fn plaintext_passwords_that_are_taken_are_red() {
    let fixture = Fixture::accepted();
    fixture.server.change(|shown| (shown.before_tls, shown.takes_plaintext) = ("STARTTLS AUTH=PLAIN", true));
    let failures = fixture.failures(&[]);
    let ids: Vec<&str> = failures.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "expect/capabilities/imap-starttls-before-tls[LOGINDISABLED]",
            "expect/capabilities/imap-starttls-before-tls[!AUTH=PLAIN]",
            "expect/plaintext-passwords[imap]",
        ]
    );
    // That a password is only refused for want of TLS is no reason to say that it is taken.
    fixture.server.change(|shown| shown.before_tls = "STARTTLS");
    let ids: Vec<String> = fixture.failures(&[]).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["expect/capabilities/imap-starttls-before-tls[LOGINDISABLED]"]);
}

#[test]
fn an_older_version_of_tls_is_red() {
    let fixture = Fixture::accepted();
    fixture.server.change(|shown| shown.versions = &BOTH_VERSIONS);
    let failures = fixture.failures(&[]);
    let wanted = ("expect/oldest-tls[imap,starttls]".to_string(), "the server accepts TLS 1.2 as well".to_string());
    assert_eq!(failures, [wanted]);
}

#[test]
fn a_skip_that_the_baseline_does_not_list_is_red() {
    let fixture = Fixture::accepted();
    fixture.server.change(|shown| shown.within_tls = "AUTH=PLAIN AUTH=SCRAM-SHA-256");
    let failures = fixture.failures(&["--filter", "s/"]);
    let reason = "skipped (the target does not offer SASL-IR over starttls), and the skip baseline of the target does not \
                  list `not-offered:SASL-IR:imap:starttls`";
    assert_eq!(failures, [("s/needs[imap,login]".to_string(), reason.to_string())]);
    fixture.run(0, &["--filter", "s/", "--allow-new-skips"]);
    fixture.run(0, &["--filter", "s/", "--no-new-skips=false"]);
    // Accepted, it is known.
    fixture.run(1, &["--accept"]);
    fixture.run(0, &[]);
}

#[test]
fn without_a_baseline_a_skip_is_no_failure_and_none_can_be_asked_for() {
    let fixture = Fixture::new();
    fixture.run(0, &[]);
    let told = fixture.run(2, &["--no-new-skips"]);
    assert!(told.contains("the target has no skip baseline"), "{told}");
}

#[test]
fn a_server_that_is_less_secure_is_accepted_only_on_request() {
    let fixture = Fixture::accepted();
    let before = fixture.text();
    fixture.server.change(|shown| (shown.before_tls, shown.takes_plaintext) = ("STARTTLS", true));
    let told = fixture.run(1, &["--accept"]);
    assert!(
        told.contains("the server is less secure now (expect/capabilities/imap-starttls-before-tls[LOGI"),
        "{told}"
    );
    assert_eq!(fixture.text(), before);
    fixture.run(1, &["--accept", "--accept-security"]);
    assert!(fixture.text().contains("plaintext-passwords = true"), "{}", fixture.text());
    fixture.run(0, &[]);
}

#[test]
fn a_fact_that_is_chosen_by_its_id_is_compared_alone() {
    let fixture = Fixture::accepted();
    let id = "expect/capabilities/imap-starttls-before-tls[STARTTLS]";
    let output = loginspec(&["run", id, "--target", &fixture.target, "--timeout", "2s"]);
    let text = stdout(&output) + &stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("1 passed of 1 case"), "{text}");
}

#[test]
fn mistakes_in_what_is_expected_are_shown() {
    let fixture = Fixture::new();
    let wrong = "[expect]\nmechanisms = ['logn']\nskips = ['no-rol:x']\noldest-tls = '1.1'\n\
                 [[expect.endpoint]]\nprotocol = 'pop3'\nsecurity = 'tls'\nstate = 'before-tls'\n\
                 [[expect.endpoint]]\nprotocol = 'pop3'\nsecurity = 'tls'\nstate = 'within-tls'\n\
                 [[expect.endpoint]]\nprotocol = 'imap'\nsecurity = 'starttls'\nstate = 'after-login'\n\
                 required = ['A B', 'ID', 'id']\n";
    std::fs::write(&fixture.target, fixture.text() + wrong).unwrap();
    let told = loginspec(&["check", &fixture.target]);
    assert_eq!(told.status.code(), Some(2));
    for part in [
        "did you mean `login`?",
        "did you mean `no-role`?",
        "unknown oldest-tls `1.1`",
        "an endpoint with security = \"tls\" has no state `before-tls`",
        "the target has no pop3 endpoint with security = \"tls\"",
        "`A B` is no capability",
        "`id` stands here twice",
    ] {
        assert!(stderr(&told).contains(part), "{part} is missing:\n{}", stderr(&told));
    }
}
