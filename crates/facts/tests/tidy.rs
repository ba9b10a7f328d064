//! Tables that are used for long: old rows go, weeks are sorted, and nobody loses anything by it.

#![allow(clippy::unwrap_used)]

use nearline_model::Position;
use std::collections::BTreeSet;
use std::path::Path;

use nearline_facts::{
    ArchivedLog, EventArchive, FactArchive, FactTable, FactsError, Source, Standing, Taken, Tidied, Tidying,
};
use nearline_model::facts::{Decision, FactKind, Known, Whereabouts};
use nearline_model::identifier::{Blocks, position_of, sequence_of};
use nearline_model::{Fact, FactEntry, LogRecord, PartitionId};

const DAY_MS: i64 = 86_400_000;
/// A Monday, 2026-03-02T00:00:00Z.
const MONDAY_MS: i64 = 1_772_409_600_000;

fn fact(position: u64, known_at_ms: i64) -> Fact {
    let payload = Known::default().payload(Whereabouts::default());
    Fact {
        member: format!("m{}", position % 13).into(),
        event_at_ms: known_at_ms,
        known_at_ms,
        partition: PartitionId(0),
        position: Position(position),
        ordinal: 0,
        kind: FactKind::Member,
        schema_version: Known::VERSION,
        payload: payload.into(),
    }
}

fn open(folder: &Path) -> FactArchive {
    FactArchive::open(folder, FactTable::Members, "a-log", 1, "id", MONDAY_MS).unwrap()
}

/// Adds `files` files of twenty facts each, one a day from `first_ms` on.
fn add(archive: &mut FactArchive, first_ms: i64, files: i64, nonce: &str) {
    for file in 0..files {
        let from = archive.covered(PartitionId(0)).0 + 1;
        let facts: Vec<Fact> = (from..from + 20)
            .map(|position| fact(position, first_ms + file * DAY_MS + position as i64))
            .collect();
        let then =
            Standing { covered: [(PartitionId(0), Position(from + 19))].into(), ..Standing::default() };
        archive.add(&facts, &then, &format!("{nonce}{file}"), first_ms).unwrap();
    }
}

fn positions(folder: &Path) -> BTreeSet<i64> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    let mut found = BTreeSet::new();
    for file in open(folder).table().files() {
        let file = std::fs::File::open(folder.join(&file.path)).unwrap();
        let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        for batch in builder.build().unwrap() {
            let batch = batch.unwrap();
            for position in batch["position"].as_primitive::<Int64Type>().values() {
                assert!(found.insert(*position), "{position} is there twice");
            }
        }
    }
    found
}

fn tidy(folder: &Path, keep_from_ms: Option<i64>, now_ms: i64) -> Result<Tidied, FactsError> {
    let mut number = 0;
    let name = || {
        number += 1;
        format!("t{now_ms}-{number}")
    };
    open(folder).tidy(&Tidying { keep_from_ms, by_week: true, threads: 2, now_ms }, name)
}

#[test]
fn weeks_that_are_over_are_in_the_order_of_their_members_and_the_rest_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    add(&mut open(folder.path()), MONDAY_MS - 7 * DAY_MS, 10, "a");
    let covered = open(folder.path()).covered(PartitionId(0));
    let tidied = tidy(folder.path(), None, MONDAY_MS + 3 * DAY_MS).unwrap();
    assert_eq!((tidied.weeks, tidied.weekly_rows, tidied.weekly_files), (1, 140, (7, 1)), "{tidied:?}");
    assert!(tidied.indexed, "{tidied:?}");
    assert_eq!(positions(folder.path()), (1..=200).collect());
    assert_eq!(open(folder.path()).covered(PartitionId(0)), covered, "archivers go on where they were");
    assert_eq!(open(folder.path()).table().files().count(), 4);
    assert_eq!(Source::open(&[folder.path().to_owned()]).unwrap().rows(), 200);
    // Again is nothing; later the next week is over.
    let again = tidy(folder.path(), None, MONDAY_MS + 3 * DAY_MS).unwrap();
    assert_eq!((again.weeks, again.weekly_rows), (0, 0));
    let later = tidy(folder.path(), None, MONDAY_MS + 8 * DAY_MS).unwrap();
    assert_eq!((later.weeks, later.weekly_files), (1, (3, 1)), "{later:?}");
    assert_eq!(positions(folder.path()), (1..=200).collect());
}

#[test]
fn what_is_older_than_is_kept_goes_whole_files_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    add(&mut open(folder.path()), MONDAY_MS, 10, "a");
    let tidied = tidy(folder.path(), Some(MONDAY_MS + 4 * DAY_MS), MONDAY_MS + 5 * DAY_MS).unwrap();
    assert_eq!((tidied.old_files, tidied.old_rows, tidied.carried_rows), (4, 67, 13), "{tidied:?}");
    assert_eq!(positions(folder.path()), (68..=200).collect(), "what was known of each member then stays");
    let left = std::fs::read_dir(folder.path()).unwrap().filter(|entry| {
        entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "parquet")
    });
    assert_eq!(left.count(), 7, "the files are gone, too");
    let again = tidy(folder.path(), Some(MONDAY_MS + 4 * DAY_MS), MONDAY_MS + 5 * DAY_MS).unwrap();
    assert_eq!((again.old_files, again.carried_rows), (0, 0), "there is nothing more to do: {again:?}");
    let later = tidy(folder.path(), Some(MONDAY_MS + 6 * DAY_MS), MONDAY_MS + 6 * DAY_MS).unwrap();
    assert_eq!((later.old_files, later.old_rows, later.carried_rows), (3, 40, 13), "{later:?}");
    assert_eq!(positions(folder.path()), (108..=200).collect());
    add(&mut open(folder.path()), MONDAY_MS + 10 * DAY_MS, 1, "b");
    assert_eq!(positions(folder.path()), (108..=220).collect(), "nothing that went is archived again");
}

#[test]
fn of_two_that_tidy_at_once_one_is_refused_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    add(&mut open(folder.path()), MONDAY_MS - 7 * DAY_MS, 7, "a");
    let mut late = open(folder.path());
    tidy(folder.path(), None, MONDAY_MS).unwrap();
    // It read the table before the first one's commit; the files that it means to sort are gone.
    let tidying = Tidying { keep_from_ms: Some(MONDAY_MS), by_week: false, threads: 1, now_ms: MONDAY_MS };
    let refused = late.tidy(&tidying, || "late".into()).unwrap_err().to_string();
    assert!(refused.contains("run it again"), "{refused}");
    assert_eq!(positions(folder.path()), (1..=140).collect());
}

#[test]
fn an_archiver_that_adds_meanwhile_is_no_reason_to_give_up_and_orphans_go_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    add(&mut open(folder.path()), MONDAY_MS - 7 * DAY_MS, 7, "a");
    let mut early = open(folder.path());
    add(&mut open(folder.path()), MONDAY_MS, 1, "b");
    let now_ms = MONDAY_MS + DAY_MS;
    let tidying = Tidying { keep_from_ms: None, by_week: true, threads: 1, now_ms };
    let tidied = early.tidy(&tidying, || "early".into()).unwrap();
    assert_eq!((tidied.weeks, tidied.weekly_rows), (1, 140));
    assert_eq!(positions(folder.path()), (1..=160).collect());

    let orphan = folder.path().join("members-dead.parquet");
    std::fs::write(&orphan, "half a file").unwrap();
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    assert_eq!(tidy(folder.path(), None, now_ms).unwrap().orphans, 0, "it may be somebody's");
    assert!(orphan.exists());
    assert_eq!(tidy(folder.path(), None, now_ms + 2 * DAY_MS).unwrap().orphans, 1);
    assert!(!orphan.exists());
}

/// Adds a file of ten events of a partition, which became known from a moment on.
fn add_events(archive: &mut EventArchive, partition: u16, known_at_ms: i64, nonce: &str) {
    let id = PartitionId(partition);
    let before = sequence_of(archive.last(id), id, 2).unwrap_or_default();
    let record = |number: u64| {
        LogRecord {
        position: position_of(number, id, 2),
        log_ms: known_at_ms + number as i64,
        payload: format!(
            r#"{{"id":"e{partition}-{number}","type":"play","member":"m1","title":"t1","at":"2026-03-01T20:15:00Z"}}"#
        )
        .into(),
    }
    };
    let records: Vec<LogRecord> = (before + 1..=before + 10).map(record).collect();
    archive.add(id, &records, nonce, known_at_ms).unwrap();
}

fn log_of(archive: &EventArchive, partition: u16) -> Vec<LogRecord> {
    archive.events(PartitionId(partition)).flat_map(Result::unwrap).collect()
}

#[test]
fn small_files_of_events_become_one_for_each_partition_and_day_that_is_over_and_the_log_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = EventArchive::open(
        folder.path(),
        ArchivedLog { identity: "a-log", partitions: 2, blocks: Blocks::default() },
        "an-id",
        MONDAY_MS,
    )
    .unwrap();
    for hour in 0..72 {
        add_events(&mut archive, hour % 2, MONDAY_MS + i64::from(hour) * 3_600_000, &format!("h{hour}"));
    }
    let before = [log_of(&archive, 0), log_of(&archive, 1)];
    let tidying = |now_ms| Tidying { keep_from_ms: None, by_week: true, threads: 1, now_ms };
    let mut number = 0;
    let mut name = || {
        number += 1;
        format!("t{number}")
    };
    let tidied = archive.tidy(&tidying(MONDAY_MS + 2 * DAY_MS + 5_000), &mut name).unwrap();
    assert_eq!((tidied.merged_rows, tidied.merged_files), (480, (48, 4)), "{tidied:?}");
    assert_eq!(archive.table().files().count(), 4 + 24, "the day that is not over stays as it is");
    let mut archive = EventArchive::existing(folder.path()).unwrap();
    assert_eq!([log_of(&archive, 0), log_of(&archive, 1)], before);
    assert_eq!(archive.first(PartitionId(1)), Some(before[1][0].position));
    let again = archive.tidy(&tidying(MONDAY_MS + 2 * DAY_MS + 5_000), &mut name).unwrap();
    assert_eq!(again.merged_files, (0, 0), "{again:?}");

    // An archiver goes on where it was, and days still go one by one.
    add_events(&mut archive, 0, MONDAY_MS + 3 * DAY_MS, "later");
    let keep = Tidying { keep_from_ms: Some(MONDAY_MS + DAY_MS), ..tidying(MONDAY_MS + 4 * DAY_MS) };
    let kept = archive.tidy(&keep, &mut name).unwrap();
    assert_eq!((kept.old_files, kept.old_rows, kept.merged_files), (2, 240, (24, 2)), "{kept:?}");
    assert_eq!(log_of(&archive, 1), before[1][120..]);
    assert_eq!(log_of(&archive, 0).len(), 250);
    let left = std::fs::read_dir(folder.path()).unwrap().filter(|entry| {
        entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "parquet")
    });
    assert_eq!(left.count(), archive.table().files().count(), "what was merged is deleted");
}

#[test]
fn small_files_of_what_members_were_offered_become_one_in_the_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let which = FactTable::Decisions;
    let mut archive = FactArchive::open(folder.path(), which, "a-log", 1, "id", MONDAY_MS).unwrap();
    for number in 1..=6_u64 {
        let decision = Decision {
            recommendation_id: format!("r{number}").into(),
            source: "live".into(),
            variant: None,
            country: None,
            device: None,
            known: None,
            candidates: Vec::new(),
        };
        let kind = FactKind::Row;
        let payload = decision.encode().into();
        let known_at_ms = MONDAY_MS + number as i64;
        let offered = Fact { kind, payload, schema_version: Decision::VERSION, ..fact(number, known_at_ms) };
        let taken = Taken { sequence: number, mark: FactEntry::Decisions(vec![offered.clone()]).mark() };
        let then = Standing { stream: Some(("s".into(), taken)), ..Standing::default() };
        // Names that are in no order.
        archive.add(&[offered], &then, &format!("{}", 9 - number), MONDAY_MS).unwrap();
    }
    let tidying = Tidying { keep_from_ms: None, by_week: true, threads: 1, now_ms: MONDAY_MS + 2 * DAY_MS };
    let tidied = archive.tidy(&tidying, || "whole".into()).unwrap();
    assert_eq!((tidied.merged_rows, tidied.merged_files, tidied.weeks), (6, (6, 1), 0), "{tidied:?}");
    let file = std::fs::File::open(folder.path().join("decisions-whole.parquet")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let ids: Vec<String> = reader
        .build()
        .unwrap()
        .flat_map(|batch| {
            use arrow_array::cast::AsArray;
            let batch = batch.unwrap();
            let ids = batch["recommendation_id"].as_string::<i32>();
            ids.iter().map(|id| id.unwrap().to_owned()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(ids, ["r1", "r2", "r3", "r4", "r5", "r6"]);
    let again = FactArchive::existing(folder.path(), which).unwrap().unwrap();
    assert_eq!((again.taken("s"), again.table().files().count()), (6, 1), "archivers go on where they were");
}
