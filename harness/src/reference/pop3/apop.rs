//! `APOP` (RFC 1939 §7): a digest of the greeting's timestamp and the password.

use super::super::authority::{Authority, Credentials, Evidence};
use super::super::crypto::{hex, is_md5_hex, md5, same_octets};
use super::super::flaw::Flaw;
use super::{Pop3Session, State, access};
use crate::axes::Mechanism;
use crate::identity::Account;

/// How many digits a digest has.
const DIGITS: usize = 32;

/// The timestamp of one greeting, where `APOP` is offered: no two are the same.
pub(super) fn timestamp(authority: &Authority) -> Option<Vec<u8>> {
    let secrets = authority.secrets();
    let repeats = authority.flaws().has(Flaw::ApopRepeatsTimestamp);
    let new = || if repeats { secrets.same_timestamp() } else { secrets.timestamp() };
    authority.offers(access(Mechanism::Apop)).then(new)
}

impl Pop3Session {
    pub(super) fn apop(&mut self, name: &[u8], digest: &[u8], out: &mut Vec<u8>) {
        let Some(timestamp) = self.timestamp.clone() else {
            return self.refuse("APOP is not offered", out);
        };
        self.state = State::Authorization;
        let accepts_prefix = self.authority.flaws().has(Flaw::ApopAcceptsPrefix) && digest.len() <= DIGITS;
        if !is_md5_hex(digest) && !accepts_prefix {
            return self.malformed("a digest has 32 lower-case hexadecimal digits (RFC 1939 section 7)", out);
        }
        let proof = |account: &Account| proves(&timestamp, account.password.expose(), digest, accepts_prefix);
        let decision = self.authority.decide(&Credentials {
            name,
            evidence: Evidence::Proof(&proof),
            authorization: b"",
            access: access(Mechanism::Apop),
        });
        self.conclude(decision, out);
    }
}

fn proves(timestamp: &[u8], password: &[u8], digest: &[u8], accepts_prefix: bool) -> bool {
    let expected = hex(&md5(&[timestamp, password]));
    let compared = if accepts_prefix { digest.len() } else { DIGITS };
    expected.get(..compared).is_some_and(|expected| same_octets(expected, digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1939() {
        let timestamp = b"<1896.697170952@dbc.mtview.ca.us>";
        assert!(proves(timestamp, b"tanstaaf", b"c4c9334bac560ecc979e58001b3e22fb", false));
        assert!(!proves(timestamp, b"tanstaaf", b"c4c9334bac560ecc979e58001b3e22fc", false));
        assert!(!proves(timestamp, b"tanstaaf", b"c4c9334bac560ecc979e58001b3e22f", false));
        assert!(proves(timestamp, b"tanstaaf", b"c4c9334bac560ecc979e58001b3e22f", true));
    }
}
