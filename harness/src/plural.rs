//! Counts with their nouns: `1 case`, `2 cases`.

/// A count and its noun, with an `s` for every number but 1; for English nouns whose plural is regular.
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_every_other_number_is_plural() {
        let of = |number| counted(number, "case");
        assert_eq!([of(0), of(1), of(2)], ["0 cases", "1 case", "2 cases"]);
    }
}
