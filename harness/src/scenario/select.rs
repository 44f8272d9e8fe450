//! Choosing cases: by the start of an id, or by a glob.

/// A pattern for ids: `*` stands for any octets, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Takes a pattern; every text is one.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The pattern as written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether the whole id has this pattern. Square brackets stand for themselves: ids are full of them.
    pub fn matches(&self, id: &str) -> bool {
        let (pattern, id) = (self.0.as_bytes(), id.as_bytes());
        let (mut p, mut i) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while i < id.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, i));
                    p += 1;
                }
                Some(b'?') => {
                    p += 1;
                    i += 1;
                }
                Some(octet) if id.get(i) == Some(octet) => {
                    p += 1;
                    i += 1;
                }
                _ => match star {
                    Some((at, from)) => {
                        star = Some((at, from + 1));
                        p = at + 1;
                        i = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern.get(p..).is_some_and(|rest| rest.iter().all(|&octet| octet == b'*'))
    }
}

/// What is chosen: everything, or what any of the filters matches.
#[derive(Debug, Clone, Default)]
pub struct Selection(Vec<Glob>);

impl Selection {
    /// Chooses by filters; none chooses everything.
    pub fn new(filters: impl IntoIterator<Item = String>) -> Self {
        Self(filters.into_iter().map(Glob::new).collect())
    }

    /// Whether the case is chosen: a filter without `*` and `?` matches ids that start with it.
    pub fn holds(&self, id: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|filter| filter_matches(filter, id))
    }

    /// The filters that match none of these ids.
    pub fn idle<'s>(&'s self, ids: &[&str]) -> Vec<&'s str> {
        self.0.iter().filter(|filter| !ids.iter().any(|id| filter_matches(filter, id))).map(Glob::text).collect()
    }
}

fn filter_matches(filter: &Glob, id: &str) -> bool {
    if filter.0.contains(['*', '?']) { filter.matches(id) } else { id.starts_with(&filter.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_and_prefixes() {
        let id = "imap/quoting/escaped[imap,login]";
        for (filter, holds) in [
            ("imap/", true),
            ("imap/quoting/escaped[imap", true),
            ("quoting", false),
            ("*quoting*", true),
            ("imap/*/escaped[imap,login]", true),
            ("imap/*/escaped", false),
            ("*[????,login]", true),
            ("*", true),
        ] {
            assert_eq!(Selection::new([filter.to_string()]).holds(id), holds, "{filter}");
        }
        assert_eq!(Selection::new(["x".to_string(), "*".to_string()]).idle(&[id]), ["x"]);
    }
}
