//! The TLS clients of a target: made once for each address and certificate, so that handshakes can be resumed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Endpoint, Target};
use crate::transport::TlsClient;

/// The clients that have been made so far.
#[derive(Default)]
pub(crate) struct TlsClients(Mutex<HashMap<(String, Option<String>), TlsClient>>);

impl Target {
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
