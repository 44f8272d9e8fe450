//! Makes conversations up: commands, encodings, mechanisms, identities and TLS steps, as clients say them and as none does.

use fastrand::Rng;

use super::conversation::{Attempt, Command, Conversation, Cut, Said, joined, octets, plain_lines, value};
use super::disturbance::disturb;
use super::ground::{Ground, Place};
use super::names::{argument, name, password};
use super::people::Person;
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};
use crate::scenario::Value;

/// A maker of conversations with one target.
pub(super) struct Grammar<'g> {
    pub ground: &'g Ground,
    pub target: usize,
    pub people: &'g [Person],
}

impl Grammar<'_> {
    /// A conversation.
    pub fn conversation(&self, rng: &mut Rng) -> Option<Conversation> {
        let place = self.place(rng)?;
        let mut conversation = Conversation {
            target: self.target,
            protocol: place.protocol,
            security: place.security,
            certified: None,
            commands: Vec::new(),
            cut: cut(rng),
            company: Vec::new(),
        };
        let is_secured = place.security != Security::Plaintext;
        if is_secured && rng.u8(..4) == 0 {
            let person = self.person(rng)?;
            conversation.certified = Some(person.role.clone());
            // A certificate is worth most where it is what logs in (RFC 4422 Appendix A).
            if rng.bool() {
                conversation.commands.push(self.attempt_by(rng, place.protocol, true, person, Mechanism::External)?);
                return Some(conversation);
            }
        }
        match rng.u8(..10) {
            0..=4 => conversation.commands.push(self.attempt(rng, place, is_secured)?),
            5..=7 => conversation.commands = self.sequence(rng, place)?,
            _ => {
                let attempt = self.attempt(rng, place, is_secured)?;
                conversation.commands = plain_lines(attempt, place.protocol);
                for _ in 0..=rng.u8(..2) {
                    disturb(rng, place.protocol, &mut conversation.commands);
                }
            }
        }
        if rng.u8(..25) == 0 {
            for _ in 0..=rng.u8(..2) {
                conversation.company.push(vec![self.attempt(rng, place, is_secured)?]);
            }
        }
        Some(conversation)
    }

    /// Commands one after the other.
    fn sequence(&self, rng: &mut Rng, place: &Place) -> Option<Vec<Command>> {
        let mut commands = Vec::new();
        let mut is_secured = place.security != Security::Plaintext;
        // More often than not it is about one person.
        let one = if rng.u8(..4) > 0 { Some(self.person(rng)?) } else { None };
        for _ in 0..=rng.usize(..5) {
            let person = match one {
                Some(person) => person,
                None => self.person(rng)?,
            };
            let mut command = match self.after_user(rng, place, is_secured, commands.last(), person) {
                Some(command) => command,
                None => self.command(rng, place, is_secured, person)?,
            };
            is_secured |= command.said == Said::StartTls;
            // POP3 has to say that it takes several commands at once (RFC 2449 §6.6).
            let may_pipeline = place.protocol == Protocol::Imap
                || self.ground.has(place.protocol, is_secured, "PIPELINING")
                || command.said == Said::StartTls;
            command.pipelined = may_pipeline && rng.u8(..5) == 0;
            commands.push(command);
        }
        if let Some(last) = commands.last_mut() {
            last.pipelined = false;
        }
        Some(commands)
    }

    /// What belongs behind USER, and behind what came in between.
    fn after_user(
        &self,
        rng: &mut Rng,
        place: &Place,
        is_secured: bool,
        last: Option<&Command>,
        person: &Person,
    ) -> Option<Command> {
        let verb = last?.verb(place.protocol);
        let is_user = verb == "USER";
        let is_tls = last?.said == Said::StartTls;
        // After a PASS that was refused the name may not be used again (RFC 1939 §7).
        let is_pass = verb == "PASS";
        if place.protocol != Protocol::Pop3 || !(is_user || is_tls || is_pass) {
            return None;
        }
        let pass = |rng: &mut Rng| {
            let password = password(rng, self.people, person, Mechanism::Login)?;
            Some(Command::new(Said::Lines(vec![joined(&[octets(b"PASS "), password])])))
        };
        match rng.u8(..8) {
            0..=3 if !is_pass || rng.bool() => pass(rng),
            4..=6 if is_user && place.has_starttls && !is_secured => Some(Command::new(Said::StartTls)),
            4..=6 if is_tls => pass(rng),
            _ => None,
        }
    }

    /// One command of any kind.
    pub fn command(&self, rng: &mut Rng, place: &Place, is_secured: bool, person: &Person) -> Option<Command> {
        let is_imap = place.protocol == Protocol::Imap;
        let by_name = (place.protocol, Mechanism::Login);
        Some(match rng.u8(..100) {
            0..=44 => self.attempt_of(rng, place, is_secured, person)?,
            45..=54 => Command::line(if is_imap { "CAPABILITY" } else { "CAPA" }),
            55..=62 => Command::line("NOOP"),
            63..=74 if place.has_starttls && (!is_secured || rng.u8(..8) == 0) => Command::new(Said::StartTls),
            63..=84 if !is_imap && rng.bool() => {
                Command::new(Said::Lines(vec![joined(&[octets(b"USER "), name(rng, self.people, person, by_name)?])]))
            }
            63..=84 if !is_imap => {
                let password = password(rng, self.people, person, Mechanism::Login)?;
                Command::new(Said::Lines(vec![joined(&[octets(b"PASS "), password])]))
            }
            63..=84 => {
                // Both arguments in spellings of their own.
                let mut line = octets(b"LOGIN ");
                let (name, password) =
                    (name(rng, self.people, person, by_name)?, password(rng, self.people, person, Mechanism::Login)?);
                line.append(argument(rng, name));
                line.append(octets(b" "));
                line.append(argument(rng, password));
                Command::new(Said::Lines(vec![line]))
            }
            85..=88 => Command::line(if is_imap { "LOGOUT" } else { "QUIT" }),
            89..=92 => Command::line(if is_imap { "EXAMINE INBOX" } else { "STAT" }),
            93..=95 => Command::line(if is_imap { "ID NIL" } else { "AUTH" }),
            _ => {
                let attempt = self.attempt_of(rng, place, is_secured, person)?;
                let mut commands = plain_lines(attempt, place.protocol);
                disturb(rng, place.protocol, &mut commands);
                commands.into_iter().next()?
            }
        })
    }

    /// A login attempt of anybody's.
    pub fn attempt(&self, rng: &mut Rng, place: &Place, is_secured: bool) -> Option<Command> {
        let person = self.person(rng)?;
        self.attempt_of(rng, place, is_secured, person)
    }

    /// A login attempt.
    fn attempt_of(&self, rng: &mut Rng, place: &Place, is_secured: bool, person: &Person) -> Option<Command> {
        let mechanism = self.mechanism(rng, place.protocol, is_secured);
        self.attempt_by(rng, place.protocol, is_secured, person, mechanism)
    }

    fn attempt_by(
        &self,
        rng: &mut Rng,
        protocol: Protocol,
        is_secured: bool,
        person: &Person,
        mechanism: Mechanism,
    ) -> Option<Command> {
        let mut attempt = Attempt {
            role: person.role.clone(),
            mechanism,
            encoding: None,
            name: name(rng, self.people, person, (protocol, mechanism))?,
            authzid: None,
            password: password(rng, self.people, person, mechanism)?,
            fault: None,
        };
        let encodings: Vec<Encoding> =
            Encoding::ALL.iter().copied().filter(|encoding| encoding.fits(protocol, mechanism)).collect();
        attempt.encoding = rng.choice(encodings);
        // EXTERNAL has nothing else to say.
        let is_wanted = rng.u8(..10) < if mechanism == Mechanism::External { 4 } else { 1 };
        if mechanism.is_sasl() && is_wanted {
            let other = self.person(rng)?;
            attempt.authzid = Some(name(rng, self.people, other, (protocol, mechanism))?);
        }
        // What is said seldom is worth being wrong in more often.
        let is_wrong = if mechanism.is_scram() || mechanism == Mechanism::DigestMd5 { 2 } else { 6 };
        if rng.u8(..is_wrong) == 0 {
            attempt.fault = fault(rng, mechanism, is_secured);
        }
        // What is empty has an initial response of its own, `=` (RFC 4959 §3).
        if rng.u8(..40) == 0 {
            attempt.name = octets(b"");
        }
        Some(Command::new(Said::Login(Box::new(attempt))))
    }

    fn mechanism(&self, rng: &mut Rng, protocol: Protocol, is_secured: bool) -> Mechanism {
        for _ in 0..8 {
            let mechanism = any_mechanism(rng, is_secured);
            let fits = mechanism.fits(protocol)
                && mechanism.fits_security(if is_secured { Security::Tls } else { Security::Plaintext });
            let is_offered = self.ground.offers(protocol, is_secured, mechanism) != Some(false);
            if fits && (is_offered || rng.u8(..10) == 0) {
                return mechanism;
            }
        }
        Mechanism::Login
    }

    pub fn person(&self, rng: &mut Rng) -> Option<&Person> {
        rng.choice(self.people)
    }

    fn place(&self, rng: &mut Rng) -> Option<&Place> {
        // A handshake costs more than everything else in a conversation.
        let wanted = if rng.u8(..10) == 0 { Security::Tls } else { Security::Plaintext };
        let places = &self.ground.places;
        let fits: Vec<&Place> = places.iter().filter(|place| place.security == wanted).collect();
        rng.choice(fits).or_else(|| rng.choice(places.iter().collect::<Vec<&Place>>()))
    }
}

fn any_mechanism(rng: &mut Rng, is_secured: bool) -> Mechanism {
    const SCRAM: [Mechanism; 4] =
        [Mechanism::ScramSha1, Mechanism::ScramSha256, Mechanism::ScramSha1Plus, Mechanism::ScramSha256Plus];
    match rng.u8(..100) {
        // Channel binding is to be had within TLS only, and so are the lies about it.
        0..=12 if is_secured => *rng.choice(&SCRAM).unwrap_or(&Mechanism::ScramSha256),
        0..=33 => Mechanism::Login,
        34..=51 => Mechanism::Plain,
        52..=58 => Mechanism::SaslLogin,
        59..=64 => Mechanism::CramMd5,
        65..=69 => Mechanism::DigestMd5,
        70..=74 => Mechanism::Apop,
        75..=78 => Mechanism::Ntlm,
        79..=81 => Mechanism::Xoauth2,
        82..=84 => Mechanism::Oauthbearer,
        85..=89 => Mechanism::External,
        90..=91 => Mechanism::Anonymous,
        _ => *rng.choice(&SCRAM).unwrap_or(&Mechanism::ScramSha256),
    }
}

/// What is wrong in an attempt.
fn fault(rng: &mut Rng, mechanism: Mechanism, is_secured: bool) -> Option<Fault> {
    let mut fits: Vec<Fault> = Fault::ALL.iter().copied().filter(|fault| fault.fits(mechanism)).collect();
    // 64 KiB are worth a try now and then, and no more.
    if rng.u8(..20) > 0 {
        fits.retain(|fault| *fault != Fault::Oversize);
    }
    // Few conversations are within TLS, and nowhere else can it be seen through that a client lies about its channel.
    let is_of_channel = |fault: &Fault| matches!(fault, Fault::ChannelBindingDowngrade | Fault::WrongChannelBinding);
    if is_secured && fits.iter().any(is_of_channel) && rng.bool() {
        fits.retain(is_of_channel);
    }
    rng.choice(fits)
}

pub(super) fn cut(rng: &mut Rng) -> Cut {
    match rng.u8(..100) {
        0..=7 => Cut::Each(rng.usize(1..9)),
        8 => Cut::Pause { after: rng.usize(1..20), millis: rng.u64(1..8) },
        _ => Cut::Whole,
    }
}

/// The attempt that works if any does.
pub(super) fn plain_attempt(ground: &Ground, by_apop: bool) -> Option<Attempt> {
    let accounts = &ground.target.directory.accounts;
    let same = accounts.iter().find(|account| account.role == "same");
    let account = same.or_else(|| accounts.iter().find(|account| !account.disabled))?;
    let mechanism = if by_apop { Mechanism::Apop } else { Mechanism::Login };
    Some(Attempt {
        role: account.role.clone(),
        mechanism,
        encoding: None,
        name: value(&account.role, Value::Login),
        authzid: None,
        password: value(&account.role, Value::Password),
        fault: None,
    })
}
