//! `loginspec check` on target files: what it prints of the accounts, and the mistakes that it finds in them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/program.rs"]
mod program;

use crate::program::{file, folder, loginspec, stderr, stdout};

const ACCOUNTS: &str = "[[account]]\nrole = 'same'\nuser = 'jdoe'\ndomain = 'example.org'\ndns = 'example.org'\n\
                        mailbox = 'jdoe'\npassword = { env = 'PW' }\n\
                        [[account]]\nrole = 'no-mailbox'\nuser = 'jroe'\npassword = { text = 'Secret-Same' }\n";

fn target(dialect: &str, accounts: &str) -> String {
    format!(
        "name = 'staging'\ndialect = '{dialect}'\n[imap]\naddress = '127.0.0.1:143'\n[pop3]\naddress = \
         '127.0.0.1:110'\n{accounts}"
    )
}

#[test]
fn each_account_is_printed_with_its_login_names_and_its_cases() {
    let folder = folder();
    let output = loginspec(&["check", &file(&folder, "t.toml", target("dovecot", ACCOUNTS))]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    let [head, same, name, no_mailbox, no_name, ..] = lines[..] else { panic!("{text}") };
    assert!(head.starts_with("staging: ") && head.ends_with(" cases of the bundled scenarios"), "{head}");
    assert_eq!(name, "    imap, pop3: every mechanism  jdoe@example.org");
    assert_eq!(no_name, "    imap, pop3: every mechanism  (no login name opens its mailbox)");
    // An account without a mailbox can be asked little, and one whose login name is known nearly everything.
    let count = |line: &str, role: &str| -> usize {
        line.strip_prefix(role).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap()
    };
    let (all, same, few) = (count(head, "staging: "), count(same, "  same: "), count(no_mailbox, "  no-mailbox: "));
    assert!(same > all / 2 && few < same / 10, "{text}");
}

#[test]
fn a_name_that_differs_by_mechanism_has_a_line_for_each() {
    let folder = folder();
    let output = loginspec(&["check", &file(&folder, "t.toml", target("exchange-2007", ACCOUNTS))]);
    let text = stdout(&output);
    assert!(text.contains("every mechanism but plain, ntlm  example.org\\jdoe\\jdoe\n"), "{text}{}", stderr(&output));
    assert!(text.contains("    imap, pop3: plain, ntlm                      example.org\\jdoe\n"), "{text}");
}

#[test]
fn mistakes_in_accounts_are_shown_with_their_place() {
    let folder = folder();
    let accounts = "[[account]]\nrole = 'same'\nuser = 'jdoe@example.org'\npassword = { text = 'Secret-Same' }\n\
                    [[account]]\nrole = 'renmed'\nuser = 'x'\npassword = { text = 'Secret-Same' } # 'Secret-Same'\n";
    let path = file(&folder, "t.toml", target("dovecot", accounts));
    let output = loginspec(&["check", &path]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for part in [
        "t.toml:7:1",
        "mailbox = \"jdoe\"",
        "9 | user = 'jdoe@example.org'",
        "user = 'jdoe', domain = 'example.org', dns = 'example.org'",
        "12 | role = 'renmed'",
        "did you mean `renamed`?",
        "1 file with mistakes",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(!text.contains("Secret-Same") && !stdout(&output).contains("staging"), "{text}");
}

/// The whole name is the account where the dialect splits nothing.
#[test]
fn a_whole_login_name_is_right_where_nothing_is_split() {
    let folder = folder();
    let accounts = "[[account]]\nrole = 'same'\nuser = 'jdoe@example.org'\nmailbox = 'x'\npassword = { env = 'PW' }\n";
    let output = loginspec(&["check", &file(&folder, "t.toml", target("opaque", accounts))]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("every mechanism  jdoe@example.org"), "{}", stdout(&output));
}

#[test]
fn a_role_of_ones_own_is_known_with_the_scenario_that_uses_it() {
    let folder = folder();
    let accounts = ACCOUNTS.replace("'no-mailbox'", "'vip'");
    let target = file(&folder, "t.toml", target("dovecot", &accounts));
    let alone = loginspec(&["check", &target]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(stderr(&alone).contains("unknown role `vip`"), "{}", stderr(&alone));
    let scenario =
        "title = 'x'\ncites = ['y']\n[[case]]\nid = 'a'\naccount = 'vip'\nlogin = '{user}'\nexpect = 'safe'\n";
    let scenario = file(&folder, "s.toml", scenario);
    let together = loginspec(&["check", &target, &scenario]);
    assert_eq!(together.status.code(), Some(0), "{}", stderr(&together));
}
