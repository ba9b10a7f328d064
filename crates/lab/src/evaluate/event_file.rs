//! Files of events, one JSON object a line, or tables of plays, put into the order of their time.

use super::table_file;
use super::timed_event::{BadLines, TimedEvent};
use bytes::Bytes;
use nearline_audience::text_file::{TextFile, TextLine};
use nearline_model::Event;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::path::Path;

/// Seed of the order of events of one time in tables, if none is given.
const TIES_SEED: u64 = 1;

/// Events of one or several files.
#[derive(Debug, Clone, Default)]
pub struct EventFile {
    /// Valid events; in the order of their time once sorted.
    pub events: Vec<TimedEvent>,
    /// What was left out.
    pub bad: BadLines,
}

impl EventFile {
    /// Reads all `paths` (`-`: standard input) and sorts what was read by event time. Events of one
    /// millisecond keep the order in which they stand; those of tables, whose lines are often sorted by
    /// something, and with `ties` all, stand in a random order of that seed.
    ///
    /// # Errors
    /// A file that cannot be read, or no valid event in all of them.
    pub fn read_all(
        paths: &[impl AsRef<Path>],
        event_bytes: usize,
        ties: Option<u64>,
    ) -> anyhow::Result<Self> {
        let mut all = Self::default();
        let mut ties = ties;
        for path in paths {
            let path = path.as_ref();
            if table_file::is_table(path) {
                // One that is given twice has the same events twice.
                let number = paths.iter().position(|other| other.as_ref() == path).unwrap_or_default();
                ties = ties.or(Some(TIES_SEED));
                all.events.extend(table_file::read(path, number, event_bytes, &mut all.bad)?);
            } else {
                all.read(TextFile::open(path)?, event_bytes)?;
            }
        }
        if all.events.is_empty() {
            anyhow::bail!(
                "there is no valid event to evaluate{}; expected one JSON object of the event contract a line, or a table of user, item and time",
                all.bad.describe().map(|bad| format!(": {bad}")).unwrap_or_default()
            );
        }
        if let Some(seed) = ties {
            all.events.shuffle(&mut StdRng::seed_from_u64(seed));
        }
        all.events.sort_by_key(|event| event.at_ms);
        Ok(all)
    }

    /// Makes a play of every rating, whatever it says: what a model sees that knows of no opinions.
    ///
    /// # Errors
    /// None that can happen with events that were parsed before.
    pub fn take_ratings_for_plays(&mut self) -> serde_json::Result<()> {
        for event in &mut self.events {
            let mut object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&event.payload)?;
            if object.get("type").is_some_and(|kind| kind == "rating") {
                object.insert("type".to_owned(), "play".into());
                object.remove("value");
                event.payload = serde_json::to_vec(&object)?.into();
            }
        }
        Ok(())
    }

    /// Reads one more file; empty lines are skipped, bad ones counted.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&mut self, mut file: TextFile, event_bytes: usize) -> anyhow::Result<()> {
        while let Some(TextLine { number, text, .. }) = file.next_line()? {
            let name = file.name();
            let Some(text) = text else {
                self.bad.add(|| format!("{name}:{number}: is too long for an event"));
                continue;
            };
            let payload = text.trim().as_bytes();
            if payload.is_empty() {
                continue;
            }
            match Event::parse(payload, event_bytes) {
                Ok(event) => {
                    let at_ms = event.at_ms;
                    self.events.push(TimedEvent { at_ms, payload: Bytes::copy_from_slice(payload) });
                }
                Err(reject) => self.bad.add(|| format!("{name}:{number}: {reject}")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_model::EventKind;

    fn play(id: &str, at: &str) -> String {
        format!(r#"{{"id":"{id}","type":"play","member":"m1","title":"t1","at":"2026-03-01T{at}Z"}}"#)
    }

    #[test]
    fn bad_lines_are_counted_and_the_first_are_named_with_their_number() {
        let bad = "nonsense\n".repeat(7);
        let text = format!("{}\n\n{bad}{}\n", play("a", "20:15:01"), play("b", "20:15:00"));
        let mut file = EventFile::default();
        let text = TextFile::read_from(std::io::Cursor::new(text), "x.ndjson").expect("text");
        file.read(text, 65_536).expect("read");
        assert_eq!(
            (file.events.len(), file.bad.count, file.bad.first.len()),
            (2, 7, crate::evaluate::timed_event::SHOWN_BAD_LINES)
        );
        assert!(file.bad.first[0].starts_with("x.ndjson:3: malformed-json"), "{:?}", file.bad);
        let described = file.bad.describe().expect("some");
        assert!(described.starts_with("7 lines were left out:"), "{described}");
        assert!(described.ends_with("and 2 more"), "{described}");
    }

    #[test]
    fn ratings_taken_for_plays_say_nothing_but_that_they_were_made() {
        let rating = play("b", "20:15:01").replace(r#""play""#, r#""rating","value":1.5"#);
        let text = format!("{}\n{rating}\n", play("a", "20:15:00"));
        let mut file = EventFile::default();
        let text = TextFile::read_from(std::io::Cursor::new(text), "x.ndjson").expect("text");
        file.read(text, 65_536).expect("read");
        file.take_ratings_for_plays().expect("events");
        let told: Vec<Event<'_>> =
            file.events.iter().map(|event| Event::parse(&event.payload, 65_536).expect("valid")).collect();
        assert_eq!(told.iter().map(|event| &*event.id).collect::<Vec<_>>(), ["a", "b"]);
        assert!(told.iter().all(|event| event.kind == EventKind::Play && event.value.is_none()), "{told:?}");
        assert_eq!(told[1].at_ms, file.events[1].at_ms);
    }

    #[test]
    fn events_are_sorted_by_time_and_those_of_one_time_keep_their_order() {
        let directory = tempfile::tempdir().expect("directory");
        let (one, two) = (directory.path().join("1"), directory.path().join("2"));
        std::fs::write(&one, format!("{}\n{}\n", play("late", "20:15:01"), play("first", "20:15:00")))
            .expect("written");
        std::fs::write(&two, play("second", "20:15:00")).expect("written");
        let file = EventFile::read_all(&[one, two], 65_536, None).expect("read");
        let ids: Vec<String> = file
            .events
            .iter()
            .map(|event| Event::parse(&event.payload, 65_536).expect("valid").id.into_owned())
            .collect();
        assert_eq!(ids, ["first", "second", "late"]);
    }

    #[test]
    fn events_of_one_time_are_dealt_by_the_seed_and_all_others_stay() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("a.csv");
        let lines: Vec<String> = (0..40).map(|at| format!("u{at},i{at},{}", 1_000 + at / 20)).collect();
        std::fs::write(&path, lines.join("\n")).expect("written");
        let order = |ties| {
            let file = EventFile::read_all(&[&path], 65_536, ties).expect("read");
            let id =
                |event: &TimedEvent| Event::parse(&event.payload, 65_536).expect("valid").id.into_owned();
            file.events.iter().map(id).collect::<Vec<_>>()
        };
        let dealt = order(Some(3));
        assert_eq!(dealt, order(Some(3)));
        assert_ne!(dealt, order(Some(4)));
        assert_ne!(order(None), lines_in_order(), "tables are dealt without being asked");
        let mut first: Vec<String> = dealt[..20].to_vec();
        first.sort_by_key(|id| id.trim_start_matches("line-").parse::<u32>().expect("a number"));
        assert_eq!(first, lines_in_order()[..20]);
    }

    fn lines_in_order() -> Vec<String> {
        (1..=40).map(|line| format!("line-{line}")).collect()
    }

    #[test]
    fn a_file_without_a_valid_event_is_an_error_that_says_why() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("bad.ndjson");
        std::fs::write(&path, "{\"id\":\"a\"}\n").expect("written");
        let error = EventFile::read_all(&[&path], 65_536, None).expect_err("nothing in it").to_string();
        assert!(error.contains("no valid event") && error.contains("bad.ndjson:1: missing-field"), "{error}");
        let error =
            EventFile::read_all(&[directory.path().join("nowhere")], 65_536, None).expect_err("absent");
        assert!(format!("{error:#}").contains("nowhere cannot be read"), "{error:#}");
    }
}
