//! Lines of an exchange: BASE64, a lone `*`, a lone `=` (RFC 9051 §6.2.2, RFC 4959 §3, RFC 5034 §4).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::super::flaw::{Flaw, Flaws};

/// What a line of an exchange says.
pub(in super::super) enum Line {
    /// An answer.
    Answer(Vec<u8>),
    /// There is no answer yet, only the place for one.
    Absent,
    /// The client gives up (RFC 9051 §6.2.2, RFC 5034 §4).
    Cancelled,
    /// It is not base64.
    NotBase64,
}

/// For flawed servers: neither padding nor left-over bits matter.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Reads a line without its line end.
pub(in super::super) fn read_line(line: &[u8], flaws: Flaws) -> Line {
    if line == b"*" {
        return Line::Cancelled;
    }
    if flaws.has(Flaw::AcceptsBadBase64) {
        let kept: Vec<u8> =
            line.iter().copied().filter(|octet| octet.is_ascii_alphanumeric() || b"+/".contains(octet)).collect();
        return LENIENT.decode(kept).map_or(Line::NotBase64, Line::Answer);
    }
    decode(line).map_or(Line::NotBase64, Line::Answer)
}

/// Reads an initial response, in which a single `=` stands for an empty one (RFC 4959 §3, RFC 5034 §4).
pub(in super::super) fn read_initial(word: &[u8], flaws: Flaws) -> Line {
    match word {
        b"=" if flaws.has(Flaw::EmptyInitialResponseIsAbsent) => Line::Absent,
        b"=" => Line::Answer(Vec::new()),
        // Nothing to cancel yet.
        b"*" => Line::NotBase64,
        _ => read_line(word, flaws),
    }
}

/// Octets as BASE64.
pub(in super::super) fn encode(octets: &[u8]) -> Vec<u8> {
    STANDARD.encode(octets).into_bytes()
}

/// BASE64 to the letter, as octets.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_to_the_letter() {
        let read = |line: &[u8]| read_line(line, Flaws::NONE);
        assert!(matches!(read(b"AGEAYg=="), Line::Answer(octets) if octets == b"\0a\0b"));
        assert!(matches!(read(b""), Line::Answer(octets) if octets.is_empty()));
        assert!(matches!(read(b"*"), Line::Cancelled));
        for wrong in [&b"AGEAYg"[..], b"AGEAYg=", b"AGEA=Yg=", b"AGE AYg==", b"=", b"AGEAYh=="] {
            assert!(matches!(read(wrong), Line::NotBase64), "{wrong:?}");
        }
        assert!(matches!(read_initial(b"=", Flaws::NONE), Line::Answer(octets) if octets.is_empty()));
        assert!(matches!(read_initial(b"*", Flaws::NONE), Line::NotBase64));
    }

    #[test]
    fn flawed_readers_of_base64() {
        let lenient = Flaw::AcceptsBadBase64.into();
        assert!(matches!(read_line(b"AG!EA Yg", lenient), Line::Answer(octets) if octets == b"\0a\0b"));
        assert!(matches!(read_initial(b"=", Flaw::EmptyInitialResponseIsAbsent.into()), Line::Absent));
    }
}
