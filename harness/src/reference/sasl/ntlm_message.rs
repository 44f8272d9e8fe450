//! NTLM's messages, octet by octet (MS-NLMP §2.2).

const SIGNATURE: &[u8] = b"NTLMSSP\0";

/// Text is UTF-16 (MS-NLMP §2.2.2.5).
pub(super) const UNICODE: u32 = 0x0000_0001;
const OEM: u32 = 0x0000_0002;
const REQUEST_TARGET: u32 = 0x0000_0004;
const NTLM: u32 = 0x0000_0200;
const ALWAYS_SIGN: u32 = 0x0000_8000;
const TARGET_TYPE_DOMAIN: u32 = 0x0001_0000;
const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
const TARGET_INFO: u32 = 0x0080_0000;
/// The session key is encrypted, which we never offer.
pub(super) const KEY_EXCHANGE: u32 = 0x4000_0000;

/// The pairs of target information (MS-NLMP §2.2.2.1).
const END: u16 = 0;
pub(super) const COMPUTER: u16 = 1;
pub(super) const DOMAIN: u16 = 2;
pub(super) const DNS_COMPUTER: u16 = 3;
pub(super) const DNS_DOMAIN: u16 = 4;
pub(super) const FLAGS: u16 = 6;
pub(super) const TIMESTAMP: u16 = 7;

/// Where the message integrity code stands in an Authenticate message (MS-NLMP §2.2.1.3).
const MIC: std::ops::Range<usize> = 72..88;
/// How long a Challenge message is without its payload.
const CHALLENGE_HEADER: usize = 56;
/// How long an Authenticate message is at least.
const AUTHENTICATE_HEADER: usize = 64;

/// The Authenticate message.
#[derive(Debug)]
pub(super) struct Authenticate<'m> {
    pub(super) nt_response: &'m [u8],
    pub(super) domain: &'m [u8],
    pub(super) user: &'m [u8],
    pub(super) flags: u32,
}

/// A kind and a value.
pub(super) type Pair<'m> = (u16, &'m [u8]);

/// The flags of a Negotiate message (MS-NLMP §2.2.1.1).
pub(super) fn read_negotiate(message: &[u8]) -> Result<u32, &'static str> {
    check_kind(message, 1)?;
    u32_at(message, 12).ok_or("a Negotiate message holds flags (MS-NLMP section 2.2.1.1)")
}

/// A Challenge message for a client with these flags (MS-NLMP §2.2.1.2).
pub(super) fn challenge(client_flags: u32, target: &[u8], challenge: &[u8], pairs: &[Pair<'_>]) -> Vec<u8> {
    let charset = if client_flags & UNICODE != 0 { UNICODE } else { OEM };
    let echoed = client_flags & (ALWAYS_SIGN | EXTENDED_SESSION_SECURITY);
    let flags = charset | echoed | REQUEST_TARGET | NTLM | TARGET_TYPE_DOMAIN | TARGET_INFO;
    let target = if charset == UNICODE { to_utf16(target) } else { target.to_vec() };
    let mut info = Vec::new();
    for (kind, value) in pairs.iter().copied().chain([(END, &b""[..])]) {
        info.extend_from_slice(&kind.to_le_bytes());
        info.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        info.extend_from_slice(value);
    }
    let mut message = SIGNATURE.to_vec();
    message.extend_from_slice(&2_u32.to_le_bytes());
    push_field(&mut message, target.len(), CHALLENGE_HEADER);
    message.extend_from_slice(&flags.to_le_bytes());
    message.extend_from_slice(challenge);
    message.extend_from_slice(&[0; 8]);
    push_field(&mut message, info.len(), CHALLENGE_HEADER + target.len());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&target);
    message.extend_from_slice(&info);
    message
}

/// The server's challenge and its target information, out of its own message.
pub(super) fn challenge_and_pairs(message: &[u8]) -> Option<(&[u8], Vec<Pair<'_>>)> {
    Some((message.get(24..32)?, read_pairs(field(message, 40, CHALLENGE_HEADER)?)?))
}

/// Reads an Authenticate message (MS-NLMP §2.2.1.3). Every field lies within it and behind its header.
pub(super) fn read_authenticate(message: &[u8]) -> Result<Authenticate<'_>, &'static str> {
    check_kind(message, 3)?;
    const OUTSIDE: &str = "a field lies outside of the message (MS-NLMP section 2.2.1.3)";
    let field = |at| field(message, at, AUTHENTICATE_HEADER).ok_or(OUTSIDE);
    // LM response, workstation and session key have to be sound, and say nothing to us.
    for at in [12, 44, 52] {
        field(at)?;
    }
    Ok(Authenticate {
        nt_response: field(20)?,
        domain: field(28)?,
        user: field(36)?,
        flags: u32_at(message, 60).ok_or(OUTSIDE)?,
    })
}

/// The message integrity code, and the message without it.
pub(super) fn part_from_mic(message: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let mic = message.get(MIC)?;
    let mut without = message.to_vec();
    without.get_mut(MIC)?.fill(0);
    Some((mic, without))
}

/// Reads target information as far as its end, which must be there.
pub(super) fn read_pairs(mut octets: &[u8]) -> Option<Vec<Pair<'_>>> {
    let mut pairs = Vec::new();
    loop {
        let (kind, length) = (u16_at(octets, 0)?, usize::from(u16_at(octets, 2)?));
        if kind == END {
            return (length == 0).then_some(pairs);
        }
        pairs.push((kind, octets.get(4..4 + length)?));
        octets = octets.get(4 + length..)?;
    }
}

pub(super) fn to_utf16(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// UTF-16 to UTF-8, where it is sound.
pub(super) fn from_utf16(octets: &[u8]) -> Option<String> {
    if !octets.len().is_multiple_of(2) {
        return None;
    }
    let units = octets.chunks_exact(2).filter_map(|pair| u16_at(pair, 0));
    char::decode_utf16(units).collect::<Result<String, _>>().ok()
}

fn check_kind(message: &[u8], kind: u32) -> Result<(), &'static str> {
    if !message.starts_with(SIGNATURE) {
        return Err("an NTLM message begins with NTLMSSP and NUL (MS-NLMP section 2.2.1)");
    }
    if u32_at(message, 8) != Some(kind) {
        return Err("this is another kind of NTLM message (MS-NLMP section 2.2.1)");
    }
    Ok(())
}

/// What the length and the offset at this place stand for. Where the length is 0 the offset says nothing.
fn field(message: &[u8], at: usize, header: usize) -> Option<&[u8]> {
    let length = usize::from(u16_at(message, at)?);
    let offset = usize::try_from(u32_at(message, at + 4)?).ok()?;
    match length {
        0 => Some(b""),
        _ if offset < header => None,
        _ => message.get(offset..offset.checked_add(length)?),
    }
}

fn push_field(message: &mut Vec<u8>, length: usize, offset: usize) {
    let length = u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes();
    message.extend_from_slice(&length);
    message.extend_from_slice(&length);
    message.extend_from_slice(&u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(octets.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(octets.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_reads_as_it_was_written() {
        let message = challenge(UNICODE, b"Domain", b"12345678", &[(DOMAIN, b"D\0"), (TIMESTAMP, &[0; 8])]);
        let (server_challenge, pairs) = challenge_and_pairs(&message).expect("challenge");
        assert_eq!(server_challenge, b"12345678");
        assert_eq!(pairs, [(DOMAIN, &b"D\0"[..]), (TIMESTAMP, &[0; 8][..])]);
        assert_eq!(message.get(56..68), Some(to_utf16(b"Domain").as_slice()));
    }

    #[test]
    fn fields_outside_of_the_message_are_refused() {
        let mut message = [SIGNATURE, &3_u32.to_le_bytes(), &[0; 52], b"ab"].concat();
        assert!(read_authenticate(&message).is_ok());
        for (at, length, offset, is_sound) in
            [(28, 2, 64, true), (28, 3, 64, false), (36, 2, 65, false), (52, 1, 63, false), (12, 1, u32::MAX, false)]
        {
            let before = message.clone();
            message[at] = length;
            message[at + 4..at + 8].copy_from_slice(&offset.to_le_bytes());
            assert_eq!(read_authenticate(&message).is_ok(), is_sound, "{at} {length} {offset}");
            message = before;
        }
        assert!(read_authenticate(&message[..63]).is_err() && read_authenticate(b"NTLMSSQ\0").is_err());
    }

    #[test]
    fn pairs_end_where_they_say() {
        assert_eq!(read_pairs(&[0, 0, 0, 0, 9]), Some(vec![]));
        for wrong in [&b""[..], &[2, 0, 9, 0, 1], &[2, 0, 0, 0], &[0, 0, 1, 0, 1]] {
            assert_eq!(read_pairs(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn utf_16_both_ways() {
        assert_eq!(from_utf16(&to_utf16("Jürgen😀".as_bytes())).as_deref(), Some("Jürgen😀"));
        assert_eq!(from_utf16(&[0]), None);
        assert_eq!(from_utf16(&[0, 0xd8]), None);
    }
}
