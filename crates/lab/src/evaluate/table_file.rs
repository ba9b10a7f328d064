//! Tables of plays: CSV of user, item and time, plain or `.gz`, as public data sets come.
//!
//! Separated by commas, semicolons, tabs or `::` (MovieLens: `u.data`, `ratings.dat`, `ratings.csv`). With
//! a header its names tell the columns; without one they are user, item, time, or user, item, rating, time.
//! Each line becomes a play; other columns are left alone.

use super::timed_event::{BadLines, TimedEvent};
use anyhow::{Context, bail};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use nearline_model::Event;
use nearline_model::timestamp::format_rfc3339;
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

const SEPARATORS: [&str; 4] = ["\t", "::", ",", ";"];
const USERS: [&str; 6] = ["user", "user_id", "userid", "member", "session", "session_id"];
const ITEMS: [&str; 6] = ["item", "item_id", "itemid", "title", "movieid", "movie_id"];
const TIMES: [&str; 6] = ["ms", "time", "timestamp", "at", "seconds", "date"];
/// Numbers below are seconds since 1970, those above milliseconds: both mean times from 1973 to 5138.
const FIRST_MS: i64 = 100_000_000_000;

/// Whether a file of this name is a table, and not one of events.
pub fn is_table(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".csv", ".tsv", ".data", ".dat"].iter().any(|ending| name.ends_with(ending))
}

/// Where the columns are.
struct Columns {
    separator: &'static str,
    user: usize,
    item: usize,
    time: usize,
}

impl Columns {
    /// Those of a table whose first line this is, and whether the line is a header.
    fn of(first: &str) -> anyhow::Result<(Self, bool)> {
        let Some(separator) = SEPARATORS.into_iter().find(|separator| first.contains(separator)) else {
            bail!("{first:?} has one column; expected user, item and time, separated by a comma or a tab");
        };
        let names: Vec<String> = first.split(separator).map(|name| name.trim().to_lowercase()).collect();
        let place = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        match (place(&USERS), place(&ITEMS), place(&TIMES)) {
            (Some(user), Some(item), Some(time)) => Ok((Self { separator, user, item, time }, true)),
            (None, None, None) if (3..=4).contains(&names.len()) => {
                Ok((Self { separator, user: 0, item: 1, time: names.len() - 1 }, false))
            }
            _ => bail!(
                "{first:?} names no columns user, item and time; one of {USERS:?}, {ITEMS:?} and {TIMES:?} each is known"
            ),
        }
    }

    fn play(&self, line: &str, id: &str) -> anyhow::Result<(i64, String)> {
        let fields: Vec<&str> = line.split(self.separator).map(str::trim).collect();
        let field = |at: usize, name| fields.get(at).with_context(|| format!("has no {name}"));
        let (member, title) = (field(self.user, "user")?, field(self.item, "item")?);
        let at_ms = time_ms(field(self.time, "time")?)?;
        let at = format_rfc3339(at_ms);
        let event = json!({"id": id, "type": "play", "member": member, "title": title, "at": at});
        Ok((at_ms, event.to_string()))
    }
}

/// Unix milliseconds of a number of seconds or milliseconds, or of an RFC 3339 time.
fn time_ms(text: &str) -> anyhow::Result<i64> {
    if let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) {
        let is_ms = number.abs() >= FIRST_MS as f64;
        return Ok(if is_ms { number } else { number * 1_000.0 } as i64);
    }
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| anyhow::anyhow!("time {text:?} is no number and no RFC 3339 time with an offset"))?;
    Ok(time.as_millisecond())
}

/// Reads a table, the `number`th of several; empty lines are skipped, bad ones counted.
///
/// # Errors
/// A file that cannot be read, or whose first line does not tell its columns.
pub fn read(
    path: &Path,
    number: usize,
    event_bytes: usize,
    bad: &mut BadLines,
) -> anyhow::Result<Vec<TimedEvent>> {
    let shown = path.display().to_string();
    let file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    let is_packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let reader: Box<dyn Read> = if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut events = Vec::new();
    let mut columns = None;
    // Rows of two files that have one number are two events.
    let of = if number == 0 { "line-".to_owned() } else { format!("line-{number}-") };
    for (at, line) in BufReader::new(reader).lines().enumerate() {
        let line = line.with_context(|| format!("{shown}:{} cannot be read", at + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let columns = match &columns {
            Some(columns) => columns,
            None => {
                let (found, is_header) = Columns::of(&line).with_context(|| format!("{shown}:{}", at + 1))?;
                let found = columns.insert(found);
                if is_header {
                    continue;
                }
                found
            }
        };
        let read = columns.play(&line, &format!("{of}{}", at + 1)).and_then(|(at_ms, payload)| {
            Event::parse(payload.as_bytes(), event_bytes)?;
            Ok(TimedEvent { at_ms, payload: Bytes::from(payload) })
        });
        match read {
            Ok(event) => events.push(event),
            Err(error) => bad.add(|| format!("{shown}:{}: {error:#}", at + 1)),
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(name: &str, text: &str) -> (anyhow::Result<Vec<TimedEvent>>, BadLines) {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        let mut bad = BadLines::default();
        (read(&path, 0, 65_536, &mut bad), bad)
    }

    fn described(events: &[TimedEvent]) -> Vec<(String, String, i64)> {
        let event = |timed: &TimedEvent| {
            let event = Event::parse(&timed.payload, 65_536).expect("valid");
            (event.member.to_string(), event.title.to_string(), event.at_ms)
        };
        events.iter().map(event).collect()
    }

    #[test]
    fn columns_are_found_by_their_names_and_times_by_their_size() {
        let (events, bad) = read_text("a.csv", "ms,item,user\n1396314141719,i7,u1\n\n1396314141,i8,u2\n");
        let expected = [("u1", "i7", 1_396_314_141_719), ("u2", "i8", 1_396_314_141_000)];
        let expected = expected.map(|(user, item, ms)| (user.to_owned(), item.to_owned(), ms));
        assert_eq!(described(&events.expect("read")), expected);
        assert_eq!(bad.count, 0);
    }

    #[test]
    fn files_of_movielens_need_no_header() {
        for (name, line) in [("u.data", "196\t242\t3\t881250949"), ("ratings.dat", "196::242::3::881250949")]
        {
            let (events, _) = read_text(name, line);
            let expected = [("196".to_owned(), "242".to_owned(), 881_250_949_000)];
            assert_eq!(described(&events.expect("read")), expected, "{name}");
        }
    }

    #[test]
    fn bad_lines_are_counted_and_named_and_unknown_columns_are_an_error() {
        let (events, bad) = read_text("a.csv", "user,item,ms\nu1,i1,soon\nu1,,1\nu1,i1,1396314141719\n");
        assert_eq!((events.expect("read").len(), bad.count), (1, 2));
        assert!(bad.first[0].contains("a.csv:2: time \"soon\""), "{:?}", bad.first);
        let (events, _) = read_text("a.csv", "user,thing,when\n");
        let error = format!("{:#}", events.expect_err("unknown columns"));
        assert!(error.contains("a.csv:1") && error.contains("no columns"), "{error}");
    }

    #[test]
    fn tables_are_known_by_their_names() {
        for name in ["events.csv.gz", "u.data", "ratings.dat", "A.TSV"] {
            assert!(is_table(Path::new(name)), "{name}");
        }
        assert!(!is_table(Path::new("events.ndjson")) && !is_table(Path::new("-")));
    }
}
