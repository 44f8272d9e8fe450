//! Our client and the reference server, talking in memory.

use std::time::Duration;

use super::world::pieces;
use crate::axes::Security;
use crate::protocol::{Action, Deviation, Outcome, Outgoing, Secured, Session, Transcript};
use crate::reference::{Flow, Session as ServerSession, TlsFacts};

/// What binds a channel.
pub(super) const EXPORTER: [u8; 32] = [7; 32];

/// A conversation that is over.
pub(super) struct Talked {
    pub outcome: Outcome,
    /// The step of a dialogue with which it ended.
    pub step: Option<usize>,
    pub deviations: Vec<Deviation>,
    pub transcript: Transcript,
}

/// Lets the two talk until the client has its outcome. Where neither has anything to say, the client's time is up.
pub(super) fn talk(
    mut client: Session,
    mut server: ServerSession,
    security: Security,
    cuts: &[u8],
    most_sent: usize,
) -> Talked {
    if security == Security::Tls {
        secure(&mut client, &mut server);
    }
    let mut transcript = Transcript::new();
    let mut said = Vec::new();
    server.greeting(&mut said);
    let mut flow = Flow::Continue;
    let mut sent = 0;
    // One tick of the clock for each thing that happens.
    for tick in 0.. {
        let now = Duration::from_millis(tick);
        match client.poll() {
            Action::Send(outgoing) => {
                sent += 1;
                assert!(sent <= most_sent, "the client sends on and on");
                transcript.sent(now, &outgoing);
                flow = hear(&mut server, &outgoing, cuts, flow, &mut said);
            }
            Action::Receive if said.is_empty() => match flow {
                Flow::Close => {
                    transcript.closed(now);
                    client.closed();
                }
                _ => {
                    transcript.no_answer(now, Duration::ZERO);
                    client.timed_out();
                }
            },
            Action::Receive => {
                let said = std::mem::take(&mut said);
                for piece in pieces(&said, cuts) {
                    transcript.received(now, piece);
                    client.receive(piece);
                }
            }
            // Whoever is not asked for TLS, or no longer there, shakes no hands.
            Action::StartTls if flow != Flow::StartTls => client.tls_failed("the server does not want TLS".to_owned()),
            Action::StartTls => {
                said.clear();
                flow = Flow::Continue;
                transcript.remark(now, "TLS".to_owned());
                secure(&mut client, &mut server);
            }
            Action::Finished => break,
        }
    }
    let (step, deviations) = (client.dialogue_step(), client.deviations().to_vec());
    Talked { outcome: client.outcome(), step, deviations, transcript }
}

fn hear(server: &mut ServerSession, outgoing: &Outgoing, cuts: &[u8], mut flow: Flow, said: &mut Vec<u8>) -> Flow {
    for piece in pieces(&outgoing.octets, cuts) {
        // What is injected before TLS is for the server to drop.
        if matches!(flow, Flow::Continue | Flow::StartTls) {
            flow = server.receive(piece, said);
        }
    }
    flow
}

fn secure(client: &mut Session, server: &mut ServerSession) {
    server.secured(TlsFacts { exporter: Some(EXPORTER), certificate: None });
    client.secured(Secured { exporter: Some(EXPORTER), ..Secured::default() });
}
