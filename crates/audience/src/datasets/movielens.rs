//! MovieLens, as GroupLens gives it out: 100K (`u.data`, `u.item`, `u.genre`), 1M and 10M (`ratings.dat`,
//! `movies.dat`), and 20M, 25M, 32M and latest (`ratings.csv`, `movies.csv`). Every rating becomes an event;
//! user 7 is member `u7`, item 50 is title `t50`. Each file may be compressed with gzip.

use super::report::Report;
use super::source::{Columns, find, find_or_say, read_csv, read_lines};
use super::{EventLine, Imported, number};
use anyhow::bail;
use nearline_model::Title;
use std::path::Path;

/// Last second that is taken as a time: the end of 2199.
const LAST_S: i64 = 7_258_118_399;

#[derive(Clone, Copy)]
struct Rating {
    user: u32,
    item: u32,
    half_stars: u8,
    at_s: i64,
}

/// Reads the data set in `directory`.
///
/// # Errors
/// A file that is missing, or of which no line can be read: the first line, and what is wrong.
pub fn read(directory: &Path) -> anyhow::Result<Imported> {
    let mut report = Report::default();
    let (titles, mut ratings) = if let Some(data) = find(directory, &["u.data"]) {
        let genres = read_genres(directory, &mut report)?;
        let items = find_or_say(directory, &["u.item"])?;
        let titles = read_lines(&items, &mut report, |line, report| item_100k(line, &genres, report))?;
        (titles, read_lines(&data, &mut report, |line, _| rating(&split(line, "\t")))?)
    } else if let Some(data) = find(directory, &["ratings.dat"]) {
        let movies = find_or_say(directory, &["movies.dat"])?;
        let titles = read_lines(&movies, &mut report, item_dat)?;
        (titles, read_lines(&data, &mut report, |line, _| rating(&split(line, "::")))?)
    } else if let Some(data) = find(directory, &["ratings.csv", "rating.csv"]) {
        let movies = find_or_say(directory, &["movies.csv", "movie.csv"])?;
        let titles = read_csv(&movies, &mut report, movie_columns, |at, fields, report| {
            item(&fields[at[0]], &fields[at[1]], &fields[at[2]], report)
        })?;
        let ratings = read_csv(&data, &mut report, rating_columns, |at, fields, _| {
            rating(&at.map(|at| fields[at].as_str()))
        })?;
        (titles, ratings)
    } else {
        bail!(
            "{} holds none of u.data (MovieLens 100K), ratings.dat (1M, 10M) and ratings.csv (20M, 25M, 32M, latest); \
             give the unpacked directory",
            directory.display()
        );
    };
    // The lines of the 100K set are shuffled, so their order tells nothing: ratings of one user in the same
    // second (a page that was sent at once) are ordered by title.
    ratings.sort_unstable_by_key(|rating| (rating.at_s, rating.user, rating.item, rating.half_stars));
    Ok(Imported { titles, events: Box::new(ratings.into_iter().map(event)), report })
}

fn event(rating: Rating) -> String {
    let Rating { user, item, half_stars, at_s } = rating;
    let (member, title) = (format!("u{user}"), format!("t{item}"));
    // With the time: who rates a title again says something new.
    let id = format!("ml-{user}-{item}-{at_s}");
    let line = EventLine::new(id, "rating", &member, &title, at_s * 1_000);
    EventLine { value: Some(f64::from(half_stars) / 2.0), ..line }.json()
}

fn split<'a>(line: &'a str, separator: &str) -> Vec<&'a str> {
    line.split(separator).collect()
}

fn rating_columns(columns: &Columns) -> anyhow::Result<[usize; 4]> {
    let find = |names: &[&str]| columns.find(names);
    Ok([find(&["userId"])?, find(&["movieId"])?, find(&["rating"])?, find(&["timestamp"])?])
}

fn movie_columns(columns: &Columns) -> anyhow::Result<[usize; 3]> {
    Ok([columns.find(&["movieId"])?, columns.find(&["title"])?, columns.find(&["genres"])?])
}

fn rating(fields: &[&str]) -> anyhow::Result<Rating> {
    let [user, item, value, at] = fields[..] else {
        bail!("has {} fields; expected 4: user, item, rating, seconds since 1970", fields.len());
    };
    let stars = value.trim().parse::<f64>().ok().filter(|stars| (0.5..=5.0).contains(stars));
    let Some(stars) = stars.filter(|stars| (stars * 2.0).fract() == 0.0) else {
        bail!("rating is {value:?}; expected 0.5 to 5 in halves");
    };
    let half_stars = (stars * 2.0) as u8;
    Ok(Rating { user: number("user", user)?, item: number("item", item)?, half_stars, at_s: seconds(at)? })
}

/// Seconds since 1970; or a date and time, as copies of the 20M set have it.
fn seconds(text: &str) -> anyhow::Result<i64> {
    let text = text.trim();
    let written = || {
        let time = text.parse::<jiff::civil::DateTime>().ok().filter(|_| text.contains('-'))?;
        Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
    };
    let found = text.parse().ok().or_else(written);
    match found.filter(|seconds| (0..=LAST_S).contains(seconds)) {
        Some(seconds) => Ok(seconds),
        None => bail!("time is {text:?}; expected seconds since 1970, up to the year 2199"),
    }
}

/// Names of the genre flags, in their order.
fn read_genres(directory: &Path, report: &mut Report) -> anyhow::Result<Vec<String>> {
    let path = find_or_say(directory, &["u.genre"])?;
    let mut genres = read_lines(&path, report, |line, _| {
        let Some((name, at)) = line.split_once('|') else {
            bail!("is {line:?}; expected name|number");
        };
        Ok((number::<usize>("number of the genre", at)?, name.to_owned()))
    })?;
    genres.sort();
    if genres.iter().enumerate().any(|(expected, (at, _))| *at != expected) {
        bail!("{}: the genres are not numbered 0, 1, 2, …", path.display());
    }
    Ok(genres.into_iter().map(|(_, name)| name).collect())
}

fn item_100k(line: &str, genres: &[String], report: &mut Report) -> anyhow::Result<Title> {
    let fields = split(line, "|");
    if fields.len() != 5 + genres.len() {
        bail!("has {} fields; expected {}: 5 and a flag for each genre", fields.len(), 5 + genres.len());
    }
    let mut liked = Vec::new();
    for (flag, genre) in fields[5..].iter().zip(genres) {
        match *flag {
            "1" if genre != "unknown" => liked.push(genre.clone()),
            "0" | "1" => {}
            other => bail!("flag of genre {genre} is {other:?}; expected 0 or 1"),
        }
    }
    let (name, year) = name_and_year(fields[1]);
    let released = fields[2].rsplit('-').next().and_then(|year| year.parse().ok());
    title(number("item", fields[0])?, name, year.or(released), liked, report)
}

fn item_dat(line: &str, report: &mut Report) -> anyhow::Result<Title> {
    let wrong =
        || anyhow::anyhow!("has {} fields; expected 3: item::name (year)::genres", split(line, "::").len());
    // From both ends: a name may hold the separator.
    let (number, rest) = line.split_once("::").ok_or_else(wrong)?;
    let (name, genres) = rest.rsplit_once("::").ok_or_else(wrong)?;
    item(number, name, genres, report)
}

fn item(item: &str, name: &str, genres: &str, report: &mut Report) -> anyhow::Result<Title> {
    let (name, year) = name_and_year(name);
    let is_genre = |genre: &&str| !genre.is_empty() && *genre != "(no genres listed)";
    let genres = genres.split('|').map(str::trim).filter(is_genre).map(str::to_owned).collect();
    title(number("item", item)?, name, year, genres, report)
}

fn title(
    item: u32,
    name: &str,
    year: Option<u16>,
    genres: Vec<String>,
    report: &mut Report,
) -> anyhow::Result<Title> {
    report.fit(Title {
        id: format!("t{item}"),
        name: Some(name.to_owned()),
        genres,
        year,
        ..Title::default()
    })
}

/// `Toy Story (1995)` as name and year; without one, the name as it stands.
fn name_and_year(text: &str) -> (&str, Option<u16>) {
    let text = text.trim();
    let split = text.strip_suffix(')').and_then(|rest| rest.rsplit_once('('));
    match split
        .and_then(|(name, year)| Some((name.trim_end(), (year.len() == 4).then(|| year.parse().ok())??)))
    {
        Some((name, year)) if !name.is_empty() => (name, Some(year)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_is_taken_off_the_name() {
        assert_eq!(name_and_year("Toy Story (1995)"), ("Toy Story", Some(1995)));
        assert_eq!(name_and_year("Cité (des enfants) (1995) "), ("Cité (des enfants)", Some(1995)));
        for unchanged in ["unknown", "1984", "M (V)", "(1995)", "a (19x5)"] {
            assert_eq!(name_and_year(unchanged), (unchanged, None));
        }
    }

    #[test]
    fn times_are_seconds_or_written_out() {
        assert_eq!(seconds("1112486027").expect("valid"), 1_112_486_027);
        assert_eq!(seconds("2005-04-02 23:53:47").expect("valid"), 1_112_486_027);
        for bad in ["", "-5", "yesterday", "99999999999"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
