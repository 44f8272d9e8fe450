//! Properties that fuzz targets, property tests and the replay of seeds share: each takes any input and panics where
//! the property does not hold.

use std::sync::OnceLock;

use crate::axes::{Mechanism, Protocol};
use crate::identity::{
    Access, Dialect, Directory, Part, Reading, Verdict, bundled_dialect, bundled_dialect_names, bundled_directory,
    resolve,
};

/// Reading is total and faithful in every bundled dialect: spans lie within the name and apart from each other, what
/// is refused is not read, nothing is both named and assumed, the case of letters never moves a split, and a mailbox
/// opens only for an account that may open it.
pub fn identity_parse(name: &[u8]) {
    let (dialects, directory) = bundled();
    let swapped: Vec<u8> = name.iter().map(|octet| swap_case(*octet)).collect();
    for dialect in dialects {
        for &protocol in Protocol::ALL {
            for &mechanism in Mechanism::ALL {
                read_faithfully(dialect, directory, name, &swapped, Access { protocol, mechanism });
            }
        }
    }
}

fn read_faithfully(dialect: &Dialect, directory: &Directory, name: &[u8], swapped: &[u8], access: Access) {
    let (readings, resolution) = resolve(dialect, directory, name, access);
    let at = || format!("{} {access:?} {}", dialect.name, name.escape_ascii());
    match readings.verdict {
        Verdict::Read => assert!(readings.chosen().is_some(), "read, but no reading: {}", at()),
        Verdict::Refused { reason, .. } => {
            assert!(readings.iter().next().is_none() && !reason.is_empty(), "refused, but read: {}", at());
        }
        Verdict::Unspecified { .. } => assert!(readings.chosen().is_none(), "unspecified, but chosen: {}", at()),
    }
    for reading in readings.iter() {
        check_spans(reading, name, &at);
    }
    let other = dialect.read(swapped, access);
    if let (Some(reading), Some(other)) = (readings.chosen(), other.chosen()) {
        for part in Part::ALL {
            assert_eq!(reading.span(part), other.span(part), "the case of letters moves a split: {}", at());
        }
    }
    if let (Ok(mailbox), Some(account)) = (resolution.opens, resolution.account) {
        let may = account.mailbox.as_deref() == Some(mailbox) || account.may_open.iter().any(|other| other == mailbox);
        assert!(may, "{} opens for {}: {}", mailbox.escape_ascii(), account.role, at());
    }
}

fn check_spans(reading: &Reading<'_, '_>, name: &[u8], at: &dyn Fn() -> String) {
    let mut spans: Vec<_> = Part::ALL.into_iter().filter_map(|part| reading.span(part)).collect();
    spans.sort_by_key(|span| (span.start, span.end));
    let mut end = 0;
    for span in spans {
        assert!(span.start >= end && span.end <= name.len() && span.start <= span.end, "bad span {span:?}: {}", at());
        end = span.end;
    }
    for assumption in reading.assumptions() {
        assert!(reading.span(assumption.part()).is_none(), "{assumption:?} although it is named: {}", at());
    }
}

const fn swap_case(octet: u8) -> u8 {
    if octet.is_ascii_alphabetic() { octet ^ 0x20 } else { octet }
}

/// The bundled files are sound: a unit test reads each of them. Should one not be, there is nothing to check here.
fn bundled() -> &'static (Vec<Dialect>, Directory) {
    static BUNDLED: OnceLock<(Vec<Dialect>, Directory)> = OnceLock::new();
    BUNDLED.get_or_init(|| {
        let dialects = bundled_dialect_names().filter_map(|name| bundled_dialect(name)?.ok()).collect();
        (dialects, bundled_directory().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn identity_parse_holds_for_any_octets(name in proptest::collection::vec(any::<u8>(), 0..64)) {
            super::identity_parse(&name);
        }

        #[test]
        fn identity_parse_holds_for_names_with_separators(name in r"[A-Za-z0-9. \\/@%*+:{}]{0,40}") {
            super::identity_parse(name.as_bytes());
        }
    }
}
