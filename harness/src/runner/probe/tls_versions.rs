//! Which versions of TLS a server accepts: one handshake with each that the client speaks. It speaks 1.2 and 1.3, so
//! whether a server accepts an older one cannot be told.

use crate::axes::Security;
use crate::protocol::{Outcome, Session};
use crate::scenario::describe;
use crate::target::{Endpoint, Observation, Target};
use crate::transport::{Deadlines, TlsClient, TlsSettings, TlsVersion, connect, converse};

/// The oldest version that an endpoint accepts. Nothing secret is sent.
pub(super) async fn oldest_tls(target: &Target, endpoint: &Endpoint, deadlines: Deadlines) -> Observation<TlsVersion> {
    if endpoint.security == Security::Plaintext {
        return Observation::NotApplicable;
    }
    let mut refusal = String::new();
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        match shakes_hands(target, endpoint, version, deadlines).await {
            Ok(None) => return Observation::Seen(version),
            Ok(Some(reason)) => refusal = reason,
            Err(observation) => return observation,
        }
    }
    Observation::Failed(format!("no handshake succeeds: {refusal}"))
}

/// Tries a handshake with one version: nothing where it succeeds, else why the server refused it. An error is what keeps
/// the question from being asked.
async fn shakes_hands(
    target: &Target,
    endpoint: &Endpoint,
    version: TlsVersion,
    deadlines: Deadlines,
) -> Result<Option<String>, Observation<TlsVersion>> {
    let failed = |reason: String| Observation::Failed(reason);
    let settings = TlsSettings { oldest: version, newest: version, ..target.tls.clone() };
    let client = TlsClient::new(&settings, None, &endpoint.address).map_err(|error| failed(error.to_string()))?;
    let stream =
        connect(&endpoint.address, None, deadlines.connect).await.map_err(|error| failed(error.to_string()))?;
    let session = Session::survey(endpoint.protocol, endpoint.security);
    match converse(stream, session, deadlines, Some(&client), endpoint.security).await.outcome {
        Outcome::TlsFailed(reason) => Ok(Some(reason)),
        Outcome::NotOffered(what) => Err(Observation::NotOffered(what.to_string())),
        // What comes after the handshake is another question.
        Outcome::Surveyed(_) => Ok(None),
        other => Err(failed(describe(&other))),
    }
}
