//! For tests and fuzz targets: what becomes of a session to which a server says just anything.

use super::{Action, Deviation, Outcome, Outgoing, Secured, Session};

/// The most pieces that a session sends: with the request for TLS, and the canary looked for in five messages, a login has
/// at most thirteen, a dialogue no more than its steps.
pub(crate) const MOST_SENT: usize = 13;

/// Everything that can be seen of a session.
pub(crate) type Heard = (Vec<Outgoing>, Vec<Deviation>, Outcome);

/// Feeds a stream in pieces and then ends it. Where TLS is begun, the rest of the stream is injected in plaintext, and
/// the same stream comes once more within TLS; where the server does not close, the handshake fails instead.
pub(crate) fn hear(mut session: Session, all: &[&[u8]], closes: bool) -> Heard {
    let mut pieces = all.iter();
    let mut sent = Vec::new();
    let mut handshakes = 0;
    loop {
        match session.poll() {
            Action::Send(outgoing) => sent.push(outgoing),
            Action::Receive => match pieces.next() {
                Some(piece) => session.receive(piece),
                None if closes => session.closed(),
                None => session.timed_out(),
            },
            Action::StartTls => {
                handshakes += 1;
                for piece in pieces.by_ref() {
                    session.receive(piece);
                }
                if closes {
                    session.secured(Secured::default());
                } else {
                    session.tls_failed(String::new());
                }
                pieces = all.iter();
            }
            Action::Finished => break,
        }
        assert!(handshakes <= 2 && sent.len() <= MOST_SENT, "{handshakes} handshakes, {} pieces sent", sent.len());
    }
    assert_eq!(session.poll(), Action::Finished, "a session that goes on after its end");
    let deviations = session.deviations().to_vec();
    assert!(deviations.len() <= 32, "{} deviations", deviations.len());
    (sent, deviations, session.outcome())
}
