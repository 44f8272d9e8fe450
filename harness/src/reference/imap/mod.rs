//! One IMAP connection, as a server has it (RFC 9051, RFC 3501).
//!
//! Octets are collected until a command is whole; a literal makes it longer than its line. Limits depend on the
//! octets alone, never on how they were cut on their way here.

mod command;
mod fetch;
mod grammar;
mod login;
mod mailbox;
mod strings;

use std::sync::Arc;

use self::command::{Command, Refusal};
use self::grammar::Stop;
use self::strings::{LONGEST_LITERAL, announced_without_waiting};
use super::authority::Authority;
use super::connection::{Connection, TlsFacts};
use super::flaw::Flaw;
use super::flow::Flow;
use super::reply::push_number;
use super::sasl::{self, Context, Exchange};
use super::starttls::{self, MOST_INJECTED};
use crate::axes::{Mechanism, Protocol};
use crate::identity::Access;

/// The longest command, not counting its literals. RFC 2683 §3.2.1.5 asks for 8000 octets at least.
const LONGEST_COMMAND: usize = 8 * 1024;
/// The most octets in all literals of one command: a name and a password.
const MOST_IN_LITERALS: usize = 2 * LONGEST_LITERAL;
/// The most octets that are read before a login is accepted.
const MOST_BEFORE_LOGIN: usize = 64 * 1024;
/// The login failure that ends the connection (RFC 9051 §11.7 asks for a limit).
const LAST_FAILURE: u8 = 10;
/// How much is looked at at once, so that what is kept stays small whatever the caller hands in.
const PIECE: usize = 4 * 1024;

/// One IMAP connection, octets in and octets out.
pub struct ImapSession {
    authority: Arc<Authority>,
    connection: Connection,
    state: State,
    /// What has come of a command that is not whole yet.
    pending: Vec<u8>,
    /// Where in `pending` the end of the command's line is to be looked for.
    searched: usize,
    /// How many octets of the command are in literals.
    in_literals: usize,
    /// Whether the rest of a refused command is passed over.
    is_refused: bool,
    /// How many octets of a refused command's literal are still to come.
    to_drop: usize,
    before_login: usize,
    failures: u8,
    /// Whether a password was verified, where that is to show.
    took_time: bool,
    flow: Flow,
}

/// Where in RFC 9051 §3 the connection is.
enum State {
    NotAuthenticated,
    /// Within `AUTHENTICATE`.
    Exchanging {
        tag: Vec<u8>,
        exchange: Exchange,
    },
    Authenticated(Binding),
    Selected {
        mailbox: Vec<u8>,
    },
}

/// What an accepted login has opened.
enum Binding {
    Mailbox(Vec<u8>),
    /// Nothing: opening is answered with this code and text.
    Unbound {
        code: Option<String>,
        text: String,
    },
}

impl ImapSession {
    /// Begins a session.
    pub fn new(authority: Arc<Authority>) -> Self {
        let preauth = authority.offers_tls() && authority.flaws().has(Flaw::PreauthBeforeTls);
        let nobody = || State::Authenticated(Binding::Unbound { code: None, text: String::new() });
        Self {
            state: if preauth { nobody() } else { State::NotAuthenticated },
            authority,
            connection: Connection::PLAINTEXT,
            pending: Vec::new(),
            searched: 0,
            in_literals: 0,
            is_refused: false,
            to_drop: 0,
            before_login: 0,
            failures: 0,
            took_time: false,
            flow: Flow::Continue,
        }
    }

    /// TLS stands: what was said before it is forgotten (RFC 9051 §6.2.1). Failures count on.
    pub fn secured(&mut self, facts: TlsFacts) {
        if !self.authority.flaws().has(Flaw::ExecutesInjectedCommands) {
            self.pending.clear();
        }
        self.connection.secure(facts);
        self.state = State::NotAuthenticated;
        (self.searched, self.in_literals, self.is_refused, self.to_drop) = (0, 0, false, 0);
        self.flow = Flow::Continue;
    }

    /// Appends the greeting.
    pub fn greeting(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.is_logged_in() { b"* PREAUTH [CAPABILITY" } else { b"* OK [CAPABILITY" });
        self.push_capabilities(out);
        out.extend_from_slice(b"] loginspec reference server ready\r\n");
    }

    /// Takes what the client sent and appends the replies. How the octets are cut makes no difference.
    pub fn receive(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Flow {
        for piece in octets.chunks(PIECE) {
            if self.flow == Flow::StartTls {
                self.drop_injected(piece);
                continue;
            }
            if self.flow != Flow::Continue {
                break;
            }
            // The commands borrow from the octets while they change the session, so the two are parted meanwhile.
            let mut pending = std::mem::take(&mut self.pending);
            pending.extend_from_slice(piece);
            let done = self.work_through(&pending, out);
            if done == pending.len() {
                pending.clear();
            } else {
                pending.drain(..done);
            }
            self.pending = pending;
            if self.flow == Flow::StartTls {
                self.drop_injected(b"");
            }
        }
        self.flow
    }

    /// What comes behind `STARTTLS` in plaintext is nobody's command. A flawed server keeps it.
    fn drop_injected(&mut self, octets: &[u8]) {
        if self.authority.flaws().has(Flaw::ExecutesInjectedCommands) {
            self.pending.extend_from_slice(octets);
            self.pending.truncate(MOST_INJECTED);
        } else {
            self.pending.clear();
        }
    }

    /// Whether a password was verified since this was last asked, where that is to show.
    pub const fn takes_time(&mut self) -> bool {
        std::mem::replace(&mut self.took_time, false)
    }

    /// Whether a login has been accepted.
    pub const fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Authenticated(_) | State::Selected { .. })
    }

    /// Answers every command that is whole; gives back how many octets are done with.
    fn work_through(&mut self, octets: &[u8], out: &mut Vec<u8>) -> usize {
        let mut start = 0;
        while self.flow == Flow::Continue {
            let dropped = self.to_drop.min(octets.len() - start);
            self.to_drop -= dropped;
            self.count(dropped, out);
            start += dropped;
            let rest = octets.get(start..).unwrap_or_default();
            let line_end = rest
                .get(self.searched..)
                .and_then(|unseen| unseen.iter().position(|&octet| octet == b'\n'))
                .map(|at| self.searched + at + 1);
            let line_octets = line_end.unwrap_or(rest.len()).saturating_sub(self.in_literals);
            if line_octets > self.longest_line() {
                self.too_long(rest, out);
                break;
            }
            let Some(end) = line_end else {
                self.searched = self.searched.max(rest.len());
                break;
            };
            let text = rest.get(..end).unwrap_or_default();
            let was_logged_in = self.is_logged_in();
            if self.take_line(text, out) {
                start += end;
                if self.authority.flaws().has(Flaw::DropsPipelined) && self.is_logged_in() != was_logged_in {
                    start = octets.len();
                }
                self.searched = 0;
                self.in_literals = 0;
                self.count(end, out);
            }
        }
        start
    }

    const fn longest_line(&self) -> usize {
        match self.state {
            State::Exchanging { .. } => sasl::LONGEST_LINE,
            _ => LONGEST_COMMAND,
        }
    }

    /// Counts what was read before the login, and closes when it is too much.
    fn count(&mut self, octets: usize, out: &mut Vec<u8>) {
        if self.is_logged_in() || self.flow != Flow::Continue {
            return;
        }
        self.before_login += octets;
        if self.before_login > MOST_BEFORE_LOGIN {
            self.say_bye(out, "too much was sent without a login");
        }
    }

    /// Takes the text of a command as far as its last line end; false if a literal makes it longer.
    fn take_line(&mut self, text: &[u8], out: &mut Vec<u8>) -> bool {
        if self.is_refused {
            self.is_refused = false;
            self.pass_over(text, out);
            return true;
        }
        if let State::Exchanging { .. } = self.state {
            self.continue_exchange(text, out);
            return true;
        }
        match command::read(text, self.authority.flaws()) {
            Ok((tag, command)) if self.authority.flaws().has(Flaw::LowerCasesTags) => {
                self.obey(&tag.to_ascii_lowercase(), command, out);
            }
            Ok((tag, command)) => self.obey(tag, command, out),
            Err(Refusal { tag, stop: Stop::Literal { start, length, waits } }) => {
                self.in_literals += length;
                if self.in_literals > MOST_IN_LITERALS {
                    self.refuse(tag, "the literals of one command are too long", start, out);
                    self.say_bye(out, "the command is too long");
                    return true;
                }
                if waits {
                    out.extend_from_slice(b"+ \r\n");
                }
                self.searched = start + length;
                return false;
            }
            Err(Refusal { tag, stop: Stop::Bad { rule, index } }) => {
                self.refuse(tag, rule, index, out);
                self.pass_over(text, out);
            }
            Err(Refusal { tag, stop: Stop::TooLong { index } }) => {
                self.refuse(tag, "a literal has at most 4096 octets here", index, out);
                self.say_bye(out, "the literal is too long");
            }
            Err(Refusal { stop: Stop::Hang, .. }) => self.flow = Flow::Hang,
        }
        true
    }

    /// After a refusal: what the line has announced is on its way and is no command.
    fn pass_over(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if self.authority.flaws().has(Flaw::RunsLiteralOctets) {
            return;
        }
        match announced_without_waiting(line) {
            None => {}
            Some(length) if length > LONGEST_LITERAL => self.say_bye(out, "the literal is too long"),
            Some(length) => {
                self.to_drop = length;
                self.is_refused = true;
            }
        }
    }

    fn too_long(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let tag = match &self.state {
            State::Exchanging { tag, .. } => Some(tag.clone()),
            _ => None,
        };
        // The text stops at the limit, so that the reply does not depend on how much came at once.
        let text = text.get(..self.longest_line()).unwrap_or(text);
        let own = grammar::Cursor::new(text, self.authority.flaws()).tag().ok();
        let tag = if self.is_refused { None } else { tag.as_deref().or(own) };
        self.refuse(tag, "the line is too long", self.longest_line(), out);
        self.say_bye(out, "the line is too long");
    }

    /// `BAD`, with the rule and the octet that breaks it; untagged where there is no tag (RFC 9051 §7.1.3).
    fn refuse(&self, tag: Option<&[u8]>, rule: &str, index: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(tag.unwrap_or(b"*"));
        out.extend_from_slice(b" BAD ");
        out.extend_from_slice(rule.as_bytes());
        out.extend_from_slice(b": octet ");
        push_number(out, index);
        out.extend_from_slice(b"\r\n");
    }

    fn say_bye(&mut self, out: &mut Vec<u8>, why: &str) {
        push_line(out, &[b"* BYE ", why.as_bytes()]);
        self.flow = Flow::Close;
    }

    fn obey(&mut self, tag: &[u8], command: Command<'_>, out: &mut Vec<u8>) {
        match command {
            Command::Capability => {
                out.extend_from_slice(b"* CAPABILITY");
                self.push_capabilities(out);
                push_line(out, &[b"\r\n", tag, b" OK CAPABILITY completed"]);
            }
            Command::Noop => push_line(out, &[tag, b" OK NOOP completed"]),
            Command::Logout => {
                push_line(out, &[b"* BYE logging out\r\n", tag, b" OK LOGOUT completed"]);
                self.flow = Flow::Close;
            }
            Command::StartTls => self.start_tls(tag, out),
            Command::Login { name, password } => self.login(tag, &name, &password, out),
            Command::Authenticate { mechanism, initial } => self.authenticate(tag, mechanism, initial, out),
            command => self.obey_in_mailbox(tag, command, out),
        }
    }

    /// RFC 9051 §6.2.1: BAD where TLS is not to be had.
    fn start_tls(&mut self, tag: &[u8], out: &mut Vec<u8>) {
        if starttls::may_start_tls(&self.authority, self.connection.tls(), self.is_logged_in()) {
            push_line(out, &[tag, b" OK begin TLS now"]);
            self.flow = Flow::StartTls;
        } else {
            push_line(out, &[tag, b" BAD STARTTLS is not offered here"]);
        }
    }

    /// What is on offer: the same before and after the login, but for the ways to log in.
    fn push_capabilities(&self, out: &mut Vec<u8>) {
        // The two exclude each other (RFC 7888 §5); the stricter server shows the stricter one.
        let literals: &[u8] = if self.authority.requires_tls() { b"LITERAL-" } else { b"LITERAL+" };
        out.extend_from_slice(&[b" IMAP4rev1 IMAP4rev2 ", literals, b" SASL-IR UNSELECT"].concat());
        if starttls::advertises_tls(&self.authority, self.connection.tls(), self.is_logged_in()) {
            out.extend_from_slice(b" STARTTLS");
        }
        if self.is_logged_in() {
            return;
        }
        for &mechanism in Mechanism::ALL {
            let is_hidden = mechanism == Mechanism::Plain && self.authority.flaws().has(Flaw::HiddenPlain);
            if let Some(name) = mechanism.sasl_name().filter(|_| self.offers(mechanism) && !is_hidden) {
                out.extend_from_slice(b" AUTH=");
                out.extend_from_slice(name.as_bytes());
            }
        }
        if !self.offers(Mechanism::Login) {
            out.extend_from_slice(b" LOGINDISABLED");
        }
    }

    fn offers(&self, mechanism: Mechanism) -> bool {
        self.sasl_context().offers(mechanism) && !self.must_wait(mechanism)
    }

    /// Whether the mechanism has to wait for TLS.
    fn must_wait(&self, mechanism: Mechanism) -> bool {
        starttls::must_wait(&self.authority, self.connection.tls(), mechanism)
    }

    fn sasl_context(&self) -> Context<'_> {
        Context { authority: &self.authority, connection: &self.connection, protocol: Protocol::Imap }
    }
}

const fn access(mechanism: Mechanism) -> Access {
    Access { protocol: Protocol::Imap, mechanism }
}

/// Appends the pieces and CR LF.
fn push_line(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(b"\r\n");
}
