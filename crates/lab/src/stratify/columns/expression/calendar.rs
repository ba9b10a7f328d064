//! Parts of dates and moments.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

/// A part of a date or of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Quarter,
    Month,
    /// The week of ISO 8601.
    Week,
    Day,
    /// The day of the year.
    DayOfYear,
    /// Sunday is 0, as in PostgreSQL and DuckDB.
    DayOfWeek,
    /// Monday is 1.
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
}

const DAY: i64 = 86_400_000_000;

impl Part {
    /// The part of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" | "years" => Self::Year,
            "quarter" => Self::Quarter,
            "month" | "months" => Self::Month,
            "week" | "weeks" => Self::Week,
            "day" | "days" => Self::Day,
            "doy" | "dayofyear" => Self::DayOfYear,
            "dow" | "dayofweek" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "hour" | "hours" => Self::Hour,
            "minute" | "minutes" => Self::Minute,
            "second" | "seconds" => Self::Second,
            _ => return None,
        })
    }

    /// Whether a day has it, and not only a moment.
    pub fn is_of_days(self) -> bool {
        !matches!(self, Self::Hour | Self::Minute | Self::Second)
    }

    /// The part of a moment, in microseconds since 1970.
    pub fn of(self, time: i64) -> Option<i64> {
        let within = time.rem_euclid(DAY) / 1_000_000;
        let date = date(time)?;
        Some(match self {
            Self::Year => i64::from(date.year()),
            Self::Quarter => (i64::from(date.month()) + 2) / 3,
            Self::Month => i64::from(date.month()),
            Self::Week => i64::from(date.iso_week_date().week()),
            Self::Day => i64::from(date.day()),
            Self::DayOfYear => i64::from(date.day_of_year()),
            Self::DayOfWeek => i64::from(date.weekday().to_sunday_zero_offset()),
            Self::IsoDayOfWeek => i64::from(date.weekday().to_monday_one_offset()),
            Self::Hour => within / 3600,
            Self::Minute => within / 60 % 60,
            Self::Second => within % 60,
        })
    }

    /// The first day of the year, quarter, month or week that a moment lies in, or its day.
    pub fn first_day(self, time: i64) -> Option<i32> {
        let date = date(time)?;
        let first = match self {
            Self::Year => date.first_of_year(),
            Self::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok()?,
            Self::Month => date.first_of_month(),
            Self::Week => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).ok()?,
            _ => date,
        };
        days(first)
    }
}

fn date(time: i64) -> Option<Date> {
    let at = Timestamp::from_microsecond(time).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).date())
}

fn days(date: Date) -> Option<i32> {
    let at = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond();
    i32::try_from(at.div_euclid(DAY)).ok()
}

/// Microseconds at the start of a day.
pub(super) fn start(days: i32) -> i64 {
    i64::from(days) * DAY
}

/// The day that a moment lies in.
pub(super) fn day(time: i64) -> i32 {
    i32::try_from(time.div_euclid(DAY)).unwrap_or(if time < 0 { i32::MIN } else { i32::MAX })
}

/// A day as `2026-11-25`.
pub(super) fn written(days: i32) -> Option<String> {
    date(start(days)).map(|date| date.to_string())
}

/// The day that a text names.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    days(text.trim().parse().ok()?)
}

/// The moment that a text names; without an offset, of UTC.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_microsecond());
    }
    let at = text.parse::<jiff::civil::DateTime>().ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond())
}
