//! MIND (Microsoft News): `behaviors.tsv` and `news.tsv`. News become titles; each behaviour becomes
//! the impressions of one request, and a play for each click; the history column becomes plays
//! before the member's first behaviour. Times are taken as UTC.

use super::{EventLine, Imported, SourceFile, checked, number};
use anyhow::{Context, bail};
use hashbrown::HashSet;
use nearline_model::Title;
use nearline_model::identifier::id_problem;
use std::path::Path;

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

struct Behaviour {
    impression: u64,
    user: String,
    at_ms: i64,
    history: Vec<String>,
    /// What was shown, and whether it was clicked.
    shown: Vec<(String, bool)>,
}

/// Reads the data set in `directory`.
///
/// # Errors
/// A file that is missing, or the first line that cannot be read, with file, line and what is wrong.
pub fn read(directory: &Path) -> anyhow::Result<Imported> {
    let mut titles = SourceFile::read_utf8(directory, "news.tsv")?.parse(news)?;
    let mut known = HashSet::new();
    titles.retain(|title| known.insert(title.id.clone()));
    let mut behaviours = SourceFile::read_utf8(directory, "behaviors.tsv")?.parse(behaviour)?;
    behaviours.sort_by_key(|behaviour| (behaviour.at_ms, behaviour.impression));
    let mut events: Vec<(i64, String)> = Vec::new();
    let mut users = HashSet::new();
    for behaviour in &behaviours {
        if users.insert(behaviour.user.as_str()) {
            add_history(behaviour, &mut events);
        }
        add_shown(behaviour, &mut events);
    }
    // Stable: events of one millisecond keep the order in which they were made.
    events.sort_by_key(|(at_ms, _)| *at_ms);
    Ok(Imported { titles, events: events.into_iter().map(|(_, json)| json).collect() })
}

/// Plays at one-minute steps, the last an hour before the member's first behaviour.
fn add_history(first: &Behaviour, events: &mut Vec<(i64, String)>) {
    let steps = first.history.len() as i64 - 1;
    for (at, title) in first.history.iter().enumerate() {
        let at_ms = first.at_ms - HOUR_MS - (steps - at as i64) * MINUTE_MS;
        let id = format!("mind-h-{}-{at}", first.user);
        events.push((at_ms, EventLine::new(id, "play", &first.user, title, at_ms).json()));
    }
}

/// Impressions at the time of the behaviour; the first click is played a second later, the second
/// two seconds later, and so on.
fn add_shown(behaviour: &Behaviour, events: &mut Vec<(i64, String)>) {
    let Behaviour { impression, user, at_ms, .. } = behaviour;
    let request = format!("r{impression}");
    for (position, (title, _)) in behaviour.shown.iter().enumerate() {
        let id = format!("mind-i-{impression}-{position}");
        let line = EventLine::new(id, "impression", user, title, *at_ms);
        let line = EventLine { request: Some(&request), position: Some(position as u32), ..line };
        events.push((*at_ms, line.json()));
    }
    let clicked = behaviour.shown.iter().enumerate().filter(|(_, (_, clicked))| *clicked);
    for (at_ms, (position, (title, _))) in (at_ms + 1_000..).step_by(1_000).zip(clicked) {
        let id = format!("mind-p-{impression}-{position}");
        let line = EventLine::new(id, "play", user, title, at_ms);
        events.push((at_ms, EventLine { request: Some(&request), ..line }.json()));
    }
}

fn news(line: &str) -> anyhow::Result<Title> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [id, category, subcategory, name, ..] = fields[..] else {
        bail!("has {} fields; expected at least 4: id, category, subcategory, title", fields.len());
    };
    let mut genres: Vec<String> = vec![category.to_owned()];
    if subcategory != category {
        genres.push(subcategory.to_owned());
    }
    genres.retain(|genre| !genre.is_empty());
    checked(Title { id: checked_id("news id", id)?, name: Some(name.to_owned()), genres, ..Title::default() })
}

fn behaviour(line: &str) -> anyhow::Result<Behaviour> {
    let fields: Vec<&str> = line.trim_end_matches('\r').split('\t').collect();
    let [impression, user, time, history, shown] = fields[..] else {
        bail!("has {} fields; expected 5: impression id, user, time, history, shown", fields.len());
    };
    Ok(Behaviour {
        impression: number("impression id", impression)?,
        user: checked_id("user", user)?,
        at_ms: time_ms(time)?,
        history: history.split_whitespace().map(|id| checked_id("history", id)).collect::<Result<_, _>>()?,
        shown: shown.split_whitespace().map(shown_item).collect::<Result<_, _>>()?,
    })
}

fn shown_item(text: &str) -> anyhow::Result<(String, bool)> {
    match text.rsplit_once('-') {
        Some((id, "0")) => Ok((checked_id("shown", id)?, false)),
        Some((id, "1")) => Ok((checked_id("shown", id)?, true)),
        _ => bail!("shown has {text:?}; expected the news id and -1 (clicked) or -0 (not), such as N123-0"),
    }
}

fn checked_id(field: &str, id: &str) -> anyhow::Result<String> {
    match id_problem(id) {
        None => Ok(id.to_owned()),
        Some(problem) => bail!("{field} {problem}"),
    }
}

/// `11/12/2019 2:14:46 PM` as Unix milliseconds.
fn time_ms(text: &str) -> anyhow::Result<i64> {
    let wrong = || format!("time is {text:?}; expected such as 11/12/2019 2:14:46 PM");
    let parse = || -> Option<i64> {
        let mut words = text.split_whitespace();
        let (date, time, half) = (words.next()?, words.next()?, words.next()?);
        let numbers = |text: &str, separator: char| -> Option<Vec<i16>> {
            let numbers: Option<Vec<i16>> = text.split(separator).map(|part| part.parse().ok()).collect();
            numbers.filter(|numbers| numbers.len() == 3)
        };
        let (date, time) = (numbers(date, '/')?, numbers(time, ':')?);
        let noon = match half {
            "AM" => 0,
            "PM" => 12,
            _ => return None,
        };
        if !(1..=12).contains(&time[0]) || words.next().is_some() {
            return None;
        }
        let narrow = |number: i16| i8::try_from(number).ok();
        let hour = narrow(time[0] % 12 + noon)?;
        let civil = jiff::civil::Date::new(date[2], narrow(date[0])?, narrow(date[1])?).ok()?;
        let time = jiff::civil::Time::new(hour, narrow(time[1])?, narrow(time[2])?, 0).ok()?;
        let zoned = civil.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(zoned.timestamp().as_millisecond())
    };
    parse().filter(|ms| *ms >= 366 * 24 * HOUR_MS).with_context(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_model::timestamp::format_rfc3339;

    #[test]
    fn american_times_are_read() {
        for (text, expected) in [
            ("11/12/2019 2:14:46 PM", "2019-11-12T14:14:46.000Z"),
            ("11/9/2019 12:00:01 AM", "2019-11-09T00:00:01.000Z"),
            ("1/31/2020 12:59:59 PM", "2020-01-31T12:59:59.000Z"),
        ] {
            assert_eq!(format_rfc3339(time_ms(text).expect(text)), expected);
        }
        for bad in ["", "11/12/2019", "13/12/2019 2:14:46 PM", "11/12/2019 14:14:46 PM", "11/12/2019 2:14:46"]
        {
            assert!(time_ms(bad).expect_err(bad).to_string().contains("expected such as"), "{bad}");
        }
    }
}
