//! Tables that are used for long: old rows go, weeks are sorted, and nobody loses anything by it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use nearline_facts::{FactArchive, FactTable, FactsError, Source, Standing, Tidied, Tidying};
use nearline_model::facts::{FactKind, Known, Whereabouts};
use nearline_model::{Fact, PartitionId};

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
        position,
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
        let from = archive.covered(PartitionId(0)) + 1;
        let facts: Vec<Fact> = (from..from + 20)
            .map(|position| fact(position, first_ms + file * DAY_MS + position as i64))
            .collect();
        let then = Standing { stream: None, covered: [(PartitionId(0), from + 19)].into() };
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
    assert_eq!((tidied.old_files, tidied.old_rows), (4, 80), "{tidied:?}");
    assert_eq!(positions(folder.path()), (81..=200).collect());
    let left = std::fs::read_dir(folder.path()).unwrap().filter(|entry| {
        entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "parquet")
    });
    assert_eq!(left.count(), 6, "the files are gone, too");
    add(&mut open(folder.path()), MONDAY_MS + 10 * DAY_MS, 1, "b");
    assert_eq!(positions(folder.path()), (81..=220).collect(), "nothing that went is archived again");
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
