//! For tests: as much of a client as it takes to answer challenges, right or wrong.

use std::sync::Arc;

use super::super::authority::Authority;
use super::super::connection::{CertificateIdentity, TlsFacts};
use super::super::crypto::{Hash, hex, hmac_md5, md4, md5};
use super::super::flaw::Flaws;
use super::super::session::Session;
use super::base64::{decode, encode};
use super::ntlm_message::{TIMESTAMP, UNICODE, challenge_and_pairs, to_utf16};
use crate::axes::Protocol;
use crate::identity::{bundled_dialect, bundled_directory};

/// The channel that TLS connections are bound to in these tests.
pub(in super::super) const EXPORTER: [u8; 32] = [9; 32];

/// A server that splits no names and offers every mechanism.
pub(in super::super) fn opaque(flaws: Flaws) -> Arc<Authority> {
    let dialect = bundled_dialect("opaque").expect("opaque").expect("sound");
    Arc::new(Authority::new(dialect, bundled_directory().expect("directory"), flaws))
}

/// TLS with a client certificate of this account in the home domain.
pub(in super::super) fn tls(user: &str) -> TlsFacts {
    let certificate = CertificateIdentity { domain: b"Domain1".to_vec(), user: user.into() };
    TlsFacts { exporter: Some(EXPORTER), certificate: Some(certificate) }
}

/// One connection.
pub(in super::super) struct Talk {
    protocol: Protocol,
    session: Session,
    pub(in super::super) greeting: String,
}

impl Talk {
    pub(in super::super) fn new(protocol: Protocol, authority: &Arc<Authority>, facts: Option<TlsFacts>) -> Self {
        let mut session = Session::new(protocol, Arc::clone(authority));
        if let Some(facts) = facts {
            session.secured(facts);
        }
        let mut greeting = Vec::new();
        session.greeting(&mut greeting);
        Self { protocol, session, greeting: String::from_utf8(greeting).expect("UTF-8") }
    }

    /// Sends a line and gives back the reply.
    pub(in super::super) fn line(&mut self, line: &[u8]) -> String {
        let mut out = Vec::new();
        self.session.receive(&[line, b"\r\n"].concat(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    /// Begins an exchange and gives back the reply.
    pub(in super::super) fn auth(&mut self, arguments: &str) -> String {
        let verb = match self.protocol {
            Protocol::Imap => "a AUTHENTICATE",
            Protocol::Pop3 => "AUTH",
        };
        self.line(format!("{verb} {arguments}").as_bytes())
    }

    /// Begins an exchange and gives back what the challenge says.
    pub(in super::super) fn challenge(&mut self, mechanism: &str) -> Vec<u8> {
        let reply = self.auth(mechanism);
        decoded(&reply).unwrap_or_else(|| panic!("{mechanism}: {reply}"))
    }

    /// Answers in base64.
    pub(in super::super) fn answer(&mut self, octets: &[u8]) -> String {
        self.line(&encode(octets))
    }

    /// Begins an exchange in which the client speaks first, and says this.
    pub(in super::super) fn say(&mut self, mechanism: &str, octets: &[u8]) -> String {
        assert_eq!(self.challenge(mechanism), b"", "{mechanism}");
        self.answer(octets)
    }

    /// The mailbox that has been opened.
    pub(in super::super) fn canary(&mut self) -> Option<String> {
        let look: &[u8] = match self.protocol {
            Protocol::Imap => b"y EXAMINE INBOX\r\nz FETCH 1 BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)]",
            Protocol::Pop3 => b"TOP 1 0",
        };
        let reply = self.line(look);
        let (_, after) = reply.split_once("X-Loginspec-Mailbox: ")?;
        Some(after.split_once("\r\n")?.0.to_string())
    }
}

/// What a challenge says; nothing where the reply is none.
pub(in super::super) fn decoded(reply: &str) -> Option<Vec<u8>> {
    decode(reply.strip_prefix("+ ")?.strip_suffix("\r\n")?.as_bytes())
}

/// `OK`, `NO`, `BAD` or `+`; POP3 has no `BAD`.
pub(in super::super) fn word(reply: &str) -> &'static str {
    match reply.split(' ').next() {
        Some("+") => "+",
        Some("+OK" | "+OK\r\n") => "OK",
        Some("-ERR" | "-ERR\r\n") => "NO",
        _ if reply.starts_with("a OK") => "OK",
        _ if reply.starts_with("a NO") => "NO",
        _ if reply.starts_with("a BAD") => "BAD",
        _ => panic!("{reply}"),
    }
}

pub(in super::super) fn cram(challenge: &[u8], name: &str, password: &str) -> Vec<u8> {
    [name.as_bytes(), b" ", &hex(&hmac_md5(password.as_bytes(), &[challenge]))].concat()
}

pub(in super::super) fn apop(greeting: &str, password: &str) -> String {
    let timestamp = &greeting[greeting.find('<').expect("timestamp")..=greeting.find('>').expect("timestamp")];
    String::from_utf8(hex(&md5(&[timestamp.as_bytes(), password.as_bytes()]))).expect("ASCII")
}

/// An answer to DIGEST-MD5, and the `rspauth` that belongs to it. Without a nonce: the server's.
pub(in super::super) fn digest(
    challenge: &[u8],
    uri: &str,
    nonce: Option<&str>,
    name: &str,
    password: &str,
) -> (Vec<u8>, Vec<u8>) {
    let challenge = String::from_utf8(challenge.to_vec()).expect("UTF-8");
    let quoted = |name: &str| challenge.split_once(&format!("{name}=\"")).expect("directive").1.split('"').next();
    let (realm, offered) = (quoted("realm").expect("realm"), quoted("nonce").expect("nonce"));
    let nonce = nonce.unwrap_or(offered);
    let secret = md5(&[format!("{name}:{realm}:{password}").as_bytes()]);
    let a1 = hex(&md5(&[&secret, format!(":{nonce}:cn").as_bytes()]));
    let of = |method: &str| {
        let a2 = hex(&md5(&[format!("{method}:{uri}").as_bytes()]));
        hex(&md5(&[&a1, format!(":{nonce}:00000001:cn:auth:").as_bytes(), &a2]))
    };
    let response = String::from_utf8(of("AUTHENTICATE")).expect("ASCII");
    let message = format!(
        "charset=utf-8,username=\"{name}\",realm=\"{realm}\",nonce=\"{nonce}\",nc=00000001,cnonce=\"cn\",\
         digest-uri=\"{uri}\",response={response},qop=auth"
    );
    (message.into_bytes(), [&b"rspauth="[..], &of("")].concat())
}

/// What a SCRAM client says.
pub(in super::super) struct Scram<'c> {
    pub(in super::super) header: &'c str,
    /// What `c=` holds.
    pub(in super::super) bound: Vec<u8>,
    pub(in super::super) name: &'c str,
    pub(in super::super) password: &'c str,
    pub(in super::super) hash: Hash,
}

/// The last message, and the server's signature that belongs to it.
pub(in super::super) fn scram_last(scram: &Scram<'_>, server_first: &[u8]) -> (String, Vec<u8>) {
    let server_first = std::str::from_utf8(server_first).expect("UTF-8");
    let value = |index: usize| &server_first.split(',').nth(index).expect("attribute")[2..];
    let (nonce, salt) = (value(0), decode(value(1).as_bytes()).expect("salt"));
    let salted = scram.hash.hi(scram.password.as_bytes(), &salt, value(2).parse().expect("iterations"));
    let key = scram.hash.hmac(&salted, b"Client Key");
    let bound = String::from_utf8(encode(&scram.bound)).expect("ASCII");
    let without_proof = format!("c={bound},r={nonce}");
    let messages = format!("n={},r=cn,{server_first},{without_proof}", scram.name);
    let signature = scram.hash.hmac(&scram.hash.digest(&key), messages.as_bytes());
    let proof: Vec<u8> = key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    let server = scram.hash.hmac(&scram.hash.hmac(&salted, b"Server Key"), messages.as_bytes());
    (format!("{without_proof},p={}", String::from_utf8(encode(&proof)).expect("ASCII")), server)
}

pub(in super::super) fn scram_first(scram: &Scram<'_>) -> Vec<u8> {
    format!("{}n={},r=cn", scram.header, scram.name).into_bytes()
}

/// A Negotiate message that asks for Unicode.
pub(in super::super) fn ntlm_negotiate() -> Vec<u8> {
    [b"NTLMSSP\0".as_slice(), &1_u32.to_le_bytes(), &0x0008_8207_u32.to_le_bytes(), &[0; 16]].concat()
}

/// An Authenticate message; with a message integrity code where that is wanted (MS-NLMP §3.1.5.1.2).
pub(in super::super) fn ntlm_authenticate(challenge: &[u8], who: [&str; 3], with_mic: bool) -> Vec<u8> {
    let [domain, user, password] = who;
    let (server_challenge, pairs) = challenge_and_pairs(challenge).expect("challenge");
    let time = pairs.iter().find(|(kind, _)| *kind == TIMESTAMP).expect("time").1;
    let mut blob = [&[1, 1, 0, 0, 0, 0, 0, 0][..], time, &[7; 8], &[0; 4]].concat();
    let flags = 2_u32.to_le_bytes();
    for (kind, value) in pairs.iter().copied().chain(with_mic.then_some((6, flags.as_slice()))).chain([(0, &[][..])]) {
        blob.extend_from_slice(&kind.to_le_bytes());
        blob.extend_from_slice(&u16::try_from(value.len()).expect("short").to_le_bytes());
        blob.extend_from_slice(value);
    }
    let identity = to_utf16([user.to_uppercase().as_bytes(), domain.as_bytes()].concat().as_slice());
    let key = hmac_md5(&md4(&to_utf16(password.as_bytes())), &[&identity]);
    let proof = hmac_md5(&key, &[server_challenge, &blob]);
    let mut message = [b"NTLMSSP\0".as_slice(), &3_u32.to_le_bytes()].concat();
    let mut payload = Vec::new();
    let nt_response = [proof.as_slice(), &blob].concat();
    let fields = [vec![0; 24], nt_response, to_utf16(domain.as_bytes()), to_utf16(user.as_bytes()), vec![], vec![]];
    for field in fields {
        let length = u16::try_from(field.len()).expect("short").to_le_bytes();
        let offset = u32::try_from(88 + payload.len()).expect("short").to_le_bytes();
        message.extend([&length[..], &length, &offset].concat());
        payload.extend(field);
    }
    message.extend_from_slice(&UNICODE.to_le_bytes());
    message.extend_from_slice(&[0; 24]);
    message.extend(payload);
    if with_mic {
        let session_key = hmac_md5(&key, &[&proof]);
        let mic = hmac_md5(&session_key, &[&ntlm_negotiate(), challenge, &message]);
        message[72..88].copy_from_slice(&mic);
    }
    message
}
