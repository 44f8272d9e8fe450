//! How a server compares names: by their octets, or without regard to the case of letters.

use std::borrow::Cow;

/// How names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Octet by octet.
    Preserved,
    /// Without regard to the case of ASCII letters.
    Insensitive,
    /// Names are lower-cased (ASCII) before they are looked up.
    Lower,
    /// Names are lower-cased (Unicode) before they are looked up.
    LowerUnicode,
}

impl Case {
    /// Whether two names are the same.
    pub fn same(self, a: &[u8], b: &[u8]) -> bool {
        match self {
            Self::Preserved => a == b,
            Self::Insensitive | Self::Lower => a.eq_ignore_ascii_case(b),
            // Nearly all names differ in their first letters, or hold nothing beyond ASCII: neither is lower-cased then.
            Self::LowerUnicode => {
                a.eq_ignore_ascii_case(b)
                    || may_begin_alike(a, b) && !(a.is_ascii() && b.is_ascii()) && lower_unicode(a) == lower_unicode(b)
            }
        }
    }

    /// A name as it is looked up.
    pub fn folded(self, name: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Preserved | Self::Insensitive => Cow::Borrowed(name),
            Self::Lower => Cow::Owned(name.to_ascii_lowercase()),
            Self::LowerUnicode => lower_unicode(name),
        }
    }
}

/// Whether two names, neither of them empty, may begin alike once they are lower-cased.
fn may_begin_alike(a: &[u8], b: &[u8]) -> bool {
    match (a.first(), b.first()) {
        (Some(a), Some(b)) => !a.is_ascii() || !b.is_ascii() || a.eq_ignore_ascii_case(b),
        _ => false,
    }
}

fn lower_unicode(name: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(name) {
        Ok(text) => Cow::Owned(text.to_lowercase().into_bytes()),
        Err(_) => Cow::Owned(name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_differ_in_the_case_of_letters_only() {
        // The Kelvin sign is a letter beyond ASCII whose small letter is not.
        for (a, b, ascii, unicode) in [
            ("User1", "uSER1", true, true),
            ("User1", "User2", false, false),
            ("\u{212a}im", "KIM", false, true),
            ("Äpfel", "äPFEL", false, true),
            ("a", "", false, false),
            ("", "", true, true),
        ] {
            let same = |case: Case| case.same(a.as_bytes(), b.as_bytes());
            assert_eq!((same(Case::Lower), same(Case::LowerUnicode)), (ascii, unicode), "{a} {b}");
            assert_eq!(same(Case::Preserved), a == b, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn the_same_is_what_is_looked_up_alike(a in "[aAkKäÄ\u{212a}İσΣ.]{0,3}", b in "[aAkKäÄ\u{212a}İσΣ.]{0,3}", cut in any::<bool>()) {
            // A name that was cut within a letter is no UTF-8.
            let octets = a.as_bytes();
            let a = octets.get(usize::from(cut)..).unwrap_or_default();
            for case in [Case::Preserved, Case::Lower, Case::LowerUnicode] {
                prop_assert_eq!(case.same(a, b.as_bytes()), case.folded(a) == case.folded(b.as_bytes()));
            }
        }
    }
}
