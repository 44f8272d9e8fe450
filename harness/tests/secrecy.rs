//! No password in any form reaches a report: a server that echoes everything back is judged, and every format is read.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loginspec::report::{Accept, AcceptedRecord, Human, JsonLines, Junit, Replay, Reports};
use loginspec::runner::{Plan, RunOptions, run};
use loginspec::scenario::{Selection, read_scenario};
use loginspec::source::SourceText;
use loginspec::target::{Expectations, NewRecord, Passwords, TargetUpdate, find_dialect, read_target, remote_target};
use loginspec::transport::Deadlines;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SCENARIO: &str = r#"
title = "Every way for a password to travel"
cites = ["RFC 9051 §6.2.3"]
[matrix]
mechanism = ["login", "plain", "sasl-login"]
encoding  = ["atom", "quoted", "quoted-unescaped", "literal", "initial-response", "continuation"]
[[case]]
id     = "declarative"
login  = '{user}'
expect = "unbound"
[[case]]
id       = "compared"
login    = '{user}'
against  = { login = 'nobody-{password}', password = "right" }
expect   = "indistinguishable"
[[case]]
id       = "in-the-name"
login    = '{user}{password}'
expect   = "rejected"
[[case]]
id       = "scripted"
protocol = ["imap"]
dialogue = '''
S: * OK
C: a LOGIN {user} "{password}" {base64:{nul}{user}{nul}{password}}
S: a OK
'''
"#;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Greets in both protocols' ways at once, then says everything back, as refusals. Its challenges hold the password,
/// as it is and in BASE64 within the BASE64.
async fn echo(listener: TcpListener, greeting: &'static str, password: String) {
    let challenge = STANDARD.encode(format!("{password}, or {}", STANDARD.encode(&password)));
    while let Ok((mut stream, _)) = listener.accept().await {
        let challenge = format!("+ {challenge}\r\n");
        tokio::spawn(async move {
            let _ = stream.write_all(greeting.as_bytes()).await;
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut octets).await {
                let said = String::from_utf8_lossy(&octets[..count]).trim_end().to_string();
                let answer = match said.as_str() {
                    "CAPA" => {
                        "+OK\r\nSASL PLAIN LOGIN SCRAM-SHA-256 XOAUTH2 OAUTHBEARER ANONYMOUS EXTERNAL\r\nUSER\r\n.\r\n"
                            .to_string()
                    }
                    _ if said.starts_with("AUTH ") && !said.contains("= ") => challenge.clone(),
                    _ if said.ends_with('}') || said.ends_with("PLAIN") || said.ends_with(" LOGIN") => {
                        challenge.clone()
                    }
                    _ => {
                        let said = format!("you said {said} {}", spellings_of(&said));
                        format!("-ERR {said}\r\na1 NO {said}\r\na NO {said}\r\n")
                    }
                };
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
        });
    }
}

/// What was said, decoded where it is BASE64, in the ways in which a server may log it.
fn spellings_of(said: &str) -> String {
    let last = said.rsplit(' ').next().unwrap_or_default();
    let plain = STANDARD.decode(last).unwrap_or_else(|_| said.as_bytes().to_vec());
    let hex: String = plain.iter().map(|octet| format!("{octet:02x}")).collect();
    let utf_16: Vec<u8> = plain.iter().flat_map(|octet| [*octet, 0]).collect();
    format!("{} {hex} {} {}", percent(&plain), STANDARD.encode(&plain), STANDARD.encode(utf_16))
}

async fn reports_on(password: &str) -> Vec<u8> {
    reports_of(SCENARIO, &[("same".to_string(), password.to_string())]).await
}

/// Every report on a scenario, put to servers that say everything back, where these roles have these passwords.
async fn reports_of(scenario: &str, accounts: &[(String, String)]) -> Vec<u8> {
    let mut addresses = Vec::new();
    let (_, own) = accounts.first().unwrap();
    let offer = "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256 AUTH=XOAUTH2 \
                 AUTH=OAUTHBEARER AUTH=ANONYMOUS AUTH=EXTERNAL] ready\r\n";
    for greeting in [offer, "+OK ready\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        tokio::spawn(echo(listener, greeting, own.clone()));
    }
    let mut text = format!(
        "name = 'echo'\ndialect = 'opaque'\n[imap]\naddress = '{}'\nsecurity = 'plaintext'\n[pop3]\naddress = '{}'\n\
         security = 'plaintext'\n[limits]\nno-lockout = true\n",
        addresses[0], addresses[1]
    );
    for (role, password) in accounts {
        let user = if role == "same" { "Same" } else { role };
        let notation = loginspec::identity::escape(password.as_bytes());
        text.push_str(&format!(
            "[[account]]\nrole = '{role}'\nuser = '{user}'\nmailbox = '{user}'\npassword = {{ text = \'\'\'{notation}\'\'\' }}\n\
             token = {{ text = \'\'\'{notation}-t\'\'\' }}\n"
        ));
    }
    let file = read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Fetch, true).unwrap();
    let target = Arc::new(remote_target(file, find_dialect("opaque").unwrap()));
    let source = SourceText::new("echo.toml", scenario);
    let scenario =
        Arc::new(read_scenario("echo", &source, &support::vocabulary()).map_err(|error| error.to_string()).unwrap());
    let mut plan = Plan::new(&[scenario], &[Arc::clone(&target.dialect)], &Selection::default());
    plan.observes = true;
    assert!(!plan.list.is_empty());
    let out = Shared::default();
    let mut reports = Reports::default();
    reports.add(Human::new(out.clone()));
    reports.add(JsonLines::new(out.clone()).with_replay(Replay::default()));
    reports.add(Junit::new(out.clone()));
    let mut accepted_out = out.clone();
    reports.add(Accept::new(true, move |accepted| {
        let record = |record: &AcceptedRecord| NewRecord {
            case: record.case.clone(),
            outcome: record.outcome.clone(),
            happened: record.happened.clone(),
            is_security: record.is_harmful,
        };
        let expectations = accepted.observed.as_ref().map(|observed| Expectations::of(observed, None));
        let skips = accepted.skips.iter().cloned().collect();
        let update = TargetUpdate { records: accepted.records.iter().map(record).collect(), expectations, skips };
        accepted_out.write_all(update.to_toml().as_bytes())
    }));
    let (_sender, interrupt) = tokio::sync::watch::channel(false);
    let deadlines = Deadlines::from_reply(Duration::from_millis(200));
    run(
        plan,
        &[target],
        RunOptions { jobs: 32, may_grow: false, ..RunOptions::new(deadlines, interrupt) },
        &mut reports,
    )
    .await
    .unwrap();
    out.0.lock().unwrap().clone()
}

fn forms(password: &str) -> Vec<String> {
    let quoted = password.replace('\\', "\\\\").replace('"', "\\\"");
    let hex: String = password.bytes().map(|octet| format!("{octet:02x}")).collect();
    let json = serde_json::to_string(password).unwrap();
    let xml = quick_xml::escape::escape(password).into_owned();
    vec![
        password.to_string(),
        json.trim_matches('"').to_string(),
        xml,
        quoted,
        hex.to_uppercase(),
        hex,
        STANDARD.encode(password),
        STANDARD.encode(format!("\0Same\0{password}")),
        STANDARD.encode(STANDARD.encode(password)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// The start is like no word of a report; the rest is any printable text.
    #[test]
    fn no_form_of_a_password_reaches_a_report(rest in r"[ -&(-~]{1,16}") {
        let password = format!("zQ7x{rest}");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let octets = runtime.block_on(reports_on(&password));
        let text = String::from_utf8_lossy(&octets).into_owned();
        prop_assert!(text.contains("<password>"), "nothing was masked: is the echo heard?\n{}", text);
        prop_assert!(text.contains("   = <password>"), "no challenge was decoded:\n{}", text);
        prop_assert!(text.contains("replay    loginspec run ") && text.contains("answer    "), "{}", text);
        for form in forms(&password) {
            prop_assert!(!text.contains(&form), "{} in\n{}", form, text);
        }
    }
}

/// A name, a template in which `R` is the role, and what that makes of the role's secret.
type Spelling = (&'static str, &'static str, fn(&str) -> String);

/// The ways in which a text can spell a secret of a role.
const SPELLINGS: &[Spelling] = &[
    ("plain", "{R.password}", |secret| secret.to_string()),
    ("token", "{R.token}", |secret| format!("{secret}-t")),
    ("lower", "{R.password|lower}", |secret| secret.to_ascii_lowercase()),
    ("upper", "{R.password|upper}", |secret| secret.to_ascii_uppercase()),
    ("swapped", "{R.password|swapcase}", |secret| {
        let swap = |letter: char| match letter.is_ascii_lowercase() {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        };
        secret.chars().map(swap).collect()
    }),
    ("escaped", "{R.password|escaped}", |secret| secret.replace('\\', "\\\\").replace('"', "\\\"")),
    ("first", "{R.password|first6}", |secret| secret.chars().take(6).collect()),
    ("base64", "{base64:{R.password}}", |secret| STANDARD.encode(secret)),
    ("plain-message", "{base64:{nul}{R.user}{nul}{R.password}}", |secret| secret.to_string()),
    ("base64-twice", "{base64:{base64:{R.password}}}", |secret| STANDARD.encode(STANDARD.encode(secret))),
];

/// The fields of a case that take a role's values; `@` stands for the text.
const FIELDS: &[(&str, &str)] = &[
    ("login", "mechanism = ['MECHANISM']\nlogin = '{user}-@'\nexpect = 'unbound'"),
    ("login-quoted", "mechanism = ['login']\nencoding = ['quoted', 'literal']\nlogin = '@'\nexpect = 'unbound'"),
    ("authzid", "mechanism = ['AUTHORIZER']\nlogin = '{user}'\nauthzid = '@'\nexpect = 'unbound'"),
    ("each", "mechanism = ['login']\neach = { it = '@' }\nlogin = '{each}'\nexpect = 'unbound'"),
    ("password", "mechanism = ['MECHANISM']\nlogin = '{user}'\npassword = 'x@'\nexpect = 'unbound'"),
    ("expected", "mechanism = ['login']\nlogin = '{user}'\nexpect = { opens = '@' }"),
    (
        "against",
        "mechanism = ['login']\nlogin = '{user}'\nagainst = { login = '@', password = 'right' }\nexpect = 'indistinguishable'",
    ),
    ("line", "protocol = ['imap']\ndialogue = '''\nS: * OK\nC: a LOGIN x @\nS: a OK @\n'''"),
];

const MECHANISMS: &[&str] =
    &["login", "plain", "sasl-login", "scram-sha-256", "xoauth2", "oauthbearer", "anonymous", "external"];
const AUTHORIZERS: &[&str] = &["plain", "scram-sha-256", "oauthbearer", "external"];

/// A scenario in which each field spells a role's secret in each way, one role after the other.
fn every_field_and_spelling(roles: &[String]) -> String {
    let mut text = "title = 'Secrets in every field'\ncites = ['x']\n".to_string();
    let mut count = 0;
    for round in 0..2 {
        for (spelling, template, _) in SPELLINGS {
            for (field, case) in FIELDS {
                count += 1;
                let role = &roles[(count + round) % roles.len()];
                let case = case
                    .replace("MECHANISM", MECHANISMS[count % MECHANISMS.len()])
                    .replace("AUTHORIZER", AUTHORIZERS[count % AUTHORIZERS.len()])
                    .replace('@', &template.replace('R', role));
                text.push_str(&format!("[[case]]\nid = '{role}-{field}-{spelling}-{count}'\n{case}\n"));
            }
        }
    }
    text
}

fn percent(octets: &[u8]) -> String {
    octets
        .iter()
        .map(
            |octet| {
                if octet.is_ascii_alphanumeric() { char::from(*octet).to_string() } else { format!("%{octet:02X}") }
            },
        )
        .collect()
}

/// The letters that a text decides in BASE64, where it stands alone or within a longer one.
fn inner_base64(text: &[u8]) -> Vec<String> {
    let inner = |before: usize| {
        let letters = STANDARD.encode([&vec![0; before][..], text].concat());
        let (from, to) = ((before * 8).div_ceil(6), (before + text.len()) * 8 / 6);
        letters[from..to].to_string()
    };
    (0..3).map(inner).filter(|letters| letters.len() > 6).collect()
}

/// Whoever says a secret in any field, spelt in any way, and whatever the server makes of it: no report shows it.
#[test]
fn no_secret_of_any_role_reaches_a_report() {
    let roles: Vec<String> = support::vocabulary().roles;
    let roles: Vec<String> = roles.into_iter().filter(|role| !role.starts_with("orphan")).collect();
    let secret = |role: &str| format!("zQ7x\"\\{role}&<%,=0");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let accounts: Vec<(String, String)> = roles.iter().map(|role| (role.clone(), secret(role))).collect();
    let octets = runtime.block_on(reports_of(&every_field_and_spelling(&roles), &accounts));
    let text = String::from_utf8_lossy(&octets).into_owned();
    assert!(text.contains("<password>"), "nothing was masked: is the echo heard?\n{text}");
    let mut shown = Vec::new();
    for (role, secret) in &accounts {
        for (spelling, _, spell) in SPELLINGS {
            let spelt = spell(secret);
            let mut all = forms(&spelt);
            all.extend(inner_base64(spelt.as_bytes()));
            all.extend([percent(spelt.as_bytes()), percent(spelt.as_bytes()).to_lowercase()]);
            let utf_16: Vec<u8> = spelt.encode_utf16().flat_map(u16::to_le_bytes).collect();
            all.extend(inner_base64(&utf_16));
            all.extend([
                loginspec::identity::escape(spelt.as_bytes()),
                utf_16.iter().map(|octet| format!("{octet:02x}")).collect(),
            ]);
            for form in all.iter().filter(|form| text.contains(form.as_str())) {
                let line = text.lines().find(|line| line.contains(form)).unwrap_or_default();
                shown.push(format!("{role} {spelling}: {form} in {line}"));
            }
        }
    }
    let first = shown.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(shown.is_empty(), "{} forms are shown, such as\n{first}", shown.len());
}

/// What a scenario spells out itself is no secret, so it hides nothing that looks the same: sizes of literals, times.
#[test]
fn a_password_of_the_scenarios_own_masks_nothing_else() {
    let scenario = "title = 'x'\ncites = ['x']\n[[case]]\nid = 'braces'\nprotocol = ['imap']\nmechanism = ['login']\n\
                    encoding = ['literal']\nlogin = '{user}'\neach = { size = '{{4}}', time = '0.2 s', other = 'xyz' }\n\
                    password = '{each}'\nexpect = 'unbound'\n";
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let octets = runtime.block_on(reports_of(scenario, &[("same".to_string(), "Secret-Same".to_string())]));
    let text = String::from_utf8_lossy(&octets).into_owned();
    assert!(text.contains("C: a1 LOGIN {4}\n"), "the size of the literal is masked:\n{text}");
    assert!(text.contains("C: <password>"), "the password itself is shown:\n{text}");
    assert!(!text.contains("LOGIN <password>"), "{text}");
    assert!(!text.contains("you said <password>"), "what the server says of it is masked:\n{text}");
}
