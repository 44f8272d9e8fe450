//! Days of the calendar, for records that hold until one.

use std::time::{SystemTime, UNIX_EPOCH};

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// Reads `2027-01-31`; nothing where that is no day.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut number = |length: usize| {
            let part = parts.next()?;
            (part.len() == length && part.bytes().all(|octet| octet.is_ascii_digit())).then(|| part.parse().ok())?
        };
        let (year, month, day): (u16, u16, u16) = (number(4)?, number(2)?, number(2)?);
        let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        let is_day = parts.next().is_none() && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
        is_day.then_some(Self { year, month, day })
    }

    /// Today, by the system's clock, in UTC.
    pub fn today() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::of_day(since.as_secs() / 86_400)
    }

    /// The day's first moment, as a message's `Date` has it (RFC 5322 §3.3).
    pub fn in_message(self) -> String {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = MONTHS.get(usize::from(self.month).saturating_sub(1)).unwrap_or(&"Dec");
        format!("{} {month} {:04} 00:00:00 +0000", self.day, self.year)
    }

    /// The day so many days after 1970-01-01.
    fn of_day(mut left: u64) -> Self {
        let mut year = 1970;
        while left >= days_of_year(year) && year < u16::MAX {
            left -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while month < 12 && left >= u64::from(days_of(year, month)) {
            left -= u64::from(days_of(year, month));
            month += 1;
        }
        Self { year, month, day: u8::try_from(left + 1).unwrap_or(u8::MAX) }
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of_year(year: u16) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

const fn days_of(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_others_are_not() {
        for day in ["2027-01-31", "2024-02-29", "2000-02-29", "1970-01-01"] {
            assert_eq!(Date::parse(day).unwrap().to_string(), day);
        }
        for wrong in ["", "2027-1-31", "2027-02-29", "1900-02-29", "2027-13-01", "2027-04-31", "2027-01-31-1", "soon"] {
            assert_eq!(Date::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        let of = |day| Date::of_day(day).to_string();
        assert_eq!((of(0), of(58), of(59)), ("1970-01-01".into(), "1970-02-28".into(), "1970-03-01".into()));
        assert_eq!((of(19_782), of(20_782)), ("2024-02-29".into(), "2026-11-25".into()));
        assert_eq!(Date::parse("2026-11-05").unwrap().in_message(), "5 Nov 2026 00:00:00 +0000");
        assert!(Date::parse("2026-01-01") < Some(Date::today()));
    }
}
