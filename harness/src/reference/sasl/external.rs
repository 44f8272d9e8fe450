//! EXTERNAL (RFC 4422 appendix A): the TLS client certificate says who it is; the answer is an authorization identity.

use super::super::authority::Evidence;
use super::{Context, Step};
use crate::axes::Mechanism;

pub(super) fn answer(authorization: &[u8], context: Context<'_>) -> Result<Step, &'static str> {
    if authorization.contains(&0) || std::str::from_utf8(authorization).is_err() {
        return Err("EXTERNAL takes UTF-8 without NUL (RFC 4422 appendix A.1)");
    }
    let Some(identity) = context.connection.certificate() else {
        return Err("there is no client certificate");
    };
    let evidence = Evidence::Certificate(identity);
    Ok(Step::Decided(context.decide(Mechanism::External, b"", authorization, evidence)))
}
