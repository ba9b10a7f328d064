//! MIND (Microsoft News): `behaviors.tsv` and `news.tsv`, of one split or of several that belong together.
//! News become titles; each behaviour becomes the impressions of one request, and a play for each click; the
//! history column becomes plays before the member's first behaviour. Times are taken as UTC. Files without
//! labels (the test split) become impressions alone.
//!
//! Ids are made of what a row says: each split numbers its rows from 1, and two splits must not be taken
//! for one, nor the same file for another when it is read again.

mod events;

use super::ids::Ids;
use super::report::Report;
use super::source::{find_or_say, read_lines};
use super::{Imported, number};
use anyhow::{Context, bail};
use events::Events;
use hashbrown::HashSet;
use nearline_model::Title;
use nearline_model::identifier::fingerprint;
use std::path::Path;

const HOUR_MS: i64 = 3_600_000;

/// One row of `behaviors.tsv`: numbers stand for names.
struct Behaviour {
    /// Of the row's text.
    fingerprint: u64,
    impression: u64,
    user: u32,
    at_ms: i64,
    history: Vec<u32>,
    /// What was shown, and whether it was clicked.
    shown: Vec<(u32, bool)>,
}

/// Members and titles by number.
#[derive(Default)]
struct Names {
    users: Ids,
    news: Ids,
}

/// Reads the data set in `directories`: one split, or several.
///
/// # Errors
/// A file that is missing, or of which no line can be read: the first line, and what is wrong.
pub fn read(directories: &[impl AsRef<Path>]) -> anyhow::Result<Imported> {
    let mut report = Report::default();
    let (mut titles, mut behaviours, mut names) = (Vec::new(), Vec::new(), Names::default());
    for directory in directories {
        let directory = directory.as_ref();
        let path = find_or_say(directory, &["news.tsv"])?;
        titles.extend(read_lines(&path, &mut report, |line, report| news(line, &mut names.news, report))?);
        let path = find_or_say(directory, &["behaviors.tsv"])?;
        behaviours
            .extend(read_lines(&path, &mut report, |line, report| behaviour(line, &mut names, report))?);
    }
    let mut known = HashSet::new();
    titles.retain(|title: &Title| known.insert(title.id.clone()));
    behaviours.sort_by_key(|behaviour| (behaviour.at_ms, behaviour.impression));
    Ok(Imported { titles, events: Box::new(Events::new(behaviours, names)), report })
}

fn news(line: &str, news: &mut Ids, report: &mut Report) -> anyhow::Result<Title> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [original, category, subcategory, name, ..] = fields[..] else {
        bail!("has {} fields; expected at least 4: id, category, subcategory, title", fields.len());
    };
    let mut genres: Vec<String> = vec![category.to_owned()];
    if subcategory != category {
        genres.push(subcategory.to_owned());
    }
    let number = news.number("news id", original, report)?;
    let name = if name.is_empty() { original } else { name };
    let id = news.id(number).to_owned();
    report.fit(Title { id, name: Some(name.to_owned()), genres, ..Title::default() })
}

fn behaviour(line: &str, names: &mut Names, report: &mut Report) -> anyhow::Result<Behaviour> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [impression, user, time, history, shown] = fields[..] else {
        bail!("has {} fields; expected 5: impression id, user, time, history, shown", fields.len());
    };
    let (impression, at_ms) = (number("impression id", impression)?, time_ms(time)?);
    let shown = shown_items(shown)?;
    let Names { users, news } = names;
    let mut numbers = |field, items: Vec<&str>| -> anyhow::Result<Vec<u32>> {
        items.into_iter().map(|item| news.number(field, item, report)).collect()
    };
    let history = numbers("history", history.split_whitespace().collect())?;
    let (titles, clicks): (Vec<&str>, Vec<bool>) = shown.into_iter().unzip();
    let shown = numbers("shown", titles)?.into_iter().zip(clicks).collect();
    let user = users.number("user", user, report)?;
    Ok(Behaviour { fingerprint: fingerprint(line), impression, user, at_ms, history, shown })
}

/// `N1-1 N2-0`: what was shown, and whether it was clicked; without labels on all of them, nothing was.
fn shown_items(text: &str) -> anyhow::Result<Vec<(&str, bool)>> {
    let label = |text| match str::rsplit_once(text, '-') {
        Some((id, "0")) => (id, Some(false)),
        Some((id, "1")) => (id, Some(true)),
        _ => (text, None),
    };
    let items: Vec<(&str, Option<bool>)> = text.split_whitespace().map(label).collect();
    let labelled = items.iter().filter(|(_, label)| label.is_some()).count();
    if labelled > 0
        && let Some((unlabelled, _)) = items.iter().find(|(_, label)| label.is_none())
    {
        bail!(
            "shown has {unlabelled:?}; expected the news id and -1 (clicked) or -0 (not), such as N123-0, \
             or no label on any"
        );
    }
    Ok(items.into_iter().map(|(id, label)| (id, label == Some(true))).collect())
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
