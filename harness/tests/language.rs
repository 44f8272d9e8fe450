//! What the scenario language says, end to end: from a file's text to what is sent, expected and judged.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use loginspec::axes::{Fault, Mechanism, Security};
use loginspec::identity::bundled_directory;
use loginspec::protocol::dialogue::DialogueStep;
use loginspec::protocol::{Login, Outgoing};
use loginspec::reference::Flaws;
use loginspec::runner::{CaseReport, Plan, Request, RunOptions, ask, run};
use loginspec::scenario::{Case, Scenario, Selection, Verdict, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{Target, find_dialect, start_reference};
use loginspec::transport::Deadlines;

fn scenario(text: &str) -> Arc<Scenario> {
    let source = SourceText::new("x.toml", format!("title = 'x'\ncites = ['y']\n{text}"));
    Arc::new(read_scenario("x", &source, &support::vocabulary()).unwrap_or_else(|mistakes| panic!("{mistakes}")))
}

fn target(dialect: &str) -> Target {
    let dialect = Arc::new(find_dialect(dialect).unwrap());
    start_reference(dialect, Arc::new(bundled_directory().unwrap()), Flaws::NONE).unwrap()
}

/// Everything that a scenario would ask, in the order of its cases.
fn requests(text: &str) -> Vec<(String, Request)> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _within = runtime.enter();
    let target = target("exchange-5.5");
    let ask = |case: &Case| ask(case, &target, false, &case.role).unwrap_or_else(|reason| panic!("{reason}"));
    scenario(text).cases.iter().map(|case| (case.id.clone(), ask(case).request)).collect()
}

fn logins(text: &str) -> Vec<(String, Login)> {
    let login = |(id, request)| match request {
        Request::Login(login) => (id, login),
        Request::Dialogue(_) => panic!("{id} is no login"),
    };
    requests(text).into_iter().map(login).collect()
}

fn sent(text: &str) -> Vec<Outgoing> {
    let mut requests = requests(text);
    let (_, Request::Dialogue(steps)) = requests.remove(0) else { panic!("no dialogue") };
    let outgoing = |step| match step {
        DialogueStep::Send(outgoing) => Some(outgoing),
        _ => None,
    };
    steps.into_iter().filter_map(outgoing).collect()
}

/// Runs a scenario in one dialect; the reports in the order of their ids.
fn reports(text: &str, dialect: &str) -> Vec<CaseReport> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let target = target(dialect);
        let plan = Plan::new(&[scenario(text)], &[Arc::clone(&target.dialect)], &Selection::default());
        let (_sender, interrupt) = tokio::sync::watch::channel(false);
        let deadlines = Deadlines::from_reply(Duration::from_secs(5));
        let options = RunOptions { jobs: 8, may_grow: false, ..RunOptions::new(deadlines, interrupt) };
        let mut collected = support::Collected::default();
        run(plan, &[Arc::new(target)], options, &mut collected).await.unwrap();
        collected.0.sort_by(|a, b| a.id.cmp(&b.id));
        collected.0
    })
}

fn verdicts(reports: &[CaseReport]) -> Vec<Verdict> {
    reports.iter().map(|report| report.verdict).collect()
}

#[test]
fn security_fault_and_authzid_reach_the_login() {
    let found = logins(
        "[[case]]\nid = 'one'\nprotocol = ['imap']\nmechanism = ['plain']\nsecurity = ['starttls']\n\
         fault = ['missing-nul', 'cancelled']\naccount = 'renamed'\nlogin = '{user}'\nauthzid = '{twin.user}'\n\
         expect = 'rejected'\n[[case]]\nid = 'two'\nprotocol = ['imap']\nlogin = '{user}'\nexpect = 'rejected'\n",
    );
    let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
    let wanted =
        ["x/one[imap,plain,starttls,missing-nul]", "x/one[imap,plain,starttls,cancelled]", "x/two[imap,login]"];
    assert_eq!(ids, wanted);
    let (one, two) = (&found[0].1, &found[2].1);
    assert_eq!((one.security, one.fault), (Security::Starttls, Some(Fault::MissingNul)));
    assert!(one.authzid.as_ref().is_some_and(|authzid| !authzid.is_empty() && *authzid != one.name));
    assert_eq!((two.security, two.fault, &two.authzid), (Security::Plaintext, None, &None));
}

/// An account proves itself with its token where the mechanism takes one.
#[test]
fn the_right_password_may_be_a_token() {
    let found = logins(
        "[[case]]\nid = 'one'\nprotocol = ['imap']\nmechanism = ['xoauth2', 'scram-sha-256']\naccount = 'renamed'\n\
         login = '{user}'\nexpect = 'rejected'\n",
    );
    let directory = bundled_directory().unwrap();
    let account = directory.role("renamed").unwrap().account.unwrap();
    assert_eq!(found[0].1.mechanism, Mechanism::Xoauth2);
    assert_eq!(Some(&found[0].1.password), account.token.as_ref());
    assert_eq!(found[1].1.password, account.password);
}

#[test]
fn each_value_is_put_in_raw() {
    let found = logins(
        "[[case]]\nid = 'one'\nprotocol = ['imap']\neach = 'high'\nlogin = 'a{each}'\npassword = '{each}{each}'\n\
         expect = 'rejected'\n",
    );
    assert_eq!(found.len(), 128);
    assert_eq!(found[0].0, "x/one[imap,login,x80]");
    assert_eq!((found[0].1.name.expose(), found[0].1.password.expose()), (&b"a\x80"[..], &b"\x80\x80"[..]));
    let found = logins(
        "[matrix]\neach = { nfd = 'e{xcc81}', own = '{user}' }\n[[case]]\nid = 'one'\nprotocol = ['pop3']\n\
         mechanism = ['plain']\nlogin = '{each}'\nauthzid = '{each}'\nexpect = { opens = '{each}' }\n",
    );
    assert_eq!([&found[0].0, &found[1].0], ["x/one[pop3,plain,nfd]", "x/one[pop3,plain,own]"]);
    assert_eq!(found[0].1.authzid, Some("e\u{301}".into()));
    assert_eq!(found[1].1.name, "Same".into());
    let each = sent(
        "[[case]]\nid = 'one'\nprotocol = ['imap']\neach = { nul = '{nul}{lf}' }\ndialogue = '''\nS: * OK\n\
         C| {base64:{each}} {len:{each}} {each}\nS: a BAD\n'''\n",
    );
    assert_eq!(each[0].octets, b"AAo= 2 \0\n");
}

#[test]
fn lines_that_go_out_together_are_one_write() {
    let text = "[[case]]\nid = 'one'\nprotocol = ['imap']\ndialogue = '''\nS: * OK\nC> a STARTTLS\nC> b NOOP\n\
                C| c\nC: d {base64:{nul}{user}{nul}{password}}\nS: a OK\n'''\n";
    let sent = sent(text);
    let octets: Vec<&[u8]> = sent.iter().map(|outgoing| outgoing.octets.as_slice()).collect();
    assert_eq!(octets[0], b"a STARTTLS\r\nb NOOP\r\nc");
    assert!(octets[1].starts_with(b"d A") && octets[1].ends_with(b"\r\n"));
    assert_eq!(sent[1].meaning.as_deref(), Some("{nul}Same{nul}<password>"));
    assert_eq!(sent[0].meaning, None);
}

/// A password that a script spells out is masked like one that it names.
#[test]
fn the_meaning_of_base64_tells_no_password() {
    let text = "[[case]]\nid = 'one'\nprotocol = ['imap']\ndialogue = '''\nS: * OK\nC: {base64:x Secret-Same}\n\
                S: a BAD\n'''\n";
    assert_eq!(sent(text)[0].meaning.as_deref(), Some("x <password>"));
}

#[test]
fn dialogues_with_gaps_prefixes_and_forbidden_words() {
    let dialogue = |lines: &str| {
        let text = format!("[[case]]\nid = 'one'\nprotocol = ['imap']\ndialogue = '''\n{lines}\n'''\n");
        let report = reports(&text, "exchange-5.5").remove(0);
        (report.verdict, report.expected)
    };
    let sound = "S: * OK [CAPABILITY*\nC: a CAPABILITY\nS: * CAPABILITY ... IMAP4* !NOSUCHTHING\nS: a OK\n\
                 C: b LOGIN {user} {password}\nS: ... !ALERT\nS: b OK\nC: c LOGOUT\nS: ...\nS: [closed]";
    assert_eq!(dialogue(sound).0, Verdict::Pass);
    for (line, wrong) in [
        ("S: * CAPABILITY ... IMAP4* !NOSUCHTHING", "S: * CAPABILITY !IMAP4*"),
        ("S: * CAPABILITY ... IMAP4* !NOSUCHTHING", "S: * CAPABILITY ... NOSUCHTHING"),
        ("S: * CAPABILITY ... IMAP4* !NOSUCHTHING", "S: ... !IMAP4*"),
        ("S: * OK [CAPABILITY*", "S: * OK CAPABILITY*"),
    ] {
        assert_eq!(dialogue(&sound.replacen(line, wrong, 1)), (Verdict::Fail, wrong.to_string()));
    }
}

/// Accounts are no carriers of one name: each is compared with itself alone.
#[test]
fn the_same_is_asked_of_each_account_by_itself() {
    let text = "[[case]]\nid = 'one'\naccount = ['same', 'renamed']\nlogin = '{user}'\nexpect = 'same'\n";
    let found = reports(text, "exchange-5.5");
    assert_eq!(verdicts(&found), [Verdict::Pass; 4]);
    let opened: Vec<bool> = found.iter().map(|report| report.mailbox.is_some()).collect();
    assert_eq!(opened, [false, false, true, true]);
}

#[test]
fn two_names_of_one_mailbox_are_not_distinct() {
    let text = "[[case]]\nid = 'one'\nprotocol = ['imap']\n\
                each = { as-is = '{user}', swapped = '{user|swapcase}', other = '{renamed.user}' }\n\
                login = '{each}'\nexpect = 'distinct'\n";
    let found = reports(text, "exchange-5.5");
    assert_eq!(verdicts(&found), [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    assert_eq!(found[2].reason, "opened Same, which x/one[imap,login,as-is] opens too");
    let sensitive = reports(text, "uw-imap");
    assert_eq!(verdicts(&sensitive), [Verdict::Pass; 3]);
}

#[test]
fn needs_and_lacks_are_kept() {
    let found = scenario(
        "needs = ['SASL-IR']\nlacks = ['LITERAL+']\n[[case]]\nid = 'one'\nprotocol = ['imap']\nlogin = 'a'\n\
         expect = 'rejected'\n[[case]]\nid = 'two'\nneeds = []\nlacks = ['AUTH=PLAIN']\nprotocol = ['imap']\n\
         login = 'a'\nexpect = 'rejected'\n",
    );
    let kept: Vec<_> = found.cases.iter().map(|case| (case.needs.join(" "), case.lacks.join(" "))).collect();
    let wanted = [("SASL-IR", "LITERAL+"), ("", "AUTH=PLAIN")];
    assert_eq!(kept, wanted.map(|(needs, lacks)| (needs.to_string(), lacks.to_string())));
}
