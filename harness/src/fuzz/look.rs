//! Looks who is logged in at the end of a conversation, and which mailbox opens. Nothing is changed on the server.

use tokio::io::{AsyncRead, AsyncWrite};

use super::conversation::{Command, Cut};
use super::heard::{Answer, Answered, Opened};
use super::play::{Stage, unsaid};
use crate::axes::Protocol;
use crate::protocol::canary_mailbox;
use crate::protocol::imap::response::header_fields;

impl<S: AsyncRead + AsyncWrite + Unpin> Stage<'_, S> {
    /// Asks for the mailbox, and for the canary in it.
    pub(super) async fn look(&mut self) -> Opened {
        // Whatever cuts were to show is said by now.
        self.wire.cut = Cut::Whole;
        match self.equipment.protocol {
            Protocol::Imap => self.look_by_imap().await,
            Protocol::Pop3 => self.look_by_pop3().await,
        }
    }

    async fn look_by_imap(&mut self) -> Opened {
        let open = self.ask_simply("EXAMINE INBOX").await;
        match open.answer {
            Answer::Ok(_) => {}
            // To whoever is not logged in EXAMINE is no command (RFC 9051 §6.3); to whoever is, the mailbox is missing.
            Answer::Bad(_) => return Opened::Nobody,
            // What was said before may have been too much.
            Answer::Closed(_) => return Opened::Unasked,
            Answer::No(_) => {
                let answer = self.ask_simply("LIST \"\" INBOX").await.answer;
                return if matches!(answer, Answer::Ok(_)) { Opened::Unbound } else { Opened::Nobody };
            }
            _ => return Opened::Nobody,
        }
        let fetched = self.ask_simply("FETCH 1 (BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)])").await;
        let from = self.wire.frames.len().saturating_sub(fetched.lines.len() + 1);
        let frames = self.wire.frames.get(from..).unwrap_or_default();
        let mailbox = frames.iter().find_map(|kept| {
            let frame = kept.frame();
            canary_mailbox(&header_fields(&frame)?)
        });
        mailbox.map_or(Opened::Unnamed, Opened::Mailbox)
    }

    async fn look_by_pop3(&mut self) -> Opened {
        if !matches!(self.ask_simply("STAT").await.answer, Answer::Ok(_)) {
            return Opened::Nobody;
        }
        let top = self.ask_simply("TOP 1 0").await;
        if !matches!(top.answer, Answer::Ok(_)) {
            return Opened::Unnamed;
        }
        let header = top.lines.join(&b"\r\n"[..]);
        canary_mailbox(&header).map_or(Opened::Unnamed, Opened::Mailbox)
    }

    async fn ask_simply(&mut self, line: &str) -> Answered {
        self.wire.is_logged_in = true;
        let answers = self.say(&[Command::line(line)]).await;
        answers.into_iter().next().unwrap_or(unsaid())
    }
}
