//! The globs that cover some combinations of one case and none of the others.

use crate::scenario::Glob;

/// An id without its combination: `imap/x/y` of `imap/x/y[imap,login]`.
pub(super) fn without_combination(id: &str) -> &str {
    id.split_once('[').map_or(id, |(case, _)| case)
}

/// A few globs that match each of `wanted` and none of `others`. All of them are ids of one case.
///
/// Each glob covers as many as it can, and of those that cover as many the most literal one is taken. Where nothing is
/// in the way, it is one glob for the whole case.
pub(super) fn narrow_globs(wanted: &[&str], others: &[&str]) -> Vec<String> {
    let Some(case) = wanted.first().map(|id| without_combination(id)) else { return Vec::new() };
    if others.is_empty() && wanted.iter().all(|id| id.len() > case.len()) {
        return vec![format!("{case}[*")];
    }
    let mut globs = Vec::new();
    let mut left: Vec<&str> = wanted.to_vec();
    while let Some(first) = left.first() {
        let (glob, covered) = best(first, &left, others);
        left.retain(|id| !covered.contains(id));
        globs.push(glob);
    }
    globs
}

/// The best glob for an id, and what of `left` it covers: the id itself at least.
fn best<'i>(id: &'i str, left: &[&'i str], others: &[&str]) -> (String, Vec<&'i str>) {
    let mut best = (id.to_string(), vec![id]);
    for candidate in generalized(id) {
        let glob = Glob::new(candidate.as_str());
        if others.iter().any(|other| glob.matches(other)) {
            continue;
        }
        let covered: Vec<&str> = left.iter().copied().filter(|id| glob.matches(id)).collect();
        if covered.len() > best.1.len() {
            best = (candidate, covered);
        }
    }
    best
}

/// Ids in which some values are any value, the most literal first.
fn generalized(id: &str) -> Vec<String> {
    let Some((case, values)) = id.strip_suffix(']').and_then(|id| id.split_once('[')) else { return Vec::new() };
    let values: Vec<&str> = values.split(',').collect();
    // There are seven axes; whatever has more values than that is no combination of ours.
    if values.len() > 8 || id.contains(['*', '?']) {
        return Vec::new();
    }
    let mut choices: Vec<u32> = (1..1u32 << values.len()).collect();
    choices.sort_by_key(|choice| choice.count_ones());
    let write = |choice: u32| {
        let value =
            |(at, value): (usize, &&str)| if choice >> at & 1 == 1 { "*".to_string() } else { (*value).to_string() };
        format!("{case}[{}]", values.iter().enumerate().map(value).collect::<Vec<_>>().join(","))
    };
    choices.into_iter().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(wanted: &[&str], others: &[&str]) -> Vec<String> {
        let ids = |list: &[&str]| list.iter().map(|values| format!("a/b[{values}]")).collect::<Vec<_>>();
        let (wanted, others) = (ids(wanted), ids(others));
        let refs = |list: &'_ [String]| list.iter().map(String::as_str).map(str::to_string).collect::<Vec<_>>();
        let (wanted, others) = (refs(&wanted), refs(&others));
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let found = narrow_globs(&wanted, &others);
        for (id, is_wanted) in wanted.iter().map(|id| (id, true)).chain(others.iter().map(|id| (id, false))) {
            assert_eq!(found.iter().any(|glob| Glob::new(glob.as_str()).matches(id)), is_wanted, "{id}: {found:?}");
        }
        found
    }

    #[test]
    fn all_alike_are_one_glob() {
        assert_eq!(globs(&["imap,login", "pop3,login"], &[]), ["a/b[*"]);
    }

    #[test]
    fn what_they_have_in_common_stays_literal() {
        let others = ["pop3,login", "pop3,plain"];
        assert_eq!(globs(&["imap,login", "imap,plain"], &others), ["a/b[imap,*]"]);
        assert_eq!(globs(&["imap,login"], &others), ["a/b[imap,login]"]);
        let quoted = ["imap,login,quoted", "imap,login,literal"];
        assert_eq!(globs(&quoted, &["pop3,login", "imap,plain,literal"]), ["a/b[imap,login,*]"]);
    }

    #[test]
    fn several_where_one_will_not_do() {
        assert_eq!(globs(&["imap,login", "pop3,plain"], &["imap,plain", "pop3,login"]).len(), 2);
        let wanted = ["imap,a,x", "imap,b,x", "pop3,a,x", "pop3,a,y"];
        let found = globs(&wanted, &["pop3,b,x", "imap,a,y"]);
        assert_eq!(found, ["a/b[*,a,x]", "a/b[imap,b,x]", "a/b[pop3,a,y]"]);
    }

    /// A star stands for any octets, a comma as well: combinations of another length are looked at, too.
    #[test]
    fn a_star_never_reaches_too_far() {
        globs(&["imap,a", "imap,b"], &["imap,c,a", "imap,c,b"]);
        globs(&["imap,x"], &["imap,y,x"]);
    }
}
