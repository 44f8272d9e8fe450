//! Independent judges of the client's SASL messages: rsasl's server sides, and ntlmclient.
//!
//! rsasl 2.3.1 has no server side for CRAM-MD5, DIGEST-MD5 and NTLM; those are held against the examples of their
//! RFCs and of MS-NLMP in unit tests, and NTLM against ntlmclient here. ntlmclient 0.2.0 is a client: it reads our
//! AUTHENTICATE, but it takes a NEGOTIATE only with the optional version and four octets more, which ours has not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use loginspec::axes::{Fault, Mechanism, Protocol};
use loginspec::protocol::sasl::{Sasl, Stop, decode_challenge};
use loginspec::protocol::{Fresh, Login, Outgoing, Secured};
use loginspec::secret::Password;
use proptest::prelude::*;
use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::anonymous::AnonymousToken;
use rsasl::mechanisms::oauthbearer::properties::{OAuthBearerError, OAuthBearerValidate};
use rsasl::mechanisms::scram::properties::ScramStoredPassword;
use rsasl::mechanisms::xoauth2::properties::XOAuth2Validate;
use rsasl::mechname::Mechname;
use rsasl::prelude::{ChannelBindingCallback, Registry, SASLConfig, SASLServer, SessionError, State};
use rsasl::property::{AuthId, AuthzId, OAuthBearerToken, Password as RsaslPassword};
use rsasl::validate::{Validate, Validation, ValidationError};
use sha2::Digest as _;

/// Few, because it is done many times.
const ITERATIONS: u32 = 64;
const EXPORTER: [u8; 32] = [0x5A; 32];
const TOKEN: &str = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";

/// What the server side took in: who, whom to act as, and the secret where that travels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Taken {
    authcid: Option<String>,
    authzid: Option<String>,
    secret: Option<Vec<u8>>,
}

/// The application behind rsasl: one account.
struct Application {
    name: String,
    password: Vec<u8>,
    taken: Arc<Mutex<Option<Taken>>>,
}

/// Every mechanism that rsasl has a server side for; its own list leaves `-PLUS` out.
static MECHANISMS: &[rsasl::prelude::Mechanism] = &[
    rsasl::mechanisms::plain::PLAIN,
    rsasl::mechanisms::login::LOGIN,
    rsasl::mechanisms::anonymous::ANONYMOUS,
    rsasl::mechanisms::external::EXTERNAL,
    rsasl::mechanisms::xoauth2::XOAUTH2,
    rsasl::mechanisms::oauthbearer::OAUTHBEARER,
    rsasl::mechanisms::scram::SCRAM_SHA1,
    rsasl::mechanisms::scram::SCRAM_SHA1_PLUS,
    rsasl::mechanisms::scram::SCRAM_SHA256,
    rsasl::mechanisms::scram::SCRAM_SHA256_PLUS,
];

struct NoValue;
impl Validation for NoValue {
    type Value = ();
}

impl SessionCallback for Application {
    fn callback(&self, data: &SessionData, context: &Context, request: &mut Request) -> Result<(), SessionError> {
        // Of OAUTHBEARER it gives on all of `auth=`.
        let token = context.get_ref::<OAuthBearerToken>().unwrap_or_default();
        let right = token.strip_prefix("Bearer ").unwrap_or(token) == TOKEN;
        if request.is::<XOAuth2Validate>() {
            request.satisfy::<XOAuth2Validate>(&if right { Ok(()) } else { Err(r#"{"status":"401"}"#) })?;
        } else if request.is::<OAuthBearerValidate>() {
            let refused = OAuthBearerError::new("invalid_token", None, None);
            request.satisfy::<OAuthBearerValidate>(&if right { Ok(()) } else { Err(refused) })?;
        } else if context.get_ref::<AuthId>() == Some(escaped(&self.name).as_str()) {
            let (stored, server) = keys(data.mechanism().mechanism.as_str(), &self.password);
            request.satisfy::<ScramStoredPassword>(&ScramStoredPassword::new(ITERATIONS, b"salt", &stored, &server))?;
        }
        Ok(())
    }

    fn validate(&self, _: &SessionData, context: &Context, _: &mut Validate<'_>) -> Result<(), ValidationError> {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let token = context.get_ref::<OAuthBearerToken>().map(|token| token.as_bytes().to_vec());
        *self.taken.lock().unwrap() = Some(Taken {
            authcid: text(context.get_ref::<AuthId>().or(context.get_ref::<AnonymousToken>())),
            authzid: text(context.get_ref::<AuthzId>()),
            secret: context.get_ref::<RsaslPassword>().map(<[u8]>::to_vec).or(token),
        });
        Ok(())
    }
}

struct Channel;
impl ChannelBindingCallback for Channel {
    fn get_cb_data(&self, name: &str) -> Option<&[u8]> {
        (name == "tls-exporter").then_some(&EXPORTER)
    }
}

/// rsasl gives its application SCRAM's names as they are on the wire.
fn escaped(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The stored key and the server key of a password (RFC 5802 §3).
fn keys(mechanism: &str, password: &[u8]) -> (Vec<u8>, Vec<u8>) {
    use hmac::{Hmac, KeyInit, Mac};
    macro_rules! derived {
        ($hash:ty, $length:literal) => {{
            let salted = pbkdf2::pbkdf2_hmac_array::<$hash, $length>(password, b"salt", ITERATIONS);
            let key = |label: &[u8]| {
                Hmac::<$hash>::new_from_slice(&salted).unwrap().chain_update(label).finalize().into_bytes().to_vec()
            };
            (<$hash>::digest(key(b"Client Key")).to_vec(), key(b"Server Key"))
        }};
    }
    if mechanism.contains("SHA-256") { derived!(sha2::Sha256, 32) } else { derived!(sha1::Sha1, 20) }
}

/// How an exchange ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// The server took it, and the client believes that.
    Accepted(Taken),
    /// The server took it without a proof that the client asks for.
    Unproven(&'static str),
    /// The server side refused.
    Refused,
    /// The client stopped.
    Stopped(Stop),
}

/// Our client against rsasl's server side, for an account.
fn exchange(login: &Login, name: &str, password: &str) -> Ended {
    let taken = Arc::new(Mutex::new(None));
    let application =
        Application { name: name.to_owned(), password: password.as_bytes().to_vec(), taken: Arc::clone(&taken) };
    let registry = Registry::with_mechanisms(MECHANISMS);
    let config = SASLConfig::builder().with_registry(registry).with_callback(application).unwrap();
    let server = SASLServer::<NoValue, Channel>::with_cb(config, Channel);
    let mechanism = Mechname::parse(login.mechanism.sasl_name().unwrap().as_bytes()).unwrap();
    let mut server = server.start_suggested(mechanism).unwrap();
    let secured = Secured { exporter: Some(EXPORTER), ..Secured::default() };
    let mut client = Sasl::new(login, Some(&secured), true).unwrap().unwrap();

    // LOGIN is server-first for rsasl: it has a prompt before it has heard anything.
    let mut challenge = Vec::new();
    if login.mechanism == Mechanism::SaslLogin {
        let mut prompt = Cursor::new(Vec::new());
        server.step(None, &mut prompt).unwrap();
        challenge = prompt.into_inner();
    }
    let mut finished = false;
    for _ in 0..4 {
        let turn = match client.next(&challenge) {
            Ok(turn) => turn,
            Err(stop) => return Ended::Stopped(stop),
        };
        if finished {
            break;
        }
        let mut outgoing = Outgoing::default();
        turn.response.push_to(&mut outgoing);
        let Some(response) = decode_challenge(&outgoing.octets) else { return Ended::Refused };
        let mut answer = Cursor::new(Vec::new());
        match server.step(Some(&response), &mut answer) {
            Err(_) => return Ended::Refused,
            Ok(State::Running) => {}
            Ok(State::Finished(_)) if answer.get_ref().is_empty() => break,
            // One more challenge, and an empty response to it.
            Ok(State::Finished(_)) => finished = true,
        }
        challenge = answer.into_inner();
    }
    match (client.unproven(), taken.lock().unwrap().take()) {
        (Some(rule), _) => Ended::Unproven(rule),
        (None, Some(taken)) => Ended::Accepted(taken),
        (None, None) => Ended::Refused,
    }
}

fn login(mechanism: Mechanism, name: &str, password: &str) -> Login {
    let fresh = Fresh { nonce: *b"0123456789abcdef", filetime: 0 };
    Login { fresh, ..Login::new(Protocol::Imap, mechanism, name, Password::new(password)) }
}

fn accepted(authcid: Option<&str>, authzid: Option<&str>, secret: Option<&str>) -> Ended {
    Ended::Accepted(Taken {
        authcid: authcid.map(str::to_owned),
        authzid: authzid.map(str::to_owned),
        secret: secret.map(|secret| secret.as_bytes().to_vec()),
    })
}

const SCRAMS: [Mechanism; 4] =
    [Mechanism::ScramSha1, Mechanism::ScramSha1Plus, Mechanism::ScramSha256, Mechanism::ScramSha256Plus];

#[test]
fn plain_and_login_are_understood() {
    let plain = login(Mechanism::Plain, r"Domain1\User1", "pencil");
    assert_eq!(exchange(&plain, "", ""), accepted(Some(r"Domain1\User1"), Some(""), Some("pencil")));
    let acting = Login { authzid: Some("other".into()), ..plain };
    assert_eq!(exchange(&acting, "", ""), accepted(Some(r"Domain1\User1"), Some("other"), Some("pencil")));
    let sasl_login = login(Mechanism::SaslLogin, r"Domain1\User1", "pencil");
    assert_eq!(exchange(&sasl_login, "", ""), accepted(Some(r"Domain1\User1"), None, Some("pencil")));
}

#[test]
fn scram_proves_itself_both_ways() {
    for mechanism in SCRAMS {
        let right = login(mechanism, r"Domain1\User1", "pencil");
        assert_eq!(exchange(&right, r"Domain1\User1", "pencil"), accepted(Some(r"Domain1\User1"), None, None));
        let acting = Login { authzid: Some("other".into()), ..right };
        let taken = accepted(Some(r"Domain1\User1"), Some("other"), None);
        assert_eq!(exchange(&acting, r"Domain1\User1", "pencil"), taken);
        // rsasl says what is wrong by `e=`, which is no proof.
        let wrong = login(mechanism, r"Domain1\User1", "pen");
        assert!(matches!(exchange(&wrong, r"Domain1\User1", "pencil"), Ended::Unproven(_)), "{mechanism}");
    }
}

#[test]
fn passwords_are_prepared_as_rsasl_prepares_them() {
    // SASLprep makes IX of U+2168; the server has the keys of what is prepared.
    let roman = login(Mechanism::ScramSha256, "user", "\u{2168}");
    assert_eq!(exchange(&roman, "user", "IX"), accepted(Some("user"), None, None));
}

#[test]
fn scram_faults_are_refused_by_rsasl() {
    for mechanism in SCRAMS {
        // rsasl 2.3.1 panics where the last message is empty: it is no judge of that.
        let skipped = [Fault::EmptyResponse];
        for &fault in Fault::ALL.iter().filter(|fault| fault.fits(mechanism) && !skipped.contains(fault)) {
            let faulty = Login { fault: Some(fault), ..login(mechanism, "user", "pencil") };
            assert_eq!(exchange(&faulty, "user", "pencil"), Ended::Refused, "{mechanism} {fault}");
        }
    }
}

#[test]
fn faults_of_the_others_are_refused_by_rsasl() {
    let cases = [
        (Mechanism::Plain, Fault::MissingNul),
        (Mechanism::Plain, Fault::ExtraNul),
        (Mechanism::Plain, Fault::EmptyResponse),
        (Mechanism::Xoauth2, Fault::MissingSeparator),
        (Mechanism::Xoauth2, Fault::Truncated),
        (Mechanism::Oauthbearer, Fault::MissingSeparator),
        (Mechanism::Oauthbearer, Fault::Oversize),
    ];
    for (mechanism, fault) in cases {
        let faulty = Login { fault: Some(fault), ..login(mechanism, "user", TOKEN) };
        assert_eq!(exchange(&faulty, "user", TOKEN), Ended::Refused, "{mechanism} {fault}");
    }
}

#[test]
fn tokens_are_understood_and_their_errors_answered() {
    let xoauth2 = login(Mechanism::Xoauth2, "user@example.com", TOKEN);
    assert_eq!(exchange(&xoauth2, "", ""), accepted(Some("user@example.com"), None, Some(TOKEN)));
    let bearer = login(Mechanism::Oauthbearer, "user@example.com", TOKEN);
    let bearer = Login { host: Some("server.example.com".to_owned()), ..bearer };
    let token = format!("Bearer {TOKEN}");
    assert_eq!(exchange(&bearer, "", ""), accepted(None, Some("user@example.com"), Some(&token)));
    let acting = Login { authzid: Some("other".into()), ..bearer };
    assert_eq!(exchange(&acting, "", ""), accepted(None, Some("other"), Some(&token)));
    for mechanism in [Mechanism::Xoauth2, Mechanism::Oauthbearer] {
        let wrong = login(mechanism, "user@example.com", "wrong");
        assert!(matches!(exchange(&wrong, "", ""), Ended::Unproven(_)), "{mechanism}");
    }
}

#[test]
fn external_and_anonymous_are_understood() {
    assert_eq!(exchange(&login(Mechanism::External, "user", ""), "", ""), accepted(None, Some("user"), None));
    assert_eq!(exchange(&login(Mechanism::External, "", ""), "", ""), accepted(None, Some(""), None));
    assert_eq!(exchange(&login(Mechanism::Anonymous, "trace", ""), "", ""), accepted(Some("trace"), None, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_name_and_password_mean_the_same_to_rsasl(name in "[a-z,=\\\\/@.]{1,12}", password in "[ -~]{1,12}") {
        for mechanism in [Mechanism::ScramSha1, Mechanism::ScramSha256Plus] {
            let taken = exchange(&login(mechanism, &name, &password), &name, &password);
            prop_assert_eq!(taken, accepted(Some(&escaped(&name)), None, None));
        }
        let plain = exchange(&login(Mechanism::Plain, &name, &password), "", "");
        prop_assert_eq!(plain, accepted(Some(&name), Some(""), Some(&password)));
    }
}

/// A challenge by ntlmclient, as octets.
fn ntlm_challenge(server_challenge: [u8; 8], domain: &str) -> (Vec<u8>, Vec<u8>) {
    use ntlmclient::{TargetInfoEntry, TargetInfoType};
    let target_information = vec![
        TargetInfoEntry::from_string(TargetInfoType::NtDomain, domain),
        TargetInfoEntry::from_string(TargetInfoType::NtServer, "Server"),
        TargetInfoEntry { entry_type: TargetInfoType::Terminator, data: Vec::new() },
    ];
    let pairs = target_information.iter().flat_map(TargetInfoEntry::to_bytes).collect();
    (build_challenge(server_challenge, domain, &target_information), pairs)
}

/// ntlmclient 0.2.0 forgets the context's eight octets when it places the fields of a challenge, so that the message
/// is put together here, and read by it to be sure.
fn build_challenge(challenge: [u8; 8], name: &str, pairs: &[ntlmclient::TargetInfoEntry]) -> Vec<u8> {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let pairs: Vec<u8> = pairs.iter().flat_map(ntlmclient::TargetInfoEntry::to_bytes).collect();
    let field = |length: usize, offset: usize| {
        let length = u16::try_from(length).unwrap().to_le_bytes();
        [&length[..], &length, &u32::try_from(offset).unwrap().to_le_bytes()].concat()
    };
    let message = [
        &b"NTLMSSP\0\x02\0\0\0"[..],
        &field(name.len(), 56),
        &0x0088_8205_u32.to_le_bytes(),
        &challenge,
        &[0; 8],
        &field(pairs.len(), 56 + name.len()),
        &[0; 8],
        &name,
        &pairs,
    ]
    .concat();
    let read = ntlmclient::Message::try_from(message.as_slice()).unwrap();
    assert!(matches!(read, ntlmclient::Message::Challenge(read) if read.challenge == challenge));
    message
}

proptest! {
    #[test]
    fn ntlm_answers_as_ntlmclient_does(
        user in "[a-zA-Z0-9äöß@./]{1,12}",
        domain in "[a-zA-Z0-9é]{0,8}",
        password in "[ -~ü]{1,12}",
        server_challenge: [u8; 8],
        filetime in 0..i64::MAX,
    ) {
        let (challenge, pairs) = ntlm_challenge(server_challenge, "Domain");
        let credentials =
            ntlmclient::Credentials { username: user.clone(), password: password.clone(), domain: domain.clone() };
        let theirs = ntlmclient::respond_challenge_ntlm_v2(server_challenge, &pairs, filetime, &credentials);
        // It draws its own client challenge, and sends that at the end of the LM response.
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&theirs.lm_response[16..]);

        let name = if domain.is_empty() { user.clone() } else { format!(r"{domain}\{user}") };
        let fresh = Fresh { nonce, filetime: u64::try_from(filetime).unwrap() };
        let login = Login { fresh, ..login(Mechanism::Ntlm, &name, &password) };
        let mut client = Sasl::new(&login, None, false).unwrap().unwrap();
        prop_assert!(client.next(b"").is_ok());
        let mut outgoing = Outgoing::default();
        client.next(&challenge).ok().unwrap().response.push_to(&mut outgoing);
        let ours = decode_challenge(&outgoing.octets).unwrap();
        let read = ntlmclient::Message::try_from(ours.as_slice()).unwrap();
        let ntlmclient::Message::Authenticate(read) = read else { panic!("not AUTHENTICATE") };
        prop_assert_eq!(read.lm_response, theirs.lm_response);
        prop_assert_eq!(read.ntlm_response, theirs.ntlm_response);
        prop_assert_eq!((read.user_name, read.domain_name), (user, domain));
    }
}
