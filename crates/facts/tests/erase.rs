//! What erasure leaves in a folder: names of one length, and nothing of writers that died.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::path::Path;

use nearline_facts::{ArchivedLog, EventArchive, Tidying};
use nearline_model::identifier::Blocks;
use nearline_model::{LogRecord, PartitionId, Position};

/// About the time that files here are written at.
fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
}

const HOUR_MS: i64 = 3_600_000;

fn open(folder: &Path) -> EventArchive {
    let log = ArchivedLog { identity: "a-log", partitions: 1, blocks: Blocks::default() };
    EventArchive::open(folder, log, "an-id", 1_000).unwrap()
}

fn unique(number: u64) -> String {
    format!("{number:08x}-0000-4000-8000-{number:012x}")
}

fn record(number: u64) -> LogRecord {
    let payload = format!(
        r#"{{"id":"e{number}","type":"play","member":"m{}","title":"t","at":"2026-03-01T20:15:00Z"}}"#,
        number % 20
    );
    LogRecord { position: Position(number), log_ms: 1_772_396_100_000, payload: payload.into() }
}

/// An archive of twenty members.
fn archive(folder: &Path) -> EventArchive {
    let mut archive = open(folder);
    archive.add(PartitionId(0), &(1..100).map(record).collect::<Vec<_>>(), &unique(0), 2_000).unwrap();
    archive
}

fn erase(archive: &mut EventArchive, member: u64, now_ms: i64) -> Result<u64, String> {
    let limits = archive.erasable(&[format!("m{member}")], None).unwrap();
    let erased = archive.erase(&limits, || unique(member + 1), now_ms);
    erased.map(|erased| erased.deleted).map_err(|error| error.to_string())
}

#[test]
fn a_file_that_is_erased_from_again_and_again_has_a_name_of_one_length() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = archive(folder.path());
    let name = |archive: &EventArchive| archive.table().files().next().unwrap().path.clone();
    let first = name(&archive);
    for member in 0..15 {
        erase(&mut archive, member, 3_000).unwrap();
        let now = name(&archive);
        assert_eq!(now.len(), first.len(), "{now}");
        assert_eq!(now.split(&unique(member + 1)).next(), first.split(&unique(0)).next(), "its place stays");
    }
    assert_eq!(archive.events(PartitionId(0)).flat_map(Result::unwrap).count(), 25);
}

#[test]
fn a_name_that_earlier_erasures_made_long_is_short_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    let long = format!("{}-{}-{}", &unique(7)[..23], &unique(8)[..23], unique(9));
    archive.add(PartitionId(0), &(1..100).map(record).collect::<Vec<_>>(), &long, 2_000).unwrap();
    erase(&mut archive, 3, 3_000).unwrap();
    let name = archive.table().files().next().unwrap().path.clone();
    assert!(name.ends_with(&format!("{:020}-{}.parquet", 99, unique(4))), "{name}");
}

#[test]
fn what_a_dead_writer_left_goes_and_what_a_live_one_writes_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = archive(folder.path());
    let at = |name: &str| folder.path().join(name);
    for name in ["events-p00000-dead.parquet.partial", "events-p00000-live.parquet.partial"] {
        std::fs::write(at(name), "rows of somebody, without an end").unwrap();
    }
    let live = File::options().write(true).open(at("events-p00000-live.parquet.partial")).unwrap();
    live.lock().unwrap();
    assert_eq!(erase(&mut archive, 3, now_ms()), Ok(2), "the old file and what the dead one left");
    assert!(!at("events-p00000-dead.parquet.partial").exists());
    assert!(at("events-p00000-live.parquet.partial").exists());
    // A week that is being sorted, or was when its writer died.
    let parts = at("_week-1/_parts");
    std::fs::create_dir_all(&parts).unwrap();
    std::fs::write(parts.join("0.parquet.partial"), "rows").unwrap();
    let refused = erase(&mut archive, 4, now_ms()).unwrap_err();
    assert!(refused.contains("_week-1") && refused.contains("erase again in ten minutes"), "{refused}");
    assert_eq!(erase(&mut archive, 5, now_ms() + HOUR_MS), Ok(2));
    assert!(!at("_week-1").exists());
}

#[test]
fn beside_an_archiver_that_commits_all_the_time_what_is_left_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = archive(folder.path());
    let stop = std::sync::atomic::AtomicBool::new(false);
    let drafts = folder.path().join("_delta_log");
    std::thread::scope(|scope| {
        // What a commit makes and takes away again.
        scope.spawn(|| {
            for number in 0_u64.. {
                let draft = drafts.join(format!(".{number}.draft"));
                std::fs::write(&draft, "a line").unwrap();
                std::fs::remove_file(&draft).unwrap();
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
            }
        });
        let looked: Vec<_> = (0..500).map(|_| archive.table().left_behind().map(drop)).collect();
        let erased = erase(&mut archive, 3, now_ms());
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(looked.iter().all(Result::is_ok), "{looked:?}");
        assert_eq!(erased, Ok(1));
    });
}

#[test]
fn what_dead_writers_left_is_tidied_away_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = archive(folder.path());
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("_week-1/_parts")).unwrap();
    for name in ["_week-1/_parts/0.parquet", "x.parquet.partial", "_delta_log/.1.draft", "notes.txt"] {
        std::fs::write(at(name), "left").unwrap();
    }
    let mut tidy = |now_ms| {
        let tidying = Tidying { keep_from_ms: None, by_week: false, threads: 1, now_ms };
        archive.tidy(&tidying, || unique(1)).unwrap().orphans
    };
    assert_eq!([tidy(now_ms()), tidy(now_ms() + 25 * HOUR_MS)], [0, 3]);
    assert!(at("notes.txt").exists() && !at("_week-1").exists());
}

#[test]
fn a_partition_all_of_whose_events_are_gone_is_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = archive(folder.path());
    archive.check_whole(PartitionId(0)).unwrap();
    let tidying = Tidying { keep_from_ms: Some(i64::MAX), by_week: false, threads: 1, now_ms: now_ms() };
    archive.tidy(&tidying, || unique(1)).unwrap();
    let refused = archive.check_whole(PartitionId(0)).unwrap_err().to_string();
    assert!(refused.contains("of partition p00 up to position 99 are gone"), "{refused}");
}
