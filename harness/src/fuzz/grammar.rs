//! Makes conversations up: commands, encodings, mechanisms, identities and TLS steps, as clients say them and as none does.

use fastrand::Rng;

use super::conversation::{Attempt, Command, Conversation, Cut, Said, joined, octets, value};
use super::ground::{Ground, Place};
use super::mutation::disturb;
use super::people::Person;
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};
use crate::scenario::{Piece, Spelling, Template, Value};

/// The forms of login names that are tried: `D` domain, `N` its DNS name, `U` user, `M` mailbox; `V` and `W` are
/// another's user and mailbox.
const FORMS: &[&str] = &[
    "U", "D\\U", "D/U", "D\\U\\M", "D/U/M", "U@N", "U@N/M", "U@D", "U/M", "U%N", "M", "\\U", "N\\U", "D\\U\\W",
    "D/U/W", "U@N/W", "W", "U\\M", "U\\W", "U/W", "M@N", "U*V", "V*U", "D\\M", "D\\U\\", "D\\\\U", "U+x", "D\\U/M",
    "D/U\\M",
];

/// What may stand where nobody expects it in a name.
const ODD: &[&[u8]] = &[
    b" ",
    b"%",
    b"\0",
    b"\0x",
    b"\\",
    b"*",
    b"+",
    b"@",
    b"/",
    b"\"",
    b"{",
    b"}",
    b"(",
    b"]",
    b"~",
    b"\t",
    b"\x7f",
    b"=",
    b",",
    b"\xff",
    "\u{ff3c}".as_bytes(),
    "\u{fc}".as_bytes(),
    "\u{aa}".as_bytes(),
    b"x",
    b"%s",
    b"{5}",
    b"&AOk-",
];

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
            conversation.certified = Some(self.person(rng)?.role.clone());
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
        let is_user = last?.verb(place.protocol) == "USER";
        let is_tls = last?.said == Said::StartTls;
        if place.protocol != Protocol::Pop3 || !(is_user || is_tls) {
            return None;
        }
        match rng.u8(..8) {
            0..=3 => {
                let password = self.password(rng, person, Mechanism::Login)?;
                Some(Command::new(Said::Lines(vec![joined(&[octets(b"PASS "), password])])))
            }
            4..=5 if is_user && place.has_starttls && !is_secured => Some(Command::new(Said::StartTls)),
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
                Command::new(Said::Lines(vec![joined(&[octets(b"USER "), self.name(rng, person, by_name)?])]))
            }
            63..=84 if !is_imap => {
                let password = self.password(rng, person, Mechanism::Login)?;
                Command::new(Said::Lines(vec![joined(&[octets(b"PASS "), password])]))
            }
            63..=84 => {
                // Both arguments in spellings of their own.
                let mut line = octets(b"LOGIN ");
                let (name, password) =
                    (self.name(rng, person, by_name)?, self.password(rng, person, Mechanism::Login)?);
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
        let name = self.name(rng, person, (place.protocol, mechanism))?;
        let mut attempt = Attempt {
            role: person.role.clone(),
            mechanism,
            encoding: None,
            name,
            authzid: None,
            password: self.password(rng, person, mechanism)?,
            fault: None,
        };
        let encodings: Vec<Encoding> =
            Encoding::ALL.iter().copied().filter(|encoding| encoding.fits(place.protocol, mechanism)).collect();
        attempt.encoding = rng.choice(encodings);
        if mechanism.is_sasl() && rng.u8(..10) == 0 {
            let other = self.person(rng)?;
            attempt.authzid = Some(self.name(rng, other, (place.protocol, mechanism))?);
        }
        // What is said seldom is worth being wrong in more often.
        let is_wrong = if mechanism.is_scram() || mechanism == Mechanism::DigestMd5 { 2 } else { 6 };
        if rng.u8(..is_wrong) == 0 {
            let fits = Fault::ALL.iter().copied().filter(|fault| fault.fits(mechanism));
            // 64 KiB are worth a try now and then, and no more.
            let fits: Vec<Fault> = fits.filter(|fault| *fault != Fault::Oversize || rng.u8(..20) == 0).collect();
            attempt.fault = rng.choice(fits);
        }
        // What is empty has an initial response of its own, `=` (RFC 4959 §3).
        if rng.u8(..40) == 0 {
            attempt.name = octets(b"");
        }
        Some(Command::new(Said::Login(Box::new(attempt))))
    }

    fn mechanism(&self, rng: &mut Rng, protocol: Protocol, is_secured: bool) -> Mechanism {
        for _ in 0..8 {
            let mechanism = match rng.u8(..100) {
                0..=37 => Mechanism::Login,
                38..=57 => Mechanism::Plain,
                58..=65 => Mechanism::SaslLogin,
                66..=72 => Mechanism::CramMd5,
                73..=77 => Mechanism::DigestMd5,
                78..=82 => Mechanism::Apop,
                83..=86 => Mechanism::Ntlm,
                87..=89 => Mechanism::Xoauth2,
                90..=92 => Mechanism::Oauthbearer,
                93..=95 => Mechanism::External,
                96 => Mechanism::Anonymous,
                // What takes thousands of hashes to answer is asked seldom.
                _ => *rng
                    .choice(&[
                        Mechanism::ScramSha1,
                        Mechanism::ScramSha256,
                        Mechanism::ScramSha1Plus,
                        Mechanism::ScramSha256Plus,
                    ])
                    .unwrap_or(&Mechanism::ScramSha256),
            };
            let fits = mechanism.fits(protocol)
                && mechanism.fits_security(if is_secured { Security::Tls } else { Security::Plaintext });
            let is_offered = self.ground.offers(protocol, is_secured, mechanism) != Some(false);
            if fits && (is_offered || rng.u8(..10) == 0) {
                return mechanism;
            }
        }
        Mechanism::Login
    }

    /// A login name.
    pub fn name(&self, rng: &mut Rng, person: &Person, way: (Protocol, Mechanism)) -> Option<Template> {
        let known = person.logins.iter().find(|(protocol, mechanism, _)| (*protocol, *mechanism) == way);
        let mut name = match (rng.u8(..20), known) {
            (0..=6, Some((_, _, login))) => login.clone(),
            (7..=8, _) => octets(b"nobody"),
            (19, _) => octets(&(0..rng.usize(..12)).map(|_| rng.u8(..)).collect::<Vec<u8>>()),
            _ => self.form(rng, person)?,
        };
        if rng.u8(..3) == 0 {
            disturb_name(rng, &mut name);
        }
        Some(name)
    }

    fn form(&self, rng: &mut Rng, person: &Person) -> Option<Template> {
        let other = self.person(rng)?;
        let form = rng.choice(FORMS)?;
        let part = |letter: char| {
            let (person, wanted) = match letter {
                'D' => (person, Value::Domain),
                'N' if person.has_dns => (person, Value::Dns),
                'N' => (person, Value::Domain),
                'U' => (person, Value::User),
                'V' => (other, Value::User),
                'M' => (person, Value::Mailbox),
                'W' => (other, Value::Mailbox),
                letter => return octets(letter.to_string().as_bytes()),
            };
            match wanted {
                Value::User if !person.has_account => value(&person.role, Value::Mailbox),
                Value::Mailbox if !person.has_mailbox => value(&person.role, Value::User),
                wanted => value(&person.role, wanted),
            }
        };
        Some(joined(&form.chars().map(part).collect::<Vec<Template>>()))
    }

    /// A password, right more often than not.
    pub fn password(&self, rng: &mut Rng, person: &Person, mechanism: Mechanism) -> Option<Template> {
        let secret = |person: &Person| match (mechanism.takes_token(), person.has_token, person.has_account) {
            (true, true, _) => value(&person.role, Value::Token),
            (_, _, true) => value(&person.role, Value::Password),
            _ => octets(b"not-the-password-of-anybody"),
        };
        let right = secret(person);
        let spelt = |spelling: Spelling| {
            let piece = |piece: &Piece| match piece {
                Piece::Value { role, value, .. } => Piece::Value { role: role.clone(), value: *value, spelling },
                other => other.clone(),
            };
            Template::of_pieces(right.pieces().iter().map(piece).collect())
        };
        Some(match rng.u8(..100) {
            0..=64 => right,
            65..=75 => octets(b"not-the-password-of-anybody"),
            76..=80 => secret(self.person(rng)?),
            81..=83 => joined(&[right, octets(b"x")]),
            84..=87 => joined(&[spelt(Spelling::First(8)), octets(b"x")]),
            88..=89 => spelt(Spelling::First(rng.u8(1..12))),
            90..=91 => spelt(Spelling::Swapped),
            92..=95 => octets(b""),
            96 => joined(&[octets(b" "), right]),
            97 => joined(&[right, octets(b" ")]),
            98 => joined(&[right, octets(b"\0x")]),
            _ => joined(&[octets(rng.choice(ODD)?), right]),
        })
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

/// Something that nobody expects in a name.
pub(super) fn disturb_name(rng: &mut Rng, name: &mut Template) {
    let mut pieces = name.pieces().to_vec();
    match rng.u8(..6) {
        0 | 1 => {
            let values: Vec<usize> =
                (0..pieces.len()).filter(|&at| matches!(pieces.get(at), Some(Piece::Value { .. }))).collect();
            if let Some(Piece::Value { spelling, .. }) = rng.choice(values).and_then(|at| pieces.get_mut(at)) {
                *spelling = *rng.choice(&[Spelling::Lower, Spelling::Upper, Spelling::Swapped]).unwrap_or(spelling);
            }
        }
        // A separator in another script (RFC 4013 §2 makes it the same).
        2 => {
            for piece in &mut pieces {
                if let Piece::Octets(octets) = piece
                    && octets.as_slice() == b"\\"
                {
                    *octets = "\u{ff3c}".as_bytes().to_vec();
                }
            }
        }
        _ => {
            let odd = rng.choice(ODD).copied().unwrap_or(b"x");
            let at = if rng.bool() { rng.usize(..=pieces.len()) } else { pieces.len() * rng.usize(..2) };
            pieces.insert(at, Piece::Octets(odd.to_vec()));
        }
    }
    *name = joined(&pieces.into_iter().map(|piece| Template::of_pieces(vec![piece])).collect::<Vec<_>>());
}

/// An argument of `LOGIN`, bare or within quotes.
fn argument(rng: &mut Rng, text: Template) -> Template {
    if rng.bool() { text } else { joined(&[octets(b"\""), text, octets(b"\"")]) }
}

/// An attempt as lines of octets, where it can be had so.
pub(super) fn plain_lines(command: Command, protocol: Protocol) -> Vec<Command> {
    match &command.said {
        Said::Login(attempt) => attempt.lines(protocol).unwrap_or_else(|| vec![command]),
        _ => vec![command],
    }
}

pub(super) fn cut(rng: &mut Rng) -> Cut {
    match rng.u8(..100) {
        0..=11 => Cut::Each(rng.usize(1..9)),
        12 => Cut::Pause { after: rng.usize(1..20), millis: rng.u64(1..8) },
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
