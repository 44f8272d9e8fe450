//! The flaws that change a login name before it is taken apart.

use std::borrow::Cow;

use super::flaw::{Flaw, Flaws};

/// The name as a server with these flaws has it.
pub(super) fn flawed_name(name: &[u8], flaws: Flaws) -> Cow<'_, [u8]> {
    let mut name = Cow::Borrowed(name);
    if flaws.has(Flaw::TruncatesAtNul)
        && let Some(end) = name.iter().position(|&octet| octet == 0)
    {
        name.to_mut().truncate(end);
    }
    if flaws.has(Flaw::DropsPercent) {
        name.to_mut().retain(|&octet| octet != b'%');
    }
    if flaws.has(Flaw::TrimsNames) {
        name = Cow::Owned(name.trim_ascii().to_vec());
    }
    if flaws.has(Flaw::NormalisesNames)
        && let Ok(text) = std::str::from_utf8(&name)
        && let Ok(prepared) = stringprep::saslprep(text)
    {
        name = Cow::Owned(prepared.into_owned().into_bytes());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flaw_makes_one_name_of_two() {
        for (flaw, given, had) in [
            (Flaw::TruncatesAtNul, &b"Same\0x"[..], &b"Same"[..]),
            (Flaw::DropsPercent, b"%Sa%me", b"Same"),
            (Flaw::TrimsNames, b" Same  ", b"Same"),
            (Flaw::NormalisesNames, "Domain1\u{ff3c}Same".as_bytes(), br"Domain1\Same"),
        ] {
            assert_eq!(flawed_name(given, flaw.into()), had, "{}", flaw.name());
            assert_eq!(flawed_name(given, Flaws::NONE), given);
        }
        assert_eq!(flawed_name(b"\xff\0", Flaw::NormalisesNames.into()), &b"\xff\0"[..]);
    }
}
