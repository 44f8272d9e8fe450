//! Why a handshake failed, in words for the person who has to do something about it.

use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, OtherError, PeerIncompatible};

/// How much of what came in the place of TLS is shown.
const SHOWN_OCTETS: usize = 12;

/// The reason; `first` is what the server sent first. Reads after "the TLS handshake failed: ".
pub(super) fn reason(error: &io::Error, first: &[u8]) -> String {
    match rustls_error(error) {
        Some(Error::InvalidCertificate(certificate)) => certificate_reason(certificate),
        Some(Error::AlertReceived(alert)) => alert_reason(*alert),
        Some(Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        )) => "the server speaks none of the versions of TLS that are wanted".to_owned(),
        // Whatever the library made of it: handshake messages, alerts and their like begin with 0x14 to 0x18
        // (RFC 8446 §5.1).
        Some(_) if !first.first().is_some_and(|octet| (0x14..=0x18).contains(octet)) => not_tls(first),
        Some(other) => other.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => closed(first),
        None if error.kind() == io::ErrorKind::ConnectionReset => closed(first),
        None if error.kind() == io::ErrorKind::BrokenPipe => closed(first),
        None => error.to_string(),
    }
}

/// The library's error within an I/O error.
pub(super) fn rustls_error(error: &io::Error) -> Option<&Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref::<Error>().or_else(|| inner.source()?.downcast_ref::<Error>())
}

fn closed(first: &[u8]) -> String {
    if first.is_empty() {
        "the server closed the connection without a word".to_owned()
    } else if first.first().is_some_and(|octet| (0x14..=0x18).contains(octet)) {
        "the server closed the connection in the middle of the handshake".to_owned()
    } else {
        not_tls(first)
    }
}

fn not_tls(first: &[u8]) -> String {
    if first.is_empty() {
        return "the server sent nothing that is TLS".to_owned();
    }
    let shown = first.get(..SHOWN_OCTETS).unwrap_or(first);
    format!("what the server sent is not TLS (it began with `{}`)", shown.escape_ascii())
}

fn certificate_reason(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "the certificate's issuer is not trusted".to_owned(),
        CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented: Vec<&str> = presented.iter().map(|name| bare_name(name)).collect();
            let names = if presented.is_empty() { "no name at all".to_owned() } else { presented.join(", ") };
            // What a certificate holds is the server's word: it may be long, and may hold anything.
            let names: String = names.chars().filter(|character| !character.is_control()).take(200).collect();
            format!("the certificate is not for {} but for {names}", expected.to_str())
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".to_owned()
        }
        CertificateError::Revoked => "the certificate has been revoked".to_owned(),
        CertificateError::BadEncoding => "the certificate cannot be read".to_owned(),
        CertificateError::BadSignature => "no authority that is trusted has signed the certificate: its signature is wrong".to_owned(),
        error if is_authority(error) => {
            "the certificate is an authority's own (CA:TRUE, as in many that are self-signed) and no server's: only --ca \
             with this very certificate makes it a server's"
                .to_owned()
        }
        other => format!("the certificate is not good: {other}"),
    }
}

/// Whether a server's certificate was refused because it is an authority's own (CA:TRUE, RFC 5280 §4.2.1.9).
pub(super) fn is_authority(error: &CertificateError) -> bool {
    let CertificateError::Other(OtherError(inner)) = error else { return false };
    matches!(inner.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// `localhost` of `DnsName("localhost")`: the library gives names in the way in which programmers read them.
fn bare_name(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

fn alert_reason(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::ProtocolVersion => "the server speaks none of the versions of TLS that are wanted".to_owned(),
        AlertDescription::HandshakeFailure => "the server found no cipher suite or parameters in common".to_owned(),
        AlertDescription::UnrecognisedName => "the server does not know the name that it was asked for".to_owned(),
        AlertDescription::CertificateRequired => "the server wants a client certificate".to_owned(),
        AlertDescription::UnknownCA => "the server does not trust the client certificate's issuer".to_owned(),
        other => format!("the server refused the handshake ({other:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_rustls::rustls::InvalidMessage;
    use tokio_rustls::rustls::pki_types::ServerName;

    fn of(error: Error, first: &[u8]) -> String {
        reason(&io::Error::new(io::ErrorKind::InvalidData, error), first)
    }

    #[test]
    fn certificates() {
        let words = |error: CertificateError| of(Error::InvalidCertificate(error), b"\x16");
        assert_eq!(words(CertificateError::UnknownIssuer), "the certificate's issuer is not trusted");
        assert_eq!(words(CertificateError::Expired), "the certificate has expired");
        assert_eq!(words(CertificateError::NotValidYet), "the certificate is not valid yet");
        let name = |presented: &[&str]| {
            words(CertificateError::NotValidForNameContext {
                expected: ServerName::try_from("mail.example").expect("a name"),
                presented: presented.iter().map(|&name| name.to_owned()).collect(),
            })
        };
        let dns = "DnsName(\"localhost\")";
        assert_eq!(name(&[dns]), "the certificate is not for mail.example but for localhost");
        assert_eq!(
            name(&[dns, "IpAddress(127.0.0.1)"]),
            "the certificate is not for mail.example but for localhost, 127.0.0.1"
        );
        assert_eq!(name(&[]), "the certificate is not for mail.example but for no name at all");
        assert!(name(&[&"x".repeat(5000)]).len() < 300);
    }

    #[test]
    fn what_is_not_tls() {
        let invalid = || Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert_eq!(
            of(invalid(), b"* OK IMAP4rev2 ready\r\n"),
            "what the server sent is not TLS (it began with `* OK IMAP4re`)"
        );
        assert_eq!(of(invalid(), b"+OK\r\n"), "what the server sent is not TLS (it began with `+OK\\r\\n`)");
        assert!(!of(invalid(), b"\x16\x03").contains("not TLS"));
    }

    #[test]
    fn the_server_leaves_or_refuses() {
        let eof = || io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(reason(&eof(), b""), "the server closed the connection without a word");
        assert_eq!(reason(&eof(), b"\x16"), "the server closed the connection in the middle of the handshake");
        assert!(reason(&eof(), b"+OK").contains("is not TLS"));
        let version = of(Error::AlertReceived(AlertDescription::ProtocolVersion), b"\x15");
        assert_eq!(version, "the server speaks none of the versions of TLS that are wanted");
        assert!(of(Error::AlertReceived(AlertDescription::InternalError), b"\x15").contains("InternalError"));
    }
}
