//! What to do about a server that cannot be talked to, or that does not let a good login in.

use std::io::ErrorKind;

use crate::axes::{Protocol, Security};
use crate::identity::{Account, escape};
use crate::protocol::{Outcome, Reply, ResponseCode, Stage};
use crate::target::Endpoint;
use crate::transport::ConnectError;

/// What a connection that does not stand suggests.
pub(super) fn on_connecting(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::TimedOut(_) => {
            "nothing answers: is the address right, and does every firewall on the way let it through?"
        }
        ConnectError::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => "nothing listens there: is the port right, and does the server run?",
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "no way leads there: is the address right?",
            // Names that do not resolve have no kind of their own.
            _ if error.to_string().contains("lookup") => "is the host's name right?",
            _ => "is the address right?",
        },
    }
}

/// What a failed handshake suggests; `reason` is the transport's.
pub(super) fn on_tls(endpoint: &Endpoint, reason: &str) -> String {
    let Endpoint { protocol, .. } = endpoint;
    let is = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if is(&["is not TLS", "nothing that is TLS"]) {
        if endpoint.security == Security::Tls {
            let usual = if *protocol == Protocol::Imap { 993 } else { 995 };
            return format!(
                "this port begins without TLS: it belongs under [{protocol}] with security = \"starttls\", or after \
                 --{protocol}; TLS from the first octet is usually spoken at port {usual}"
            );
        }
        return "the server agrees to begin TLS and then does not".to_string();
    }
    if is(&["no handshake within"]) {
        return "--timeout 30s waits longer, if it is TLS that is spoken there".to_string();
    }
    "nothing was asked; --ca FILE (ca = \"FILE\" under [tls]) trusts an authority of your own or a certificate that has \
     signed itself, --server-name NAME (server-name = \"NAME\") expects another name, --insecure verifies nothing"
        .to_string()
}

/// What a missing greeting suggests.
pub(super) fn on_greeting(endpoint: &Endpoint, outcome: &Outcome) -> String {
    let Endpoint { protocol, .. } = endpoint;
    match outcome {
        Outcome::NoAnswer(Stage::Greeting) if endpoint.security != Security::Tls => format!(
            "a port for TLS from the first octet waits for the client to begin: if this is one, it belongs under \
             [{protocol}s], or after --{protocol}s; if not, --timeout 30s waits longer"
        ),
        Outcome::NoAnswer(_) => "--timeout 30s waits longer".to_string(),
        Outcome::Garbled { .. } => format!("something else than {protocol} is spoken there: is the port right?"),
        Outcome::Closed { farewell, .. } => match farewell {
            Some(reply) => format!("it said goodbye at once{}", words(reply)),
            None => {
                "it closes at once, as servers do that have too many connections or do not like the address".to_string()
            }
        },
        _ => String::new(),
    }
}

/// What a login that must work and does not suggests; reads after what it came to.
pub(super) fn on_login(outcome: &Outcome, account: &Account, security: Security) -> String {
    let role = &account.role;
    match outcome {
        Outcome::Rejected(reply) if wants_protection(reply) => format!("{}{}", words(reply), in_the_open(security)),
        Outcome::NotOffered(what) if what.contains("LOGINDISABLED") => in_the_open(security),
        Outcome::Rejected(reply) | Outcome::Bad(reply) => format!(
            "{}; the user name, the dialect or the password of the role `{role}` is wrong, or there is no such account \
             (servers do not say which)",
            words(reply)
        ),
        Outcome::Opened { mailbox: Some(found), .. } => {
            format!("; `mailbox` of the role `{role}` is wrong, if {} is the account's own mailbox", escape(found))
        }
        Outcome::Unbound(reply) => format!("{}; the account of the role `{role}` has no INBOX to read", words(reply)),
        Outcome::NoAnswer(Stage::Login) => {
            "; servers make whoever was refused before wait: --timeout 30s waits longer".to_string()
        }
        _ => String::new(),
    }
}

/// Whether a refusal is about the connection, not about the password. Only IMAP has a code for it; what else is known
/// are Dovecot's words.
pub(super) fn wants_protection(reply: &Reply) -> bool {
    let text = reply.text.to_ascii_lowercase();
    reply.code == Some(ResponseCode::PrivacyRequired) || text.starts_with(b"plaintext authentication disallowed")
}

fn in_the_open(security: Security) -> String {
    match security {
        Security::Plaintext => "; no password is taken over an unprotected connection: security = \"starttls\" or \
                                \"tls\" in the target's file, or --security, protects it"
            .to_string(),
        Security::Starttls | Security::Tls => {
            "; no password is taken by LOGIN, and no other mechanism is offered that a sanity login can use".to_string()
        }
    }
}

/// The server's own words, in brackets; nothing where there are none.
pub(super) fn words(reply: &Reply) -> String {
    const SHOWN_OCTETS: usize = 200;
    let code = reply.code.as_ref().map(|code| format!("[{code}] ")).unwrap_or_default();
    let text = escape(reply.text.get(..reply.text.len().min(SHOWN_OCTETS)).unwrap_or_default());
    let said = format!("{code}{text}");
    if said.is_empty() { said } else { format!(" (`{}`)", said.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Proof;
    use crate::secret::Password;

    fn endpoint(security: Security) -> Endpoint {
        Endpoint { protocol: Protocol::Imap, address: "h:143".to_string(), security }
    }

    fn account() -> Account {
        Account {
            role: "same".to_string(),
            domain: Vec::new(),
            user: b"test1".to_vec(),
            password: Password::new("x"),
            token: None,
            mailbox: Some(b"test1".to_vec()),
            may_open: Vec::new(),
            disabled: false,
            master: false,
        }
    }

    #[test]
    fn a_port_of_the_other_kind() {
        let not_tls = on_tls(&endpoint(Security::Tls), "what the server sent is not TLS (it began with `* OK`)");
        assert!(not_tls.contains("security = \"starttls\"") && not_tls.contains("993"), "{not_tls}");
        let silent = on_greeting(&endpoint(Security::Plaintext), &Outcome::NoAnswer(Stage::Greeting));
        assert!(silent.contains("[imaps]"), "{silent}");
        assert!(!on_greeting(&endpoint(Security::Tls), &Outcome::NoAnswer(Stage::Greeting)).contains("[imaps]"));
    }

    #[test]
    fn certificates() {
        let said = on_tls(&endpoint(Security::Starttls), "the certificate's issuer is not trusted");
        for way in ["--ca FILE", "ca = \"FILE\" under [tls]", "--server-name NAME", "--insecure"] {
            assert!(said.contains(way), "{said}");
        }
        assert!(on_tls(&endpoint(Security::Tls), "no handshake within 5.0 s").contains("--timeout"));
    }

    #[test]
    fn connections() {
        let io = |kind: ErrorKind| on_connecting(&ConnectError::Io(kind.into()));
        assert!(io(ErrorKind::ConnectionRefused).contains("is the port right"));
        let unknown = std::io::Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(on_connecting(&ConnectError::Io(unknown)), "is the host's name right?");
        assert!(on_connecting(&ConnectError::TimedOut(std::time::Duration::from_secs(5))).contains("firewall"));
    }

    #[test]
    fn logins() {
        let said = |outcome: Outcome, security| on_login(&outcome, &account(), security);
        let refused = Outcome::Rejected(Reply::from_text(b"[AUTHENTICATIONFAILED] Authentication failed."));
        let wrong = said(refused, Security::Plaintext);
        assert!(wrong.starts_with(" (`[AUTHENTICATIONFAILED] Authentication failed.`); the user name"), "{wrong}");
        let disabled = || Outcome::NotOffered("LOGIN (LOGINDISABLED)".to_string());
        assert!(said(disabled(), Security::Plaintext).contains("security = \"starttls\""));
        assert!(!said(disabled(), Security::Tls).contains("starttls"));
        let dovecot = b"[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.";
        let open = said(Outcome::Rejected(Reply::from_text(dovecot)), Security::Plaintext);
        assert!(open.contains("security = \"starttls\"") && !open.contains("there is no such account"), "{open}");
        let other = Outcome::Opened { mailbox: Some(b"other".to_vec()), proof: Proof::Canary };
        assert!(said(other, Security::Tls).contains("`mailbox` of the role `same` is wrong, if other is"));
        assert_eq!(said(Outcome::Followed, Security::Tls), "");
    }
}
