//! No form of a password that a server repeats is in any report: a server that says everything back is judged, and every
//! format is read.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arbitrary::Unstructured;

use super::spellings::{forms, printable, spell};
use super::world::{bundled, cuts, pieces, rest};
use crate::axes::{Protocol, Security};
use crate::fuzz::written;
use crate::protocol::{Action, Session, Transcript};
use crate::report::{Accept, Accepted, AcceptedRecord, Human, JsonLines, Junit};
use crate::runner::{CaseReport, Reporter, Request, RunEvent, Summary, ask, judged};
use crate::scenario::{Scenario, Vocabulary, read_scenario};
use crate::secret::Password;
use crate::source::SourceText;
use crate::target::{NewRecord, Passwords, Target, TargetUpdate, read_target, remote_target};
use crate::transport::Conversation;

/// Every password begins so, as no word of a report does.
const BEGIN: &str = "zQ7x";
/// Every password ends so, as no way to write an octet begins.
const END: &str = "Q";

/// Who logs in.
const ROLE: &str = "same";

/// Every way for a password to travel.
const SCENARIO: &str = r#"
title = "Every way for a password to travel"
cites = ["RFC 9051 §6.2.3"]
[matrix]
mechanism = ["login", "plain", "sasl-login", "cram-md5"]
encoding  = ["atom", "quoted", "literal", "initial-response", "continuation"]
[[case]]
id     = "wrong"
login  = '{user}'
expect = "unbound"
[[case]]
id     = "right"
login  = '{user}{password}'
expect = "rejected"
[[case]]
id       = "scripted"
protocol = ["imap"]
dialogue = '''
S: * OK
C: a LOGIN {user} "{password}" {base64:{nul}{user}{nul}{password}}
S: a OK
'''
"#;

const TARGET: &str = "name = 'echo'\ndialect = 'opaque'\n[imap]\naddress = 'x:1'\nsecurity = 'plaintext'\n\
    [pop3]\naddress = 'x:2'\nsecurity = 'plaintext'\n\
    [[account]]\nrole = 'same'\nuser = 'Same'\nmailbox = 'Same'\npassword = { text = 'Secret' }\n";

/// A password, and each report on a conversation in which a server repeated it.
pub(super) struct Told {
    pub password: String,
    pub reports: Vec<(&'static str, String)>,
}

/// The input: the case, up to four cuts, the password's length and octets, then what the server says, one turn after the
/// other with NUL between them, as [`spell`] takes it.
pub(super) fn told(input: &mut Unstructured<'_>) -> arbitrary::Result<Option<Told>> {
    let Some((scenario, target)) = world() else { return Ok(None) };
    let case = input.choose_index(scenario.cases.len())?;
    let cuts = cuts(input)?;
    let length = input.int_in_range(2..=20)?;
    let password = format!("{BEGIN}{}{END}", printable(input.bytes(length)?));
    let target = Arc::new(with_password(target, &password));
    let asked = scenario.cases.get(case).and_then(|case| ask(case, &target, false, &case.role).ok());
    let Some(question) = asked else { return Ok(None) };
    let forms = forms(&password);
    let said: Vec<&[u8]> = rest(input).split(|octet| *octet == 0).collect();
    let way = scenario.cases.get(case).and_then(|case| Some((case.protocol, case.mechanism?, case.encoding)));
    let finding = way.and_then(|way| written(&target, ROLE, way, &spell(&said.concat(), &forms, b"")));
    let session = match &question.request {
        Request::Login(login) => Session::login(login.clone()),
        Request::Dialogue(steps) => Session::dialogue(Protocol::Imap, Security::Plaintext, steps.clone()),
    };
    let conversation = converse(session, &said, &forms, cuts);
    let told = judged(scenario, case, &target, question, conversation);
    let mut reports = told.map(|report| reports(&report).to_vec()).unwrap_or_default();
    reports.extend(finding.map(|finding| ("finding", finding)));
    Ok(Some(Told { reports, password }))
}

/// A form in which a password may stand in a report.
pub(super) fn reported_forms(password: &str) -> Vec<String> {
    let mut forms = forms(password);
    forms.push(serde_json::Value::from(password).to_string().trim_matches('"').to_string());
    forms.push(quick_xml::escape::escape(password).into_owned());
    forms.push(crate::identity::escape(password.as_bytes()));
    forms
}

/// The case of each way in which a password travels, with each form that a server may repeat in turn.
pub(super) fn seeds() -> BTreeSet<Vec<u8>> {
    let Some((scenario, _)) = world() else { return BTreeSet::new() };
    let seed = |(number, case): (u8, &crate::scenario::Case)| {
        let form = 0x80 + number % 8;
        let says = |texts: &[&[u8]]| texts.concat();
        let said = match case.protocol {
            Protocol::Imap => [
                says(&[
                    b"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5] ",
                    &[form],
                    b"\r\n",
                ]),
                says(&[b"+ ", &[form], b"\r\n"]),
                says(&[b"+ ", &[0x82], b"\r\n"]),
                says(&[b"a1 NO [X ", &[form], b"] you said ", &[0xff], b"\r\na NO ", &[form], b"\r\n"]),
            ],
            Protocol::Pop3 => [
                says(&[b"+OK ", &[form], b"\r\n"]),
                b"+OK\r\nSASL PLAIN LOGIN CRAM-MD5\r\nUSER\r\n.\r\n".to_vec(),
                says(&[b"+ ", &[0x82], b"\r\n"]),
                says(&[b"-ERR [X ", &[form], b"] you said ", &[0xff], b"\r\n"]),
            ],
        };
        // What a password may hold that one of the formats escapes.
        let password = b"\"<&'\\1".map(|octet| octet - b'!');
        [&[number, 0, 4][..], &password, &said.join(&0)].concat()
    };
    (0..).zip(&scenario.cases).map(seed).collect()
}

fn world() -> Option<&'static (Arc<Scenario>, Target)> {
    static WORLD: OnceLock<Option<(Arc<Scenario>, Target)>> = OnceLock::new();
    let read = || {
        let vocabulary = Vocabulary { roles: vec![ROLE.to_string()], dialects: Vec::new() };
        let scenario = read_scenario("echo", &SourceText::new("echo.toml", SCENARIO), &vocabulary).ok()?;
        let source = SourceText::new("target.toml", TARGET);
        let file = read_target(&source, Path::new(""), Passwords::Fetch, true).ok()?;
        let opaque = bundled().0.iter().find(|dialect| dialect.name == "opaque")?;
        Some((Arc::new(scenario), remote_target(file, opaque.clone())))
    };
    WORLD.get_or_init(read).as_ref()
}

fn with_password(target: &Target, password: &str) -> Target {
    let mut directory = target.directory.as_ref().clone();
    for account in &mut directory.accounts {
        account.password = Password::new(password);
    }
    Target {
        name: target.name.clone(),
        version: None,
        dialect: Arc::clone(&target.dialect),
        directory: Arc::new(directory),
        endpoints: target.endpoints.clone(),
        tls: target.tls.clone(),
        origins: HashMap::new(),
        certificates: HashMap::new(),
        default_security: None,
        allow_plaintext: true,
        lacks: Vec::new(),
        limits: target.limits,
        known: target.known.clone(),
        upgrades: Default::default(),
        expect: target.expect.clone(),
        clients: Default::default(),
        keeper: Default::default(),
    }
}

/// Lets the client talk, and the server say one thing after the other until it closes.
fn converse(mut session: Session, said: &[&[u8]], forms: &[String], cuts: &[u8]) -> Conversation {
    let mut transcript = Transcript::new();
    let mut turns = said.iter();
    let mut heard = Vec::new();
    loop {
        match session.poll() {
            Action::Finished => break,
            Action::StartTls => session.tls_failed(String::new()),
            Action::Send(outgoing) => {
                transcript.sent(Duration::ZERO, &outgoing);
                heard = outgoing.octets;
            }
            Action::Receive => match turns.next() {
                Some(turn) => {
                    let said = spell(turn, forms, heard.trim_ascii_end());
                    for piece in pieces(&said, cuts) {
                        transcript.received(Duration::ZERO, piece);
                        session.receive(piece);
                    }
                }
                None => {
                    transcript.closed(Duration::ZERO);
                    session.closed();
                }
            },
        }
    }
    let (deviations, dialogue_step) = (session.deviations().to_vec(), session.dialogue_step());
    Conversation { outcome: session.outcome(), dialogue_step, transcript, deviations, took: Duration::ZERO }
}

/// The records that are written into a target file.
fn records_of(accepted: &Accepted) -> String {
    let record = |record: &AcceptedRecord| NewRecord {
        case: record.case.clone(),
        outcome: record.outcome.clone(),
        happened: record.happened.clone(),
        is_security: record.is_harmful,
    };
    TargetUpdate { records: accepted.records.iter().map(record).collect(), ..TargetUpdate::default() }.to_toml()
}

/// The same case in every format.
fn reports(case: &CaseReport) -> [(&'static str, String); 5] {
    let (mut human, mut json, mut junit, mut records) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // Each begins, tells the case, and ends.
    let tell = |reporter: &mut dyn Reporter| {
        let scenarios = [(Arc::clone(&case.scenario), 1)];
        let (targets, warnings) = (&[][..], &[][..]);
        let started = RunEvent::Started { cases: 1, left_out: 0, targets, scenarios: &scenarios, warnings };
        for event in [started, RunEvent::CaseFinished(case), RunEvent::Finished(&Summary::default())] {
            let told = reporter.event(&event);
            assert!(told.is_ok(), "a report that cannot be written: {told:?}");
        }
    };
    tell(&mut Human::new(&mut human));
    tell(&mut JsonLines::new(&mut json));
    tell(&mut Junit::new(&mut junit));
    let (sender, accepted) = std::sync::mpsc::channel();
    tell(&mut Accept::new(true, move |accepted| sender.send(accepted).map_err(std::io::Error::other)));
    records.extend(accepted.iter().flat_map(|accepted| records_of(&accepted).into_bytes()));
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    let transcript = case.transcript.clone().unwrap_or_default();
    [
        ("transcript", transcript),
        ("report", text(human)),
        ("JSON Lines", text(json)),
        ("JUnit", text(junit)),
        ("records", text(records)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_repeats_no_password_of_a_reply() {
        let (_, target) = world().unwrap();
        let target = Arc::new(with_password(target, "zQ7x{\"1"));
        for (reply, what) in [
            ("* OK hi\r\n* 1 zQ7x{\"1 (\r\nA1 NO no\r\n", "imap-codec cannot read"),
            ("* OK hi\r\nA1 NO you said zQ7x{\"1\r\n", "NO you said"),
            ("* OK hi\r\nA1 NO no\r\nA9 OK zQ7x{\"1\r\n", "no"),
        ] {
            let way = (Protocol::Imap, crate::axes::Mechanism::Login, None);
            let written = written(&target, ROLE, way, reply.as_bytes()).unwrap();
            assert!(written.contains(what) && !written.contains("zQ7x"), "{written}");
        }
    }

    /// Where nothing was masked, nothing was looked for.
    #[test]
    fn the_seeds_put_a_password_into_every_report() {
        let mut masked = BTreeSet::new();
        for seed in seeds() {
            let Ok(Some(told)) = told(&mut Unstructured::new(&seed)) else { continue };
            let shown =
                told.reports.iter().filter(|(_, text)| text.contains("password>") || text.contains("password&gt;"));
            masked.extend(shown.map(|(name, _)| *name));
            if told.reports.iter().any(|(_, text)| text.contains("   = <password>")) {
                masked.insert("decoded challenge");
            }
        }
        let all = ["JSON Lines", "JUnit", "decoded challenge", "finding", "records", "report", "transcript"];
        assert_eq!(masked.into_iter().collect::<Vec<_>>(), all);
    }
}
