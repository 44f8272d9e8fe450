//! Inputs to begin with, made from the bundled scenarios and dialects: of all names, dialogues and conversations in them,
//! one of each kind. `cargo run --features fuzzing --example make-seeds` writes them into `fuzz/seeds/`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::seed_files::{DIALOGUE, bundled as bundled_files, cases, faulty};
use super::seed_talks::{other_talks, talks};
use super::world::{bundled, sound, target, vocabulary};
use crate::axes::{Mechanism, Protocol};
use crate::identity::{Access, Verdict, escape};
use crate::protocol::DialogueStep;
use crate::reference::Session as ServerSession;
use crate::runner::{Request, ask};
use crate::scenario::{Verdict as CaseVerdict, bundled_scenarios};
use crate::target::Target;

/// The longest seed. What is longer in a scenario is there for its length, which a fuzzer finds by itself.
const LONGEST: usize = 2048;
/// The dialects whose names are taken: those that split in different ways.
const DIALECTS: &[&str] =
    &["exchange-5.5", "exchange-2007", "dovecot-master", "cyrus-virtdomains", "perdition", "gmail"];

/// The seeds of every property, by its name.
pub fn seeds() -> BTreeMap<&'static str, BTreeSet<Vec<u8>>> {
    let asked = asked();
    let mut seeds = BTreeMap::new();
    let names = names(&asked);
    // Each name in one dialect after the other: what it is in all of them the fuzzer finds out.
    let of_dialects = |head: &[u8]| {
        let count = bundled().0.len();
        let numbered = names.iter().zip(0_usize..);
        let seed = |(name, number): (&Vec<u8>, usize)| {
            [&[u8::try_from(number % count).unwrap_or_default()], head, name.as_slice()].concat()
        };
        numbered.map(seed).collect::<BTreeSet<_>>()
    };
    seeds.insert("identity_parse", of_dialects(&[0, 0]));
    seeds.insert("identity_differential", of_dialects(&[]));
    seeds.insert("identity_round_trip", identities());
    seeds.insert("octet_notation", names.iter().map(|name| escape(name).into_bytes()).collect());
    let mut dialects = bundled_files(|path| path.starts_with("dialects/") && path.matches('/').count() == 1, 2500);
    dialects.extend(bundled_files(|path| path == "directory.toml", usize::MAX));
    dialects.extend(["dialect", "directory"].into_iter().flat_map(faulty));
    seeds.insert("dialect_file", dialects);
    let scenarios = cases().into_iter().chain(faulty("scenario"));
    seeds.insert("scenario_file", scenarios.chain([DIALOGUE.into()]).collect());
    seeds.insert("target_file", faulty("target").into_iter().chain([TARGET.into()]).collect());
    for (protocol, server, client) in
        [(Protocol::Imap, "imap_response", "reference_imap"), (Protocol::Pop3, "pop3_response", "reference_pop3")]
    {
        let (said, sent) = dialogues(&asked, protocol);
        seeds.insert(server, said.iter().map(|said| [&[0][..], said].concat()).collect());
        seeds.insert(client, sent.iter().map(|sent| [&[0, 0][..], sent].concat()).collect());
    }
    let talks = talks();
    seeds.insert("sasl_challenge", talks.iter().filter_map(|talk| talk.challenges()).collect());
    let logins = talks.iter().map(|talk| [&[talk.way, 0, 1, 0][..], &talk.said].concat());
    seeds.insert("client_session", logins.chain(other_talks()).collect());
    let pairs = talks.iter().flat_map(|talk| {
        // The sound server, one with a flaw, a wrong password, another role.
        [[0, talk.way, 0, 0, 1, 0, 0], [0, talk.way, 1, 1, 1, 1, 9], [7, talk.way, 0, 2, 0, 0, 0]]
            .map(|head| head.to_vec())
    });
    seeds.insert("session_pair", pairs.collect());
    let reports = super::formats::seeds().into_iter().map(|seed| [&[0x80][..], &seed].concat());
    seeds.insert("redaction", redaction().into_iter().chain(reports).collect());
    let verdicts = (0..CaseVerdict::ALL.len()).filter_map(|verdict| u8::try_from(verdict).ok());
    let reports = verdicts.map(|verdict| [&[verdict][..], b"a/b[imap]\0about\0RFC 1\0target"].concat());
    seeds.insert("reports", reports.chain([b"\x01<\x02&\"'>]]>\xff".to_vec()]).collect());
    for (_, found) in seeds.iter_mut().filter(|(name, _)| **name != "dialect_file") {
        found.retain(|seed| seed.len() <= LONGEST);
    }
    seeds
}

/// A target file with everything that one can have.
const TARGET: &str = r#"name = "staging"
dialect = "dovecot"
lacks = ["SASL-IR"]
[imap]
address = "mail.example.org:143"
security = "starttls"
[pop3]
address = "mail.example.org:995"
security = "tls"
[tls]
server-name = "mail.example.org"
oldest = "1.2"
[limits]
wrong-passwords = 3
connections = 4
one-session-per-mailbox = true
[[account]]
role = "same"
domain = "Domain1"
dns = "domain1.example"
user = "Same"
mailbox = "Same"
password = { env = "PASSWORD" }
[[account]]
role = "renamed"
user = "User1"
mailbox = "Mailbox1"
password = { text = "xyz" }
[[known]]
case = "imap/quoting/*"
outcome = "bad"
reason = "refuses every quoted string"
link = "https://example.org/1"
expires = "2030-01-31"
security = true
sometimes = true
"#;

/// Everything that the bundled scenarios ask, of one dialect after the other.
fn asked() -> Vec<(Protocol, Request)> {
    let scenarios = bundled_scenarios(vocabulary()).unwrap_or_default();
    let dialects = DIALECTS.iter().filter_map(|name| bundled().0.iter().find(|dialect| dialect.name == *name));
    let targets: Vec<Target> = dialects.filter_map(target).collect();
    let mut asked = Vec::new();
    for target in &targets {
        for scenario in &scenarios {
            let questions = scenario.cases.iter().filter_map(|case| {
                let question = ask(case, target, scenario.once, &case.role).ok()?;
                Some((case.protocol, question.request))
            });
            asked.extend(questions);
        }
    }
    asked
}

/// One name of each kind: those that every dialect reads by the same rules are of one kind.
fn names(asked: &[(Protocol, Request)]) -> BTreeSet<Vec<u8>> {
    let access = Access { protocol: Protocol::Imap, mechanism: Mechanism::Login };
    let mut kinds: HashMap<Vec<String>, Vec<u8>> = HashMap::new();
    for (_, request) in asked {
        let Request::Login(login) = request else { continue };
        let kind = bundled().0.iter().map(|dialect| {
            let readings = dialect.read(login.name.expose(), access);
            match (readings.verdict, readings.chosen()) {
                (Verdict::Refused { reason, .. }, _) => format!("refused {reason}"),
                (_, Some(reading)) => reading.form().text().to_string(),
                (_, None) => "unspecified".to_string(),
            }
        });
        keep(&mut kinds, kind.collect(), login.name.expose().to_vec());
    }
    kinds.into_values().collect()
}

/// The shortest of each kind, and of several the first by its octets: the seeds are the same each time.
fn keep<K: std::hash::Hash + Eq>(kinds: &mut HashMap<K, Vec<u8>>, kind: K, seed: Vec<u8>) {
    let kept = kinds.entry(kind).or_insert_with(|| seed.clone());
    if (seed.len(), &seed) < (kept.len(), kept) {
        *kept = seed;
    }
}

/// An identity in every typed form, in every dialect.
fn identities() -> BTreeSet<Vec<u8>> {
    let count = u8::try_from(bundled().0.len()).unwrap_or(u8::MAX);
    let heads = (0..count).flat_map(|dialect| [0, 2, 4].map(|form| vec![dialect, 0, 0, form, dialect % 4]));
    heads.map(|head| [&head[..], b"Domain1\0User1\0Mailbox1"].concat()).collect()
}

/// The client's octets of each dialogue that the reference server answers in another way than all the others, and these
/// answers.
fn dialogues(asked: &[(Protocol, Request)], protocol: Protocol) -> (BTreeSet<Vec<u8>>, BTreeSet<Vec<u8>>) {
    let (mut said_kinds, mut sent_kinds) = (HashMap::new(), HashMap::new());
    for (_, request) in asked.iter().filter(|(theirs, _)| *theirs == protocol) {
        let Request::Dialogue(steps) = request else { continue };
        let sent: Vec<u8> = steps
            .iter()
            .filter_map(|step| match step {
                DialogueStep::Send(outgoing) => Some(outgoing.octets.as_slice()),
                _ => None,
            })
            .flatten()
            .copied()
            .collect();
        if sent.len() > LONGEST {
            continue;
        }
        let mut said = Vec::new();
        let mut server = ServerSession::new(protocol, Arc::new(sound(0, true).as_ref().clone().with_seed([0; 32])));
        server.greeting(&mut said);
        server.receive(&sent, &mut said);
        let kind: Vec<Vec<u8>> =
            said.split(|octet| *octet == b'\n').map(|line| line.get(..12).unwrap_or(line).to_vec()).collect();
        keep(&mut said_kinds, kind.clone(), said);
        keep(&mut sent_kinds, kind, sent);
    }
    (said_kinds.into_values().collect(), sent_kinds.into_values().collect())
}

/// A password and what a server makes of it, once for each form: as it is, in a challenge, and in a flood.
fn redaction() -> BTreeSet<Vec<u8>> {
    let long = [b' '; 120];
    (0x80..0x87)
        .flat_map(|form| {
            let password: &[u8] = b"Secret-Use0";
            let longest: &[u8] = b"Secret-Use0Secret-Use012";
            [
                [&[0, 6][..], password, b"r1 -ERR ", &[form], b"\r\n", &[form, form]].concat(),
                [&[0, 6][..], password, b"r+ ", &[form], b"\r\n", &long, &[form, b'\r'], &long].concat(),
                [&[4, 1, 2, 3, 4, 18][..], longest, b"-ERR ", &[form]].concat(),
            ]
        })
        .collect()
}
