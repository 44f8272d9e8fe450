//! The governor: what a server does because it is asked much, or late, or twice at once, is no finding. Each test has a
//! POP3 server of a few lines with one such limit, and fails when the governor does not heed it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loginspec::runner::{CaseReport, Plan, RunOptions, Summary, run};
use loginspec::scenario::{Selection, Verdict, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{Passwords, find_dialect, read_target, remote_target};
use loginspec::transport::Deadlines;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Collected, vocabulary};

/// What a server puts up with.
#[derive(Debug, Clone, Copy, Default)]
struct Limits {
    /// How long it takes to refuse.
    refusal: Duration,
    /// How many connections it greets at once.
    connections: Option<usize>,
    /// How many wrong passwords in a row lock the account.
    lockout: Option<usize>,
    /// Whether it keeps the mailbox to one session.
    one_session: bool,
    /// Whether it hangs up on a name that it hears for the first time.
    hangs_up_once: bool,
    /// Whether it fails temporarily at the first good login after a wrong password.
    fails_once: bool,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    most_open: usize,
    wrong_in_a_row: usize,
    longest_row: usize,
    is_in_session: bool,
    heard: HashSet<String>,
    has_failed: bool,
}

type Shared = Arc<Mutex<State>>;

async fn serve(limits: Limits) -> (String, Shared) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let state = Shared::default();
    let shared = Arc::clone(&state);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let state = Arc::clone(&shared);
            tokio::spawn(async move {
                let is_taken = {
                    let mut state = state.lock().unwrap();
                    state.open += 1;
                    state.most_open = state.most_open.max(state.open);
                    limits.connections.is_none_or(|most| state.open <= most)
                };
                let mut has_mailbox = false;
                if is_taken {
                    let _ = session(stream, limits, &state, &mut has_mailbox).await;
                }
                if has_mailbox && limits.one_session {
                    // It lets go of the mailbox only after it has said goodbye (RFC 1939 §6).
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                let mut state = state.lock().unwrap();
                state.open -= 1;
                state.is_in_session &= !has_mailbox;
            });
        }
    });
    (address, state)
}

async fn session(stream: TcpStream, limits: Limits, state: &Shared, has_mailbox: &mut bool) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut user = String::new();
    stream.write_all(b"+OK ready\r\n").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let (verb, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        let answer = match verb {
            "CAPA" => "+OK\r\nUSER\r\n.\r\n",
            "USER" => {
                user = rest.to_string();
                if limits.hangs_up_once && user != "Same" && state.lock().unwrap().heard.insert(user.clone()) {
                    return Ok(());
                }
                "+OK\r\n"
            }
            "PASS" => {
                let answer = log_in(limits, &mut state.lock().unwrap(), &user, rest, has_mailbox);
                if answer.is_err() {
                    tokio::time::sleep(limits.refusal).await;
                }
                answer.err().unwrap_or("+OK\r\n")
            }
            "STAT" => "+OK 1 60\r\n",
            "TOP" | "RETR" => "+OK\r\nX-Loginspec-Mailbox: Same\r\n\r\n.\r\n",
            "QUIT" => {
                stream.write_all(b"+OK\r\n").await?;
                return Ok(());
            }
            _ => "-ERR\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

fn log_in(
    limits: Limits,
    state: &mut State,
    user: &str,
    password: &str,
    has_mailbox: &mut bool,
) -> Result<(), &'static str> {
    let is_locked_out = limits.lockout.is_some_and(|most| state.wrong_in_a_row >= most);
    if user != "Same" || password != "Secret-Same" || is_locked_out {
        state.wrong_in_a_row += usize::from(user == "Same");
        state.longest_row = state.longest_row.max(state.wrong_in_a_row);
        return Err("-ERR no\r\n");
    }
    if limits.fails_once && state.wrong_in_a_row > 0 && !state.has_failed {
        state.has_failed = true;
        return Err("-ERR [SYS/TEMP] later\r\n");
    }
    state.wrong_in_a_row = 0;
    if limits.one_session && state.is_in_session {
        return Err("-ERR maildrop already locked\r\n");
    }
    state.is_in_session = true;
    *has_mailbox = true;
    Ok(())
}

/// Puts 24 cases to a server with these limits; `more` stands in the target file.
async fn put(limits: Limits, more: &str, login: &str, expect: &str) -> (Summary, Vec<CaseReport>, Shared) {
    put_with(true, limits, more, login, expect).await
}

/// The same; `may_grow` is whether there may be more connections where refusals are slow, which `--jobs` turns off.
async fn put_with(
    may_grow: bool,
    limits: Limits,
    more: &str,
    login: &str,
    expect: &str,
) -> (Summary, Vec<CaseReport>, Shared) {
    let (address, state) = serve(limits).await;
    let text = format!(
        "name = 'limited'\ndialect = 'opaque'\n[pop3]\naddress = '{address}'\nsecurity = 'plaintext'\n{more}\n\
         [[account]]\nrole = 'same'\nuser = 'Same'\nmailbox = 'Same'\npassword = {{ text = 'Secret-Same' }}\n"
    );
    let file = read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Fetch, true).unwrap();
    let target = Arc::new(remote_target(file, find_dialect("opaque").unwrap()));
    let case = |number: usize| {
        let login = login.replace("{number}", &number.to_string());
        format!(
            "[[case]]\nid = 'case-{number}'\nprotocol = ['pop3']\nmechanism = ['login']\n{login}\nexpect = {expect}\n"
        )
    };
    let cases: String = (0..24).map(case).collect();
    let text = format!("title = 'x'\ncites = ['y']\n{cases}");
    let scenario = read_scenario("s", &SourceText::new("s.toml", text), &vocabulary()).unwrap();
    let plan = Plan::new(&[Arc::new(scenario)], &[Arc::clone(&target.dialect)], &Selection::default());
    let (_sender, interrupt) = tokio::sync::watch::channel(false);
    let deadlines = Deadlines::from_reply(Duration::from_millis(400));
    let options = RunOptions { jobs: 12, may_grow, shares_answers: false, ..RunOptions::new(deadlines, interrupt) };
    let mut collected = Collected::default();
    let summary = run(plan, &[target], options, &mut collected).await.unwrap();
    (summary, collected.0, state)
}

fn assert_all_pass(summary: &Summary, cases: &[CaseReport]) {
    let wrong: Vec<_> = cases.iter().filter(|case| case.verdict != Verdict::Pass).collect();
    assert!(wrong.is_empty() && cases.len() == 24, "{} cases; {wrong:#?}", cases.len());
    assert!(summary.is_success(), "{summary:?}");
}

const NO_LOCKOUT: &str = "[limits]\nno-lockout = true";
const OPENS: &str = "{ opens = '{mailbox}' }";
const WRONG: &str = "login = '{user}'\npassword = 'wrong-{number}'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_refusal_is_no_hang() {
    // Longer than the deadline, which grows with what is learned.
    let limits = Limits { refusal: Duration::from_millis(700), ..Limits::default() };
    let (summary, cases, _) = put(limits, NO_LOCKOUT, WRONG, "'rejected'").await;
    assert_all_pass(&summary, &cases);
    // Refusals are waited for side by side.
    assert!(summary.took < Duration::from_millis(700 * 24 / 3), "{:?}", summary.took);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_account_is_locked() {
    let limits = Limits { lockout: Some(4), ..Limits::default() };
    let (summary, cases, state) = put(limits, "", WRONG, "'rejected'").await;
    assert_all_pass(&summary, &cases);
    let state = state.lock().unwrap();
    // Three by default, and a good login between; none is left with a wrong password as its last word.
    assert_eq!((state.longest_row, state.wrong_in_a_row), (3, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declared_lockout_is_never_reached() {
    let limits = Limits { lockout: Some(2), ..Limits::default() };
    let (summary, cases, state) = put(limits, "[limits]\nlockout = 2", WRONG, "'rejected'").await;
    assert_all_pass(&summary, &cases);
    assert_eq!(state.lock().unwrap().longest_row, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_full_is_asked_again() {
    let limits = Limits { connections: Some(3), ..Limits::default() };
    let (summary, cases, state) = put(limits, NO_LOCKOUT, "login = '{user}'", OPENS).await;
    assert_all_pass(&summary, &cases);
    assert!(state.lock().unwrap().most_open > 3, "it was never full");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declared_connections_are_never_exceeded() {
    let limits = Limits { connections: Some(3), ..Limits::default() };
    let more = "[limits]\nno-lockout = true\nconnections = 2";
    let (summary, cases, state) = put(limits, more, "login = '{user}'", OPENS).await;
    assert_all_pass(&summary, &cases);
    assert!(state.lock().unwrap().most_open <= 3, "{:?}", state.lock().unwrap().most_open);
}

/// However many `--jobs` asks for, and however slow refusals are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_do_not_exceed_declared_connections() {
    for may_grow in [false, true] {
        let limits = Limits { refusal: Duration::from_millis(300), ..Limits::default() };
        let more = "[limits]\nno-lockout = true\nconnections = 2";
        let (summary, cases, state) = put_with(may_grow, limits, more, WRONG, "'rejected'").await;
        assert_all_pass(&summary, &cases);
        assert!(state.lock().unwrap().most_open <= 3, "{may_grow}: {:?}", state.lock().unwrap().most_open);
    }
}

/// One answer that means nothing does not end the wrong passwords of an account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_login_that_fails_temporarily_is_retried() {
    let limits = Limits { lockout: Some(4), fails_once: true, ..Limits::default() };
    let (summary, cases, state) = put(limits, "", WRONG, "'rejected'").await;
    assert_all_pass(&summary, &cases);
    let state = state.lock().unwrap();
    assert_eq!((state.has_failed, state.longest_row, state.wrong_in_a_row), (true, 3, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_maildrop_is_no_refusal() {
    let limits = Limits { one_session: true, ..Limits::default() };
    let (summary, cases, _) = put(limits, NO_LOCKOUT, "login = '{user}'", OPENS).await;
    assert_all_pass(&summary, &cases);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_now_and_then_is_asked_again_and_told_of() {
    let limits = Limits { hangs_up_once: true, ..Limits::default() };
    let (summary, cases, _) = put(limits, NO_LOCKOUT, "login = 'nobody-{number}'\npassword = 'x'", "'rejected'").await;
    assert_all_pass(&summary, &cases);
    let told = "of 24 conversations that may have suffered from others at the same time, 24 came to something else";
    assert!(summary.warnings.iter().any(|warning| warning.contains(told)), "{:?}", summary.warnings);
    let first: Vec<Option<&str>> = cases.iter().map(|case| case.first_outcome).collect();
    assert_eq!(first, [Some("closed"); 24], "each case says what its first attempt came to");
}

/// One wrong password at a time is sent for an account, so most cases wait for the others. Reports tell how long the
/// server took, not how long the case waited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_case_does_not_include_its_wait() {
    let limits = Limits { refusal: Duration::from_millis(100), lockout: Some(2), ..Limits::default() };
    let wrong = "login = '{user}'\npassword = 'wrong-{number}'";
    let (summary, cases, _) = put(limits, "[limits]\nlockout = 2", wrong, "'rejected'").await;
    assert_all_pass(&summary, &cases);
    for case in &cases {
        assert!(case.took >= limits.refusal, "{} took {:?}", case.id, case.took);
        assert!(case.took < summary.took / 4, "{} took {:?} of {:?}", case.id, case.took, summary.took);
        assert_eq!(case.first_outcome, None);
    }
}

/// Whoever refuses a name with its right password may have the mailbox open for another; a second session shows at once
/// that this one does not, and nothing is asked twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_locks_nothing_is_asked_once() {
    let (summary, cases, _) = put(Limits::default(), NO_LOCKOUT, "login = '{user}/{number}'", "'rejected'").await;
    assert_all_pass(&summary, &cases);
    // A survey, two sanity logins, two refusals and two sessions of one mailbox to learn from, and each case once.
    assert_eq!(summary.conversations, 7 + 24);
}
