//! Every peer is hostile: whatever a server does, each case gets a clear outcome, in time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loginspec::runner::{CaseReport, Plan, RunOptions, Summary, run};
use loginspec::scenario::{Selection, Verdict, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{Passwords, Target, find_dialect, read_target, remote_target};
use loginspec::transport::Deadlines;
use support::Collected;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SCENARIO: &str = r#"
title = "One login"
cites = ["RFC 9051 §6.2.3"]
[[case]]
id       = "login"
protocol = ["imap"]
login    = '{user}'
expect   = { opens = "{mailbox}" }
"#;

/// What a server does with a connection.
type Behaviour = fn(TcpStream) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn listen(behaviour: Behaviour) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behaviour(stream));
        }
    });
    address
}

fn target(address: &str) -> Arc<Target> {
    let text = format!(
        "name = 'hostile'\ndialect = 'opaque'\n[imap]\naddress = '{address}'\nsecurity = 'plaintext'\n[limits]\nno-lockout = true\n\
         [[account]]\nrole = 'same'\nuser = 'Same'\nmailbox = 'Same'\npassword = {{ text = 'Secret-Same' }}\n"
    );
    let file = read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Fetch, true).unwrap();
    Arc::new(remote_target(file, find_dialect("opaque").unwrap()))
}

fn plan(target: &Target) -> Plan {
    let scenario =
        Arc::new(read_scenario("one", &SourceText::new("one.toml", SCENARIO), &support::vocabulary()).unwrap());
    Plan::new(&[scenario], &[Arc::clone(&target.dialect)], &Selection::default())
}

async fn put_to(address: &str) -> (Summary, Vec<CaseReport>) {
    let target = target(address);
    let plan = plan(&target);
    put_plan(target, plan).await
}

/// Asks so many cases that each log in with the right name and the given password, and expect the given outcome.
async fn put_many(address: &str, cases: usize, password: &str, expect: &str) -> (Summary, Vec<CaseReport>) {
    let mut text = "title = 'Many'\ncites = ['x']\n".to_string();
    for at in 0..cases {
        let password = password.replace("{at}", &at.to_string());
        let case =
            format!("[[case]]\nid = 'c{at}'\nprotocol = ['imap']\nlogin = '{{user}}'\npassword = '{password}'\n");
        text.push_str(&format!("{case}expect = {expect}\n"));
    }
    let scenario =
        Arc::new(read_scenario("many", &SourceText::new("many.toml", text), &support::vocabulary()).unwrap());
    let target = target(address);
    let plan = Plan::new(&[scenario], &[Arc::clone(&target.dialect)], &Selection::default());
    put_plan(target, plan).await
}

async fn put_plan(target: Arc<Target>, plan: Plan) -> (Summary, Vec<CaseReport>) {
    let (_sender, interrupt) = tokio::sync::watch::channel(false);
    let deadlines = Deadlines::from_reply(Duration::from_millis(300));
    let mut collected = Collected::default();
    let start = Instant::now();
    let summary = run(
        plan,
        &[target],
        RunOptions { jobs: 4, may_grow: false, ..RunOptions::new(deadlines, interrupt) },
        &mut collected,
    )
    .await
    .unwrap();
    assert!(start.elapsed() < Duration::from_secs(8), "took {:?}", start.elapsed());
    for case in &collected.0 {
        assert!(!format!("{case:?}").contains("Secret-Same"), "{case:?}");
    }
    (summary, collected.0)
}

async fn outcome_of(behaviour: Behaviour) -> CaseReport {
    let address = listen(behaviour).await;
    let (_, cases) = put_to(&address.to_string()).await;
    assert_eq!(cases.len(), 1);
    cases.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (summary, cases) = put_to(&address).await;
    assert_eq!(summary.unreachable.len(), 1);
    assert_eq!(cases[0].verdict, Verdict::Error);
    assert!(cases[0].reason.contains("failed to connect"), "{}", cases[0].reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_does_not_resolve() {
    let (summary, cases) = put_to("no-such-host.invalid:143").await;
    assert_eq!(summary.unreachable.len(), 1);
    assert_eq!(cases[0].verdict, Verdict::Error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_never_greets() {
    let address = listen(|stream| {
        Box::pin(async move {
            let _open = stream;
            std::future::pending::<()>().await;
        })
    })
    .await;
    let (summary, cases) = put_to(&address.to_string()).await;
    assert!(summary.unreachable[0].contains("does not greet"), "{:?}", summary.unreachable);
    assert_eq!(cases[0].verdict, Verdict::Error);
}

fn greet_and_say_no_more(mut stream: TcpStream) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
        let mut sink = Vec::new();
        let _ = stream.read_to_end(&mut sink).await;
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_greets_and_says_no_more() {
    let case = outcome_of(greet_and_say_no_more).await;
    assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some("no-answer")));
    // That of the second look, for which it had four times as long.
    assert!(case.transcript.unwrap().contains("[no answer for 1.2 s]"));
}

/// Each of 200 cases would wait for 0.3 s twice, four at once: half a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_greets_and_says_no_more_and_not_every_case_waits_for_it() {
    let address = listen(greet_and_say_no_more).await;
    let (summary, cases) = put_many(&address.to_string(), 200, "not-the-password-{at}", "'rejected'").await;
    let told = format!("{address} (imap) greets, but answers nothing within 0.3 s (--timeout)");
    assert_eq!(summary.unreachable, std::slice::from_ref(&told));
    assert_eq!((cases.len(), summary.count(Verdict::Error)), (200, 200));
    assert!(cases.iter().all(|case| case.reason == told), "{:?}", cases[0].reason);
}

/// It opens the mailbox for the right password, and hangs for every other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_no_login_that_it_refuses() {
    let address = listen(|mut stream| {
        Box::pin(async move {
            let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
            let mut octets = [0; 512];
            while let Ok(count @ 1..) = stream.read(&mut octets).await {
                let line = String::from_utf8_lossy(&octets[..count]).into_owned();
                let mut words = line.split_whitespace();
                let (tag, command) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                let answer = match command {
                    "CAPABILITY" => format!("* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n"),
                    "LOGIN" if !line.contains("Secret-Same") => continue,
                    "EXAMINE" => format!("* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK [READ-ONLY] done\r\n"),
                    "LOGOUT" => format!("* BYE\r\n{tag} OK done\r\n"),
                    _ => format!("{tag} OK done\r\n"),
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        })
    })
    .await;
    let (summary, cases) = put_many(&address.to_string(), 200, "not-the-password-{at}", "'rejected'").await;
    assert_eq!((cases.len(), summary.finished(), summary.unreachable.len()), (200, 200, 0));
    let (failed, skipped) = (summary.count(Verdict::Fail), summary.count(Verdict::Skip));
    // The first ones are really asked, and those that were under way by then.
    assert!((8..40).contains(&failed) && failed + skipped == 200, "{failed} failed, {skipped} skipped");
    let skip = cases.iter().find_map(|case| case.skip.clone()).unwrap();
    assert_eq!(skip.as_str(), "refusals-unanswered:imap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_closes_at_the_login() {
    let case = outcome_of(|mut stream| {
        Box::pin(async move {
            let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
            let _ = stream.read(&mut [0; 64]).await;
        })
    })
    .await;
    assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some("closed")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_with_another_tag() {
    let case = outcome_of(|mut stream| {
        Box::pin(async move {
            let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream.write_all(b"zzz OK welcome\r\n").await;
            let _ = stream.read(&mut [0; 64]).await;
        })
    })
    .await;
    assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some("garbled")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_sends_a_line_without_end() {
    let case = outcome_of(|mut stream| {
        Box::pin(async move {
            let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
            while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
        })
    })
    .await;
    assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some("garbled")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_drips() {
    let case = outcome_of(|mut stream| {
        Box::pin(async move {
            let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
            for octet in b"* ".iter().chain(std::iter::repeat(&b'x')) {
                if stream.write_all(&[*octet]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    })
    .await;
    assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some("no-answer")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_echoes_the_password() {
    let case = outcome_of(|stream| Box::pin(echo(stream, "a1 BAD I do not like "))).await;
    assert_eq!((case.verdict, case.outcome), (Verdict::Fail, Some("bad")));
    assert!(case.text.unwrap().contains("<password>"));

    // The login that ends the run is told of without the password too.
    let address = listen(|stream| Box::pin(echo(stream, "a1 NO I do not like "))).await;
    let (summary, cases) = put_to(&address.to_string()).await;
    assert!(cases.is_empty(), "{cases:?}");
    let [refused] = &summary.refused_logins[..] else { panic!("{summary:?}") };
    assert!(refused.answer.contains("<password>"), "{refused:?}");
    assert!(!format!("{summary:?}").contains("Secret-Same"), "{summary:?}");
}

/// Answers the login with these words and the login itself.
async fn echo(mut stream: TcpStream, answer: &'static str) {
    let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
    let mut line = [0; 256];
    let count = stream.read(&mut line).await.unwrap_or_default();
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.write_all(&line[..count]).await;
    let _ = stream.read(&mut line).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ok_without_a_canary_proves_nothing() {
    let case = outcome_of(|mut stream| {
        Box::pin(async move {
            let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
            for answer in ["a1 OK in\r\n", "* 0 EXISTS\r\na2 OK examined\r\n", "* BYE\r\na3 OK out\r\n"] {
                let _ = stream.read(&mut [0; 256]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        })
    })
    .await;
    assert_eq!((case.verdict, case.outcome, case.proof), (Verdict::Error, Some("opened"), Some("none")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_is_no_greeting() {
    let address = listen(|mut stream| {
        Box::pin(async move {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        })
    })
    .await;
    let (summary, _) = put_to(&address.to_string()).await;
    assert!(summary.unreachable[0].contains("garbled"), "{:?}", summary.unreachable);
}

/// After an interrupt nothing of the run holds on to the target, so that whoever started it can stop it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_lets_go_of_the_target() {
    let address = listen(|mut stream| {
        Box::pin(async move {
            let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
            std::future::pending::<()>().await;
        })
    })
    .await;
    let target = target(&address.to_string());
    let plan = plan(&target);
    let (sender, interrupt) = tokio::sync::watch::channel(false);
    // Long enough to be still on its way when the interrupt comes, right after the sanity login has given up.
    let mut deadlines = Deadlines::from_reply(Duration::from_millis(300));
    deadlines.whole = Duration::from_secs(60);
    let options = RunOptions { jobs: 4, may_grow: false, ..RunOptions::new(deadlines, interrupt) };
    let targets = [Arc::clone(&target)];
    let mut collected = Collected::default();
    let running = run(plan, &targets, options, &mut collected);
    let interrupting = async {
        tokio::time::sleep(Duration::from_millis(450)).await;
        sender.send_replace(true);
    };
    let (summary, ()) = tokio::join!(running, interrupting);
    let summary = summary.unwrap();
    assert!(summary.interrupted, "{summary:?}");
    drop(targets);
    assert!(Arc::into_inner(target).is_some());
}

/// However much a server says, a report shows as much as people read: the head, the tail, and where it went wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_flood_leaves_in_a_report_is_short() {
    for flood in [&[0; 60_000][..], &b"* OK\r\n".repeat(9_000)] {
        let flood: &'static [u8] = Box::leak(flood.to_vec().into_boxed_slice());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
                    let mut octets = [0; 512];
                    while let Ok(1..) = stream.read(&mut octets).await {
                        let no = [b"a1 NO ", flood, b"\r\n"].concat();
                        let said = if flood[0] == 0 { no } else { [flood, b"zzz\r\n"].concat() };
                        let _ = stream.write_all(&said).await;
                    }
                });
            }
        });
        let (_, cases) = put_to(&address).await;
        let case = cases.first().unwrap();
        let transcript = case.transcript.as_deref().unwrap_or_default();
        assert!(transcript.len() < 20_000, "{} octets of transcript", transcript.len());
        assert!(transcript.contains("[... "), "{transcript}");
        assert!(transcript.contains("^ "), "what is wrong is not pointed at: {transcript}");
        let text = format!("{case:?}");
        assert!(text.len() < 60_000, "{} octets in all", text.len());
    }
}

/// Whoever starts a server wants it back when a run is interrupted, also while the run waits for it to say what it offers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_lets_go_of_its_targets() {
    let address =
        listen(|mut stream| Box::pin(async move { while let Ok(1..) = stream.read(&mut [0; 64]).await {} })).await;
    let target = target(&address.to_string());
    let plan = plan(&target);
    let (sender, interrupt) = tokio::sync::watch::channel(false);
    let deadlines = Deadlines::from_reply(Duration::from_secs(30));
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        sender.send_replace(true);
        std::future::pending::<()>().await;
    });
    let targets = [target];
    let summary = run(plan, &targets, RunOptions::new(deadlines, interrupt), &mut Collected::default()).await.unwrap();
    assert!(summary.interrupted);
    let [target] = targets;
    assert!(Arc::into_inner(target).is_some(), "something of the run holds on to the target");
}
