//! MovieLens, as GroupLens gives it out: 100K (`u.data`, `u.item`, `u.genre`) and 1M (`ratings.dat`,
//! `movies.dat`). Every rating becomes an event; user 7 is member `u7`, item 50 is title `t50`.

use super::{EventLine, Imported, SourceFile, checked, number};
use anyhow::bail;
use nearline_model::Title;
use std::path::Path;

struct Rating {
    user: u32,
    item: u32,
    value: f64,
    at_s: i64,
}

/// Reads the data set in `directory`.
///
/// # Errors
/// A file that is missing, or the first line that cannot be read, with file, line and what is wrong.
pub fn read(directory: &Path) -> anyhow::Result<Imported> {
    let (titles, mut ratings) = if directory.join("u.data").exists() {
        let genres = read_genres(directory)?;
        let titles = SourceFile::read_latin1(directory, "u.item")?.parse(|line| item_100k(line, &genres))?;
        (titles, SourceFile::read_utf8(directory, "u.data")?.parse(|line| rating(line, "\t"))?)
    } else if directory.join("ratings.dat").exists() {
        let titles = SourceFile::read_latin1(directory, "movies.dat")?.parse(item_1m)?;
        (titles, SourceFile::read_utf8(directory, "ratings.dat")?.parse(|line| rating(line, "::"))?)
    } else {
        bail!(
            "{} holds neither u.data (MovieLens 100K) nor ratings.dat (MovieLens 1M); give the unpacked directory",
            directory.display()
        );
    };
    // The lines of the 100K set are shuffled, so their order tells nothing: ratings of one user in the same
    // second (a page that was sent at once) are ordered by title.
    ratings.sort_by_key(|rating| (rating.at_s, rating.user, rating.item));
    let events = ratings.iter().map(event).collect();
    Ok(Imported { titles, events })
}

fn event(rating: &Rating) -> String {
    let (member, title) = (format!("u{}", rating.user), format!("t{}", rating.item));
    let id = format!("ml-{}-{}", rating.user, rating.item);
    let line = EventLine::new(id, "rating", &member, &title, rating.at_s * 1_000);
    EventLine { value: Some(rating.value), ..line }.json()
}

fn rating(line: &str, separator: &str) -> anyhow::Result<Rating> {
    let fields: Vec<&str> = line.split(separator).collect();
    let [user, item, value, at_s] = fields[..] else {
        bail!("has {} fields; expected 4: user, item, rating, seconds since 1970", fields.len());
    };
    let rating = Rating {
        user: number("user", user)?,
        item: number("item", item)?,
        value: value.parse().map_err(|_| anyhow::anyhow!("rating is {value:?}; expected 0.5 to 5"))?,
        at_s: number("time", at_s)?,
    };
    if !(0.5..=5.0).contains(&rating.value) {
        bail!("rating is {value:?}; expected 0.5 to 5");
    }
    if !(0..=7_258_118_399).contains(&rating.at_s) {
        bail!("time is {at_s:?}; expected seconds since 1970, up to the year 2199");
    }
    Ok(rating)
}

/// Names of the genre flags, in their order.
fn read_genres(directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut genres = SourceFile::read_utf8(directory, "u.genre")?.parse(|line| {
        let Some((name, at)) = line.split_once('|') else {
            bail!("is {line:?}; expected name|number");
        };
        Ok((number::<usize>("number of the genre", at)?, name.to_owned()))
    })?;
    genres.sort();
    if genres.iter().enumerate().any(|(expected, (at, _))| *at != expected) {
        bail!("{}: the genres are not numbered 0, 1, 2, …", directory.join("u.genre").display());
    }
    Ok(genres.into_iter().map(|(_, name)| name).collect())
}

fn item_100k(line: &str, genres: &[String]) -> anyhow::Result<Title> {
    let fields: Vec<&str> = line.trim_end_matches('\r').split('|').collect();
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
    title(number("item", fields[0])?, name, year.or(released), liked)
}

fn item_1m(line: &str) -> anyhow::Result<Title> {
    let fields: Vec<&str> = line.trim_end_matches('\r').split("::").collect();
    let [item, name, genres] = fields[..] else {
        bail!("has {} fields; expected 3: item::name (year)::genres", fields.len());
    };
    let (name, year) = name_and_year(name);
    title(number("item", item)?, name, year, genres.split('|').map(str::to_owned).collect())
}

fn title(item: u32, name: &str, year: Option<u16>, genres: Vec<String>) -> anyhow::Result<Title> {
    checked(Title { id: format!("t{item}"), name: Some(name.to_owned()), genres, year, ..Title::default() })
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
}
