//! For tests: a dialect with every manner of failing, and conversations written as `C:` and `S:` lines.

use std::sync::Arc;

use super::authority::Authority;
use super::flaw::Flaws;
use super::flow::Flow;
use super::session::Session;
use crate::axes::Protocol;
use crate::identity::{Dialect, bundled_directory, read_dialect};
use crate::source::SourceText;

const DIALECT: &str = r#"
title      = "Like Exchange 5.5"
separators = '\/'
case       = "insensitive"
protocols  = ["imap", "pop3"]
mechanisms = ["login", "plain", "sasl-login"]

[[rule]]
form    = 'bad/form/{ignored..}'
refuses = "for the tests"
cites   = ["test"]

[[rule]]
form    = 'bye/form/{ignored..}'
unspecified = "for the tests"
cites   = ["test"]

[[rule]]
form      = '{user}@{domain}/{mailbox..}'
separators = '\/@'
mechanism = ["plain"]
refuses   = "PLAIN takes no such names"
cites     = ["test"]

[[rule]]
form  = '{user}@{domain}/{mailbox..}'
separators = '\/@'
cites = ["test"]

# Nobody but the role `printable` has a backquote in the name.
[[rule]]
form  = '{user..}'
holds = { user = '`' }
cites = ["test"]

[[rule]]
form  = '{domain}{sep}{user}{sep}{mailbox..}'
cites = ["test"]

[[rule]]
form   = '{domain}{sep}{user}'
assume = { mailbox = "user" }
cites  = ["test"]

[[rule]]
form   = '{mailbox}'
assume = { domain = "home", user = "mailbox" }
cites  = ["test"]

[[rule]]
form    = '{sep}{ignored..}'
refuses = "it begins with a separator"
cites   = ["test"]

[[failure]]
on    = ["elsewhere"]
does  = "unbound"
text  = "User is authenticated but not connected."
cites = ["test"]

[[failure]]
on    = ["ambiguous"]
does  = "rejects"
text  = "Ambiguous Alias"
cites = ["test"]

[[failure]]
on    = ["disabled"]
does  = "rejects"
text  = ""
cites = ["test"]
"#;

/// Failures that only conversations look at.
const RARE_MANNERS: &str = r#"
[[failure]]
on    = ["refused-form"]
does  = "bad"
text  = "No such form"
cites = ["test"]

[[failure]]
on    = ["unspecified"]
does  = "says-bye"
text  = "Who knows"
cites = ["test"]

[[failure]]
on    = ["no-mailbox"]
does  = "closes"
cites = ["test"]
"#;

pub(super) fn dialect(text: &str) -> Dialect {
    match read_dialect("test", &SourceText::new("test.toml", text)) {
        Ok(dialect) => dialect,
        Err(mistakes) => panic!("{mistakes}"),
    }
}

/// The dialect above and the bundled directory.
pub(super) fn authority(flaws: Flaws) -> Authority {
    Authority::new(dialect(DIALECT), bundled_directory().expect("directory"), flaws)
}

/// The same with more of the dialect.
pub(super) fn authority_with(more: &str) -> Authority {
    let dialect = dialect(&format!("{DIALECT}{more}"));
    Authority::new(dialect, bundled_directory().expect("directory"), Flaws::NONE)
}

pub(super) fn session(protocol: Protocol, flaws: Flaws) -> Session {
    Session::new(protocol, Arc::new(authority(flaws)))
}

/// The replies to octets that come at once, and what became of the connection.
pub(super) fn replies(protocol: Protocol, flaws: Flaws, octets: &[u8]) -> (Vec<u8>, Flow) {
    let mut out = Vec::new();
    let flow = session(protocol, flaws).receive(octets, &mut out);
    (out, flow)
}

pub(super) fn follow_imap(flaws: Flaws, trace: &str) {
    follow(Protocol::Imap, flaws, trace);
}

pub(super) fn follow_pop3(flaws: Flaws, trace: &str) {
    follow(Protocol::Pop3, flaws, trace);
}

/// Plays a conversation: `…` at a line's end stands for any text, `S: closed` for the end of the connection.
fn follow(protocol: Protocol, flaws: Flaws, trace: &str) {
    let dialect = dialect(&format!("{DIALECT}{RARE_MANNERS}"));
    let directory = bundled_directory().expect("directory");
    let mut session = Session::new(protocol, Arc::new(Authority::new(dialect, directory, flaws)));
    let mut out = Vec::new();
    let mut flow = Flow::Continue;
    session.greeting(&mut out);
    for line in trace.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line == "S: closed" {
            assert_eq!((flow, String::from_utf8_lossy(&out).as_ref()), (Flow::Close, ""), "{trace}");
        } else if let Some(sent) = line.strip_prefix("C: ") {
            assert!(out.is_empty(), "unexpected {:?} before {line}", String::from_utf8_lossy(&out));
            flow = session.receive(format!("{sent}\r\n").as_bytes(), &mut out);
        } else {
            let expected = line.strip_prefix("S:").expect("C: or S:").trim_start();
            let end = out.iter().position(|&octet| octet == b'\n').unwrap_or_else(|| panic!("nothing for {line}"));
            let got: Vec<u8> = out.drain(..=end).collect();
            let got = String::from_utf8_lossy(&got).into_owned();
            let got = got.strip_suffix("\r\n").expect("CR LF");
            match expected.strip_suffix('…') {
                Some(start) => assert!(got.starts_with(start), "{line}: {got}"),
                None => assert_eq!(got.trim_end(), expected, "{line}"),
            }
        }
    }
    assert!(out.is_empty(), "left over: {:?}", String::from_utf8_lossy(&out));
}
