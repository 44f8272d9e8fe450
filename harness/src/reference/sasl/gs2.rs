//! What SCRAM and OAUTHBEARER begin with: the GS2 header (RFC 5801 §4), and names with `=2C` and `=3D` in it.

/// Whether and how the client binds the exchange to its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding<'m> {
    /// `n`: it cannot.
    None,
    /// `y`: it could, and believes that the server cannot.
    NotOffered,
    /// `p=`: it does, by the binding of this name.
    To(&'m [u8]),
}

/// The header, and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gs2<'m> {
    pub(super) binding: Binding<'m>,
    /// The authorization identity; empty where there is none.
    pub(super) authorization: Vec<u8>,
    /// The header to the letter, with the comma that ends it.
    pub(super) header: &'m [u8],
    pub(super) rest: &'m [u8],
}

/// Reads the header: flag, comma, authorization identity, comma.
pub(super) fn read(message: &[u8]) -> Result<Gs2<'_>, &'static str> {
    const BROKEN: &str = "a GS2 header begins the message (RFC 5801 section 4)";
    let mut fields = message.splitn(3, |&octet| octet == b',');
    let (Some(flag), Some(authorization), Some(rest)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(BROKEN);
    };
    let binding = match flag {
        b"n" => Binding::None,
        b"y" => Binding::NotOffered,
        [b'p', b'=', name @ ..] if !name.is_empty() => Binding::To(name),
        _ => return Err(BROKEN),
    };
    let authorization = match authorization {
        b"" => Vec::new(),
        [b'a', b'=', name @ ..] if !name.is_empty() => read_name(name)?,
        _ => return Err(BROKEN),
    };
    let header = message.get(..message.len() - rest.len()).unwrap_or_default();
    Ok(Gs2 { binding, authorization, header, rest })
}

/// Reads a `saslname`: UTF-8 without NUL, in which every `=` begins `=2C` or `=3D` (RFC 5802 §5.1).
pub(super) fn read_name(name: &[u8]) -> Result<Vec<u8>, &'static str> {
    if name.contains(&0) || std::str::from_utf8(name).is_err() {
        return Err("a name is UTF-8 without NUL (RFC 5802 section 7)");
    }
    let mut pieces = name.split(|&octet| octet == b'=');
    let mut read = pieces.next().unwrap_or_default().to_vec();
    for piece in pieces {
        let (escaped, rest) = match piece {
            [b'2', b'C' | b'c', rest @ ..] => (b',', rest),
            [b'3', b'D' | b'd', rest @ ..] => (b'=', rest),
            _ => return Err("in a name every = begins =2C or =3D (RFC 5802 section 5.1)"),
        };
        read.push(escaped);
        read.extend_from_slice(rest);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let gs2 = read(b"n,,n=user,r=x").expect("header");
        assert_eq!((gs2.binding, gs2.header, gs2.rest), (Binding::None, &b"n,,"[..], &b"n=user,r=x"[..]));
        let gs2 = read(b"p=tls-exporter,a=a=2Cb,").expect("header");
        assert_eq!((gs2.binding, gs2.rest), (Binding::To(b"tls-exporter"), &b""[..]));
        assert_eq!((gs2.authorization.as_slice(), gs2.header), (&b"a,b"[..], &b"p=tls-exporter,a=a=2Cb,"[..]));
        assert_eq!(read(b"y,,x").expect("header").binding, Binding::NotOffered);
        for wrong in [&b""[..], b"n", b"n,", b"x,,", b"p=,,", b"p,,", b"n,a=,", b"n,b=c,", b"n,a=b=,", b"F,n,,"] {
            assert!(read(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn escapes_are_undone_and_no_other_equals_sign_passes() {
        assert_eq!(read_name(b"a=2Cb=3Dc=3D2C").as_deref(), Ok(&b"a,b=c=2C"[..]));
        for wrong in [&b"a=b"[..], b"a=", b"=2", b"=2D", b"a\0b", b"\xff"] {
            assert!(read_name(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }
}
