//! The client's side of TLS: settings made into something that shakes hands.
//!
//! All connections with the same settings share one [`TlsClient`] (a clone is the same client), and with it the store
//! of sessions, so that handshakes after the first are resumed.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::CipherSuite;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};

use super::own_certificates::OwnCertificates;
use super::tls::{ClientCertificate, Roots, TlsSettings, TlsVersion};

/// How many sessions are kept for resumption. All are with one server, and each is good for one handshake in TLS 1.3.
const KEPT_SESSIONS: usize = 256;

/// What shakes hands with one server.
#[derive(Clone)]
pub struct TlsClient {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// Why the settings make no client. Reads after "failed to set up TLS: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsSettingsError {
    /// The operating system's certificates cannot be had.
    #[error("the system's root certificates cannot be read: {0}")]
    SystemRoots(String),
    /// The settings' own certificates are none.
    #[error("the root certificates cannot be read: {0}")]
    OwnRoots(String),
    /// The client's certificate or its key is none.
    #[error("the client's certificate cannot be used: {0}")]
    Certificate(String),
    /// Nobody can have a certificate for this.
    #[error("`{0}` is neither a host name nor an IP address")]
    Name(String),
    /// No version is both new and old enough.
    #[error("the oldest version of TLS is newer than the newest")]
    Versions,
    /// The library refuses the combination.
    #[error("{0}")]
    Refused(String),
}

impl TlsClient {
    /// A client for the server at `address` (host and port), known by the settings' name or by its host.
    pub fn new(
        settings: &TlsSettings,
        certificate: Option<&ClientCertificate>,
        address: &str,
    ) -> Result<Self, TlsSettingsError> {
        let mut provider = ring::default_provider();
        // What is cheapest first: nothing secret travels here, and processors help with AES and SHA-256.
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        let provider = Arc::new(provider);
        let verifier = verifier(settings, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(settings)?)
            .map_err(|error| TlsSettingsError::Refused(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let unusable = |error: &dyn std::fmt::Display| TlsSettingsError::Certificate(error.to_string());
                let chain = certificates(&certificate.chain).map_err(|reason| unusable(&reason))?;
                // What the reader of PEM says does not show the key.
                let key = PrivateKeyDer::from_pem_slice(certificate.key.expose()).map_err(|error| unusable(&error))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error))?
            }
        };
        config.resumption = Resumption::in_memory_sessions(KEPT_SESSIONS);
        let name = settings.server_name.as_deref().unwrap_or_else(|| host(address));
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsSettingsError::Name(name.to_owned()))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// Begins a handshake over a stream that stands.
    pub(super) fn connect<S>(&self, stream: S) -> tokio_rustls::Connect<S>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        self.connector.connect(self.name.clone(), stream)
    }
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TlsClient({})", self.name.to_str())
    }
}

fn versions(settings: &TlsSettings) -> Result<Vec<&'static SupportedProtocolVersion>, TlsSettingsError> {
    let all = [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)];
    let wanted = settings.oldest..=settings.newest;
    let versions: Vec<_> = all.into_iter().filter(|(version, _)| wanted.contains(version)).map(|(_, it)| it).collect();
    if versions.is_empty() { Err(TlsSettingsError::Versions) } else { Ok(versions) }
}

fn verifier(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsSettingsError> {
    if !settings.verified {
        return Ok(Arc::new(Anybody(Arc::clone(provider))));
    }
    match &settings.roots {
        Roots::System => {
            let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(provider))
                .map_err(|error| TlsSettingsError::SystemRoots(error.to_string()))?;
            Ok(Arc::new(verifier))
        }
        Roots::Own(pem) => {
            let unreadable = |error: &dyn std::fmt::Display| TlsSettingsError::OwnRoots(error.to_string());
            let trusted = certificates(pem).map_err(|reason| unreadable(&reason))?;
            let mut roots = RootCertStore::empty();
            for certificate in &trusted {
                roots.add(certificate.clone()).map_err(|error| unreadable(&error))?;
            }
            let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
            let chains = chains.map_err(|error| unreadable(&error))?;
            Ok(Arc::new(OwnCertificates::new(trusted, settings.server_name.is_some(), chains)))
        }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    if certificates.is_empty() { Err("there is no certificate in PEM".to_owned()) } else { Ok(certificates) }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Takes anybody's certificate. That the server holds the certificate's key is checked nonetheless, so that a broken
/// handshake is one also where nobody cares with whom it is.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Password;

    fn client(settings: &TlsSettings, address: &str) -> Result<TlsClient, TlsSettingsError> {
        TlsClient::new(settings, None, address)
    }

    fn unverified() -> TlsSettings {
        TlsSettings { verified: false, ..TlsSettings::default() }
    }

    #[test]
    fn the_name_is_the_settings_or_the_hosts() {
        for (address, name) in [
            ("mail.example.org:993", "mail.example.org"),
            ("127.0.0.1:993", "127.0.0.1"),
            ("[::1]:993", "::1"),
            ("localhost", "localhost"),
        ] {
            let made = client(&unverified(), address).expect("a name");
            assert_eq!(format!("{made:?}"), format!("TlsClient({name})"));
        }
        let named = TlsSettings { server_name: Some("other.example".to_owned()), ..unverified() };
        assert_eq!(format!("{:?}", client(&named, "127.0.0.1:1").expect("a name")), "TlsClient(other.example)");
        let nobody = client(&unverified(), "no body:1").map(|_| ());
        assert_eq!(nobody, Err(TlsSettingsError::Name("no body".to_owned())));
    }

    #[test]
    fn settings_that_make_no_client() {
        let reason = |settings: TlsSettings| client(&settings, "localhost:1").map(|_| ()).expect_err("no client");
        let versions = TlsSettings { oldest: TlsVersion::Tls13, newest: TlsVersion::Tls12, ..unverified() };
        assert_eq!(reason(versions), TlsSettingsError::Versions);
        for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----"]
        {
            let settings = TlsSettings { roots: Roots::Own(pem.into()), ..TlsSettings::default() };
            assert!(matches!(reason(settings), TlsSettingsError::OwnRoots(_)), "{pem}");
        }
        let certificate = ClientCertificate { chain: Vec::new(), key: Password::new("Secret-Key") };
        let error = TlsClient::new(&unverified(), Some(&certificate), "localhost:1").expect_err("no certificate");
        assert!(matches!(error, TlsSettingsError::Certificate(_)));
        assert!(!error.to_string().contains("Secret-Key"));
    }
}
