//! NTLM's messages as octets (MS-NLMP §2.2.1).

use std::ops::Range;

use crate::protocol::MarkedOctets;
use crate::protocol::outgoing::Outgoing;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
const NEGOTIATE_UNICODE: u32 = 0x0000_0001;
const NEGOTIATE_OEM: u32 = 0x0000_0002;
const REQUEST_TARGET: u32 = 0x0000_0004;
const NEGOTIATE_NTLM: u32 = 0x0000_0200;
const NEGOTIATE_ALWAYS_SIGN: u32 = 0x0000_8000;
const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
const NEGOTIATE_TARGET_INFO: u32 = 0x0080_0000;

/// What this client asks for: no signing, no sealing, no version.
const OFFERED: u32 = NEGOTIATE_UNICODE
    | NEGOTIATE_OEM
    | REQUEST_TARGET
    | NEGOTIATE_NTLM
    | NEGOTIATE_ALWAYS_SIGN
    | EXTENDED_SESSION_SECURITY
    | NEGOTIATE_TARGET_INFO;

/// `MsvAvTimestamp` and `MsvAvEOL` (MS-NLMP §2.2.2.1).
const TIMESTAMP: u16 = 7;
const END: u16 = 0;

/// Where the payload of AUTHENTICATE begins: after the version, which is all zero, and without a MIC.
const PAYLOAD: usize = 72;
/// An offset so far outside that with the length it does not fit into 32 bits.
const FAR_OUTSIDE: u32 = 0xFFFF_FFF0;

const FORM: &str = "a challenge is NTLMSSP, NUL, type 2, 32 octets at least (MS-NLMP §2.2.1.2)";
const TARGET_INFO: &str = "the target information lies within the challenge (MS-NLMP §2.2.1.2)";
const PAIRS: &str = "the target information is a list of pairs that ends in MsvAvEOL (MS-NLMP §2.2.2.1)";

/// `NEGOTIATE_MESSAGE` without domain, workstation and version.
pub(super) fn negotiate() -> Vec<u8> {
    let mut message = header(1);
    message.extend_from_slice(&OFFERED.to_le_bytes());
    message.extend_from_slice(&[0; 16]);
    message
}

/// `CHALLENGE_MESSAGE`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge<'a> {
    pub flags: u32,
    pub server_challenge: [u8; 8],
    /// The pairs as they came, their end included; empty where there are none.
    pub target_info: &'a [u8],
}

impl<'a> Challenge<'a> {
    /// Reads the message; where it is wrong, the rule that it breaks.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, &'static str> {
        let rest = message.strip_prefix(&header(2)[..]).ok_or(FORM)?;
        // The target's name comes first, and nobody needs it.
        let flags = rest.get(8..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_le_bytes).ok_or(FORM)?;
        let server_challenge = *rest.get(12..).and_then(|rest| rest.first_chunk()).ok_or(FORM)?;
        let target_info = if flags & NEGOTIATE_TARGET_INFO == 0 {
            &[]
        } else {
            let field = rest.get(28..).and_then(|rest| rest.first_chunk::<8>()).ok_or(TARGET_INFO)?;
            let [low, high, _, _, offset @ ..] = field;
            let start = usize::try_from(u32::from_le_bytes(*offset)).map_err(|_| TARGET_INFO)?;
            let end = start.checked_add(u16::from_le_bytes([*low, *high]).into()).ok_or(TARGET_INFO)?;
            message.get(start..end).ok_or(TARGET_INFO)?
        };
        let challenge = Self { flags, server_challenge, target_info };
        if !target_info.is_empty() && challenge.pairs().last().is_none_or(|last| last != Some((END, &[]))) {
            return Err(PAIRS);
        }
        Ok(challenge)
    }

    /// Whether texts are UTF-16; else they go as they are.
    pub(super) const fn is_unicode(&self) -> bool {
        self.flags & NEGOTIATE_UNICODE != 0
    }

    /// The flags that both sides have.
    pub(super) const fn answered_flags(&self) -> u32 {
        let both = self.flags & OFFERED;
        if self.is_unicode() { both & !NEGOTIATE_OEM } else { both | NEGOTIATE_OEM }
    }

    /// The server's time, where it tells it.
    pub(super) fn timestamp(&self) -> Option<u64> {
        let (_, value) = self.pairs().flatten().find(|(id, _)| *id == TIMESTAMP)?;
        value.first_chunk().copied().map(u64::from_le_bytes)
    }

    /// The pairs up to the end; nothing in the place of one that is cut off.
    fn pairs(&self) -> impl Iterator<Item = Option<(u16, &'a [u8])>> {
        let mut rest = Some(self.target_info);
        std::iter::from_fn(move || {
            let text = rest.take().filter(|text| !text.is_empty())?;
            Some(first_pair(text).map(|(id, value, after)| {
                rest = (id != END).then_some(after);
                (id, value)
            }))
        })
    }
}

fn first_pair(text: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let ([id_low, id_high, low, high], rest) = text.split_first_chunk()?;
    let (value, after) = rest.split_at_checked(u16::from_le_bytes([*low, *high]).into())?;
    Some((u16::from_le_bytes([*id_low, *id_high]), value, after))
}

/// `AUTHENTICATE_MESSAGE`.
pub(super) struct Authenticate {
    pub domain: MarkedOctets,
    pub user: MarkedOctets,
    pub workstation: Vec<u8>,
    pub lm_response: Vec<u8>,
    pub nt_response: Vec<u8>,
    pub flags: u32,
    /// Whether the NT response is said to lie outside of the message.
    pub misplaced: bool,
}

impl Authenticate {
    /// The message, with the responses marked as secret.
    pub(super) fn render(&self) -> Outgoing {
        let mut payload = Outgoing::default();
        let domain = place(&mut payload, &self.domain);
        let user = place(&mut payload, &self.user);
        let workstation = place(&mut payload, &self.workstation.as_slice().into());
        let session_key = place(&mut payload, &MarkedOctets::default());
        let lm_response = place(&mut payload, &self.lm_response.as_slice().into());
        let nt_response = place(&mut payload, &self.nt_response.as_slice().into());

        let mut message = Outgoing::plain(header(3));
        message.push(&field(&lm_response, None));
        message.push(&field(&nt_response, self.misplaced.then_some(FAR_OUTSIDE)));
        for placed in [&domain, &user, &workstation, &session_key] {
            message.push(&field(placed, None));
        }
        message.push(&self.flags.to_le_bytes());
        message.push(&[0; 8]);
        let payload = payload.into_marked();
        message.push_marked(&payload.slice(0..lm_response.start));
        message.push_secret(payload.slice(lm_response.start..payload.len()).expose());
        message
    }
}

/// Adds octets to the payload and tells where they are in it.
fn place(payload: &mut Outgoing, octets: &MarkedOctets) -> Range<usize> {
    let start = payload.octets.len();
    payload.push_marked(octets);
    start..payload.octets.len()
}

/// Length, the same again, and offset. Lengths fit: names were looked at before, and a challenge is a line.
fn field(placed: &Range<usize>, offset: Option<u32>) -> [u8; 8] {
    let [low, high] = u16::try_from(placed.len()).unwrap_or(u16::MAX).to_le_bytes();
    let offset = offset.unwrap_or_else(|| u32::try_from(PAYLOAD + placed.start).unwrap_or(FAR_OUTSIDE));
    let [a, b, c, d] = offset.to_le_bytes();
    [low, high, low, high, a, b, c, d]
}

fn header(kind: u32) -> Vec<u8> {
    [&SIGNATURE[..], &kind.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(flags: u32, target_info: &[u8], offset: u32) -> Vec<u8> {
        let mut message = header(2);
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(&flags.to_le_bytes());
        message.extend_from_slice(&[0xAB; 8]);
        message.extend_from_slice(&[0; 8]);
        let length = u16::try_from(target_info.len()).unwrap().to_le_bytes();
        message.extend_from_slice(&[length, length].concat());
        message.extend_from_slice(&offset.to_le_bytes());
        message.extend_from_slice(target_info);
        message
    }

    #[test]
    fn a_challenge_is_read() {
        let pairs = [&[7, 0, 8, 0][..], &5u64.to_le_bytes(), &[0, 0, 0, 0]].concat();
        let message = challenge(NEGOTIATE_TARGET_INFO | NEGOTIATE_UNICODE, &pairs, 48);
        let read = Challenge::parse(&message).unwrap();
        assert_eq!((read.server_challenge, read.target_info), ([0xAB; 8], &pairs[..]));
        assert_eq!((read.timestamp(), read.is_unicode()), (Some(5), true));
        let short = challenge(0, b"", 0);
        let read = Challenge::parse(&short[..32]).unwrap();
        assert_eq!((read.timestamp(), read.is_unicode(), read.target_info), (None, false, &b""[..]));
    }

    #[test]
    fn each_rule_of_the_challenge() {
        let good = challenge(NEGOTIATE_TARGET_INFO, &[0, 0, 0, 0], 48);
        assert!(Challenge::parse(&good).is_ok());
        for wrong in [&b""[..], b"NTLMSSP\0\x01\0\0\0", b"NTLM", &good[..31]] {
            assert_eq!(Challenge::parse(wrong), Err(FORM));
        }
        for offset in [49, 1000, u32::MAX] {
            let message = challenge(NEGOTIATE_TARGET_INFO, &[0, 0, 0, 0], offset);
            assert_eq!(Challenge::parse(&message), Err(TARGET_INFO));
        }
        for pairs in [&[0, 0][..], &[1, 0, 2, 0], &[1, 0, 2, 0, 65, 0], &[0, 0, 9, 0, 0, 0, 0, 0]] {
            let message = challenge(NEGOTIATE_TARGET_INFO, pairs, 48);
            assert_eq!(Challenge::parse(&message), Err(PAIRS), "{pairs:?}");
        }
    }
}
