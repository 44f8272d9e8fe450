//! Reading login names: total, faithful, and the way back.

use arbitrary::Unstructured;

use super::world::{access, bundled, dialect, rest, typed_forms};
use crate::identity::{Dialect, Identity, Part, Reading, Verdict, resolve};

/// Reading is total and faithful in every bundled dialect: spans lie within the name and apart from each other, what
/// is refused is not read, nothing is both named and assumed, the case of letters never moves a split, and a mailbox
/// opens only for an account that may open it.
///
/// The input: dialect, protocol and mechanism, an octet each; then the name.
pub fn identity_parse(input: &[u8]) {
    let _ = parse(&mut Unstructured::new(input));
}

fn parse(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let dialect = dialect(input)?;
    let access = access(input)?;
    let name = rest(input);
    let (readings, resolution) = resolve(dialect, &bundled().1, name, access);
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
    let swapped: Vec<u8> = name.iter().map(|octet| swap_case(*octet)).collect();
    let other = dialect.read(&swapped, access);
    if let (Some(reading), Some(other)) = (readings.chosen(), other.chosen()) {
        for part in Part::ALL {
            assert_eq!(reading.span(part), other.span(part), "the case of letters moves a split: {}", at());
        }
    }
    if let (Ok(mailbox), Some(account)) = (resolution.opens, resolution.account) {
        let may = account.mailbox.as_deref() == Some(mailbox) || account.may_open.iter().any(|other| other == mailbox);
        assert!(may, "{} opens for {}: {}", mailbox.escape_ascii(), account.role, at());
    }
    Ok(())
}

fn check_spans(reading: &Reading<'_, '_>, name: &[u8], at: &dyn Fn() -> String) {
    let spans = Part::ALL.map(|part| reading.span(part));
    for (index, span) in spans.iter().enumerate() {
        let Some(span) = span else { continue };
        assert!(span.start <= span.end && span.end <= name.len(), "bad span {span:?}: {}", at());
        for other in spans.iter().skip(index + 1).flatten() {
            assert!(span.end <= other.start || other.end <= span.start, "{span:?} and {other:?} overlap: {}", at());
        }
    }
    for assumption in reading.assumptions() {
        assert!(reading.span(assumption.part()).is_none(), "{assumption:?} although it is named: {}", at());
    }
}

const fn swap_case(octet: u8) -> u8 {
    if octet.is_ascii_alphabetic() { octet ^ 0x20 } else { octet }
}

/// What was read can be written again: an identity in any typed form, read by any dialect, comes apart into parts that,
/// put together in the reading's own form, are the name; and no octet of a part is lost or made up.
///
/// The input: dialect, protocol, mechanism, form and separator, an octet each; then the parts.
pub fn identity_round_trip(input: &[u8]) {
    let _ = round_trip(&mut Unstructured::new(input));
}

fn round_trip(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let dialect = dialect(input)?;
    let access = access(input)?;
    let form = input.choose(typed_forms())?;
    let separator = *input.choose(b"\\/@%")?;
    let mut parts = rest(input).splitn(3, |octet| *octet == 0).map(<[u8]>::to_vec);
    let identity = Identity { domain: parts.next(), user: parts.next(), mailbox: parts.next() };
    let Ok(name) = form.render(&identity, separator) else { return Ok(()) };
    for reading in dialect.read(&name, access).iter() {
        write_again(dialect, reading, &name);
    }
    Ok(())
}

fn write_again(dialect: &Dialect, reading: &Reading<'_, '_>, name: &[u8]) {
    // An identity has no place for the rest.
    if [Part::Master, Part::Detail].into_iter().any(|part| reading.span(part).is_some()) {
        return;
    }
    // What a form drops cannot come back, and where a form says `{sep}` twice the two may differ.
    let form = reading.form();
    if !form.is_reversible() {
        return;
    }
    let named = |part| reading.named(part).map(<[u8]>::to_vec);
    let identity = Identity { domain: named(Part::Domain), user: named(Part::User), mailbox: named(Part::Mailbox) };
    let is_written = |separator| form.render(&identity, separator).is_ok_and(|again| again.eq_ignore_ascii_case(name));
    let separators = dialect.separators.iter().chain(*b"\\/@%");
    assert!(
        separators.into_iter().any(is_written),
        "{}: {} is read as {}, and cannot be written so again",
        dialect.name,
        name.escape_ascii(),
        form.text()
    );
}
