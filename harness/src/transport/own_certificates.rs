//! Verification against the certificates of `--ca`: a server shows one of them, or one that they have signed.
//!
//! A certificate that `openssl req -x509` makes is its own authority (CA:TRUE), and a chain must not end in an authority
//! (RFC 5280 §4.2.1.9). Users name such a certificate as the one that their server has, so it is compared octet by octet.
//!
//! Its name is not compared, unless the user asks for a name: the holder of a trusted certificate's key could sign
//! another certificate for any name, so the comparison would protect nobody (RFC 9525 §6.6 leaves it to the
//! configuration). Its dates count, because mail clients refuse a certificate that has expired. That the server holds the
//! key shows in the handshake's signature.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::tls_failure::is_authority;

/// Verifies a server's certificate against those of the user.
#[derive(Debug)]
pub(super) struct OwnCertificates {
    trusted: Vec<CertificateDer<'static>>,
    /// Whether the user asks for a name, so that a certificate for other names is refused.
    asks_for_name: bool,
    /// Verifies what the trusted certificates have signed.
    chains: Arc<WebPkiServerVerifier>,
}

impl OwnCertificates {
    pub const fn new(
        trusted: Vec<CertificateDer<'static>>,
        asks_for_name: bool,
        chains: Arc<WebPkiServerVerifier>,
    ) -> Self {
        Self { trusted, asks_for_name, chains }
    }

    /// Whether a certificate that is one of the trusted ones is taken although verification as a chain failed.
    fn is_taken(&self, certificate: &CertificateDer<'_>, name: &ServerName<'_>, error: &Error) -> Result<bool, Error> {
        let is_about_trust = match error {
            Error::InvalidCertificate(
                CertificateError::UnknownIssuer
                | CertificateError::BadSignature
                | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
                | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
                | CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. },
            ) => true,
            Error::InvalidCertificate(other) => is_authority(other),
            _ => false,
        };
        if !is_about_trust || !self.trusted.iter().any(|trusted| trusted.as_ref() == certificate.as_ref()) {
            return Ok(false);
        }
        if !self.asks_for_name {
            return Ok(true);
        }
        match verify_server_name(&ParsedCertificate::try_from(certificate)?, name) {
            // Without a subject alternative name there is nothing to compare (RFC 9525 §2 forbids the common name).
            Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }))
                if presented.is_empty() =>
            {
                Ok(true)
            }
            compared => compared.map(|()| true),
        }
    }
}

impl ServerCertVerifier for OwnCertificates {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(error) if self.is_taken(end_entity, server_name, &error)? => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
