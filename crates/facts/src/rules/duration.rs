//! Durations as people write them: `90s`, `5m`, `30d`, `1h 30m`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// Reads a duration; a day has 24 hours.
///
/// # Errors
/// Text that is no duration, months and years (which are not of one length), negative ones.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let hint = "write it like 90s, 5m, 12h or 30d";
    let span: Span = text.trim().parse().map_err(|_| format!("`{text}` is no duration; {hint}"))?;
    let exact = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| format!("`{text}` has months or years, which are not of one length; {hint}"))?;
    Duration::try_from(exact).map_err(|_| format!("`{text}` is negative; {hint}"))
}

/// A duration in the words that [`parse_duration`] reads.
fn print(duration: Duration) -> String {
    jiff::SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{}s", duration.as_secs()), |d| format!("{d:#}"))
}

/// A duration as text.
pub(super) mod text {
    use super::{Duration, parse_duration, print};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&print(*duration))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// A duration as text, or nothing.
pub(super) mod optional_text {
    use super::{Duration, parse_duration, print};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => to.serialize_some(&print(*duration)),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| parse_duration(&text).map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them_and_others_say_why_not() {
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5_400)));
        for wrong in ["", "five", "1 month", "1y", "-5m"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
        let written = print(Duration::from_millis(90_250));
        assert_eq!(parse_duration(&written), Ok(Duration::from_millis(90_250)), "{written}");
    }
}
