//! The TLS clients of a target: made once for each address and certificate, so that handshakes can be resumed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Endpoint, Target};
use crate::transport::TlsClient;

/// The clients that have been made so far.
#[derive(Default)]
pub(crate) struct TlsClients(Mutex<HashMap<(String, Option<String>), TlsClient>>);

impl Target {
    /// Makes the TLS client of each endpoint, which reads the system's certificates: not to be done where others wait for
    /// it. What fails here fails again, and is told, where the client is needed.
    pub(crate) fn prepare_tls(&self) {
        for endpoint in &self.endpoints {
            let _ = self.tls_client(endpoint, None);
        }
    }

    /// The TLS client for an endpoint; with `certified`, one that shows that role's certificate. An error says why there
    /// can be none.
    pub(crate) fn tls_client(&self, endpoint: &Endpoint, certified: Option<&str>) -> Result<TlsClient, String> {
        // A client is only ever put in whole, so a panic elsewhere does no harm to it.
        let mut clients = self.clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (endpoint.address.clone(), certified.map(str::to_string));
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let certificate = certified.and_then(|role| self.certificates.get(role));
        let client = TlsClient::new(&self.tls, certificate, &endpoint.address)
            .map_err(|error| format!("failed to set up TLS: {error}"))?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::source::SourceText;
    use crate::target::{Passwords, find_dialect, read_target, remote_target};

    #[test]
    fn each_endpoint_has_its_client_before_it_is_needed() {
        let text = "name = 'x'\ndialect = 'opaque'\n[tls]\nverify = false\n[imap]\naddress = 'h:143'\n[imaps]\naddress = 'h:993'\n\
                    [[account]]\nrole = 'same'\nuser = 'a'\npassword = { text = 'Secret' }\n";
        let file = read_target(&SourceText::new("t.toml", text), Path::new(""), Passwords::Fetch, true).unwrap();
        let target = remote_target(file, find_dialect("opaque").unwrap());
        target.prepare_tls();
        assert_eq!(target.clients.0.lock().unwrap().len(), 2);
    }
}
