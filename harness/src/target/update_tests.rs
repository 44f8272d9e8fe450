//! Target files before and after an update.

use super::*;
use crate::axes::{Mechanism, Protocol, Security};
use crate::target::{EndpointExpectations, SessionState};

const FILE: &str = "# Our server.\nname = 'mine'   # as the reports call it\ndialect = 'opaque'\n[imap]\naddress = 'h:143'\n\
                    security = 'starttls'\n";

fn code(text: &str) -> SkipCode {
    SkipCode::parse(text).unwrap()
}

fn expectations(required: &str) -> Expectations {
    Expectations {
        mechanisms: vec![Mechanism::Login],
        plaintext_passwords: Some(false),
        endpoints: vec![EndpointExpectations {
            protocol: Protocol::Imap,
            security: Security::Starttls,
            state: SessionState::BeforeTls,
            required: vec![required.to_string()],
            forbidden: vec!["AUTH=PLAIN".to_string()],
        }],
        ..Expectations::default()
    }
}

fn update(required: &str, skips: &[&str]) -> TargetUpdate {
    TargetUpdate {
        records: Vec::new(),
        expectations: Some(expectations(required)),
        skips: skips.iter().map(|text| code(text)).collect(),
    }
}

#[test]
fn what_is_new_comes_at_the_end() {
    let record = NewRecord {
        case: "a/b[imap,*]".to_string(),
        outcome: "bad".to_string(),
        happened: "expected rejected, but: \"x\\y\u{1b}\nz".to_string(),
        is_security: true,
    };
    let updated =
        TargetUpdate { records: vec![record], ..update("STARTTLS", &["no-role:renamed"]) }.apply(FILE).unwrap();
    let added = updated.strip_prefix(FILE).unwrap();
    assert_eq!(
        added,
        r#"
[[known]]
case    = "a/b[imap,*]"
outcome = "bad"
reason  = "FILL IN: expected rejected, but: \"x\\yu{1b} z"
security = true

[expect]
observed            = true   # written by loginspec; --accept writes it anew
mechanisms          = ["login"]
plaintext-passwords = false
skips               = [
    "no-role:renamed",
]

[[expect.endpoint]]
protocol  = "imap"
security  = "starttls"
state     = "before-tls"
required  = ["STARTTLS"]
forbidden = ["AUTH=PLAIN"]
"#
    );
}

#[test]
fn what_loginspec_wrote_is_replaced_where_it_stands() {
    let first = update("OLD", &["no-role:renamed"]).apply(&format!("{FILE}\n# What it shows.\n")).unwrap();
    let with_more = format!("{first}\n# A flaw.\n[[known]]\ncase = 'x'   # y\noutcome = 'bad'\nreason = 'z'\n");
    let again = update("NEW", &["no-role:twin"]).apply(&with_more).unwrap();
    let wanted = with_more.replace("\"OLD\"", "\"NEW\"").replace("no-role:renamed", "no-role:twin");
    assert_eq!(again, wanted);
}

#[test]
fn of_what_someone_wrote_only_the_skips_are_added_to() {
    let by_hand = |skips: &str| format!("{FILE}[expect]\noldest-tls = '1.2'   # policy\n{skips}");
    let updated =
        |skips: &str| update("STARTTLS", &["no-role:twin", "no-role:renamed"]).apply(&by_hand(skips)).unwrap();
    for (before, after) in [
        ("skips = ['no-role:twin']\n", "skips = ['no-role:twin',\n    \"no-role:renamed\",\n]\n"),
        (
            "skips = [\n    'no-role:gone',   # one\n    'no-role:twin',   # two\n]\n",
            "skips = [\n    'no-role:gone',   # one\n    'no-role:twin',   # two\n    \"no-role:renamed\",\n]\n",
        ),
        ("", "skips = [\"no-role:twin\", \"no-role:renamed\"]\n"),
    ] {
        assert_eq!(updated(before), by_hand(after));
    }
}

#[test]
fn a_file_that_cannot_be_updated_says_why() {
    assert!(matches!(update("X", &[]).apply("a = [").unwrap_err(), UpdateError::Toml(_)));
    assert!(matches!(update("X", &[]).apply("expect = 3\n").unwrap_err(), UpdateError::NotATable));
}
