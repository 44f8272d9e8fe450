//! JUnit reports of whole runs, as a CI system reads them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/junit.rs"]
mod junit;
#[path = "support/program.rs"]
mod program;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;

use crate::junit::Element;
use crate::program::{file, folder, loginspec, stdout};

/// Runs the program with these arguments, and reads the JUnit report. Gives back the exit code, too.
fn report(arguments: &[&str]) -> (Option<i32>, Element) {
    let folder = folder();
    let path = folder.path().join("out.xml");
    let output = loginspec(&[arguments, &["--junit", path.to_str().unwrap()]].concat());
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {}", stdout(&output)));
    let report = junit::read(&text);
    junit::check_names(&report);
    (output.status.code(), report)
}

/// An address on which nobody listens.
fn closed_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn bundled_scenarios_have_a_suite_each_and_the_place_of_each_expectation() {
    let (code, report) = report(&["run", "--shard", "1/8"]);
    assert_eq!(code, Some(0));
    assert!(report.count("tests") > 100 && report.all("testsuite").len() > 20);
    for suite in report.all("testsuite") {
        let (scenario, target) = suite.get("name").split_once('@').unwrap();
        assert_eq!(suite.property("target").unwrap().replace('.', "_"), target);
        assert!(suite.property("dialect").is_some());
        let address = suite.property("address-imap").or(suite.property("address-pop3"));
        assert!(address.unwrap().starts_with("127.0.0.1:"));
        assert_eq!(suite.property("shard"), Some("1/8"));
        for case in suite.all("testcase") {
            assert_eq!(case.get("classname"), suite.get("name"));
            assert_eq!(case.get("file"), format!("scenarios/{scenario}.toml"));
            let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(case.get("file"))).unwrap();
            let line = text.lines().nth(case.count("line") - 1).unwrap();
            assert!(!line.trim().is_empty(), "{}: {}", case.get("name"), case.get("line"));
        }
    }
}

/// Four addresses, and every case that would be put to one of them: one error.
#[test]
fn a_server_that_cannot_be_reached_is_one_error() {
    let ports = [closed_port(), closed_port(), closed_port(), closed_port()];
    let folder = folder();
    let text = format!(
        "name = 'down.example.org'\ndialect = 'opaque'\n[imap]\naddress = '{}'\nsecurity = 'plaintext'\n\
         [imaps]\naddress = '{}'\n[pop3]\naddress = '{}'\nsecurity = 'plaintext'\n[pop3s]\naddress = '{}'\n\
         [[account]]\nrole = 'same'\nuser = 'Same'\nmailbox = 'Same'\npassword = {{ text = 'Secret-Same' }}\n",
        ports[0], ports[1], ports[2], ports[3]
    );
    let (code, report) = report(&["run", "--target", &file(&folder, "t.toml", text)]);
    assert_eq!(code, Some(3));
    assert_eq!((report.count("errors"), report.count("failures")), (1, 0));
    let errors: Vec<&Element> = report.cases().into_iter().filter(|case| case.child("error").is_some()).collect();
    let [case] = errors[..] else { panic!("{errors:?}") };
    assert_eq!(case.get("classname"), "run@down_example_org");
    let name = case.get("name");
    assert!(name.starts_with("reach ") && name.contains(&format!("{} (imap)", ports[0])), "{name}");
    let run = report.all("testsuite").into_iter().find(|suite| suite.get("name") == case.get("classname")).unwrap();
    assert_eq!(run.property("address-imap"), Some(ports[0].as_str()));
    assert_eq!(run.property("address-pop3-tls"), Some(ports[3].as_str()));
    let error = case.child("error").unwrap();
    assert!(error.get("message").starts_with("failed to connect to "), "{error:?}");
    assert!(error.text.contains(" cases were not asked because of this:"), "{}", error.text);
    // Skips of cases that the target has no account for are told as ever.
    let skipped: BTreeSet<&str> =
        report.cases().iter().filter_map(|case| case.child("skipped")).map(|it| it.get("type")).collect();
    assert_eq!(skipped, BTreeSet::from(["skip"]));
}
