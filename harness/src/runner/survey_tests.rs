//! What a survey says of cases.

use super::*;
use crate::scenario::{Vocabulary, read_scenario};
use crate::source::SourceText;

const PLACE: Place = (0, Protocol::Imap, Security::Plaintext);

fn case(needs: &[&str], lacks: &[&str]) -> Case {
    let text = "title = 'x'\ncites = ['y']\n[[case]]\nid = 'z'\naccount = 'same'\nlogin = 'a'\nexpect = 'rejected'\n";
    let vocabulary = Vocabulary { roles: vec!["same".to_string()], dialects: Vec::new() };
    let scenario = read_scenario("x", &SourceText::new("x.toml", text), &vocabulary).unwrap();
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    Case { needs: words(needs), lacks: words(lacks), ..scenario.cases[0].clone() }
}

fn survey(found: Found) -> Survey {
    Survey { found: HashMap::from([(PLACE, found)]), places: vec![PLACE], ..Survey::default() }
}

#[test]
fn needs_and_lacks_are_reasons_to_skip() {
    let offers = survey(Found::Offers(vec!["SASL-IR".to_string(), "AUTH=PLAIN".to_string()]));
    let reason = |needs: &[&str], lacks: &[&str]| {
        offers.reason_to_skip(&case(needs, lacks), PLACE).map(|reason| reason.to_string())
    };
    assert_eq!(reason(&[], &[]), None);
    assert_eq!(reason(&["sasl-ir", "AUTH=PLAIN"], &["LOGINDISABLED"]), None);
    assert_eq!(
        reason(&["SASL-IR", "LITERAL+"], &[]).as_deref(),
        Some("the target does not offer LITERAL+ over plaintext")
    );
    assert_eq!(
        reason(&[], &["AUTH=PLAIN"]).as_deref(),
        Some("the target offers AUTH=PLAIN over plaintext, so this cannot be asked")
    );
}

#[test]
fn a_silent_server_is_asked_what_depends_on_nothing() {
    let unknown = survey(Found::Unknown("no answer in time at: capabilities".to_string()));
    assert_eq!(unknown.reason_to_skip(&case(&[], &[]), PLACE), None);
    let reason = unknown.reason_to_skip(&case(&["X"], &[]), PLACE).unwrap().to_string();
    assert!(reason.contains("does not say what it offers: no answer"), "{reason}");
    assert_eq!(unknown.offers(PLACE, "AUTH=PLAIN"), None);
    // A server that offers nothing says that it lacks everything.
    let nothing = survey(Found::Offers(Vec::new()));
    assert!(nothing.reason_to_skip(&case(&["X"], &[]), PLACE).is_some());
    assert_eq!(nothing.reason_to_skip(&case(&[], &["X"]), PLACE), None);
}

#[test]
fn outcomes_of_surveys() {
    assert_eq!(found(Outcome::Surveyed(vec![b"STLS".to_vec()])), Found::Offers(vec!["STLS".to_string()]));
    let refused = survey(found(Outcome::NotOffered("STARTTLS".into())));
    let reason = refused.reason_to_skip(&case(&[], &[]), PLACE).unwrap();
    assert_eq!(reason.to_string(), "the target does not offer STARTTLS");
    assert_eq!(refused.place_for(0, Protocol::Imap), None);
    assert!(matches!(found(Outcome::NoAnswer(Stage::Capabilities)), Found::Unknown(_)));
    let endpoint = Endpoint { protocol: Protocol::Imap, address: "h:993".to_string(), security: Security::Tls };
    let reason = unreachable(&endpoint, &Outcome::TlsFailed("the issuer is unknown".to_string())).unwrap();
    for part in ["h:993 (imap)", "the issuer is unknown", "--ca FILE", "--server-name NAME", "--insecure"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!(unreachable(&endpoint, &Outcome::NoAnswer(Stage::Capabilities)), None);
}
