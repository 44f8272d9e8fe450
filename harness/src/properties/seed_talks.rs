//! Seeds for a client that hears what servers say: conversations with the reference server, as they went.

use std::sync::Arc;

use super::challenge;
use super::session::{NAME, WANTED, client};
use super::talk::EXPORTER;
use super::world::{PASSWORD, bundled, sound, ways};
use crate::axes::{Encoding, Mechanism, Way};
use crate::identity::{Access, Account, Dialect, resolve};
use crate::protocol::sasl::decode_challenge;
use crate::protocol::{Action, Login, Secured, Session};
use crate::reference::{Authority, Flow, Session as ServerSession, TlsFacts};
use crate::secret::Password;

/// What a server said in a login.
pub(super) struct Talk {
    pub way: u8,
    pub said: Vec<u8>,
}

impl Talk {
    /// The challenges in it, as `sasl_challenge` takes them.
    pub fn challenges(&self) -> Option<Vec<u8>> {
        let lines = self.said.split(|octet| *octet == b'\n').filter_map(|line| line.strip_prefix(b"+ "));
        let challenges: Vec<Vec<u8>> = lines.filter_map(decode_challenge).collect();
        let challenges = challenges.join(challenge::BETWEEN);
        // How the channel was, and whether there was an initial response, is seen by how far the exchange comes.
        let heads = (0..8_u8).map(|flags| [self.way, flags & 1, flags >> 1 & 1, flags >> 2]);
        let seeds = heads.map(|head| [&head[..], &challenges].concat());
        seeds.filter_map(|seed| Some((challenge::reached(&seed)?, seed))).max().map(|(_, seed)| seed)
    }
}

/// Every way of logging in, with a password that is right and one that is not.
pub(super) fn talks() -> Vec<Talk> {
    let mut talks = Vec::new();
    for (index, &way) in ways().iter().enumerate() {
        for password in [None, Some(PASSWORD)] {
            let login = challenge::login(way);
            let password = password.map_or_else(|| login.password.clone(), Password::new);
            let mut session = Session::login(Login { password, ..login });
            session.secured(Secured { exporter: Some(EXPORTER), ..Secured::default() });
            let mut server = ServerSession::new(way.0, Arc::new(server(|dialect| dialect.name == "opaque", false)));
            server.secured(TlsFacts { exporter: Some(EXPORTER), certificate: None });
            let said = listen(session, server);
            talks.push(Talk { way: u8::try_from(index).unwrap_or_default(), said });
        }
    }
    talks
}

/// What else a client may want of a server, and what it then hears, with each protocol's plainest login.
pub(super) fn other_talks() -> Vec<Vec<u8>> {
    let plain = |&(protocol, mechanism, encoding): &Way| {
        mechanism == Mechanism::Login && encoding == Encoding::default_for(protocol, mechanism)
    };
    let mut seeds = Vec::new();
    for (index, &way) in ways().iter().enumerate().filter(|(_, way)| plain(way)) {
        for (number, &wanted) in WANTED.iter().enumerate() {
            // One that knows whom the client means, and whose mailboxes want canaries.
            let access = Access { protocol: way.0, mechanism: way.1 };
            let knows = |dialect: &Dialect| {
                let resolution = resolve(dialect, &bundled().1, NAME, access).1;
                let is_right = |account: &Account| account.password.expose() == PASSWORD.as_bytes();
                dialect.offers(access) && resolution.opens.is_ok() && resolution.credentials.is_some_and(is_right)
            };
            let authority = server(knows, true).with_canaries(false);
            let said = listen(client(way, wanted), ServerSession::new(way.0, Arc::new(authority)));
            let head = [index, number].map(|octet| u8::try_from(octet).unwrap_or_default());
            seeds.push([&head[..], &[1, 0], &said].concat());
            seeds.push([&head[..], &[1, 0], &taken(&said)].concat());
        }
    }
    seeds
}

/// The same where the server takes what it was brought: its last refusal becomes a request for more, and then a success.
fn taken(said: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = said.split_inclusive(|octet| *octet == b'\n').collect();
    let refusal = lines.iter().rposition(|line| line.windows(5).any(|window| window == b" BAD "));
    let Some((refusal, tag)) = refusal.and_then(|at| Some((at, lines.get(at)?.split(|octet| *octet == b' ').next()?)))
    else {
        return said.to_vec();
    };
    [&lines[..refusal].concat(), b"+ go ahead\r\n".as_slice(), tag, b" OK done\r\n"].concat()
}

/// The reference server in the first dialect of a kind, with the same nonces each time.
fn server(is_meant: impl Fn(&Dialect) -> bool, offers_tls: bool) -> Authority {
    let number = bundled().0.iter().position(is_meant).unwrap_or_default();
    sound(u8::try_from(number).unwrap_or_default(), offers_tls).as_ref().clone().with_seed([0; 32])
}

/// All that the server says until the client has its outcome.
fn listen(mut client: Session, mut server: ServerSession) -> Vec<u8> {
    let mut said = Vec::new();
    server.greeting(&mut said);
    let (mut heard, mut flow) = (0, Flow::Continue);
    loop {
        match client.poll() {
            Action::Send(outgoing) => flow = server.receive(&outgoing.octets, &mut said),
            Action::Receive if heard < said.len() => {
                client.receive(said.get(heard..).unwrap_or_default());
                heard = said.len();
            }
            Action::Receive if flow == Flow::Close => client.closed(),
            Action::Receive => client.timed_out(),
            Action::StartTls => client.tls_failed(String::new()),
            Action::Finished => return said,
        }
    }
}
