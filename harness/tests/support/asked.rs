//! One question put to a server that may do anything, by the real runner.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loginspec::axes::{Protocol, Security};
use loginspec::runner::{CaseReport, Plan, RunOptions, Summary, run};
use loginspec::scenario::{Selection, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{Passwords, find_dialect, read_target, remote_target};
use loginspec::transport::Deadlines;

use crate::support::{Collected, vocabulary};

/// A run of one question.
#[derive(Clone, Copy)]
pub struct Asked {
    pub protocol: Protocol,
    pub security: Security,
    /// More lines of the case, such as its mechanism.
    pub case: &'static str,
    /// How long each reply may take.
    pub reply: Duration,
}

impl Asked {
    /// A login that opens the mailbox, in plaintext and with time enough: nothing waits for the deadline.
    pub fn of(protocol: Protocol) -> Self {
        let case = "mechanism = ['login']\nlogin = '{user}'\nexpect = { opens = '{mailbox}' }";
        Self { protocol, security: Security::Plaintext, case, reply: Duration::from_secs(5) }
    }

    /// What comes of it. Whatever the server does, nothing takes longer than the deadlines of the conversations that
    /// a run of one case has one after the other: survey, sanity login, a refusal, the case, a second and longer look
    /// at it, sanity login.
    pub async fn put(self, address: SocketAddr) -> (Summary, Vec<CaseReport>) {
        let Self { protocol, security, case, reply } = self;
        let text = format!(
            "name = 'hostile'\ndialect = 'opaque'\n[{protocol}]\naddress = '{address}'\nsecurity = '{security}'\n\
             [[account]]\nrole = 'same'\nuser = 'Same'\nmailbox = 'Same'\npassword = {{ text = 'Secret-Same' }}\n"
        );
        let file = read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Fetch, true).unwrap();
        let mut target = remote_target(file, find_dialect("opaque").unwrap());
        target.tls.verified = false;
        let target = Arc::new(target);
        let text = format!("title = 'x'\ncites = ['y']\n[[case]]\nid = 'case'\nprotocol = ['{protocol}']\n{case}\n");
        let scenario = read_scenario("s", &SourceText::new("s.toml", text), &vocabulary()).unwrap();
        let plan = Plan::new(&[Arc::new(scenario)], &[Arc::clone(&target.dialect)], &Selection::default());
        let (_sender, interrupt) = tokio::sync::watch::channel(false);
        let deadlines = Deadlines { whole: reply * 2, ..Deadlines::from_reply(reply) };
        let options = RunOptions { jobs: 4, may_grow: false, ..RunOptions::new(deadlines, interrupt) };
        let mut collected = Collected::default();
        let start = Instant::now();
        let summary = run(plan, &[target], options, &mut collected).await.unwrap();
        assert!(start.elapsed() < reply * 20 + Duration::from_secs(2), "took {:?}", start.elapsed());
        for case in &collected.0 {
            assert!(!format!("{case:?}").contains("Secret-Same"), "{case:?}");
        }
        (summary, collected.0)
    }
}
