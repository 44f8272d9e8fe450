//! Independent clients against the reference server: rsasl's mechanisms and ntlmclient's messages must get in.
//!
//! Neither shares a line with our server or our client, so that those two cannot agree on the same mistake.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Cursor;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loginspec::axes::Protocol;
use loginspec::identity::bundled_directory;
use loginspec::reference::{Authority, CertificateIdentity, Flaws, Session as Server, TlsFacts};
use loginspec::target::find_dialect;
use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::anonymous::AnonymousToken;
use rsasl::mechanisms::oauthbearer::properties::OAuthBearerErrored;
use rsasl::mechanisms::xoauth2::properties::XOAuth2Error;
use rsasl::prelude::{Mechname, SASLClient, SASLConfig, SessionError, State};
use rsasl::property::{AuthId, AuthzId, OAuthBearerToken, Password};

/// The dialect that offers every mechanism, at a time that is not 0.
fn authority() -> Arc<Authority> {
    let dialect = find_dialect("opaque").unwrap();
    let authority = Authority::new(dialect, bundled_directory().unwrap(), Flaws::NONE);
    Arc::new(authority.with_seed([5; 32]).with_time(133_000_000_000_000_000))
}

/// One connection to the server, over TLS with Same's certificate.
struct Connection {
    protocol: Protocol,
    server: Server,
}

impl Connection {
    fn new(protocol: Protocol) -> Self {
        let mut server = Server::new(protocol, authority());
        let certificate = CertificateIdentity { domain: b"Domain1".to_vec(), user: b"Same".to_vec() };
        server.secured(TlsFacts { exporter: None, certificate: Some(certificate) });
        Self { protocol, server }
    }

    /// Sends a line; a challenge comes back decoded, anything else as it is.
    fn line(&mut self, line: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        self.server.receive(format!("{line}\r\n").as_bytes(), &mut out);
        let reply = String::from_utf8(out).unwrap();
        match reply.strip_prefix("+ ") {
            Some(challenge) => Ok(STANDARD.decode(challenge.trim_end()).unwrap()),
            None => Err(reply),
        }
    }

    fn begin(&mut self, mechanism: &str) -> Vec<u8> {
        let verb = if self.protocol == Protocol::Imap { "a AUTHENTICATE" } else { "AUTH" };
        self.line(&format!("{verb} {mechanism}")).unwrap()
    }
}

/// Who logs in, and with what.
#[derive(Clone, Copy)]
struct Client {
    name: &'static str,
    authorization: Option<&'static str>,
    password: &'static str,
}

impl SessionCallback for Client {
    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        request
            .satisfy::<AuthId>(self.name)?
            .satisfy::<Password>(self.password.as_bytes())?
            .satisfy::<OAuthBearerToken>(self.password)?
            .satisfy::<AnonymousToken>(self.name)?;
        if let Some(authorization) = self.authorization {
            request.satisfy::<AuthzId>(authorization)?;
        }
        // That the server explains its refusal is no error: the refusal follows.
        let _ = request.get_action::<XOAuth2Error>();
        let _ = request.get_action::<OAuthBearerErrored>();
        Ok(())
    }
}

/// Lets rsasl log in; the server's last reply. What rsasl finds wrong with the server is a panic.
fn login(protocol: Protocol, mechanism: &str, client: Client) -> String {
    let config = SASLConfig::builder().with_defaults().with_callback(client).unwrap();
    let name = Mechname::parse(mechanism.as_bytes()).unwrap();
    let mut session = SASLClient::new(config).start_suggested(&[name]).unwrap();
    let mut connection = Connection::new(protocol);
    let mut challenge = connection.begin(mechanism);
    let mut is_first = true;
    for _ in 0..6 {
        let mut out = Cursor::new(Vec::new());
        let input = if is_first && session.are_we_first() { None } else { Some(challenge.as_slice()) };
        is_first = false;
        let state = session.step(input, &mut out).unwrap_or_else(|error| panic!("{mechanism}: {error}"));
        match connection.line(&STANDARD.encode(out.into_inner())) {
            Ok(next) => challenge = next,
            Err(last) => {
                // SCRAM's client is done only once it has verified the server's signature.
                let is_scram = mechanism.starts_with("SCRAM") && last.contains("OK");
                assert!(!is_scram || matches!(state, State::Finished(_)), "{mechanism}: not verified");
                return last;
            }
        }
    }
    panic!("{mechanism} does not end")
}

const fn client(name: &'static str, password: &'static str) -> Client {
    Client { name, authorization: None, password }
}

fn is_ok(reply: &str) -> bool {
    reply.starts_with("a OK ") || reply.starts_with("+OK")
}

#[test]
fn rsasl_gets_in_with_the_right_password_and_not_with_a_wrong_one() {
    for &protocol in Protocol::ALL {
        for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
            for name in ["Same", "First Last", "Comma,Equals=", "Jürgen"] {
                let password: &'static str = format!("Secret-{name}").leak();
                let reply = login(protocol, mechanism, client(name, password));
                assert!(is_ok(&reply), "{protocol} {mechanism} {name}: {reply}");
                let reply = login(protocol, mechanism, client(name, "wrong"));
                assert!(!is_ok(&reply), "{protocol} {mechanism} {name}: {reply}");
            }
        }
    }
}

#[test]
fn rsasl_gets_in_with_a_token() {
    for &protocol in Protocol::ALL {
        for mechanism in ["XOAUTH2", "OAUTHBEARER"] {
            let of =
                |name, token| login(protocol, mechanism, Client { authorization: Some(name), ..client(name, token) });
            assert!(is_ok(&of("Same", "Token-Domain1-Same")), "{mechanism}");
            assert!(is_ok(&of("Principal", "Token-Domain1-Delegate")), "{mechanism}");
            assert!(!is_ok(&of("Principal", "Token-Domain1-Same")), "{mechanism}");
            assert!(!is_ok(&of("Same", "Token-Domain1-Nobody")), "{mechanism}");
        }
    }
}

#[test]
fn rsasl_gets_in_with_a_certificate_and_as_nobody_in_particular() {
    for &protocol in Protocol::ALL {
        assert!(is_ok(&login(protocol, "EXTERNAL", client("", ""))));
        assert!(is_ok(&login(protocol, "EXTERNAL", Client { authorization: Some("Same"), ..client("", "") })));
        assert!(!is_ok(&login(protocol, "EXTERNAL", Client { authorization: Some("Alice"), ..client("", "") })));
        assert!(is_ok(&login(protocol, "ANONYMOUS", client("sirhc", ""))));
    }
}

#[test]
fn rsasl_may_name_itself_as_authorization_identity_and_nobody_else() {
    for mechanism in ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let of = |authorization| {
            login(
                Protocol::Imap,
                mechanism,
                Client { authorization: Some(authorization), ..client("Same", "Secret-Same") },
            )
        };
        assert!(is_ok(&of("Same")), "{mechanism}");
        assert!(of("Alice").starts_with("a NO [AUTHORIZATIONFAILED] "), "{mechanism}");
    }
}

/// ntlmclient's last message; the server's own target information and time go into it.
fn ntlm(protocol: Protocol, name: &str, password: &str) -> String {
    let flags = ntlmclient::Flags::NEGOTIATE_UNICODE
        | ntlmclient::Flags::REQUEST_TARGET
        | ntlmclient::Flags::NEGOTIATE_NTLM
        | ntlmclient::Flags::NEGOTIATE_NTLM2_KEY;
    let negotiate = ntlmclient::Message::Negotiate(ntlmclient::NegotiateMessage {
        flags,
        supplied_domain: String::new(),
        supplied_workstation: "WORKSTATION".to_string(),
        os_version: ntlmclient::OsVersion::default(),
    });
    let mut connection = Connection::new(protocol);
    assert!(connection.begin("NTLM").is_empty());
    let challenge = connection.line(&STANDARD.encode(negotiate.to_bytes().unwrap())).unwrap();
    let Ok(ntlmclient::Message::Challenge(challenge)) = ntlmclient::Message::try_from(challenge.as_slice()) else {
        panic!("this is no challenge to ntlmclient");
    };
    assert_eq!(challenge.target_name, "Domain1");
    let of_kind = |kind| challenge.target_information.iter().find(|entry| entry.entry_type == kind).unwrap();
    let time = i64::from_le_bytes(of_kind(ntlmclient::TargetInfoType::Timestamp).data.as_slice().try_into().unwrap());
    assert_eq!(of_kind(ntlmclient::TargetInfoType::DnsDomain).to_string().unwrap(), "domain1.example");
    let target_info: Vec<u8> = challenge.target_information.iter().flat_map(|entry| entry.to_bytes()).collect();
    let credentials =
        ntlmclient::Credentials { username: name.to_string(), password: password.to_string(), domain: String::new() };
    let response = ntlmclient::respond_challenge_ntlm_v2(challenge.challenge, &target_info, time, &credentials);
    let message = response.to_message(&credentials, "WORKSTATION", flags);
    connection.line(&STANDARD.encode(message.to_bytes().unwrap())).unwrap_err()
}

#[test]
fn ntlmclient_gets_in_with_the_right_password_and_not_with_a_wrong_one() {
    for &protocol in Protocol::ALL {
        for name in ["Same", "First Last", "Jürgen"] {
            let reply = ntlm(protocol, name, &format!("Secret-{name}"));
            assert!(is_ok(&reply), "{protocol} {name}: {reply}");
        }
        assert!(!is_ok(&ntlm(protocol, "Same", "wrong")));
        assert!(!is_ok(&ntlm(protocol, "Nobody", "Secret-Same")));
    }
}
