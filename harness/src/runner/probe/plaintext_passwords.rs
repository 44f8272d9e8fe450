//! Whether a server takes passwords without TLS, found out without sending one: by what it offers, and by a login with a
//! name and a password that no account has.

use crate::axes::{Mechanism, Security};
use crate::protocol::{Login, Outcome, Session};
use crate::runner::connection::{From, open};
use crate::runner::fresh::fresh;
use crate::runner::sanity::NOBODY;
use crate::scenario::describe;
use crate::secret::Password;
use crate::target::{Endpoint, Observation, Target, offers_mechanism};
use crate::transport::Deadlines;

/// The mechanisms that carry the password itself.
const CARRY_PASSWORDS: [Mechanism; 3] = [Mechanism::Login, Mechanism::Plain, Mechanism::SaslLogin];

/// Whether an endpoint takes passwords without TLS; `capabilities` are those before TLS.
///
/// A server that offers no way to send a password takes none. Where it offers one, the answer to a login that must fail
/// tells whether it looked at the password or refused it for want of TLS.
pub(super) async fn plaintext_passwords(
    target: &Target,
    endpoint: &Endpoint,
    capabilities: &Observation<Vec<String>>,
    from: From<'_>,
    deadlines: Deadlines,
) -> Observation<bool> {
    let capabilities = match capabilities {
        Observation::Seen(capabilities) => capabilities,
        Observation::NotApplicable => return Observation::NotApplicable,
        Observation::NotOffered(what) => return Observation::NotOffered(what.clone()),
        Observation::Failed(reason) => return Observation::Failed(reason.clone()),
    };
    let protocol = endpoint.protocol;
    let offered = CARRY_PASSWORDS.into_iter().find(|mechanism| offers_mechanism(protocol, *mechanism, capabilities));
    let Some(mechanism) = offered else { return Observation::Seen(false) };
    let fresh = match fresh() {
        Ok(fresh) => fresh,
        Err(reason) => return Observation::Failed(reason),
    };
    let connection = match open(target, endpoint, Security::Plaintext, from, deadlines).await {
        Ok(connection) => connection,
        Err(error) => return Observation::Failed(error.reason()),
    };
    let login = Login { fresh, ..Login::new(protocol, mechanism, NOBODY, Password::new(NOBODY)) };
    match connection.converse(Session::login(login), deadlines).await.outcome {
        Outcome::Rejected(reply) | Outcome::Bad(reply) => Observation::Seen(!reply.wants_protection()),
        Outcome::NotOffered(_) => Observation::Seen(false),
        Outcome::Opened { .. } | Outcome::Unbound(_) => Observation::Seen(true),
        other => Observation::Failed(describe(&other)),
    }
}
