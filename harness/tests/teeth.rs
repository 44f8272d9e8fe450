//! The suite has teeth: with no flaw every bundled scenario passes, and every flaw of the reference server is caught.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use loginspec::reference::{Flaw, Flaws};
use loginspec::scenario::Verdict;
use support::{run_bundled, run_bundled_with};

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

/// Each flaw breaks a rule, and it is a case that cites this rule that catches it, not one that fails by accident.
#[test]
fn every_flaw_is_caught_by_the_rule_that_it_breaks() {
    // The flaw of time is measured in quiet; the others have each other's company.
    let (timed, others): (Vec<Flaw>, Vec<Flaw>) = Flaw::ALL.iter().partition(|flaw| **flaw == Flaw::SlowForKnownUsers);
    let next = AtomicUsize::new(0);
    let caught = Mutex::new(BTreeMap::new());
    let catch = |flaw: Flaw| {
        let by = caught_by(flaw);
        caught.lock().unwrap().insert(flaw, by);
    };
    timed.into_iter().for_each(catch);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(&flaw) = others.get(next.fetch_add(1, Ordering::Relaxed)) {
                    catch(flaw);
                }
            });
        }
    });
    let caught = caught.into_inner().unwrap();
    for (flaw, by) in &caught {
        let first = by.first().map_or("MISSED", String::as_str);
        say(&format!("{:<32} {:<28} {first} ({} in all)", flaw.name(), flaw.breaks(), by.len()));
    }
    let all = Flaw::ALL.len();
    let missed: Vec<&str> = caught.iter().filter(|(_, by)| by.is_empty()).map(|(flaw, _)| flaw.name()).collect();
    let killed = caught.len() - missed.len();
    say(&format!("kill rate: {killed} of {all} flaws, {:.1} %", 100.0 * killed as f64 / all as f64));
    assert_eq!(killed, all, "no case that cites the rule fails with these flaws: {}", missed.join(", "));
    assert!(all >= 40);
}

/// The cases that cite the rule that a flaw breaks, and fail with it.
fn caught_by(flaw: Flaw) -> Vec<String> {
    let (_, cases) = run_bundled_with(Flaws::from(flaw), |case| case.cites.iter().any(|cited| cited == flaw.breaks()));
    let mut caught: Vec<String> = cases
        .iter()
        // Where the rule is a SHOULD, a warning is all that there is to say.
        .filter(|case| matches!(case.verdict, Verdict::Fail | Verdict::Warn))
        .map(|case| case.id.split('[').next().unwrap().to_string())
        .collect();
    caught.sort_unstable();
    caught.dedup();
    caught
}

/// No expected value is needed to find a carrier that changes who one is: the siblings disagree.
#[test]
fn siblings_that_disagree_are_found() {
    let (_, cases) =
        run_bundled_with(Flaws::from(Flaw::TruncatesLiteral), |case| case.id.starts_with("imap/encodings/"));
    let of_encodings: Vec<_> = cases.iter().filter(|case| case.id.starts_with("imap/encodings/bare-name[")).collect();
    assert!(of_encodings.len() >= 8);
    for case in of_encodings {
        let is_literal = case.id.contains("literal");
        assert_eq!(case.verdict, if is_literal { Verdict::Fail } else { Verdict::Pass }, "{}", case.id);
        // Exchange's name holds backslashes, and no atom may: there the quoted string is the measure.
        let of = |encoding: &str| format!("where imap/encodings/bare-name[imap,login,{encoding}] came to: opened");
        let is_measured = case.reason.contains(&of("atom")) || case.reason.contains(&of("quoted"));
        assert!(!is_literal || is_measured, "{}", case.reason);
    }
}

/// The kill rate is worth seeing also where all is well; the test runner captures what `println!` prints.
fn say(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
