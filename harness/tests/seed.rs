//! `loginspec seed`: canaries are delivered once, to the right mailbox or not at all, and a run finds them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A small IMAP server that takes messages in. Each account's password is `Secret-` and its name.
#[derive(Clone, Default)]
struct Server {
    /// The mailbox that opens for a user; others open the one called like them.
    opens: HashMap<String, String>,
    /// What it answers to `APPEND` in the place of going on.
    answers_append: Option<&'static str>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    mailboxes: HashMap<String, Vec<String>>,
    /// Every command, without its tag.
    commands: Vec<String>,
}

impl Server {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        address
    }

    async fn serve(self, stream: TcpStream) -> Option<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        writer.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await.ok()?;
        let mut mailbox = String::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let (tag, command) = line.trim_end().split_once(' ')?;
            self.state.lock().unwrap().commands.push(command.to_string());
            let words: Vec<&str> = command.split(' ').collect();
            let answer = match words[0] {
                "LOGIN" => {
                    let (user, password) = (words[1].trim_matches('"'), words[2].trim_matches('"'));
                    mailbox = self.opens.get(user).map_or(user, String::as_str).to_string();
                    let is_right = password == format!("Secret-{user}");
                    if is_right { format!("{tag} OK in") } else { format!("{tag} NO [AUTHENTICATIONFAILED] no") }
                }
                "SELECT" | "EXAMINE" => format!("* {} EXISTS\r\n{tag} OK open", self.messages(&mailbox).len()),
                "FETCH" => {
                    let messages = self.messages(&mailbox);
                    let header = |number: usize| {
                        let message = &messages[number - 1];
                        let fields: String = message.lines().take(1).filter(|line| line.starts_with("X-L")).collect();
                        format!(
                            "* {number} FETCH (BODY[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)] {{{}}}\r\n{fields})\r\n",
                            fields.len()
                        )
                    };
                    format!("{}{tag} OK fetched", numbers(words[1]).map(header).collect::<String>())
                }
                "APPEND" if self.answers_append.is_some() => {
                    self.answers_append.unwrap_or_default().replace("TAG", tag)
                }
                "APPEND" => {
                    let size: usize = words.last()?.trim_matches(|c| c == '{' || c == '}').parse().ok()?;
                    writer.write_all(b"+ go on\r\n").await.ok()?;
                    let mut message = vec![0; size + 2];
                    reader.read_exact(&mut message).await.ok()?;
                    self.deliver(&mailbox, &String::from_utf8(message).ok()?);
                    format!("{tag} OK appended")
                }
                "LOGOUT" => format!("* BYE\r\n{tag} OK"),
                _ => format!("{tag} BAD what"),
            };
            writer.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        }
    }

    fn deliver(&self, mailbox: &str, message: &str) {
        self.state.lock().unwrap().mailboxes.entry(mailbox.to_string()).or_default().push(message.to_string());
    }

    fn messages(&self, mailbox: &str) -> Vec<String> {
        self.state.lock().unwrap().mailboxes.get(mailbox).cloned().unwrap_or_default()
    }

    /// How many commands began with this since somebody last asked for any.
    fn asked(&self, verb: &str) -> usize {
        self.state.lock().unwrap().commands.iter().filter(|command| command.starts_with(verb)).count()
    }
}

/// The numbers of a sequence set.
fn numbers(set: &str) -> impl Iterator<Item = usize> {
    set.split(',').flat_map(|range| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        from.parse::<usize>().unwrap()..=to.parse().unwrap()
    })
}

/// A target file for the server, with these accounts: role, user, mailbox.
struct Target {
    folder: TempDir,
    file: PathBuf,
}

fn target(imap: &str, accounts: &[(&str, &str, &str)], more: &str) -> Target {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.toml");
    let mut text =
        format!("name = 't'\ndialect = 'dovecot-unrestricted'\n[imap]\naddress = '{imap}'\nsecurity = 'plaintext'\n");
    for (role, user, mailbox) in accounts {
        text += &format!(
            "[[account]]\nrole = '{role}'\nuser = '{user}'\nmailbox = '{mailbox}'\n\
             password = {{ text = 'Secret-{user}' }}\n"
        );
    }
    std::fs::write(&file, text + more).unwrap();
    Target { folder, file }
}

async fn loginspec(arguments: &[&str]) -> (Option<i32>, String) {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let run = move || -> Output {
        let mut command = Command::cargo_bin("loginspec").unwrap();
        command.env_remove("LOGINSPEC_PASSWORD").args(arguments).timeout(Duration::from_secs(60)).output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!told.contains("Secret-"), "{told}");
    (output.status.code(), told)
}

async fn seed(target: &Target, more: &[&str]) -> (Option<i32>, String) {
    loginspec(&[&["seed", "--target", target.file.to_str().unwrap()], more].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_is_delivered_once_and_a_run_finds_it() {
    let server = Server::default();
    for number in 0..40 {
        server.deliver("test2", &format!("Subject: {number}\r\n\r\n"));
    }
    let target = target(
        &server.start().await,
        &[("same", "test1", "test1"), ("twin", "test2", "test2")],
        "[[account]]\nrole = 'disabled'\nuser = 'test3'\nmailbox = 'test3'\ndisabled = true\npassword = { text = 'xyz' }\n\
         [[account]]\nrole = 'no-mailbox'\nuser = 'test4'\npassword = { text = 'xyz' }\n\
         [[mailbox]]\nrole = 'orphan'\nname = 'test5'\n",
    );
    let (status, told) = seed(&target, &["--dry-run"]).await;
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("wanting    same (test1): there is no canary"), "{told}");
    assert_eq!((server.asked("APPEND"), server.asked("SELECT")), (0, 0), "a dry run changes nothing");

    let (status, told) = seed(&target, &[]).await;
    assert_eq!(status, Some(0), "{told}");
    for line in [
        "delivered  same (test1): a canary was delivered, and a second login has found it",
        "delivered  twin (test2): a canary was delivered, and a second login has found it",
        "skipped    disabled (test3): the account is disabled",
        "skipped    no-mailbox: the account has no mailbox",
        "skipped    orphan (test5): no account has this mailbox",
        "2 delivered, 3 skipped",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let canary = server.messages("test2").pop().unwrap();
    assert!(canary.starts_with("X-Loginspec-Mailbox: test2\r\nFrom: "), "{canary}");

    let (status, told) = seed(&target, &[]).await;
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("there      twin (test2)") && told.contains("2 already there, 3 skipped"), "{told}");
    assert_eq!((server.messages("test1").len(), server.messages("test2").len()), (1, 41));

    let scenario = target.folder.path().join("opens.toml");
    let text = "title = 'x'\ncites = ['y']\n[[case]]\nid = 'opens'\nprotocol = ['imap']\naccount = ['same', 'twin', 'spaced']\n\
                login = '{user}'\nexpect = { opens = '{mailbox}' }\n";
    std::fs::write(&scenario, text).unwrap();
    let arguments = ["run", scenario.to_str().unwrap(), "--target", target.file.to_str().unwrap(), "--json", "-"];
    let (status, told) = loginspec(&arguments).await;
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(told.matches(r#""proof":"canary""#).count(), 2, "{told}");
    assert!(told.contains("there is no account for the role `spaced`") || told.contains("role `spaced`"), "{told}");
}

/// Two accounts for which one mailbox opens: the second finds the canary of the first, and leaves the mailbox alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_delivered_to_a_mailbox_of_another_name() {
    let opens = HashMap::from([("test2".to_string(), "test1".to_string())]);
    let server = Server { opens, ..Server::default() };
    let target = target(&server.start().await, &[("same", "test1", "test1"), ("twin", "test2", "test2")], "");
    let (status, told) = seed(&target, &[]).await;
    assert_eq!(status, Some(1), "{told}");
    assert!(
        told.contains("FAILED     twin (test2): the canary in the mailbox that opens names test1, not test2"),
        "{told}"
    );
    assert!(told.contains("nothing was delivered") && told.contains("1 delivered, 1 failed"), "{told}");
    assert_eq!(server.messages("test1").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_wrong_password_is_all_that_an_account_gets() {
    let server = Server::default();
    let accounts = "[[account]]\nrole = 'same'\nuser = 'test1'\nmailbox = 'test1'\npassword = { text = 'Secret-Wrong' }\n\
                    [[account]]\nrole = 'twin'\nuser = 'test1'\nmailbox = 'test1'\npassword = { text = 'Secret-Wrong' }\n";
    let target = target(&server.start().await, &[], accounts);
    let (status, told) = seed(&target, &[]).await;
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains("(`[AUTHENTICATIONFAILED] no`); the user name, the dialect or the password"), "{told}");
    assert!(told.contains("the same account was refused as the role `same`, and is not tried again"), "{told}");
    assert_eq!(server.asked("LOGIN"), 1);

    // Nor does a run send it once for each case.
    let (status, told) = loginspec(&["run", "imap/carriers", "--target", target.file.to_str().unwrap()]).await;
    assert_eq!(status, Some(5), "{told}");
    assert!(told.contains("the login as `test1` over imap"), "{told}");
    assert_eq!(server.asked("LOGIN"), 2, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_message_is_told_of() {
    for (answer, says) in [
        ("TAG NO [OVERQUOTA] full", "did not take a canary (`[OVERQUOTA] full`)"),
        ("TAG OK done", "garbled answer at: delivering the canary"),
        ("\0\0\0", "garbled answer at: delivering the canary"),
        ("* 1 EXISTS", "no answer in time at: delivering the canary"),
        ("+ go on", "at: delivering the canary"),
    ] {
        let server = Server { answers_append: Some(answer), ..Server::default() };
        let target = target(&server.start().await, &[("same", "test1", "test1")], "");
        let (status, told) = seed(&target, &["--timeout", "500ms"]).await;
        assert_eq!(status, Some(1), "{answer}: {told}");
        assert!(told.contains(says), "{answer}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_and_whoever_is_not_there() {
    let refused = |arguments: &'static [&'static str], says: &'static str| async move {
        let (status, told) = loginspec(arguments).await;
        assert_eq!(status, Some(2), "{arguments:?}: {told}");
        assert!(told.contains(says), "{arguments:?}: {told}");
    };
    refused(&["seed"], "say which server: --target FILE.toml").await;
    refused(&["seed", "--target", "reference"], "reference has its canaries").await;
    refused(&["seed", "--target", "container:dovecot-2.4"], "container:dovecot-2.4 has its canaries").await;
    refused(&["seed", "--target", "no/such.toml"], "no/such.toml").await;
    refused(&["seed", "--account", "a"], "--account is for a server without a target file").await;
    let command = ["seed", "--pop3", "127.0.0.1:1", "--account", "a", "--password-command", "echo xyz"];
    let (status, told) = loginspec(&command).await;
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("does not speak imap; a canary is delivered over IMAP"), "{told}");

    let target = target("127.0.0.1:1", &[("same", "test1", "test1")], "");
    let (status, told) = seed(&target, &[]).await;
    assert_eq!(status, Some(3), "{told}");
    assert!(told.contains("is the port right, and does the server run?"), "{told}");
    let nobody =
        self::target("127.0.0.1:1", &[], "[[account]]\nrole = 'same'\nuser = 'a'\npassword = { prompt = true }\n");
    let (status, told) = seed(&nobody, &[]).await;
    assert_eq!(status, Some(5), "{told}");
    assert!(told.contains("there is no terminal on which to ask for it"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quick_targets_are_seeded_too_and_passwords_come_from_commands() {
    let server = Server::default();
    let imap = server.start().await;
    let account = ["--imap", &imap, "--security", "plaintext", "--account", "test1", "--password-command"];
    let (status, told) = loginspec(&[&["seed"], &account[..], &["echo Secret-test1"]].concat()).await;
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("delivered  same (test1)"), "{told}");
    let (status, told) = loginspec(&[&["seed"], &account[..], &["exit 7"]].concat()).await;
    assert_eq!(status, Some(5), "{told}");
    assert!(told.contains("failed to get the password: `exit 7` ended with exit status: 7"), "{told}");
}
