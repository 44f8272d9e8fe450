//! Octets to and from a server: messages cut as a conversation wants them, and whole frames in time.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout_at};

use super::conversation::Cut;
use crate::axes::Protocol;
use crate::protocol::line::{Frame, Framer};
use crate::protocol::{Deviations, Outgoing, Secured, Transcript};
use crate::transport::{Connection, Deadlines, TlsClient};

/// How many frames of one conversation are kept for the judges.
const KEPT_FRAMES: usize = 256;

/// By how much shorter an answer is waited for that may never come: to half a literal there is none.
const HASTE: u32 = 5;

/// A connection to a server, and everything that was said on it.
pub(super) struct Wire<S> {
    connection: Connection<S>,
    framer: Framer,
    start: Instant,
    deadlines: Deadlines,
    /// How what is said is cut.
    pub cut: Cut,
    /// Whether an answer may never come, so that it is not waited for long.
    pub is_hasty: bool,
    pub deviations: Deviations,
    pub transcript: Transcript,
    pub frames: Vec<Kept>,
    /// Everything that the server said before it let anybody in.
    pub before_login: Vec<u8>,
    pub is_logged_in: bool,
}

/// A frame that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its octets, without the final line ending.
    pub octets: Vec<u8>,
    /// Where its literals are.
    pub literals: Vec<std::ops::Range<usize>>,
    /// Where it began in everything that the server sent.
    pub index: usize,
}

/// Why there is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The server has closed the connection.
    Closed,
    /// Nothing whole came in time.
    Silence,
    /// What came is no line of this protocol: the rule that it breaks.
    Broken(&'static str),
}

impl Kept {
    /// The frame, for whoever reads it.
    pub fn frame(&self) -> Frame<'_> {
        Frame { octets: &self.octets, literals: self.literals.clone(), index: self.index }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A connection that stands.
    pub fn new(stream: S, protocol: Protocol, deadlines: Deadlines, cut: Cut) -> Self {
        Self {
            connection: Connection::Plain(stream),
            framer: Framer::new(protocol),
            start: Instant::now(),
            deadlines,
            cut,
            is_hasty: false,
            deviations: Deviations::default(),
            transcript: Transcript::new(),
            frames: Vec::new(),
            before_login: Vec::new(),
            is_logged_in: false,
        }
    }

    /// Shakes hands. What the server said in plaintext counts no longer.
    pub async fn secure(&mut self, tls: Option<&TlsClient>) -> Result<Secured, String> {
        self.framer.discard();
        let due = Instant::now() + self.deadlines.reply;
        let secured = match tls {
            Some(client) => self.connection.secure(client, due).await,
            None => Err("this client has no settings for TLS".to_owned()),
        };
        let at = self.start.elapsed();
        match &secured {
            Ok(secured) => self.transcript.remark(at, secured.description.clone()),
            Err(reason) => self.transcript.remark(at, format!("TLS failed: {reason}")),
        }
        secured
    }

    /// Sends a message, cut as the conversation wants it. Whether the server takes it the next answer will tell.
    pub async fn send(&mut self, message: &Outgoing) {
        self.transcript.sent(self.start.elapsed(), message);
        let due = self.due();
        let octets = &message.octets;
        let (size, pause) = match self.cut {
            Cut::Whole => (octets.len().max(1), None),
            // A message in many pieces takes longer than it is worth: each is a system call, here and there.
            Cut::Each(size) => (size.max(1).max(octets.len() / 16), None),
            Cut::Pause { after, millis } => (after.clamp(1, octets.len().max(1)), Some(Duration::from_millis(millis))),
        };
        let mut rest = octets.as_slice();
        let mut is_paused = false;
        while !rest.is_empty() {
            let until = if is_paused { rest.len() } else { size.min(rest.len()) };
            let Some((now, later)) = rest.split_at_checked(until) else { return };
            let _ = timeout_at(due, self.connection.write_all(now)).await;
            rest = later;
            match pause {
                Some(pause) if !is_paused && !rest.is_empty() => {
                    is_paused = true;
                    sleep(pause).await;
                }
                // Whoever shares the thread may read what has come so far.
                _ if !rest.is_empty() => tokio::task::yield_now().await,
                _ => {}
            }
        }
    }

    /// The next whole frame, within the time for one reply.
    pub async fn frame(&mut self) -> Result<Kept, Ended> {
        self.frame_until(self.due()).await
    }

    /// A frame that nobody asked for, within this time; that there is none is no news.
    pub async fn frame_within(&mut self, time: Duration) -> Result<Kept, Ended> {
        self.frame_until(Instant::now() + time).await
    }

    async fn frame_until(&mut self, due: Instant) -> Result<Kept, Ended> {
        let waiting_since = Instant::now();
        let mut buffer = [0; 4096];
        loop {
            match self.framer.next(&mut self.deviations) {
                Ok(Some(frame)) => {
                    let kept =
                        Kept { octets: frame.octets.to_vec(), literals: frame.literals.clone(), index: frame.index };
                    if self.frames.len() < KEPT_FRAMES {
                        self.frames.push(kept.clone());
                    }
                    return Ok(kept);
                }
                Err(deviation) => return Err(Ended::Broken(deviation.rule)),
                Ok(None) => {}
            }
            match timeout_at(due, self.connection.read(&mut buffer)).await {
                Ok(Ok(0) | Err(_)) => {
                    self.transcript.closed(self.start.elapsed());
                    return Err(Ended::Closed);
                }
                Ok(Ok(count)) => {
                    let octets = buffer.get(..count).unwrap_or_default();
                    self.transcript.received(self.start.elapsed(), octets);
                    if !self.is_logged_in && self.before_login.len() < 64 * 1024 {
                        self.before_login.extend_from_slice(octets);
                    }
                    self.framer.push(octets);
                }
                Err(_) => {
                    self.transcript.no_answer(self.start.elapsed(), waiting_since.elapsed());
                    return Err(Ended::Silence);
                }
            }
        }
    }

    fn due(&self) -> Instant {
        let reply = if self.is_hasty { self.deadlines.reply / HASTE } else { self.deadlines.reply };
        (self.start + self.deadlines.whole).min(Instant::now() + reply)
    }

    /// Says goodbye to TLS, and closes.
    pub async fn part(self) -> (Transcript, Vec<Kept>, Vec<u8>) {
        self.connection.part().await;
        (self.transcript, self.frames, self.before_login)
    }
}
