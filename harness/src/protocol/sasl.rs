//! SASL from the client's side: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login).
//!
//! A response that is empty and no response at all are different things (RFC 4422 §3.4), so [`Sasl::initial_response`]
//! is an `Option`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::outgoing::Outgoing;
use crate::axes::Mechanism;
use crate::secret::Password;

/// One authentication exchange.
pub struct Sasl {
    mechanism: SaslMechanism,
    /// How many responses have been given.
    given: usize,
    /// The identity to act as; nobody's where the client leaves that to the server (RFC 4616 §2).
    authzid: Option<Vec<u8>>,
    name: Vec<u8>,
    password: Password,
}

/// The mechanisms that this client speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SaslMechanism {
    Plain,
    Login,
}

/// What the client has to say, before it is put in BASE64.
pub struct SaslResponse {
    octets: Vec<u8>,
    /// Whether a password is in it.
    secret: bool,
}

impl Sasl {
    /// An exchange that logs `name` in; nothing for a mechanism that is no SASL mechanism or not spoken here.
    pub fn new(mechanism: Mechanism, name: Vec<u8>, password: Password) -> Option<Self> {
        let mechanism = match mechanism {
            Mechanism::Plain => SaslMechanism::Plain,
            Mechanism::SaslLogin => SaslMechanism::Login,
            _ => return None,
        };
        Some(Self { mechanism, given: 0, authzid: None, name, password })
    }

    /// Whether this client speaks the mechanism.
    pub const fn speaks(mechanism: Mechanism) -> bool {
        matches!(mechanism, Mechanism::Plain | Mechanism::SaslLogin)
    }

    /// The same exchange, to act as `authzid`. Only PLAIN can say so.
    pub fn acting_as(mut self, authzid: Vec<u8>) -> Self {
        self.authzid = Some(authzid);
        self
    }

    /// The response that may travel with the command; nothing where the server has to speak first.
    ///
    /// LOGIN as drafted lets the server speak first; with an initial response the name takes the first prompt's place.
    pub fn initial_response(&mut self) -> Option<SaslResponse> {
        if self.given > 0 {
            return None;
        }
        self.next(b"")
    }

    /// The response to a challenge; nothing where the mechanism has said all that it has to say.
    ///
    /// Neither mechanism looks at the challenge: PLAIN has none, and the wording of LOGIN's prompts differs from
    /// server to server, so that only their order counts.
    pub fn next(&mut self, _challenge: &[u8]) -> Option<SaslResponse> {
        let response = match (self.mechanism, self.given) {
            (SaslMechanism::Plain, 0) => SaslResponse { octets: self.plain_message(), secret: true },
            (SaslMechanism::Login, 0) => SaslResponse { octets: std::mem::take(&mut self.name), secret: false },
            (SaslMechanism::Login, 1) => SaslResponse { octets: self.password.expose().to_vec(), secret: true },
            _ => return None,
        };
        self.given += 1;
        Some(response)
    }

    /// Whether every response has been given, so that a success can be due.
    pub fn is_complete(&self) -> bool {
        match self.mechanism {
            SaslMechanism::Plain => self.given >= 1,
            SaslMechanism::Login => self.given >= 2,
        }
    }

    /// `[authzid] NUL authcid NUL passwd` (RFC 4616 §2).
    fn plain_message(&self) -> Vec<u8> {
        let authzid = self.authzid.as_deref().unwrap_or_default();
        [authzid, &self.name, self.password.expose()].join(&0)
    }
}

impl SaslResponse {
    /// Adds this response in BASE64 to `outgoing`.
    pub fn push_to(&self, outgoing: &mut Outgoing) {
        let encoded = STANDARD.encode(&self.octets);
        if self.secret {
            outgoing.push_secret(encoded.as_bytes());
        } else {
            outgoing.push(encoded.as_bytes());
        }
    }

    /// Adds this response as an initial one: `=` where it is empty (RFC 4959 §3, RFC 5034 §4).
    pub fn push_initial_to(&self, outgoing: &mut Outgoing) {
        if self.octets.is_empty() {
            outgoing.push(b"=");
        } else {
            self.push_to(outgoing);
        }
    }
}

/// The octets of a challenge in BASE64; nothing where it is not BASE64.
pub fn decode_challenge(encoded: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(encoded.trim_ascii()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn wire(response: &SaslResponse) -> Outgoing {
        let mut outgoing = Outgoing::default();
        response.push_to(&mut outgoing);
        outgoing
    }

    #[test]
    fn plain_as_in_rfc_4616() {
        let mut sasl = Sasl::new(Mechanism::Plain, b"tim".to_vec(), Password::new("tanstaaftanstaaf")).unwrap();
        assert!(!sasl.is_complete());
        let response = sasl.initial_response().unwrap();
        assert_eq!(response.octets, b"\0tim\0tanstaaftanstaaf");
        assert!(sasl.is_complete());
        assert!(sasl.next(b"").is_none());
        let outgoing = wire(&response);
        assert_eq!(outgoing.octets, b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
        assert_eq!(outgoing.secrets.first(), Some(&(0..28)));
    }

    #[test]
    fn plain_acts_as_another() {
        let sasl = Sasl::new(Mechanism::Plain, b"Kurt".to_vec(), Password::new("xipj3plmq")).unwrap();
        let response = sasl.acting_as(b"Ursel".to_vec()).next(b"").unwrap();
        assert_eq!(response.octets, b"Ursel\0Kurt\0xipj3plmq");
    }

    #[test]
    fn login_gives_the_name_then_the_password() {
        let mut sasl = Sasl::new(Mechanism::SaslLogin, b"tim".to_vec(), Password::new("pw")).unwrap();
        let name = sasl.next(b"User Name\0").unwrap();
        assert_eq!((name.octets.as_slice(), name.secret), (&b"tim"[..], false));
        assert!(!sasl.is_complete());
        let password = sasl.next(b"anything").unwrap();
        assert_eq!((password.octets.as_slice(), password.secret), (&b"pw"[..], true));
        assert!(sasl.is_complete());
        assert!(sasl.next(b"more").is_none());
    }

    #[test]
    fn an_empty_initial_response_is_an_equals_sign() {
        let mut sasl = Sasl::new(Mechanism::SaslLogin, Vec::new(), Password::new("pw")).unwrap();
        let empty = sasl.initial_response().unwrap();
        assert_eq!(wire(&empty).octets, b"");
        let mut initial = Outgoing::default();
        empty.push_initial_to(&mut initial);
        assert_eq!(initial.octets, b"=");
    }

    #[test]
    fn challenges_are_decoded() {
        assert_eq!(decode_challenge(b"VXNlciBOYW1lAA=="), Some(b"User Name\0".to_vec()));
        assert_eq!(decode_challenge(b""), Some(Vec::new()));
        assert_eq!(decode_challenge(b"Ready!"), None);
    }

    #[test]
    fn what_is_not_spoken_is_not_begun() {
        assert!(Sasl::new(Mechanism::Login, Vec::new(), Password::new("")).is_none());
        assert!(Sasl::new(Mechanism::Ntlm, Vec::new(), Password::new("")).is_none());
    }
}
