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
            let mut octets = [0; 512];
            while let Ok(count @ 1..) = stream.read(&mut octets).await {
                let said = String::from_utf8_lossy(&octets[..count]).trim_end().to_string();
                let answer = match said.as_str() {
                    "CAPA" => "+OK\r\nSASL PLAIN LOGIN\r\nUSER\r\n.\r\n".to_string(),
                    _ if said.starts_with("AUTH ") && !said.contains("= ") => challenge.clone(),
                    _ if said.ends_with('}') || said.ends_with("PLAIN") || said.ends_with(" LOGIN") => {
                        challenge.clone()
                    }
                    _ => format!("-ERR you said {said}\r\na1 NO you said {said}\r\na NO you said {said}\r\n"),
                };
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
        });
    }
}

async fn reports_on(password: &str) -> Vec<u8> {
    let mut addresses = Vec::new();
    for greeting in ["* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN AUTH=LOGIN] ready\r\n", "+OK ready\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        tokio::spawn(echo(listener, greeting, password.to_string()));
    }
    let notation = loginspec::identity::escape(password.as_bytes());
    let text = format!(
        "name = 'echo'\ndialect = 'opaque'\n[imap]\naddress = '{}'\nsecurity = 'plaintext'\n[pop3]\naddress = '{}'\nsecurity = 'plaintext'\n[limits]\nno-lockout = true\n[[account]]\nrole = 'same'\n\
         user = 'Same'\nmailbox = 'Same'\npassword = {{ text = '''{notation}''' }}\n",
        addresses[0], addresses[1]
    );
    let file = read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Fetch, true).unwrap();
    let target = Arc::new(remote_target(file, find_dialect("opaque").unwrap()));
    let scenario =
        Arc::new(read_scenario("echo", &SourceText::new("echo.toml", SCENARIO), &support::vocabulary()).unwrap());
    let mut plan = Plan::new(&[scenario], &[Arc::clone(&target.dialect)], &Selection::default());
    plan.observes = true;
    assert!(plan.list.len() > 12);
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
