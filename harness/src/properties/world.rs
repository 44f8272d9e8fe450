//! What the properties share: the bundled dialects and directory, servers that have them, and choices that an input makes
//! among them.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arbitrary::Unstructured;

use crate::axes::{self, Mechanism, Protocol, Way};
use crate::identity::{
    Access, Dialect, Directory, Form, TYPED_FORMS, bundled_dialect, bundled_dialect_names, bundled_directory,
};
use crate::reference::{Authority, Flaws};
use crate::scenario::Vocabulary;
use crate::source::SourceText;
use crate::target::{Passwords, Target, read_target, remote_target};

/// A password as our clients have it where no account is meant.
pub(super) const PASSWORD: &str = "Secret-User1";

/// The bundled files are sound: a unit test reads each of them. Should one not be, there is nothing to check here.
pub(super) fn bundled() -> &'static (Vec<Dialect>, Directory) {
    static BUNDLED: OnceLock<(Vec<Dialect>, Directory)> = OnceLock::new();
    BUNDLED.get_or_init(|| {
        let dialects = bundled_dialect_names().filter_map(|name| bundled_dialect(name)?.ok()).collect();
        (dialects, bundled_directory().unwrap_or_default())
    })
}

/// One of the bundled dialects.
pub(super) fn dialect(input: &mut Unstructured<'_>) -> arbitrary::Result<&'static Dialect> {
    input.choose(&bundled().0)
}

/// The forms in which people type an identity.
pub(super) fn typed_forms() -> &'static [Form] {
    static FORMS: OnceLock<Vec<Form>> = OnceLock::new();
    FORMS.get_or_init(|| TYPED_FORMS.iter().filter_map(|text| Form::parse(text).ok()).collect())
}

/// One of the ways in which a name travels.
pub(super) fn access(input: &mut Unstructured<'_>) -> arbitrary::Result<Access> {
    Ok(Access { protocol: *input.choose(Protocol::ALL)?, mechanism: *input.choose(Mechanism::ALL)? })
}

/// Cuts octets into pieces: each octet of `cuts` says how long the next piece is, and what is left is the last one.
pub(super) fn pieces<'o>(octets: &'o [u8], cuts: &[u8]) -> Vec<&'o [u8]> {
    let mut pieces = Vec::new();
    let mut rest = octets;
    for &cut in cuts {
        let Some((piece, after)) = rest.split_at_checked(usize::from(cut)) else { break };
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// All that the choices have left.
pub(super) fn rest<'i>(input: &mut Unstructured<'i>) -> &'i [u8] {
    input.bytes(input.len()).unwrap_or_default()
}

/// The most cuts that an input makes.
pub(super) const MOST_CUTS: usize = 4;

/// Some cuts.
pub(super) fn cuts<'i>(input: &mut Unstructured<'i>) -> arbitrary::Result<&'i [u8]> {
    let count = input.int_in_range(0..=MOST_CUTS)?;
    input.bytes(count)
}

/// Every way of logging in.
pub(super) fn ways() -> &'static [Way] {
    static WAYS: OnceLock<Vec<Way>> = OnceLock::new();
    WAYS.get_or_init(axes::ways)
}

/// One of them.
pub(super) fn way(input: &mut Unstructured<'_>) -> arbitrary::Result<Way> {
    input.choose(ways()).copied()
}

/// The reference server without a flaw, for one of the bundled dialects.
pub(super) fn sound(dialect: u8, offers_tls: bool) -> Arc<Authority> {
    static SOUND: OnceLock<Vec<[Arc<Authority>; 2]>> = OnceLock::new();
    let all = SOUND.get_or_init(|| {
        let (dialects, directory) = bundled();
        let of = |dialect: &Dialect, offers_tls| {
            Arc::new(Authority::new(dialect.clone(), directory.clone(), Flaws::NONE).with_tls(offers_tls, false))
        };
        dialects.iter().map(|dialect| [of(dialect, false), of(dialect, true)]).collect()
    });
    let [without, with] = &all[usize::from(dialect) % all.len()];
    Arc::clone(if offers_tls { with } else { without })
}

/// A server that is not there, with a dialect and the bundled directory, and with every port on this machine.
pub(super) fn target(dialect: &Dialect) -> Option<Target> {
    const TEXT: &str = "name = 'x'\ndialect = 'x'\n[imap]\naddress = '[::1]:1'\nsecurity = 'plaintext'\n\
                        [pop3]\naddress = '[::1]:2'\nsecurity = 'plaintext'\n\
                        [imaps]\naddress = '[::1]:3'\n[pop3s]\naddress = '[::1]:4'\n[[account]]\nrole = 'same'\n\
                        user = 'Same'\npassword = { text = 'Secret' }\n";
    let file = read_target(&SourceText::new("x.toml", TEXT), Path::new(""), Passwords::Ignore, true).ok()?;
    Some(Target { directory: Arc::new(bundled().1.clone()), ..remote_target(file, dialect.clone()) })
}

/// The roles and dialects that scenarios may name.
pub(super) fn vocabulary() -> &'static Vocabulary {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    VOCABULARY.get_or_init(|| {
        let (dialects, directory) = bundled();
        Vocabulary {
            roles: directory.roles().map(str::to_string).collect(),
            dialects: dialects.iter().map(|dialect| dialect.name.clone()).collect(),
        }
    })
}
