//! A certificate authority of the reference server's own: its certificate, the server's, and those of clients.
//!
//! They are made in this process, in about a millisecond, and nobody else has their keys. Whose certificate a client
//! shows is looked up among those that were issued here, so nothing of it has to be parsed.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ALL_VERSIONS, RootCertStore, ServerConfig};

use super::connection::{CertificateIdentity, TlsFacts};
use crate::identity::Account;
use crate::secret::Password;

/// The names that the server's certificate is for.
const SERVER_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate authority, and what it has issued.
pub struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    server: CertificateDer<'static>,
    server_key: KeyPair,
    clients: Mutex<BTreeMap<Identity, Issued>>,
}

/// Domain and user.
type Identity = (Vec<u8>, Vec<u8>);

struct Issued {
    der: CertificateDer<'static>,
    handed_out: IssuedCertificate,
}

/// A client's certificate and its key.
#[derive(Debug, Clone)]
pub struct IssuedCertificate {
    /// The certificate, in PEM.
    pub chain: Vec<u8>,
    /// Its private key, in PEM.
    pub key: Password,
}

impl Certificates {
    /// Makes an authority and a certificate for the server.
    pub fn new() -> io::Result<Self> {
        let mut parameters = named("loginspec reference authority", b"loginspec", &[])?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority =
            CertifiedIssuer::self_signed(parameters, KeyPair::generate().map_err(failed)?).map_err(failed)?;
        let mut parameters = named("loginspec reference server", b"loginspec", &SERVER_NAMES)?;
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let server_key = KeyPair::generate().map_err(failed)?;
        let server = parameters.signed_by(&server_key, &authority).map_err(failed)?.der().clone();
        Ok(Self { authority, server, server_key, clients: Mutex::default() })
    }

    /// Those of this process: made once, however many servers there are.
    pub fn shared() -> io::Result<Arc<Self>> {
        static SHARED: LazyLock<Result<Arc<Certificates>, String>> =
            LazyLock::new(|| Certificates::new().map(Arc::new).map_err(|error| error.to_string()));
        SHARED.clone().map_err(io::Error::other)
    }

    /// The authority's certificate, in PEM.
    pub fn ca_pem(&self) -> Vec<u8> {
        self.authority.pem().into_bytes()
    }

    /// The account's certificate; the same one whenever it is asked for.
    pub fn client_certificate(&self, account: &Account) -> io::Result<IssuedCertificate> {
        let identity = (account.domain.clone(), account.user.clone());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(issued) = clients.get(&identity) {
            return Ok(issued.handed_out.clone());
        }
        let mut parameters = named(&String::from_utf8_lossy(&account.user), &account.domain, &[])?;
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.signed_by(&key, &self.authority).map_err(failed)?;
        let handed_out = IssuedCertificate {
            chain: certificate.pem().into_bytes(),
            key: Password::new(key.serialize_pem().into_bytes()),
        };
        clients.insert(identity, Issued { der: certificate.der().clone(), handed_out: handed_out.clone() });
        Ok(handed_out)
    }

    /// Whom a certificate was issued to.
    fn identity_of(&self, certificate: &CertificateDer<'_>) -> Option<CertificateIdentity> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let ((domain, user), _) = clients.iter().find(|(_, issued)| issued.der == *certificate)?;
        Some(CertificateIdentity { domain: domain.clone(), user: user.clone() })
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates")
    }
}

/// What a server needs to speak TLS 1.2 and 1.3. A clone is the same server: sessions are resumed across clones.
#[derive(Clone)]
pub struct ServerTls {
    certificates: Arc<Certificates>,
    acceptor: TlsAcceptor,
}

impl ServerTls {
    /// TLS with these certificates. Clients may show one of their own, if it was issued here.
    pub fn new(certificates: Arc<Certificates>) -> io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(certificates.authority.der().clone()).map_err(io::Error::other)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certificates.server_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(ALL_VERSIONS)
            .map_err(io::Error::other)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificates.server.clone()], key)
            .map_err(io::Error::other)?;
        config.ticketer = ring::Ticketer::new().map_err(io::Error::other)?;
        Ok(Self { certificates, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// The certificates.
    pub const fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    pub(super) const fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// What a session is to know of a connection.
    pub(super) fn facts<S>(&self, stream: &tokio_rustls::server::TlsStream<S>) -> TlsFacts {
        let (_, connection) = stream.get_ref();
        let exporter = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok();
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        TlsFacts { exporter, certificate: shown.and_then(|shown| self.certificates.identity_of(shown)) }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

/// Parameters with this common name and organization.
fn named(name: &str, organization: &[u8], alternatives: &[&str]) -> io::Result<CertificateParams> {
    let alternatives: Vec<String> = alternatives.iter().map(|&name| name.to_owned()).collect();
    let mut parameters = CertificateParams::new(alternatives).map_err(failed)?;
    parameters.distinguished_name = DistinguishedName::new();
    if !organization.is_empty() {
        parameters.distinguished_name.push(DnType::OrganizationName, String::from_utf8_lossy(organization).as_ref());
    }
    parameters.distinguished_name.push(DnType::CommonName, name);
    Ok(parameters)
}

fn failed(error: rcgen::Error) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::bundled_directory;

    #[test]
    fn every_account_has_one_certificate_and_is_found_by_it() {
        let certificates = Certificates::new().expect("an authority");
        let directory = bundled_directory().expect("directory");
        for account in &directory.accounts {
            let first = certificates.client_certificate(account).expect("a certificate");
            let again = certificates.client_certificate(account).expect("a certificate");
            assert_eq!(first.chain, again.chain);
            assert!(!format!("{first:?}").contains("PRIVATE"));
        }
        let clients = certificates.clients.lock().expect("unpoisoned");
        let issued: Vec<_> = clients.iter().map(|(identity, issued)| (identity.clone(), issued.der.clone())).collect();
        drop(clients);
        assert_eq!(issued.len(), directory.accounts.len());
        for ((domain, user), der) in issued {
            assert_eq!(certificates.identity_of(&der), Some(CertificateIdentity { domain, user }));
        }
        let stranger = Certificates::new().expect("another authority");
        assert_eq!(certificates.identity_of(&stranger.server), None);
    }

    #[test]
    fn the_shared_authority_is_one() {
        let (one, other) = (Certificates::shared().expect("an authority"), Certificates::shared().expect("the same"));
        assert!(Arc::ptr_eq(&one, &other));
        assert!(ServerTls::new(one).is_ok());
    }
}
