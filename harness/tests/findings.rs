//! What is told of a case that went wrong: the octet, the nearest sibling that passed, who is at fault, how to ask
//! again; and refusals that must not be told apart.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use loginspec::axes::Security;
use loginspec::identity::bundled_directory;
use loginspec::reference::{Flaw, Flaws};
use loginspec::runner::{Blame, CaseReport, Plan, Reporter, RunEvent, RunOptions, run};
use loginspec::scenario::{Scenario, Selection, Verdict, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{Passwords, Target, find_dialect, read_target, remote_target, start_reference};
use loginspec::transport::Deadlines;
use support::Collected;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

fn scenario(text: &str) -> Arc<Scenario> {
    Arc::new(read_scenario("s", &SourceText::new("s.toml", text), &support::vocabulary()).unwrap())
}

async fn put(scenario: &Arc<Scenario>, target: Arc<Target>) -> Vec<CaseReport> {
    let plan = Plan::new(&[Arc::clone(scenario)], &[Arc::clone(&target.dialect)], &Selection::default());
    let (_sender, interrupt) = watch::channel(false);
    let options = RunOptions {
        jobs: 8,
        may_grow: false,
        ..RunOptions::new(Deadlines::from_reply(Duration::from_secs(5)), interrupt)
    };
    let mut collected = Collected::default();
    run(plan, &[target], options, &mut collected).await.unwrap();
    collected.0
}

fn reference(flaws: Flaws) -> Arc<Target> {
    let dialect = Arc::new(find_dialect("opaque").unwrap());
    Arc::new(start_reference(dialect, Arc::new(bundled_directory().unwrap()), flaws).unwrap())
}

/// A server that greets, and says `answer` to everything.
async fn answering(answer: &'static [u8]) -> Arc<Target> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1 LITERAL+] ready\r\n").await;
                let mut octets = [0; 512];
                while let Ok(1..) = stream.read(&mut octets).await {
                    let _ = stream.write_all(answer).await;
                }
            });
        }
    });
    let text = format!(
        "name = 'mine'\ndialect = 'opaque'\n[imap]\naddress = '{address}'\nsecurity = 'plaintext'\n[limits]\nno-lockout = true\n[[account]]\nrole = 'same'\nuser = 'Same'\n\
         mailbox = 'Same'\npassword = {{ text = 'Secret-Same' }}\n"
    );
    let file = read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Fetch, true).unwrap();
    Arc::new(remote_target(file, find_dialect("opaque").unwrap()))
}

const OPENS: &str = "title = 'x'\ncites = ['y']\n[[case]]\nid = 'opens'\nprotocol = ['imap']\n\
                     encoding = ['atom', 'quoted', 'literal', 'literal-plus']\nlogin = '{user}'\n\
                     expect = { opens = '{mailbox}' }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caret_stands_under_the_octet_that_breaks_the_rule() {
    let cases = put(&scenario(OPENS), answering(b"a1 NO Secret-Same \0\r\n").await).await;
    for case in &cases {
        let transcript = case.transcript.as_deref().unwrap();
        let deviation = case.deviation.as_ref().unwrap();
        assert_eq!((deviation.octet, deviation.index), (Some(0), 44 + 18), "{transcript}");
        let lines: Vec<&str> = transcript.lines().collect();
        let at = lines.iter().position(|line| line.starts_with("S: a1 NO <password> \\x00")).expect(transcript);
        let caret = lines[at + 1];
        assert_eq!(caret.find('^'), lines[at].find("\\x00"), "{transcript}");
        assert!(caret.contains("^ octet 0x00 at 62: a line holds no NUL"), "{transcript}");
        assert_eq!(case.blame, Some(Blame::Server));
        assert_eq!((case.sibling.as_ref(), case.combinations), (None, 4));
    }
    assert_eq!(cases.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialogue_that_leaves_its_script_says_where() {
    let text = "title = 'x'\ncites = ['y']\n[[case]]\nid = 'd'\nprotocol = ['imap']\ndialogue = '''\nS: * OK\n\
                C: a NOOP\nS: a OK\n'''\n";
    let cases = put(&scenario(text), answering(b"a BAD what?\r\n").await).await;
    let transcript = cases[0].transcript.as_deref().unwrap();
    assert!(transcript.ends_with("S: a BAD what?\n   ^ this line was not expected\n"), "{transcript}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nearest_sibling_that_passed_is_told() {
    let cases = put(&scenario(OPENS), reference(Flaw::TruncatesLiteral.into())).await;
    let verdicts = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
    assert_eq!((verdicts(Verdict::Pass), verdicts(Verdict::Fail)), (2, 2));
    for case in cases.iter().filter(|case| case.verdict == Verdict::Fail) {
        let sibling = case.sibling.as_ref().unwrap();
        assert_eq!(sibling.id, "s/opens[imap,login,atom]");
        assert_eq!(sibling.differs, ["encoding"]);
        let this = case.encoding.unwrap();
        let told = format!("the same login passes as `atom` instead of `{this}` (s/opens[imap,login,atom])");
        assert_eq!(sibling.sentence, told);
        assert_eq!(case.blame, Some(Blame::Server));
    }
    assert!(cases.iter().filter(|case| case.verdict == Verdict::Pass).all(|case| case.sibling.is_none()));
}

/// The sibling that differs in one axis is nearer than those that differ in two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_differences_are_nearer() {
    let text = "title = 'x'\ncites = ['y']\n[matrix]\nmechanism = ['login', 'plain']\n[[case]]\nid = 'opens'\n\
                login = '{user}'\nexpect = { opens = '{mailbox}' }\n";
    let cases = put(&scenario(text), reference(Flaw::PlainSwapsFields.into())).await;
    let failed: Vec<_> = cases.iter().filter(|case| case.verdict == Verdict::Fail).collect();
    assert_eq!(failed.len(), 2);
    let of = |id: &str| failed.iter().find(|case| case.id == id).unwrap().sibling.clone().unwrap();
    // Over POP3 USER and PASS have no encoding; the other mechanism over the other protocol has.
    assert_eq!(of("s/opens[imap,plain]").differs, ["encoding", "mechanism"]);
    assert_eq!(of("s/opens[pop3,plain]").id, "s/opens[pop3,login]");
    let told = "the same login passes without the encoding `continuation`, with `login` instead of `plain` \
                (s/opens[pop3,login])";
    assert_eq!(of("s/opens[pop3,plain]").sentence, told);
}

/// Interrupts the run once a number of cases has been told.
struct Impatient {
    sender: watch::Sender<bool>,
    told: Vec<CaseReport>,
}

impl Reporter for Impatient {
    fn event(&mut self, event: &RunEvent<'_>) -> std::io::Result<()> {
        if let RunEvent::CaseFinished(case) = event {
            self.told.push((*case).clone());
            self.sender.send_replace(true);
        }
        Ok(())
    }
}

/// A failure that waits for its siblings is told when the run is cut short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_waits_is_lost_in_an_interrupt() {
    let text = OPENS.replace("['atom', 'quoted', 'literal', 'literal-plus']", "['literal', 'quoted', 'atom']");
    // Of cases that add as much a hash of the id decides which comes first: with this id the literal does.
    let text = text.replace("id = 'opens'", "id = 'b'");
    let target = reference(Flaw::TruncatesLiteral.into());
    let plan = Plan::new(&[scenario(&text)], &[Arc::clone(&target.dialect)], &Selection::default());
    let (sender, interrupt) = watch::channel(false);
    let options = RunOptions {
        jobs: 1,
        may_grow: false,
        ..RunOptions::new(Deadlines::from_reply(Duration::from_secs(5)), interrupt)
    };
    let mut impatient = Impatient { sender, told: Vec::new() };
    let summary = run(plan, &[target], options, &mut impatient).await.unwrap();
    // The literal came first and failed; what was told first, and ended the run, is the quoted one.
    assert_eq!(impatient.told[0].verdict, Verdict::Pass);
    let held = impatient.told.iter().find(|case| case.verdict == Verdict::Fail).expect("the failure is told");
    assert_eq!(held.sibling.as_ref().unwrap().differs, ["encoding"]);
    assert_eq!(summary.finished(), impatient.told.len());
}

/// A case that is not asked drops out of its group, and the others are compared all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cases_are_compared_although_one_of_them_is_not_asked() {
    let text = OPENS
        .replace("'atom', 'quoted', 'literal', 'literal-plus'", "'quoted', 'literal'")
        .replace("login =", "security = ['plaintext', 'tls']\nlogin =")
        .replace("{ opens = '{mailbox}' }", "'same'");
    let mut target = Arc::into_inner(reference(Flaw::TruncatesLiteral.into())).unwrap();
    target.endpoints.retain(|endpoint| endpoint.security == Security::Plaintext);
    let cases = put(&scenario(&text), Arc::new(target)).await;
    let number = |verdict: Verdict| cases.iter().filter(|case| case.verdict == verdict).count();
    assert!(number(Verdict::Skip) > 0, "{cases:?}");
    assert_eq!((number(Verdict::Pass), number(Verdict::Fail)), (1, 1), "{cases:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_at_fault() {
    // Not even the login works that must: the accounts are in doubt before the server is.
    let cases = put(&scenario(OPENS), answering(b"a1 NO no\r\na2 OK bye\r\n").await).await;
    assert!(cases.iter().all(|case| case.blame == Some(Blame::TargetFile)), "{cases:?}");
    let renamed = OPENS.replace("protocol =", "account = 'renamed'\nprotocol =");
    let cases = put(&scenario(&renamed), answering(b"a1 NO no\r\na2 OK bye\r\n").await).await;
    assert!(cases.iter().all(|case| case.verdict == Verdict::Skip && case.blame == Some(Blame::TargetFile)));
    let pop3 = OPENS.replace("encoding = ['atom', 'quoted', 'literal', 'literal-plus']\n", "");
    let cases = put(&scenario(&pop3.replace("'imap'", "'imap', 'pop3'")), reference(Flaws::NONE)).await;
    assert!(cases.iter().all(|case| case.blame.is_none()) && cases.len() == 2);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut nobody = Arc::into_inner(answering(b"").await).unwrap();
    nobody.endpoints[0].address = address;
    let cases = put(&scenario(OPENS), Arc::new(nobody)).await;
    assert!(cases.iter().all(|case| case.verdict == Verdict::Error && case.blame == Some(Blame::Network)));
}

async fn refusals(flaws: Flaws) -> Vec<CaseReport> {
    let bundled = support::scenarios();
    let scenario = bundled.iter().find(|scenario| scenario.id == "enumeration/refusals").unwrap();
    let cases = put(scenario, reference(flaws)).await;
    assert_eq!(cases.len(), 10);
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_a_sound_server_are_not_told_apart() {
    for case in refusals(Flaws::NONE).await {
        // On a machine that is busy with something else the times may prove nothing; the words are the same all the same.
        let is_sound = case.verdict == Verdict::Pass || case.reason.starts_with("inconclusive: after 48 pairs");
        assert!(is_sound, "{}: {}", case.id, case.reason);
        assert_eq!(case.answers.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_that_differ_in_words_are_found() {
    for case in refusals(Flaw::RevealsUnknownUsers.into()).await {
        assert_eq!(case.verdict, Verdict::Warn, "{}: {}", case.id, case.reason);
        assert!(case.reason.starts_with("distinguishable by ") && case.reason.contains("the text"), "{}", case.reason);
        assert_eq!(case.expected, "indistinguishable from the login as `nobody-Same`");
        assert_eq!((case.answers[0].0.as_str(), case.answers[1].0.as_str()), ("Same", "nobody-Same"));
        assert!(case.answers[1].1.contains("\"There is no such user.\""), "{:?}", case.answers);
        assert!(case.transcript.unwrap().contains("\n[the login as nobody-Same]\nS: "));
    }
    for case in refusals(Flaw::ClosesOnWrongPassword.into()).await {
        assert!(case.reason.starts_with("distinguishable by the outcome"), "{}", case.reason);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_that_differ_in_time_are_found() {
    let cases = refusals(Flaw::SlowForKnownUsers.into()).await;
    for case in &cases {
        assert_eq!(case.verdict, Verdict::Warn, "{}: {}", case.id, case.reason);
        assert!(case.reason.starts_with("distinguishable by time: median "), "{}", case.reason);
    }
}

/// Where a login is let in, or nothing is ever answered, there are no refusals to compare.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_refusal_is_said() {
    for case in refusals(Flaw::AcceptsAnyPassword.into()).await {
        assert_eq!(case.verdict, Verdict::Warn);
        // SCRAM's client sees by itself that such a server does not know the password.
        let found =
            if case.id.contains("scram") { "garbled answer at: login (the server's signature" } else { "opened Same" };
        let told = format!("the login as `Same` is not refused: {found}");
        assert!(case.reason.starts_with(&told), "{}: {}", case.id, case.reason);
    }
}
