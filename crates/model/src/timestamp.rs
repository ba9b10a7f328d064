//! RFC 3339 time stamps with an offset, as Unix milliseconds.

/// First instant accepted: 1970-01-01T00:00:00Z.
pub const MIN_MS: i64 = 0;
/// Last instant accepted: the end of 2199 (a later one is a unit mistake, not a time).
pub const MAX_MS: i64 = 7_258_118_399_999;

/// Parses an RFC 3339 time stamp with an offset into Unix milliseconds.
///
/// # Errors
/// A sentence that says what is wrong with `text` and how a time stamp looks.
pub fn parse_rfc3339_ms(text: &str) -> Result<i64, String> {
    let wrong = |why: &str| {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} {why}; expected RFC 3339 with an offset, such as 2026-03-01T20:15:00.250Z")
    };
    if let Some(ms) = common_form(text.as_bytes()) {
        return Ok(ms);
    }
    let bytes = text.as_bytes();
    if bytes.len() < 19 || bytes.len() > 40 {
        return Err(wrong("is no complete time stamp"));
    }
    let shape = bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b't')
        && bytes[13] == b':'
        && bytes[16] == b':';
    if !shape {
        return Err(wrong("is not of the form date, T, time, offset"));
    }
    if bytes[bytes.len() - 1] == b']' {
        return Err(wrong("names a zone in brackets; leave it out"));
    }
    if !matches!(bytes[bytes.len() - 1], b'Z' | b'z') {
        match text.get(19..).and_then(offset) {
            Some(true) => {}
            Some(false) => return Err(wrong("has an offset that is none")),
            None => return Err(wrong("has no offset")),
        }
    }
    let parsed: jiff::Timestamp = text.parse().map_err(|_| wrong("is no valid date and time"))?;
    let ms = parsed.as_millisecond();
    if (MIN_MS..=MAX_MS).contains(&ms) { Ok(ms) } else { Err(wrong("lies outside 1970 to 2199")) }
}

/// The common form, UTC with milliseconds or whole seconds, without going through a calendar library. All digits are read
/// before any is doubted.
#[inline]
fn common_form(bytes: &[u8]) -> Option<i64> {
    let (&time, fraction) = bytes.split_first_chunk::<19>()?;
    let mut worst = 0;
    let mut digit = |byte: u8| {
        let digit = byte.wrapping_sub(b'0');
        worst = worst.max(digit);
        i64::from(digit)
    };
    let mut two = |at: usize| digit(time[at]) * 10 + digit(time[at + 1]);
    let (y, mo, d) = (two(0) * 100 + two(2), two(5), two(8));
    let (h, mi, s) = (two(11), two(14), two(17));
    let ms = match *fraction {
        [b'Z'] => 0,
        [b'.', a, b, c, b'Z'] => digit(a) * 100 + digit(b) * 10 + digit(c),
        _ => return None,
    };
    let is_shape = time[4] == b'-'
        && time[7] == b'-'
        && matches!(time[10], b'T' | b't')
        && time[13] == b':'
        && time[16] == b':';
    let is_time = worst <= 9
        && (1970..2200).contains(&y)
        && (1..=12).contains(&mo)
        && (1..=28).contains(&d)
        && h < 24
        && mi < 60
        && s < 60;
    (is_shape && is_time).then(|| (days_from_civil(y, mo, d) * 86_400 + h * 3_600 + mi * 60 + s) * 1_000 + ms)
}

/// Formats Unix milliseconds as RFC 3339 in UTC.
pub fn format_rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|t| format!("{t:.3}"))
        .unwrap_or_else(|_| format!("{ms} ms since 1970"))
}

/// Whether what follows the seconds ends with an offset: `+02:00`, or as ISO 8601 has it, `+0200` and `+02`,
/// which `strftime` and many a logger write. `None` if there is none.
fn offset(rest: &str) -> Option<bool> {
    let (_, offset) = rest.split_at(rest.find(['+', '-'])?);
    let digits = |range: std::ops::Range<usize>| {
        offset.as_bytes().get(range).is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
    };
    Some(match offset.len() {
        6 => digits(1..3) && offset.as_bytes()[3] == b':' && digits(4..6),
        5 => digits(1..5),
        3 => digits(1..3),
        _ => false,
    })
}

/// Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-compatible low-level
/// date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_path_agrees_with_the_calendar_library() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2000-02-28T23:59:59.999Z",
            "2024-03-01T00:00:00.001Z",
            "2018-06-06T12:34:56.789Z",
            "2199-12-28T00:00:00Z",
        ] {
            let reference: jiff::Timestamp = text.parse().expect("valid");
            assert_eq!(parse_rfc3339_ms(text), Ok(reference.as_millisecond()), "{text}");
        }
        for offset in ["+02:00", "+0200", "+02", ".000+0200"] {
            let text = format!("2024-02-29T12:00:00{offset}");
            assert_eq!(parse_rfc3339_ms(&text), parse_rfc3339_ms("2024-02-29T10:00:00Z"), "{text}");
        }
        assert_eq!(parse_rfc3339_ms("2024-02-29T12:00:00-0000"), parse_rfc3339_ms("2024-02-29T12:00:00Z"));
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for (text, why) in [
            ("2024-01-01", "complete"),
            ("2024-01-01T00:00", "complete"),
            ("2024-01-01T00:00:00", "has no offset"),
            ("2024-01-01T00:00:00+2", "an offset that is none"),
            ("2024-01-01T00:00:00+02.00", "an offset that is none"),
            ("2024-01-01T00:00:00+99:99", "valid"),
            ("2024-01-01T00:00:00Z[UTC]", "in brackets"),
            ("2024-01-01T00:00:00.123", "offset"),
            ("2024-13-01T00:00:00Z", "valid"),
            ("2023-02-29T00:00:00Z", "valid"),
            ("2024-01-01 00:00:00Z", "form"),
            ("1717243200000", "complete"),
            ("2024-01-01T25:00:00Z", "valid"),
            ("9999-01-01T00:00:00Z", "2199"),
            ("１970-01-01T00:00:00Z", "form"),
        ] {
            let error = parse_rfc3339_ms(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn formats_what_it_parses() {
        let ms = parse_rfc3339_ms("2026-03-01T20:15:00.250Z").expect("valid");
        assert_eq!(format_rfc3339(ms), "2026-03-01T20:15:00.250Z");
    }
}
