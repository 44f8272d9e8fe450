//! A target as the fuzzer knows it: where it listens, what it says it can do, and who is at home there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::conversation::{Attempt, Conversation, Said};
use super::due::{Due, Refusals, access};
use crate::axes::{Mechanism, Protocol, Security};
use crate::protocol::{Outcome, Redactor, Session};
use crate::runner::fresh;
use crate::scenario::{Piece, Spelling, Template, Value};
use crate::secret::Password;
use crate::target::{Endpoint, Target};
use crate::transport::{Deadlines, connect, converse};

/// A target, and what was learned of it before anything else.
pub struct Ground {
    /// The target.
    pub(super) target: Arc<Target>,
    /// Where conversations begin.
    pub(super) places: Vec<Place>,
    /// What it says it can do: by protocol and whether TLS stands.
    offers: Vec<(Protocol, bool, Vec<String>)>,
    /// The time, as NTLM tells it.
    pub(super) filetime: u64,
    /// What finds passwords in replies: made once for each set of them.
    redactors: Mutex<HashMap<Secrets, Arc<Redactor>>>,
}

/// Whose secrets: roles, which of their values, and how they are spelt.
type Secrets = Vec<(String, u8, Spelling)>;

/// Where conversations begin: a protocol, and what protects the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub protocol: Protocol,
    pub security: Security,
    pub endpoint: Endpoint,
    /// Whether TLS can be begun in the middle.
    pub has_starttls: bool,
}

/// The texts of an attempt with the values of the target's accounts in them.
pub(super) struct Filled {
    pub name: Vec<u8>,
    pub authzid: Vec<u8>,
    pub password: Vec<u8>,
}

impl Ground {
    /// Asks a target what it can do, in every way in which it can be talked to. An error says why it cannot be.
    pub async fn explore(target: Arc<Target>, deadlines: Deadlines) -> Result<Self, String> {
        let mut ground = Self { filetime: fresh()?.filetime, ..Self::unexplored(Arc::clone(&target)) };
        let mut reasons = Vec::new();
        for &protocol in Protocol::ALL {
            for security in [Security::Plaintext, Security::Tls, Security::Starttls] {
                let Ok((endpoint, _)) = target.endpoint(protocol, Some(security)) else { continue };
                match survey(&target, endpoint, protocol, security, deadlines).await {
                    Ok(words) => ground.add(endpoint, protocol, security, words),
                    // That there is no STARTTLS is no reason for anything.
                    Err(_) if security == Security::Starttls && ground.has_place(protocol) => {}
                    Err(reason) => reasons.push(reason),
                }
            }
        }
        if ground.places.is_empty() {
            return Err(reasons.into_iter().next().unwrap_or_else(|| format!("{} has no port", target.name)));
        }
        Ok(ground)
    }

    /// A target of which nothing is known yet.
    pub(super) fn unexplored(target: Arc<Target>) -> Self {
        Self { target, places: Vec::new(), offers: Vec::new(), filetime: 0, redactors: Mutex::default() }
    }

    fn add(&mut self, endpoint: &Endpoint, protocol: Protocol, security: Security, words: Vec<String>) {
        let is_secured = security != Security::Plaintext;
        if security == Security::Starttls {
            for place in self.places.iter_mut().filter(|place| place.protocol == protocol) {
                place.has_starttls |= place.security == Security::Plaintext;
            }
        }
        // Where plaintext is allowed STARTTLS is a command like any other.
        let is_covered = security == Security::Starttls
            && self.places.iter().any(|place| (place.protocol, place.security) == (protocol, Security::Plaintext));
        if !is_covered {
            let endpoint = endpoint.clone();
            self.places.push(Place { protocol, security, endpoint, has_starttls: false });
        }
        if !self.offers.iter().any(|(known, secured, _)| (*known, *secured) == (protocol, is_secured)) {
            self.offers.push((protocol, is_secured, words));
        }
    }

    /// Where conversations of this kind begin; nothing where they cannot be had.
    pub(super) fn place(&self, protocol: Protocol, security: Security) -> Option<&Place> {
        let mut places = self.places.iter().filter(|place| place.protocol == protocol);
        let is_by_command = |place: &&Place| security == Security::Starttls && place.has_starttls;
        places.clone().find(|place| place.security == security).or_else(|| places.find(is_by_command))
    }

    fn has_place(&self, protocol: Protocol) -> bool {
        self.places.iter().any(|place| place.protocol == protocol)
    }

    /// Whether it says what it can do.
    pub(super) fn tells(&self, protocol: Protocol, is_secured: bool) -> bool {
        let mut told = self.offers.iter().filter(|(known, secured, _)| (*known, *secured) == (protocol, is_secured));
        told.any(|(_, _, words)| !words.is_empty())
    }

    /// Whether it says that it has a capability.
    pub(super) fn has(&self, protocol: Protocol, is_secured: bool, word: &str) -> bool {
        let found = self.offers.iter().find(|(known, secured, _)| (*known, *secured) == (protocol, is_secured));
        found.is_some_and(|(_, _, words)| words.iter().any(|known| known == word))
    }

    /// Whether it says that it takes a mechanism now; nothing where it says nothing of it.
    pub(super) fn offers(&self, protocol: Protocol, is_secured: bool, mechanism: Mechanism) -> Option<bool> {
        match (mechanism.sasl_name(), protocol) {
            (Some(name), _) => Some(self.has(protocol, is_secured, &format!("AUTH={name}"))),
            (None, Protocol::Imap) => Some(!self.has(protocol, is_secured, "LOGINDISABLED")),
            // A server says nothing of USER; the digest of APOP may travel in plaintext.
            (None, Protocol::Pop3) if mechanism == Mechanism::Login => {
                (self.target.dialect.requires_tls && !is_secured).then_some(false)
            }
            (None, Protocol::Pop3) => None,
        }
    }

    /// The same in a conversation: EXTERNAL may be offered to those only who show a certificate, and nobody has shown one
    /// when it was asked what there is.
    pub(super) fn offers_in(
        &self,
        conversation: &Conversation,
        is_secured: bool,
        mechanism: Mechanism,
    ) -> Option<bool> {
        let is_open = mechanism == Mechanism::External && conversation.certified.is_some();
        self.offers(conversation.protocol, is_secured, mechanism).filter(|is_offered| *is_offered || !is_open)
    }

    /// The texts of an attempt; nothing where the target lacks a value.
    pub(super) fn filled(&self, protocol: Protocol, attempt: &Attempt) -> Option<Filled> {
        let cast = self.target.players(access(protocol, attempt.mechanism));
        let fill = |text: &Template| Some(text.fill(&cast, &attempt.role).ok()?.text.expose().to_vec());
        let authzid = match &attempt.authzid {
            Some(authzid) => fill(authzid)?,
            None => Vec::new(),
        };
        Some(Filled { name: fill(&attempt.name)?, authzid, password: fill(&attempt.password)? })
    }

    /// The messages of a command; nothing where the target lacks a value.
    pub(super) fn messages(&self, protocol: Protocol, lines: &[Template]) -> Option<Vec<Vec<u8>>> {
        let cast = self.target.players_of_dialogue(protocol);
        lines.iter().map(|line| line.fill(&cast, "").ok().map(|filled| filled.text.expose().to_vec())).collect()
    }

    /// Nobody gets in but whose password was said.
    pub(super) fn safe_due(&self, conversation: &Conversation) -> Due {
        let said = self.passwords_said(conversation);
        let knows = self.target.directory.accounts.iter().filter(|account| {
            said.contains(&account.password) || account.token.as_ref().is_some_and(|token| said.contains(token))
        });
        let mut opens: Vec<Vec<u8>> =
            knows.flat_map(|account| account.mailbox.iter().chain(&account.may_open).cloned()).collect();
        let is_nobodys = |role: &str| role == "anonymous" || conversation.certified.as_deref() == Some(role);
        let others = self.target.directory.accounts.iter().filter(|account| is_nobodys(&account.role));
        opens.extend(others.filter_map(|account| account.mailbox.clone()));
        let opens_unknown = says_anonymous(conversation) && Due::anonymous(&self.target).opens_unknown;
        Due { refusals: Refusals::ANY, opens, opens_unknown, ..Due::illegal() }
    }

    /// The passwords and tokens that are said in a conversation.
    pub(super) fn passwords_said(&self, conversation: &Conversation) -> Vec<Password> {
        self.passwords_of(&secrets_said(conversation))
    }

    /// What finds them in replies; nothing where none is said.
    pub(super) fn redactor(&self, conversation: &Conversation) -> Option<Arc<Redactor>> {
        let said = secrets_said(conversation);
        if said.is_empty() {
            return None;
        }
        let key: Secrets =
            said.iter().map(|(role, value, spelling)| ((*role).to_string(), *value as u8, *spelling)).collect();
        // A redactor is only ever put in whole.
        let mut redactors = self.redactors.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Redactor::new(&self.passwords_of(&said)));
        Some(Arc::clone(redactors.entry(key).or_insert_with(made)))
    }

    /// The secrets as the accounts have them, and as they are spelt.
    fn passwords_of(&self, said: &[Secret<'_>]) -> Vec<Password> {
        let of_role = |(role, value, spelling): &Secret<'_>| {
            let account = self.target.directory.role(role)?.account?;
            let secret = if *value == Value::Token { account.token.clone()? } else { account.password.clone() };
            // A few letters of a secret are no secret: they stand in many words.
            let is_whole = !matches!(spelling, Spelling::First(_));
            let spelt = is_whole.then(|| Password::new(spelling.spell(secret.expose())));
            Some(std::iter::once(secret).chain(spelt).collect::<Vec<_>>())
        };
        said.iter().filter_map(of_role).flatten().collect()
    }
}

/// A secret that is said: whose, which of them, and how it is spelt.
type Secret<'t> = (&'t str, Value, Spelling);

/// Whether a conversation may ask for the mechanism ANONYMOUS.
fn says_anonymous(conversation: &Conversation) -> bool {
    let word = b"ANONYMOUS";
    let is_word = |octets: &[u8]| octets.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    let says =
        |text: &Template| text.pieces().iter().any(|piece| matches!(piece, Piece::Octets(octets) if is_word(octets)));
    conversation.commands.iter().chain(conversation.company.iter().flatten()).any(|command| match &command.said {
        Said::Login(attempt) => attempt.mechanism == Mechanism::Anonymous,
        Said::Lines(lines) => lines.iter().any(says),
        Said::StartTls => false,
    })
}

/// Whose passwords and tokens are said.
fn secrets_said(conversation: &Conversation) -> Vec<Secret<'_>> {
    let mut said: Vec<Secret<'_>> = Vec::new();
    for command in conversation.commands.iter().chain(conversation.company.iter().flatten()) {
        match &command.said {
            Said::Login(attempt) => {
                let texts = [&attempt.name, &attempt.password];
                texts.into_iter().chain(&attempt.authzid).for_each(|text| note_secrets(text, &mut said));
            }
            Said::Lines(lines) => lines.iter().for_each(|line| note_secrets(line, &mut said)),
            Said::StartTls => {}
        }
    }
    said.sort_unstable_by_key(|(role, value, spelling)| (*role, *value as u8, *spelling));
    said.dedup();
    said
}

fn note_secrets<'t>(text: &'t Template, said: &mut Vec<Secret<'t>>) {
    for piece in text.pieces() {
        match piece {
            Piece::Value { role: Some(role), value: value @ (Value::Password | Value::Token), spelling } => {
                said.push((role, *value, *spelling));
            }
            Piece::Base64(inner) => note_secrets(inner, said),
            _ => {}
        }
    }
}

async fn survey(
    target: &Target,
    endpoint: &Endpoint,
    protocol: Protocol,
    security: Security,
    deadlines: Deadlines,
) -> Result<Vec<String>, String> {
    let failed = |reason: String| format!("failed to ask {} ({protocol}, {security}): {reason}", endpoint.address);
    let tls = match target.tls_client(endpoint, None) {
        Ok(client) => Some(client),
        Err(reason) if security != Security::Plaintext => return Err(failed(reason)),
        Err(_) => None,
    };
    let stream =
        connect(&endpoint.address, None, deadlines.connect).await.map_err(|error| failed(error.to_string()))?;
    let session = Session::survey(protocol, security);
    let found = converse(stream, session, deadlines, tls.as_ref(), security).await;
    match found.outcome {
        Outcome::Surveyed(words) => {
            let words = words.iter().map(|word| String::from_utf8_lossy(word).into_owned());
            Ok(words.filter(|word| !target.lacks.contains(word)).collect())
        }
        other => Err(failed(crate::scenario::describe(&other))),
    }
}
