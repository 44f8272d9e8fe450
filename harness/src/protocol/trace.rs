//! For tests: plays a conversation written as `C:` and `S:` lines against a session.

use super::{Action, Outcome, Secured, Session};

/// Plays `trace` and gives back what the session makes of it.
///
/// `S:` lines are fed one by one, each with CR LF; `S: [closed]` and `S: [silent]` end the server's part; `S: [tls]` and
/// `S: [no tls]` end a handshake, and what is fed before them while it is due is injected in plaintext; `C:` lines
/// have to be what the session sends, octet by octet. The session must be finished at the end.
pub(super) fn play(session: Session, trace: &str) -> Outcome {
    let (outcome, deviations) = play_with_deviations(session, trace);
    assert_eq!(deviations, [""; 0], "unexpected deviations");
    outcome
}

/// The same, with the rules that were broken without harm.
pub(super) fn play_with_deviations(mut session: Session, trace: &str) -> (Outcome, Vec<&'static str>) {
    let mut sent = String::new();
    let mut lines = trace.lines().map(str::trim_start).filter(|line| !line.is_empty()).peekable();
    loop {
        match session.poll() {
            Action::Send(outgoing) => sent.push_str(&outgoing.octets.escape_ascii().to_string()),
            Action::Receive => {
                take_client_lines(&mut lines, &mut sent);
                match lines.next() {
                    Some("S: [closed]") => session.closed(),
                    Some("S: [silent]") => session.timed_out(),
                    Some(line) => feed(&mut session, line),
                    None => panic!("the session waits beyond the end of the trace, at {:?}", session.stage()),
                }
            }
            Action::StartTls => {
                take_client_lines(&mut lines, &mut sent);
                match lines.next() {
                    Some("S: [tls]") => session.secured(Secured::default()),
                    Some("S: [no tls]") => session.tls_failed("no tls".to_owned()),
                    Some(line) => feed(&mut session, line),
                    None => panic!("the session waits for TLS beyond the end of the trace"),
                }
            }
            Action::Finished => break,
        }
    }
    take_client_lines(&mut lines, &mut sent);
    assert_eq!(lines.next(), None, "the session finished before the end of the trace");
    let rules = session.deviations().iter().map(|deviation| deviation.rule).collect();
    (session.outcome(), rules)
}

/// Feeds one `S:` line.
fn feed(session: &mut Session, line: &str) {
    let line = line.strip_prefix("S:").unwrap_or_else(|| panic!("not a server's line: {line}"));
    session.receive(line.strip_prefix(' ').unwrap_or(line).as_bytes());
    session.receive(b"\r\n");
}

/// Takes the `C:` lines that come next and compares them with what was sent.
fn take_client_lines<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, sent: &mut String) {
    let mut expected = String::new();
    while let Some(line) = lines.next_if(|line| line.starts_with("C:")) {
        let line = line.trim_start_matches("C:");
        expected.push_str(&line.strip_prefix(' ').unwrap_or(line).as_bytes().escape_ascii().to_string());
        expected.push_str("\\r\\n");
    }
    assert_eq!(std::mem::take(sent), expected);
}
