//! One POP3 connection, as a server has it (RFC 1939, RFC 2449, RFC 3206, RFC 5034).

mod apop;
mod command;
mod login;
mod maildrop;

use std::sync::Arc;

use self::command::Command;
use super::authority::Authority;
use super::connection::{Connection, TlsFacts};
use super::flaw::Flaw;
use super::flow::Flow;
use super::sasl::{self, Context, Exchange};
use super::starttls::{self, MOST_INJECTED};
use crate::axes::{Mechanism, Protocol};
use crate::identity::Access;

/// The longest command. RFC 2449 §4 has 255 octets; names and passwords of other protocols must fit too.
const LONGEST_COMMAND: usize = 8 * 1024;
/// The most octets that are read before a login is accepted.
const MOST_BEFORE_LOGIN: usize = 64 * 1024;
/// The login failure that ends the connection.
const LAST_FAILURE: u8 = 10;
/// How much is looked at at once, so that what is kept stays small whatever the caller hands in.
const PIECE: usize = 4 * 1024;

/// One POP3 connection, octets in and octets out.
pub struct Pop3Session {
    authority: Arc<Authority>,
    connection: Connection,
    /// The greeting's timestamp, where `APOP` is offered (RFC 1939 §7).
    timestamp: Option<Vec<u8>>,
    state: State,
    /// What has come of a line that is not whole yet.
    pending: Vec<u8>,
    /// How much of it holds no line end for sure.
    searched: usize,
    before_login: usize,
    failures: u8,
    /// Whether a password was verified, where that is to show.
    took_time: bool,
    flow: Flow,
}

/// Where in RFC 1939 §3 the connection is.
enum State {
    Authorization,
    /// `USER` has named somebody.
    Named(Vec<u8>),
    /// Within `AUTH`.
    Exchanging(Exchange),
    Transaction {
        mailbox: Vec<u8>,
    },
    /// The login was accepted and nothing is open: everything is answered with this code and text.
    Unbound {
        code: Option<String>,
        text: String,
    },
}

impl Pop3Session {
    /// Begins a session.
    pub fn new(authority: Arc<Authority>) -> Self {
        Self {
            timestamp: apop::timestamp(&authority),
            authority,
            connection: Connection::PLAINTEXT,
            state: State::Authorization,
            pending: Vec::new(),
            searched: 0,
            before_login: 0,
            failures: 0,
            took_time: false,
            flow: Flow::Continue,
        }
    }

    /// TLS stands: what was said before it is forgotten (RFC 2595 §4). Failures count on.
    pub fn secured(&mut self, facts: TlsFacts) {
        let flaws = self.authority.flaws();
        if !flaws.has(Flaw::ExecutesInjectedCommands) {
            self.pending.clear();
        }
        if !(flaws.has(Flaw::KeepsLoginNameAcrossTls) && matches!(self.state, State::Named(_))) {
            self.state = State::Authorization;
        }
        self.connection.secure(facts);
        self.searched = 0;
        self.flow = Flow::Continue;
    }

    /// Appends the greeting. A timestamp at its end offers `APOP` (RFC 1939 §7).
    pub fn greeting(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"+OK loginspec reference server ready");
        if let Some(timestamp) = &self.timestamp {
            out.push(b' ');
            out.extend_from_slice(timestamp);
        }
        out.extend_from_slice(b"\r\n");
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

    /// What comes behind `STLS` in plaintext is nobody's command. A flawed server keeps it.
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
        matches!(self.state, State::Transaction { .. } | State::Unbound { .. })
    }

    /// Answers every line that is whole; gives back how many octets are done with.
    fn work_through(&mut self, octets: &[u8], out: &mut Vec<u8>) -> usize {
        let mut start = 0;
        while self.flow == Flow::Continue {
            let rest = octets.get(start..).unwrap_or_default();
            let line_end = rest
                .get(self.searched..)
                .and_then(|unseen| unseen.iter().position(|&octet| octet == b'\n'))
                .map(|at| self.searched + at + 1);
            let longest = match self.state {
                State::Exchanging(_) => sasl::LONGEST_LINE,
                _ => LONGEST_COMMAND,
            };
            if line_end.unwrap_or(rest.len()) > longest {
                self.refuse("the line is too long", out);
                self.flow = Flow::Close;
                break;
            }
            let Some(end) = line_end else {
                self.searched = rest.len();
                break;
            };
            self.searched = 0;
            start += end;
            let was_logged_in = self.is_logged_in();
            self.take_line(rest.get(..end).unwrap_or_default(), out);
            if self.authority.flaws().has(Flaw::DropsPipelined) && self.is_logged_in() != was_logged_in {
                start = octets.len();
            }
            if !self.is_logged_in() && self.flow == Flow::Continue {
                self.before_login += end;
                if self.before_login > MOST_BEFORE_LOGIN {
                    self.refuse("too much was sent without a login", out);
                    self.flow = Flow::Close;
                }
            }
        }
        start
    }

    fn take_line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if let State::Exchanging(_) = self.state {
            return self.continue_exchange(line, out);
        }
        match command::read(line, self.authority.flaws()) {
            Ok(command) => self.obey(command, out),
            Err(rule) => self.refuse(rule, out),
        }
    }

    fn obey(&mut self, command: Command<'_>, out: &mut Vec<u8>) {
        match command {
            Command::Capa => self.push_capabilities(out),
            Command::Quit => {
                push_line(out, &[b"+OK"]);
                self.flow = Flow::Close;
            }
            Command::Stls if starttls::may_start_tls(&self.authority, self.connection.tls(), self.is_logged_in()) => {
                push_line(out, &[b"+OK begin TLS now"]);
                self.flow = Flow::StartTls;
            }
            Command::Stls => self.refuse("STLS is not offered here (RFC 2595 section 4)", out),
            Command::User(_) | Command::Pass(_) | Command::Apop { .. } | Command::AuthList | Command::Auth { .. }
                if self.is_logged_in() =>
            {
                self.refuse("this command comes before a login, not after", out);
            }
            Command::User(name) => self.user(name, out),
            Command::Pass(password) => self.pass(password, out),
            Command::Apop { name, digest } => self.apop(name, digest, out),
            Command::AuthList => {
                push_line(out, &[b"+OK"]);
                for name in self.sasl_names() {
                    push_line(out, &[name.as_bytes()]);
                }
                push_line(out, &[b"."]);
            }
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial, out),
            command => self.obey_in_maildrop(&command, out),
        }
    }

    fn push_capabilities(&self, out: &mut Vec<u8>) {
        push_line(out, &[b"+OK"]);
        if starttls::advertises_tls(&self.authority, self.connection.tls(), self.is_logged_in()) {
            push_line(out, &[b"STLS"]);
        }
        if self.offers(Mechanism::Login) {
            push_line(out, &[b"USER"]);
        }
        if self.sasl_names().next().is_some() {
            out.extend_from_slice(b"SASL");
            for name in self.sasl_names() {
                out.push(b' ');
                out.extend_from_slice(name.as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"RESP-CODES\r\n");
        if self.authority.codes_refusals(access(Mechanism::Login)) {
            out.extend_from_slice(b"AUTH-RESP-CODE\r\n");
        }
        out.extend_from_slice(b"PIPELINING\r\nTOP\r\nUIDL\r\nIMPLEMENTATION loginspec\r\n.\r\n");
    }

    fn sasl_names(&self) -> impl Iterator<Item = &'static str> {
        let is_shown = |mechanism| mechanism != Mechanism::Plain || !self.authority.flaws().has(Flaw::HiddenPlain);
        let offered = Mechanism::ALL.iter().copied().filter(move |&one| self.offers(one) && is_shown(one));
        offered.filter_map(Mechanism::sasl_name)
    }

    fn offers(&self, mechanism: Mechanism) -> bool {
        self.sasl_context().offers(mechanism) && !self.must_wait(mechanism)
    }

    /// Whether the mechanism has to wait for TLS.
    fn must_wait(&self, mechanism: Mechanism) -> bool {
        starttls::must_wait(&self.authority, self.connection.tls(), mechanism)
    }

    fn sasl_context(&self) -> Context<'_> {
        Context { authority: &self.authority, connection: &self.connection, protocol: Protocol::Pop3 }
    }

    fn refuse(&self, rule: &str, out: &mut Vec<u8>) {
        push_line(out, &[b"-ERR ", rule.as_bytes()]);
    }
}

const fn access(mechanism: Mechanism) -> Access {
    Access { protocol: Protocol::Pop3, mechanism }
}

/// Appends the pieces and CR LF.
fn push_line(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(b"\r\n");
}
