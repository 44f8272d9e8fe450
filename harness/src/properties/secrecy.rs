//! No form of a password is ever shown.

use std::time::Duration;

use arbitrary::Unstructured;

use super::formats::{reported_forms, told};
use super::spellings::{forms, printable, spell};
use super::world::{MOST_CUTS, cuts, pieces, rest};
use crate::protocol::transcript::KEPT_OCTETS;
use crate::protocol::{Mark, Outcome, Outgoing, Proof, Redactor, Reply, ResponseCode, Stage, Transcript};
use crate::secret::Password;

/// The shortest password that is looked for: shorter ones are parts of words that are no secret.
const SHORTEST: usize = 6;
/// The longest.
const LONGEST: usize = 24;

/// Whatever a server repeats of a password, in whichever form and however it is cut, neither a transcript nor an outcome
/// shows it; nor does a transcript show what the client has sent of it, or anybody's debug output. Nor does a report on
/// such a conversation, in any format.
///
/// The input: an octet above 0x7f and what [`told`] takes; or up to four cuts, the password's length and octets, then what
/// the server says, as [`spell`] takes it.
pub fn redaction(input: &[u8]) {
    let _ = match input.split_first() {
        Some((0x80.., rest)) => in_reports(&mut Unstructured::new(rest)),
        _ => echo(&mut Unstructured::new(input)),
    };
}

fn in_reports(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let Some(told) = told(input)? else { return Ok(()) };
    for form in reported_forms(&told.password) {
        for (name, text) in &told.reports {
            assert!(!text.contains(&form), "{form} is in the {name}: {text}");
        }
    }
    Ok(())
}

fn echo(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let cuts = cuts(input)?;
    let length = input.int_in_range(SHORTEST..=LONGEST)?;
    let password = printable(input.bytes(length)?);
    let forms = forms(&password);
    let said = spell(rest(input), &forms, b"");
    let redactor = Redactor::new(&[Password::new(password.as_str())]);
    check_shown(&forms, &said, &|said| {
        let mut transcript = Transcript::new();
        for piece in pieces(said, cuts) {
            transcript.received(Duration::ZERO, piece);
        }
        transcript.render(&redactor)
    });
    check(&forms, &redactor.redact_text(&String::from_utf8_lossy(&said)));
    check_outcomes(&forms, &redactor, &said);
    check_both_ways(&forms, &redactor, &password, &said);
    // A flood, now and then: it takes its time, and what is kept of it may end within a password.
    if length == LONGEST && cuts.len() == MOST_CUTS && !said.is_empty() {
        let flood = said.repeat(KEPT_OCTETS / said.len() + 1);
        check_shown(&forms, &flood, &|flood| {
            let mut transcript = Transcript::new();
            transcript.received(Duration::ZERO, flood);
            let is_flood = flood.len() > KEPT_OCTETS;
            assert!(!is_flood || transcript.left_out() > 0 && !transcript.is_empty(), "a flood leaves nothing out");
            transcript.render(&redactor)
        });
    }
    Ok(())
}

/// A client that sends the password, and a server that says something to that.
fn check_both_ways(forms: &[String], redactor: &Redactor, password: &str, said: &[u8]) {
    let mut sent = Outgoing::plain("PASS ");
    sent.push_secret(password.as_bytes());
    sent.push(b"\r\n");
    sent.meaning = Some("it".to_owned());
    let debug = format!("{sent:?} {:?}", Password::new(password));
    assert_eq!(debug, r"Outgoing(PASS <password>\r\n) Password([redacted])");
    let both_ways = |said: &[u8]| {
        let mut transcript = Transcript::new();
        transcript.sent(Duration::ZERO, &sent);
        transcript.received(Duration::from_millis(1), said);
        transcript.remark(Duration::from_millis(2), "TLS".to_owned());
        transcript.closed(Duration::from_millis(3));
        transcript
    };
    let transcript = both_ways(said);
    let turns = transcript.turns();
    assert!(turns.iter().all(|turn| !holds_any(forms, turn.sent)), "a turn holds the password");
    assert!(transcript.slowest_answer() <= Some(transcript.duration()), "an answer later than the last");
    check_shown(forms, said, &|said| {
        let marks = [said.len() / 2, said.len()].map(|index| Mark { index, remark: "here".to_owned() });
        both_ways(said).render_marked(redactor, &marks)
    });
    // Without a challenge, in which it may hide, a password is where it is found.
    if !said.contains(&b'+') {
        let is_found = redactor.find(said).iter().any(|found| found.contains(&(said.len() / 2)));
        assert_eq!(transcript.is_secret(said.len() / 2, redactor), is_found, "{}", said.escape_ascii());
    }
}

/// What is shown of what was said holds no form of the password.
///
/// What a transcript adds of its own is none, even where it looks like one: an LF is shown as `\n`, with a backslash that
/// nobody has said. So a form is none that is shown as well where the server said something else in its place.
fn check_shown(forms: &[String], said: &[u8], show: &dyn Fn(&[u8]) -> String) {
    let shown = show(said);
    for form in forms.iter().filter(|form| holds(&shown, form)) {
        assert!(holds(&show(&without(forms, said)), form), "{form} is in {shown}");
    }
}

/// What was shown without anything of our own holds no form of the password.
fn check(forms: &[String], shown: &str) {
    for form in forms {
        assert!(!holds(shown, form), "{form} is in {shown}");
    }
}

fn holds(shown: &str, form: &str) -> bool {
    let bare = shown.replace("<password>", "\n").replace("S: [closed]", "").replace("(column", "");
    bare.lines().any(|line| line.trim_start_matches("S: ").contains(form))
}

/// The same octets, with an octet in the place of each form that is in none of them.
fn without(forms: &[String], said: &[u8]) -> Vec<u8> {
    let filling = (b'!'..=b'~').find(|octet| !forms.iter().any(|form| form.as_bytes().contains(octet)));
    let mut without = Vec::with_capacity(said.len());
    let mut rest = said;
    while let Some(&first) = rest.first() {
        match forms.iter().filter(|form| rest.starts_with(form.as_bytes())).map(String::len).max() {
            Some(length) => {
                without.extend(filling);
                rest = rest.get(length..).unwrap_or_default();
            }
            None => {
                without.push(first);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    without
}

/// Everything in an outcome that a server has said.
fn check_outcomes(forms: &[String], redactor: &Redactor, said: &[u8]) {
    let reply = || Reply { code: Some(ResponseCode::Other(said.to_vec())), text: said.to_vec() };
    let coded = Reply { code: Some(ResponseCode::Referral(said.to_vec())), text: Vec::new() };
    let listed = Reply { code: Some(ResponseCode::Capability(vec![said.to_vec()])), text: Vec::new() };
    for outcome in [
        Outcome::Rejected(reply()),
        Outcome::Rejected(Reply::from_text(said)),
        Outcome::Bad(coded),
        Outcome::Unbound(listed),
        Outcome::Undelivered(reply()),
        Outcome::Closed { stage: Stage::Login, farewell: Some(reply()) },
        Outcome::Diverged { step: 0, got: said.to_vec(), index: 0 },
        Outcome::TlsFailed(String::from_utf8_lossy(said).into_owned()),
        Outcome::Opened { mailbox: Some(said.to_vec()), proof: Proof::Fingerprint(said.to_vec()) },
        Outcome::Followed,
    ] {
        match redactor.redact_outcome(outcome) {
            Outcome::Rejected(reply)
            | Outcome::Bad(reply)
            | Outcome::Unbound(reply)
            | Outcome::Undelivered(reply)
            | Outcome::Closed { farewell: Some(reply), .. } => {
                check_octets(forms, &reply.text);
                match reply.code {
                    Some(ResponseCode::Other(octets) | ResponseCode::Referral(octets)) => check_octets(forms, &octets),
                    Some(ResponseCode::Capability(words)) => check_octets(forms, &words.concat()),
                    _ => {}
                }
            }
            Outcome::Diverged { got, .. } => check_octets(forms, &got),
            Outcome::TlsFailed(reason) => check(forms, &reason),
            Outcome::Opened { mailbox, proof } => {
                check_octets(forms, &mailbox.unwrap_or_default());
                if let Proof::Fingerprint(print) = proof {
                    check_octets(forms, &print);
                }
            }
            _ => {}
        }
    }
}

fn check_octets(forms: &[String], octets: &[u8]) {
    check(forms, &String::from_utf8_lossy(octets));
}

fn holds_any(forms: &[String], octets: &[u8]) -> bool {
    forms.iter().any(|form| octets.windows(form.len()).any(|window| window == form.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_seen_and_what_only_looks_like_it_is_not() {
        let forms = forms(r"\\\\\\");
        let show = |said: &[u8]| String::from_utf8_lossy(said).replace('\n', "\\n");
        check_shown(&forms, b"\\\\\\\\\\\n", &show);
        let shown = std::panic::catch_unwind(|| check_shown(&forms, b"so \\\\\\\\\\\\ it is", &show));
        assert!(shown.is_err());
    }
}
