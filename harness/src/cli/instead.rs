//! What to type instead of a login name that fails, or that leaves too much to the server.

use crate::identity::{Access, Account, Dialect, Directory, Readings, Resolution, advise, resolve_reading};

/// What to type instead.
pub(super) struct Instead {
    /// The form.
    pub form: &'static str,
    /// The name in that form; nothing where nobody in the directory can have been meant.
    pub name: Option<Vec<u8>>,
}

/// What to type instead, where that leaves less to the server.
pub(super) fn advice(
    readings: &Readings<'_, '_>,
    resolution: &Resolution<'_>,
    dialect: &Dialect,
    directory: &Directory,
    access: Access,
    name: &[u8],
) -> Option<Instead> {
    let assumes = readings.chosen().is_none_or(|reading| reading.assumptions().next().is_some());
    if resolution.opens.is_ok() && !assumes {
        return None;
    }
    let account = resolution.account.or_else(|| meant(readings, dialect, directory, name));
    if let Some(account) = account.filter(|account| !account.disabled) {
        let (form, advised) = advise(dialect, directory, account, access)?;
        if advised == name {
            return None;
        }
        return Some(Instead { form, name: Some(advised) });
    }
    // Nobody whom we know: the form alone, shown by the role whose parts all differ.
    let example = directory.accounts.iter().find(|account| account.role == "renamed")?;
    let (form, _) = advise(dialect, directory, example, access)?;
    Some(Instead { form, name: None })
}

/// The account that was probably meant where the server finds none: by any reading, or by any part of the name.
fn meant<'d>(
    readings: &Readings<'_, '_>,
    dialect: &Dialect,
    directory: &'d Directory,
    name: &[u8],
) -> Option<&'d Account> {
    let by_reading = readings.iter().find_map(|reading| resolve_reading(dialect, directory, reading).account);
    if by_reading.is_some() {
        return by_reading;
    }
    let words: Vec<&[u8]> = name.split(|octet| br"\/@%*".contains(octet)).collect();
    let is_word = |octets: &[u8]| words.iter().any(|word| word.eq_ignore_ascii_case(octets));
    let by = |part: fn(&Account) -> Option<&[u8]>| {
        directory.accounts.iter().find(|account| part(account).is_some_and(&is_word))
    };
    by(|account| account.mailbox.as_deref()).or_else(|| by(|account| Some(&account.user)))
}

/// Octets for people: as they are where that is harmless.
pub(super) fn shown(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok("") => "(nothing)".to_string(),
        Ok(text) if !text.chars().any(char::is_control) => format!("`{text}`"),
        _ => format!("`{}`", octets.escape_ascii()),
    }
}
