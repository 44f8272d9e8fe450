//! The transaction state (RFC 1939 §5): one message, the canary, and nobody can delete it.

use super::super::canary;
use super::super::reply::push_number;
use super::command::{Command, number};
use super::login::push_error;
use super::{Pop3Session, State, push_line};

const NO_SUCH_MESSAGE: &[u8] = b"-ERR there is one message only, number 1";

impl Pop3Session {
    pub(super) fn obey_in_maildrop(&self, command: &Command<'_>, out: &mut Vec<u8>) {
        let mailbox = match &self.state {
            State::Transaction { mailbox } => mailbox,
            State::Unbound { code, text } => return push_error(out, code.as_deref(), text),
            State::Authorization | State::Named(_) | State::Exchanging(_) => {
                return self.refuse("this command comes after a login (RFC 1939 section 3)", out);
            }
        };
        match command {
            Command::Stat => {
                out.extend_from_slice(b"+OK 1 ");
                push_number(out, canary::size(mailbox));
                out.extend_from_slice(b"\r\n");
            }
            Command::List(message) => push_listing(out, *message, |out| push_number(out, canary::size(mailbox))),
            Command::Uidl(message) => push_listing(out, *message, |out| match self.authority.canaries() {
                true => out.extend_from_slice(b"canary"),
                false => push_number(out, canary::uid_validity(mailbox, false)),
            }),
            Command::Retr(message) if is_first(message) => {
                out.extend_from_slice(b"+OK\r\n");
                push_message(out, mailbox, self.authority.canaries(), usize::MAX);
            }
            Command::Top { message, lines } => match number(lines) {
                Some(lines) if is_first(message) => {
                    out.extend_from_slice(b"+OK\r\n");
                    push_message(out, mailbox, self.authority.canaries(), lines);
                }
                Some(_) => push_line(out, &[NO_SUCH_MESSAGE]),
                None => self.refuse("TOP takes a message number and a number of lines (RFC 1939 section 7)", out),
            },
            Command::Retr(_) => push_line(out, &[NO_SUCH_MESSAGE]),
            Command::Noop | Command::Rset => push_line(out, &[b"+OK"]),
            Command::Dele => self.refuse("the maildrop is read-only", out),
            _ => self.refuse("this command is not for here", out),
        }
    }
}

fn is_first(message: &[u8]) -> bool {
    number(message) == Some(1)
}

/// `LIST` and `UIDL`: of one message or of all, which here is the same message.
fn push_listing(out: &mut Vec<u8>, message: Option<&[u8]>, push_value: impl Fn(&mut Vec<u8>)) {
    match message {
        Some(message) if !is_first(message) => push_line(out, &[NO_SUCH_MESSAGE]),
        Some(_) => {
            out.extend_from_slice(b"+OK 1 ");
            push_value(out);
            out.extend_from_slice(b"\r\n");
        }
        None => {
            out.extend_from_slice(b"+OK\r\n1 ");
            push_value(out);
            out.extend_from_slice(b"\r\n.\r\n");
        }
    }
}

/// The header, the first lines of the body, and the dot. No line of the canary begins with a dot: the only octets
/// that are not ours are the mailbox's name, and they come after the name of their header and hold no line end.
fn push_message(out: &mut Vec<u8>, mailbox: &[u8], canaries: bool, lines: usize) {
    canary::push_headers(out, mailbox, canaries);
    for line in canary::BODY.split_inclusive(|&octet| octet == b'\n').take(lines) {
        out.extend_from_slice(line);
    }
    out.extend_from_slice(b".\r\n");
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::follow_pop3;
    use super::super::super::flaw::Flaws;

    #[test]
    fn the_canary_names_the_mailbox() {
        follow_pop3(
            Flaws::NONE,
            r#"
            S: +OK …
            C: CAPA
            S: +OK
            S: USER
            S: SASL PLAIN LOGIN
            S: RESP-CODES
            S: AUTH-RESP-CODE
            S: PIPELINING
            S: TOP
            S: UIDL
            S: IMPLEMENTATION loginspec
            S: .
            C: STAT
            S: -ERR …
            C: USER Domain1\User1\Mailbox1
            S: +OK
            C: PASS Secret-User1
            S: +OK …
            C: STAT
            S: +OK 1 259
            C: LIST
            S: +OK
            S: 1 259
            S: .
            C: UIDL 1
            S: +OK 1 canary
            C: TOP 1 0
            S: +OK
            S: X-Loginspec-Mailbox: Mailbox1
            S: From: …
            S: To: …
            S: Subject: …
            S: Date: …
            S: Message-ID: …
            S:
            S: .
            C: RETR 2
            S: -ERR …
            C: DELE 1
            S: -ERR …
            C: QUIT
            S: +OK
            S: closed
            "#,
        );
    }
}
