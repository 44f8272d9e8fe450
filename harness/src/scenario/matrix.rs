//! The matrix: which combinations of the axes a `[[case]]` stands for, and what they are called.

use crate::axes::{Encoding, Mechanism, Protocol, Security};

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
}

/// The roles that log in.
#[derive(Debug, Clone)]
pub(super) struct Accounts {
    pub roles: Vec<String>,
    /// Whether ids tell them apart.
    pub is_axis: bool,
}

/// One combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Combination {
    pub role: String,
    pub protocol: Protocol,
    pub mechanism: Option<Mechanism>,
    pub encoding: Option<Encoding>,
    pub security: Option<Security>,
    /// What tells it apart in the id.
    pub suffix: String,
}

/// The combinations that make sense, in the order of the axes' words; an error where a value fits none of them.
///
/// An encoding that a protocol or mechanism does not know is left out, and where none is left the case runs once
/// without one: `encoding = ["quoted", "literal"]` says nothing of POP3's `USER`. But an encoding that no
/// combination knows is a mistake.
pub(super) fn combinations(matrix: &Axes, own: &Axes, is_dialogue: bool) -> Result<Vec<Combination>, String> {
    let protocols = own.protocol.as_ref().or(matrix.protocol.as_ref()).map_or(Protocol::ALL, Vec::as_slice);
    let mechanisms =
        own.mechanism.as_ref().or(matrix.mechanism.as_ref()).map_or(&[Mechanism::Login][..], Vec::as_slice);
    let encodings = own.encoding.as_ref().or(matrix.encoding.as_ref()).map_or(&[][..], Vec::as_slice);
    let securities = own.security.as_ref().or(matrix.security.as_ref());
    let accounts = own.account.as_ref().or(matrix.account.as_ref());
    let default_role = [DEFAULT_ROLE.to_string()];
    let roles = accounts.map_or(&default_role[..], |accounts| accounts.roles.as_slice());
    let roles_are_named = accounts.is_some_and(|accounts| accounts.is_axis);
    if !is_dialogue {
        let fits = |encoding: &Encoding| {
            protocols.iter().any(|&protocol| mechanisms.iter().any(|&mechanism| encoding.fits(protocol, mechanism)))
        };
        if let Some(encoding) = encodings.iter().find(|encoding| !fits(encoding)) {
            return Err(format!(
                "the encoding `{encoding}` fits none of the protocols and mechanisms of this case ({} with {})",
                protocols.iter().map(|value| value.word()).collect::<Vec<_>>().join(", "),
                mechanisms.iter().map(|value| value.word()).collect::<Vec<_>>().join(", "),
            ));
        }
    }
    let mut found = Vec::new();
    for role in roles {
        for &protocol in protocols {
            let fitting = mechanisms_of(mechanisms, is_dialogue);
            for mechanism in fitting.into_iter().filter(|value| value.is_none_or(|value| value.fits(protocol))) {
                for encoding in encodings_of(encodings, protocol, mechanism) {
                    for security in securities_of(securities) {
                        let named = |is_named: bool, word: &str| is_named.then(|| word.to_string());
                        let suffix = [
                            named(roles_are_named, role),
                            Some(protocol.word().to_string()),
                            mechanism.map(|value| value.word().to_string()),
                            encoding.filter(|_| !encodings.is_empty()).map(|value| value.word().to_string()),
                            security.map(|value| value.word().to_string()),
                        ];
                        found.push(Combination {
                            role: role.clone(),
                            protocol,
                            mechanism,
                            encoding,
                            security,
                            suffix: suffix.into_iter().flatten().collect::<Vec<_>>().join(","),
                        });
                    }
                }
            }
        }
    }
    Ok(found)
}

fn securities_of(securities: Option<&Vec<Security>>) -> Vec<Option<Security>> {
    securities.map_or_else(|| vec![None], |list| list.iter().copied().map(Some).collect())
}

fn mechanisms_of(mechanisms: &[Mechanism], is_dialogue: bool) -> Vec<Option<Mechanism>> {
    if is_dialogue { vec![None] } else { mechanisms.iter().copied().map(Some).collect() }
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
        let found = combinations(matrix, own, is_dialogue).expect("sound");
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
    fn an_encoding_that_fits_nothing_is_a_mistake() {
        let own =
            Axes { protocol: Some(vec![Protocol::Pop3]), encoding: Some(vec![Encoding::Literal]), ..Axes::default() };
        assert!(combinations(&Axes::default(), &own, false).is_err());
    }
}
