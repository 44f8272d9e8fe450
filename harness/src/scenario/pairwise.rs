//! Fewer combinations that still try every pair: most faults of software show with two values together.
//!
//! A row is one combination, as one number for each axis.

/// Chooses rows so that every pair of values of two axes that occurs in some row occurs in a chosen one.
///
/// Greedy: again and again the row with the most pairs that are not covered yet, of several the first. The rows are
/// given as indices, in order. Rows are of one length; missing numbers count as 0.
pub fn reduce(rows: &[Vec<usize>]) -> Vec<usize> {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let columns: Vec<Column> = (0..width).map(|axis| Column::new(rows, axis)).collect();
    // A column with one value adds pairs that the other columns' pairs bring along.
    let mut varied: Vec<&Column> = columns.iter().filter(|column| column.values > 1).collect();
    let constant = Column { values: 1, ranks: vec![0; rows.len()] };
    while varied.len() < 2 {
        varied.push(&constant);
    }
    let mut pairs = Pairs::new(&varied);
    let most = pairs.axes.len();
    // Rows by how many pairs they would cover at most. A row's number only ever falls, so each row is looked at no
    // more often than it has pairs.
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); most + 1];
    if let Some(all) = waiting.last_mut() {
        all.extend(0..rows.len());
    }
    let mut chosen = Vec::new();
    for hoped in (1..=most).rev() {
        let mut candidates = waiting.get_mut(hoped).map(std::mem::take).unwrap_or_default();
        candidates.sort_unstable();
        for row in candidates {
            let gain = pairs.gain(row);
            if gain == hoped {
                pairs.cover(row);
                chosen.push(row);
            } else if let Some(list) = waiting.get_mut(gain) {
                list.push(row);
            }
        }
    }
    chosen.sort_unstable();
    chosen
}

/// One axis, with its values numbered from 0 without gaps.
struct Column {
    values: usize,
    ranks: Vec<usize>,
}

impl Column {
    fn new(rows: &[Vec<usize>], axis: usize) -> Self {
        let value = |row: &Vec<usize>| row.get(axis).copied().unwrap_or(0);
        let mut known: Vec<usize> = rows.iter().map(value).collect();
        known.sort_unstable();
        known.dedup();
        let ranks = rows.iter().map(|row| known.binary_search(&value(row)).unwrap_or(0)).collect();
        Self { values: known.len(), ranks }
    }
}

/// Which pairs are covered, axis by axis.
struct Pairs<'c> {
    axes: Vec<(&'c Column, &'c Column, Vec<bool>)>,
}

impl<'c> Pairs<'c> {
    fn new(columns: &[&'c Column]) -> Self {
        let mut axes = Vec::new();
        for (index, first) in columns.iter().enumerate() {
            for second in columns.iter().skip(index + 1) {
                axes.push((*first, *second, vec![false; first.values * second.values]));
            }
        }
        Self { axes }
    }

    fn gain(&self, row: usize) -> usize {
        let is_new = |(first, second, covered): &&(&Column, &Column, Vec<bool>)| {
            place(first, second, row).and_then(|place| covered.get(place)) == Some(&false)
        };
        self.axes.iter().filter(is_new).count()
    }

    fn cover(&mut self, row: usize) {
        for (first, second, covered) in &mut self.axes {
            if let Some(is_covered) = place(first, second, row).and_then(|place| covered.get_mut(place)) {
                *is_covered = true;
            }
        }
    }
}

fn place(first: &Column, second: &Column, row: usize) -> Option<usize> {
    Some(first.ranks.get(row)? * second.values + second.ranks.get(row)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every combination of axes of these sizes, but for those that a simple rule leaves out.
    fn product(sizes: &[usize]) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new()];
        for &size in sizes {
            rows =
                rows.iter().flat_map(|row: &Vec<usize>| (0..size).map(|value| [&row[..], &[value]].concat())).collect();
        }
        rows.retain(|row| !(row[0] == 0 && row[1] == 1));
        rows
    }

    fn pairs<'r>(rows: impl Iterator<Item = &'r Vec<usize>>) -> BTreeSet<(usize, usize, usize, usize)> {
        let mut found = BTreeSet::new();
        for row in rows {
            for first in 0..row.len() {
                for second in first + 1..row.len() {
                    found.insert((first, row[first], second, row[second]));
                }
            }
        }
        found
    }

    #[test]
    fn three_thousand_rows_come_down_to_few_with_every_pair() {
        let rows = product(&[2, 15, 4, 3, 5, 2]);
        assert!(rows.len() > 3000, "{}", rows.len());
        let chosen = reduce(&rows);
        assert_eq!(pairs(chosen.iter().map(|&row| &rows[row])), pairs(rows.iter()));
        assert!((75..160).contains(&chosen.len()), "{} of {}", chosen.len(), rows.len());
        assert!(chosen.is_sorted());
        assert_eq!(reduce(&rows), chosen);
    }

    #[test]
    fn small_and_odd_groups() {
        assert!(reduce(&[]).is_empty());
        assert_eq!(reduce(&[vec![7, 7], vec![7, 7]]), [0]);
        assert_eq!(reduce(&[vec![1], vec![2], vec![1], vec![9]]), [0, 1, 3]);
        assert_eq!(reduce(&[vec![3, 0], vec![3, 5], vec![3, 0]]), [0, 1]);
        // Nothing can be left out of two axes.
        assert_eq!(reduce(&product(&[4, 5])).len(), 19);
    }
}
