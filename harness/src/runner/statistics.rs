//! Whether two series of times, taken in pairs, differ: Wilcoxon's signed-rank test, exact, and what it leaves open.
//!
//! Times are nanoseconds. A difference counts where chance is ruled out ([`ALPHA`]) and somebody could make use of it
//! ([`Timing::threshold`]); that there is none is only said where one of that size would have been seen.

/// How likely chance may be where a difference is claimed.
const ALPHA: f64 = 0.001;
/// How likely chance may be where a difference is not even suspected.
const SUSPICIOUS: f64 = 0.05;
/// The smallest difference that counts, in nanoseconds, however short the times.
const LEAST_EFFECT: f64 = 1e6;
/// The smallest difference that counts, as a part of the shorter time.
const LEAST_PART: f64 = 0.2;

/// What pairs of times come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timing {
    /// The median of the first of each pair.
    pub this: f64,
    /// The median of the second of each pair.
    pub that: f64,
    /// The median of the differences.
    pub difference: f64,
    /// Between which differences the true one lies, with 95 % certainty; nothing where there are too few pairs.
    pub interval: Option<(f64, f64)>,
    /// How likely such differences are where there is none.
    pub p: f64,
}

/// The answer that pairs of times give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The times differ.
    Differs,
    /// They do not, or by less than what counts.
    Same,
    /// More pairs would be needed.
    Open,
}

impl Timing {
    /// Looks at pairs of times.
    pub fn of(pairs: &[(u64, u64)]) -> Self {
        let series = |pick: fn(&(u64, u64)) -> u64| pairs.iter().map(|pair| pick(pair) as f64).collect::<Vec<_>>();
        let differences: Vec<f64> = pairs.iter().map(|(this, that)| *this as f64 - *that as f64).collect();
        Self {
            this: median(series(|pair| pair.0)),
            that: median(series(|pair| pair.1)),
            difference: median(differences.clone()),
            interval: median_interval(differences.clone()),
            p: signed_rank(&differences),
        }
    }

    /// The smallest difference that counts.
    pub fn threshold(&self) -> f64 {
        LEAST_EFFECT.max(LEAST_PART * self.this.min(self.that))
    }

    /// What they say so far.
    pub fn answer(&self) -> Answer {
        let is_large = self.difference.abs() >= self.threshold();
        if is_large && self.p < ALPHA {
            return Answer::Differs;
        }
        match self.interval {
            Some((low, high)) if -self.threshold() < low && high < self.threshold() => Answer::Same,
            _ => Answer::Open,
        }
    }

    /// Whether chance is an unlikely explanation, so that more pairs are worth their time.
    pub fn is_suspicious(&self) -> bool {
        self.p < SUSPICIOUS
    }
}

/// The median; of an even number, the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    let half = values.len() / 2;
    if values.len() % 2 == 1 { at(half) } else { (at(half.saturating_sub(1)) + at(half)) / 2.0 }
}

/// Between which values the true median lies, with 95 % certainty: order statistics, by the sign test.
fn median_interval(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    let mut left_out = 0;
    // The probability that no more than `left_out` of `count` signs are negative.
    let mut term = 0.5f64.powi(i32::try_from(count).ok()?);
    let mut tail = term;
    if tail > 0.025 {
        return None;
    }
    loop {
        term *= (count - left_out) as f64 / (left_out + 1) as f64;
        if tail + term > 0.025 {
            break;
        }
        tail += term;
        left_out += 1;
    }
    Some((*values.get(left_out)?, *values.get(count - 1 - left_out)?))
}

/// Wilcoxon's signed-rank test: how likely such differences are where each is as likely to be negative as positive.
/// Two-sided and exact; differences of nothing are left out, and equal ones share their ranks.
fn signed_rank(differences: &[f64]) -> f64 {
    let mut differences: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    differences.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    // Ranks are doubled, so that shared ones are whole numbers.
    let mut ranks = Vec::with_capacity(differences.len());
    for tied in differences.chunk_by(|a, b| a.abs() == b.abs()) {
        let (first, last) = (ranks.len() + 1, ranks.len() + tied.len());
        ranks.extend(std::iter::repeat_n(first + last, tied.len()));
    }
    let total: usize = ranks.iter().sum();
    // How likely each sum of positive ranks is.
    let mut likely = vec![0.0f64; total + 1];
    if let Some(none) = likely.first_mut() {
        *none = 1.0;
    }
    for rank in &ranks {
        for sum in (0..=total).rev() {
            let without = likely.get(sum).copied().unwrap_or_default();
            let with = sum.checked_sub(*rank).and_then(|rest| likely.get(rest)).copied().unwrap_or_default();
            if let Some(slot) = likely.get_mut(sum) {
                *slot = (without + with) / 2.0;
            }
        }
    }
    let positive: usize =
        differences.iter().zip(&ranks).filter(|(difference, _)| **difference > 0.0).map(|(_, rank)| rank).sum();
    let smaller = positive.min(total - positive);
    let tail: f64 = likely.iter().take(smaller + 1).sum();
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern, the same each time: a linear congruential generator.
    fn noise(count: usize, seed: u64) -> impl Iterator<Item = f64> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / (1u64 << 31) as f64 - 0.5
        })
        .take(count)
    }

    /// Pairs around `this` and `that` milliseconds, each time off by up to half of `spread`.
    fn pairs(count: usize, this: f64, that: f64, spread: f64) -> Vec<(u64, u64)> {
        let around = |middle: f64, seed| noise(count, seed).map(move |off| ((middle + off * spread) * 1e6) as u64);
        around(this, 1).zip(around(that, 2)).collect()
    }

    fn answer(pairs: &[(u64, u64)]) -> Answer {
        Timing::of(pairs).answer()
    }

    #[test]
    fn the_test_agrees_with_the_tables() {
        let signed = |values: &[i32]| signed_rank(&values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>());
        // All of one sign: 2 / 2^n.
        assert!((signed(&[1, 2, 3, 4, 5, 6, 7, 8]) - 2.0 / 256.0).abs() < 1e-12);
        // The critical values at 0.05, two-sided, are W = 3 for n = 8 and W = 8 for n = 10.
        assert!((signed(&[-3, 1, 2, 4, 5, 6, 7, 8]) - 10.0 / 256.0).abs() < 1e-12);
        assert!(signed(&[-4, 1, 2, 3, 5, 6, 7, 8]) > 0.05);
        assert!(signed(&[-8, 1, 2, 3, 4, 5, 6, 7, 9, 10]) < 0.05);
        assert!(signed(&[-9, 1, 2, 3, 4, 5, 6, 7, 8, 10]) > 0.05);
        // Ties share their rank, nothing is left out, and signs that balance each other say nothing.
        assert!((signed(&[5, 5, 5]) - 0.25).abs() < 1e-12);
        assert!((signed(&[0, 0, 5, 5, 5]) - 0.25).abs() < 1e-12);
        assert!((signed(&[1, -1, 2, -2]) - 1.0).abs() < 1e-12);
        assert!((signed(&[]) - 1.0).abs() < 1e-12);
        assert!(signed(&(1..=48).collect::<Vec<_>>()) < 1e-13);
    }

    #[test]
    fn medians_and_their_intervals() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-12);
        let numbers = |count: i32| (1..=count).map(f64::from).collect::<Vec<_>>();
        assert_eq!(median_interval(numbers(5)), None);
        assert_eq!(median_interval(numbers(6)), Some((1.0, 6.0)));
        assert_eq!(median_interval(numbers(8)), Some((1.0, 8.0)));
        assert_eq!(median_interval(numbers(9)), Some((2.0, 8.0)));
        assert_eq!(median_interval(numbers(48)), Some((17.0, 32.0)));
        assert_eq!(median_interval(Vec::new()), None);
    }

    #[test]
    fn a_difference_takes_more_than_eight_pairs_to_be_claimed() {
        let of = |count| pairs(count, 520.0, 10.0, 2.0);
        assert_eq!(answer(&of(8)), Answer::Open);
        assert!(Timing::of(&of(8)).is_suspicious());
        assert_eq!(answer(&of(16)), Answer::Differs);
        let timing = Timing::of(&of(16));
        assert!((timing.this - 520e6).abs() < 2e6 && (timing.that - 10e6).abs() < 2e6, "{timing:?}");
    }

    #[test]
    fn quiet_times_that_are_the_same_need_no_more_than_eight() {
        let timing = Timing::of(&pairs(8, 0.2, 0.2, 0.3));
        assert_eq!(timing.answer(), Answer::Same);
        assert!(!timing.is_suspicious());
    }

    #[test]
    fn what_nobody_could_use_is_no_difference() {
        // Half a millisecond, as sure as can be; and two of a hundred.
        assert_eq!(answer(&pairs(48, 1.0, 0.5, 0.1)), Answer::Same);
        assert_eq!(answer(&pairs(48, 100.0, 102.0, 0.1)), Answer::Same);
        assert_eq!(answer(&pairs(48, 100.0, 125.0, 0.1)), Answer::Differs);
    }

    #[test]
    fn noise_leaves_it_open() {
        assert_eq!(answer(&pairs(48, 10.0, 10.0, 19.0)), Answer::Open);
        assert_eq!(answer(&pairs(5, 10.0, 10.0, 0.1)), Answer::Open);
        assert_eq!(answer(&[]), Answer::Open);
        // The same difference is found in less noise.
        assert_eq!(answer(&pairs(48, 14.0, 10.0, 6.0)), Answer::Differs);
    }

    /// One answer in four is held up for long: the median does not mind.
    #[test]
    fn outliers_prove_nothing() {
        let mut times = pairs(48, 0.3, 0.3, 0.2);
        for pair in times.iter_mut().step_by(4) {
            pair.0 += 40_000_000;
        }
        assert_eq!(answer(&times), Answer::Same);
    }
}
