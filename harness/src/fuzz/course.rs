//! The course of one connection: what each command means where it stands, and so what is due to it.

use super::conversation::{Attempt, Command, Conversation, Said};
use super::due::{Claim, Due, Refusals, access};
use super::ground::{Filled, Ground};
use super::heard::{Answer, Answered};
use super::reading::{Meaning, read};
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};

/// So many refusals on one connection a server puts up with at least.
const PUTS_UP_WITH: usize = 2;

/// What is due to one command.
#[derive(Debug, Clone, Default)]
pub(super) struct Step {
    /// For a login: who may get in.
    pub due: Option<Due>,
    /// Whether `OK` is wrong, since the command is none, or not here.
    pub is_illegal: bool,
    /// Whether `BAD` is wrong.
    pub is_legal: bool,
    /// Whether a refusal is wrong.
    pub must_succeed: bool,
    /// Whether the server may close the connection instead of answering.
    pub may_close: bool,
    /// Whether the command says all that there is to say.
    pub is_whole: bool,
    /// Whether the server closes the connection after its answer.
    ends: bool,
    /// Whether it is so long that the server may have had enough, now or soon.
    strains: bool,
    /// Whether nobody can say what the command means, nor where the next one begins.
    pub is_unclear: bool,
    /// What follows from `+OK` to `USER`, and from the end of `PASS`.
    user: Turn,
}

/// What a command does to POP3's user name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Turn {
    /// It says one.
    Names(Vec<u8>),
    /// It uses it up.
    Uses,
    /// It says one and uses it up, if the line with the password counts at all.
    MayUse(Vec<u8>),
    /// The specification does not say (RFC 1939 §7 has `PASS` right behind `USER`).
    #[default]
    Blurs,
    /// It ends what was said in plaintext (RFC 2595 §4).
    Forgets,
}

/// POP3's user name, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum User {
    Nobody,
    Named(Vec<u8>),
    /// Named, and something else was said since: a server may have forgotten it.
    Blurred(Vec<u8>),
}

/// The state of a connection, as far as the client can know it.
pub(super) struct Course<'g> {
    conversation: &'g Conversation,
    ground: &'g Ground,
    user: User,
    failures: usize,
    is_over: bool,
    /// Whether it is known no more what the server takes for what.
    pub is_blurred: bool,
    /// The command that was the first to be let in, and what was due to it.
    pub entered: Option<(usize, Due)>,
}

impl<'g> Course<'g> {
    pub const fn new(conversation: &'g Conversation, ground: &'g Ground) -> Self {
        let user = User::Nobody;
        Self { conversation, ground, user, failures: 0, is_over: false, is_blurred: false, entered: None }
    }

    /// Whether the client has said goodbye.
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether something was refused before.
    pub const fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// Whether nobody can say what a command means, whatever has been said before it.
    pub fn is_unclear(&self, command: &Command) -> bool {
        let is_secured = self.conversation.security != Security::Plaintext;
        match &command.said {
            Said::StartTls => false,
            Said::Login(attempt) => self.attempt(attempt, is_secured).is_unclear,
            Said::Lines(lines) => {
                let messages = self.ground.messages(self.conversation.protocol, lines);
                messages.is_some_and(|messages| self.lines(&messages, is_secured).is_unclear)
            }
        }
    }

    /// What is due to a command, said under these circumstances.
    pub fn step(&self, command: &Command, answered: &Answered) -> Step {
        let mut step = match &command.said {
            Said::StartTls => Step { is_illegal: answered.is_secured, user: Turn::Forgets, ..Step::default() },
            Said::Login(attempt) => self.attempt(attempt, answered.is_secured),
            Said::Lines(lines) => match self.ground.messages(self.conversation.protocol, lines) {
                Some(messages) => self.lines(&messages, answered.is_secured),
                None => Step::default(),
            },
        };
        step.may_close |= self.is_over || self.failures >= PUTS_UP_WITH;
        if self.is_blurred {
            return Step { is_unclear: true, ..Step::default() };
        }
        if self.entered.is_some() || self.is_over {
            // Who is in may say more, and what of it holds is not about logins.
            let Step { user, ends, is_unclear, .. } = step;
            return Step { may_close: true, user, ends, is_unclear, ..Step::default() };
        }
        step
    }

    /// Takes note of how a command ended.
    pub fn note(&mut self, index: usize, answer: &Answer, step: &Step) {
        let is_ok = matches!(answer, Answer::Ok(_));
        self.is_blurred |= step.is_unclear;
        self.user = match (&step.user, &self.user) {
            (Turn::Names(name), _) if is_ok => User::Named(name.clone()),
            (Turn::Names(_) | Turn::Uses, _) => User::Nobody,
            (Turn::MayUse(name), _) => User::Blurred(name.clone()),
            (Turn::Forgets, _) if is_ok => User::Nobody,
            (_, User::Named(name)) => User::Blurred(name.clone()),
            (_, user) => user.clone(),
        };
        let is_refused = matches!(answer, Answer::No(_) | Answer::Bad(_));
        // POP3 may close as soon as it has refused a login (RFC 1939 §4).
        let is_enough =
            step.strains || is_refused && self.conversation.protocol == Protocol::Pop3 && step.due.is_some();
        self.failures += if is_enough { PUTS_UP_WITH } else { usize::from(is_refused) };
        if is_ok && self.entered.is_none() && !step.is_unclear {
            self.entered = step.due.clone().map(|due| (index, due));
        }
        self.is_over |= step.ends && is_ok;
    }

    fn attempt(&self, attempt: &Attempt, is_secured: bool) -> Step {
        let protocol = self.conversation.protocol;
        if (protocol, attempt.mechanism) == (Protocol::Imap, Mechanism::Login)
            && let Some(messages) = attempt.lines(protocol).and_then(|commands| match commands.first() {
                Some(Command { said: Said::Lines(lines), .. }) => self.ground.messages(protocol, lines),
                _ => None,
            })
        {
            return self.lines(&messages, is_secured);
        }
        let Some(filled) = self.ground.filled(protocol, attempt) else { return Step::default() };
        let claim = self.claim(attempt.mechanism, &filled, attempt, is_secured);
        let due = Due::of(&self.ground.target, &claim);
        if protocol == Protocol::Pop3 && !attempt.mechanism.is_sasl() && breaks_lines(&filled, attempt.mechanism) {
            return Step { is_unclear: true, ..Step::default() };
        }
        // Who does not say SASL-IR need not take an initial response (RFC 4959 §3); POP3 always has it (RFC 5034 §4).
        if (protocol, attempt.encoding) == (Protocol::Imap, Some(Encoding::InitialResponse))
            && !self.ground.has(protocol, is_secured, "SASL-IR")
        {
            let refusals = Refusals { bad: true, ..due.refusals };
            return Step { due: Some(Due { must_open: false, refusals, ..due }), ..Step::default() };
        }
        // A line with a NUL is none (RFC 1939 §3), so that the name may still stand.
        let may_count = attempt.mechanism != Mechanism::Login || !filled.password.contains(&b'\0');
        let user = if may_count { Turn::Uses } else { Turn::MayUse(filled.name.clone()) };
        let strains = attempt.fault == Some(Fault::Oversize);
        Step { due: Some(due), is_whole: true, user, strains, ..Step::default() }
    }

    fn claim<'c>(&'c self, mechanism: Mechanism, filled: &'c Filled, attempt: &Attempt, is_secured: bool) -> Claim<'c> {
        let protocol = self.conversation.protocol;
        // EXTERNAL has nothing but the authorization identity; this client says the name where it has none.
        let named = attempt.authzid.as_ref().map_or(&filled.name, |_| &filled.authzid);
        // OAUTHBEARER has one place for the name, and an authorization identity takes it (RFC 7628 §3.1).
        let takes_its_place = mechanism == Mechanism::Oauthbearer && attempt.authzid.is_some();
        let (name, authzid): (&[u8], &[u8]) = match mechanism {
            Mechanism::External => (b"", named),
            _ if takes_its_place => (&filled.authzid, b""),
            _ => (&filled.name, &filled.authzid),
        };
        Claim {
            access: access(protocol, mechanism),
            name,
            authzid,
            password: &filled.password,
            fault: attempt.fault,
            certified: self.conversation.certified.as_deref().filter(|_| is_secured),
            is_offered: self.ground.offers_in(self.conversation, is_secured, mechanism),
            offers_plus: mechanism
                .sasl_name()
                .is_some_and(|name| self.ground.has(protocol, is_secured, &format!("AUTH={name}-PLUS"))),
        }
    }

    fn lines(&self, messages: &[Vec<u8>], is_secured: bool) -> Step {
        let protocol = self.conversation.protocol;
        let due_of = |mechanism, name: &[u8], authzid: &[u8], password: &[u8]| {
            let is_offered = self.ground.offers(protocol, is_secured, mechanism);
            let access = access(protocol, mechanism);
            let claim =
                Claim { access, name, authzid, password, fault: None, certified: None, is_offered, offers_plus: false };
            Due::of(&self.ground.target, &claim)
        };
        let has_plus = ["LITERAL+", "LITERAL-"].iter().any(|word| self.ground.has(protocol, is_secured, word));
        let whole = Step { is_whole: true, ..Step::default() };
        match read(protocol, messages, has_plus) {
            Meaning::Illegal => {
                let due = is_login(messages).then(Due::illegal);
                Step { due, is_illegal: true, may_close: true, ..Step::default() }
            }
            Meaning::Unclear => Step { is_unclear: true, ..Step::default() },
            Meaning::Login { name, password } => {
                let due = due_of(Mechanism::Login, &name, b"", &password);
                let is_legal = !due.refusals.bad;
                Step { due: Some(due), is_legal, ..whole }
            }
            Meaning::User(name) => Step { user: Turn::Names(name), ..whole },
            Meaning::Pass(password) => {
                let due = match &self.user {
                    User::Nobody => Due::nobody(Refusals { bad: true, closed: false, ..Refusals::ANY }),
                    User::Named(name) => due_of(Mechanism::Login, name, b"", &password),
                    User::Blurred(name) => {
                        Due { must_open: false, stranger: None, ..due_of(Mechanism::Login, name, b"", &password) }
                    }
                };
                Step { due: Some(due), user: Turn::Uses, ..whole }
            }
            Meaning::Sasl { mechanism, authzid, name, password } => {
                Step { due: Some(due_of(mechanism, &name, &authzid, &password)), ..whole }
            }
            Meaning::Proof => Step { due: Some(Due::nobody(Refusals::ANY)), may_close: true, ..Step::default() },
            Meaning::OtherSasl => {
                Step { due: Some(self.ground.safe_due(self.conversation)), may_close: true, ..Step::default() }
            }
            // CAPA is for servers that have it (RFC 2449).
            Meaning::Capabilities => {
                let must_succeed = protocol == Protocol::Imap || self.ground.tells(protocol, is_secured);
                Step { must_succeed, is_legal: true, ..whole }
            }
            Meaning::Noop => Step { must_succeed: true, is_legal: true, ..whole },
            Meaning::Logout => Step { must_succeed: true, may_close: true, ends: true, ..whole },
            Meaning::Mailbox => Step { is_illegal: true, due: Some(Due::illegal()), ..Step::default() },
            Meaning::Optional => Step::default(),
        }
    }
}

/// Whether what is said is meant to be a login.
fn is_login(messages: &[Vec<u8>]) -> bool {
    let Some(first) = messages.first() else { return false };
    let verb = first.split(|octet| *octet == b' ').next().unwrap_or_default();
    [&b"LOGIN"[..], b"AUTHENTICATE", b"AUTH", b"PASS", b"APOP"].iter().any(|known| verb.eq_ignore_ascii_case(known))
}

/// Whether a line of `USER`, `PASS` or `APOP` would be more than one.
fn breaks_lines(filled: &Filled, mechanism: Mechanism) -> bool {
    let breaks = |octets: &[u8]| octets.iter().any(|octet| matches!(octet, b'\r' | b'\n'));
    breaks(&filled.name) || (mechanism == Mechanism::Login && breaks(&filled.password))
}
