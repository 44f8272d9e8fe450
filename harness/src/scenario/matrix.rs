//! The matrix: which combinations of the axes a `[[case]]` stands for, and what they are called.

use super::template::Template;
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};

/// The role that logs in where a case names none: the one for whom every assumption is right.
const DEFAULT_ROLE: &str = "same";

/// The values that a file or a case names for each axis; nothing where it says nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Axes {
    pub account: Option<Accounts>,
    pub protocol: Option<Vec<Protocol>>,
    pub mechanism: Option<Vec<Mechanism>>,
    pub encoding: Option<Vec<Encoding>>,
    pub security: Option<Vec<Security>>,
    pub fault: Option<Vec<Fault>>,
    pub each: Option<Vec<Each>>,
}

/// The roles that log in.
#[derive(Debug, Clone)]
pub(super) struct Accounts {
    pub roles: Vec<String>,
    /// Whether ids tell them apart.
    pub is_axis: bool,
}

/// One value of the axis `each`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Each {
    /// What it is called in ids.
    pub word: String,
    /// What stands in the place of `{each}`.
    pub text: Template,
}

/// One combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Combination {
    pub role: String,
    pub protocol: Protocol,
    pub mechanism: Option<Mechanism>,
    pub encoding: Option<Encoding>,
    pub security: Option<Security>,
    pub fault: Option<Fault>,
    /// The value of `each`, as an index.
    pub each: Option<usize>,
    /// What tells it apart in the id.
    pub suffix: String,
}

impl Axes {
    /// A case's axes: what it does not name itself it has from its file. A dialogue has no use for some of them.
    pub fn or(&self, matrix: &Self, is_dialogue: bool) -> Self {
        let of_login = |axes: &Self| (axes.mechanism.clone(), axes.encoding.clone(), axes.fault.clone());
        let (mechanism, encoding, fault) = of_login(self);
        let (m, e, f) = of_login(matrix);
        Self {
            account: self.account.clone().or_else(|| matrix.account.clone()),
            protocol: self.protocol.clone().or_else(|| matrix.protocol.clone()),
            mechanism: mechanism.or(m).filter(|_| !is_dialogue),
            encoding: encoding.or(e).filter(|_| !is_dialogue),
            security: self.security.clone().or_else(|| matrix.security.clone()),
            fault: fault.or(f).filter(|_| !is_dialogue),
            each: self.each.clone().or_else(|| matrix.each.clone()),
        }
    }

    /// Whether an axis is named and has no values: they were mistaken, and that has been said.
    pub fn has_empty_axis(&self) -> bool {
        fn is_empty<T>(values: Option<&Vec<T>>) -> bool {
            values.is_some_and(Vec::is_empty)
        }
        self.account.as_ref().is_some_and(|accounts| accounts.roles.is_empty())
            || is_empty(self.protocol.as_ref())
            || is_empty(self.mechanism.as_ref())
            || is_empty(self.encoding.as_ref())
            || is_empty(self.security.as_ref())
            || is_empty(self.fault.as_ref())
            || is_empty(self.each.as_ref())
    }
}

/// The combinations that make sense, in the order of the axes' words; `axes` are a case's own and its file's.
///
/// An encoding that a protocol or mechanism does not know is left out, and where none is left the case runs once
/// without one: `encoding = ["quoted", "literal"]` says nothing of POP3's `USER`. A mechanism that the protocol does
/// not have, that the security cannot carry or that cannot be wrong in the way that is asked for is left out.
pub(super) fn combinations(axes: &Axes, is_dialogue: bool) -> Vec<Combination> {
    let default_role = [DEFAULT_ROLE.to_string()];
    let roles = axes.account.as_ref().map_or(&default_role[..], |accounts| accounts.roles.as_slice());
    let roles_are_named = axes.account.as_ref().is_some_and(|accounts| accounts.is_axis);
    let mechanisms = if is_dialogue {
        vec![None]
    } else {
        axes.mechanism.as_deref().unwrap_or(&[Mechanism::Login]).iter().copied().map(Some).collect()
    };
    let encodings = axes.encoding.as_deref().unwrap_or_default();
    let securities = optional(axes.security.as_deref());
    let faults = optional(axes.fault.as_deref());
    let eaches: Vec<Option<(usize, &Each)>> = match &axes.each {
        None => vec![None],
        Some(list) => list.iter().enumerate().map(Some).collect(),
    };
    let mut found = Vec::new();
    let mut add = |role: &String, protocol, mechanism: Option<Mechanism>, encoding: Option<Encoding>| {
        for &security in securities.iter().filter(|security| carries(**security, mechanism)) {
            for &fault in faults.iter().filter(|fault| is_possible(**fault, mechanism)) {
                for each in &eaches {
                    let suffix = [
                        roles_are_named.then_some(role.as_str()),
                        Some(Protocol::word(protocol)),
                        mechanism.map(Mechanism::word),
                        encoding.filter(|_| !encodings.is_empty()).map(Encoding::word),
                        security.map(Security::word),
                        fault.map(Fault::word),
                        each.map(|(_, each)| each.word.as_str()),
                    ];
                    found.push(Combination {
                        role: role.clone(),
                        protocol,
                        mechanism,
                        encoding,
                        security,
                        fault,
                        each: each.map(|(index, _)| index),
                        suffix: suffix.into_iter().flatten().collect::<Vec<_>>().join(","),
                    });
                }
            }
        }
    };
    for role in roles {
        for &protocol in axes.protocol.as_deref().unwrap_or(Protocol::ALL) {
            for &mechanism in mechanisms.iter().filter(|value| value.is_none_or(|value| value.fits(protocol))) {
                for encoding in encodings_of(encodings, protocol, mechanism) {
                    add(role, protocol, mechanism, encoding);
                }
            }
        }
    }
    found
}

/// The first value of `axes` that occurs in none of these cases: the axis's name, and the value's word.
///
/// Each case comes with the axes that it names itself, for which it takes nothing from `axes`. An axis that no case
/// takes from there is nobody's mistake.
pub(super) fn idle(axes: &Axes, cases: &[(&Axes, &[Combination])]) -> Option<(&'static str, &'static str)> {
    macro_rules! idle_in {
        ($axis:ident, $of:expr) => {{
            let heirs = || cases.iter().filter(|(own, _)| own.$axis.is_none());
            let occurs = |value| heirs().any(|(_, found)| found.iter().any(|one| $of(one) == Some(value)));
            let idle = axes.$axis.iter().flatten().find(|value| !occurs(**value));
            idle.filter(|_| heirs().next().is_some()).map(|value| (stringify!($axis), value.word()))
        }};
    }
    // The narrowest axis first: where nothing is left at all, it is the one to blame.
    idle_in!(fault, |one: &Combination| one.fault)
        .or_else(|| idle_in!(encoding, |one: &Combination| one.encoding))
        .or_else(|| idle_in!(security, |one: &Combination| one.security))
        .or_else(|| idle_in!(mechanism, |one: &Combination| one.mechanism))
        .or_else(|| idle_in!(protocol, |one: &Combination| Some(one.protocol)))
}

fn optional<T: Copy>(values: Option<&[T]>) -> Vec<Option<T>> {
    values.map_or_else(|| vec![None], |list| list.iter().copied().map(Some).collect())
}

fn carries(security: Option<Security>, mechanism: Option<Mechanism>) -> bool {
    match (security, mechanism) {
        (Some(security), Some(mechanism)) => mechanism.fits_security(security),
        _ => true,
    }
}

fn is_possible(fault: Option<Fault>, mechanism: Option<Mechanism>) -> bool {
    match (fault, mechanism) {
        (Some(fault), Some(mechanism)) => fault.fits(mechanism),
        _ => true,
    }
}

fn encodings_of(encodings: &[Encoding], protocol: Protocol, mechanism: Option<Mechanism>) -> Vec<Option<Encoding>> {
    let Some(mechanism) = mechanism else { return vec![None] };
    let fitting: Vec<_> =
        encodings.iter().copied().filter(|encoding| encoding.fits(protocol, mechanism)).map(Some).collect();
    if fitting.is_empty() { vec![Encoding::default_for(protocol, mechanism)] } else { fitting }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suffixes(matrix: &Axes, own: &Axes, is_dialogue: bool) -> Vec<String> {
        let found = combinations(&own.or(matrix, is_dialogue), is_dialogue);
        found.into_iter().map(|combination| combination.suffix).collect()
    }

    #[test]
    fn every_combination_is_a_case_with_a_stable_name() {
        let matrix = Axes {
            protocol: Some(vec![Protocol::Imap, Protocol::Pop3]),
            mechanism: Some(vec![Mechanism::Login, Mechanism::Plain]),
            ..Axes::default()
        };
        let all = ["imap,login", "imap,plain", "pop3,login", "pop3,plain"];
        assert_eq!(suffixes(&matrix, &Axes::default(), false), all);
        let imap = Axes { protocol: Some(vec![Protocol::Imap]), ..Axes::default() };
        assert_eq!(suffixes(&matrix, &imap, true), ["imap"]);
    }

    #[test]
    fn encodings_that_make_no_sense_are_left_out() {
        let matrix = Axes { encoding: Some(vec![Encoding::Quoted, Encoding::Literal]), ..Axes::default() };
        let expected = ["imap,login,quoted", "imap,login,literal", "pop3,login"];
        assert_eq!(suffixes(&matrix, &Axes::default(), false), expected);
    }

    #[test]
    fn mechanisms_that_make_no_sense_are_left_out() {
        let matrix = Axes {
            mechanism: Some(vec![Mechanism::Login, Mechanism::Apop, Mechanism::Plain, Mechanism::ScramSha1Plus]),
            security: Some(vec![Security::Plaintext, Security::Tls]),
            ..Axes::default()
        };
        let own = Axes { protocol: Some(vec![Protocol::Pop3]), ..Axes::default() };
        let expected = [
            "pop3,login,plaintext",
            "pop3,login,tls",
            "pop3,apop,plaintext",
            "pop3,apop,tls",
            "pop3,plain,plaintext",
            "pop3,plain,tls",
            "pop3,scram-sha-1-plus,tls",
        ];
        assert_eq!(suffixes(&matrix, &own, false), expected);
        let own = Axes { fault: Some(vec![Fault::MissingNul, Fault::ShortDigest]), ..own };
        let expected = [
            "pop3,apop,plaintext,short-digest",
            "pop3,apop,tls,short-digest",
            "pop3,plain,plaintext,missing-nul",
            "pop3,plain,tls,missing-nul",
        ];
        assert_eq!(suffixes(&matrix, &own, false), expected);
        assert_eq!(suffixes(&matrix, &own, true), ["pop3,plaintext", "pop3,tls"]);
    }

    #[test]
    fn each_comes_last_in_the_name() {
        let each = |word: &str| Each { word: word.to_string(), text: Template::of_octets(b"x".to_vec()) };
        let own = Axes {
            protocol: Some(vec![Protocol::Imap]),
            security: Some(vec![Security::Tls]),
            each: Some(vec![each("x5c"), each("nfc")]),
            ..Axes::default()
        };
        assert_eq!(suffixes(&Axes::default(), &own, false), ["imap,login,tls,x5c", "imap,login,tls,nfc"]);
    }

    #[test]
    fn a_value_that_fits_nothing_is_idle() {
        let own =
            Axes { protocol: Some(vec![Protocol::Pop3]), encoding: Some(vec![Encoding::Literal]), ..Axes::default() };
        let found = combinations(&own, false);
        assert_eq!(idle(&own, &[(&Axes::default(), &found[..])]), Some(("encoding", "literal")));
        // What one case has no use for, another may have.
        let matrix = Axes { encoding: own.encoding.clone(), ..Axes::default() };
        let other = combinations(&matrix, false);
        assert_eq!(idle(&matrix, &[(&Axes::default(), &found[..]), (&Axes::default(), &other[..])]), None);
        assert_eq!(idle(&matrix, &[(&own, &found[..])]), None);
    }
}
